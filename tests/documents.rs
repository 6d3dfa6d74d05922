//! No reference is dead: sections of documents, numbers of card rules, file names, links.
//!
//! A reference in code names its document (`docs/behaviour.md §4`). A bare `§7.1` refers to a document that the same file
//! names; in a document it refers to the document itself. `R14` is a rule of `docs/platforms/card-rules.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

/// Folders of the repository whose files may be referred to.
const FOLDERS: [&str; 9] =
    ["build", "src", "tests", "benches", "cards", "docs", "fuzz", ".ci", "deploy"];
/// Folders that are searched for references, besides the files in the root.
const READ: [&str; 7] = ["build", "src", "tests", "benches", "cards", "docs", "fuzz/fuzz_targets"];
/// Extensions of files that are read.
const TEXTS: [&str; 7] = [".rs", ".md", ".j2", ".toml", ".js", ".mjs", ".json"];
/// Extensions that make a word in backticks count as a file of this repository.
const ENDINGS: [&str; 10] =
    [".rs", ".md", ".j2", ".toml", ".py", ".mjs", ".js", ".css", ".html", ".service"];
/// Files that a person has, or a run leaves behind, but that are not in the repository.
const ELSEWHERE: [&str; 2] = ["config.toml", "fuzz/artifacts/"];
/// Files that contain references as examples, and data in which none are expected.
const SKIPPED: [&str; 3] = ["tests/documents.rs", "tests/vectors/", "src/cards/snapshots/"];

const RULES: &str = "docs/platforms/card-rules.md";
/// The documents here quote platforms, and name files of other projects.
const PLATFORMS: &str = "docs/platforms/";

/// Ways in which documents outside the repository used to be named.
const OLD_FORMS: [&str; 5] = ["contract §", "contract, §", "the contract", "facts §", "facts, §"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A text in which each byte can be traced to its line.
struct Text {
    path: String,
    /// Lines joined by spaces, without comment markers: a reference may be wrapped.
    joined: String,
    /// Where each line begins in `joined`.
    lines: Vec<usize>,
}

impl Text {
    fn new(path: String, text: &str) -> Self {
        let (mut joined, mut lines) = (String::new(), Vec::new());
        for line in text.lines() {
            lines.push(joined.len());
            let line = line.trim_start();
            let line = ["//!", "///", "//", "#"]
                .into_iter()
                .find_map(|mark| line.strip_prefix(mark))
                .filter(|_| !path.ends_with(".md"))
                .unwrap_or(line);
            joined.push_str(line.trim_start());
            joined.push(' ');
        }
        Self { path, joined, lines }
    }

    fn place(&self, at: usize) -> String {
        let line = self.lines.partition_point(|start| *start <= at);
        format!("{}:{line}", self.path)
    }

    fn is_document(&self) -> bool {
        self.path.ends_with(".md")
    }
}

fn files_below(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["target", "corpus", "artifacts"].contains(&name) {
                files_below(&path, out);
            }
        } else {
            out.push(path);
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// Every file of the repository's folders and of its root, by path.
fn repository() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        files_below(&root().join(folder), &mut files);
    }
    for entry in std::fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.iter().map(|path| relative(path)).collect()
}

fn texts(repository: &BTreeSet<String>) -> Vec<Text> {
    let is_read = |path: &&String| {
        let in_folder = READ.iter().any(|folder| path.starts_with(&format!("{folder}/")));
        // In the root, only files that belong to the repository: a developer's own notes may be there too.
        let in_root = path.starts_with("README")
            || ["Cargo.toml", "config.example.toml"].contains(&path.as_str());
        (in_folder || in_root)
            && TEXTS.iter().any(|ending| path.ends_with(ending))
            && !SKIPPED.iter().any(|skipped| path.starts_with(skipped))
    };
    let texts: Vec<Text> = repository
        .iter()
        .filter(is_read)
        .map(|path| Text::new(path.clone(), &std::fs::read_to_string(root().join(path)).unwrap()))
        .collect();
    assert!(texts.len() > 100, "the files were not found");
    texts
}

