//! What a command is: its typed form, its row in the table, and why a text is not a command.

use std::collections::VecDeque;

use crate::app::export::Table;
use crate::domain::{AmountError, BillPeriod, Money, Needs};

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
        /// As typed.
        name: String,
    },
    /// The form of a new user.
    Create,
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
    /// Spending.
    Billing {
        /// Of one user, as typed.
        name: Option<String>,
        /// Of this month; `None` = the current one.
        period: Option<BillPeriod>,
    },
    /// Past alerts.
    Alerts {
        /// Of one user, as typed.
        name: Option<String>,
    },
    /// Asks before a user's access is restored.
    Enable {
        /// As typed.
        name: String,
    },
    /// Asks before a user's access is cut.
    Disable {
        /// As typed.
        name: String,
    },
    /// Status of the monitor.
    Monitor,
    /// Global settings.
    Config,
    /// Main accounts.
    Accounts,
    /// The sender's own users.
    Me,
    /// A table as a file.
    Export {
        /// Which table.
        table: Table,
    },
}

/// A command that changes something or starts work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Reads all IAM users.
    Sync,
    /// Allocates at once.
    Allocate {
        /// As typed.
        name: String,
        /// How much.
        amount: Money,
        /// May be empty.
        note: String,
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
    /// The arguments as help shows them.
    pub arguments: &'static str,
    /// The key of its description in the catalogue.
    pub about: &'static str,
    /// Who may use it. A form that needs more says so by [`Arguments::require`].
    pub needs: Needs,
    pub(super) parse: fn(&'static Spec, &mut Arguments) -> Result<Command, ParseError>,
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

/// The words after a command's name, and who may use the command with them.
#[derive(Debug)]
pub struct Arguments {
    words: VecDeque<String>,
    needs: Needs,
}

impl Arguments {
    /// The arguments of `command`.
    pub(super) fn new(command: &Spec, words: VecDeque<String>) -> Self {
        Self { words, needs: command.needs }
    }

    /// Who may use the command with the arguments read so far.
    pub(super) fn needs(&self) -> Needs {
        self.needs
    }

    /// From here on the command needs another role than its row says.
    pub(super) fn require(&mut self, needs: Needs) {
        self.needs = needs;
    }

    pub(super) fn peek(&self) -> Option<String> {
        self.words.front().cloned()
    }

    pub(super) fn next(&mut self) -> Option<String> {
        self.words.pop_front()
    }

    pub(super) fn required(&mut self, command: &'static Spec) -> Result<String, ParseError> {
        self.next().ok_or(ParseError::MissingArgument { command })
    }

    pub(super) fn rest(&mut self) -> String {
        self.words.drain(..).collect::<Vec<_>>().join(" ")
    }
}
