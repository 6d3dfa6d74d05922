//! `user.create`: the form for a new user, its submission, and resuming an interrupted creation.

use std::collections::BTreeMap;

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use crate::app::create::{self, CreateForm};
use crate::app::{CreateRefusal, Error, Refusal, users};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{Creation, OpId, Report, TaskKind, UpdateTarget, UserKey};
use crate::store::{Source, View, WriteTx};

/// `user.create`
#[derive(Debug, PartialEq, Eq)]
pub struct Create {
    /// The idempotency key, which the creation keeps.
    pub op: OpId,
    /// The request.
    pub step: CreateStep,
}

/// What a click on `user.create` requests.
#[derive(Debug, PartialEq, Eq)]
pub enum CreateStep {
    /// The empty form.
    Form,
    /// A new user, as typed.
    New(CreateForm),
    /// To resume the creation with this id.
    Resume(u64),
}

impl Action for Create {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let op = fields.op()?;
        let step = match fields.number("creation") {
            Some(id) => CreateStep::Resume(id),
            None if !fields.is_submitted() => CreateStep::Form,
            None => CreateStep::New(CreateForm {
                account: fields.chosen("account"),
                username: fields.typed("username"),
                display_name: fields.free_text("display_name"),
                email: fields.typed("email"),
                phone: fields.typed("phone"),
                project: fields.chosen("project"),
                quota: fields.typed("quota"),
                login: fields.ticked("login"),
                access_key: fields.ticked("access_key"),
            }),
        };
        Ok(Self { op, step })
    }

    /// The creation's progress, or the form.
    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let cards = &handlers.cards;
        let creation = match (&self.step, tx.creation_of_op(&self.op)?) {
            (_, Some(creation)) => Some(creation),
            (CreateStep::Resume(id), None) => {
                Some(tx.creation(*id)?.ok_or(CreateRefusal::Forgotten)?)
            }
            (CreateStep::Form | CreateStep::New(_), None) => None,
        };
        Ok(match creation {
            Some(Creation { running: true, wanted, .. }) => cards.creating(&wanted.key, ctx),
            Some(creation) if !creation.made_nothing() => {
                let account = users::account_name(tx, &creation.wanted.key.account)?;
                cards.creation(&creation, &account, ctx)
            }
            Some(Creation { form, .. }) => {
                let ctx = ctx.clone().with_form(form);
                cards.create(&create::view(tx)?, &ctx)
            }
            None => cards.create(&create::view(tx)?, ctx),
        })
    }
}

impl Change for Create {
    /// Records what to create; a task creates it.
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let by = handlers.operator(tx, &click.operator)?;
        let creation = match &self.step {
            CreateStep::New(form) => {
                let wanted = create::check(tx, form)?;
                create::begin(tx, wanted, typed_values(form), &self.op, by, click.card_ctx.now)?
            }
            CreateStep::Resume(id) => create::resume(tx, *id, &self.op, by)?,
            CreateStep::Form => {
                return self.show(handlers, tx, &click.card_ctx).map(ClickOutcome::card);
            }
        };
        let user = creation.wanted.key.clone();
        Ok(ClickOutcome::card(handlers.cards.creating(&user, &click.with_empty_form()))
            .with_toast(&handlers.cards, &Toast::Creating(user))
            .with_task(TaskKind::CreateUser { creation: creation.id }))
    }
}

/// `secrets.recall`: the card with a new user's secrets goes from the chat.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretsRecall {
    /// The user.
    pub user: UserKey,
}

impl Action for SecretsRecall {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        _: &View<S>,
        _: &CardContext,
    ) -> Result<Card, Error> {
        Ok(handlers.cards.secrets_gone(&self.user))
    }
}

impl Change for SecretsRecall {
    /// The answer takes the secrets out of the card; the message itself is recalled as soon as the platform allows it.
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let now = click.card_ctx.now;
        if let Some(Report { target: UpdateTarget::Message { id }, lane }) = &click.report {
            tx.owe_recall(id, lane, now)?;
        }
        let card = self.show(handlers, tx, &click.card_ctx)?;
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &Toast::SecretsRecalled))
    }
}

/// The form's values by field, to be shown again if the cloud refuses them.
fn typed_values(form: &CreateForm) -> BTreeMap<String, String> {
    let tick = |on: bool| on.to_string();
    [
        ("account", form.account.clone()),
        ("username", form.username.clone()),
        ("display_name", form.display_name.clone()),
        ("email", form.email.clone()),
        ("phone", form.phone.clone()),
        ("project", form.project.clone()),
        ("quota", form.quota.clone()),
        ("login", tick(form.login)),
        ("access_key", tick(form.access_key)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
