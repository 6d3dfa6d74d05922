//! The monitor's state, reports of its cycles and of syncs, and cards for work in progress.

use super::engine::{always, template};
use super::facts::{self, Pending};
use super::text::{clip, md};
use super::{Card, CardContext, Cards};
use crate::app::outcome::{AccountSync, MonitorView, Unread};
use crate::app::trouble::Trouble;
use crate::domain::{
    Account, AccountId, AccountReading, BillPeriod, CycleOutcome, CycleReport, UserKey,
};

/// Max length of a list of user names, in characters; the first number that fits is used.
const NAMES_CHARS: [usize; 3] = [120, 60, 20];
/// Max accounts that a report lists one by one.
const ACCOUNTS: usize = 8;
/// Max pending changes of access that the monitor card lists.
const PENDING: usize = 5;
/// Max undeliverable messages that the monitor card lists.
const FAILED: usize = 5;

/// What a "processing" card is waiting for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processing {
    /// Reading all IAM users.
    Sync,
    /// The same, when it takes long.
    Syncing(SyncProgress),
    /// A monitor cycle.
    Monitor,
    /// A user's data is being written to the cloud.
    Profile(UserKey),
    /// A main account's key pair is being checked.
    Account(AccountId),
}

/// How far a sync is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncProgress {
    /// How many main accounts have been read, or have failed.
    pub done: usize,
    /// Of how many.
    pub total: usize,
    /// The names of the others.
    pub waits_for: Vec<String>,
    /// Seconds since it began.
    pub seconds: u64,
}

/// The facts of the monitor card.
struct MonitorFacts<'a> {
    enabled: bool,
    interval: String,
    running: Option<String>,
    next: Option<String>,
    late: Option<String>,
    last_success: Option<String>,
    failures: u32,
    last: Option<Cycle<'a>>,
    owed: usize,
    failed: Vec<Failed<'a>>,
    access: Vec<Change<'a>>,
    more_access: usize,
    template: &'static str,
}

/// A message that could not be delivered.
struct Failed<'a> {
    target: &'a str,
    reason: &'a str,
    time: String,
}

/// A pending change of access.
struct Change<'a> {
    user: String,
    cut: bool,
    text: String,
    since: String,
    attempts: u32,
    next: String,
    error: Option<&'a str>,
}

template!("monitor");

/// The facts of the report of a cycle.
struct CycleFacts<'a> {
    last: Cycle<'a>,
}

/// A cycle.
struct Cycle<'a> {
    ok: bool,
    /// Whether no account could be read.
    nothing: bool,
    ended: String,
    took: Option<String>,
    users: u64,
    warnings: u64,
    disables: u64,
    accounts: Vec<Reading<'a>>,
    more_accounts: usize,
}

/// What was read of an account.
struct Reading<'a> {
    name: String,
    periods: String,
    rows: u64,
    calls: u32,
    error: Option<&'a str>,
    warning: Option<&'a str>,
    refused: bool,
}

