//! `accounts.open`, `account.save`, `account.toggle`: main accounts and their key pairs.

use super::action::{Action, Change, ClickContext, ClickOutcome, Opened};
use super::fields::Fields;
use crate::app::accounts::{self, NewAccount};
use crate::app::{Error, Refusal};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Processing, Toast};
use crate::domain::{AccountId, Report, Switch, TaskKind, UpdateTarget};
use crate::store::{Source, StoreError, View, WriteTx};

/// `accounts.open`
#[derive(Debug, PartialEq, Eq)]
pub struct AccountsOpen {
    /// Shows the form for replacing this account's key pair.
    pub replacing: Option<AccountId>,
    /// The page, from 1.
    pub page: usize,
}

impl Action for AccountsOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { replacing: fields.optional_account()?, page: fields.page() })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        accounts_card(handlers, tx, self.replacing.as_ref(), self.page, ctx)
    }

    /// Also refreshes stale balances, unless a form is open that the result would replace.
    fn open<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Opened, Error> {
        let view = accounts::view(tx, self.replacing.as_ref(), self.page)?;
        let refresh = self.replacing.is_none() && accounts::balances_are_old(&view, ctx.now);
        let task = refresh.then_some(TaskKind::ReadBalances);
        Ok(Opened { card: handlers.cards.accounts(&view, ctx), task })
    }
}

impl Change for AccountsOpen {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        drop_pending_balance_updates(tx, click)?;
        Ok(self.open(handlers, tx, &click.with_empty_form())?.into())
    }
}

fn accounts_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    replacing: Option<&AccountId>,
    page: usize,
    ctx: &CardContext,
) -> Result<Card, Error> {
    Ok(handlers.cards.accounts(&accounts::view(tx, replacing, page)?, ctx))
}

/// Keeps balances that were requested earlier from replacing the clicked card.
fn drop_pending_balance_updates(tx: &WriteTx, click: &ClickContext) -> Result<(), StoreError> {
    match &click.report {
        Some(Report { target: UpdateTarget::Message { id }, .. }) => {
            tx.drop_pending_balance_updates(id)
        }
        _ => Ok(()),
    }
}

/// `account.save`
#[derive(Debug, PartialEq, Eq)]
pub struct AccountSave {
    /// As typed.
    pub account: NewAccount,
    /// The page to return to.
    pub page: usize,
}

impl Action for AccountSave {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            account: NewAccount {
                known: fields.optional_account()?,
                id: fields.typed("account"),
                name: fields.free_text("name"),
                access_key: fields.typed("access_key").into(),
                secret_key: fields.typed("secret_key").into(),
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
        accounts_card(handlers, tx, self.account.known.as_ref(), self.page, ctx)
    }
}

impl Change for AccountSave {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let task = accounts::save(tx, &handlers.store, &self.account)?;
        drop_pending_balance_updates(tx, click)?;
        let ctx = click.with_empty_form();
        let account = match &task {
            TaskKind::CheckAccount { account, .. } => account.clone(),
            _ => return self.show(handlers, tx, &ctx).map(ClickOutcome::card),
        };
        let card = handlers.cards.processing(&Processing::Account(account), &ctx);
        Ok(ClickOutcome::card(card)
            .with_task(task)
            .with_toast(&handlers.cards, &Toast::AccountChecking))
    }
}

/// `account.toggle`
#[derive(Debug, PartialEq, Eq)]
pub struct AccountToggle {
    /// The account.
    pub account: AccountId,
    /// The desired state.
    pub active: Switch,
    /// The page to return to.
    pub page: usize,
}

impl Action for AccountToggle {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            account: fields.optional_account()?.ok_or(Refusal::BadField("account"))?,
            active: fields.switch("enabled")?,
            page: fields.page(),
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        accounts_card(handlers, tx, None, self.page, ctx)
    }
}

impl Change for AccountToggle {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        accounts::toggle(tx, &self.account, self.active, click.card_ctx.now)?;
        drop_pending_balance_updates(tx, click)?;
        let name = tx.account(&self.account)?.map(|account| account.name).unwrap_or_default();
        let toast = Toast::AccountToggled { account: name, enabled: self.active.is_on() };
        let card = self.show(handlers, tx, &click.with_empty_form())?;
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &toast))
    }
}