/// The documents with the numbers of their sections (`4`, `7.1`, `A.2`).
fn sections(repository: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> {
    repository
        .iter()
        .filter(|path| path.ends_with(".md"))
        .map(|path| {
            let text = std::fs::read_to_string(root().join(path)).unwrap();
            let numbers = text
                .lines()
                .filter(|line| line.starts_with('#'))
                .filter_map(|line| line.trim_start_matches('#').trim_start().split(' ').next())
                .map(|word| word.trim_end_matches('.').to_owned())
                .filter(|number| is_section(number))
                .collect();
            (path.clone(), numbers)
        })
        .collect()
}

/// `4`, `7.1`, `A.2`.
fn is_section(word: &str) -> bool {
    let mut parts = word.split('.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let first = parts.next().unwrap_or("");
    let is_letter = first.len() == 1 && first.bytes().all(|b| b.is_ascii_uppercase());
    (is_number(first) || is_letter) && parts.all(is_number)
}

/// The number after a `§`, without the full stop that may end the sentence.
fn number_after(rest: &str) -> &str {
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len());
    rest[..end].trim_end_matches('.')
}

/// The path with `.` and `..` resolved; `None` if it leaves the repository.
fn normalised(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => {
                parts.pop()?;
            }
            _ => {}
        }
    }
    Some(parts.join("/"))
}

/// The file that a path in `text` means: from the root or, in a document, from the document's folder.
fn target(text: &Text, path: &str, repository: &BTreeSet<String>) -> Option<String> {
    let beside = Path::new(&text.path).parent().unwrap().join(path);
    let from_root =
        (!text.is_document() || path.contains('/')).then(|| normalised(Path::new(path)));
    let candidates = [from_root.flatten(), normalised(&beside)];
    candidates.into_iter().flatten().find(|path| exists(path, repository))
}

/// Whether it is a file, or a folder that holds one.
fn exists(path: &str, repository: &BTreeSet<String>) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    repository.contains(path)
        || path.is_empty()
        || repository.range(folder.clone()..).next().is_some_and(|file| file.starts_with(&folder))
}

/// The words that end in `.md`, each with its start and end.
fn documents_named(joined: &str) -> Vec<(usize, usize)> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    joined
        .match_indices(".md")
        .filter_map(|(at, ending)| {
            let end = at + ending.len();
            if joined[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || "_-/".contains(c)) {
                return None;
            }
            let start = joined[..at].rfind(|c| !is_path(c)).map_or(0, |before| {
                before + joined[before..].chars().next().map_or(1, char::len_utf8)
            });
            (start < at).then_some((start, end))
        })
        .collect()
}

/// The document that a `§` at `at` belongs to: the one named just before it, with nothing but punctuation, "and" and
/// other sections in between.
fn document_before<'a>(
    joined: &'a str,
    documents: &[(usize, usize)],
    at: usize,
) -> Option<&'a str> {
    let (start, end) = documents.iter().rev().find(|(_, end)| *end <= at)?;
    let between = &joined[*end..at];
    let is_joint = |word: &str| {
        let word = word.trim_matches(|c: char| "`)(],;:".contains(c));
        let section = word.trim_start_matches('§').trim_end_matches(|c: char| ",;.".contains(c));
        word.is_empty()
            || word.starts_with('#')
            || ["and", "or", "to"].contains(&word)
            || is_section(section)
    };
    between.split(' ').all(is_joint).then(|| &joined[*start..*end])
}

fn check_sections(text: &Text, repository: &BTreeSet<String>, dead: &mut Vec<String>) {
    let sections = sections(repository);
    let joined = &text.joined;
    let documents = documents_named(joined);
    let known: Vec<String> = documents
        .iter()
        .filter_map(|(start, end)| target(text, &joined[*start..*end], repository))
        .collect();
    for (at, sign) in joined.match_indices('§') {
        let number = number_after(joined[at + sign.len()..].trim_start());
        let fits = |document: &String| {
            sections.get(document).is_some_and(|numbers| numbers.contains(number))
        };
        let named = document_before(joined, &documents, at);
        let (found, meant) = match named {
            Some(named) => match target(text, named, repository) {
                Some(document) => (fits(&document), named.to_owned()),
                None => (false, named.to_owned()),
            },
            None if text.is_document() => (fits(&text.path), text.path.clone()),
            None => (known.iter().any(fits), "a document that this file names".to_owned()),
        };
        if !found {
            dead.push(format!("{}: §{number} is not a section of {meant}", text.place(at)));
        }
    }
    // Code names a document by its whole path, so that it can be opened from anywhere.
    if !text.is_document() {
        for (start, end) in documents {
            let named = &joined[start..end];
            // Documents of other projects, and this project's within a URL.
            let is_ours = named.starts_with("docs/") || !named.contains('/');
            if is_ours
                && normalised(Path::new(named)).is_none_or(|path| !repository.contains(&path))
            {
                dead.push(format!("{}: there is no {named}", text.place(start)));
            }
        }
    }
}

