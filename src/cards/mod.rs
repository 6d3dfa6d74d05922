//! Renders facts as cards: Feishu card JSON 2.0, one template of `cards/` per card.
//!
//! A function takes the facts of a use case and a [`CardContext`] (who sees the card, when, with which notice on top) and returns
//! a [`Card`]. Templates do the layout; wording, rounding and colours are decided here. Rules R1 to R38 are those of
//! `docs/platforms/card-rules.md`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::app::outcome::UserFilter;
use crate::domain::{AccessRules, AccountId, OpenId, Role, UserCard, UserKey};

pub mod locale;
pub mod wording;

mod access;
mod accounts;
mod alerts;
mod bar;
mod batch;
mod batch_words;
mod billing;
mod condition;
mod consequence;
mod create;
mod days;
mod digest;
mod engine;
mod facts;
mod general;
mod incident;
mod large;
mod me;
mod monitor;
mod notice;
mod paths;
mod people_words;
mod projects;
mod quota;
mod request;
mod rest;
mod settings;
mod sharing;
mod steps;
mod submit;
pub mod text;
mod toast;
mod trouble;
mod user;
mod users;

#[cfg(test)]
pub(crate) mod tests;

use engine::{Alerts, Back, Frame, Ops, Out, Ribbon, Template};

pub use crate::config::Locale;
pub use locale::Catalogue;
pub use toast::Toast;
pub use wording::{Tone, Wording};

pub use alerts::AlertVia;
pub use batch::{BatchView, BulkView};
pub use create::SecretsView;
pub use general::{Candidate, CandidatesView, Chosen, HelpRow, HelpView};
pub use large::Typed;
pub use monitor::{Processing, SyncProgress};
pub use submit::value_in_name;
pub use users::EVERY_ACCOUNT;

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
    /// As a random UUID that holds when the card was rendered: in the service.
    #[default]
    Random,
    /// As `op-1`, `op-2`, …: in snapshots.
    Counter,
}

/// A rendered card: valid JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    json: String,
    shows: Option<Box<Shows>>,
}

/// Which card of a user it is, and how it was rendered: what is needed to bring it up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shows {
    /// The user.
    pub user: UserKey,
    /// Which card.
    pub card: UserCard,
    /// For whom. Without a notice, and without what was typed.
    pub ctx: CardContext,
}

impl Card {
    /// The JSON text, for the `content` of a message.
    pub fn as_str(&self) -> &str {
        &self.json
    }

    /// Takes the JSON text.
    pub fn into_string(self) -> String {
        self.json
    }

    /// What it shows, if it is a card of a user that is brought up to date.
    pub fn shows(&self) -> Option<&Shows> {
        self.shows.as_deref()
    }

    /// The same card as one of a user's.
    fn of_user(self, user: &UserKey, card: UserCard, ctx: &CardContext) -> Self {
        let ctx = CardContext {
            role: ctx.role,
            now: ctx.now,
            banner: None,
            form: FormState::default(),
            back: ctx.back.clone(),
            alerts: ctx.alerts.clone(),
            in_group: ctx.in_group,
            person: ctx.person.clone(),
        };
        let shows = Some(Box::new(Shows { user: user.clone(), card, ctx }));
        Self { shows, ..self }
    }

    /// Whether a message can carry it: at most 200 elements, and 30 KB per request with the card as an escaped string
    /// (发送消息), less a margin for what the server adds.
    fn fits(&self) -> bool {
        self.escaped_len() <= 29_000
            && memchr::memmem::find_iter(self.json.as_bytes(), "\"tag\":").count() <= 200
    }

    /// Its length as a string within JSON, without the quotes.
    fn escaped_len(&self) -> usize {
        let escaped = self.json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        self.json.len().saturating_add(escaped)
    }

    /// The JSON value.
    #[cfg(test)]
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(&self.json).unwrap_or_default()
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

/// A place in the list of alerts. Callback values carry it within `back`, like [`ListPlace`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertsPlace {
    /// Only of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only of this type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The page, from 1.
    #[serde(default)]
    pub page: usize,
}

impl AlertsPlace {
    /// The place in a callback value, if there is one.
    pub fn of_value(value: &serde_json::Value) -> Option<Self> {
        serde_json::from_value(value.get("back")?.get("alerts")?.clone()).ok()
    }

