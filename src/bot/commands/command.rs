//! Commands: their typed form, their row in the table, and why a text is not a command.

use std::collections::VecDeque;

use super::month::Month;
use crate::app::export::Table;
use crate::cards::Wording;
use crate::domain::typed::parsed_text;
use crate::domain::{AmountError, DigestKind, Money, Needs, OpenId};

/// Which user a command is about, as its sender wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// By a name, as typed.
    Named(String),
    /// By a mention of the person behind the user. `None` if the platform does not say who is mentioned, or if everybody
    /// is.
    Mentioned(Option<OpenId>),
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Answered from a snapshot.
    Query(Query),
    /// Carried out in a write transaction.
    Change(Change),
}

impl From<Query> for Command {
    fn from(query: Query) -> Self {
        Command::Query(query)
    }
}

impl From<Change> for Command {
    fn from(change: Change) -> Self {
        Command::Change(change)
    }
}

/// A command that only reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// All commands.
    Help,
    /// The users list, searched by text.
    Users {
        /// Empty = everyone.
        query: String,
    },
    /// One user.
    User {
        /// Which one.
        whom: Whom,
    },
    /// The form of a new user.
    Create,
    /// A user's projects.
    Projects {
        /// Which one.
        whom: Whom,
    },
    /// A user's quota card.
    Quota {
        /// Which one.
        whom: Whom,
    },
    /// Spending.
    Billing {
        /// The user; `None` = all.
        whom: Option<Whom>,
        /// The month; `None` = the current one.
        period: Option<Month>,
    },
    /// Past alerts.
    Alerts {
        /// The user; `None` = all.
        whom: Option<Whom>,
    },
    /// Asks before a user's access is restored.
    Enable {
        /// Which one.
        whom: Whom,
    },
    /// Asks before a user's access is cut.
    Disable {
        /// Which one.
        whom: Whom,
    },
    /// Status of the monitor.
    Monitor,
    /// Global settings.
    Config,
    /// Main accounts.
    Accounts,
    /// The sender's own users.
    Me,
    /// What waits for a decision.
    Requests,
    /// The digest of the last full week or month.
    Report {
        /// Which; `None` = the one that is sent, or else the week.
        kind: Option<DigestKind>,
    },
    /// Which files can be dropped into the direct chat.
    Import,
    /// A table as a file.
    Export {
        /// The table.
        table: Table,
        /// Only this month.
        period: Option<Month>,
    },
}

/// A command that changes something or starts work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Reads all IAM users.
    Sync,
    /// Allocates at once.
    Allocate {
        /// Which one.
        whom: Whom,
        /// How much.
        amount: Money,
        /// May be empty.
        note: String,
    },
    /// Asks for quota of a user of the sender's own.
    Request {
        /// Which one; `None` = the only one.
        whom: Option<Whom>,
        /// How much.
        amount: Money,
        /// The last day, as typed; empty = for good.
        until: String,
        /// Why.
        reason: String,
    },
    /// Starts a monitor cycle.
    MonitorRun,
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
        /// The most similar command, if one is similar enough.
        nearest: Option<&'static str>,
        /// The whole text, which may be a user's name: `None` with a slash in front or a mention in it.
        name: Option<String>,
    },
    /// A required argument is missing.
    MissingArgument {
        /// The command.
        command: &'static Spec,
    },
    /// An argument that the command does not take.
    UnexpectedArgument {
        /// The command.
        command: &'static Spec,
        /// The argument.
        argument: String,
    },
    /// A mention where the command takes words. The refusal does not repeat the person's name.
    UnexpectedMention {
        /// The command.
        command: &'static Spec,
    },
    /// Not an amount.
    BadAmount(AmountError),
    /// Not a month.
    BadPeriod(String),
}

/// A row of the table of commands.
#[derive(Debug)]
pub struct Spec {
    /// Its name, without the slash.
    pub name: &'static str,
    /// Chinese aliases.
    pub aliases: &'static [&'static str],
    /// The arguments as help shows them, in English.
    pub arguments: &'static str,
    /// The key of its description in the catalogue.
    pub about: &'static str,
    /// Who may use it. A variant that needs a higher role calls [`Arguments::require`].
    pub needs: Needs,
    pub(super) parse: fn(&'static Spec, &mut Arguments) -> Result<Command, ParseError>,
}

/// What stands for an argument in [`Spec::arguments`], and its name in the catalogue.
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("until DAY", "placeholder.until"),
    ("NAME", "placeholder.name"),
    ("AMOUNT", "placeholder.amount"),
    ("NOTE...", "placeholder.note"),
    ("REASON...", "placeholder.reason"),
    ("TEXT", "placeholder.text"),
    ("YYYY-MM", "placeholder.month"),
];

/// Returns whether a word says that a last day follows.
fn is_until(word: &str) -> bool {
    matches!(word, "until" | "till" | "到" | "至")
}

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Spec {}