fn check_old_forms(text: &Text, dead: &mut Vec<String>) {
    // Platforms have billing contracts.
    if text.path.starts_with(PLATFORMS) {
        return;
    }
    let folded = text.joined.to_ascii_lowercase();
    for form in OLD_FORMS {
        for (at, _) in folded.match_indices(form) {
            let word = &text.joined[at..at + form.len()];
            dead.push(format!("{}: `{word}`: name a document of docs/", text.place(at)));
        }
    }
}

/// The numbers `R1` … in a text, each with its position.
fn rules_in(joined: &str) -> Vec<(usize, u32)> {
    joined
        .match_indices('R')
        .filter_map(|(at, _)| {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            if joined[..at].ends_with(is_word) {
                return None;
            }
            let digits: &str = joined[at + 1..].split(|c: char| !c.is_ascii_digit()).next()?;
            let ends = !joined[at + 1 + digits.len()..].starts_with(is_word);
            (ends && digits.len() <= 2).then(|| digits.parse().ok())?.map(|number| (at, number))
        })
        .collect()
}

fn check_rules(text: &Text, known: &BTreeSet<u32>, dead: &mut Vec<String>) {
    let is_theirs = ["src/sandbox/", "src/cards/", "cards/", "tests/", PLATFORMS]
        .iter()
        .any(|folder| text.path.starts_with(folder))
        && !text.path.ends_with(".toml");
    if is_theirs {
        for (at, number) in rules_in(&text.joined) {
            if !known.contains(&number) {
                dead.push(format!("{}: R{number} is not a rule of {RULES}", text.place(at)));
            }
        }
    }
}

/// The text between backticks, with its start. A pair does not span lines.
fn in_backticks(text: &Text) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, start) in text.lines.iter().enumerate() {
        let end = text.lines.get(number + 1).copied().unwrap_or(text.joined.len());
        let line = &text.joined[*start..end];
        let mut at = *start;
        for (index, part) in line.split('`').enumerate() {
            if index % 2 == 1 {
                found.push((at, part));
            }
            at += part.len() + 1;
        }
    }
    found
}

/// Whether a word in backticks claims to be a file or folder of this repository.
fn is_file_name(word: &str, in_document: bool) -> bool {
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
    let in_folder = FOLDERS.iter().any(|folder| word.starts_with(&format!("{folder}/")));
    let stem = word.rsplit('/').next().unwrap_or("").split('.').next().unwrap_or("");
    let by_ending = ENDINGS.iter().any(|ending| word.ends_with(ending)) && !stem.is_empty();
    plain && (in_folder || (in_document && by_ending)) && !ELSEWHERE.contains(&word)
}

fn check_file_names(text: &Text, repository: &BTreeSet<String>, dead: &mut Vec<String>) {
    let names: BTreeSet<&str> =
        repository.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    let of_a_platform = text.path.starts_with(PLATFORMS);
    for (at, word) in in_backticks(text) {
        if !is_file_name(word, text.is_document() && !of_a_platform) {
            continue;
        }
        // A path may leave out `src/`, as module paths do; a bare name may be any file's.
        let found = target(text, word, repository).is_some()
            || exists(&format!("src/{word}"), repository)
            || (!word.contains('/') && names.contains(word));
        if !found {
            dead.push(format!("{}: there is no `{word}`", text.place(at)));
        }
    }
}

