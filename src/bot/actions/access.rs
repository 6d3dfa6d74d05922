//! `user.enable` and `user.disable`: a user's access is restored or cut. The enforcer does it; here it is enqueued.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use super::users::user_card;
use crate::app::{Error, Refusal, access, users};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{AccessGoal, UserKey};
use crate::store::{Source, View, WriteTx};

/// `user.enable`
#[derive(Debug, PartialEq, Eq)]
pub struct UserEnable {
    /// Whose access is restored.
    pub user: UserKey,
}

impl Action for UserEnable {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        user_card(handlers, tx, &self.user, ctx)
    }
}

impl Change for UserEnable {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        change_access(handlers, tx, &self.user, AccessGoal::Restored, click)
    }
}

/// `user.disable`
#[derive(Debug, PartialEq, Eq)]
pub struct UserDisable {
    /// Whose access is cut.
    pub user: UserKey,
}

impl Action for UserDisable {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        user_card(handlers, tx, &self.user, ctx)
    }
}

impl Change for UserDisable {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        change_access(handlers, tx, &self.user, AccessGoal::Cut, click)
    }
}

fn change_access(
    handlers: &Handlers,
    tx: &WriteTx,
    user: &UserKey,
    goal: AccessGoal,
    click: &ClickContext,
) -> Result<ClickOutcome, Error> {
    let by = handlers.operator(tx, &click.operator)?;
    access::request(tx, user, goal, by, click.report.clone(), click.card_ctx.now)?;
    let card = user_card(handlers, tx, user, &click.with_empty_form())?;
    let toast = Toast::AccessChanging { user: user.clone(), goal };
    Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &toast))
}

/// The question that `/enable` and `/disable` answer, with a button that does it.
pub fn confirm_access<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    user: &UserKey,
    goal: AccessGoal,
    ctx: &CardContext,
) -> Result<Card, Error> {
    let user = access::check(tx, user, goal)?;
    let detail = users::detail(tx, &handlers.settings(tx)?, user)?;
    Ok(handlers.cards.access_confirm(&detail, goal, ctx))
}
