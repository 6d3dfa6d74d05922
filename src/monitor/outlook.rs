//! Step 4 of a cycle: what the spending of the last complete days leads to. Nothing here fails a cycle because the cloud does
//! not answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::Monitor;
use crate::domain::forecast::{RATE_DAYS, before};
use crate::domain::outlook::SPIKE_DAYS;
use crate::domain::{
    AccountId, AccountOutlook, AlertBody, BalanceReading, BillPeriod, Figures, Forecast,
    ForecastAlerted, IncidentChange, Limit, Money, MonthFigures, Outlook, Rate, RunsOut, Spike,
    User, UserKey, balance, beijing_day, run_out, spike,
};
use crate::outbox::Alerts;
use crate::store::{Source, StoreError, View, WriteTx};

/// How long a balance may take, retries included: cuts do not wait for it, but the next cycle does.
const BALANCE_PATIENCE: Duration = Duration::from_secs(5);
/// How many users are written in one transaction.
const WRITTEN_AT_ONCE: usize = 20;
/// How many projects an alert about unusual days names.
const SPIKES_NAMED: usize = 10;

/// How early the monitor warns, in days; 0 is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarnDays {
    /// Before a quota or month limit is used up.
    pub forecast: u32,
    /// Before an account's balance is used up.
    pub balance: u32,
}

/// What is known of an account's days.
struct AccountDays {
    account: AccountId,
    /// The last complete day.
    to: Date,
    /// The first day from which on every day is known.
    known_from: Date,
    /// By project ("" for rows without one).
    projects: BTreeMap<String, BTreeMap<Date, Money>>,
    /// The part of it that is no use: orders, refunds and corrections.
    once: BTreeMap<(String, Date), Money>,
}

impl AccountDays {
    /// Returns the account's rate. Orders and refunds do not come again.
    fn rate(&self) -> Option<Rate> {
        let mut days: BTreeMap<Date, Money> = BTreeMap::new();
        for (day, amount) in self.projects.values().flatten() {
            *days.entry(*day).or_insert(Money::ZERO) += *amount;
        }
        for ((_, day), amount) in &self.once {
            let sum = days.entry(*day).or_insert(Money::ZERO);
            *sum = *sum - *amount;
        }
        Rate::of(&days, self.known_from, self.to)
    }

    fn spikes(&self, day: Date) -> Vec<Spike> {
        let named = self.projects.iter().filter(|(project, _)| !project.is_empty());
        let spikes = named.filter_map(|(name, days)| spike(name, days, day, self.known_from));
        let mut spikes: Vec<Spike> = spikes.collect();
        spikes.sort_by(|a, b| b.amount.cmp(&a.amount).then_with(|| a.project.cmp(&b.project)));
        spikes.truncate(SPIKES_NAMED);
        spikes
    }
}

