//! The tables, their keys, and how values are encoded.
//!
//! Keys are typed tuples in the order they are listed. Values are JSON: self-describing, with defaults for fields that
//! an older file lacks, so that yesterday's file opens tomorrow.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::marker::PhantomData;

use parking_lot::Mutex;
use redb::{Key, TableDefinition, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::values::{AlertPost, KnownChat, OpOutcome};
use crate::domain::{
    Account, AccountBill, AccountEstimate, AccountReadings, AlertRecord, Approval, Authorisation,
    BalanceReading, Batch, BatchRow, CardChange, CardPlace, Creation, FailedMessage, LedgerEntry,
    Money, OwedMessage, PathReports, PendingAccess, ProjectBill, ProjectEstimate, ProjectInfo,
    ProjectLink, ProjectUsage, Proof, QuotaRequest, RememberedAccess, SpendingRecord, Task,
    Temporary, User,
};

/// The rows that were left out since the process started: they are read again and again.
static SKIPPED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// Beyond this many rows, no more are named: the store is damaged as a whole.
const MAX_NAMED: usize = 100;

type One = &'static str;
type Two = (&'static str, &'static str);
type Three = (&'static str, &'static str, &'static str);

/// A table whose values are encoded by redb.
type Plain<K, V> = TableDefinition<'static, K, V>;

/// A table of `T`s, encoded as JSON.
pub(super) struct Json<K: Key + 'static, T> {
    name: &'static str,
    definition: Plain<K, &'static [u8]>,
    holds: PhantomData<fn() -> T>,
}

impl<K: Key + 'static, T> Clone for Json<K, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Key + 'static, T> Copy for Json<K, T> {}

impl<K: Key + 'static, T> Json<K, T> {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, definition: TableDefinition::new(name), holds: PhantomData }
    }

    /// Returns its name.
    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// Returns the same table, for a row that holds a `U`.
    pub(super) fn holding<U>(self) -> Json<K, U> {
        Json { name: self.name, definition: self.definition, holds: PhantomData }
    }
}

impl<K: Key + 'static, T: DeserializeOwned> Json<K, T> {
    pub(super) fn decode(self, bytes: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(bytes)
            .map_err(|source| StoreError::Codec { table: self.name, source })
    }

    /// Decodes a row that others must not wait for. If it cannot be read, it is named in the log, once, and left out.
    pub(super) fn decode_or_skip(self, key: impl Debug, bytes: &[u8]) -> Option<T> {
        match self.decode(bytes) {
            Ok(value) => Some(value),
            Err(error) => {
                name_once(self.name, key, &error);
                None
            }
        }
    }
}

/// Names in the log, once, what is left out because a row of `table` cannot be read.
pub(super) fn name_once(table: &str, key: impl Debug, error: &StoreError) {
    let mut named = SKIPPED.lock();
    if named.len() < MAX_NAMED && named.insert(format!("{table} {key:?}")) {
        tracing::error!(table, ?key, %error, "a row is left out");
    }
}

impl<K: Key + 'static, T: Serialize> Json<K, T> {
    pub(super) fn encode(self, value: &T) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(value).map_err(|source| StoreError::Codec { table: self.name, source })
    }
}

/// A table as redb sees it.
pub(super) trait Declared {
    /// The type of its keys.
    type Key: Key + 'static;
    /// The type of its values as redb stores them.
    type Value: Value + 'static;

    /// Returns the definition by which redb opens it.
    fn definition(self) -> Plain<Self::Key, Self::Value>;
}

impl<K: Key + 'static, V: Value + 'static> Declared for Plain<K, V> {
    type Key = K;
    type Value = V;

    fn definition(self) -> Plain<K, V> {
        self
    }
}

impl<K: Key + 'static, T> Declared for Json<K, T> {
    type Key = K;
    type Value = &'static [u8];

    fn definition(self) -> Plain<K, &'static [u8]> {
        self.definition
    }
}

/// Does something to each table, whatever its types are.
pub(super) trait Visitor {
    /// Why it stops.
    type Error;

    /// Does it to one table.
    fn visit<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), Self::Error>;
}

