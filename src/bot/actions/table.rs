//! The table of actions. A row declares the word that a card's callback value carries, who may use it, and the type that
//! implements it; parsing and dispatch follow from the rows.
//!
//! `reads` lists actions that only open a card: they run on a snapshot, so that they do not wait for writers. `changes`
//! lists those that run in a write transaction. Columns of a row:
//!
//! - the word, and after `was` the words that older cards in chats still use for it;
//! - `form`: `Any`; or, if the same word both opens and submits a form, which of the two this row handles;
//! - `needs`: the role;
//! - `op`: whether cards carry an idempotency key, by which a submitted form is applied once;
//! - `chat`: `Any`, or `Direct` where secrets are typed;
//! - `wakes`: the loops that have something to do afterwards. Background tasks wake theirs without being listed.

use super::access::{AccessAsk, AccessRecheck, AccessWithdraw, UserDisable, UserEnable};
use super::accounts::{AccountSave, AccountToggle, AccountsOpen};
use super::action::{Action, Change, ClickContext, ClickOutcome, Opened};
use super::alerts::AlertsList;
use super::batch::{BatchDecide, BatchOpen, Bulk, BulkOpen, ImportApply};
use super::billing::{BillingAssign, BillingExport, BillingOpen, BillingRest};
use super::configure::{Configure, ConfigureOpen};
use super::create::{Create, SecretsRecall};
use super::digest::ReportOpen;
use super::fields::Fields;
use super::monitor::{MonitorRun, SyncRun};
use super::projects::{ProjectAdd, ProjectRemove, ProjectToggle, ProjectsOpen, ToggleAll};
use super::quota::{Allocate, AllocateEnable, QuotaOpen, QuotaUndo};
use super::requests::{
    ApprovalDecide, ApprovalOpen, MeOpen, QuotaAsk, RequestDecide, RequestOpen, RequestWithdraw,
    RequestsList,
};
use super::settings::{AlertHere, ConfigOpen, ConfigSave, ConfigTest};
use super::steps::StepsOpen;
use super::users::{UserOpen, UsersList};
use crate::app::{Error, Refusal};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext};
use crate::domain::{Needs, OpId};
use crate::feishu::CardAction;
use crate::store::{Source, View, WriteTx};

/// When a word stands for an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Always.
    Any,
    /// Only when a form is submitted with it.
    Submitted,
    /// Only when no form is submitted with it.
    Absent,
}

/// Whether callback values carry an `op`, an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Never.
    None,
    /// Every card has one; a click without it is carried out anyway.
    Optional,
    /// Every card has one; a click without it is refused.
    Required,
}

/// Where an action may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chat {
    /// In any chat.
    Any,
    /// Only in the operator's direct chat with the bot.
    Direct,
}

/// A loop that an action may create work for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The outbox.
    Outbox,
    /// The enforcer.
    Access,
    /// Policies of linked projects.
    Policies,
    /// The monitor's schedule.
    Settings,
    /// The name look-up.
    Names,
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// The word in callback values.
    pub word: &'static str,
    /// Words that older cards use for it.
    pub former_words: &'static [&'static str],
    /// When the word stands for this action.
    pub form: Form,
    /// Who may use it.
    pub needs: Needs,
    /// Whether it changes something beyond being recorded as handled.
    pub changes: bool,
    /// Whether cards carry an idempotency key for it.
    pub op: Op,
    /// Where it may be used.
    pub chat: Chat,
    pub(in crate::bot) wakes: &'static [Wake],
    read: fn(&Fields<'_>) -> Result<Does, Refusal>,
}

impl Row {
    /// Why it is refused outside the operator's direct chat. No card goes with it: it would be exposed there.
    pub(in crate::bot) fn refusal_elsewhere(&self) -> Refusal {
        match self.word {
            "secrets.recall" => Refusal::RecallElsewhere,
            _ => Refusal::DirectChatOnly,
        }
    }
}

