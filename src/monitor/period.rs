//! Reads one bill period: whole, or by day, as [`Plan`] says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::domain::{
    AccountReading, AmountField, BillPeriod, BillSource, BilledAmount, Covered, DayFilter, Money,
    PeriodReading, Plan, ProjectName,
};
use crate::store::PeriodBill;
use crate::volcengine::{self, AccountClient, BillReading, DaysRead};

/// By how much the days of a bill may differ from its total, per bill: each is rounded to whole 分
/// (`docs/platforms/ark.md §D.4`).
const ROUNDING: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// The sums of the last days of the bill, by day and product.
pub(super) type Products = BTreeMap<(Date, String), BilledAmount>;

/// Reads one period of one account.
pub(super) struct PeriodReader<'a> {
    pub api: &'a AccountClient,
    pub period: BillPeriod,
    pub source: BillSource,
    pub field: AmountField,
    /// Projects that monitored links count.
    pub wanted: &'a BTreeSet<ProjectName>,
    pub now: Timestamp,
}

impl PeriodReader<'_> {
    /// Reads what is to be read now. `last` is what is known of the period.
    pub async fn read(
        &self,
        last: Option<&PeriodReading>,
        report: &mut AccountReading,
        products: &mut Products,
    ) -> Result<PeriodBill, volcengine::Error> {
        match (Plan::of(self.period, self.now, last), last) {
            (Plan::Nothing, Some(last)) => {
                report.warning = report.warning.take().or_else(|| last.warning.clone());
                Ok(self.unread(last.clone()))
            }
            (Plan::Days(days), Some(last)) => {
                match self.days(&days, report, products).await? {
                    Some(read) => {
                        let mut reading = last.clone();
                        reading.uncounted.extend(read.uncounted.iter().cloned());
                        Ok(self.bill(Covered::Days(days), read, reading))
                    }
                    // It was read completely today.
                    None => Ok(self.unread(PeriodReading {
                        day_filter: DayFilter::Refused,
                        warning: report.warning.clone(),
                        ..last.clone()
                    })),
                }
            }
            (Plan::EveryDay(days), Some(_)) => match self.days(&days, report, products).await? {
                Some(read) if self.adds_up(&read, report).await? => {
                    let reading = self.complete(&read, DayFilter::Works);
                    Ok(self.bill(Covered::Whole, read, reading))
                }
                Some(_) => self.whole(DayFilter::Works, report, products).await,
                None => self.whole(DayFilter::Refused, report, products).await,
            },
            (_, last) => {
                let day_filter = last.map(|last| last.day_filter).unwrap_or_default();
                let known = last.and_then(|last| last.warning.clone());
                report.warning = report.warning.take().or(known);
                self.whole(day_filter, report, products).await
            }
        }
    }

    async fn whole(
        &self,
        day_filter: DayFilter,
        report: &mut AccountReading,
        products: &mut Products,
    ) -> Result<PeriodBill, volcengine::Error> {
        let read =
            self.api.read_bill(self.period, self.source, self.field, &self.wanted_names()).await?;
        note(&read, report, products);
        let mut reading = self.complete(&read, day_filter);
        // As long as it is not read by day, that is said with each cycle.
        reading.warning = report.warning.clone().filter(|_| day_filter == DayFilter::Refused);
        Ok(self.bill(Covered::Whole, read, reading))
    }

    /// Reads days; `None` if the bill cannot be read by day.
    async fn days(
        &self,
        days: &BTreeSet<Date>,
        report: &mut AccountReading,
        products: &mut Products,
    ) -> Result<Option<BillReading>, volcengine::Error> {
        let wanted = self.wanted_names();
        match self.api.read_days(self.period, self.source, self.field, &wanted, days).await? {
            DaysRead::Read(read) => {
                note(&read, report, products);
                Ok(Some(read))
            }
            DaysRead::Refused { calls, warning } => {
                report.calls = report.calls.saturating_add(calls);
                report.warning = report.warning.take().or(warning);
                Ok(None)
            }
        }
    }

    /// Returns whether the days are the whole bill: its rows are as many, and, once the period is over, its total is the
    /// same. A total that cannot be read says nothing.
    async fn adds_up(
        &self,
        read: &BillReading,
        report: &mut AccountReading,
    ) -> Result<bool, volcengine::Error> {
        report.calls = report.calls.saturating_add(1);
        let rows = self.api.count_rows(self.period, self.source).await?;
        if rows.is_some_and(|rows| rows != read.rows) {
            tracing::warn!(period = %self.period, by_day = read.rows, ?rows, "the days are not the whole bill");
            return Ok(false);
        }
        if BillPeriod::of(self.now) <= self.period || !read.uncounted.is_empty() {
            return Ok(true);
        }
        match self.api.bill_total(self.period, self.field).await {
            Ok((total, calls)) => {
                report.calls = report.calls.saturating_add(calls);
                let sum: Money = read.days.values().copied().sum();
                let allowed = ROUNDING * Decimal::from(read.bills.max(1));
                let adds_up = (total - sum).decimal().abs() <= allowed;
                if !adds_up {
                    tracing::warn!(period = %self.period, %sum, %total, "the days do not add up to the bill");
                }
                Ok(adds_up)
            }
            Err(error) => {
                tracing::warn!(period = %self.period, %error, "the bill's total cannot be compared");
                Ok(true)
            }
        }
    }

    fn wanted_names(&self) -> BTreeSet<String> {
        self.wanted.iter().map(ToString::to_string).collect()
    }

    fn complete(&self, read: &BillReading, day_filter: DayFilter) -> PeriodReading {
        PeriodReading {
            complete_at: self.now,
            rows: read.rows,
            day_filter,
            mixed: read.mixed.clone(),
            warning: None,
            uncounted: read.uncounted.clone(),
        }
    }

    fn bill(&self, covered: Covered, read: BillReading, reading: PeriodReading) -> PeriodBill {
        PeriodBill {
            covered,
            days: read.days,
            once: read.once,
            wanted: self.wanted.clone(),
            reading,
        }
    }

    /// Everything stays as it is known.
    fn unread(&self, reading: PeriodReading) -> PeriodBill {
        let covered = Covered::Days(BTreeSet::new());
        self.bill(covered, BillReading::default(), reading)
    }
}

fn note(read: &BillReading, report: &mut AccountReading, products: &mut Products) {
    products.extend(read.products.iter().map(|(key, amount)| (key.clone(), *amount)));
    report.rows = report.rows.saturating_add(read.rows);
    report.calls = report.calls.saturating_add(read.calls);
    if read.warning.is_some() {
        report.warning.clone_from(&read.warning);
    }
}