/// The anchor that GitHub derives from a heading: the part of an address after the `#`.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn check_links(text: &Text, repository: &BTreeSet<String>, dead: &mut Vec<String>) {
    if !text.is_document() {
        return;
    }
    // Text between backticks is not a link: blank it out, so that positions stay the same.
    let mut joined = text.joined.clone();
    for (at, code) in in_backticks(text) {
        joined.replace_range(at..at + code.len(), &"x".repeat(code.len()));
    }
    for (at, _) in joined.match_indices("](") {
        let link = joined[at + 2..].split(')').next().unwrap();
        if link.contains("://") || link.contains(' ') {
            continue;
        }
        let (path, heading) = link.split_once('#').map_or((link, None), |(p, h)| (p, Some(h)));
        let beside = Path::new(&text.path).parent().unwrap().join(path);
        let file = if path.is_empty() { Some(text.path.clone()) } else { normalised(&beside) };
        let Some(file) = file.filter(|file| exists(file, repository)) else {
            dead.push(format!("{}: the link to {link} is dead", text.place(at)));
            continue;
        };
        if let Some(heading) = heading {
            let there = std::fs::read_to_string(root().join(&file)).unwrap_or_default();
            let mut headings = there.lines().filter(|line| line.starts_with('#')).map(anchor);
            if !headings.any(|known| known == heading) {
                dead.push(format!("{}: {file} has no heading #{heading}", text.place(at)));
            }
        }
    }
}

/// Panics with one line for each dead reference.
fn all_live(mut dead: Vec<String>) {
    dead.sort();
    dead.dedup();
    let mut message = String::new();
    for line in &dead {
        writeln!(message, "{line}").unwrap();
    }
    assert!(dead.is_empty(), "{} dead references:\n{message}", dead.len());
}

#[test]
fn every_section_that_is_referred_to_exists() {
    let (repository, mut dead) = (repository(), Vec::new());
    for text in texts(&repository) {
        check_sections(&text, &repository, &mut dead);
    }
    all_live(dead);
}

#[test]
fn no_document_outside_the_repository_is_referred_to() {
    let mut dead = Vec::new();
    for text in texts(&repository()) {
        check_old_forms(&text, &mut dead);
    }
    all_live(dead);
}

#[test]
fn every_card_rule_that_is_referred_to_exists() {
    let document = std::fs::read_to_string(root().join(RULES)).unwrap();
    let known: BTreeSet<u32> = document
        .split("**R")
        .skip(1)
        .filter_map(|rest| rest.split("**").next()?.parse().ok())
        .collect();
    assert!(known.contains(&1) && known.contains(&38), "the rules were not found");
    let mut dead = Vec::new();
    for text in texts(&repository()) {
        check_rules(&text, &known, &mut dead);
    }
    all_live(dead);
}

#[test]
fn every_file_that_is_referred_to_exists() {
    let (repository, mut dead) = (repository(), Vec::new());
    for text in texts(&repository) {
        check_file_names(&text, &repository, &mut dead);
    }
    all_live(dead);
}

#[test]
fn every_relative_link_has_a_target() {
    let (repository, mut dead) = (repository(), Vec::new());
    for text in texts(&repository) {
        check_links(&text, &repository, &mut dead);
    }
    all_live(dead);
}

/// The words of actions in the first column of a document's table.
fn actions_described(section: &str) -> BTreeSet<&str> {
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(" | ").next())
        .flat_map(|cell| cell.split('`'))
        .filter(|word| word.contains('.'))
        .collect()
}

#[test]
fn the_behaviour_page_describes_every_action() {
    let source = std::fs::read_to_string(root().join("src/bot/actions/table.rs")).unwrap();
    let is_action = |word: &&str| {
        word.contains('.') && word.bytes().all(|b| b.is_ascii_lowercase() || b"_.".contains(&b))
    };
    // Words that only older cards carry follow `was`.
    let rows = source.split("#[cfg(test)]").next().unwrap();
    let literals: Vec<&str> = rows.split('"').collect();
    let declared: BTreeSet<&str> = literals
        .windows(2)
        .step_by(2)
        .filter(|pair| !pair[0].trim_end().ends_with("was"))
        .map(|pair| pair[1])
        .filter(is_action)
        .collect();
    let page = std::fs::read_to_string(root().join("docs/behaviour.md")).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("3. ")).unwrap();
    let described = actions_described(section);
    assert!(declared.len() > 20, "the actions were not found");
    assert_eq!(described, declared, "left: docs/behaviour.md §3, right: src/bot/actions/table.rs");
}

