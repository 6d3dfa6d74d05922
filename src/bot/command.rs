//! Chat commands: one table is the parser, the help card and the README's list.

use crate::app::export::Table;
use crate::domain::{AmountError, BillPeriod, Money, Needs};

/// What a person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// All commands.
    Help,
    /// The users list, searched by text.
    Users {
        /// Empty = everybody.
        query: String,
    },
    /// One user.
    User {
        /// As typed.
        name: String,
    },
    /// The form that makes a user.
    Create,
    /// Read all IAM users.
    Sync,
    /// A user's projects.
    Projects {
        /// As typed.
        name: String,
    },
    /// A user's quota card.
    Quota {
        /// As typed.
        name: String,
    },
    /// Allocate at once.
    Allocate {
        /// As typed.
        name: String,
        /// How much.
        amount: Money,
        /// May be empty.
        note: String,
    },
    /// Spending.
    Billing {
        /// Of one user, as typed.
        name: Option<String>,
        /// Of this month; else the current one.
        period: Option<BillPeriod>,
    },
    /// Alert records.
    Alerts {
        /// Of one user, as typed.
        name: Option<String>,
    },
    /// Restore access.
    Enable {
        /// As typed.
        name: String,
    },
    /// Cut access.
    Disable {
        /// As typed.
        name: String,
    },
    /// Status of the monitor.
    Monitor,
    /// Start a monitor cycle.
    MonitorRun,
    /// Global settings.
    Config,
    /// Main accounts.
    Accounts,
    /// The person's own users.
    Me,
    /// A table as a file.
    Export {
        /// Which.
        table: Table,
    },
}

impl Command {
    /// Who may use it. No default arm: a new command does not compile until somebody decides.
    pub fn needs(&self) -> Needs {
        match self {
            Command::Help | Command::Me => Needs::Anyone,
            Command::Users { .. }
            | Command::User { .. }
            | Command::Projects { .. }
            | Command::Quota { .. }
            | Command::Billing { .. }
            | Command::Alerts { .. }
            | Command::Export { .. }
            | Command::Monitor => Needs::Viewer,
            Command::Create
            | Command::Sync
            | Command::Allocate { .. }
            | Command::Enable { .. }
            | Command::Disable { .. }
            | Command::MonitorRun
            | Command::Config
            | Command::Accounts => Needs::Admin,
        }
    }
}

/// Why a text is not a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Nothing was typed (a picture, or only the mention).
    Empty,
    /// No such command.
    Unknown {
        /// The first word.
        typed: String,
        /// The nearest command, if one is near.
        nearest: Option<&'static str>,
    },
    /// A needed argument is missing.
    Missing {
        /// The command.
        command: &'static Spec,
    },
    /// An argument that the command does not name.
    Surplus {
        /// The command.
        command: &'static Spec,
        /// The argument.
        argument: String,
    },
    /// The amount was refused.
    BadAmount(AmountError),
    /// Not a month.
    BadPeriod(String),
}

impl ParseError {
    /// Who may be told what is wrong: whoever may use the command that was meant.
    pub fn needs(&self) -> Needs {
        match self {
            ParseError::Empty | ParseError::Unknown { .. } => Needs::Anyone,
            ParseError::Missing { command } | ParseError::Surplus { command, .. } => command.needs,
            // Only `/quota NAME AMOUNT` takes an amount.
            ParseError::BadAmount(_) => Needs::Admin,
            ParseError::BadPeriod(_) => Needs::Viewer,
        }
    }
}

/// One command of the table.
#[derive(Debug)]
pub struct Spec {
    /// Its name, without the slash.
    pub name: &'static str,
    /// Chinese aliases.
    pub aliases: &'static [&'static str],
    /// The arguments as help shows them.
    pub arguments: &'static str,
    /// The key of its description in the catalogue.
    pub about: &'static str,
    /// Who may use at least one form of it.
    pub needs: Needs,
    parse: fn(&'static Spec, &mut Arguments) -> Result<Command, ParseError>,
}

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Spec {}

impl Spec {
    /// `/quota NAME [AMOUNT [NOTE...]]`
    pub fn usage(&self) -> String {
        format!("/{} {}", self.name, self.arguments).trim_end().to_owned()
    }
}

