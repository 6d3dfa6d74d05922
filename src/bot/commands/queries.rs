//! Replies to commands that only read. Most open the same card as an action does.

use jiff::Timestamp;

use super::command::{Change, Query, Whom};
use crate::app::export::{Export, Table};
use crate::app::{Error, Refusal, create, users};
use crate::bot::actions::{
    AccountsOpen, Action, AlertsList, BillingOpen, ConfigOpen, Opened, ProjectsOpen, QuotaOpen,
    ReportOpen, RequestsList, UserOpen, UsersList, confirm_access, me_card,
};
use crate::bot::handlers::Handlers;
use crate::bot::origin::Reply;
use crate::bot::roles::Allowed;
use crate::cards::{Card, CardContext, Chosen, ListPlace, Tone};
use crate::domain::{AccessGoal, BillPeriod, DigestKind, OpenId, User, UserKey};
use crate::store::{Source, View};

/// Who sent a command, with the proof that they may use it, and whether only they read the reply.
pub(super) struct Requester {
    pub(super) person: OpenId,
    pub(super) allowed: Allowed,
    pub(super) direct: bool,
}

impl Requester {
    /// How cards in answer to them are rendered.
    pub(super) fn context(&self, now: Timestamp) -> CardContext {
        CardContext { in_group: !self.direct, ..CardContext::new(self.allowed.role(), now) }
            .for_person(self.person.clone())
    }
}

/// Returns the user that a command is about.
pub(super) fn meant<S: Source>(tx: &View<S>, whom: &Whom) -> Result<User, Error> {
    match whom {
        Whom::Named(name) => users::find(tx, name),
        Whom::Mentioned(Some(person)) => users::owned_by(tx, person),
        Whom::Mentioned(None) => Err(Refusal::NobodyMentioned.into()),
    }
}

impl Query {
    /// What choosing one of several users does for this command.
    pub(super) fn chosen(&self, now: Timestamp) -> Chosen {
        match self {
            Query::Projects { .. } => Chosen::Projects,
            Query::Quota { .. } => Chosen::Quota,
            Query::Billing { period, .. } => {
                Chosen::Billing { period: period.map(|month| month.period(BillPeriod::of(now))) }
            }
            Query::Alerts { .. } => Chosen::Alerts,
            Query::Enable { .. } => Chosen::Access(AccessGoal::Restored),
            Query::Disable { .. } => Chosen::Access(AccessGoal::Cut),
            Query::User { .. }
            | Query::Help
            | Query::Users { .. }
            | Query::Create
            | Query::Monitor
            | Query::Config
            | Query::Accounts
            | Query::Me
            | Query::Requests
            | Query::Report { .. }
            | Query::Import
            | Query::Export { .. } => Chosen::User,
        }
    }
}

impl Change {
    /// What choosing one of several users does for this command.
    pub(super) fn chosen(&self) -> Chosen {
        match self {
            Change::Allocate { amount, note, .. } => {
                Chosen::Allocate { amount: *amount, note: note.clone() }
            }
            Change::Sync | Change::MonitorRun | Change::Request { .. } => Chosen::User,
        }
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
        let ctx = &requester.context(now);
        let key = |whom: &Whom| -> Result<UserKey, Error> { Ok(meant(tx, whom)?.key) };
        let optional_key = |whom: &Option<Whom>| whom.as_ref().map(key).transpose();
        Ok(match query {
            Query::Help => self.help_asked(tx, ctx)?.into(),
            Query::Users { query } => {
                let place = ListPlace { page: 1, query: query.clone(), ..ListPlace::default() };
                UsersList(place).open(self, tx, ctx)?.into()
            }
            Query::User { whom } => UserOpen { user: key(whom)? }.open(self, tx, ctx)?.into(),
            Query::Projects { whom } => {
                ProjectsOpen { user: key(whom)?, page: 1 }.open(self, tx, ctx)?.into()
            }
            Query::Quota { whom } => QuotaOpen { user: key(whom)? }.open(self, tx, ctx)?.into(),
            Query::Billing { whom, period } => {
                let user = optional_key(whom)?;
                let period = period.map(|month| month.period(BillPeriod::of(now)));
                BillingOpen { period, user, by_project: false, page: 1 }.open(self, tx, ctx)?.into()
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
            Query::Me => me_card(self, tx, None, ctx)?.into(),
            Query::Requests => RequestsList { page: 1 }.open(self, tx, ctx)?.into(),
            Query::Report { kind } => {
                let sent = self.settings(tx)?.digest;
                let kind = kind.or(sent).unwrap_or(DigestKind::Week);
                ReportOpen { kind, at: None }.open(self, tx, ctx)?.into()
            }
            Query::Import => self.cards.import(ctx).into(),
            Query::Export { table, period } => {
                let period = period.map(|month| month.period(BillPeriod::of(now)));
                let export = Export { table: *table, period };
                Reply::card(self.export_card(export)).with_file(export)
            }
        })
    }

    /// Announces the file, and names the other tables.
    fn export_card(&self, export: Export) -> Card {
        let words = self.cards.words();
        let others: Vec<String> = Table::ALL
            .iter()
            .filter(|other| **other != export.table)
            .map(|other| format!("/export {}", other.word()))
            .collect();
        let text = words.t("export.text", &[("others", &others.join("  "))]);
        let title = words.t("export.title", &[("table", &export.word())]);
        self.cards.message(Tone::Info, &title, &text)
    }
}
