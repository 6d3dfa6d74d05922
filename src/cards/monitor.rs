//! The monitor's state, reports of its cycles and of syncs, and cards for work in progress.

use minijinja::{Value, context};

use super::facts;
use super::text::clip;
use super::{Card, CardContext, Cards};
use crate::app::outcome::{AccountSync, MonitorView, Unread};
use crate::app::trouble::Trouble;
use crate::domain::{
    Account, AccountId, AccountReading, BillPeriod, CycleOutcome, CycleReport, UserKey,
};

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
    /// A monitor cycle.
    Monitor,
    /// A user's data is being written to the cloud.
    Profile(UserKey),
    /// A main account's key pair is being checked.
    Account(AccountId),
}

impl Cards {
    /// The monitor card: `/monitor`.
    pub fn monitor(&self, view: &MonitorView, ctx: &CardContext) -> Card {
        let words = self.words;
        let failed: Vec<Value> = view
            .failed
            .iter()
            .take(FAILED)
            .map(|failed| {
                context! {
                    target => failed.target.as_str(),
                    reason => failed.reason.as_str(),
                    time => words.time(failed.at),
                }
            })
            .collect();
        let access: Vec<Value> = view
            .access_pending
            .iter()
            .take(PENDING)
            .map(|(key, pending)| {
                context! { user => key.to_string(), ..facts::pending(words, pending) }
            })
            .collect();
        let facts = context! {
            enabled => view.enabled,
            interval => words.seconds(view.interval_seconds),
            running => view.running_since.map(|at| words.time_full(at)),
            next => view.next_at.map(|at| words.time_full(at)),
            late => view.late_since.map(|at| words.time_full(at)),
            last_success => view.state.last_success.map(|at| words.time_full(at)),
            failures => view.state.failures_in_a_row,
            last => view.state.last.as_ref().map(|report| self.cycle_facts(report, &view.accounts)),
            owed => view.owed,
            failed => failed,
            access => access,
            more_access => view.access_pending.len().saturating_sub(PENDING),
            template => match (view.state.failures_in_a_row, view.enabled) {
                _ if view.late_since.is_some() => "red",
                (0, true) => "green",
                (0, false) => "grey",
                (1 | 2, _) => "orange",
                _ => "red",
            },
        };
        self.card("monitor.json.j2", ctx, facts)
    }

    /// The report of a finished cycle, for `/monitor run`. Accounts in `known` are shown by name.
    pub fn cycle_report(&self, report: &CycleReport, known: &[Account], ctx: &CardContext) -> Card {
        let facts = context! { last => self.cycle_facts(report, known) };
        self.card("cycle.json.j2", ctx, facts)
    }

    fn cycle_facts(&self, report: &CycleReport, known: &[Account]) -> Value {
        let words = self.words;
        let seconds = report.ended.duration_since(report.started).as_secs();
        // Failures come first, so that they are always listed.
        let mut listed: Vec<&AccountReading> = report.accounts.iter().collect();
        listed.sort_by_key(|reading| reading.error.is_none());
        let accounts: Vec<Value> = listed
            .into_iter()
            .take(ACCOUNTS)
            .map(|reading| reading_facts(reading, known))
            .collect();
        context! {
            ok => report.outcome == CycleOutcome::Ok,
            started => words.time_full(report.started),
            ended => words.time_full(report.ended),
            took => (seconds > 0).then(|| words.t("time.seconds", &[("count", &seconds)])),
            users => report.users,
            warnings => report.warnings,
            disables => report.disables,
            accounts => accounts,
            more_accounts => report.accounts.len().saturating_sub(ACCOUNTS),
        }
    }

    /// The report of a finished sync, for `/sync`.
    pub fn sync_report(&self, accounts: &[AccountSync], ctx: &CardContext) -> Card {
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
        let names = |names: &[String]| clip(&names.join(&separator), 120);
        let sum = |count: fn(&AccountSync) -> usize| accounts.iter().map(count).sum::<usize>();
        // Failures come first, so that they are always listed.
        let mut listed: Vec<&AccountSync> = accounts.iter().collect();
        listed.sort_by_key(|sync| (sync.error.is_none(), sync.unread.is_empty()));
        let rows: Vec<Value> = listed
            .into_iter()
            .take(ACCOUNTS)
            .map(|sync| {
                context! {
                    account => facts::account(&sync.name, &sync.account),
                    users => sync.users,
                    added => sync.added.len(),
                    added_names => names(&sync.added),
                    changed => sync.changed.len(),
                    changed_names => names(&sync.changed),
                    gone => sync.gone.len(),
                    gone_names => names(&sync.gone),
                    error => sync.error.as_ref().map(|error| words.trouble(error)),
                    unread => unread(sync),
                }
            })
            .collect();
        let facts = context! {
            rows => rows,
            more => accounts.len().saturating_sub(ACCOUNTS),
            users => sum(|sync| sync.users),
            added => sum(|sync| sync.added.len()),
            changed => sum(|sync| sync.changed.len()),
            gone => sum(|sync| sync.gone.len()),
            failed => sum(|sync| usize::from(sync.error.is_some() || !sync.unread.is_empty())),
        };
        self.card("sync.json.j2", ctx, facts)
    }

    /// Says that work is in progress. The card is replaced when it ends.
    pub fn processing(&self, kind: &Processing, ctx: &CardContext) -> Card {
        let words = self.words;
        let (title, text) = match kind {
            Processing::Sync => {
                (words.t("processing.sync", &[]), words.t("processing.sync_text", &[]))
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
        self.card("processing.json.j2", ctx, context! { title => title, text => text })
    }
}

fn reading_facts(reading: &AccountReading, known: &[Account]) -> Value {
    let named = known.iter().find(|account| account.id == reading.account);
    let name = named.map_or("", |account| &account.name);
    let periods: Vec<String> = match reading.periods.as_slice() {
        [first, .., last] if reading.periods.len() > 4 => {
            let (first, last) = (first.min(last), first.max(last));
            vec![format!("{first} – {last}")]
        }
        few => few.iter().map(BillPeriod::to_string).collect(),
    };
    context! {
        name => facts::account(name, &reading.account),
        periods => periods.join(", "),
        rows => reading.rows,
        calls => reading.calls,
        error => reading.error.as_deref(),
        warning => reading.warning.as_deref(),
        refused => reading.credentials_refused,
    }
}
