//! Step 3 of a cycle: what is spent since the last day that the bill holds (docs/platforms/ark.md §D.5). An estimate that
//! cannot be read fails no cycle: what was estimated before stays, with its time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use tokio::time::Instant;

use super::{Monitor, record};
use crate::app::cloud::CloudError;
use crate::domain::estimate::{model_name, share};
use crate::domain::period::beijing;
use crate::domain::{
    AccountEstimate, AccountId, AccountReading, AmountField, BilledItem, ChargedParts, EstimateUse,
    Explained, ModelUsage, Money, ProjectName, ProjectUsage, SharedDay, beijing_day, caught_up,
    settled_days,
};
use crate::store::{EstimateReading, StoreError};
use crate::volcengine::{AccountClient, ErrorKind, UsageRow, UsedBy};

/// How many days are read at most. What was estimated for earlier ones stays until the bill holds them.
const DAYS: i64 = 7;
/// The part of the interval in which usage may be read, because the next cycle must not wait.
const SHARE_OF_INTERVAL: u32 = 2;
/// The usage of a project is read once in this time, unless a decision may depend on it.
const USAGE_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How many calls about usage are waiting at a time: a cut has calls of its own to make at the same pace.
const AT_ONCE: usize = 2;
/// After as many failures in a row, no more usage is read in this cycle.
const GIVE_UP_AFTER: usize = 3;
/// Evening begins at this hour in Beijing.
const EVENING: i8 = 18;
/// How many projects with older usage are named.
const NAMED: usize = 5;

/// What is known of an account before its estimate is read.
struct Known {
    /// The first day that the bill does not hold.
    first: Date,
    usage: BTreeMap<ProjectName, ProjectUsage>,
    charged: Option<ChargedParts>,
    explained: Explained,
}

/// When to read what.
#[derive(Clone, Copy)]
struct Pace {
    /// Usage that is this old is read again.
    usage_every: SignedDuration,
    /// No more usage is read after this.
    deadline: Instant,
    /// When the cycle began.
    started: Timestamp,
}

/// What was read of an account.
#[derive(Default)]
struct Read {
    days: BTreeMap<Date, SharedDay>,
    usage: BTreeMap<ProjectName, ProjectUsage>,
    older: Vec<(Option<Timestamp>, ProjectName)>,
    charged: Option<ChargedParts>,
    explained: Explained,
    trouble: Option<CloudError>,
    calls: u32,
}

impl Monitor {
    /// Reads and records the estimates of the accounts whose bills were `read`. Returns whether anything may have changed.
    pub(super) async fn estimate(
        &self,
        read: &[AccountReading],
        started: Timestamp,
    ) -> Result<bool, StoreError> {
        let interval = self.interval().await;
        // A refused key pair is refused here as well.
        let read = read.iter().filter(|account| !account.credentials_refused);
        let accounts: Vec<AccountId> = read.map(|account| account.account.clone()).collect();
        let outcomes: Vec<Result<bool, StoreError>> = futures::stream::iter(
            accounts.into_iter().map(|account| self.estimate_account(account, interval, started)),
        )
        .buffer_unordered(self.parts.concurrency.max(1))
        .collect()
        .await;
        let mut changed = false;
        for outcome in outcomes {
            changed |= outcome?;
        }
        Ok(changed)
    }

    async fn estimate_account(
        &self,
        account: AccountId,
        interval: Duration,
        started: Timestamp,
    ) -> Result<bool, StoreError> {
        let (counts, now) = (self.parts.estimate, self.parts.clock.now());
        let id = account.clone();
        let known = self.parts.store.reading(move |tx| {
            let before = tx.account_estimate(&id)?;
            let is_linked = !tx.counted_projects(&id)?.is_empty();
            let usage = tx.project_usage(&id)?;
            Ok::<_, StoreError>((before, tx.account_readings(&id)?.bill_to, is_linked, usage))
        });
        let (before, bill_to, is_linked, usage) = known.await?;
        let (charged, explained) = match &before {
            Some(before) => (before.charged.clone(), before.explained.clone()),
            None => (None, Explained::default()),
        };
        let was_used = before.as_ref().is_some_and(|before| before.counts > EstimateUse::Off);
        let first = bill_to.and_then(|day| day.tomorrow().ok());
        let reading = EstimateReading {
            account: account.clone(),
            at: now,
            evening: (now.to_zoned(beijing()).hour() >= EVENING).then(|| beijing_day(now)),
            days: None,
            usage: BTreeMap::new(),
            state: AccountEstimate { counts, ..AccountEstimate::default() },
        };
        let reading = match first {
            _ if counts == EstimateUse::Off && !was_used => return Ok(false),
            Some(first) if counts > EstimateUse::Off && is_linked => {
                let known = Known { first, usage, charged, explained };
                self.read_estimate(reading, known, interval, started).await?
            }
            _ if was_used => reading,
            _ => return Ok(false),
        };
        record::record_estimate(&self.parts.store, &self.parts.alerts, reading, now).await?;
        Ok(true)
    }

