//! `alerts.list`: past alerts.

use super::action::Action;
use super::fields::Fields;
use crate::app::{Error, Refusal, alerts};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext};
use crate::domain::{AlertKind, UserKey};
use crate::store::{Source, View};

/// `alerts.list`
#[derive(Debug, PartialEq, Eq)]
pub struct AlertsList {
    /// Only of this user.
    pub user: Option<UserKey>,
    /// Only of this type.
    pub kind: Option<AlertKind>,
    /// From 1.
    pub page: usize,
}

impl Action for AlertsList {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.optional_user()?,
            kind: match fields.text("type") {
                Some(word) => Some(AlertKind::from_word(&word).ok_or(Refusal::BadField("type"))?),
                None => None,
            },
            page: fields.page(),
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let view = alerts::view(tx, self.user.as_ref(), self.kind, self.page)?;
        Ok(handlers.cards.alerts(&view, ctx))
    }
}