impl Monitor {
    /// Looks ahead, after the cycle's decisions. `told` are the users who were warned or cut in this cycle: their cards say
    /// already what is foretold. `unread` are the accounts whose bills could not be read.
    pub(super) async fn look_ahead(
        &self,
        told: BTreeSet<UserKey>,
        unread: &[AccountId],
    ) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let accounts = self.parts.store.reading(move |tx| accounts(tx, now)).await?;
        self.foretell(&accounts, told, now).await?;
        let read = accounts.into_iter().filter(|known| !unread.contains(&known.account));
        let read = read.map(|known| async move {
            let balance = self.balance_of(&known).await?;
            Ok::<_, StoreError>((known, balance))
        });
        for read in futures::future::join_all(read).await {
            let (account, read) = read?;
            let (alerts, within) = (self.parts.alerts.clone(), self.parts.warn_days.balance);
            self.parts
                .store
                .writing(move |tx| settle(tx, &alerts, &account, read, within, now))
                .await?;
        }
        Ok(())
    }

    /// Warns about users whose quota or month limit will soon be used up.
    async fn foretell(
        &self,
        accounts: &[AccountDays],
        told: BTreeSet<UserKey>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let within = self.parts.warn_days.forecast;
        if within == 0 {
            return Ok(());
        }
        let mut spending: Vec<(AccountId, String)> = Vec::new();
        for known in accounts {
            let recent = before(known.to, RATE_DAYS - 1)..=known.to;
            let spends = |days: &BTreeMap<Date, Money>| {
                days.range(recent.clone()).any(|(_, amount)| amount.is_positive())
            };
            let projects = known.projects.iter().filter(|(_, days)| spends(days));
            spending.extend(projects.map(|(name, _)| (known.account.clone(), name.clone())));
        }
        let concerned: Vec<UserKey> = self
            .parts
            .store
            .reading(move |tx| {
                let mut users = BTreeSet::new();
                for (account, project) in &spending {
                    users.extend(tx.payers(account, project)?.into_iter().map(|payer| payer.user));
                }
                let directory = tx.directory();
                let alerted = directory.iter().filter(|(_, entry)| entry.forecast_alerted);
                users.extend(alerted.map(|(key, _)| key.clone()));
                let mut concerned = Vec::new();
                for key in users {
                    if run_out_of(tx, &key, now, within)?.is_some() {
                        concerned.push(key);
                    }
                }
                Ok::<_, StoreError>(concerned)
            })
            .await?;
        for some in concerned.chunks(WRITTEN_AT_ONCE) {
            let (some, alerts) = (some.to_vec(), self.parts.alerts.clone());
            let told = told.clone();
            self.parts
                .store
                .writing(move |tx| {
                    for key in &some {
                        warn(tx, &alerts, key, told.contains(key), now, within)?;
                    }
                    Ok::<_, StoreError>(())
                })
                .await?;
        }
        Ok(())
    }

    /// Reads the balance of an account, if it can be used up.
    async fn balance_of(
        &self,
        known: &AccountDays,
    ) -> Result<Option<(BalanceReading, Rate)>, StoreError> {
        let id = known.account.clone();
        let before = self.parts.store.reading(move |tx| outlook(tx, &id)).await?;
        // If nothing is spent, nothing runs out.
        let rate = known.rate().filter(|rate| rate.spent.is_positive() || before.balance_low);
        match rate {
            Some(rate) if self.parts.warn_days.balance > 0 => {
                Ok(self.read_balance(&known.account).await.map(|read| (read, rate)))
            }
            _ => Ok(None),
        }
    }

    async fn read_balance(&self, account: &AccountId) -> Option<BalanceReading> {
        let reading = async {
            let api = self.parts.cloud.account(account).await.ok()?;
            Some(api.available_balance().await)
        };
        let read = tokio::time::timeout(BALANCE_PATIENCE, reading).await.ok()??;
        let at = self.parts.clock.now();
        match read {
            Ok(available) => Some(BalanceReading { available: Some(available), error: None, at }),
            Err(error) => {
                tracing::debug!(%account, %error, "the balance cannot be read");
                None
            }
        }
    }
}

/// Reads what is known of the days of the active accounts.
fn accounts<S: Source>(tx: &View<S>, now: Timestamp) -> Result<Vec<AccountDays>, StoreError> {
    let today = beijing_day(now);
    let mut accounts = Vec::new();
    for account in tx.accounts()?.into_iter().filter(|account| account.active.is_on()) {
        let Some((known_from, to)) = tx.known_days(&account.id, today)? else { continue };
        let first = before(to, SPIKE_DAYS + RATE_DAYS);
        let mut projects: BTreeMap<String, BTreeMap<Date, Money>> = BTreeMap::new();
        for (day, project, amount) in tx.days(&account.id, first, to)? {
            projects.entry(project).or_default().insert(day, amount);
        }
        let once = tx.once(&account.id, first, to)?;
        accounts.push(AccountDays { account: account.id, to, known_from, projects, once });
    }
    Ok(accounts)
}

fn outlook<S: Source>(tx: &View<S>, account: &AccountId) -> Result<AccountOutlook, StoreError> {
    Ok(tx.monitor_state()?.outlooks.get(account).copied().unwrap_or_default())
}

