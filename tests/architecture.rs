//! docs/architecture.md is true: compares what it says about which module uses which, and about what is absent where, with
//! the sources.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Max lines per source file.
const LONGEST: usize = 700;
/// Files that may be longer, each with a reason.
const LONGER: &[(&str, &str)] = &[];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path, endings));
        } else if endings.iter().any(|ending| path.to_str().unwrap().ends_with(ending)) {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A source file of the library, without test-only code and comments.
struct Source {
    module: String,
    path: String,
    /// Levels of `super` that stay within the module.
    depth: usize,
    code: String,
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut sources = Vec::new();
    for file in files_below(&src, &[".rs"]) {
        let path = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
        let is_root = matches!(parts[..], ["main" | "lib"]);
        let is_test = parts.iter().any(|part| part.split('_').any(|word| word == "tests"));
        if is_root || is_test {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code: Vec<&str> =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let depth = parts.len() - 1 - usize::from(parts.last() == Some(&"mod"));
        let module = parts[0].to_owned();
        sources.push(Source { module, path, depth, code: code.join("\n") });
    }
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// The modules that `code` names after `crate::`, also within braces.
fn used(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let word = |text: &str| -> String {
            text.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
        };
        if let Some(list) = after.strip_prefix('{') {
            let mut level = 0;
            let mut item = String::new();
            for c in list.chars() {
                match c {
                    '{' => level += 1,
                    '}' if level == 0 => break,
                    '}' => level -= 1,
                    ',' if level == 0 => {
                        names.insert(word(&item));
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(c);
            }
            names.insert(word(&item));
        } else {
            names.insert(word(after));
        }
    }
    names.remove("");
    names
}

fn document() -> String {
    std::fs::read_to_string(root().join("docs/architecture.md")).unwrap()
}

/// The rows of the table of modules, top to bottom: the module, and the modules it uses.
fn rows(document: &str) -> Vec<(String, BTreeSet<String>)> {
    let ticked = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches('/').into()).collect()
    };
    let table = document.split("<!-- modules -->").nth(1).expect("the table's first marker");
    table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            (ticked(cells[1])[0].clone(), ticked(cells[3]).into_iter().collect())
        })
        .collect()
}

/// So that an approval step for large allocations, say, would have one place.
#[test]
fn the_ledger_has_one_way_in() {
    let callers: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.code.contains(".put_booking("))
        .map(|source| source.path)
        .collect();
    assert_eq!(callers, ["app/quota.rs"]);
}

#[test]
fn modules_use_the_modules_that_the_document_lists() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let names = found.entry(source.module.clone()).or_default();
        names.extend(used(&source.code));
        names.remove(&source.module);
    }
    let rows = rows(&document());
    assert_eq!(rows.len(), found.len(), "modules in the table of docs/architecture.md");
    for (module, uses) in rows {
        let found = found.get(&module).unwrap_or_else(|| panic!("there is no `{module}`"));
        assert_eq!(
            *found, uses,
            "`{module}`: src/ on the left, the table of docs/architecture.md on the right; if the code is right, correct the table"
        );
    }
}

#[test]
fn no_arrow_runs_back_up() {
    let mut below = BTreeSet::new();
    for (module, uses) in rows(&document()) {
        for name in &uses {
            assert!(below.contains(name), "`{module}` uses `{name}`, which is above it");
        }
        below.insert(module);
    }
}

#[test]
fn super_does_not_leave_its_module() {
    for source in sources() {
        let leaves = "super::".repeat(source.depth + 1);
        assert!(!source.code.contains(&leaves), "{}: say `crate::` instead", source.path);
    }
}

#[test]
fn what_is_absent_stays_absent() {
    // Modules, and the words that their code must not contain.
    let absent = [
        // Plain rules: no I/O, no waiting, no clock.
        ("domain", "async .await tokio std::fs std::net Clock ::now("),
        // Money never touches a float. (The lint `float_arithmetic` holds everywhere.)
        ("domain store volcengine app cards outbox monitor work bot cli", "f32 f64"),
        // What people see is built from airgate's types, not from a platform's.
        ("domain store config cards", "crate::feishu crate::volcengine"),
        // HTTP is spoken at the edges.
        ("domain store app cards monitor work bot", "reqwest axum"),
    ];
    for source in sources() {
        for (modules, words) in absent {
            if modules.split(' ').any(|module| module == source.module) {
                for word in words.split(' ') {
                    assert!(!source.code.contains(word), "{}: `{word}`", source.path);
                }
            }
        }
        // The database belongs to the store; everyone else gets transactions only through its closures, which cannot wait.
        assert!(source.module == "store" || !source.code.contains("redb::"), "{}", source.path);
    }
}

#[test]
fn the_document_names_every_folder() {
    let document = document();
    for folder in ["build/", "cards/", "docs/", "src/", "tests/"] {
        assert!(document.contains(&format!("`{folder}`")), "{folder}");
    }
    for source in sources() {
        let (folder, file) =
            (format!("| `{}/` |", source.module), format!("| `{}` |", source.module));
        assert!(document.contains(&folder) || document.contains(&file), "{}", source.module);
    }
}

#[test]
fn files_are_short() {
    assert!(document().contains(&format!("longer than {LONGEST} lines")), "docs/architecture.md");
    for folder in ["build", "src", "tests", "cards", "benches"] {
        let folder = root().join(folder);
        if !folder.exists() {
            continue;
        }
        for file in files_below(&folder, &[".rs", ".js", ".css", ".html", ".j2"]) {
            let path = file.strip_prefix(root()).unwrap().to_str().unwrap();
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            let allowed = LONGER.iter().any(|(longer, _)| *longer == path);
            assert!(lines <= LONGEST || allowed, "{path} has {lines} lines: split it");
        }
    }
}
