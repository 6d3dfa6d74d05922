//! `steps.open`: the first steps of a new installation.

use super::action::Action;
use super::fields::Fields;
use crate::app::{Error, Refusal, steps};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext};
use crate::store::{Source, View};

/// `steps.open`
#[derive(Debug, PartialEq, Eq)]
pub struct StepsOpen;

impl Action for StepsOpen {
    fn read(_: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        Ok(handlers.cards.first_steps(&steps::view(tx)?, ctx))
    }
}
