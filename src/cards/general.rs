//! Help, candidates, and plain messages.

use super::engine::template;
use super::text::clip;
use super::{Card, CardContext, Cards, colour};
use crate::app::steps::{FirstStep, FirstSteps};
use crate::cards::wording::{Tone, Wording};
use crate::domain::{AccessGoal, BillPeriod, Money, UserKey};

/// The help card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelpView {
    /// The commands, in the order of the command table.
    pub rows: Vec<HelpRow>,
    /// The unknown command.
    pub unknown: Option<String>,
    /// The most similar command, written like [`HelpRow::command`].
    pub nearest: Option<String>,
    /// Whether it offers to send alerts to the group that it is in.
    pub offers_alerts: bool,
    /// The first steps, as long as one is left.
    pub steps: Option<FirstSteps>,
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
    /// What choosing one does.
    pub chosen: Chosen,
}

/// What choosing a candidate does: the command goes on, with all that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Opens the user.
    User,
    /// Opens the user's projects.
    Projects,
    /// Opens the user's quota.
    Quota,
    /// Allocates.
    Allocate {
        /// How much.
        amount: Money,
        /// May be empty.
        note: String,
    },
    /// Opens the user's spending.
    Billing {
        /// `None` = the current month.
        period: Option<BillPeriod>,
    },
    /// Opens the user's alerts.
    Alerts,
    /// Asks before access is cut or restored.
    Access(AccessGoal),
}

impl Chosen {
    /// The action that does it.
    fn action(&self) -> &'static str {
        match self {
            Chosen::User => "user.open",
            Chosen::Projects => "projects.open",
            Chosen::Quota => "quota.open",
            Chosen::Allocate { .. } => "quota.allocate",
            Chosen::Billing { .. } => "billing.open",
            Chosen::Alerts => "alerts.list",
            Chosen::Access(_) => "access.ask",
        }
    }

    /// What it does, if it does more than open the user.
    fn words(&self, words: Wording) -> Option<String> {
        Some(match self {
            Chosen::User => return None,
            Chosen::Projects => words.t("button.projects", &[]),
            Chosen::Quota => words.t("button.quota", &[]),
            Chosen::Billing { .. } => words.t("button.billing", &[]),
            Chosen::Alerts => words.t("button.alerts", &[]),
            Chosen::Access(AccessGoal::Cut) => words.t("button.disable", &[]),
            Chosen::Access(AccessGoal::Restored) => words.t("button.enable", &[]),
            Chosen::Allocate { amount, note } => {
                let amount = match amount.is_negative() {
                    true => words.t("candidates.deduct", &[("amount", &-*amount)]),
                    false => words.t("candidates.allocate", &[("amount", amount)]),
                };
                if note.is_empty() { amount } else { format!("{amount} · {}", clip(note, 40)) }
            }
        })
    }
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
    offers_alerts: bool,
    steps: Option<String>,
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
    action: &'static str,
    does: Option<String>,
    amount: Option<String>,
    note: Option<&'a str>,
    period: Option<String>,
    goal: Option<&'static str>,
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
            offers_alerts: view.offers_alerts,
            steps: view.steps.as_ref().map(|steps| {
                let total = FirstStep::ALL.len();
                self.words.t("steps.open", &[("done", &steps.count()), ("total", &total)])
            }),
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
        let chosen = match view.chosen {
            // Others only look.
            Chosen::Allocate { .. } | Chosen::Access(_) if !ctx.role.may_change() => &Chosen::User,
            _ => &view.chosen,
        };
        let (amount, note) = match chosen {
            Chosen::Allocate { amount, note } => (Some(amount.plain()), Some(note.as_str())),
            _ => (None, None),
        };
        let period = match chosen {
            Chosen::Billing { period } => period.map(|period| period.to_string()),
            _ => None,
        };
        let goal = match chosen {
            Chosen::Access(goal) => Some(goal.word()),
            _ => None,
        };
        let facts = CandidatesFacts {
            action: chosen.action(),
            does: chosen.words(self.words),
            amount,
            note: note.filter(|note| !note.is_empty()),
            period,
            goal,
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
