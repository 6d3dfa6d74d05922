//! Reads a message as a command of the table.

use std::collections::VecDeque;

use super::command::{Arguments, Command, ParseError};
use super::table::COMMANDS;
use crate::domain::Needs;

/// Longer words, in bytes, are not compared with command names: none is a misspelling of one.
const LONGEST_WORD: usize = 64;

/// A message, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Who may use the command, or be told what is wrong with it.
    pub needs: Needs,
    /// The command, or why there is none.
    pub command: Result<Command, ParseError>,
}

/// Reads a message. A leading `/` is optional, case and extra blanks are ignored, unexpected arguments are refused.
pub fn parse(text: &str) -> Parsed {
    let mut words: VecDeque<String> =
        text.split_whitespace().map(|word| without_link(word).to_owned()).collect();
    // The slash may stand apart, or be the full-width one of a Chinese keyboard.
    let first = loop {
        let Some(word) = words.pop_front() else {
            return Parsed { needs: Needs::Anyone, command: Err(ParseError::Empty) };
        };
        let word = word.trim_start_matches(['/', '／']).to_owned();
        if !word.is_empty() {
            break word;
        }
    };
    let folded = first.to_lowercase();
    let Some(command) =
        COMMANDS.iter().find(|spec| spec.name == folded || spec.aliases.contains(&folded.as_str()))
    else {
        let error = ParseError::Unknown { nearest: nearest(&folded), typed: first };
        return Parsed { needs: Needs::Anyone, command: Err(error) };
    };
    let mut arguments = Arguments::new(command, words);
    let parsed = (command.parse)(command, &mut arguments);
    match (parsed, arguments.next()) {
        (Ok(_), Some(argument)) => {
            let error = ParseError::UnexpectedArgument { command, argument };
            Parsed { needs: command.needs, command: Err(error) }
        }
        (parsed, _) => Parsed { needs: arguments.needs(), command: parsed },
    }
}

/// The text of a word that the client turned into a link: `[a@b.com](mailto:a@b.com)`.
fn without_link(word: &str) -> &str {
    let link = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(')'));
    link.and_then(|link| link.split_once("](")).map_or(word, |(text, _)| text)
}

