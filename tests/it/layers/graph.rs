//! Which file of `src/` uses which, read from the paths in its code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules of the crate by their path (`config::rules`), each with the code of its file; tests are left out.
pub(crate) struct Modules {
    code: BTreeMap<String, String>,
    /// What a module hands on from another: (module, name) -> path of the item.
    exports: BTreeMap<(String, String), Vec<String>>,
}

impl Modules {
    /// The modules below `folder`, which is `src/` or a part of a test.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        let mut files = Vec::new();
        collect(folder, "", &mut files);
        Self::of_texts(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// Modules given as (path, text).
    pub(crate) fn of_texts<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut code: BTreeMap<String, String> = BTreeMap::new();
        let mut tests = BTreeSet::new();
        for (name, text) in files {
            let (text, test_modules) = without_tests(&without_comments_and_strings(text));
            tests.extend(test_modules.into_iter().map(|module| join(name, &module)));
            code.insert(name.to_owned(), text);
        }
        code.retain(|name, _| !tests.iter().any(|test| name == test || name.starts_with(&format!("{test}::"))));
        let mut modules = Self { code, exports: BTreeMap::new() };
        modules.exports = modules.read_exports();
        modules
    }

    /// The code of each module.
    pub(crate) fn code(&self) -> impl Iterator<Item = (&str, &str)> {
        self.code.iter().map(|(name, code)| (name.as_str(), code.as_str()))
    }

    /// What each module uses, itself left out.
    pub(crate) fn uses(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let uses = |(name, code): (&'_ String, &String)| {
            let paths = statements(code).into_iter().filter(|(public, _)| !public).flat_map(|(_, paths)| paths);
            let inline = inline_paths(&without_statements(code));
            let paths: Vec<Vec<String>> = paths.chain(inline).collect();
            let used = paths.iter().filter_map(|path| self.resolve(name, path)).filter(|used| *used != name.as_str());
            used.collect::<BTreeSet<&str>>()
        };
        self.code.iter().map(|(name, code)| (name.as_str(), uses((name, code)))).collect()
    }

    /// The groups of modules that use each other, directly or by way of others.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<&str>> {
        let uses = self.uses();
        let reach: BTreeMap<&str, BTreeSet<&str>> = uses.keys().map(|name| (*name, reachable(&uses, name))).collect();
        let mut circles: Vec<BTreeSet<&str>> = Vec::new();
        for (name, reached) in reach.iter().filter(|(name, reached)| reached.contains(*name)) {
            if !circles.iter().any(|circle| circle.contains(name)) {
                circles.push(reached.iter().copied().filter(|other| reach[other].contains(name)).collect());
            }
        }
        circles
    }

    fn read_exports(&self) -> BTreeMap<(String, String), Vec<String>> {
        let mut exports = BTreeMap::new();
        for (name, code) in &self.code {
            for path in statements(code).into_iter().filter(|(public, _)| *public).flat_map(|(_, paths)| paths) {
                let (Some(from), Some(item)) = (self.absolute(name, &path), path.last()) else { continue };
                exports.insert((name.clone(), item.clone()), from);
            }
        }
        exports
    }

    /// `path` as it is written in `module`, from the root of the crate; `None` where it leads out of the crate.
    fn absolute(&self, module: &str, path: &[String]) -> Option<Vec<String>> {
        let mut place: Vec<String> = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => (place, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    place.pop()?;
                    rest = &rest[1..];
                }
            }
            child if self.code.contains_key(&join(module, child)) => {}
            _ => return None,
        }
        place.extend(rest.iter().cloned());
        Some(place)
    }

    /// The module whose file holds what `path` names in `module`.
    fn resolve(&self, module: &str, path: &[String]) -> Option<&str> {
        let mut path = self.absolute(module, path)?;
        for _ in 0..8 {
            let parts = (0..=path.len()).rev().find(|parts| self.code.contains_key(&path[..*parts].join("::")))?;
            let holder = path[..parts].join("::");
            let handed_on = path.get(parts).and_then(|item| self.exports.get(&(holder.clone(), item.clone())));
            let Some(origin) = handed_on else {
                return self.code.get_key_value(&holder).map(|(name, _)| name.as_str());
            };
            path = origin.iter().chain(&path[parts + 1..]).cloned().collect();
        }
        None
    }
}