    /// What callback values carry.
    fn to_json(&self) -> Option<String> {
        Some(format!("{{\"alerts\":{}}}", serde_json::to_string(self).ok()?))
    }
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
    /// Where "back to the alerts" leads, for a card that was opened there.
    pub alerts: Option<AlertsPlace>,
    /// Whether the card is in a group. There the client offers the group's members when a person is to be chosen.
    pub in_group: bool,
    /// Who looks at it, if it is somebody's own card.
    pub person: Option<OpenId>,
}

impl CardContext {
    /// No notice, empty fields.
    pub fn new(role: Role, now: Timestamp) -> Self {
        let form = FormState::default();
        Self {
            role,
            now,
            banner: None,
            form,
            back: None,
            alerts: None,
            in_group: false,
            person: None,
        }
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

    /// For this person.
    #[must_use]
    pub fn for_person(mut self, person: OpenId) -> Self {
        self.person = Some(person);
        self
    }

    /// With a place in the list of alerts to go back to.
    #[must_use]
    pub fn with_alerts(mut self, alerts: Option<AlertsPlace>) -> Self {
        self.alerts = alerts;
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
    locale: Locale,
    ops: Ops,
    rules: AccessRules,
}

impl Cards {
    /// Cards in `locale`.
    pub fn new(locale: Locale, ops: OpIds) -> Self {
        let (words, ops, rules) = (Wording::new(locale), Ops::new(ops), AccessRules::default());
        Self { words, locale, ops, rules }
    }

    /// Sets what a cut closes, which the question before a cut says.
    #[must_use]
    pub fn with_rules(mut self, rules: AccessRules) -> Self {
        self.rules = rules;
        self
    }

    /// The wording of the cards' language.
    pub fn words(&self) -> Wording {
        self.words
    }

    /// Writes a card.
    fn card<T: Template>(&self, ctx: &CardContext, facts: &T) -> Card {
        let back = ctx.back.as_ref();
        let way_back = match &ctx.alerts {
            Some(alerts) => alerts.to_json(),
            None => back
                .filter(|place| place.is_small())
                .and_then(|place| serde_json::to_string(place).ok()),
        };
        self.write(
            &Frame {
                admin: ctx.role.may_change(),
                reader: ctx.role.may_read(),
                banner: ctx.banner.as_ref().map(Ribbon::of),
                back: back.map_or_else(first_page, |back| Back {
                    page: back.page.max(1),
                    filter: back.filter.word(),
                    query: &back.query,
                    sort: users::sort_word(back.sort),
                    account: back.account.as_ref().map(AccountId::as_str),
                }),
                way_back,
                alerts: ctx.alerts.as_ref().map(Alerts::of),
                form: &ctx.form.values,
                now: Some(ctx.now),
                ..self.frame()
            },
            facts,
        )
    }

    /// Writes a card that is the same for everybody and leads nowhere back.
    fn card_for_all<T: Template>(&self, facts: &T) -> Card {
        self.write(&self.frame(), facts)
    }

    fn frame(&self) -> Frame<'_> {
        Frame {
            locale: self.locale,
            admin: false,
            reader: false,
            banner: None,
            back: first_page(),
            way_back: None,
            alerts: None,
            form: &NOTHING_TYPED,
            ops: &self.ops,
            now: None,
        }
    }

    fn write<T: Template>(&self, frame: &Frame<'_>, facts: &T) -> Card {
        #[cfg(test)]
        tests::RENDERED.with_borrow_mut(|rendered| rendered.insert(T::NAME.to_owned()));
        let mut out = Out::new();
        facts.write(&mut out, frame);
        Card { json: out.into_json(), shows: None }
    }
}

static NOTHING_TYPED: BTreeMap<String, String> = BTreeMap::new();

fn first_page<'a>() -> Back<'a> {
    Back { page: 1, filter: UserFilter::default().word(), query: "", sort: None, account: None }
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
fn shown_name(key: &UserKey, ambiguous: bool) -> Cow<'_, str> {
    if ambiguous { key.to_string().into() } else { key.username.as_str().into() }
}
