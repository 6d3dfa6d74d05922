//! Help, candidates, and plain messages.

use minijinja::{Value, context};

use super::{Card, Cards, Look, colour};
use crate::cards::wording::Tone;
use crate::domain::{BillPeriod, UserKey};

/// The help card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelpView {
    /// The commands, in the order of the command table.
    pub rows: Vec<HelpRow>,
    /// The command that nobody knows.
    pub unknown: Option<String>,
    /// The nearest one, written like [`HelpRow::command`].
    pub nearest: Option<String>,
}

/// One command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelpRow {
    /// `/user NAME`
    pub usage: String,
    /// The Chinese aliases.
    pub alias: String,
    /// What it does.
    pub about: String,
    /// Whether only administrators may use it: others do not see it.
    pub admin_only: bool,
    /// The command's own name as a person types it: `/user`.
    pub command: String,
}

/// Several users of one name, or those of a name near to one that nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidatesView {
    /// What was typed.
    pub name: String,
    /// Whom it may mean.
    pub candidates: Vec<Candidate>,
    /// What to say where nobody has the name.
    pub nobody: Option<String>,
}

/// One of several users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The user.
    pub key: UserKey,
    /// Display name.
    pub display_name: String,
}

/// Candidates that a card lists.
const CANDIDATES: usize = 20;

impl Cards {
    /// All commands that the person may use: `/help`, and the answer to an unknown command.
    pub fn help(&self, view: &HelpView, look: &Look) -> Card {
        let rows: Vec<Value> = view
            .rows
            .iter()
            .filter(|row| look.role.may_change() || !row.admin_only)
            .map(|row| {
                context! {
                    usage => row.usage.as_str(),
                    alias => row.alias.as_str(),
                    about => row.about.as_str(),
                    nearest => view.nearest.as_deref() == Some(row.command.as_str()),
                }
            })
            .collect();
        let facts = context! {
            rows => rows,
            unknown => view.unknown.as_deref(),
            nearest => view.nearest.as_deref(),
            period => BillPeriod::of(look.now).to_string(),
        };
        self.card("help.json.j2", look, facts)
    }

    /// A name that several accounts have, or that nobody has.
    pub fn candidates(&self, view: &CandidatesView, look: &Look) -> Card {
        let rows: Vec<Value> = view
            .candidates
            .iter()
            .take(CANDIDATES)
            .map(|candidate| {
                context! { key => candidate.key.to_string(), display => candidate.display_name.as_str() }
            })
            .collect();
        let facts = context! {
            name => view.name.as_str(),
            nobody => view.nobody.as_deref(),
            rows => rows,
            more => view.candidates.len().saturating_sub(CANDIDATES),
        };
        self.card("candidates.json.j2", look, facts)
    }

    /// A notice or an error by itself. `text` may have several lines.
    pub fn message(&self, tone: Tone, title: &str, text: &str) -> Card {
        let facts = context! {
            title => title,
            text => text,
            template => match tone {
                Tone::Info => "blue",
                other => colour(other),
            },
        };
        self.render("message.json.j2", facts)
    }
}
