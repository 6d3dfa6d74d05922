//! What a change leads to, said with its answer.

use super::action::ClickOutcome;
use crate::app::consequence;
use crate::bot::handlers::Handlers;
use crate::cards::{Banner, Card, CardContext, Toast, Tone};
use crate::domain::{User, UserKey};
use crate::store::{Source, StoreError, View};

/// What is said after a change of a user.
pub struct Said {
    /// The notice on the card; `None` if there is nothing to add to the toast.
    pub banner: Option<Banner>,
    /// Whether the change leads to a cut, or lets spending go on beyond the quota.
    pub is_grave: bool,
}

impl Said {
    /// Puts it on top of a card, unless there is another notice.
    pub fn on(&self, ctx: CardContext) -> CardContext {
        match &self.banner {
            Some(banner) if ctx.banner.is_none() => {
                CardContext { banner: Some(banner.clone()), ..ctx }
            }
            _ => ctx,
        }
    }

    /// Returns the tone of a toast about the change.
    pub fn tone(&self, toast: &Toast) -> Tone {
        if self.is_grave { Tone::Warning } else { toast.tone() }
    }

    /// Returns the answer to the click that made the change.
    pub fn outcome(&self, handlers: &Handlers, card: Card, toast: &Toast) -> ClickOutcome {
        let text = handlers.cards.words().toast(toast);
        ClickOutcome { toast: Some((self.tone(toast), text)), ..ClickOutcome::card(card) }
    }
}

impl Handlers {
    /// Returns what to say about the consequences of a change of a user; `before` is the user before it.
    pub(in crate::bot) fn said<S: Source>(
        &self,
        tx: &View<S>,
        user: &UserKey,
        before: Option<&User>,
        ctx: &CardContext,
    ) -> Result<Said, StoreError> {
        let at = self.monitor.progress().next_at.filter(|_| self.monitor.is_enabled());
        let told = consequence::of(tx, &self.settings(tx)?, user, before, at, ctx.now)?;
        Ok(Said {
            banner: told.as_ref().and_then(|told| self.cards.words().consequence(told)),
            is_grave: told.is_some_and(|told| told.is_grave()),
        })
    }
}
