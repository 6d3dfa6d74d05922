//! `user.enable` and `user.disable`: enqueue restoring or cutting a user's access, which the enforcer carries out.
//! `access.withdraw` turns a change that is under way back; `access.recheck` enqueues a look at every path; `access.ask` opens the question before a change.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use super::users::user_card;
use crate::app::{Error, Refusal, access, users};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{AccessGoal, Act, Deed, TaskKind, UserKey, UserStatus};
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
        Ok(Self { user: fields.user()?, goal: goal(fields)? })
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
    let (by, now) = (handlers.operator(tx, &click.operator)?, click.card_ctx.now);
    access::request(tx, user, goal, by.clone(), click.report.clone(), now)?;
    let step = Act { deed: Deed::Access { goal }, by, at: now };
    handlers.alerts.follow_up(tx, user, &step, now)?;
    changing(handlers, tx, user, goal, click, &Toast::AccessChanging { user: user.clone(), goal })
}

/// The answer to a click that has access changed.
fn changing(
    handlers: &Handlers,
    tx: &WriteTx,
    user: &UserKey,
    goal: AccessGoal,
    click: &ClickContext,
    toast: &Toast,
) -> Result<ClickOutcome, Error> {
    let ctx = click.with_empty_form();
    if goal == AccessGoal::Cut {
        let card = user_card(handlers, tx, user, &ctx)?;
        return Ok(ClickOutcome::card(card).with_toast(&handlers.cards, toast));
    }
    let said = handlers.said(tx, user, None, &ctx)?;
    let card = user_card(handlers, tx, user, &said.on(ctx))?;
    Ok(said.outcome(handlers, card, toast))
}

/// `access.withdraw`
#[derive(Debug, PartialEq, Eq)]
pub struct AccessWithdraw {
    /// The user.
    pub user: UserKey,
    /// What is under way, and no longer wanted.
    pub goal: AccessGoal,
}

impl Action for AccessWithdraw {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()?, goal: goal(fields)? })
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

impl Change for AccessWithdraw {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let (user, goal) = (&self.user, self.goal);
        let (by, now) = (handlers.operator(tx, &click.operator)?, click.card_ctx.now);
        let report = click.report.clone();
        let wanted = access::withdraw(tx, user, goal, by.clone(), report, now)?;
        let step = Act { deed: Deed::Withdrawn { goal }, by, at: now };
        handlers.alerts.follow_up(tx, user, &step, now)?;
        let toast = Toast::AccessWithdrawn { user: user.clone(), goal };
        changing(handlers, tx, user, wanted, click, &toast)
    }
}

fn goal(fields: &Fields<'_>) -> Result<AccessGoal, Refusal> {
    let goal = fields.text("goal").and_then(|word| AccessGoal::from_word(&word));
    goal.ok_or(Refusal::BadField("goal"))
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
