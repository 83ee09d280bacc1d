//! `barkeep report html` and `report open`: the page of a run, and of all jobs, whatever the reports look like.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use data_encoding::BASE64;
use serde_json::Value;

use crate::cli_support::{BARS, Project};
use crate::support;

/// The bars with one that contradicts itself, and one day missing.
fn bad() -> String {
    BARS.replace("A,2024-01-03,10.5,11,10,10.8,1100", "A,2024-01-03,10.5,9,10,10.8,1100")
        .replace("B,2024-01-03,20.5,21,20,20.8,600\n", "")
}

/// A project with one run.
fn checked() -> Project {
    let project = Project::new(bad());
    project.call(&["check", "job.toml"]).exits(1);
    project
}

/// The file of `table` of the only run.
fn file_of(project: &Project, table: &str) -> PathBuf {
    let is =
        |path: &PathBuf| path.components().any(|part| part.as_os_str() == table) && !path.ends_with("no-rows.parquet");
    project.files("reports").into_iter().find(is).unwrap_or_else(|| panic!("no file of {table}"))
}

fn html(project: &Project, name: &str) -> String {
    fs::read_to_string(project.path(name)).unwrap()
}

/// What the script of a page is given.
fn data(html: &str) -> Value {
    let (_, rest) = html.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    let packed = BASE64.decode(rest.split_once("</script>").unwrap().0.as_bytes()).unwrap();
    let mut json = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// Places of findings by rule.
fn findings(data: &Value) -> Vec<&str> {
    let rules = data["findings"]["rule"].as_array().unwrap().iter();
    rules.map(|rule| data["rules"][rule.as_u64().unwrap() as usize]["id"].as_str().unwrap()).collect()
}

#[test]
fn the_page_of_a_run_shows_what_its_tables_hold() {
    let project = checked();
    let told = project.call(&["report", "html", "latest", "-o", "out/page.html"]).exits(0);
    assert_eq!((told.out.as_str(), told.err.as_str()), ("out/page.html   2 findings\n", ""));
    let html = html(&project, "out/page.html");
    for text in [
        "<span class=\"word bad\">FAIL</span><p>1 row would be quarantined, nothing was changed.</p>",
        "<dt>rows checked</dt><dd>5<small>4 without a finding</small></dd>",
        "<dt>errors</dt><dd>1</dd>",
        "a bar that contradicts itself is wrong",
        "<td>2024-01-03</td>",
    ] {
        assert!(html.contains(text), "no `{text}`");
    }
    let data = data(&html);
    assert_eq!(findings(&data), ["ohlc", "gap"]);
    assert_eq!(data["series"], serde_json::json!(["A", "B"]));
    assert_eq!(data["run"]["findings"], 2);
    let table = support::findings(&project.path("reports"), &project.runs()[0].0);
    assert_eq!(table.len(), 2);
    for id in data["findings"]["id"].as_array().unwrap() {
        let id = id.as_str().unwrap();
        assert_eq!(table.iter().filter(|row| row.finding_id.starts_with(id)).count(), 1, "{id}");
    }
    assert!(html.len() < 300_000, "{}", html.len());
}

#[test]
fn a_page_asks_nothing_of_a_network_and_runs_its_own_scripts_alone() {
    let project = checked();
    project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0);
    project.call(&["report", "html", "-o", "jobs.html"]).exits(0);
    for name in ["page.html", "jobs.html"] {
        let html = html(&project, name);
        let policy = html.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
        let policy = policy.replace("&#x27;", "'").replace("&#x2f;", "/");
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
        let mut rest = html.as_str();
        while let Some((_, script)) = rest.split_once("<script>") {
            let (text, after) = script.split_once("</script>").unwrap();
            let hash = BASE64.encode(barkeep::durable::sha256(text.as_bytes()).as_ref());
            assert!(policy.contains(&hash), "a script of {name} is not allowed");
            rest = after;
        }
        for word in [" src=", "<link", "@import", "url(", " onclick=", " style="] {
            assert!(!html.replace("image-rendering", "").contains(word), "{word} in {name}");
        }
    }
}

#[test]
fn a_page_holds_at_most_what_it_is_told_to_and_counts_all() {
    let project = checked();
    let told = project.call(&["report", "html", "latest", "--findings", "1", "-o", "page.html"]).exits(0);
    assert_eq!(told.out, "page.html   1 of 2 findings; all are counted\n");
    let html = html(&project, "page.html");
    assert!(html.contains("The run has 2 findings, and this page holds 1 of them"));
    let data = data(&html);
    // The error is graver.
    assert_eq!(findings(&data), ["ohlc"]);
    assert_eq!(data["counts"].as_array().unwrap().iter().map(|count| count[4].as_u64().unwrap()).sum::<u64>(), 2);
    let told = project.call(&["--format", "json", "report", "html", "latest", "--findings", "1"]).exits(0).json();
    assert_eq!((&told[0]["findings"], &told[0]["findings_held"]), (&Value::from(2), &Value::from(1)));
}

