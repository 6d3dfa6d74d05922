//! Creating a user, step by step: what is requested, and the state of each step.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Money, OpId, OpenId, Operator, ProjectName, Report, UserKey};

/// A user to create. The values have been checked.
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
    /// Whether an access key is created.
    #[serde(default)]
    pub access_key: bool,
}

/// The state of a step that must not be done twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Certainly not done.
    #[default]
    Open,
    /// Possibly done. Committed before the first call.
    Tried,
    /// Done.
    Done,
}

/// The state of the access key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum KeyStep {
    /// None was created.
    #[default]
    Open,
    /// One may have been created, but nobody has its secret. Committed before the call.
    Tried {
        /// Keys that existed before, so this step did not create them.
        before: Vec<String>,
        /// When it was tried.
        at: Timestamp,
        /// The keys that are certainly this attempt's; `None` until the keys were read after it.
        #[serde(default)]
        own: Option<Vec<String>>,
    },
    /// Created.
    Done {
        /// `AKLT…`
        id: String,
    },
}

impl KeyStep {
    /// Returns the state without its details.
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
    /// The cloud has a user with that name, created by somebody else.
    Exists,
    /// The cloud refused or did not answer.
    Cloud {
        /// Its reason.
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
    /// They were enqueued for, or delivered to, the operator's direct chat.
    Sent,
    /// The operator cannot be reached, so they were discarded.
    Lost {
        /// Feishu's reason.
        reason: String,
    },
}

/// A user that is being created. The row is kept, so that a repeat never creates anything twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// Ascending.
    pub id: u64,
    /// A mark in the user's description in the cloud, by which the user is recognised after an unclear failure.
    pub mark: String,
    /// What is requested.
    pub wanted: NewUser,
    /// What was typed, by field.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// Who requested it, or resumed it. Secrets go to this person.
    pub operator: Operator,
    /// Who requested it first, and so entered the first quota; `None` in older records, where it is `operator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_by: Option<Operator>,
    /// The forms that requested or resumed it.
    #[serde(default)]
    pub ops: Vec<OpId>,
    /// Whether a task is running for it.
    pub running: bool,
    /// The user itself. Done means that its record is stored as well.
    #[serde(default)]
    pub user: Step,
    /// Whether the first project was linked.
    #[serde(default)]
    pub linked: bool,
    /// Whether the first quota was booked.
    #[serde(default)]
    pub booked: bool,
    /// Whether the first quota waits for a second administrator.
    #[serde(default)]
    pub waits_for_second: bool,
    /// Console login.
    #[serde(default)]
    pub login: Step,
    /// The access key.
    #[serde(default)]
    pub key: KeyStep,
    /// Secrets that are still to be sent, sealed.
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
    /// When it was requested.
    pub created: Timestamp,
}

impl Creation {
    /// Returns whether everything that was requested exists.
    pub fn is_complete(&self) -> bool {
        self.user == Step::Done
            && (!self.wanted.login || self.login == Step::Done)
            && (!self.wanted.access_key || self.key.step() == Step::Done)
    }

    /// Returns whether it is certain that nothing was created, so that the form may be filled in again.
    pub fn made_nothing(&self) -> bool {
        self.user == Step::Open
    }

    /// Returns who entered the first quota: another person who resumes it does not.
    pub fn entered_by(&self) -> &Operator {
        self.entered_by.as_ref().unwrap_or(&self.operator)
    }

    /// Returns the person who receives the secrets.
    pub fn person(&self) -> Option<&OpenId> {
        match &self.operator {
            Operator::Person { open_id, .. } => Some(open_id),
            Operator::System => None,
        }
    }
}
