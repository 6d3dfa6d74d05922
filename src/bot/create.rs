//! `/create` and `user.create`: the form, what a submitted one asks for, and going on with one that stopped.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::actions::{Click, Done};
use super::{Reader, operator};
use crate::app::create::{self, CreateForm, CreateRefusal};
use crate::app::{Error, users};
use crate::cards::{Card, Look, Toast};
use crate::domain::{Creation, OpId, TaskKind};
use crate::store::{Source, View, WriteTx};

/// What a click on `user.create` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRequest {
    /// Applies once.
    pub op: OpId,
    /// The form, a new user, or going on with one.
    pub what: CreateWhat,
}

/// The form, a new user, or going on with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateWhat {
    /// The empty form.
    Form,
    /// What was typed.
    New(CreateForm),
    /// The creation that stopped.
    Continue(u64),
}

impl Reader {
    /// Takes down what is to be made; a task makes it.
    pub(super) fn create(
        &self,
        tx: &WriteTx,
        request: &CreateRequest,
        click: &Click,
        now: Timestamp,
    ) -> Result<Done, Error> {
        let by = operator(tx, &click.operator)?;
        let creation = match &request.what {
            CreateWhat::New(form) => {
                let wanted = create::check(tx, form)?;
                create::begin(tx, wanted, typed(form), &request.op, by, now)?
            }
            CreateWhat::Continue(id) => create::resume(tx, *id, &request.op, by)?,
            CreateWhat::Form => {
                return self.create_card(tx, request, &click.look).map(Done::card);
            }
        };
        let user = creation.wanted.key.clone();
        let look = Look { form: Default::default(), ..click.look.clone() };
        Ok(Done::card(self.cards.creating(&user, &look))
            .with_toast(&self.cards, &Toast::Creating(user))
            .with_task(TaskKind::CreateUser { creation: creation.id }))
    }

    /// The card of a click on `user.create`: how far its creation is by now, else the form.
    pub(super) fn create_card<S: Source>(
        &self,
        tx: &View<S>,
        request: &CreateRequest,
        look: &Look,
    ) -> Result<Card, Error> {
        let creation = match (&request.what, tx.creation_of_op(&request.op)?) {
            (_, Some(creation)) => Some(creation),
            (CreateWhat::Continue(id), None) => {
                Some(tx.creation(*id)?.ok_or(CreateRefusal::Forgotten)?)
            }
            (CreateWhat::Form | CreateWhat::New(_), None) => None,
        };
        Ok(match creation {
            Some(Creation { running: true, wanted, .. }) => self.cards.creating(&wanted.key, look),
            Some(creation) if !creation.made_nothing() => {
                let account = users::account_name(tx, &creation.wanted.key.account)?;
                self.cards.creation(&creation, &account, look)
            }
            Some(Creation { form, .. }) => {
                let look = look.clone().with_form(form);
                self.cards.create(&create::view(tx)?, &look)
            }
            None => self.cards.create(&create::view(tx)?, look),
        })
    }
}

/// The form as it comes back where the cloud refuses it.
fn typed(form: &CreateForm) -> BTreeMap<String, String> {
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