macro_rules! actions {
    (
        reads { $(
            $reading:ident: $rword:literal $(was $rwas:literal)*, form $rform:ident, needs $rneeds:ident;
        )* }
        changes { $(
            $change:ident: $cword:literal $(was $cwas:literal)*, form $cform:ident, needs $cneeds:ident,
            op $op:ident, chat $chat:ident, wakes [$($wake:ident)*];
        )* }
    ) => {
        /// Every action.
        pub static ACTIONS: &[Row] = &[
            $( Row {
                word: $rword,
                former_words: &[$($rwas),*],
                form: Form::$rform,
                needs: Needs::$rneeds,
                changes: false,
                op: Op::None,
                chat: Chat::Any,
                wakes: &[],
                read: |fields| $reading::read(fields).map(Does::from),
            }, )*
            $( Row {
                word: $cword,
                former_words: &[$($cwas),*],
                form: Form::$cform,
                needs: Needs::$cneeds,
                changes: true,
                op: Op::$op,
                chat: Chat::$chat,
                wakes: &[$(Wake::$wake),*],
                read: |fields| $change::read(fields).map(Does::from),
            }, )*
        ];

        /// An action that only opens a card.
        #[derive(Debug, PartialEq, Eq)]
        pub enum Reading { $( $reading($reading), )* }

        impl Reading {
            /// See [`Action::open`].
            pub fn open<S: Source>(
                &self,
                handlers: &Handlers,
                tx: &View<S>,
                ctx: &CardContext,
            ) -> Result<Opened, Error> {
                match self { $( Reading::$reading(action) => action.open(handlers, tx, ctx), )* }
            }

            /// See [`Action::show`].
            pub fn show<S: Source>(
                &self,
                handlers: &Handlers,
                tx: &View<S>,
                ctx: &CardContext,
            ) -> Result<Card, Error> {
                match self { $( Reading::$reading(action) => action.show(handlers, tx, ctx), )* }
            }
        }

        /// An action that changes something.
        #[derive(Debug, PartialEq, Eq)]
        pub enum Changing { $( $change($change), )* }

        impl Changing {
            /// See [`Change::perform`].
            pub fn perform(
                &self,
                handlers: &Handlers,
                tx: &WriteTx,
                click: &ClickContext,
            ) -> Result<ClickOutcome, Error> {
                match self { $( Changing::$change(action) => action.perform(handlers, tx, click), )* }
            }

            /// See [`Action::show`].
            pub fn show<S: Source>(
                &self,
                handlers: &Handlers,
                tx: &View<S>,
                ctx: &CardContext,
            ) -> Result<Card, Error> {
                match self { $( Changing::$change(action) => action.show(handlers, tx, ctx), )* }
            }
        }

        $( impl From<$reading> for Does {
            fn from(action: $reading) -> Self {
                Does::Reads(Reading::$reading(action))
            }
        } )*
        $( impl From<$change> for Does {
            fn from(action: $change) -> Self {
                Does::Changes(Changing::$change(action))
            }
        } )*
    };
}

