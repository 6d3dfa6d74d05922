//! Replies to commands that only read. Most open the same card as an action does.

use jiff::Timestamp;

use super::command::{Query, Whom};
use crate::app::export::Table;
use crate::app::outcome::UserFilter;
use crate::app::{Error, Refusal, create, me, users};
use crate::bot::actions::{
    AccountsOpen, Action, AlertsList, BillingOpen, ConfigOpen, Opened, ProjectsOpen, QuotaOpen,
    UserOpen, UsersList, confirm_access,
};
use crate::bot::handlers::Handlers;
use crate::bot::origin::Reply;
use crate::bot::roles::Allowed;
use crate::cards::{Card, CardContext, ListPlace, Tone};
use crate::domain::{AccessGoal, OpenId, User, UserKey};
use crate::store::{Source, View};

/// Who sent a command, with the proof that they may use it, and whether only they read the reply.
pub(super) struct Requester {
    pub(super) person: OpenId,
    pub(super) allowed: Allowed,
    pub(super) direct: bool,
}

/// Returns the user that a command is about.
pub(super) fn meant<S: Source>(tx: &View<S>, whom: &Whom) -> Result<User, Error> {
    match whom {
        Whom::Named(name) => users::find(tx, name),
        Whom::Mentioned(Some(person)) => users::owned_by(tx, person),
        Whom::Mentioned(None) => Err(Refusal::NobodyMentioned.into()),
    }
}

impl From<Card> for Reply {
    fn from(card: Card) -> Self {
        Reply::card(card)
    }
}

impl From<Opened> for Reply {
    fn from(opened: Opened) -> Self {
        Reply { task: opened.task, ..Reply::card(opened.card) }
    }
}

impl Handlers {
    /// Answers a command that only reads.
    pub(super) fn query<S: Source>(
        &self,
        tx: &View<S>,
        query: &Query,
        requester: &Requester,
        now: Timestamp,
    ) -> Result<Reply, Error> {
        let mut ctx = CardContext::new(requester.allowed.role(), now);
        ctx.in_group = !requester.direct;
        let ctx = &ctx;
        let key = |whom: &Whom| -> Result<UserKey, Error> { Ok(meant(tx, whom)?.key) };
        let optional_key = |whom: &Option<Whom>| whom.as_ref().map(key).transpose();
        Ok(match query {
            Query::Help => self.help(ctx.role, None, None, None).into(),
            Query::Users { query } => {
                let place = ListPlace { page: 1, filter: UserFilter::All, query: query.clone() };
                UsersList(place).open(self, tx, ctx)?.into()
            }
            Query::User { whom } => UserOpen { user: key(whom)? }.open(self, tx, ctx)?.into(),
            Query::Projects { whom } => {
                ProjectsOpen { user: key(whom)?, page: 1 }.open(self, tx, ctx)?.into()
            }
            Query::Quota { whom } => QuotaOpen { user: key(whom)? }.open(self, tx, ctx)?.into(),
            Query::Billing { whom, period } => {
                let user = optional_key(whom)?;
                BillingOpen { period: *period, user, page: 1 }.open(self, tx, ctx)?.into()
            }
            Query::Alerts { whom } => {
                let user = optional_key(whom)?;
                AlertsList { user, kind: None, page: 1 }.open(self, tx, ctx)?.into()
            }
            Query::Enable { whom } => {
                confirm_access(self, tx, &key(whom)?, AccessGoal::Restored, ctx)?.into()
            }
            Query::Disable { whom } => {
                confirm_access(self, tx, &key(whom)?, AccessGoal::Cut, ctx)?.into()
            }
            Query::Monitor => self.cards.monitor(&self.monitor_view(tx)?, ctx).into(),
            Query::Create => self.cards.create(&create::view(tx)?, ctx).into(),
            Query::Config => ConfigOpen.open(self, tx, ctx)?.into(),
            Query::Accounts => {
                if !requester.direct {
                    return Err(Refusal::DirectChatOnly.into());
                }
                AccountsOpen { replacing: None, page: 1 }.open(self, tx, ctx)?.into()
            }
            Query::Me => {
                let view = me::view(tx, &self.settings(tx)?, &requester.person, now)?;
                self.cards.me(&view, ctx).into()
            }
            Query::Export { table } => Reply::card(self.export_card(*table)).with_file(*table),
        })
    }

    /// Announces the file, and names the other tables.
    fn export_card(&self, table: Table) -> Card {
        let words = self.cards.words();
        let others: Vec<String> = Table::ALL
            .iter()
            .filter(|other| **other != table)
            .map(|other| format!("/export {}", other.word()))
            .collect();
        let text = words.t("export.text", &[("others", &others.join("  "))]);
        let title = words.t("export.title", &[("table", &table.word())]);
        self.cards.message(Tone::Info, &title, &text)
    }
}
