//! Proof of a cut: what the usage of the user's own projects says in the days after it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ProjectName;

/// What still spends after a cut.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spender {
    /// The project.
    pub project: ProjectName,
    /// The endpoint's id, `ep-…`; empty if the usage does not name one.
    pub endpoint: String,
    /// The key's id; empty if the usage does not name one.
    pub key: String,
}

/// What the usage after a cut says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ProofState {
    /// No hour that counts is known yet.
    Waiting,
    /// Nothing was spent.
    Nothing {
        /// Until when the usage is known: it is seen late.
        until: Timestamp,
    },
    /// Something still spends.
    Spending,
    /// The usage cannot be read or understood: nothing is proven.
    Unproven {
        /// Why, in words for people.
        reason: String,
    },
}

/// The watch over a user's own projects after a confirmed cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// When the cut was confirmed.
    pub cut: Timestamp,
    /// The projects whose usage is watched: no other user of the account is linked to them.
    pub projects: Vec<ProjectName>,
    /// What it says so far.
    #[serde(flatten)]
    pub state: ProofState,
    /// When the usage was last read.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// What was found to spend; each is alerted once.
    #[serde(default)]
    pub spenders: Vec<Spender>,
}