/// The command that was probably meant. A comparison costs the product of the lengths, and words from outside may be long.
fn nearest(word: &str) -> Option<&'static str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    COMMANDS
        .iter()
        .flat_map(|spec| {
            std::iter::once(&spec.name).chain(spec.aliases).map(move |known| (spec.name, *known))
        })
        .map(|(name, known)| (strsim::damerau_levenshtein(word, known), known, name))
        .filter(|(distance, known, _)| {
            let longest = word.chars().count().max(known.chars().count());
            *distance <= 2 && *distance < longest
        })
        .min_by_key(|(distance, ..)| *distance)
        .map(|(.., name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::export::Table;
    use crate::bot::commands::command::{Change, Query};
    use crate::domain::{AmountError, Money};
    use proptest::prelude::*;

    fn check(text: &str, command: impl Into<Command>) {
        assert_eq!(parse(text).command, Ok(command.into()), "{text:?}");
    }

    fn name(name: &str) -> String {
        name.to_owned()
    }

    #[test]
    fn commands_and_their_arguments_are_read() {
        check("/help", Query::Help);
        check("帮助", Query::Help);
        check("  HELP  ", Query::Help);
        check("／help", Query::Help);
        check("/ help", Query::Help);
        check("/users", Query::Users { query: name("") });
        check("/users  zhang  san", Query::Users { query: name("zhang san") });
        check("用户 张", Query::Users { query: name("张") });
        check("/user main/alice", Query::User { name: name("main/alice") });
        check("详情 Alice", Query::User { name: name("Alice") });
        check("/user [a@b.com](mailto:a@b.com)", Query::User { name: name("a@b.com") });
        check("/create", Query::Create);
        check("创建", Query::Create);
        check("/sync", Change::Sync);
        check("/projects alice", Query::Projects { name: name("alice") });
        check("/quota alice", Query::Quota { name: name("alice") });
        check(
            "/quota alice 1,000.50 Q4  budget",
            Change::Allocate {
                name: name("alice"),
                amount: Money::from_fen(100_050),
                note: name("Q4 budget"),
            },
        );
        check(
            "划拨 alice －200",
            Change::Allocate {
                name: name("alice"),
                amount: Money::from_fen(-20_000),
                note: name(""),
            },
        );
        let november = "2026-11".parse().ok();
        check("/billing", Query::Billing { name: None, period: None });
        check("/billing 2026-11", Query::Billing { name: None, period: november });
        check("/billing alice", Query::Billing { name: Some(name("alice")), period: None });
        check("账单 alice 2026-11", Query::Billing { name: Some(name("alice")), period: november });
        check("/alerts", Query::Alerts { name: None });
        check("/alerts alice", Query::Alerts { name: Some(name("alice")) });
        check("/enable alice", Query::Enable { name: name("alice") });
        check("停用 alice", Query::Disable { name: name("alice") });
        check("/monitor", Query::Monitor);
        check("/Monitor RUN", Change::MonitorRun);
        check("配置", Query::Config);
        check("/accounts", Query::Accounts);
        check("我的", Query::Me);
        check("/export", Query::Export { table: Table::Users });
        check("导出 LEDGER", Query::Export { table: Table::Ledger });
    }

    #[test]
    fn an_unexpected_argument_is_refused() {
        for (text, argument) in [
            ("/help me", "me"),
            ("/user alice bob", "bob"),
            ("/sync now", "now"),
            ("/billing alice 2026-11 x", "x"),
            ("/billing 2026-11 alice", "alice"),
            ("/monitor start", "start"),
            ("/monitor run run", "run"),
            ("/alerts alice warning", "warning"),
            ("/export everything", "everything"),
            ("/export users alerts", "alerts"),
        ] {
            match parse(text).command {
                Err(ParseError::UnexpectedArgument { argument: found, .. }) => {
                    assert_eq!(found, argument)
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn missing_and_bad_arguments_are_refused() {
        for text in ["/user", "/projects", "/quota", "/enable", "/disable"] {
            assert!(
                matches!(parse(text).command, Err(ParseError::MissingArgument { .. })),
                "{text:?}"
            );
        }
        assert_eq!(
            parse("/quota a 1,00").command,
            Err(ParseError::BadAmount(AmountError::MisplacedCommas))
        );
        assert_eq!(
            parse("/billing 2026-13").command,
            Err(ParseError::BadPeriod("2026-13".to_owned()))
        );
        assert_eq!(parse(" / ").command, Err(ParseError::Empty));
    }

    #[test]
    fn a_misspelt_command_names_the_most_similar_one() {
        for (text, command) in [
            ("/usr", Some("user")),
            ("/qouta alice", Some("quota")),
            ("/halp", Some("help")),
            ("账但", Some("billing")),
            ("hello there", Some("help")),
            ("xyzzy", None),
        ] {
            match parse(text).command {
                Err(ParseError::Unknown { nearest, .. }) => {
                    assert_eq!(nearest, command, "{text:?}")
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_form_that_changes_something_needs_more_than_the_one_that_reads() {
        for (text, needs) in [
            ("/quota alice", Needs::Viewer),
            ("/quota", Needs::Viewer),
            ("/quota alice 100", Needs::Admin),
            // A viewer is not told what is wrong with an amount that they may not allocate.
            ("/quota alice 1,00", Needs::Admin),
            ("/monitor", Needs::Viewer),
            ("/monitor run", Needs::Admin),
            ("/monitor run run", Needs::Viewer),
            ("/billing 2026-13", Needs::Viewer),
            ("/me", Needs::Anyone),
            ("xyzzy", Needs::Anyone),
            ("", Needs::Anyone),
        ] {
            assert_eq!(parse(text).needs, needs, "{text:?}");
        }
    }

    #[test]
    fn names_and_aliases_are_unique() {
        let mut words: Vec<&str> = COMMANDS
            .iter()
            .flat_map(|spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied()))
            .collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn whatever_is_typed_becomes_a_command_of_the_table_or_a_bounded_refusal(
            command in prop_oneof!["\\PC{0,12}", Just("x".repeat(1 << 20)), Just("字".repeat(1 << 18)),
                (0..COMMANDS.len()).prop_map(|index| format!("/{}", COMMANDS[index].name))],
            rest in prop::collection::vec("[0-9,.+¥-]{1,14}|[a-z/]{1,9}|run|2026-[0-9]{2}|\\PC{0,9}", 0..5),
        ) {
            let text = format!("{command} {}", rest.join(" "));
            let start = std::time::Instant::now();
            match parse(&text).command {
                // Nothing is added to what was typed.
                Ok(Command::Change(Change::Allocate { name, amount, note })) => {
                    prop_assert!(name.len() + note.len() < text.len());
                    prop_assert_eq!(Money::parse_input(&amount.plain()), Ok(amount));
                }
                Ok(_) => {}
                Err(ParseError::Unknown { typed, .. }) => prop_assert!(typed.len() <= text.len()),
                Err(_) => {}
            }
            // A megabyte takes some 10 ms; compared with every command, 10 s.
            prop_assert!(start.elapsed() < std::time::Duration::from_secs(5));
        }

        #[test]
        fn blanks_and_case_do_not_matter(blanks in "[ \t\u{3000}]{1,5}", index in 0..COMMANDS.len()) {
            let spec = &COMMANDS[index];
            let plain = parse(&format!("/{} x", spec.name));
            let other = parse(&format!("{blanks}{}{blanks}x{blanks}", spec.name.to_uppercase()));
            prop_assert_eq!(plain, other);
        }
    }
}
