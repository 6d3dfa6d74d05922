//! Help, candidates, and plain messages.

use super::engine::template;
use super::{Card, CardContext, Cards, colour};
use crate::cards::wording::Tone;
use crate::domain::{BillPeriod, UserKey};

/// The help card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelpView {
    /// The commands, in the order of the command table.
    pub rows: Vec<HelpRow>,
    /// The unknown command.
    pub unknown: Option<String>,
    /// The most similar command, written like [`HelpRow::command`].
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
    /// Whether only administrators may use it. Others do not see it.
    pub admin_only: bool,
    /// The command's own name as a person types it: `/user`.
    pub command: String,
}

/// Users to choose from: several with the same name, or some with a name similar to an unknown one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidatesView {
    /// What was typed.
    pub name: String,
    /// The users it may mean.
    pub candidates: Vec<Candidate>,
    /// The text to show if no user has the name.
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

/// Max candidates that a card lists.
const CANDIDATES: usize = 20;

/// The facts of the help card.
struct HelpFacts<'a> {
    rows: Vec<Command<'a>>,
    unknown: Option<&'a str>,
    nearest: Option<&'a str>,
    period: String,
}

/// A command.
struct Command<'a> {
    usage: &'a str,
    alias: &'a str,
    about: &'a str,
    nearest: bool,
}

template!("help");

/// The facts of the choice between users.
struct CandidatesFacts<'a> {
    name: &'a str,
    nobody: Option<&'a str>,
    rows: Vec<Person<'a>>,
    more: usize,
}

/// A user to choose.
struct Person<'a> {
    key: String,
    display: &'a str,
}

template!("candidates");

/// The facts of a message.
struct MessageFacts<'a> {
    title: &'a str,
    text: &'a str,
    template: &'static str,
}

template!("message");

impl Cards {
    /// All commands that the person may use: for `/help` and unknown commands.
    pub fn help(&self, view: &HelpView, ctx: &CardContext) -> Card {
        let rows = view.rows.iter().filter(|row| ctx.role.may_change() || !row.admin_only);
        let rows = rows.map(|row| Command {
            usage: row.usage.as_str(),
            alias: row.alias.as_str(),
            about: row.about.as_str(),
            nearest: view.nearest.as_deref() == Some(row.command.as_str()),
        });
        let facts = HelpFacts {
            rows: rows.collect(),
            unknown: view.unknown.as_deref(),
            nearest: view.nearest.as_deref(),
            period: BillPeriod::of(ctx.now).to_string(),
        };
        self.card(ctx, &facts)
    }

    /// The choice offered for an ambiguous or unknown name.
    pub fn candidates(&self, view: &CandidatesView, ctx: &CardContext) -> Card {
        let rows = view.candidates.iter().take(CANDIDATES).map(|candidate| Person {
            key: candidate.key.to_string(),
            display: candidate.display_name.as_str(),
        });
        let facts = CandidatesFacts {
            name: view.name.as_str(),
            nobody: view.nobody.as_deref(),
            rows: rows.collect(),
            more: view.candidates.len().saturating_sub(CANDIDATES),
        };
        self.card(ctx, &facts)
    }

    /// A notice or an error on its own. `text` may have several lines.
    pub fn message(&self, tone: Tone, title: &str, text: &str) -> Card {
        self.card_for_all(&MessageFacts { title, text, template: colour(tone) })
    }
}
