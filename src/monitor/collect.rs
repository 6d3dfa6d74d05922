//! Step 1 of a cycle: reads the bills of the open periods, and has them recorded.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::period::{PeriodReader, Products};
use super::{Monitor, record};
use crate::app::cloud::CloudError;
use crate::app::projects::open_periods;
use crate::domain::{
    AccountId, AccountReading, AccountReadings, BillPeriod, BillSource, Money, ProjectName,
    bill_so_far, holds_all,
};
use crate::store::{PeriodBill, RecordedReading, StoreError};
use crate::volcengine::{self, AccountClient};

/// A trillion 元 per project and month. Up to this limit, sums of amounts with 10 decimals over all months and projects
/// stay within the 28 digits that are exact.
const LARGEST_BILL: Decimal = Decimal::from_parts(0xD4A5_1000, 0xE8, 0, false, 0);

/// How many open periods of an account are read before they are recorded: a month of 5,000 projects takes 40 MB, and a new
/// link may open 24 of them (docs/behaviour.md §8).
const PERIODS_AT_ONCE: usize = 3;

/// What was read of an account: to be recorded, and to be reported.
struct Read {
    reading: RecordedReading,
    report: AccountReading,
    /// The first of the periods that were read, if earlier ones are open, too.
    earlier: Option<BillPeriod>,
}

impl Monitor {
    /// Reads and records every open period of every active account, accounts concurrently: the last periods first, then the
    /// earlier ones. What is read at once is recorded completely or not at all. Returns what was read, and how many users' spending
    /// is up to date now.
    pub(super) async fn collect_and_record(
        &self,
    ) -> Result<(Vec<AccountReading>, u64), StoreError> {
        let store = &self.parts.store;
        let accounts = store.reading(|tx| tx.accounts()).await?;
        let active = accounts.into_iter().filter(|account| account.active.is_on());
        let mut due: Vec<(AccountId, Option<BillPeriod>)> =
            active.map(|account| (account.id, None)).collect();
        let (mut reports, mut users) = (BTreeMap::<AccountId, AccountReading>::new(), 0);
        while !due.is_empty() {
            let reads = due.drain(..).map(|(id, before)| self.read_account(id, before));
            let outcomes: Vec<Result<Read, StoreError>> = futures::stream::iter(reads)
                .buffer_unordered(self.parts.concurrency.max(1))
                .collect()
                .await;
            for outcome in outcomes {
                let Read { reading, report, earlier } = outcome?;
                let account = reading.account.clone();
                let recorded = record::record(store, reading).await?;
                match reports.remove(&account) {
                    None => {
                        users += recorded;
                        reports.insert(account.clone(), report);
                    }
                    Some(later) => {
                        reports.insert(account.clone(), report.with(later));
                    }
                }
                due.extend(earlier.map(|before| (account, Some(before))));
            }
        }
        Ok((reports.into_values().collect(), users))
    }

    async fn read_account(
        &self,
        account: AccountId,
        before: Option<BillPeriod>,
    ) -> Result<Read, StoreError> {
        let (id, now) = (account.clone(), self.parts.clock.now());
        let (mut open, known) = self
            .parts
            .store
            .reading(move |tx| {
                Ok::<_, StoreError>((open_periods(tx, &id, now)?, tx.account_readings(&id)?))
            })
            .await?;
        if let Some(before) = before {
            open.split_off(&before);
        }
        let first = open.keys().rev().nth(PERIODS_AT_ONCE - 1).copied();
        let earlier =
            first.filter(|first| open.first_key_value().is_some_and(|(it, _)| it < first));
        if let Some(first) = earlier {
            open = open.split_off(&first);
        }
        let mut report = AccountReading {
            account: account.clone(),
            periods: open.keys().copied().collect(),
            rows: 0,
            calls: 0,
            error: None,
            credentials_refused: false,
            warning: None,
        };
        // A reading is dated by its start: one that began before a period settled does not close the period.
        match self.read_periods(&account, &open, before.is_none(), &known, now, &mut report).await {
            Ok((bills, bill_to)) => {
                let is_split = self.parts.bill_source == BillSource::Split;
                let bills = Some(bills);
                let reading = RecordedReading { account, bills, bill_to, is_split, at: now };
                Ok(Read { reading, report, earlier })
            }
            Err(CloudError::Store(error)) => Err(error),
            Err(error) => {
                tracing::warn!(%account, %error, "bills not read");
                report.credentials_refused = matches!(&error, CloudError::Cloud(error) if *error.kind() == volcengine::ErrorKind::Credentials);
                report.error = Some(self.parts.cards.words().trouble(&error.into()));
                let reading = RecordedReading::failed(account, now);
                Ok(Read { reading, report, earlier: None })
            }
        }
    }