    /// Fills in what can be read.
    async fn read_estimate(
        &self,
        mut reading: EstimateReading,
        known: Known,
        interval: Duration,
        started: Timestamp,
    ) -> Result<EstimateReading, StoreError> {
        let account = reading.account.clone();
        let reads_for = interval / SHARE_OF_INTERVAL;
        // What was read at the end of a cycle is due in the cycle that begins an hour after that one did.
        let early = SignedDuration::try_from(reads_for).unwrap_or(USAGE_EVERY);
        let pace = Pace {
            usage_every: USAGE_EVERY - early.min(USAGE_EVERY),
            deadline: Instant::now() + reads_for,
            started,
        };
        let read = async {
            let api = self.parts.cloud.account(&account).await?;
            let read = self.read_shares(&account, &api, known, pace).await?;
            // The bills may be those of another main account.
            self.parts.cloud.verify(&account, &api).await?;
            Ok::<_, CloudError>(read)
        };
        let trouble = match read.await {
            Err(CloudError::Store(error)) => return Err(error),
            Err(error) => Some(error),
            Ok(read) => {
                tracing::info!(%account, calls = read.calls, older = read.older.len(), "estimate read");
                reading.days = Some(read.days);
                reading.usage = read.usage;
                let state = &mut reading.state;
                state.charged = read.charged;
                state.explained = read.explained;
                state.older_count = read.older.len();
                state.oldest = read.older.first().and_then(|(at, _)| *at);
                let named = read.older.into_iter().take(NAMED);
                state.older = named.map(|(_, project)| project).collect();
                read.trouble
            }
        };
        if let Some(error) = trouble {
            tracing::warn!(%account, %error, "the estimate cannot be read completely");
            reading.state.trouble = Some(self.parts.cards.words().trouble(&error.into()));
        }
        Ok(reading)
    }

    /// Reads the account's money of the days and, if it is for models, the usage of its projects, longest unread first.
    ///
    /// Usage is read once an hour, and with each cycle whose new money could lead to a decision about somebody: then that of
    /// all projects, because who used more decides what the others pay.
    async fn read_shares(
        &self,
        account: &AccountId,
        api: &AccountClient,
        known: Known,
        pace: Pace,
    ) -> Result<Read, CloudError> {
        let now = self.parts.clock.now();
        let today = beijing_day(now);
        let earliest = today.checked_sub((DAYS - 1).days()).unwrap_or(today);
        let first = known.first.max(earliest).min(today);
        let days: BTreeSet<Date> = days_through(first, today).collect();
        let items = api.read_items(&days, self.parts.amount_field).await?;
        let mut read = Read {
            calls: items.calls,
            charged: known.charged,
            explained: known.explained,
            ..Read::default()
        };
        let is_model = |item: &BilledItem| matches!(item, BilledItem::Model { .. });
        let has_models = items.items.keys().any(|(_, item)| is_model(item));
        if has_models {
            read.charged = self.charged_parts(api, read.charged, today, &mut read.calls).await;
        }
        let money = caught_up(&items.items, read.charged.as_ref(), today);
        let mut usage: BTreeMap<ProjectName, Option<ProjectUsage>> = BTreeMap::new();
        if has_models {
            let more = read.explained.growth(&money);
            let at_stake = more.is_positive() && self.is_at_stake(account, more).await?;
            let is_due = |usage: Option<&ProjectUsage>| {
                usage.is_none_or(|usage| usage.is_due(first, now, pace.usage_every))
            };
            let listed = projects(api).await?;
            read.calls = read.calls.saturating_add(1);
            let all = listed.iter();
            let before = all.map(|name| (name.clone(), known.usage.get(name).cloned())).collect();
            // Somebody has begun to use a model.
            let is_new = read.explained.has_new_model(now, &money, &before);
            let all_wanted = at_stake || is_new;
            let wanted = |project: &&ProjectName| all_wanted || is_due(known.usage.get(*project));
            let mut queue: Vec<ProjectName> = listed.iter().filter(wanted).cloned().collect();
            let wanted: BTreeSet<ProjectName> = queue.iter().cloned().collect();
            queue.sort_by_key(|project| known.usage.get(project).map(|usage| usage.read_at));
            self.read_usage(api, queue, (first, today), pace.deadline, &mut read).await;
            for project in listed {
                let usage_now = read.usage.get(&project).or_else(|| known.usage.get(&project));
                let read_at = usage_now.map(|usage| usage.read_at);
                let is_older = read_at.is_none_or(|at| at < pace.started);
                if is_older && wanted.contains(&project) {
                    read.older.push((read_at, project.clone()));
                }
                usage.insert(project, usage_now.cloned());
            }
            read.older.sort();
            let is_whole = wanted.len() == usage.len();
            // A project that was deleted has used what it has used.
            for (project, gone) in known.usage {
                let read_at = self.parts.clock.now();
                usage.entry(project).or_insert(Some(ProjectUsage {
                    read_at,
                    first: first.min(gone.first),
                    ..gone
                }));
            }
            // Usage explains what was seen half an hour before the oldest of it was read.
            let read_at: Option<Vec<Timestamp>> =
                usage.values().map(|usage| usage.as_ref().map(|usage| usage.read_at)).collect();
            let oldest = read_at.and_then(|read_at| read_at.into_iter().min());
            read.explained.note(now, &money, &usage, oldest);
            if is_whole {
                read.explained.note_models(now, &money, &usage);
            }
        }
        read.days = share(&money, &usage, &read.explained);
        for day in days {
            read.days.entry(day).or_default();
        }
        Ok(read)
    }