/// Returns what begins or ends for a user, if anything does.
fn run_out_of<S: Source>(
    tx: &View<S>,
    key: &UserKey,
    now: Timestamp,
    within: u32,
) -> Result<Option<(User, Forecast, IncidentChange)>, StoreError> {
    let Some(user) = tx.user(key)? else { return Ok(None) };
    let Some(forecast) = tx.forecast(&user, now)? else { return Ok(None) };
    let change = run_out(&user, &forecast, beijing_day(now), within);
    Ok((change != IncidentChange::Nothing).then_some((user, forecast, change)))
}

fn warn(
    tx: &WriteTx,
    alerts: &Alerts,
    key: &UserKey,
    is_told: bool,
    now: Timestamp,
    within: u32,
) -> Result<(), StoreError> {
    let Some((mut user, forecast, change)) = run_out_of(tx, key, now, within)? else {
        return Ok(());
    };
    let begins = change == IncidentChange::Begins;
    // A change of access is in progress: whatever it is, its own alert says so.
    if begins && tx.access_pending(key)?.is_some() {
        return Ok(());
    }
    user.forecast_alerted = begins.then(|| ForecastAlerted::of(&user));
    tx.put_user(&user)?;
    let (true, Some(runs_out)) = (begins && !is_told, forecast.runs_out) else { return Ok(()) };
    let figures = figures(tx, &user, runs_out, now)?;
    let Forecast { rate, month_end, .. } = forecast;
    let outlook = Outlook::RunsOut { runs_out, rate, month_end, figures };
    alerts.raise(tx, Some(key), AlertBody::Forecast { outlook }, now)?;
    Ok(())
}

fn figures(
    tx: &WriteTx,
    user: &User,
    runs_out: RunsOut,
    now: Timestamp,
) -> Result<Figures, StoreError> {
    let month = MonthFigures::of(user, tx.month(user, now)?.as_ref());
    let amounts = match runs_out.of {
        Limit::Month => tx.month_amounts(&user.key, BillPeriod::of(now))?,
        Limit::Quota | Limit::Both => Vec::new(),
    };
    let links = tx.links_of(&user.key)?;
    let figures = Figures::of(user, &links, &tx.sharing_among(&links)?);
    Ok(figures.with_month(month, runs_out.of, &amounts))
}

/// Alerts unusual days and a low balance of an account, each once.
fn settle(
    tx: &WriteTx,
    alerts: &Alerts,
    known: &AccountDays,
    read: Option<(BalanceReading, Rate)>,
    within: u32,
    now: Timestamp,
) -> Result<(), StoreError> {
    let account = known.account.clone();
    let before = outlook(tx, &account)?;
    let mut after = before;
    for day in before.days_to_judge(known.to, beijing_day(now)) {
        let projects = known.spikes(day);
        after.judged_to = Some(day);
        if !projects.is_empty() {
            let outlook = Outlook::Spikes { account: account.clone(), day, projects };
            alerts.raise(tx, None, AlertBody::Forecast { outlook }, now)?;
        }
    }
    if let Some((read, rate)) = read {
        tx.put_balance(&account, &read)?;
        if let Some(available) = read.available {
            let outlook = match balance(before.balance_low, available, rate, within) {
                IncidentChange::Nothing => None,
                IncidentChange::Begins => {
                    Some(Outlook::BalanceLow { account: account.clone(), available, rate, within })
                }
                IncidentChange::Ends => {
                    Some(Outlook::BalanceRecovered { account: account.clone(), available })
                }
            };
            if let Some(outlook) = outlook {
                after.balance_low = !before.balance_low;
                alerts.raise(tx, None, AlertBody::Forecast { outlook }, now)?;
            }
        }
    }
    if after != before {
        let mut state = tx.monitor_state()?;
        state.outlooks.insert(account, after);
        tx.put_monitor_state(&state)?;
    }
    Ok(())
}