    /// Reads open periods. If the newest is among them, also returns the last day that the bill holds.
    async fn read_periods(
        &self,
        account: &AccountId,
        open: &BTreeMap<BillPeriod, BTreeSet<ProjectName>>,
        is_newest: bool,
        known: &AccountReadings,
        now: Timestamp,
        report: &mut AccountReading,
    ) -> Result<(BTreeMap<BillPeriod, PeriodBill>, Option<Date>), CloudError> {
        let (mut bills, mut last_row) = (BTreeMap::new(), None);
        if open.is_empty() {
            return Ok((bills, None));
        }
        let mut products = Products::new();
        let api = self.parts.cloud.account(account).await?;
        for (period, projects) in open {
            let reader = PeriodReader {
                api: &api,
                period: *period,
                source: self.parts.bill_source,
                field: self.parts.amount_field,
                wanted: projects,
                now,
            };
            let mut bill = reader.read(known.periods.get(period), report, &mut products).await?;
            last_row = last_row.max(bill.days.keys().map(|(_, day)| *day).max());
            check_size(*period, projects, &mut bill)?;
            bills.insert(*period, bill);
        }
        // Checked before anything is recorded: the bills may be those of another main account.
        self.parts.cloud.verify(account, &api).await?;
        if !is_newest {
            return Ok((bills, None));
        }
        let bill_to = match self.parts.bill_source {
            BillSource::Detail => bill_so_far(last_row, now),
            BillSource::Split => {
                self.held_to(&api, known.bill_to, (last_row, &products), now, report).await
            }
        };
        Ok((bills, Some(bill_to)))
    }

    /// Returns the last day that a split bill holds, of which the last row and the sums of the last days are given: what is not
    /// long past has to be in it product by product. A day that cannot be compared is not held yet.
    async fn held_to(
        &self,
        api: &AccountClient,
        known: Option<Date>,
        (last_row, products): (Option<Date>, &Products),
        now: Timestamp,
        report: &mut AccountReading,
    ) -> Date {
        let (certain, maybe) = (bill_so_far(None, now), bill_so_far(last_row, now));
        let mut held = known.filter(|day| *day <= maybe).unwrap_or(certain).max(certain);
        while let Some(day) = held.tomorrow().ok().filter(|day| *day <= maybe) {
            let read = api.day_by_product(day, self.parts.amount_field).await;
            let calls = read.as_ref().map_or(1, |(_, calls)| *calls);
            report.calls = report.calls.saturating_add(calls);
            match read {
                Ok((Some(listed), _)) if holds_all(products, day, &listed) => held = day,
                Ok(_) => {
                    tracing::info!(account = %report.account, %day, "the split bill does not hold all of the day yet");
                    break;
                }
                Err(error) => {
                    tracing::warn!(account = %report.account, %day, %error, "the split bill of the day cannot be compared");
                    break;
                }
            }
        }
        held
    }
}

/// Refuses an amount of a linked project that cannot be right. One of another project is not counted.
fn check_size(
    period: BillPeriod,
    projects: &BTreeSet<ProjectName>,
    bill: &mut PeriodBill,
) -> Result<(), CloudError> {
    let is_absurd = |amount: Money| amount.decimal().abs() > LARGEST_BILL;
    let mut sums: BTreeMap<&str, (Money, bool)> = BTreeMap::new();
    for ((project, _), amount) in &bill.days {
        let (sum, absurd) = sums.entry(project).or_insert((Money::ZERO, false));
        *absurd |= is_absurd(*amount);
        if !*absurd {
            *sum += *amount;
            *absurd = is_absurd(*sum);
        }
        if *absurd {
            *sum = *amount;
        }
    }
    let absurd = sums.into_iter().filter(|(_, (_, absurd))| *absurd);
    let absurd: Vec<(String, Money)> =
        absurd.map(|(project, (sum, _))| (project.to_owned(), sum)).collect();
    for (name, amount) in absurd {
        if let Some(project) = projects.iter().find(|wanted| wanted.as_str() == name) {
            return Err(CloudError::AbsurdBill { period, project: project.clone(), amount });
        }
        tracing::warn!(%period, project = name, %amount, "an amount cannot be right and is not counted");
        bill.days.retain(|(project, _), _| *project != name);
        bill.reading.uncounted.insert(name);
    }
    Ok(())
}
