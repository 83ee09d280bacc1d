//! Imports point one way, and only the command line prints.

use std::fs;
use std::path::{Path, PathBuf};

/// What the modules of a folder of `src/` may use of the crate, besides themselves.
const MAY_USE: &[(&str, &[&str])] = &[
    ("market", &["bars"]),
    ("bars", &["market"]),
    ("config", &["bars", "checks", "market"]),
    ("checks", &["bars", "config", "market"]),
    ("source", &["bars", "config", "durable"]),
    ("decide", &["checks", "config"]),
    ("durable", &[]),
    ("engine", &["bars", "checks", "config", "decide", "market", "source"]),
    ("quarantine", &["bars", "checks", "config", "durable", "engine", "decide", "market", "report", "source"]),
    ("report", &["bars", "checks", "config", "durable", "engine", "decide", "market", "source"]),
    ("run", &["bars", "checks", "config", "durable", "engine", "decide", "market", "quarantine", "report", "source"]),
    (
        "cli",
        &["bars", "checks", "config", "durable", "engine", "decide", "market", "quarantine", "report", "run", "source"],
    ),
];

/// Crates that the pure modules know nothing of.
const IMPURE: &[&str] = &["datafusion", "parquet", "tokio", "object_store", "mongodb", "std::fs", "std::net"];

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            // Tests may use what they like.
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            found.push((path, code));
        }
    }
    found.sort();
    found
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap();
    inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in sources(&root()) {
        let module = module_of(&path);
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            assert!(["lib", "main"].contains(&module.as_str()), "`{module}` is in no line of the table of layers");
            continue;
        };
        for line in code_lines(&text) {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !used.is_empty() && used != module && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}: {line}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the layers:\n{}", wrong.join("\n"));
}

#[test]
fn checks_and_market_know_nothing_of_engines_and_files() {
    for (path, text) in sources(&root()) {
        if ["market", "bars", "checks", "decide"].contains(&module_of(&path).as_str()) {
            for line in code_lines(&text) {
                let impure = IMPURE.iter().find(|name| line.contains(&format!("{name}::")));
                assert!(impure.is_none(), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    for (path, text) in sources(&root()) {
        if module_of(&path) != "cli" {
            for line in code_lines(&text) {
                let prints = ["println!", "eprintln!", "print!(", "eprint!(", "io::stdout", "io::stderr"];
                assert!(!prints.iter().any(|print| line.contains(print)), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn files_stay_small_enough_to_read() {
    let long: Vec<_> = sources(&root())
        .into_iter()
        .filter(|(path, _)| !path.ends_with("tests.rs"))
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > 420)
        .collect();
    assert!(long.is_empty(), "split these along an idea: {long:?}");
}