always!(Cycle<'_>);
template!("cycle");

/// The facts of the report of a sync.
struct SyncFacts {
    rows: Vec<Synced>,
    /// Whether no account could be read.
    nothing: bool,
    more: usize,
    users: usize,
    added: usize,
    changed: usize,
    gone: usize,
    failed: usize,
}

/// What was found in an account.
struct Synced {
    account: String,
    users: usize,
    added: usize,
    added_names: String,
    changed: usize,
    changed_names: String,
    gone: usize,
    gone_names: String,
    error: Option<String>,
    unread: Vec<String>,
}

template!("sync");

/// The facts of a card for work in progress.
pub(super) struct ProcessingFacts {
    pub(super) title: String,
    pub(super) text: String,
}

template!("processing");

impl Cards {
    /// The monitor card: `/monitor`.
    pub fn monitor(&self, view: &MonitorView, ctx: &CardContext) -> Card {
        let words = self.words;
        let failed = view.failed.iter().take(FAILED).map(|failed| Failed {
            target: failed.target.as_str(),
            reason: failed.reason.as_str(),
            time: words.time(failed.at),
        });
        let access = view.access_pending.iter().take(PENDING).map(|(key, pending)| {
            let Pending { text, since, attempts, next, error, cut, goal: _ } =
                facts::pending(words, pending);
            Change { user: key.to_string(), cut, text, since, attempts, next, error }
        });
        let last = view.state.last.as_ref();
        let facts = MonitorFacts {
            enabled: view.enabled,
            interval: words.seconds(view.interval_seconds),
            running: view.running_since.map(|at| words.time_full(at)),
            next: view.next_at.map(|at| words.time_full(at)),
            late: view.late_since.map(|at| words.time_full(at)),
            last_success: view.state.last_success.map(|at| words.time_full(at)),
            failures: view.state.failures_in_a_row,
            last: last.map(|report| self.cycle_facts(report, &view.accounts)),
            owed: view.owed,
            failed: failed.collect(),
            access: access.collect(),
            more_access: view.access_pending.len().saturating_sub(PENDING),
            template: match (view.state.failures_in_a_row, view.enabled) {
                _ if view.late_since.is_some() => "red",
                (0, true) => "green",
                (0, false) => "grey",
                (1 | 2, _) => "orange",
                _ => "red",
            },
        };
        self.card(ctx, &facts)
    }

    /// The report of a finished cycle, for `/monitor run`. Accounts in `known` are shown by name.
    pub fn cycle_report(&self, report: &CycleReport, known: &[Account], ctx: &CardContext) -> Card {
        self.card(ctx, &CycleFacts { last: self.cycle_facts(report, known) })
    }

    fn cycle_facts<'a>(&self, report: &'a CycleReport, known: &[Account]) -> Cycle<'a> {
        let words = self.words;
        let seconds = report.ended.duration_since(report.started).as_secs();
        // Failures come first, so that they are always listed.
        let mut listed: Vec<&AccountReading> = report.accounts.iter().collect();
        listed.sort_by_key(|reading| reading.error.is_none());
        let accounts = listed.into_iter().take(ACCOUNTS);
        Cycle {
            ok: report.outcome == CycleOutcome::Ok,
            nothing: !report.accounts.is_empty()
                && report.accounts.iter().all(|reading| reading.error.is_some()),
            ended: words.time_full(report.ended),
            took: (seconds > 0).then(|| words.t("time.seconds", &[("count", &seconds)])),
            users: report.users,
            warnings: report.warnings,
            disables: report.disables,
            accounts: accounts.map(|reading| reading_facts(reading, known)).collect(),
            more_accounts: report.accounts.len().saturating_sub(ACCOUNTS),
        }
    }

    /// The report of a finished sync, for `/sync`.
    pub fn sync_report(&self, accounts: &[AccountSync], ctx: &CardContext) -> Card {
        let [most, fewer @ ..] = NAMES_CHARS;
        fewer.into_iter().fold(self.sync_report_with(accounts, ctx, most), |card, chars| {
            if card.fits() { card } else { self.sync_report_with(accounts, ctx, chars) }
        })
    }

    /// The card with at most `chars` characters of each list of names.
    fn sync_report_with(&self, accounts: &[AccountSync], ctx: &CardContext, chars: usize) -> Card {
        let words = self.words;
        let separator = words.t("list.separator", &[]);
        let unread = |sync: &AccountSync| -> Vec<String> {
            let of = |(what, trouble): &(Unread, Trouble)| {
                let key = match what {
                    Unread::Projects => "sync.no_projects",
                    Unread::Access => "sync.no_access",
                };
                words.t(key, &[("reason", &words.trouble(trouble))])
            };
            sync.unread.iter().map(of).collect()
        };
        let names = |names: &[String]| clip(&names.join(&separator), chars);
        let sum = |count: fn(&AccountSync) -> usize| accounts.iter().map(count).sum::<usize>();
        // Failures come first, so that they are always listed.
        let mut listed: Vec<&AccountSync> = accounts.iter().collect();
        listed.sort_by_key(|sync| (sync.error.is_none(), sync.unread.is_empty()));
        let rows = listed.into_iter().take(ACCOUNTS).map(|sync| Synced {
            account: facts::account(&sync.name, &sync.account),
            users: sync.users,
            added: sync.added.len(),
            added_names: names(&sync.added),
            changed: sync.changed.len(),
            changed_names: names(&sync.changed),
            gone: sync.gone.len(),
            gone_names: names(&sync.gone),
            error: sync.error.as_ref().map(|error| words.trouble(error)),
            unread: unread(sync),
        });
        let facts = SyncFacts {
            rows: rows.collect(),
            nothing: !accounts.is_empty() && accounts.iter().all(|sync| sync.error.is_some()),
            more: accounts.len().saturating_sub(ACCOUNTS),
            users: sum(|sync| sync.users),
            added: sum(|sync| sync.added.len()),
            changed: sum(|sync| sync.changed.len()),
            gone: sum(|sync| sync.gone.len()),
            failed: sum(|sync| usize::from(sync.error.is_some() || !sync.unread.is_empty())),
        };
        self.card(ctx, &facts)
    }

    /// Says that work is in progress. The card is replaced when it ends.
    pub fn processing(&self, kind: &Processing, ctx: &CardContext) -> Card {
        let words = self.words;
        let (title, text) = match kind {
            Processing::Sync => {
                (words.t("processing.sync", &[]), words.t("processing.sync_text", &[]))
            }
            Processing::Syncing(progress) => {
                let SyncProgress { done, total, waits_for, seconds } = progress;
                let names = md(&clip(&waits_for.join(&words.t("list.separator", &[])), 120));
                let took = words.t("time.seconds", &[("count", seconds)]);
                let values: [(&str, &dyn std::fmt::Display); 4] =
                    [("done", done), ("total", total), ("accounts", &names), ("took", &took)];
                (words.t("processing.sync", &[]), words.t("processing.sync_progress", &values))
            }
            Processing::Monitor => {
                (words.t("processing.monitor", &[]), words.t("processing.monitor_text", &[]))
            }
            Processing::Profile(user) => (
                words.t("processing.profile", &[("user", &user.username)]),
                words.t("processing.profile_text", &[]),
            ),
            Processing::Account(account) => (
                words.t("processing.account", &[("account", account)]),
                words.t("processing.account_text", &[]),
            ),
        };
        self.card(ctx, &ProcessingFacts { title, text })
    }
}

fn reading_facts<'a>(reading: &'a AccountReading, known: &[Account]) -> Reading<'a> {
    let named = known.iter().find(|account| account.id == reading.account);
    let name = named.map_or("", |account| &account.name);
    let periods: Vec<String> = match reading.periods.as_slice() {
        [first, .., last] if reading.periods.len() > 4 => {
            let (first, last) = (first.min(last), first.max(last));
            vec![format!("{first} – {last}")]
        }
        few => few.iter().map(BillPeriod::to_string).collect(),
    };
    Reading {
        name: facts::account(name, &reading.account),
        periods: periods.join(", "),
        rows: reading.rows,
        calls: reading.calls,
        error: reading.error.as_deref(),
        warning: reading.warning.as_deref(),
        refused: reading.credentials_refused,
    }
}
