//! `config.open`, `config.save`, `config.test`: global settings, and a test alert.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use crate::app::settings::{self, NewSettings};
use crate::app::{Error, Refusal};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{AlertBody, Problem, TaskKind};
use crate::store::{Source, View, WriteTx};

/// The member of the callback value that says that the form shows the people to mention; cards of an older version do not.
const PEOPLE: &str = "mentions";

/// `config.open`
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigOpen;

impl Action for ConfigOpen {
    fn read(_: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        settings_card(handlers, tx, ctx)
    }
}

fn settings_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    ctx: &CardContext,
) -> Result<Card, Error> {
    Ok(handlers.cards.settings(&settings::view(tx, &handlers.configured)?, ctx))
}

/// `config.save`
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigSave {
    /// As typed.
    pub settings: NewSettings,
}

impl Action for ConfigSave {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            settings: NewSettings {
                thresholds: fields.typed("thresholds"),
                interval_seconds: fields.typed("interval_seconds"),
                webhook_url: fields.typed("webhook_url"),
                mobiles: fields.typed("mobiles"),
                people: fields.shows(PEOPLE, &["people"]).then(|| fields.all_chosen("people")),
                alert_chat_id: fields.typed("alert_chat_id"),
                digest: fields.typed("digest"),
            },
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        settings_card(handlers, tx, ctx)
    }
}

impl Change for ConfigSave {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let (configured, base_url) = (&handlers.configured, &handlers.base_url);
        let before = tx.saved_settings()?.mobiles;
        let view = settings::save(tx, configured, base_url, &self.settings, click.card_ctx.now)?;
        let card = self.show(handlers, tx, &click.with_empty_form())?;
        let outcome = ClickOutcome::card(card);
        Ok(match view.saved.mobiles {
            Some(mobiles) if !mobiles.is_empty() && Some(&mobiles) != before.as_ref() => outcome
                .with_task(TaskKind::CheckMobiles { mobiles, before })
                .with_toast(&handlers.cards, &Toast::SettingsSavedChecking),
            _ => outcome.with_toast(&handlers.cards, &Toast::SettingsSaved),
        })
    }
}

/// `config.alert_here`: alerts go to the group in which this was clicked.
#[derive(Debug, PartialEq, Eq)]
pub struct AlertHere;

impl Action for AlertHere {
    fn read(_: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        _: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        Ok(handlers.help(ctx.role, None, None, None))
    }
}

impl Change for AlertHere {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let chat = click.chat.as_ref().filter(|_| click.card_ctx.in_group);
        let chat = chat.ok_or(Refusal::BadField("chat"))?;
        settings::set_alert_chat(tx, &handlers.configured, chat, click.card_ctx.now)?;
        let toast = Toast::AlertsHere;
        let notice = (toast.tone(), handlers.cards.words().toast(&toast));
        let card = handlers.help(click.card_ctx.role, None, None, Some(notice));
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &toast))
    }
}

/// `config.test`: a test alert.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigTest;

impl Action for ConfigTest {
    fn read(_: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        settings_card(handlers, tx, ctx)
    }
}

impl Change for ConfigTest {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let operator = handlers.operator(tx, &click.operator)?;
        let body = AlertBody::Error { problem: Problem::Test { operator } };
        handlers.alerts.raise(tx, None, body, click.card_ctx.now)?;
        let card = self.show(handlers, tx, &click.with_empty_form())?;
        let in_force = settings::settings_in_force(tx, &handlers.configured)?;
        let nowhere = in_force.alert_chat.is_none() && in_force.webhook_url.is_none();
        let toast = if nowhere { Toast::TestAlertToAdmins } else { Toast::TestAlertOwed };
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &toast))
    }
}