actions! {
    reads {
        UsersList:     "users.list",          form Any,       needs Viewer;
        UserOpen:      "user.open",           form Any,       needs Viewer;
        BulkOpen:      "users.bulk",          form Absent,    needs Admin;
        ProjectsOpen:  "projects.open",       form Any,       needs Viewer;
        QuotaOpen:     "quota.open",          form Any,       needs Viewer;
        BillingOpen:   "billing.open",        form Any,       needs Viewer;
        BillingRest:   "billing.rest",        form Any,       needs Viewer;
        ReportOpen:    "report.open",         form Any,       needs Viewer;
        AlertsList:    "alerts.list",         form Any,       needs Viewer;
        MeOpen:        "me.open",             form Any,       needs Anyone;
        RequestsList:  "requests.list",       form Any,       needs Viewer;
        RequestOpen:   "request.open",        form Any,       needs Viewer;
        ApprovalOpen:  "approval.open",       form Any,       needs Viewer;
        BatchOpen:     "batch.open",          form Any,       needs Viewer;
        AccessAsk:     "access.ask",          form Any,       needs Admin;
        ConfigureOpen: "user.configure",      form Absent,    needs Admin;
        ConfigOpen:    "config.open",         form Any,       needs Admin;
        StepsOpen:     "steps.open",          form Any,       needs Admin;
    }
    changes {
        UserEnable:    "user.enable",         form Any,       needs Admin, op Required, chat Any,    wakes [Access Outbox];
        UserDisable:   "user.disable",        form Any,       needs Admin, op Required, chat Any,    wakes [Access Outbox];
        AccessWithdraw: "access.withdraw",    form Any,       needs Admin, op Required, chat Any,    wakes [Access Outbox];
        AccessRecheck: "access.recheck",      form Any,       needs Admin, op None,     chat Any,    wakes [];
        ProjectAdd:    "project.add",         form Any,       needs Admin, op Required, chat Any,    wakes [Policies Outbox];
        ProjectToggle: "project.toggle",      form Any,       needs Admin, op None,     chat Any,    wakes [Outbox];
        ProjectRemove: "project.remove",      form Any,       needs Admin, op Required, chat Any,    wakes [Policies Outbox];
        ToggleAll:     "projects.toggle_all", form Any,       needs Admin, op None,     chat Any,    wakes [Outbox];
        BillingExport: "billing.export",      form Any,       needs Viewer, op None,    chat Any,    wakes [Outbox];
        BillingAssign: "billing.assign",      form Any,       needs Admin, op Required, chat Any,    wakes [Policies Outbox];
        Allocate:      "quota.allocate",      form Any,       needs Admin, op Required, chat Any,    wakes [Outbox];
        AllocateEnable: "quota.allocate_enable", form Any,    needs Admin, op Required, chat Any,    wakes [Access Outbox];
        QuotaUndo:     "quota.undo",          form Any,       needs Admin, op Required, chat Any,    wakes [Outbox];
        QuotaAsk:      "quota.request",       form Any,       needs Anyone, op Required, chat Any,   wakes [Outbox];
        RequestWithdraw: "request.withdraw",  form Any,       needs Anyone, op Required, chat Any,   wakes [Outbox];
        RequestDecide: "request.decide",      form Any,       needs Admin, op Required, chat Any,    wakes [Outbox];
        ApprovalDecide: "approval.decide",    form Any,       needs Admin, op Required, chat Any,    wakes [Outbox];
        Bulk:          "users.bulk",          form Submitted, needs Admin, op Required, chat Any,    wakes [Outbox];
        ImportApply:   "import.apply",        form Any,       needs Admin, op Required, chat Any,    wakes [Outbox];
        BatchDecide:   "batch.decide",        form Any,       needs Admin, op Required, chat Any,    wakes [Outbox];
        Create:        "user.create",         form Any,       needs Admin, op Required, chat Any,    wakes [];
        SecretsRecall: "secrets.recall",      form Any,       needs Admin, op None,     chat Direct, wakes [Outbox];
        Configure:     "user.configure",      form Submitted, needs Admin, op Optional, chat Any,    wakes [Names Outbox];
        MonitorRun:    "monitor.run",         form Any,       needs Admin, op Required, chat Any,    wakes [];
        SyncRun:       "sync.run",            form Any,       needs Admin, op Required, chat Any,    wakes [];
        ConfigSave:    "config.save",         form Any,       needs Admin, op Optional, chat Any,    wakes [Settings Names];
        AlertHere:     "config.alert_here",   form Any,       needs Admin, op None,     chat Any,    wakes [Settings Names];
        ConfigTest:    "config.test",         form Any,       needs Admin, op Required, chat Any,    wakes [Outbox];
        AccountsOpen:  "accounts.open",       form Any,       needs Admin, op None,     chat Direct, wakes [];
        AccountSave:   "account.save",        form Any,       needs Admin, op Optional, chat Direct, wakes [];
        AccountToggle: "account.toggle",      form Any,       needs Admin, op None,     chat Direct, wakes [];
    }
}