/// Every command, in the order help shows them.
pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "help",
        aliases: &["帮助"],
        arguments: "",
        about: "command.help",
        needs: Needs::Anyone,
        parse: |_, _| Ok(Command::Help),
    },
    Spec {
        name: "users",
        aliases: &["用户"],
        arguments: "[TEXT]",
        about: "command.users",
        needs: Needs::Viewer,
        parse: |_, arguments| Ok(Command::Users { query: arguments.rest() }),
    },
    Spec {
        name: "user",
        aliases: &["详情"],
        arguments: "NAME",
        about: "command.user",
        needs: Needs::Viewer,
        parse: |spec, arguments| Ok(Command::User { name: arguments.needed(spec)? }),
    },
    Spec {
        name: "create",
        aliases: &["创建"],
        arguments: "",
        about: "command.create",
        needs: Needs::Admin,
        parse: |_, _| Ok(Command::Create),
    },
    Spec {
        name: "sync",
        aliases: &["同步"],
        arguments: "",
        about: "command.sync",
        needs: Needs::Admin,
        parse: |_, _| Ok(Command::Sync),
    },
    Spec {
        name: "projects",
        aliases: &["项目"],
        arguments: "NAME",
        about: "command.projects",
        needs: Needs::Viewer,
        parse: |spec, arguments| Ok(Command::Projects { name: arguments.needed(spec)? }),
    },
    Spec {
        name: "quota",
        aliases: &["额度", "划拨"],
        arguments: "NAME [AMOUNT [NOTE...]]",
        about: "command.quota",
        needs: Needs::Viewer,
        parse: |spec, arguments| {
            let name = arguments.needed(spec)?;
            let Some(amount) = arguments.next() else { return Ok(Command::Quota { name }) };
            let amount = Money::parse_input(&amount).map_err(ParseError::BadAmount)?;
            Ok(Command::Allocate { name, amount, note: arguments.rest() })
        },
    },
    Spec {
        name: "billing",
        aliases: &["账单"],
        arguments: "[NAME] [YYYY-MM]",
        about: "command.billing",
        needs: Needs::Viewer,
        parse: |_, arguments| {
            let mut name = None;
            let mut period = None;
            while let Some(argument) = arguments.peek() {
                let looks_like_month = argument.starts_with(|c: char| c.is_ascii_digit())
                    && argument.contains('-')
                    && argument.chars().all(|c| c.is_ascii_digit() || c == '-');
                if period.is_none() && looks_like_month {
                    let month = argument.parse();
                    period = Some(month.map_err(|_| ParseError::BadPeriod(argument))?);
                } else if name.is_none() && period.is_none() {
                    name = Some(argument);
                } else {
                    break;
                }
                arguments.next();
            }
            Ok(Command::Billing { name, period })
        },
    },
    Spec {
        name: "alerts",
        aliases: &["告警"],
        arguments: "[NAME]",
        about: "command.alerts",
        needs: Needs::Viewer,
        parse: |_, arguments| Ok(Command::Alerts { name: arguments.next() }),
    },
    Spec {
        name: "enable",
        aliases: &["启用"],
        arguments: "NAME",
        about: "command.enable",
        needs: Needs::Admin,
        parse: |spec, arguments| Ok(Command::Enable { name: arguments.needed(spec)? }),
    },
    Spec {
        name: "disable",
        aliases: &["停用"],
        arguments: "NAME",
        about: "command.disable",
        needs: Needs::Admin,
        parse: |spec, arguments| Ok(Command::Disable { name: arguments.needed(spec)? }),
    },
    Spec {
        name: "monitor",
        aliases: &["监控"],
        arguments: "[run]",
        about: "command.monitor",
        needs: Needs::Viewer,
        parse: |_, arguments| match arguments.peek() {
            Some(word) if word.eq_ignore_ascii_case("run") => {
                arguments.next();
                Ok(Command::MonitorRun)
            }
            _ => Ok(Command::Monitor),
        },
    },
    Spec {
        name: "config",
        aliases: &["配置"],
        arguments: "",
        about: "command.config",
        needs: Needs::Admin,
        parse: |_, _| Ok(Command::Config),
    },
    Spec {
        name: "accounts",
        aliases: &["主账号"],
        arguments: "",
        about: "command.accounts",
        needs: Needs::Admin,
        parse: |_, _| Ok(Command::Accounts),
    },
    Spec {
        name: "export",
        aliases: &["导出"],
        arguments: "[users|spending|ledger|alerts]",
        about: "command.export",
        needs: Needs::Viewer,
        parse: |_, arguments| {
            let named = arguments.peek().and_then(|word| Table::from_word(&word.to_lowercase()));
            Ok(Command::Export {
                table: match named {
                    Some(table) => {
                        arguments.next();
                        table
                    }
                    None => Table::Users,
                },
            })
        },
    },
    Spec {
        name: "me",
        aliases: &["我的"],
        arguments: "",
        about: "command.me",
        needs: Needs::Anyone,
        parse: |_, _| Ok(Command::Me),
    },
];

/// No command is nearly as long, in bytes: what is longer is no misspelling of one.
const LONGEST_WORD: usize = 64;

/// The words after the command.
struct Arguments {
    words: std::collections::VecDeque<String>,
}

impl Arguments {
    fn peek(&self) -> Option<String> {
        self.words.front().cloned()
    }

    fn next(&mut self) -> Option<String> {
        self.words.pop_front()
    }

    fn needed(&mut self, command: &'static Spec) -> Result<String, ParseError> {
        self.next().ok_or(ParseError::Missing { command })
    }

    fn rest(&mut self) -> String {
        self.words.drain(..).collect::<Vec<_>>().join(" ")
    }
}