/// Words that people stumbled over, each replaced by a better one, by language of the text.
const RETIRED_WORDS: &[&str] = &[
    "金额看不懂",
    "恢复到停用前的样子",
    "将会发生",
    "在此保存",
    "来自配置文件",
    "不能作用户名",
    "让她用一天模型",
    "群机器人",
    "收录于",
    "未读全",
    "直到成功为止",
    "私聊",
    "恢复访问",
    "几个主账号",
    "需人工",
    "额度用完时自动停用",
    "「",
    "It is so already",
    "With spending: ",
    "becomes inactive",
    "login forbidden",
    "Total of ",
    "Whom do you mean",
    "Spending by itself",
    "stands still",
    "Nothing waits",
    "all read",
    "whose bills are hers",
    "the money they were given",
    "nobody could administrate",
    "command “",
];

/// Where people read: catalogues of the cards and of the demo's page, and the documents for users and administrators.
fn is_read_by_people(path: &str) -> bool {
    path == "src/cli/operator.zh_cn.toml"
        || path.starts_with("cards/locales/")
        || path.starts_with("src/sandbox/page/words/")
        || path.starts_with("docs/zh/")
        || matches!(
            path,
            "README.md"
                | "README.zh-CN.md"
                | "docs/configuration.md"
                | "docs/operations.md"
                | "docs/security.md"
        )
}

#[test]
fn retired_words_do_not_come_back() {
    let (mut read, mut found) = (0, Vec::new());
    for name in repository().into_iter().filter(|name| is_read_by_people(name)) {
        read += 1;
        let text = std::fs::read_to_string(root().join(&name)).unwrap();
        for (line, text) in text.lines().enumerate() {
            let words = RETIRED_WORDS.iter().filter(|word| text.contains(**word));
            found.extend(words.map(|word| format!("{name}:{}: {word}", line + 1)));
        }
    }
    assert!(read >= 10, "the texts were not found");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn dead_references_are_found() {
    let repository = repository();
    let of = |path: &str, source: &str| {
        let (text, mut dead) = (Text::new(path.to_owned(), source), Vec::new());
        check_sections(&text, &repository, &mut dead);
        check_old_forms(&text, &mut dead);
        check_rules(&text, &BTreeSet::from([1, 14]), &mut dead);
        check_file_names(&text, &repository, &mut dead);
        check_links(&text, &repository, &mut dead);
        dead
    };
    let code = "src/sandbox/x.rs";
    for good in [
        "/// docs/behaviour.md §4.",
        "//! Of docs/platforms/volcengine.md\n//! §7.1 and §7.2.",
        "//! docs/platforms/feishu.md\nfn f() {} // §9.2",
        "// Rules R1, R14.",
        "/// `tests/vectors/` and `Cargo.lock`",
    ] {
        assert_eq!(of(code, good), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "/// docs/behaviour.md §44.",
        "/// docs/behavior.md §4.",
        "//! Of docs/platforms/volcengine.md\n//! §7.1 and §7.99.",
        "// A bare §4",
        "// The limit of contract §4",
        "// card-rules.md, R14",
        "// Rule R99.",
        "/// `src/no/such.rs`",
    ] {
        assert_eq!(of(code, bad).len().min(1), 1, "{bad}");
    }
    let page = "docs/metrics.md";
    for good in ["[a](behaviour.md#4-http) §4", "`bot/mod.rs`, `mod.rs`", "[a](https://x.y/z)"] {
        assert_eq!(of(page, good), Vec::<String>::new(), "{good}");
    }
    for bad in ["[a](no.md)", "[a](behaviour.md#nowhere)", "`bot/none.rs`", "`none.rs`", "§1"] {
        assert_eq!(of(page, bad).len(), 1, "{bad}");
    }
    let place = Text::new("a.rs".to_owned(), "one\n// two §1\n");
    assert_eq!(place.place(place.joined.find('§').unwrap()), "a.rs:2");
}
