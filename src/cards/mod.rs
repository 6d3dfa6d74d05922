//! Renders facts as cards: Feishu card JSON 2.0, one template of `cards/` per card.
//!
//! A function takes the facts of a use case and a [`CardContext`] (who sees the card, when, with which notice on top) and returns
//! a [`Card`]. Templates do the layout; wording, rounding and colours are decided here. Rules R1 to R38 are those of
//! `docs/platforms/card-rules.md`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use minijinja::{Value, context};

use crate::domain::{AccessRules, Role, UserKey};

pub mod locale;
pub mod wording;

mod access;
mod accounts;
mod alerts;
mod bar;
mod billing;
mod compact;
mod create;
mod days;
mod engine;
mod facts;
mod general;
mod me;
mod monitor;
mod paths;
mod projects;
mod quota;
mod rest;
mod settings;
mod sharing;
mod submit;
pub mod text;
mod toast;
mod trouble;
mod user;
mod users;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::config::Locale;
pub use locale::Catalogue;
pub use toast::Toast;
pub use wording::{Tone, Wording};

pub use alerts::AlertVia;
pub use create::SecretsView;
pub use general::{Candidate, CandidatesView, Chosen, HelpRow, HelpView};
pub use monitor::Processing;
pub use submit::value_in_name;

// Page sizes of the use cases. Tests check that a full page fits into one card (R5: 200 elements, R6: 30 KB).
pub use crate::app::alerts::ALERTS_A_PAGE;
pub use crate::app::billing::USERS_A_PAGE as BILLING_USERS_A_PAGE;
pub use crate::app::listing::USERS_A_PAGE;
pub use crate::app::outcome::ListPlace;
pub use crate::app::projects::LINKS_A_PAGE;
pub use crate::app::rest::REST_A_PAGE;

/// How the `op` of a form, its idempotency key, is generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpIds {
    /// As a random UUID: in the service.
    #[default]
    Random,
    /// As `op-1`, `op-2`, …: in snapshots.
    Counter,
}

/// A rendered card: valid JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card(String);

impl Card {
    /// The JSON text, for the `content` of a message.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes the JSON text.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Whether a message can carry it: at most 200 elements, and 30 KB per request with the card as an escaped string
    /// (发送消息), less a margin for what the server adds.
    fn fits(&self) -> bool {
        self.escaped_len() <= 29_000 && self.0.matches("\"tag\":").count() <= 200
    }

    /// Its length as a string within JSON, without the quotes.
    fn escaped_len(&self) -> usize {
        let escaped = self.0.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        self.0.len().saturating_add(escaped)
    }

    /// The JSON value.
    #[cfg(test)]
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// A notice on top of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    /// Determines the colour.
    pub tone: Tone,
    /// Plain text.
    pub text: String,
}

/// What a person typed into a form that was refused. It is shown again with the card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormState {
    /// By field name.
    pub values: BTreeMap<String, String>,
}

/// How a card is rendered: for whom, when, and with which notice and form values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardContext {
    /// Determines which buttons there are. The role is checked again when one is pressed.
    pub role: Role,
    /// The current time.
    pub now: Timestamp,
    /// A notice on top.
    pub banner: Option<Banner>,
    /// Values for the fields.
    pub form: FormState,
    /// Where "back to the list" leads; `None` = its first page.
    pub back: Option<ListPlace>,
    /// Whether the card is in a group. There the client offers the group's members when a person is to be chosen.
    pub in_group: bool,
}

impl CardContext {
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
    rules: AccessRules,
}

impl Cards {
    /// Parses the templates once.
    pub fn new(locale: Locale, ops: OpIds) -> Self {
        let words = Wording::new(locale);
        let (engine, rules) = (engine::Engine::new(words, ops), AccessRules::default());
        Self { words, engine, rules: rules.clone() }.with_rules(rules)
    }

    /// Sets what a cut closes, which the question before a cut says.
    #[must_use]
    pub fn with_rules(mut self, rules: AccessRules) -> Self {
        self.rules = rules;
        self.engine.set("disable_text", self.disable_text());
        self
    }

    /// The wording of the cards' language.
    pub fn words(&self) -> Wording {
        self.words
    }

    /// Renders a template with its facts and the variables that every card has.
    fn card(&self, template: &str, ctx: &CardContext, facts: Value) -> Card {
        let back = ctx.back.clone().unwrap_or_default();
        let banner = ctx.banner.as_ref().map(|banner| {
            context! { text => banner.text.as_str(), colour => colour(banner.tone) }
        });
        let frame = context! {
            act => engine::act(ctx.back.as_ref()),
            admin => ctx.role.may_change(),
            reader => ctx.role.may_read(),
            banner => banner,
            form => Value::from_pairs(ctx.form.values.clone()),
            back => context! {
                page => back.page.max(1), filter => back.filter.word(), query => back.query
            },
        };
        self.render(template, context! { ..facts, ..frame })
    }

    fn render(&self, template: &str, context: Value) -> Card {
        #[cfg(test)]
        tests::RENDERED.with_borrow_mut(|rendered| rendered.insert(template.to_owned()));
        match self.engine.render(template, context) {
            Ok(json) => Card(json),
            Err(error) => {
                let chain = chain_of(&error);
                #[cfg(test)]
                assert!(chain.is_empty(), "{template}: {chain}");
                tracing::error!(template, error = chain, "a card could not be rendered");
                self.broken()
            }
        }
    }

    /// The card shown when a template fails. It is made without one.
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

/// An error and its causes, in one line.
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

/// The colour of a tone in Feishu's palette.
fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Info => "blue",
        Tone::Success => "green",
        Tone::Warning => "orange",
        Tone::Error => "red",
    }
}

/// A user's name as a card shows it: with the account if the name alone is ambiguous.
fn shown_name(key: &UserKey, ambiguous: bool) -> String {
    if ambiguous { key.to_string() } else { key.username.to_string() }
}
