//! How a message is read: the command and its arguments, or why there is none.

use proptest::prelude::*;

use super::command::{Change, Command, ParseError, Query, Whom};
use super::month::Month;
use super::parse::{Parsed, parse as parse_pieces};
use super::table::COMMANDS;
use crate::app::export::Table;
use crate::cards::{Locale, Wording};
use crate::domain::{AmountError, Money, Needs};
use crate::feishu::Piece;

fn parse(text: &str) -> Parsed {
    parse_pieces(&[words(text)])
}

fn words(text: &str) -> Piece {
    Piece::Words(text.to_owned())
}

fn mention(open_id: &str) -> Piece {
    Piece::Mention { open_id: Some(open_id.to_owned()) }
}

fn mentioned(open_id: &str) -> Whom {
    Whom::Mentioned(open_id.parse().ok())
}

fn named(name: &str) -> Whom {
    Whom::Named(name.to_owned())
}

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
    check("/user main/alice", Query::User { whom: named("main/alice") });
    check("详情 Alice", Query::User { whom: named("Alice") });
    check("/create", Query::Create);
    check("创建", Query::Create);
    check("/sync", Change::Sync);
    check("/projects alice", Query::Projects { whom: named("alice") });
    check("/quota alice", Query::Quota { whom: named("alice") });
    check(
        "/quota alice 1,000.50 Q4  budget",
        Change::Allocate {
            whom: named("alice"),
            amount: Money::from_fen(100_050),
            note: name("Q4 budget"),
        },
    );
    check(
        "划拨 alice －200",
        Change::Allocate { whom: named("alice"), amount: Money::from_fen(-20_000), note: name("") },
    );
    let november = "2026-11".parse().ok().map(Month::Exact);
    check("/billing", Query::Billing { whom: None, period: None });
    check("/billing 2026-11", Query::Billing { whom: None, period: november });
    check("/billing alice", Query::Billing { whom: Some(named("alice")), period: None });
    check("账单 alice 2026-11", Query::Billing { whom: Some(named("alice")), period: november });
    check("/billing 10月", Query::Billing { whom: None, period: Some(Month::Latest(10)) });
    check(
        "账单 王芳 上个月",
        Query::Billing { whom: Some(named("王芳")), period: Some(Month::Previous) },
    );
    check("账单 本月", Query::Billing { whom: None, period: Some(Month::Current) });
    // A name that looks a little like a month.
    check("账单 张月", Query::Billing { whom: Some(named("张月")), period: None });
    check("/alerts", Query::Alerts { whom: None });
    check("/alerts alice", Query::Alerts { whom: Some(named("alice")) });
    check("/enable alice", Query::Enable { whom: named("alice") });
    check("停用 alice", Query::Disable { whom: named("alice") });
    check("/monitor", Query::Monitor);
    check("/Monitor RUN", Change::MonitorRun);
    check("配置", Query::Config);
    check("/accounts", Query::Accounts);
    check("我的", Query::Me);
    check("/export", Query::Export { table: Table::Users, period: None });
    check("导出 LEDGER", Query::Export { table: Table::Ledger, period: None });
    check("导出 账单", Query::Export { table: Table::Spending, period: None });
    let period = Some(Month::Previous);
    check("导出 账单 上个月", Query::Export { table: Table::Spending, period });
    let period = Some(Month::Exact("2026-10".parse().unwrap()));
    check("/export days 2026-10", Query::Export { table: Table::Days, period });
    check("导出 负责人", Query::Export { table: Table::Owners, period: None });
    let request = |until: &str, reason: &str| Change::Request {
        whom: None,
        amount: Money::from_fen(50_000),
        until: name(until),
        reason: name(reason),
    };
    check("/request 500 load test", request("", "load test"));
    check("/request 500 until 2026-12-31 load test", request("2026-12-31", "load test"));
    check("申请 500 到 12月31日 压测", request("12月31日", "压测"));
    check("申请 500 到12-31 压测", request("12-31", "压测"));
    check("申请 500 压测 至 2026-12-31", request("2026-12-31", "压测"));
    check("/request 500 load test Until 12-31", request("12-31", "load test"));
    // Not a day, but meant as one: it is refused when it is read.
    check("/request 500 until tomorrow x", request("tomorrow", "x"));
    check("/request 500 until", request("until", ""));
    // Words that only look like it.
    check("申请 500 到货前 压测", request("", "到货前 压测"));
    check("/request 500 runs until midnight", request("", "runs until midnight"));
    check(
        "/quota alice 1.5万 补",
        Change::Allocate {
            whom: named("alice"),
            amount: Money::from_fen(1_500_000),
            note: name("补"),
        },
    );
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
        assert!(matches!(parse(text).command, Err(ParseError::MissingArgument { .. })), "{text:?}");
    }
    assert_eq!(
        parse("/quota a 1,00").command,
        Err(ParseError::BadAmount(AmountError::MisplacedCommas))
    );
    for month in ["2026-13", "13月"] {
        let parsed = parse(&format!("/billing {month}"));
        assert_eq!(parsed.command, Err(ParseError::BadPeriod(month.to_owned())));
    }
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
fn a_text_that_is_no_command_may_be_a_name() {
    let name = |pieces: &[Piece]| match parse_pieces(pieces).command {
        Err(ParseError::Unknown { name, .. }) => name,
        other => panic!("{pieces:?}: {other:?}"),
    };
    let alone = |text: &str| name(&[words(text)]);
    assert_eq!(alone("wang.fang").as_deref(), Some("wang.fang"));
    assert_eq!(alone(" main/wang.fang\u{200B} ").as_deref(), Some("main/wang.fang"));
    assert_eq!(alone("Zhang  San").as_deref(), Some("Zhang San"));
    // With a slash in front, a command is meant.
    assert_eq!(alone("/wang.fang"), None);
    assert_eq!(alone("\u{FEFF}／ wang.fang"), None);
    assert_eq!(alone(&"x ".repeat(1000)), None);
    assert_eq!(name(&[words("wang"), mention("ou_ann")]), None);
}