    /// Returns what part of the list price is charged, from days that are settled: read once a day. If they cannot be read, it
    /// stays as it is known.
    async fn charged_parts(
        &self,
        api: &AccountClient,
        known: Option<ChargedParts>,
        today: Date,
        calls: &mut u32,
    ) -> Option<ChargedParts> {
        let days = settled_days(today);
        let to = *days.last()?;
        if self.parts.amount_field == AmountField::Original {
            return None;
        }
        if known.as_ref().is_some_and(|known| known.to == to) {
            return known;
        }
        match api.read_items(&days.into_iter().collect(), self.parts.amount_field).await {
            Ok(read) => {
                *calls = calls.saturating_add(read.calls);
                Some(ChargedParts::of(&read.items, to))
            }
            Err(error) => {
                tracing::warn!(%error, "the settled days cannot be read");
                known
            }
        }
    }

    /// Returns whether a decision about somebody would be another if all of `more` money was theirs.
    async fn is_at_stake(&self, account: &AccountId, more: Money) -> Result<bool, StoreError> {
        let (account, alerts) = (account.clone(), self.parts.alerts.clone());
        let (counts, now) = (self.parts.estimate, self.parts.clock.now());
        if counts < EstimateUse::Warn {
            return Ok(false);
        }
        self.parts
            .store
            .reading(move |tx| {
                let defaults = alerts.settings_in_force(tx)?.thresholds;
                record::is_at_stake(tx, &account, more, counts, &defaults, now)
            })
            .await
    }

    async fn read_usage(
        &self,
        api: &AccountClient,
        queue: Vec<ProjectName>,
        (first, last): (Date, Date),
        deadline: Instant,
        read: &mut Read,
    ) {
        let calls = queue.into_iter().enumerate().map(|(n, project)| async move {
            if n > 0 && Instant::now() > deadline {
                return None;
            }
            let read_at = self.parts.clock.now();
            let rows = api.inference_usage(&project, first, last, false).await;
            Some((project, rows.map(|rows| usage_of(rows, first, read_at))))
        });
        let mut answers = futures::stream::iter(calls).buffered(AT_ONCE);
        let mut failed_in_a_row = 0;
        while let Some(Some((project, usage))) = answers.next().await {
            read.calls = read.calls.saturating_add(1);
            match usage {
                Ok(usage) => {
                    failed_in_a_row = 0;
                    read.usage.insert(project, usage);
                }
                Err(error) => {
                    tracing::warn!(%project, %error, "usage not read");
                    failed_in_a_row += 1;
                    let is_final = *error.kind() == ErrorKind::Credentials;
                    read.trouble.get_or_insert(error.into());
                    if is_final || failed_in_a_row >= GIVE_UP_AFTER {
                        break;
                    }
                }
            }
        }
    }
}

/// Returns the account's projects. A name that cannot be understood stands as one whose usage cannot be read: it could have
/// used anything.
async fn projects(api: &AccountClient) -> Result<BTreeSet<ProjectName>, CloudError> {
    let listed = api.list_projects().await?.into_iter();
    let named =
        listed.map(|project| ProjectName::new(project.name).or_else(|_| ProjectName::new("?")));
    Ok(named.filter_map(Result::ok).collect())
}

fn days_through(first: Date, last: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |day| day.tomorrow().ok())
        .take_while(move |day| *day <= last)
}

/// Adds up what has to be paid for online calls, by day and model. Batch jobs have prices and rows of the bill of their own.
fn usage_of(rows: Vec<UsageRow>, first: Date, read_at: Timestamp) -> ProjectUsage {
    let mut days: BTreeMap<Date, BTreeMap<String, ModelUsage>> = BTreeMap::new();
    let counts = |row: &UsageRow| row.billed && row.used_by != UsedBy::Batch;
    for row in rows.into_iter().filter(counts) {
        let unclear = row.used_by == UsedBy::Unknown && row.spends();
        let more = ModelUsage {
            unclear,
            input: row.input,
            cached: row.cache_hit,
            output: row.output,
            tokens: row.tokens,
            images: row.images,
        };
        let models = days.entry(row.day).or_default();
        models.entry(model_name(&row.model)).or_default().add(more);
    }
    ProjectUsage { read_at, first, days }
}
