//! `user.enable` and `user.disable`: enqueue restoring or cutting a user's access, which the enforcer carries out.
//! `access.recheck` enqueues a look at every path; `access.ask` opens the question before a change.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use super::users::user_card;
use crate::app::{Error, Refusal, access, users};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{AccessGoal, TaskKind, UserKey, UserStatus};
use crate::store::{Source, View, WriteTx};

/// `access.ask`
#[derive(Debug, PartialEq, Eq)]
pub struct AccessAsk {
    /// The user whose access would change.
    pub user: UserKey,
    /// The wanted access.
    pub goal: AccessGoal,
}

impl Action for AccessAsk {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let goal = fields.text("goal").and_then(|word| AccessGoal::from_word(&word));
        Ok(Self { user: fields.user()?, goal: goal.ok_or(Refusal::BadField("goal"))? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        confirm_access(handlers, tx, &self.user, self.goal, ctx)
    }
}

/// `user.enable`
#[derive(Debug, PartialEq, Eq)]
pub struct UserEnable {
    /// The user whose access is restored.
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
    /// The user whose access is cut.
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

/// `access.recheck`
#[derive(Debug, PartialEq, Eq)]
pub struct AccessRecheck {
    /// The user whose paths are read.
    pub user: UserKey,
}

impl Action for AccessRecheck {
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

impl Change for AccessRecheck {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let user = users::get(tx, &self.user)?;
        if user.status == UserStatus::Gone {
            return Err(Refusal::UserGone(user.key).into());
        }
        let toast = Toast::AccessRechecking { user: user.key.clone() };
        let text = handlers.cards.words().toast(&toast);
        let ctx = click.with_empty_form().with_banner(toast.tone(), text);
        let card = self.show(handlers, tx, &ctx)?;
        let task = TaskKind::LookAtAccess { user: user.key };
        Ok(ClickOutcome::card(card).with_task(task).with_toast(&handlers.cards, &toast))
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

/// The confirmation card that `/enable` and `/disable` reply with; its button makes the change.
pub fn confirm_access<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    user: &UserKey,
    goal: AccessGoal,
    ctx: &CardContext,
) -> Result<Card, Error> {
    let view = access::view(tx, &handlers.settings(tx)?, user, goal, ctx.now)?;
    Ok(handlers.cards.access_confirm(&view, goal, ctx))
}
