//! Making a user, step by step: what is wanted, and how far it is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Money, OpId, OpenId, Operator, ProjectName, Report, UserKey};

/// A user to be made. Checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUser {
    /// Account and user name.
    pub key: UserKey,
    /// May be empty.
    #[serde(default)]
    pub display_name: String,
    /// May be empty.
    #[serde(default)]
    pub email: String,
    /// May be empty.
    #[serde(default)]
    pub phone: String,
    /// The first project.
    #[serde(default)]
    pub project: Option<ProjectName>,
    /// The first quota.
    #[serde(default)]
    pub quota: Option<Money>,
    /// Whether console login is set up.
    #[serde(default)]
    pub login: bool,
    /// Whether an access key is made.
    #[serde(default)]
    pub access_key: bool,
}

/// How far one thing is that can be made only once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It certainly was not made.
    #[default]
    Open,
    /// It may have been made. Committed before the first call.
    Tried,
    /// It is there.
    Done,
}

/// How far the access key is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum KeyStep {
    /// None was made.
    #[default]
    Open,
    /// One may have been made, whose secret nobody has. Committed before the call.
    Tried {
        /// Keys that were there before: not ours.
        before: Vec<String>,
        /// When.
        at: Timestamp,
    },
    /// It is there.
    Done {
        /// `AKLT…`
        id: String,
    },
}

impl KeyStep {
    /// The same without the details.
    pub fn step(&self) -> Step {
        match self {
            KeyStep::Open => Step::Open,
            KeyStep::Tried { .. } => Step::Tried,
            KeyStep::Done { .. } => Step::Done,
        }
    }
}

/// Why a creation stopped before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "halt")]
pub enum Halt {
    /// The cloud has a user of that name, made by somebody else.
    Exists,
    /// The cloud refused or did not answer.
    Cloud {
        /// In its words.
        reason: String,
    },
}

/// Where the password and the access key went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "secrets")]
pub enum SecretsSent {
    /// There was nothing to send yet.
    #[default]
    None,
    /// They are owed to, or were delivered in, the operator's direct chat.
    Sent,
    /// The operator cannot be reached: they were thrown away.
    Lost {
        /// In the platform's words.
        reason: String,
    },
}

/// A user that is being made. Its row is kept, so that a repeat never makes anything twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// Ascending.
    pub id: u64,
    /// Stands in the user's description in the cloud: by it the user is known again after an unclear failure.
    pub mark: String,
    /// What is wanted.
    pub wanted: NewUser,
    /// What was typed, by field.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// Who asked for it, or for its continuation. Secrets go to this person.
    pub operator: Operator,
    /// The forms that asked for it.
    #[serde(default)]
    pub ops: Vec<OpId>,
    /// Whether a task works on it.
    pub running: bool,
    /// The user itself. Done means that its record is kept, too.
    #[serde(default)]
    pub user: Step,
    /// Whether the first project was linked.
    #[serde(default)]
    pub linked: bool,
    /// Whether the first quota was booked.
    #[serde(default)]
    pub booked: bool,
    /// Console login.
    #[serde(default)]
    pub login: Step,
    /// The access key.
    #[serde(default)]
    pub key: KeyStep,
    /// Secrets that were not sent yet, sealed.
    #[serde(default)]
    pub sealed: Option<String>,
    /// Where the secrets went.
    #[serde(default)]
    pub sent: SecretsSent,
    /// Why it stopped.
    #[serde(default)]
    pub halt: Option<Halt>,
    /// The card that shows it.
    #[serde(default)]
    pub report: Option<Report>,
    /// When it was asked for.
    pub created: Timestamp,
}

impl Creation {
    /// Whether everything that is wanted is there.
    pub fn is_complete(&self) -> bool {
        self.user == Step::Done
            && (!self.wanted.login || self.login == Step::Done)
            && (!self.wanted.access_key || self.key.step() == Step::Done)
    }

    /// Whether nothing of it exists for certain: then the form may be filled in anew.
    pub fn made_nothing(&self) -> bool {
        self.user == Step::Open
    }

    /// The person who gets the secrets.
    pub fn person(&self) -> Option<&OpenId> {
        match &self.operator {
            Operator::Person { open_id, .. } => Some(open_id),
            Operator::System => None,
        }
    }
}
