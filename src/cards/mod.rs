//! Facts become cards: Feishu card JSON 2.0, one template of `cards/` each.
//!
//! A function takes the facts of a use case and a [`Look`] (who sees it, when, with which notice on top) and returns a
//! [`Card`]. Templates lay out; everything that is worded, rounded or coloured is decided here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use crate::app::outcome::UserFilter;
use crate::domain::UserKey;

pub mod locale;
pub mod role;
pub mod wording;

mod access;
mod accounts;
mod alerts;
mod billing;
mod create;
mod engine;
mod facts;
mod general;
mod me;
mod monitor;
mod projects;
mod quota;
mod settings;
pub mod text;
mod trouble;
mod user;
mod users;

#[cfg(test)]
mod tests;

pub use locale::{Catalogue, Locale};
pub use role::Role;
pub use wording::{Toast, Tone, Wording};

pub use alerts::AlertVia;
pub use create::SecretsView;
pub use general::{Candidate, CandidatesView, HelpRow, HelpView};
pub use monitor::Processing;

// Pages as the use cases cut them: what always fits into one card (R5: 200 elements, R6: 30 KB), which the tests check.
pub use crate::app::alerts::ALERTS_A_PAGE;
pub use crate::app::billing::USERS_A_PAGE as BILLING_USERS_A_PAGE;
pub use crate::app::projects::LINKS_A_PAGE;
pub use crate::app::users::USERS_A_PAGE;

/// Where the `op` of a form comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpSource {
    /// A random UUID each: the service.
    #[default]
    Random,
    /// `op-1`, `op-2`, … for snapshots.
    Counter,
}

/// A finished card: text that is known to be JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card(String);

impl Card {
    /// The JSON text, as the `content` of a message takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The JSON text itself.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Whether a message can carry it: the request takes 30 KB with the card as an escaped string (发送消息), less a margin
    /// for what the server adds, and 200 elements.
    fn fits(&self) -> bool {
        let escaped = self.0.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        let elements = self.0.matches("\"tag\":").count();
        self.0.len().saturating_add(escaped) <= 29_000 && elements <= 200
    }

    /// The JSON value, as a callback's answer and a custom bot's message take it.
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// A notice on top of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    /// Chooses the colour.
    pub tone: Tone,
    /// Plain text.
    pub text: String,
}

/// What a person typed into a form that was refused: it comes back with the card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormState {
    /// By field name.
    pub values: BTreeMap<String, String>,
}

/// A place in the users list. It travels in callback values as `back`, so that "back" leads where the person came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPlace {
    /// From 1.
    #[serde(default)]
    pub page: usize,
    /// The filter in force.
    #[serde(default)]
    pub filter: UserFilter,
    /// The search text in force; empty = none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
}

impl ListPlace {
    /// The place that a callback value carries, if it carries one.
    pub fn of_value(value: &serde_json::Value) -> Option<Self> {
        serde_json::from_value(value.get("back")?.clone()).ok()
    }

    /// Whether it is short enough to go along in every value of a card.
    fn is_small(&self) -> bool {
        self.query.chars().count() <= 24
    }
}

/// Who looks at a card, when, and with which notice and form values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Chooses which buttons there are. The role is checked again when one is pressed.
    pub role: Role,
    /// The present.
    pub now: Timestamp,
    /// A notice on top.
    pub banner: Option<Banner>,
    /// Values for the fields.
    pub form: FormState,
    /// Where "back to the list" leads; `None` = its first page.
    pub back: Option<ListPlace>,
    /// Whether it stands in a group: there the client offers the group's members where a person is chosen.
    pub in_group: bool,
}

impl Look {
    /// No notice, empty fields.
    pub fn new(role: Role, now: Timestamp) -> Self {
        let form = FormState::default();
        Self { role, now, banner: None, form, back: None, in_group: false }
    }

    /// With a notice on top.
    #[must_use]
    pub fn with_banner(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.banner = Some(Banner { tone, text: text.into() });
        self
    }

    /// With what the person typed.
    #[must_use]
    pub fn with_form(mut self, values: BTreeMap<String, String>) -> Self {
        self.form = FormState { values };
        self
    }

    /// With a place in the users list to go back to.
    #[must_use]
    pub fn with_back(mut self, back: Option<ListPlace>) -> Self {
        self.back = back;
        self
    }
}

/// Makes cards in one language.
#[derive(Debug)]
pub struct Cards {
    words: Wording,
    engine: engine::Engine,
}

impl Cards {
    /// Parses the templates once.
    pub fn new(locale: Locale, ops: OpSource) -> Self {
        let words = Wording::new(locale);
        Self { words, engine: engine::Engine::new(words, ops) }
    }

    /// Whether a cut takes the user's policies as well (`access.detach_policies`): then the questions before it say so.
    #[must_use]
    pub fn with_detach_policies(mut self, detach: bool) -> Self {
        self.engine.say("detach_policies", detach);
        self
    }

    /// The words that the cards are written in.
    pub fn words(&self) -> Wording {
        self.words
    }

    /// A template with its facts and what every card has.
    fn card(&self, template: &str, look: &Look, facts: Value) -> Card {
        let back = look.back.clone().unwrap_or_default();
        let banner = look.banner.as_ref().map(|banner| {
            context! { text => banner.text.as_str(), colour => colour(banner.tone) }
        });
        let frame = context! {
            act => engine::act(look.back.as_ref()),
            admin => look.role.may_change(),
            reader => look.role.may_read(),
            banner => banner,
            form => Value::from_pairs(look.form.values.clone()),
            back => context! {
                page => back.page.max(1), filter => back.filter.word(), query => back.query
            },
        };
        self.render(template, context! { ..facts, ..frame })
    }

    fn render(&self, template: &str, context: Value) -> Card {
        match self.engine.render(template, context) {
            Ok(json) => Card(json),
            Err(error) => {
                let chain = chain_of(&error);
                #[cfg(test)]
                assert!(chain.is_empty(), "{template}: {chain}");
                tracing::error!(template, error = chain, "a card could not be made");
                self.broken()
            }
        }
    }

    /// Made without a template: what is shown where a template fails.
    fn broken(&self) -> Card {
        let text = self.words.internal_error();
        let card = serde_json::json!({
            "schema": "2.0",
            "config": { "update_multi": true },
            "body": { "elements": [
                { "tag": "div", "text": { "tag": "plain_text", "content": text } }
            ] },
        });
        Card(card.to_string())
    }
}

/// An error with everything that caused it, in one line.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The palette's colour of a tone.
fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Info => "blue",
        Tone::Success => "green",
        Tone::Warning => "orange",
        Tone::Error => "red",
    }
}

/// A user's name as a card shows it: with the account where the name alone is not clear.
fn shown_name(key: &UserKey, ambiguous: bool) -> String {
    if ambiguous { key.to_string() } else { key.username.to_string() }
}
