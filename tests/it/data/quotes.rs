//! A collection of daily quotes with the faults of a real loader: which documents are flagged, by their `_id`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Project, json, larger_data, of_rule};
use crate::support::Finding;

/// What each document of a class is flagged for; the order of the file is distinguished from it.
const CLASSES: [(&str, &[&str]); 18] = [
    ("bad_range_index", &["date-format not-a-format"]),
    ("bad_format_slash", &["date-format not-a-format"]),
    ("bad_whitespace", &["date-format not-a-format"]),
    ("bad_impossible_date", &["date-format impossible-date"]),
    ("bad_type_int", &["date-format wrong-type"]),
    ("bad_type_date", &["date-format wrong-type"]),
    ("bad_null", &["required null"]),
    ("bad_missing", &["required null"]),
    ("bad_full_symbol_bse", &["cn-exchange no-match"]),
    ("bad_full_symbol_etf", &["cn-exchange no-match"]),
    ("bad_units_hand_kcny", &["cn-units unit"]),
    ("bad_units_hand_cny", &["cn-units unit"]),
    // A bar under the day of the download is a good bar of a wrong day: the gap before it shows it, see below.
    ("bad_sync_date_collapse", &[]),
    // Suspended days pass; their prices were adjusted, which is another fault.
    ("suspended_flat_null_volume", &["cn-tick off-tick"]),
    ("ok_akshare_after_fix", &[]),
    ("ok_compact_date", &[]),
    ("ok_tushare", &[]),
    ("ok_weekly", &[]),
];

/// The `_id` of each document, in the order of the file.
fn ids(data: &Path) -> Vec<String> {
    let text = fs::read_to_string(data.join("stock_daily_quotes.ndjson")).unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["_id"]["$oid"].as_str().unwrap().to_owned();
    text.lines().map(id).collect()
}

fn truth(data: &Path) -> Value {
    json(&data.join("stock_daily_quotes.truth.json"))
}

/// The documents of a class.
fn of_class<'a>(truth: &'a Value, class: &str) -> BTreeSet<&'a str> {
    truth["ids_by_class"][class].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
}

fn flagged<'a>(findings: &[&Finding], ids: &'a [String]) -> BTreeSet<&'a str> {
    findings.iter().map(|finding| ids[finding.row().unwrap() - 1].as_str()).collect()
}

#[test]
fn each_document_is_flagged_for_its_fault_and_for_nothing_else() {
    let Some(data) = larger_data("faults of a collection") else { return };
    let (_, findings) = Project::new(Some(&data)).check("jobs/examples/cn-ndjson.toml");
    let (ids, truth) = (ids(&data), truth(&data));
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    // One of those under the day of the download is the bar before it once more, with its volume.
    let repeated: Vec<&Finding> = findings.iter().filter(|finding| finding.rule_id == "stale").collect();
    assert_eq!(repeated.len(), 1);
    assert!(flagged(&repeated, &ids).is_subset(&of_class(&truth, "bad_sync_date_collapse")));
    for finding in findings.iter().filter(|finding| !["gap", "order", "stale"].contains(&finding.rule_id.as_str())) {
        let reason = format!("{} {}", finding.rule_id, finding.cause.as_deref().unwrap_or("-"));
        reasons.entry(&ids[finding.row().unwrap() - 1]).or_default().push(reason);
    }
    let mut documents = 0;
    for (class, wanted) in CLASSES {
        let of_class = of_class(&truth, class);
        assert_eq!(Some(of_class.len() as u64), truth["counts"]["class_counts"][class].as_u64(), "{class}");
        documents += of_class.len();
        for id in of_class {
            let given = reasons.remove(id).unwrap_or_default();
            assert_eq!(given, wanted, "{class}: document {id}");
        }
    }
    assert_eq!(documents, ids.len(), "every document is of a class");
    assert!(reasons.is_empty(), "{reasons:?}");
}

#[test]
fn dates_in_another_format_are_good_dates_where_the_job_says_so() {
    let Some(data) = larger_data("formats of dates") else { return };
    let project = Project::new(Some(&data));
    let (ids, truth) = (ids(&data), truth(&data));
    let index = of_class(&truth, "bad_range_index");
    let compact = of_class(&truth, "ok_compact_date");
    assert_eq!((index.len(), compact.len()), (240, 30));
    let (_, findings) = project.check("jobs/examples/cn-ndjson.toml");
    let both = flagged(&of_rule(&findings, "date-format"), &ids);
    assert!(index.is_subset(&both) && compact.is_disjoint(&both));
    project.change(
        "jobs/examples/cn-ndjson.toml",
        "jobs/examples/dashes.toml",
        &[(", \"%Y%m%d\"", ""), ("\"cn-ndjson\"", "\"dashes\"")],
    );
    let (_, findings) = project.check("jobs/examples/dashes.toml");
    let dashes = flagged(&of_rule(&findings, "date-format"), &ids);
    assert_eq!(dashes.difference(&both).copied().collect::<BTreeSet<_>>(), compact);
    assert!(both.is_subset(&dashes));
}

#[test]
fn bars_under_the_day_of_the_download_stand_behind_a_gap_of_years() {
    let Some(data) = larger_data("days of the download") else { return };
    let (_, findings) = Project::new(Some(&data)).check("jobs/examples/cn-ndjson.toml");
    let gaps = of_rule(&findings, "gap");
    let seen: Vec<_> = gaps.iter().map(|gap| (gap.series.as_str(), gap.until(), gap.bars_affected > 1000)).collect();
    let last = Some("2025-10-23");
    assert_eq!(seen, [("000001|akshare", last, true), ("600000|akshare", last, true)]);
}
