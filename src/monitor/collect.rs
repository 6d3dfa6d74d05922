//! Step 1 of a cycle: reads the bills of the open periods.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use rust_decimal::Decimal;

use super::Monitor;
use crate::app::cloud::CloudError;
use crate::app::projects::open_periods;
use crate::domain::{AccountId, AccountReading, BillPeriod, Money, ProjectName};
use crate::store::{RecordedReading, StoreError};
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
        let open = self.parts.store.reading(move |tx| open_periods(tx, &id, now)).await?;
        let mut report = AccountReading {
            account: account.clone(),
            periods: open.keys().copied().collect(),
            rows: 0,
            calls: 0,
            error: None,
            credentials_refused: false,
            warning: None,
        };
        let projects: BTreeSet<ProjectName> = open.values().flatten().cloned().collect();
        let bills = match self.read_periods(&account, &open, &mut report).await {
            Ok(bills) => Some(bills),
            Err(CloudError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(%account, %error, "bills not read");
                report.credentials_refused = matches!(&error, CloudError::Cloud(error) if *error.kind() == volcengine::ErrorKind::Credentials);
                report.error = Some(self.parts.cards.words().trouble(&error.into()));
                None
            }
        };
        // A reading is dated by its start: one that began before a period settled does not close the period.
        Ok((RecordedReading { account, bills, projects, at: now }, report))
    }

    async fn read_periods(
        &self,
        account: &AccountId,
        open: &BTreeMap<BillPeriod, BTreeSet<ProjectName>>,
        report: &mut AccountReading,
    ) -> Result<BTreeMap<(ProjectName, BillPeriod), Money>, CloudError> {
        let mut bills = BTreeMap::new();
        if open.is_empty() {
            return Ok(bills);
        }
        let api = self.parts.cloud.account(account).await?;
        for (period, projects) in open {
            let wanted: BTreeSet<String> = projects.iter().map(ToString::to_string).collect();
            let reading = api
                .read_bill(*period, self.parts.bill_source, self.parts.amount_field, &wanted)
                .await?;
            report.rows = report.rows.saturating_add(reading.rows);
            report.calls = report.calls.saturating_add(reading.calls);
            if reading.warning.is_some() {
                report.warning = reading.warning;
            }
            for project in projects {
                let amount = reading.amounts.get(project.as_str()).copied().unwrap_or(Money::ZERO);
                if amount.decimal().abs() > LARGEST_BILL {
                    let (period, project) = (*period, project.clone());
                    return Err(CloudError::AbsurdBill { period, project, amount });
                }
                bills.insert((project.clone(), *period), amount);
            }
        }
        // Checked before anything is recorded: the bills may be those of another main account.
        self.parts.cloud.verify(account, &api).await?;
        Ok(bills)
    }
}