/// What a click requests.
#[derive(Debug, PartialEq, Eq)]
pub enum Does {
    /// Open a card.
    Reads(Reading),
    /// Change something.
    Changes(Changing),
}

/// A click's request, read and typed. It expresses a wish, never a permission.
#[derive(Debug)]
pub struct Request {
    pub(in crate::bot) row: &'static Row,
    /// The idempotency key.
    pub(in crate::bot) op: Option<OpId>,
    pub(in crate::bot) does: Does,
}

impl Request {
    /// Returns whether a card action is one that needs no role.
    pub fn is_for_anyone(action: &CardAction) -> bool {
        let fields = Fields::of(action);
        let word = fields.text("action").unwrap_or_default();
        find(ACTIONS, &word, fields.is_submitted()).is_some_and(|row| row.needs == Needs::Anyone)
    }

    /// Reads a card action.
    ///
    /// # Errors
    /// [`Refusal::UnknownAction`], [`Refusal::BadField`] for a missing or malformed field, [`Refusal::BadPeriod`].
    pub fn of(action: &CardAction) -> Result<Self, Refusal> {
        let fields = Fields::of(action);
        let word = fields.text("action").unwrap_or_default();
        let Some(row) = find(ACTIONS, &word, fields.is_submitted()) else {
            return Err(Refusal::UnknownAction(word));
        };
        let does = (row.read)(&fields)?;
        let op = match row.op {
            Op::None => None,
            Op::Optional => fields.optional_op()?,
            Op::Required => Some(fields.op()?),
        };
        Ok(Self { row, op, does })
    }
}

/// The row for a word.
pub(super) fn find<'a>(rows: &'a [Row], word: &str, submitted: bool) -> Option<&'a Row> {
    rows.iter().find(|row| {
        let form = match row.form {
            Form::Any => true,
            Form::Submitted => submitted,
            Form::Absent => !submitted,
        };
        form && (row.word == word || row.former_words.contains(&word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_older_cards_carry_still_leads_to_its_action() {
        let row = |word, former_words, form| Row {
            word,
            former_words,
            form,
            needs: Needs::Admin,
            changes: false,
            op: Op::None,
            chat: Chat::Any,
            wakes: &[],
            read: |_| Err(Refusal::AccessPending),
        };
        let rows = [
            row("quota.book", &["quota.allocate", "quota.add"], Form::Any),
            row("limit.set", &["limit.edit"], Form::Submitted),
            row("limit.set", &["limit.edit"], Form::Absent),
        ];
        for (word, submitted, index) in [
            ("quota.book", false, Some(0)),
            ("quota.allocate", true, Some(0)),
            ("quota.add", false, Some(0)),
            ("limit.edit", true, Some(1)),
            ("limit.edit", false, Some(2)),
            ("quota.drop", false, None),
            ("", false, None),
        ] {
            let found = find(&rows, word, submitted);
            let expected = index.map(|index: usize| std::ptr::from_ref(&rows[index]));
            assert_eq!(found.map(std::ptr::from_ref), expected, "{word}");
        }
    }

    #[test]
    fn every_word_leads_to_one_row() {
        for submitted in [false, true] {
            let mut words: Vec<&str> = Vec::new();
            for row in ACTIONS {
                if matches!((row.form, submitted), (Form::Submitted, false) | (Form::Absent, true))
                {
                    continue;
                }
                words.extend(std::iter::once(row.word).chain(row.former_words.iter().copied()));
            }
            let count = words.len();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), count, "{words:?}");
        }
    }
}