#[test]
fn every_run_writes_its_page_where_the_job_says_so_and_it_goes_with_the_run() {
    let project = Project::new(bad());
    project.edit("job.toml", "dir = \"reports\"", "dir = \"reports\"\npage = true");
    for command in [&["check", "job.toml"][..], &["plan", "job.toml"], &["run", "job.toml"]] {
        project.call(command);
        let (run, ..) = project.runs().pop().unwrap();
        assert!(html(&project, &format!("reports/pages/{run}/report.html")).contains(&run), "{command:?}");
    }
    let moved = data(&html(&project, &format!("reports/pages/{}/report.html", project.runs().pop().unwrap().0)));
    assert_eq!(moved["moved"].as_object().unwrap().len(), 1, "the row that left can be put back");
    project.call(&["check", "job.toml", "--no-report"]);
    assert_eq!(project.runs().len(), 3);
    let before: Vec<_> = project.files("reports/pages");
    assert_eq!(before.iter().filter(|path| path.ends_with("report.html")).count(), 3);
    project.call(&["report", "prune", "--keep-daily", "1", "--keep-monthly", "1", "--confirm", "0"]);
}

#[test]
fn a_page_that_cannot_be_written_takes_nothing_from_the_run() {
    let project = Project::new(bad());
    project.edit("job.toml", "dir = \"reports\"", "dir = \"reports\"\npage = true");
    project.call(&["check", "job.toml"]).exits(1);
    let (run, ..) = project.runs().pop().unwrap();
    fs::remove_file(project.path(&format!("reports/pages/{run}/report.html"))).unwrap();
    let target = project.path("way");
    fs::create_dir(&target).unwrap();
    let told = project.call(&["report", "html", "latest", "-o", "way"]).exits(3);
    told.says(&["cannot write the page `way`: something else has that name", "-o FILE"]);
}

#[test]
fn a_page_may_be_read_by_those_who_may_read_the_report() {
    for mode in [0o600, 0o640] {
        let project = Project::new(bad());
        fs::set_permissions(project.path("bars.csv"), fs::Permissions::from_mode(mode)).unwrap();
        project.call(&["check", "job.toml"]).exits(1);
        project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0);
        let of = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(of(project.path("page.html")), of(file_of(&project, "runs")));
        assert_eq!(of(project.path("page.html")), mode);
    }
}

#[test]
fn all_jobs_are_one_page() {
    let project = Project::new(bad());
    let told = project.call(&["report", "html"]).exits(0);
    assert_eq!(told.out, "reports/pages/index.html   0 jobs\n");
    assert!(html(&project, "reports/pages/index.html").contains("No job has a report yet"));
    project.call(&["check", "job.toml"]).exits(1);
    let (run, ..) = project.runs().pop().unwrap();
    project.call(&["report", "html"]).exits(0);
    let without = html(&project, "reports/pages/index.html");
    assert!(
        without.contains("1 of 1 job failed") && without.contains(&format!("barkeep report open --dir reports {run}"))
    );
    assert!(!without.contains("<a href="));
    project.call(&["report", "html", &run]).exits(0);
    project.call(&["report", "html"]).exits(0);
    // From where it lies, the pages of runs are found.
    assert!(
        html(&project, "reports/pages/index.html").contains(&format!("<a href=\"{run}&#x2f;report.html\">demo</a>"))
    );
    project.call(&["report", "html", "-o", "elsewhere.html"]).exits(0);
    assert!(!html(&project, "elsewhere.html").contains("<a href="));
}

#[test]
fn opening_says_where_the_page_is_where_no_browser_is() {
    let project = checked();
    let output = project.command(&["report", "open", "latest"]).env("PATH", project.path("tmp")).output().unwrap();
    let told = project.output(output).exits(0).says(&["nothing here opens a browser"]);
    let (run, ..) = project.runs().pop().unwrap();
    assert_eq!(told.out, format!("reports/pages/{run}/report.html   2 findings\n"));
    // With something that opens files, that is what it is asked to do.
    let opener = project.path("bin/xdg-open");
    project.write("bin/xdg-open", "#!/bin/sh\nprintf %s \"$1\" > opened\n");
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", project.path("bin").display());
    let output = project.command(&["--format", "json", "report", "open"]).env("PATH", path).output().unwrap();
    assert_eq!(project.output(output).exits(0).json()[0]["opened"], true);
    assert_eq!(html(&project, "opened"), "reports/pages/index.html");
}

#[test]
fn a_run_that_is_not_there_is_told_as_everywhere() {
    let project = Project::new(bad());
    project.call(&["report", "html", "latest"]).exits(2).says(&["no run in `reports` yet"]);
    project.call(&["check", "job.toml"]).exits(1);
    project.call(&["report", "html", "latst"]).exits(2).says(&["did you mean `latest`?"]);
    project.call(&["report", "open", "2027"]).exits(2).says(&["there is no run `2027`"]);
}