/// Reads a message. A leading `/` is optional; case and surplus blanks do not matter; what the command does not name is
/// refused.
///
/// # Errors
/// Why it is not a command.
pub fn parse(text: &str) -> Result<Command, ParseError> {
    let mut words: std::collections::VecDeque<String> =
        text.split_whitespace().map(|word| unlinked(word).to_owned()).collect();
    // A slash may stand apart, or be the full-width one of a Chinese keyboard.
    let first = loop {
        let Some(word) = words.pop_front() else { return Err(ParseError::Empty) };
        let word = word.trim_start_matches(['/', '／']).to_owned();
        if !word.is_empty() {
            break word;
        }
    };
    let folded = first.to_lowercase();
    let Some(command) =
        COMMANDS.iter().find(|spec| spec.name == folded || spec.aliases.contains(&folded.as_str()))
    else {
        return Err(ParseError::Unknown { nearest: nearest(&folded), typed: first });
    };
    let mut arguments = Arguments { words };
    let parsed = (command.parse)(command, &mut arguments)?;
    match arguments.next() {
        Some(argument) => Err(ParseError::Surplus { command, argument }),
        None => Ok(parsed),
    }
}

/// The text of a word that a client made a link of: `[a@b.com](mailto:a@b.com)`.
fn unlinked(word: &str) -> &str {
    let link = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(')'));
    link.and_then(|link| link.split_once("](")).map_or(word, |(text, _)| text)
}

/// The command that was probably meant. Comparing costs the product of the lengths, and a word from outside may be long.
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
    use proptest::prelude::*;

    fn check(text: &str, command: Command) {
        assert_eq!(parse(text), Ok(command), "{text:?}");
    }

    fn name(name: &str) -> String {
        name.to_owned()
    }

    #[test]
    fn commands() {
        check("/help", Command::Help);
        check("帮助", Command::Help);
        check("  HELP  ", Command::Help);
        check("／help", Command::Help);
        check("/ help", Command::Help);
        check("/users", Command::Users { query: name("") });
        check("/users  zhang  san", Command::Users { query: name("zhang san") });
        check("用户 张", Command::Users { query: name("张") });
        check("/user main/alice", Command::User { name: name("main/alice") });
        check("详情 Alice", Command::User { name: name("Alice") });
        check("/user [a@b.com](mailto:a@b.com)", Command::User { name: name("a@b.com") });
        check("/create", Command::Create);
        check("创建", Command::Create);
        check("/sync", Command::Sync);
        check("/projects alice", Command::Projects { name: name("alice") });
        check("/quota alice", Command::Quota { name: name("alice") });
        check(
            "/quota alice 1,000.50 Q4  budget",
            Command::Allocate {
                name: name("alice"),
                amount: Money::from_fen(100_050),
                note: name("Q4 budget"),
            },
        );
        check(
            "划拨 alice －200",
            Command::Allocate {
                name: name("alice"),
                amount: Money::from_fen(-20_000),
                note: name(""),
            },
        );
        let november = "2026-11".parse().ok();
        check("/billing", Command::Billing { name: None, period: None });
        check("/billing 2026-11", Command::Billing { name: None, period: november });
        check("/billing alice", Command::Billing { name: Some(name("alice")), period: None });
        check(
            "账单 alice 2026-11",
            Command::Billing { name: Some(name("alice")), period: november },
        );
        check("/alerts", Command::Alerts { name: None });
        check("/alerts alice", Command::Alerts { name: Some(name("alice")) });
        check("/enable alice", Command::Enable { name: name("alice") });
        check("停用 alice", Command::Disable { name: name("alice") });
        check("/monitor", Command::Monitor);
        check("/Monitor RUN", Command::MonitorRun);
        check("配置", Command::Config);
        check("/accounts", Command::Accounts);
        check("我的", Command::Me);
        check("/export", Command::Export { table: Table::Users });
        check("导出 LEDGER", Command::Export { table: Table::Ledger });
    }

    #[test]
    fn what_the_command_does_not_name_is_refused() {
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
            match parse(text) {
                Err(ParseError::Surplus { argument: found, .. }) => assert_eq!(found, argument),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn missing_and_bad_arguments() {
        for text in ["/user", "/projects", "/quota", "/enable", "/disable"] {
            assert!(matches!(parse(text), Err(ParseError::Missing { .. })), "{text:?}");
        }
        assert_eq!(
            parse("/quota a 1,00"),
            Err(ParseError::BadAmount(AmountError::MisplacedCommas))
        );
        assert_eq!(parse("/billing 2026-13"), Err(ParseError::BadPeriod("2026-13".to_owned())));
        assert_eq!(parse(" / "), Err(ParseError::Empty));
    }

    #[test]
    fn the_nearest_command() {
        for (text, command) in [
            ("/usr", Some("user")),
            ("/qouta alice", Some("quota")),
            ("/halp", Some("help")),
            ("账但", Some("billing")),
            ("hello there", Some("help")),
            ("xyzzy", None),
        ] {
            match parse(text) {
                Err(ParseError::Unknown { nearest, .. }) => {
                    assert_eq!(nearest, command, "{text:?}")
                }
                other => panic!("{text:?}: {other:?}"),
            }
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
            match parse(&text) {
                // Nothing is added to what was typed.
                Ok(Command::Allocate { name, amount, note }) => {
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
