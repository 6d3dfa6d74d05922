//! What an operator reads outside the chat, in Chinese: messages of the log, and what is wrong with a configuration or a store.
//!
//! Both are written in English where they arise, below the catalogue of the cards. Here they are looked up by their English in
//! `src/cli/operator.zh_cn.toml`; a test fails on a message of the log that has no Chinese, and on a problem
//! of the configuration or the store that is not translated whole.

use std::fmt::{self, Debug};
use std::sync::LazyLock;

use toml::Table;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::clock::Clock;
use crate::config::Locale;
use crate::domain::period::beijing;

const CATALOGUE: &str = include_str!("operator.zh_cn.toml");

/// The texts by their English.
struct Texts {
    log: Table,
    /// Pattern and translation of what is said about the configuration and the store, in the order of the file.
    said: Vec<(String, String)>,
}

static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    // A catalogue that cannot be read leaves everything in English; a test reads it.
    let mut catalogue: Table = CATALOGUE.parse().unwrap_or_default();
    let log = match catalogue.remove("log") {
        Some(toml::Value::Table(texts)) => texts,
        _ => Table::new(),
    };
    let pair = |pair: &toml::Value| {
        Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()))
    };
    let pairs = catalogue.get("said").and_then(toml::Value::as_array);
    Texts { log, said: pairs.into_iter().flatten().filter_map(pair).collect() }
});

/// What is wrong with a configuration or with the store, in the language `locale`.
pub(super) fn said(english: &str, locale: Locale) -> String {
    match locale {
        Locale::EnUs => english.to_owned(),
        Locale::ZhCn => translated(english, 0),
    }
}

/// Splits such a text into what is wrong and how to fix it.
pub(super) fn what_and_fix(text: &str) -> (&str, &str) {
    let split = ["; ", "；", ": ", "："].into_iter().find_map(|mark| text.split_once(mark));
    split.unwrap_or((text, ""))
}

/// How deep patterns are nested at most: a fault holds a reason, which holds a word.
const DEPTH: usize = 5;

fn translated(english: &str, depth: usize) -> String {
    // The value, which was appended to any fault.
    if let Some((fault, value)) =
        english.rsplit_once(" (`").filter(|(_, value)| value.ends_with("`)"))
    {
        return format!("{}（`{}）", translated(fault, depth), value.trim_end_matches(')'));
    }
    if depth > DEPTH {
        return english.to_owned();
    }
    for (pattern, text) in &TEXTS.said {
        let Some(holes) = holes(pattern, english) else { continue };
        let mut parts = text.split("{}");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for (part, hole) in parts.zip(&holes) {
            whole.push_str(&translated(hole, depth + 1));
            whole.push_str(part);
        }
        return whole;
    }
    english.to_owned()
}

/// What `{}` stands for in a text that fits the pattern.
fn holes<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = pattern.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut holes = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let is_last = pieces.peek().is_none();
        let hole = if is_last { rest.strip_suffix(piece)? } else { rest.split_once(piece)?.0 };
        holes.push(hole);
        rest = rest.get(hole.len() + piece.len()..)?;
    }
    rest.is_empty().then_some(holes)
}

/// The fields of a line of the log: its message in the language of the command line, then `name=value`.
pub(super) struct LogFields(pub(super) Locale);

impl<'writer> FormatFields<'writer> for LogFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line { writer, locale: self.0, is_first: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    locale: Locale,
    is_first: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn put(&mut self, field: &Field, value: &dyn Debug) -> fmt::Result {
        let name = field.name();
        // What the `log` crate adds about the place.
        if name.starts_with("log.") {
            return Ok(());
        }
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(' ')?;
        }
        if name == "message" {
            let message = format!("{value:?}");
            return self.writer.write_str(log_text(&message, self.locale));
        }
        if self.writer.has_ansi_escapes() {
            write!(self.writer, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value:?}")
        } else {
            write!(self.writer, "{name}={value:?}")
        }
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.result.is_ok() {
            self.result = self.put(field, value);
        }
    }
}

/// A message of the log in the language `locale`; as it is where it has no translation.
fn log_text(english: &str, locale: Locale) -> &str {
    match locale {
        Locale::EnUs => english,
        Locale::ZhCn => TEXTS.log.get(english).and_then(toml::Value::as_str).unwrap_or(english),
    }
}

/// The time of a line of the log: Beijing's, with its offset.
pub(super) struct BeijingTime;

