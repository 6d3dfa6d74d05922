//! What all card actions have in common: how they are read, carried out and shown.

use super::fields::Fields;
use crate::app::{Error, Refusal};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Cards, Toast, Tone};
use crate::domain::{ChatId, OpenId, Report, TaskKind};
use crate::store::{Source, View, WriteTx};

/// The request that a card's control makes: typed fields, read from the callback value and the form.
pub trait Action: Sized {
    /// Reads the fields.
    ///
    /// # Errors
    /// [`Refusal::BadField`] for a missing or malformed field, [`Refusal::BadPeriod`].
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal>;

    /// Makes the action's card. It is shown when the action opens it, after the action is carried out, and, with the typed
    /// values, after a refusal.
    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error>;

    /// Opens the card. Implemented where opening may also start work in the background.
    fn open<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Opened, Error> {
        Ok(Opened { card: self.show(handlers, tx, ctx)?, task: None })
    }
}

/// An action that changes something.
pub trait Change: Action {
    /// Carries it out. Any error rolls the transaction back.
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error>;
}

/// Who clicked, in which chat, and what the form held.
#[derive(Clone)]
pub struct ClickContext {
    /// Who clicked.
    pub operator: OpenId,
    /// The chat.
    pub chat: Option<ChatId>,
    /// How cards in answer to the click are rendered, with the typed values in the form.
    pub card_ctx: CardContext,
    /// The clicked card, where a later result is shown; `None` for an alert, which stays an alert.
    pub report: Option<Report>,
}

impl ClickContext {
    /// The same context with an empty form, for use after the form's values were applied.
    pub fn with_empty_form(&self) -> CardContext {
        CardContext { form: Default::default(), ..self.card_ctx.clone() }
    }
}

/// An opened card, and the background work that will update it.
pub struct Opened {
    /// The card.
    pub card: Card,
    /// Work whose result the card will show.
    pub task: Option<TaskKind>,
}

/// The outcome of a click.
#[derive(Default)]
pub struct ClickOutcome {
    /// Shown briefly.
    pub toast: Option<(Tone, String)>,
    /// Replaces the clicked card.
    pub card: Option<Card>,
    /// Background work that reports to the clicked card.
    pub task: Option<TaskKind>,
    /// Whether the click was refused.
    pub refused: bool,
}

impl ClickOutcome {
    /// Only a card.
    pub fn card(card: Card) -> Self {
        Self { card: Some(card), ..Self::default() }
    }

    /// The same with background work.
    pub fn with_task(self, task: TaskKind) -> Self {
        Self { task: Some(task), ..self }
    }

    /// The same with a toast.
    pub fn with_toast(self, cards: &Cards, toast: &Toast) -> Self {
        Self { toast: Some((toast.tone(), cards.words().toast(toast))), ..self }
    }
}

impl From<Opened> for ClickOutcome {
    fn from(opened: Opened) -> Self {
        Self { task: opened.task, ..Self::card(opened.card) }
    }
}