impl Spec {
    /// `/quota NAME [AMOUNT [NOTE...]]`, with what a person has to put in named in their language.
    pub fn usage(&self, words: Wording) -> String {
        let mut usage = format!("/{} {}", self.name, self.arguments).trim_end().to_owned();
        for (placeholder, key) in PLACEHOLDERS {
            if usage.contains(placeholder) {
                usage = usage.replace(placeholder, &words.t(key, &[]));
            }
        }
        usage
    }
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    /// A word, with the characters that shape emoji.
    Word(String),
    /// A mention, whatever the person is called.
    Mention(Option<OpenId>),
}

/// The arguments after a command's name, and who may use the command with them.
#[derive(Debug)]
pub struct Arguments {
    arguments: VecDeque<Argument>,
    needs: Needs,
}

impl Arguments {
    /// The arguments of `command`.
    pub(super) fn new(command: &Spec, arguments: VecDeque<Argument>) -> Self {
        Self { arguments, needs: command.needs }
    }

    /// Who may use the command with the arguments read so far.
    pub(super) fn needs(&self) -> Needs {
        self.needs
    }

    /// From here on, the command needs this role instead of the one in its row.
    pub(super) fn require(&mut self, needs: Needs) {
        self.needs = needs;
    }

    /// Returns whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.arguments.is_empty()
    }

    /// Returns the next argument, if it is a word.
    pub(super) fn peek_word(&self) -> Option<String> {
        match self.arguments.front()? {
            Argument::Word(word) => Some(parsed_text(word).into_owned()),
            Argument::Mention(_) => None,
        }
    }

    /// Takes the next argument, if it is a word.
    pub(super) fn next_word(&mut self) -> Option<String> {
        let word = self.peek_word()?;
        self.arguments.pop_front();
        Some(word)
    }

    /// Takes the next argument, a name or a mention.
    pub(super) fn next_whom(&mut self) -> Option<Whom> {
        Some(match self.arguments.pop_front()? {
            Argument::Word(word) => Whom::Named(parsed_text(&word).into_owned()),
            Argument::Mention(person) => Whom::Mentioned(person),
        })
    }

    pub(super) fn required(&mut self, command: &'static Spec) -> Result<Whom, ParseError> {
        self.next_whom().ok_or(ParseError::MissingArgument { command })
    }

    /// Takes the words up to the next mention.
    pub(super) fn words(&mut self) -> String {
        let mut words = Vec::new();
        while let Some(Argument::Word(_)) = self.arguments.front() {
            if let Some(Argument::Word(word)) = self.arguments.pop_front() {
                words.push(word);
            }
        }
        words.join(" ")
    }

    /// Takes everything that is left as free text. Mentions are dropped: their names are chosen by other people.
    pub(super) fn free_text(&mut self) -> String {
        let words: Vec<String> = self
            .arguments
            .drain(..)
            .filter_map(|argument| match argument {
                Argument::Word(word) => Some(word),
                Argument::Mention(_) => None,
            })
            .collect();
        words.join(" ")
    }

    /// Takes a last day, which stands in front of what is left or at its end: `until 2026-12-31`, `到12月31日`. Returns it as
    /// typed; empty if there is none. What follows such a word in front is taken for a day even if it is none, so that a
    /// mistyped day does not become part of the text.
    pub(super) fn last_day(&mut self) -> String {
        let word = |at: Option<&Argument>| match at {
            Some(Argument::Word(word)) => parsed_text(word).to_lowercase(),
            _ => String::new(),
        };
        let attached = |word: &str| {
            let day = ["到", "至"].iter().find_map(|until| word.strip_prefix(until));
            day.filter(|day| day.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
        };
        let first = word(self.arguments.front());
        if is_until(&first) {
            self.arguments.pop_front();
            let day = word(self.arguments.pop_front().as_ref());
            // A word that is no day is refused, whatever it is.
            return if day.is_empty() { first } else { day };
        }
        if let Some(day) = attached(&first) {
            self.arguments.pop_front();
            return day;
        }
        let last = word(self.arguments.back());
        if let Some(day) = attached(&last) {
            self.arguments.pop_back();
            return day;
        }
        let before = self.arguments.len().checked_sub(2).and_then(|at| self.arguments.get(at));
        if is_until(&word(before)) && last.starts_with(|c: char| c.is_ascii_digit()) {
            self.arguments.truncate(self.arguments.len().saturating_sub(2));
            return last;
        }
        String::new()
    }

    /// Returns why the argument that is left over is refused.
    pub(super) fn surplus(&mut self, command: &'static Spec) -> Option<ParseError> {
        Some(match self.next_whom()? {
            Whom::Named(argument) => ParseError::UnexpectedArgument { command, argument },
            Whom::Mentioned(_) => ParseError::UnexpectedMention { command },
        })
    }
}