fn reachable<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = uses[from].iter().copied().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(&uses[next]);
        }
    }
    reached
}

fn join(module: &str, child: &str) -> String {
    if module.is_empty() { child.to_owned() } else { format!("{module}::{child}") }
}

fn collect(folder: &Path, module: &str, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() {
            collect(&path, &join(module, stem), files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "main" {
            let name = if ["mod", "lib"].contains(&stem) { module.to_owned() } else { join(module, stem) };
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Rust text without what is no code: paths in comments and messages are not imports.
fn without_comments_and_strings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut inside = false;
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' if inside => drop(characters.next()),
                '"' => inside = !inside,
                '/' if !inside && characters.peek() == Some(&'/') => break,
                _ if inside => {}
                _ => out.push(character),
            }
        }
        out.push('\n');
    }
    out
}

/// The code that is always compiled, and the names of child modules that are only compiled for tests.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let (mut code, mut modules) = (String::new(), Vec::new());
    let mut parts = text.split("#[cfg(test)]");
    code.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find([';', '{']).unwrap_or(part.len());
        if let Some(at) = part[..end].find("mod ").filter(|_| part[end..].starts_with(';')) {
            modules.push(part[at + 4..end].trim().to_owned());
        }
        code.push_str(if part[end..].starts_with('{') { after_block(&part[end..]) } else { &part[end..] });
    }
    (code, modules)
}

fn after_block(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => return &text[at + 1..],
            '}' => depth -= 1,
            _ => {}
        }
    }
    ""
}

/// The `use` statements: whether it hands on (`pub use`), and the paths it names.
fn statements(code: &str) -> Vec<(bool, Vec<Vec<String>>)> {
    let tree = |line: &str| line.split_once("use ").map(|(before, _)| before.trim().to_owned());
    let mut found = Vec::new();
    for (start, _) in code.match_indices("use ") {
        let line_start = code[..start].rfind('\n').map_or(0, |at| at + 1);
        let before = tree(&code[line_start..]).unwrap_or_default();
        if before.is_empty() || before == "pub" || (before.starts_with("pub(") && before.ends_with(')')) {
            let text = &code[start + 4..];
            let mut paths = Vec::new();
            expand(&[], &text[..text.find(';').unwrap_or(0)], &mut paths);
            found.push((!before.is_empty(), paths));
        }
    }
    found
}

/// Expands `a::{b, c::{d, self}}` to its paths; `as` names are dropped.
fn expand(before: &[String], tree: &str, paths: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let head = tree[..open].split("::").map(str::trim).filter(|part| !part.is_empty());
        let path: Vec<String> = before.iter().cloned().chain(head.map(str::to_owned)).collect();
        let inside = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
        let (mut depth, mut start) = (0_usize, 0);
        for (at, character) in inside.char_indices().chain([(inside.len(), ',')]) {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&path, &inside[start..at], paths);
                    start = at + 1;
                }
                _ => {}
            }
        }
    } else if !tree.is_empty() {
        let name = tree.split(" as ").next().unwrap_or_default();
        let tail = name.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
        let mut path: Vec<String> = before.iter().cloned().chain(tail).collect();
        if path.len() > 1 && path.last().is_some_and(|last| last == "self" || last == "*") {
            path.pop();
        }
        paths.push(path);
    }
}

fn without_statements(code: &str) -> String {
    let mut inside = false;
    let kept = code.lines().filter(|line| {
        let line = line.trim_start();
        let begins = line.starts_with("use ") || (line.starts_with("pub") && line.contains(" use "));
        let statement = inside || begins;
        inside = statement && !line.contains(';');
        !statement
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// Paths in the code itself: `crate::a::b`, `super::c`, `child::d`.
fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let paths = code.split(|c| !word(c)).filter(|path| path.contains("::") && !path.starts_with("::"));
    paths.map(|path| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()).collect()
}
