//! `user.configure`: opens the form of a user's settings, and saves it.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use super::users::user_card;
use crate::app::configure::{self, NewUserSettings, PersonalData};
use crate::app::{Error, Refusal, users};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Processing, Toast};
use crate::domain::{TaskKind, UserKey};
use crate::store::{Source, View, WriteTx};

/// The member of the callback value that says that the form shows the personal data in the cloud; for users who are
/// gone, it does not.
const PERSONAL: &str = "personal";
/// The member that says that the form shows the month limit; cards of an older version do not.
const LIMITED: &str = "limited";
const PERSONAL_FIELDS: [&str; 3] = ["display_name", "email", "phone"];

/// `user.configure` without a form: opens it.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigureOpen {
    /// The user.
    pub user: UserKey,
}

impl Action for ConfigureOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        configure_card(handlers, tx, &self.user, ctx)
    }
}

fn configure_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    user: &UserKey,
    ctx: &CardContext,
) -> Result<Card, Error> {
    let user = users::get(tx, user)?;
    let people = configure::possible_owners(tx, &user)?;
    let detail = users::detail(tx, &handlers.settings(tx)?, user, ctx.now)?;
    Ok(handlers.cards.configure(&detail, &people, ctx))
}

/// `user.configure` with a form: saves it.
#[derive(Debug, PartialEq, Eq)]
pub struct Configure {
    /// The user.
    pub user: UserKey,
    /// As typed.
    pub settings: NewUserSettings,
}

impl Action for Configure {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.user()?,
            // A field that the form shows and the submission omits was cleared.
            settings: NewUserSettings {
                thresholds: fields.typed("thresholds"),
                monitor: fields.ticked("monitor"),
                auto_disable: fields.ticked("auto_disable"),
                month_limit: fields
                    .shows(LIMITED, &["month_limit"])
                    .then(|| fields.typed("month_limit")),
                remark: fields.free_text("remark"),
                owner: fields.chosen("owner"),
                other_owner: fields.typed("other_owner"),
                no_owner: fields.ticked("no_owner"),
                personal: fields.shows(PERSONAL, &PERSONAL_FIELDS).then(|| PersonalData {
                    display_name: fields.free_text("display_name"),
                    email: fields.typed("email"),
                    phone: fields.typed("phone"),
                }),
            },
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        configure_card(handlers, tx, &self.user, ctx)
    }
}

impl Change for Configure {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let (user, cards, ctx) = (&self.user, &handlers.cards, click.with_empty_form());
        let by = handlers.operator(tx, &click.operator)?;
        let rest = configure::save(tx, user, &self.settings, &by, click.card_ctx.now)?;
        if rest.is_empty() {
            let said = handlers.said(tx, user, None, &ctx)?;
            let card = user_card(handlers, tx, user, &said.on(ctx))?;
            return Ok(said.outcome(handlers, card, &Toast::UserSaved { user: user.clone() }));
        }
        let card = cards.processing(&Processing::Profile(user.clone()), &ctx);
        let task = TaskKind::UpdateProfile {
            user: user.clone(),
            profile: rest.profile,
            owner_mobile: rest.owner_mobile,
        };
        let toast = Toast::UserSaving { user: user.clone() };
        Ok(ClickOutcome::card(card).with_task(task).with_toast(cards, &toast))
    }
}