#[test]
fn a_run_that_broke_off_has_a_page_that_says_why() {
    let project = Project::new(bad());
    project.edit("job.toml", "dir = \"reports\"", "dir = \"reports\"\npage = true");
    fs::remove_file(project.path("bars.csv")).unwrap();
    project.call(&["check", "job.toml"]).exits(3);
    let (run, status, _) = project.runs().pop().unwrap();
    assert_eq!(status, "broken");
    let html = html(&project, &format!("reports/pages/{run}/report.html"));
    assert!(html.contains("FAIL") && html.contains("bars.csv"), "{html}");
    assert!(html.contains("The run broke off before its rules had a result."));
    assert_eq!(data(&html)["run"]["findings"], 0);
}

#[test]
fn what_a_half_written_report_lacks_is_said_by_the_command_and_the_page() {
    // A part of the findings is not there.
    let project = checked();
    fs::remove_file(file_of(&project, "findings")).unwrap();
    let told = project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0);
    told.says(&["warning: the page lacks something: the run counted 2 findings, and its table `findings` holds 0"]);
    assert!(html(&project, "page.html").contains("holds 0: files are missing"));

    // A file is damaged, one after the other.
    for table in ["findings", "rule_results", "series_metrics"] {
        let project = checked();
        let file = file_of(&project, table);
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        let told = project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0);
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        told.says(&["warning: the page lacks something: cannot read", &name]);
        assert!(html(&project, "page.html").contains(&name), "{table}");
    }

    // The summary is damaged, or is not there.
    let project = checked();
    let (run, ..) = project.runs().pop().unwrap();
    let summary = format!("reports/pages/{run}/summary.json");
    project.write(&summary, "{\"job\":");
    project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0).says(&["summary.json"]);
    let page = html(&project, "page.html");
    assert!(page.contains("summary.json") && page.contains("left no summary"));
    assert_eq!(findings(&data(&page)).len(), 2, "the findings are shown all the same");
    fs::remove_file(project.path(&summary)).unwrap();
    project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0);
    assert!(html(&project, "page.html").contains("left no summary"));

    // The row of the run is all that makes it one.
    let project = checked();
    fs::write(file_of(&project, "runs"), "PAR1").unwrap();
    project.call(&["report", "html", "latest"]).exits(3).says(&["cannot read `reports/runs/"]);
    project.call(&["report", "html"]).exits(3).says(&["cannot read `reports/runs/"]);
}

#[test]
fn a_folder_that_may_not_be_read_is_named() {
    let project = checked();
    let folder = project.path("reports/runs/job=demo");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    // Who may read everything, such as root, is not kept from it.
    let kept = fs::read_dir(&folder).is_err();
    let told = project.call(&["report", "html", "latest", "-o", "page.html"]);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    if kept {
        told.exits(3).says(&["cannot read `reports/runs/job=demo`"]);
    } else {
        told.exits(0);
    }
}

#[test]
fn rules_that_no_longer_exist_are_shown_as_they_were() {
    let project = checked();
    project.write("rules.toml", "[[rule]]\nid = \"other\"\ncheck = \"zero-volume\"\n");
    fs::remove_file(project.path("job.toml")).unwrap();
    project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0);
    let page = html(&project, "page.html");
    assert_eq!(findings(&data(&page)), ["ohlc", "gap"]);
    // Neither does the summary know them, where it was written by a job of that name with other rules.
    let (run, ..) = project.runs().pop().unwrap();
    let summary = project.path(&format!("reports/pages/{run}/summary.json"));
    let mut json: Value = serde_json::from_slice(&fs::read(&summary).unwrap()).unwrap();
    json["rules"].as_array_mut().unwrap().retain(|rule| rule["id"] != "gap");
    fs::write(&summary, json.to_string()).unwrap();
    project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0);
    let page = html(&project, "page.html");
    assert!(page.contains("the summary of the run does not know this rule"));
    assert_eq!(findings(&data(&page)), ["ohlc", "gap"]);
}

#[test]
fn names_in_any_script_and_length_are_inert() {
    let long = "長".repeat(3_000);
    let names = ["</script><script>alert(1)</script>", "\u{202e}gnp\u{200b}", "\"'&<b>", "Ünïcode 貴州茅台 🚀", &long];
    let mut bars = "symbol,date,open,high,low,close,volume\n".to_owned();
    for name in names {
        bars += &format!("\"{}\",2024-01-02,10,9,9.5,10.5,1000\n", name.replace('"', "\"\""));
    }
    let project = Project::new(bars);
    project.call(&["check", "job.toml"]).exits(1);
    project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0);
    let page = html(&project, "page.html");
    let data = data(&page);
    let mut series: Vec<&str> = data["series"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    series.sort_unstable();
    let mut expected = names.to_vec();
    expected.sort_unstable();
    assert_eq!(series, expected);
    let (document, _) = page.split_once("<script type=\"application/json\"").unwrap();
    assert!(!document.contains("alert(1)</script>") && !document.contains("<b>\"") && !document.contains('\u{202e}'));
    assert_eq!(page.matches("<script").count(), 3);
}