#[test]
fn usage_names_its_arguments_in_the_language_of_the_reader() {
    let usage = |name: &str, locale| {
        let spec = COMMANDS.iter().find(|spec| spec.name == name).unwrap();
        spec.usage(Wording::new(locale))
    };
    assert_eq!(usage("quota", Locale::EnUs), "/quota NAME [AMOUNT [NOTE...]]");
    assert_eq!(usage("quota", Locale::ZhCn), "/quota 用户名 [金额 [备注]]");
    assert_eq!(usage("billing", Locale::ZhCn), "/billing [用户名] [月份]");
    let latin = |c: char| c.is_ascii_uppercase();
    for spec in COMMANDS {
        let usage = spec.usage(Wording::new(Locale::ZhCn));
        assert!(!usage.contains(latin), "{usage}");
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

/// Anybody may call themselves "alice 999999".
#[test]
fn a_mention_is_one_argument_and_never_words() {
    let ann = || mention("ou_ann");
    for (pieces, command) in [
        (vec![words("/user"), ann()], Query::User { whom: mentioned("ou_ann") }.into()),
        (vec![words("停用"), ann()], Query::Disable { whom: mentioned("ou_ann") }.into()),
        (
            vec![words("/quota "), ann(), words(" 100 for "), mention("ou_bob"), words(" Q4")],
            Command::from(Change::Allocate {
                whom: mentioned("ou_ann"),
                amount: Money::from_fen(10_000),
                note: "for Q4".to_owned(),
            }),
        ),
        (vec![words("/quota "), ann()], Query::Quota { whom: mentioned("ou_ann") }.into()),
        (
            vec![words("/billing "), ann(), words(" 2026-11")],
            Query::Billing {
                whom: Some(mentioned("ou_ann")),
                period: "2026-11".parse().ok().map(Month::Exact),
            }
            .into(),
        ),
        (vec![words("/alerts "), ann()], Query::Alerts { whom: Some(mentioned("ou_ann")) }.into()),
        (
            vec![words("/user "), Piece::Mention { open_id: None }],
            Query::User { whom: Whom::Mentioned(None) }.into(),
        ),
        // Mentions in front of the command address people.
        (vec![ann(), words(" /user alice")], Query::User { whom: named("alice") }.into()),
        (vec![Piece::Mention { open_id: None }, ann(), words(" /help")], Query::Help.into()),
    ] {
        assert_eq!(parse_pieces(&pieces).command, Ok(command), "{pieces:?}");
    }
}

#[test]
fn a_mention_where_words_are_expected_is_refused() {
    for pieces in [
        vec![words("/quota alice "), mention("ou_ann")],
        vec![words("/quota alice "), mention("ou_ann"), words(" 100")],
        vec![words("/quota "), mention("ou_ann"), mention("ou_bob"), words("100")],
        vec![words("/user alice "), mention("ou_ann")],
        vec![words("/users "), mention("ou_ann")],
        vec![words("/users a "), mention("ou_ann"), words(" b")],
        vec![words("/billing 2026-11 "), mention("ou_ann")],
        vec![words("/billing alice "), mention("ou_ann"), words(" 2026-11")],
        vec![words("/monitor "), mention("ou_ann")],
        vec![words("/export "), mention("ou_ann")],
        vec![words("/help "), mention("ou_ann")],
        vec![words("/sync "), Piece::Mention { open_id: None }],
    ] {
        let command = parse_pieces(&pieces).command;
        let refused = matches!(command, Err(ParseError::UnexpectedMention { .. }));
        assert!(refused, "{pieces:?}: {command:?}");
    }
    // Part of a word and part a mention: two arguments, never one.
    let glued = parse_pieces(&[words("/user main/"), mention("ou_ann")]).command;
    assert!(matches!(glued, Err(ParseError::UnexpectedMention { .. })), "{glued:?}");
}

#[test]
fn invisible_characters_are_dropped() {
    check("\u{2060} /help", Query::Help);
    check("\u{FEFF}/help", Query::Help);
    check("/\u{200B}he\u{200D}lp", Query::Help);
    check("/user alice \u{200B}", Query::User { whom: named("alice") });
    check("/user \u{202A}main/alice\u{202C}", Query::User { whom: named("main/alice") });
    check("/user alice\u{FE0F} \u{200D}", Query::User { whom: named("alice") });
    let november = "2026-11".parse().ok().map(Month::Exact);
    check("/billing 2026\u{200E}-11", Query::Billing { whom: None, period: november });
    check(
        "/quota alice 1\u{200B}00 ok 👩\u{200D}💻\u{FEFF}",
        Change::Allocate {
            whom: named("alice"),
            amount: Money::from_fen(10_000),
            note: "ok 👩\u{200D}💻".to_owned(),
        },
    );
    assert_eq!(parse("\u{200B}/\u{FEFF}").command, Err(ParseError::Empty));
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
            Ok(Command::Change(Change::Allocate { whom: Whom::Named(name), amount, note })) => {
                prop_assert!(name.len() + note.len() < text.len());
                prop_assert_eq!(Money::parse_input(&amount.plain()), Ok(amount));
            }
            Ok(_) => {}
            Err(ParseError::Unknown { typed, .. }) => prop_assert!(typed.len() <= text.len()),
            Err(_) => {}
        }
        // A megabyte takes about 10 ms; compared with every command, 10 s.
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
