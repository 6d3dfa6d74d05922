//! `monitor.run` and `sync.run`: start a monitor cycle, and the reading of all users.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use crate::app::{Error, Refusal};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Processing, Toast};
use crate::domain::TaskKind;
use crate::store::{Source, View, WriteTx};

/// `monitor.run`
#[derive(Debug, PartialEq, Eq)]
pub struct MonitorRun;

impl Action for MonitorRun {
    fn read(_: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        Ok(handlers.cards.monitor(&handlers.monitor_view(tx)?, ctx))
    }
}

impl Change for MonitorRun {
    fn perform(
        &self,
        handlers: &Handlers,
        _: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let running = handlers.monitor.progress().running_since.is_some();
        let toast = if running { Toast::CycleRunning } else { Toast::CycleStarted };
        let card = handlers.cards.processing(&Processing::Monitor, &click.with_empty_form());
        Ok(ClickOutcome::card(card)
            .with_task(TaskKind::MonitorRun)
            .with_toast(&handlers.cards, &toast))
    }
}

/// `sync.run`
#[derive(Debug, PartialEq, Eq)]
pub struct SyncRun;

impl Action for SyncRun {
    fn read(_: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        _: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        Ok(handlers.cards.processing(&Processing::Sync, ctx))
    }
}

impl Change for SyncRun {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        if !tx.accounts()?.iter().any(|account| account.active.is_on()) {
            return Err(Refusal::NoAccount.into());
        }
        let card = handlers.cards.processing(&Processing::Sync, &click.with_empty_form());
        Ok(ClickOutcome::card(card).with_task(TaskKind::Sync))
    }
}
