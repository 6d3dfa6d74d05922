//! Step 1 of a cycle: reads the bills of the open periods.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::Monitor;
use super::period::PeriodReader;
use crate::app::cloud::CloudError;
use crate::app::projects::open_periods;
use crate::domain::{
    AccountId, AccountReading, AccountReadings, BillPeriod, Money, ProjectName, bill_so_far,
};
use crate::store::{PeriodBill, RecordedReading, StoreError};
use crate::volcengine;

/// A trillion 元 per project and month. Up to this limit, sums of amounts with 10 decimals over all months and projects
/// stay within the 28 digits that are exact.
const LARGEST_BILL: Decimal = Decimal::from_parts(0xD4A5_1000, 0xE8, 0, false, 0);

/// What a cycle read: to be recorded, and to be reported.
pub(super) struct Collected {
    pub readings: Vec<RecordedReading>,
    pub report: Vec<AccountReading>,
}

impl Monitor {
    /// Reads every open period of every active account, accounts concurrently. An account is read completely or not at all.
    pub(super) async fn collect(&self) -> Result<Collected, StoreError> {
        let accounts = self.parts.store.reading(|tx| tx.accounts()).await?;
        let active = accounts.into_iter().filter(|account| account.active.is_on());
        let outcomes: Vec<Result<(RecordedReading, AccountReading), StoreError>> =
            futures::stream::iter(active.map(|account| self.read_account(account.id)))
                .buffer_unordered(self.parts.concurrency.max(1))
                .collect()
                .await;
        let mut collected = Collected { readings: Vec::new(), report: Vec::new() };
        for outcome in outcomes {
            let (reading, report) = outcome?;
            collected.readings.push(reading);
            collected.report.push(report);
        }
        collected.report.sort_by(|a, b| a.account.cmp(&b.account));
        Ok(collected)
    }

    async fn read_account(
        &self,
        account: AccountId,
    ) -> Result<(RecordedReading, AccountReading), StoreError> {
        let (id, now) = (account.clone(), self.parts.clock.now());
        let (open, known) = self
            .parts
            .store
            .reading(move |tx| {
                Ok::<_, StoreError>((open_periods(tx, &id, now)?, tx.account_readings(&id)?))
            })
            .await?;
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
        match self.read_periods(&account, &open, &known, now, &mut report).await {
            Ok((bills, last_row)) => {
                let bill_to = (!bills.is_empty()).then(|| bill_so_far(last_row, now));
                Ok((RecordedReading { account, bills: Some(bills), bill_to, at: now }, report))
            }
            Err(CloudError::Store(error)) => Err(error),
            Err(error) => {
                tracing::warn!(%account, %error, "bills not read");
                report.credentials_refused = matches!(&error, CloudError::Cloud(error) if *error.kind() == volcengine::ErrorKind::Credentials);
                report.error = Some(self.parts.cards.words().trouble(&error.into()));
                Ok((RecordedReading::failed(account, now), report))
            }
        }
    }

    /// Reads the open periods. Also returns the last day that has rows.
    async fn read_periods(
        &self,
        account: &AccountId,
        open: &BTreeMap<BillPeriod, BTreeSet<ProjectName>>,
        known: &AccountReadings,
        now: Timestamp,
        report: &mut AccountReading,
    ) -> Result<(BTreeMap<BillPeriod, PeriodBill>, Option<Date>), CloudError> {
        let (mut bills, mut last_row) = (BTreeMap::new(), None);
        if open.is_empty() {
            return Ok((bills, last_row));
        }
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
            let mut bill = reader.read(known.periods.get(period), report).await?;
            last_row = last_row.max(bill.days.keys().map(|(_, day)| *day).max());
            check_size(*period, projects, &mut bill)?;
            bills.insert(*period, bill);
        }
        // Checked before anything is recorded: the bills may be those of another main account.
        self.parts.cloud.verify(account, &api).await?;
        Ok((bills, last_row))
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
