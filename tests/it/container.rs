//! The `Dockerfile`: what it has to be, for no linter of such files is installed everywhere.

use std::fs;

use crate::support::package;

/// The instructions, comments and line continuations resolved: each word in capitals with what follows it.
fn instructions(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("`{line}` has no argument"));
            (word.to_owned(), rest.trim().to_owned())
        })
        .collect()
}

fn dockerfile() -> Vec<(String, String)> {
    instructions(&fs::read_to_string(package().join("Dockerfile")).unwrap())
}

#[test]
fn every_image_has_a_version_and_the_last_stage_builds_nothing() {
    let all = dockerfile();
    let stages: Vec<&str> = all.iter().filter(|(word, _)| word == "FROM").map(|(_, rest)| rest.as_str()).collect();
    assert!(stages.len() > 1, "the compiler stays behind: {stages:?}");
    for stage in &stages {
        let image = stage.split(' ').next().unwrap();
        let tag = image.rsplit('/').next().unwrap().split_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "`{image}` has no version");
    }
    let last = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    assert!(all[last..].iter().all(|(word, _)| word != "RUN"), "the last stage has no shell");
    let toolchain = fs::read_to_string(package().join("rust-toolchain.toml")).unwrap();
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert!(stages[0].starts_with(&format!("rust:{version}-")), "{} is not {version}", stages[0]);
}

#[test]
fn it_runs_without_rights_and_holds_no_secret() {
    let all = dockerfile();
    let last = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    let users: Vec<&str> =
        all[last..].iter().filter(|(word, _)| word == "USER").map(|(_, rest)| rest.as_str()).collect();
    let user = users.last().copied().unwrap_or_default();
    let id = user.split(':').next().unwrap();
    // A number: Kubernetes cannot tell of a name that it is not root.
    assert!(id.parse::<u32>().is_ok_and(|id| id > 0), "`USER {user}`");
    for (word, rest) in &all {
        assert!(!["ADD", "VOLUME", "ENV", "ARG"].contains(&word.as_str()), "{word} {rest}");
        let lower = rest.to_lowercase();
        assert!(!["password", "secret", "token", "mongodb://"].iter().any(|one| lower.contains(one)), "{word} {rest}");
    }
    let entry = all.iter().find(|(word, _)| word == "ENTRYPOINT").unwrap();
    assert!(entry.1.starts_with("[\""), "a shell between would keep signals from barkeep: {}", entry.1);
}

#[test]
fn what_is_copied_is_there_and_what_is_private_is_not() {
    let all = dockerfile();
    for (_, rest) in all.iter().filter(|(word, _)| word == "COPY") {
        let (flags, words): (Vec<&str>, Vec<&str>) = rest.split_whitespace().partition(|word| word.starts_with("--"));
        if flags.iter().any(|flag| flag.starts_with("--from=")) {
            let built = words[0].strip_prefix("/src/target/release/").unwrap();
            let cargo = fs::read_to_string(package().join("Cargo.toml")).unwrap();
            assert!(cargo.contains(&format!("name = \"{built}\"")), "{built}");
            continue;
        }
        for source in &words[..words.len() - 1] {
            assert!(package().join(source).exists(), "COPY {source}");
        }
    }
    let ignored = fs::read_to_string(package().join(".dockerignore")).unwrap();
    let ignored: Vec<&str> = ignored.lines().collect();
    for private in [".git", "target", ".env", "reports", "quarantine", "state"] {
        assert!(ignored.contains(&private), "{private}");
    }
    // What the program is compiled from is not ignored.
    for needed in ["src", "crates", "rules", "jobs", "Cargo.toml", "Cargo.lock", "tests", "benches", "README.md"] {
        assert!(!ignored.contains(&needed) && package().join(needed).exists(), "{needed}");
    }
}
