//! `billing.open`: spending by month.

use super::action::Action;
use super::fields::Fields;
use crate::app::{Error, Refusal, billing};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext};
use crate::domain::{BillPeriod, UserKey};
use crate::store::{Source, View};

/// `billing.open`
#[derive(Debug, PartialEq, Eq)]
pub struct BillingOpen {
    /// The month; `None` = the current one.
    pub period: Option<BillPeriod>,
    /// Only of this user.
    pub user: Option<UserKey>,
    /// From 1.
    pub page: usize,
}

impl Action for BillingOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            // The option chosen in a select takes precedence over its callback value.
            period: match fields.option().or_else(|| fields.text("period")) {
                Some(text) => Some(text.trim().parse().map_err(|_| Refusal::BadPeriod(text))?),
                None => None,
            },
            user: fields.optional_user()?,
            page: fields.page(),
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let view = billing::view(tx, self.period, self.user.as_ref(), self.page, ctx.now)?;
        Ok(handlers.cards.billing(&view, ctx))
    }
}