/// Declares tables and lists them, so that none can be missing from the list.
macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident: $kind:ty = $name:literal;)*) => {
        $($(#[$doc])* pub(super) const $table: $kind = <$kind>::new($name);)*

        /// Passes every table to `visitor`.
        pub(super) fn visit_tables<T: Visitor>(visitor: &mut T) -> Result<(), T::Error> {
            $(visitor.visit($table.definition())?;)*
            Ok(())
        }
    };
}

tables! {
    /// name -> value: schema version, saved settings, the monitor's memory …
    META: Json<One, ()> = "meta";
    /// name -> last number assigned
    COUNTERS: Plain<One, u64> = "counters";
    /// account -> the account, without its key pair
    ACCOUNTS: Json<One, Account> = "accounts";
    /// account, or name of a pair waiting to be checked -> sealed key pair, which is bound to this row's key
    SECRETS: Plain<One, &'static [u8]> = "secrets";
    /// (account, username)
    USERS: Json<Two, User> = "users";
    /// (account, username, project)
    LINKS: Json<Three, ProjectLink> = "links";
    /// (account, project)
    PROJECTS: Json<Two, ProjectInfo> = "projects";
    /// account -> when its projects were last listed, milliseconds since 1970
    PROJECTS_LISTED: Plain<One, i64> = "projects_listed";
    /// (account, username, seq)
    LEDGER: Json<(One, One, u64), LedgerEntry> = "ledger";
    /// (account, project, period as YYYYMM)
    BILLS: Json<(One, One, u32), ProjectBill> = "bills";
    /// (account, day as YYYYMMDD, project or "" for rows without one): what is not zero
    DAYS: Json<(One, u32, One), Money> = "days";
    /// (account, day as YYYYMMDD) -> the sum of the day's rows in `days`
    DAY_TOTALS: Json<(One, u32), Money> = "day_totals";
    /// (account, day as YYYYMMDD, project or ""): the part of `days` that is no use: orders, refunds, corrections
    DAYS_ONCE: Json<(One, u32, One), Money> = "days_once";
    /// account -> what is known of its estimate
    ESTIMATES: Json<One, AccountEstimate> = "estimates";
    /// (account, day as YYYYMMDD, project): estimated for days that the bill does not hold yet
    ESTIMATED: Json<(One, u32, One), ProjectEstimate> = "estimated";
    /// (account, project) -> what it used on those days
    USAGE: Json<Two, ProjectUsage> = "usage";
    /// account -> what is known of its bills
    READINGS: Json<One, AccountReadings> = "readings";
    /// (account, period as YYYYMM) -> the bill of all projects together
    ACCOUNT_BILLS: Json<(One, u32), AccountBill> = "account_bills";
    /// (account, period as YYYYMM, project or ""): the part of the bill that no user pays for
    UNATTRIBUTED: Json<(One, u32, One), Money> = "unattributed";
    /// (account, project, username) -> see `keys::of_counted`
    LINKS_BY_PROJECT: Plain<Three, u32> = "links_by_project";
    /// (period as YYYYMM, account, username, project or "" for the total)
    SPENDING: Json<(u32, One, One, One), SpendingRecord> = "spending";
    /// period as YYYYMM -> the sum of all users' totals
    PERIOD_TOTALS: Json<u32, Money> = "period_totals";
    /// period as YYYYMM -> how many users have a total; missing until one is added by this version or a later one
    PERIOD_SPENDERS: Json<u32, u64> = "period_spenders";
    /// (period as YYYYMM, rank of the user's total, account, username): a period's users, largest total first
    SPENDING_RANKED: Plain<(u32, i128, One, One), ()> = "spending_ranked";
    /// alert id
    ALERTS: Json<u64, AlertRecord> = "alerts";
    /// (account, username, alert id): alerts of one user
    USER_ALERTS: Plain<(One, One, u64), ()> = "user_alerts";
    /// (kind, alert id): alerts of one kind
    KIND_ALERTS: Plain<(One, u64), ()> = "kind_alerts";
    /// (account, username) -> pending change of access
    ACCESS_PENDING: Json<Two, PendingAccess> = "access_pending";
    /// (account, username) -> what a restore puts back
    ACCESS_REMEMBERED: Json<Two, RememberedAccess> = "access_remembered";
    /// (account, username) -> how the paths of a user with access cut, or being cut, stood when they were last read
    ACCESS_PATHS: Json<Two, PathReports> = "access_paths";
    /// (account, username) -> what the usage after a cut says
    ACCESS_PROOFS: Json<Two, Proof> = "access_proofs";
    /// (account, username, project) -> policies that airgate attached there, or has yet to
    AUTHORISATIONS: Json<Three, Authorisation> = "authorisations";
    /// (account, username, project) of the authorisations with something left to do
    AUTHORISATIONS_OWED: Plain<Three, ()> = "authorisations_owed";
    /// creation id
    CREATIONS: Json<u64, Creation> = "creations";
    /// `e:` event id, `m:` message id -> when it was seen, milliseconds since 1970
    SEEN: Plain<One, i64> = "seen";
    /// (when, key of `seen`)
    SEEN_BY_TIME: Plain<(i64, One), ()> = "seen_by_time";
    /// op -> outcome
    OPS: Json<One, OpOutcome> = "ops";
    /// (when, op)
    OPS_BY_TIME: Plain<(i64, One), ()> = "ops_by_time";
    /// (lane, id) -> owed message
    OUTBOX: Json<(One, u64), OwedMessage> = "outbox";
    /// (alert id, owed id) -> state of that delivery of the alert
    ALERT_OWED: Plain<(u64, u64), u8> = "alert_owed";
    /// (alert id, owed id) -> where the alert was posted as a card that can be updated
    ALERT_POSTS: Json<(u64, u64), AlertPost> = "alert_posts";
    /// (account, username) -> where cards of the user were sent, oldest first
    CARD_PLACES: Json<Two, Vec<CardPlace>> = "card_places";
    /// (account, username) -> the last change that cards of the user may not show yet
    CARDS_DUE: Json<Two, CardChange> = "cards_due";
    /// owed id -> id of the message that was sent for it
    SENT: Plain<u64, One> = "sent";
    /// owed id -> message whose delivery was given up
    FAILED: Json<u64, FailedMessage> = "failed";
    /// task id
    TASKS: Json<u64, Task> = "tasks";
    /// open_id -> name
    PEOPLE: Json<One, String> = "people";
    /// open_id -> the direct chat with that person
    DIRECT_CHATS: Plain<One, One> = "direct_chats";
    /// who or which chat was welcomed -> when, milliseconds since 1970
    WELCOMED: Plain<One, i64> = "welcomed";
    /// account -> its balance as last read
    BALANCES: Json<One, BalanceReading> = "balances";
    /// chat_id -> what kind of chat it is, and when the last message was sent to the bot there
    CHATS: Json<One, KnownChat> = "chats";
    /// chat_id -> what the group is called
    CHAT_NAMES: Json<One, String> = "chat_names";
    /// request id
    REQUESTS: Json<u64, QuotaRequest> = "requests";
    /// request id: those that are not decided yet
    REQUESTS_PENDING: Plain<u64, ()> = "requests_pending";
    /// (account, username, request id): requests for one user
    USER_REQUESTS: Plain<(One, One, u64), ()> = "user_requests";
    /// approval id
    APPROVALS: Json<u64, Approval> = "approvals";
    /// approval id: those that wait
    APPROVALS_WAITING: Plain<u64, ()> = "approvals_waiting";
    /// (account, username, seq of the ledger entry) -> the temporary allocation
    TEMPORARY: Json<(One, One, u64), Temporary> = "temporary";
    /// (last day as YYYYMMDD, account, username, seq): those that are not booked back yet
    TEMPORARY_RUNNING: Plain<(u32, One, One, u64), ()> = "temporary_running";
    /// batch id
    BATCHES: Json<u64, Batch> = "batches";
    /// batch id: those to which something can still happen
    BATCHES_OPEN: Plain<u64, ()> = "batches_open";
    /// batch id: those that are decided and have rows to write
    BATCHES_APPLYING: Plain<u64, ()> = "batches_applying";
    /// (batch id, number of the row): what is not written yet
    BATCH_ROWS: Json<(u64, u64), BatchRow> = "batch_rows";
    /// (account, username, batch id, number of the row): the same by user
    BATCH_USERS: Plain<(One, One, u64, u64), ()> = "batch_users";
    /// what a file's rows say, hashed -> the batch that applied it last
    FILES_APPLIED: Plain<One, u64> = "files_applied";
}
