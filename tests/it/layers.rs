//! Imports point one way, nothing goes in circles, and only the command line prints.

mod graph;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use self::graph::Modules;

/// What the modules of a folder of `src/` may use of the crate, besides themselves. A folder stands below all that it
/// may use, so there is no circle between folders.
const MAY_USE: &[(&str, &[&str])] = &[
    ("durable", &[]),
    ("market", &[]),
    ("schedule", &["market"]),
    ("text", &["market"]),
    ("bars", &["market"]),
    ("schema", &["market", "text"]),
    ("checks", &["bars", "market", "schema", "text"]),
    ("decide", &["checks", "text"]),
    ("notify", &["durable", "text"]),
    ("config", &["bars", "checks", "decide", "durable", "market", "notify", "schedule", "schema"]),
    ("source", &["bars", "config", "durable", "schema"]),
    ("inspect", &["bars", "market", "source", "text"]),
    ("suggest", &["bars", "market", "text"]),
    ("engine", &["bars", "checks", "config", "decide", "durable", "market", "schema"]),
    ("report", &["bars", "checks", "decide", "durable", "engine", "market", "schema", "source", "text"]),
    ("page", &["checks", "durable", "market", "report", "text"]),
    ("quarantine", &["bars", "decide", "durable", "report", "source", "text"]),
    (
        "run",
        &[
            "bars",
            "checks",
            "config",
            "decide",
            "durable",
            "engine",
            "inspect",
            "market",
            "notify",
            "page",
            "quarantine",
            "report",
            "schedule",
            "schema",
            "source",
            "suggest",
            "text",
        ],
    ),
    ("serve", &["page", "quarantine", "report", "run", "text"]),
    (
        "cli",
        &[
            "checks",
            "config",
            "durable",
            "engine",
            "inspect",
            "market",
            "page",
            "quarantine",
            "report",
            "run",
            "schedule",
            "schema",
            "serve",
            "suggest",
            "text",
        ],
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
    for (module, code) in Modules::of_folder(&root()).code() {
        let folder = module.split("::").next().unwrap_or_default();
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == folder) else {
            assert_eq!(folder, "", "`{folder}` is in no line of the table of layers");
            continue;
        };
        for used in code.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !used.is_empty() && used != folder && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{module} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the layers:\n{}", wrong.join("\n"));
}

#[test]
fn every_folder_of_the_table_uses_only_folders_above_it_in_the_table() {
    let mut above: Vec<&str> = Vec::new();
    for (folder, uses) in MAY_USE {
        let below: Vec<_> = uses.iter().filter(|used| !above.contains(used)).collect();
        assert!(below.is_empty(), "`{folder}` may not use {below:?}");
        above.push(folder);
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let modules = Modules::of_folder(&root());
    assert!(modules.uses().len() > 150, "the modules of the crate are read");
    let uses = modules.uses();
    let edges = |circle: &BTreeSet<&str>| {
        let inside = |name: &&str| uses[name].intersection(circle).copied().collect::<Vec<_>>().join(", ");
        circle.iter().map(|name| format!("  {name} uses {}", inside(name))).collect::<Vec<_>>().join("\n")
    };
    let circles: Vec<String> = modules.circles().iter().map(edges).collect();
    assert!(circles.is_empty(), "give what is shared a file of its own:\n{}", circles.join("\n\n"));
}

#[test]
fn circles_are_found_in_every_way_of_importing() {
    let circles = |files: &[(&str, &str)]| {
        let modules = Modules::of_texts(files.iter().copied());
        modules.circles().iter().map(|circle| circle.iter().copied().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let child_and_parent = [("a", "mod b;\npub struct Shared;\nfn f() { b::g() }"), ("a::b", "use super::Shared;")];
    assert_eq!(circles(&child_and_parent), ["a a::b"]);
    let handed_on = [("a", "mod b;\nmod c;\npub use b::B;"), ("a::b", ""), ("a::c", "use super::B;")];
    assert!(circles(&handed_on).is_empty());
    let by_way_of_the_parent = [
        ("a", "mod b;\nmod c;\npub use self::b::{B, Other as O};\npub use c::C;"),
        ("a::b", "use crate::a::{C};"),
        ("a::c", "fn f() -> super::B {}"),
    ];
    assert_eq!(circles(&by_way_of_the_parent), ["a::b a::c"]);
    let of_three = [("a", "use crate::{b::B, x};"), ("b", "use super::c::{self, C};"), ("c", "type T = crate::a::A;")];
    assert_eq!(circles(&of_three), ["a b c"]);
    let in_tests_only = [
        ("a", "use crate::b::B;\n#[cfg(test)]\nmod tests { use crate::b; }"),
        ("b", "#[cfg(test)]\nmod t;"),
        ("b::t", "use crate::a;"),
    ];
    assert!(circles(&in_tests_only).is_empty());
    let in_words_only = [("a", "use crate::b::B;"), ("b", "// crate::a::A\nconst TEXT: &str = \"crate::a::A\";")];
    assert!(circles(&in_words_only).is_empty());
}

#[test]
fn checks_and_market_know_nothing_of_engines_and_files() {
    for (module, code) in Modules::of_folder(&root()).code() {
        let folder = module.split("::").next().unwrap_or_default();
        if ["text", "market", "bars", "schema", "checks", "decide"].contains(&folder) {
            let impure = IMPURE.iter().find(|name| code.contains(&format!("{name}::")));
            assert!(impure.is_none(), "{module} uses {impure:?}");
        }
    }
}

/// Modules that a build without the feature `mongodb` leaves out.
const OF_MONGODB: &[&str] =
    &["source::mongodb", "quarantine::mongodb", "run::source::collection", "run::quarantine::collection"];
/// Where the feature is asked for, so that nothing else has to.
const ASK_FOR_THE_FEATURE: &[&str] = &["source", "source::document", "quarantine", "run::source", "run::quarantine"];

#[test]
fn what_a_build_can_leave_out_is_used_in_few_places() {
    let inside = |name: &str, of: &str| name == of || name.strip_prefix(of).is_some_and(|rest| rest.starts_with("::"));
    let left_out = |name: &str| OF_MONGODB.iter().any(|of| inside(name, of));
    let modules = Modules::of_folder(&root());
    for of in OF_MONGODB {
        assert!(modules.code().any(|(name, _)| inside(name, of)), "`{of}` is no module");
    }
    for (name, uses) in modules.uses() {
        let used = uses.iter().find(|used| left_out(used)).filter(|_| !left_out(name));
        assert!(used.is_none() || ASK_FOR_THE_FEATURE.contains(&name), "{name} uses {used:?}");
    }
    for (name, code) in modules.code().filter(|(name, _)| !left_out(name)) {
        assert!(!code.contains("mongodb::bson"), "{name} uses the crate `mongodb`");
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
