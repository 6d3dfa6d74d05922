//! The first steps of a new installation.

use super::engine::template;
use super::{Card, CardContext, Cards};
use crate::app::steps::{FirstStep, FirstSteps};

/// The facts of the card.
struct StepsFacts {
    done: usize,
    total: usize,
    all: bool,
    rows: Vec<Row>,
}

/// A step.
struct Row {
    number: usize,
    text: String,
    about: String,
    done: bool,
    /// Whether it is the one to do next: the others have no button.
    next: bool,
    account: bool,
    sync: bool,
    cycle: bool,
    /// For steps that are done on a user's card: which users.
    filter: Option<&'static str>,
    button: String,
}

template!("steps");

impl Cards {
    /// What to do first: `steps.open`, `/help` and the welcome while a step is left.
    pub fn first_steps(&self, steps: &FirstSteps, ctx: &CardContext) -> Card {
        let rows = FirstStep::ALL
            .into_iter()
            .zip(1..)
            .map(|(step, number)| self.step(step, number, steps, ctx.in_group));
        let facts = StepsFacts {
            done: steps.count(),
            total: FirstStep::ALL.len(),
            all: steps.next().is_none(),
            rows: rows.collect(),
        };
        self.card(ctx, &facts)
    }

    fn step(&self, step: FirstStep, number: usize, steps: &FirstSteps, in_group: bool) -> Row {
        let words = self.words;
        let (text, about, button) = match step {
            // Key pairs are typed in the direct chat only.
            FirstStep::Account if in_group => {
                ("steps.account", "steps.account_group", "steps.account_go")
            }
            FirstStep::Account => ("steps.account", "steps.account_about", "steps.account_go"),
            FirstStep::Sync => ("steps.sync", "steps.sync_about", "steps.sync_go"),
            FirstStep::Link => ("steps.link", "steps.link_about", "steps.link_go"),
            FirstStep::Quota => ("steps.quota", "steps.quota_about", "steps.quota_go"),
            FirstStep::Cycle => ("steps.cycle", "steps.cycle_about", "steps.cycle_go"),
        };
        Row {
            number,
            text: words.t(text, &[]),
            about: words.t(about, &[]),
            done: steps.is_done(step),
            next: steps.next() == Some(step),
            account: step == FirstStep::Account && !in_group,
            sync: step == FirstStep::Sync,
            cycle: step == FirstStep::Cycle,
            filter: match step {
                FirstStep::Link => Some("all"),
                FirstStep::Quota => Some("unallocated"),
                FirstStep::Account | FirstStep::Sync | FirstStep::Cycle => None,
            },
            button: words.t(button, &[]),
        }
    }
}