impl FormatTime for BeijingTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = Clock::system().now().to_zoned(beijing());
        write!(writer, "{}", now.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::REFUSED;

    /// The messages that a source file logs at `info` and above: the last literal of each call.
    fn messages(code: &str, out: &mut BTreeSet<String>) {
        for level in ["info", "warn", "error"] {
            for after in code.split(&format!("tracing::{level}!(")).skip(1) {
                let (mut depth, mut literals, mut chars) =
                    (1, Vec::new(), after.chars().peekable());
                while depth > 0 {
                    match chars.next().unwrap() {
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        '"' => {
                            let mut literal = String::new();
                            loop {
                                match chars.next().unwrap() {
                                    '"' => break,
                                    '\\' if chars.peek() == Some(&'\n') => {
                                        while chars.next_if(|c| c.is_whitespace()).is_some() {}
                                    }
                                    '\\' => literal.extend(chars.next()),
                                    c => literal.push(c),
                                }
                            }
                            literals.push(literal);
                        }
                        _ => {}
                    }
                }
                out.insert(literals.pop().unwrap_or_default());
            }
        }
    }

    fn read(folder: &Path, out: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !["sandbox", "demo", "tests"].contains(&name.as_str()) {
                read(&path, out);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let code = std::fs::read_to_string(&path).unwrap();
                messages(code.split("#[cfg(test)]\nmod tests {").next().unwrap(), out);
            }
        }
    }

    #[test]
    fn every_message_of_the_log_has_its_chinese() {
        let mut logged = BTreeSet::new();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut logged);
        // Texts that come from a catalogue, and debugging.
        logged.retain(|message| !message.is_empty() && !message.contains('{') && message != "path");
        assert!(logged.len() > 100, "the messages were not found");
        let known: BTreeSet<String> = TEXTS.log.keys().cloned().collect();
        let missing: Vec<_> = logged.difference(&known).collect();
        assert!(missing.is_empty(), "src/cli/operator.zh_cn.toml lacks {missing:#?}");
        let unused: Vec<_> = known.difference(&logged).collect();
        assert!(unused.is_empty(), "nothing logs {unused:#?}");
    }

    /// English words one after the other, outside quotes.
    fn english_in(text: &str) -> Option<String> {
        let plain: String = text
            .split('`')
            .step_by(2)
            .flat_map(|part| part.split('"').step_by(2))
            .collect::<Vec<_>>()
            .join("“”");
        let words: Vec<&str> = plain.split(' ').collect();
        let is_word = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase());
        words.windows(2).find(|pair| pair.iter().all(is_word)).map(|pair| pair.join(" "))
    }

    #[test]
    fn every_problem_of_a_configuration_is_said_in_chinese() {
        for (_, line) in REFUSED {
            let subject = line.split(' ').next().unwrap();
            let fault = &line[subject.len() + 1..];
            let chinese = said(fault, Locale::ZhCn);
            assert_ne!(chinese, fault);
            assert_eq!(english_in(&chinese), None, "{fault}: {chinese}");
            assert_eq!(said(fault, Locale::EnUs), fault);
        }
        for (english, chinese) in [
            (
                "is missing: set it in the configuration file or with AIRGATE__X",
                "未设置：请在配置文件或环境变量 AIRGATE__X 中设置",
            ),
            ("must be a whole number from 1 to 64, not 0", "必须是 1 到 64 的整数，现为 0"),
            ("contains `A B`: must be a name without spaces", "包含 `A B`：必须是不含空格的名称"),
            ("must be \"zh_cn\" or \"en_us\" (`fr`)", "必须是 \"zh_cn\" 或 \"en_us\"（`fr`）"),
        ] {
            assert_eq!(said(english, Locale::ZhCn), chinese);
        }
        assert_eq!(what_and_fix("未设置：请设置"), ("未设置", "请设置"));
        assert_eq!(what_and_fix("is a: b; fix it"), ("is a: b", "fix it"));
    }

    #[test]
    fn every_failure_of_the_store_is_said_in_chinese() {
        let mut seen = 0;
        for source in ["backup", "mod", "restore"] {
            let path = format!("{}/src/store/{source}.rs", env!("CARGO_MANIFEST_DIR"));
            let code = std::fs::read_to_string(path).unwrap();
            for after in code.split("#[error(").skip(1).filter(|after| after.contains('"')) {
                let after = after.trim_start();
                // Passes another error on.
                let Some(after) = after.strip_prefix('"') else { continue };
                let pattern = after.split('"').next().unwrap();
                let parts: Vec<&str> = pattern.split(['{', '}']).step_by(2).collect();
                let english = parts.join("X");
                let chinese = said(&english, Locale::ZhCn);
                assert_ne!(chinese, english);
                assert_eq!(english_in(&chinese), None, "{english}: {chinese}");
                seen += 1;
            }
        }
        assert!(seen > 10, "the failures were not found");
    }

    #[test]
    fn lines_of_the_log_speak_chinese_with_beijing_times() {
        use parking_lot::Mutex;
        use std::sync::Arc;

        #[derive(Clone, Default)]
        struct Sink(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_timer(BeijingTime)
            .with_writer(move || writer.clone())
            .fmt_fields(LogFields(Locale::ZhCn))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(address = %"127.0.0.1:8080", name = "x", "airgate serves");
            tracing::warn!("not in the catalogue");
        });
        let text = String::from_utf8(sink.0.lock().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("+08:00  INFO"), "{text}");
        assert!(lines[0].ends_with("airgate 已启动 address=127.0.0.1:8080 name=\"x\""), "{text}");
        assert!(lines[1].ends_with("not in the catalogue"), "{text}");
    }
}
