//! Billing 2022-01-01: the monthly spending of projects, and the account's balance (docs/platforms/volcengine.md §7).

mod amount;
mod empty;
mod fold;
mod held;
mod item;
mod items;
mod overview;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

pub use self::items::ItemsRead;

use self::amount::amount;
use self::fold::{Fold, FoldError, Next, PAGE, Sums, total_of};
use super::call::{Api, Call};
use super::client::AccountClient;
use super::error::{Error, ErrorKind, bounded};
use crate::domain::{
    AccountNumber, AmountField, BillPeriod, BillSource, BilledAmount, Money, beijing_day,
};

/// `GroupTerm`: one row for each charge item.
const BY_ITEM: u8 = 0;
/// `GroupTerm`: one row for each product.
const BY_PRODUCT: u8 = 2;
/// The sums of as many days are known by product.
const COMPARED_DAYS: i64 = 4;
/// Max reads of a bill that changes while being read.
const MAX_READS: u32 = 2;

/// A complete reading of one bill period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BillReading {
    /// The exact amount of every wanted project; zero if the bill has no row of it.
    pub amounts: BTreeMap<String, Money>,
    /// The exact amount of each day (in Beijing) of every project, wanted or not. Rows without a project have an empty
    /// name, or `-`. The days of a project add up to its amount.
    pub days: BTreeMap<(String, Date), Money>,
    /// Days that also hold rows of days outside the period.
    pub mixed: BTreeSet<Date>,
    /// Projects with rows that cannot be counted, which are not in `days`. None of them is wanted.
    pub uncounted: BTreeSet<String>,
    /// The part of `days` that is no use: orders, refunds and corrections. Days without such rows have none.
    pub once: BTreeMap<(String, Date), Money>,
    /// The sums of the last days, by day and product. Products of 方舟 are one.
    pub products: BTreeMap<(Date, String), BilledAmount>,
    /// How many bills the rows belong to.
    pub bills: u64,
    /// Number of rows read, each counted once.
    pub rows: u64,
    /// Number of pages requested, including those of a first read that was repeated, but not retries.
    pub calls: u32,
    /// The API's warning beside the rows, for the operator.
    pub warning: Option<String>,
}

impl BillReading {
    /// Adds up a bill from the `Result`s of its pages, in order; `calls` is the number of pages used.
    /// [`AccountClient::read_bill`] does the same page by page, and reads again if the bill changed meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::UnsettledBill`] if the pages are not one whole bill, [`ErrorKind::Unexpected`] if one is not a
    /// page, and the errors of a bill that must not be counted.
    pub fn of_pages<'p>(
        source: BillSource,
        field: AmountField,
        wanted: &BTreeSet<String>,
        pages: impl IntoIterator<Item = &'p str>,
    ) -> Result<Self, ErrorKind> {
        let mut fold = Fold::new(source, field, wanted);
        let mut calls = 0;
        for page in pages {
            calls += 1;
            match fold.page(page) {
                Ok(Next::Page(_)) => {}
                Ok(Next::Complete) => return Ok(Self::of(fold.finish(), calls)),
                Err(FoldError::Unsettled(why)) => return Err(ErrorKind::UnsettledBill(why)),
                Err(FoldError::Refused(kind)) => return Err(kind),
                Err(FoldError::Malformed(_) | FoldError::OtherDays | FoldError::TooLong) => {
                    return Err(ErrorKind::Unexpected);
                }
            }
        }
        Err(ErrorKind::UnsettledBill("its last page is missing".into()))
    }

    fn of(sums: Sums, calls: u32) -> Self {
        Self {
            amounts: sums.amounts,
            days: sums.days,
            once: sums.once,
            products: sums.products,
            mixed: sums.mixed,
            uncounted: sums.uncounted,
            bills: sums.bills,
            rows: sums.rows,
            calls,
            warning: sums.warning,
        }
    }

    /// Adds the reading of another day.
    fn extend(&mut self, day: BillReading) {
        for (project, amount) in day.amounts {
            *self.amounts.entry(project).or_insert(Money::ZERO) += amount;
        }
        self.days.extend(day.days);
        self.once.extend(day.once);
        self.products.extend(day.products);
        self.uncounted.extend(day.uncounted);
        self.bills = self.bills.saturating_add(day.bills);
        self.rows = self.rows.saturating_add(day.rows);
        self.calls = self.calls.saturating_add(day.calls);
        self.warning = self.warning.take().or(day.warning);
    }
}

/// The result of reading days of a bill, each on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaysRead {
    /// All of them.
    Read(BillReading),
    /// The bill cannot be read by day: the filter was refused, or rows of other days came back.
    Refused {
        /// Number of calls made.
        calls: u32,
        /// What the list said.
        warning: Option<String>,
    },
}

#[derive(Deserialize)]
struct BalanceAnswer {
    #[serde(rename = "AvailableBalance")]
    available: Option<Box<RawValue>>,
}

/// Why one pass over a bill failed.
enum PassError {
    Failed(Error),
    Unsettled(String),
    OtherDays,
    TooLong,
}

/// How rows are asked for and added up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// In detail, by project.
    Projects,
    /// In detail, by what was used, if there are not more rows than this.
    Items { longest: u64 },
    /// By what was used, with one row a day and item.
    GroupedItems,
    /// With one row a day and product.
    Products,
}

/// What is read in one go.
#[derive(Clone, Copy)]
struct Part<'a> {
    period: BillPeriod,
    day: Option<Date>,
    source: BillSource,
    field: AmountField,
    wanted: &'a BTreeSet<String>,
    shape: Shape,
}

/// Why a part was not read.
enum PartError {
    Failed(Error),
    OtherDays,
    TooLong,
}

impl AccountClient {
    /// Reads the whole bill of `period` and adds up `field` for each `wanted` project ("ListSplitBillDetail", docs
    /// 6269/1127494; "ListBillDetail", docs 6269/1127842). Refunds are negative rows and reduce the sum.
    ///
    /// # Errors
    /// All or nothing: a failure on any page fails the read. Besides the errors of every call:
    /// [`ErrorKind::SplitBillNotEnabled`], [`ErrorKind::EmptyAmount`], [`ErrorKind::ForeignCurrency`] and, if the bill
    /// changed during both reads so that neither is complete, [`ErrorKind::UnsettledBill`].
    ///
    /// Counts the rows of this main account only. An empty split bill is believed if "ListBillDetail" has no rows that it
    /// should hold by now.
    pub async fn read_bill(
        &self,
        period: BillPeriod,
        source: BillSource,
        field: AmountField,
        wanted: &BTreeSet<String>,
    ) -> Result<BillReading, Error> {
        let owner = self.owner_of_rows().await;
        let mut calls = 0;
        let part = Part { period, day: None, source, field, wanted, shape: Shape::Projects };
        let mut sums = match self.read_part(part, owner, &mut calls).await {
            Ok(sums) => sums,
            Err(PartError::Failed(error)) => return Err(error),
            Err(PartError::OtherDays | PartError::TooLong) => return Err(unreadable(source)),
        };
        if source == BillSource::Split && sums.rows == 0 {
            calls += 1;
            sums.warning = self.confirm_empty(period, owner).await?.or(sums.warning);
        }
        if let Some(warning) = &sums.warning {
            tracing::warn!(%period, warning, "the bill has a warning");
        }
        if !sums.uncounted.is_empty() {
            tracing::warn!(%period, projects = ?sums.uncounted, "rows of projects that are not linked cannot be counted");
        }
        if !sums.mixed.is_empty() {
            let undated = sums.undated;
            tracing::info!(%period, days = ?sums.mixed, undated, "rows of other days, or without one, count on these days");
        }
        Ok(BillReading::of(sums, calls))
    }

    /// Reads some days of the bill of `period`, each on its own (`ExpenseDate`), as [`AccountClient::read_bill`] does.
    ///
    /// # Errors
    /// Those of [`AccountClient::read_bill`]. A filter that does not work is no error: [`DaysRead::Refused`].
    pub async fn read_days(
        &self,
        period: BillPeriod,
        source: BillSource,
        field: AmountField,
        wanted: &BTreeSet<String>,
        days: &BTreeSet<Date>,
    ) -> Result<DaysRead, Error> {
        let owner = self.owner_of_rows().await;
        let none = Fold::new(source, field, wanted).of_part(period, None);
        let mut read = BillReading::of(none.finish(), 0);
        for day in days {
            let mut calls = 0;
            let part =
                Part { period, day: Some(*day), source, field, wanted, shape: Shape::Projects };
            match self.read_part(part, owner, &mut calls).await {
                // A warning may say that the filter was ignored.
                Ok(sums) if sums.warning.is_none() => read.extend(BillReading::of(sums, calls)),
                Ok(sums) => {
                    let warning = sums.warning;
                    tracing::warn!(%period, ?warning, "the bill is not read by day");
                    let calls = read.calls.saturating_add(calls);
                    return Ok(DaysRead::Refused { calls, warning });
                }
                Err(PartError::OtherDays | PartError::TooLong) => {
                    let warning = Some("ExpenseDate".to_owned());
                    let calls = read.calls.saturating_add(calls);
                    return Ok(DaysRead::Refused { calls, warning });
                }
                Err(PartError::Failed(error)) if refuses_filter(&error) => {
                    tracing::warn!(%period, %error, "the bill cannot be read by day");
                    let calls = read.calls.saturating_add(calls);
                    let warning = Some(bounded(&error.to_string()));
                    return Ok(DaysRead::Refused { calls, warning });
                }
                Err(PartError::Failed(error)) => return Err(error),
            }
        }
        Ok(DaysRead::Read(read))
    }

    /// Returns how many rows the whole bill of `period` has; `None` if they are not counted. Rows of all owners count if the
    /// list ignores the filter by owner.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn count_rows(
        &self,
        period: BillPeriod,
        source: BillSource,
    ) -> Result<Option<u64>, Error> {
        let owner = self.owner_of_rows().await;
        let mut body = page_request(period, None, source, Shape::Projects, owner, 0);
        if let Some(fields) = body.as_object_mut() {
            fields.insert("Limit".into(), 1.into());
        }
        let answer = self.call(&Call::post(Api::Billing, action(source), body)).await?;
        let result =
            answer.result().ok_or_else(|| answer.unexpected("the response has no Result"))?;
        total_of(result).map_err(|_| answer.unexpected("the bill cannot be read"))
    }

    /// Returns the account whose rows count. If no response says it, a bill with rows of several accounts is refused.
    async fn owner_of_rows(&self) -> Option<AccountNumber> {
        match self.account_number().await {
            Ok(number) => Some(number),
            Err(error) => {
                tracing::warn!(%error, "the number of the main account is not known");
                None
            }
        }
    }

    async fn read_part(
        &self,
        part: Part<'_>,
        owner: Option<AccountNumber>,
        calls: &mut u32,
    ) -> Result<Sums, PartError> {
        let (action, period) = (action(part.source), part.period);
        let mut reason = String::new();
        let mut doubted = None;
        for _ in 0..MAX_READS {
            let fold = Fold::new(part.source, part.field, part.wanted)
                .owned_by(owner)
                .of_part(period, part.day);
            let fold = match part.shape {
                Shape::Projects | Shape::Products => fold.by_product(compared_from(self.now())),
                Shape::Items { longest } => fold.by_item(longest),
                Shape::GroupedItems => fold.by_item(u64::MAX),
            };
            match self.read_pages(part, fold, calls).await {
                Ok(fold) => {
                    let doubtful = fold.is_doubtful();
                    let sums = fold.finish();
                    if doubtful && doubted.as_ref() != Some(&sums) {
                        reason = "rows appeared on two pages".into();
                        tracing::warn!(action, %period, why = reason, "reading the bill again");
                        doubted = Some(sums);
                        continue;
                    }
                    return Ok(sums);
                }
                Err(PassError::Failed(error)) => return Err(PartError::Failed(error)),
                Err(PassError::OtherDays) => return Err(PartError::OtherDays),
                Err(PassError::TooLong) => return Err(PartError::TooLong),
                Err(PassError::Unsettled(why)) => {
                    tracing::warn!(action, %period, why, "the bill is not complete");
                    reason = why;
                }
            }
        }
        Err(PartError::Failed(Error::new(action, ErrorKind::UnsettledBill(reason), "")))
    }

    /// Checks that the bill of `period` can be read, by its first page.
    ///
    /// # Errors
    /// Those of [`AccountClient::read_bill`] that the first page reveals.
    pub async fn probe_bill(&self, period: BillPeriod, source: BillSource) -> Result<(), Error> {
        let action = action(source);
        let owner = self.known_account();
        let call = Call::post(
            Api::Billing,
            action,
            page_request(period, None, source, Shape::Projects, owner, 0),
        );
        let answer = self.call(&call).await?;
        let result =
            answer.result().ok_or_else(|| answer.unexpected("the response has no Result"))?;
        let mut fold = Fold::new(source, AmountField::Payable, &BTreeSet::new()).owned_by(owner);
        match fold.page(result) {
            Ok(Next::Complete) if source == BillSource::Split && fold.finish().rows == 0 => {
                self.confirm_empty(period, owner).await.map(drop)
            }
            // Later pages are out of scope.
            Ok(_) | Err(FoldError::Unsettled(_) | FoldError::OtherDays | FoldError::TooLong) => {
                Ok(())
            }
            Err(FoldError::Refused(kind)) => Err(answer.error(kind, "")),
            Err(FoldError::Malformed(message)) => Err(answer.unexpected(message)),
        }
    }

    async fn read_pages(
        &self,
        part: Part<'_>,
        mut fold: Fold,
        calls: &mut u32,
    ) -> Result<Fold, PassError> {
        let mut offset = 0;
        loop {
            *calls += 1;
            let Part { period, day, source, shape, .. } = part;
            let request = page_request(period, day, source, shape, fold.owner(), offset);
            let call = Call::post(Api::Billing, action(part.source), request);
            let answer = self.call(&call).await.map_err(PassError::Failed)?;
            // A missing result is not an empty bill.
            let result = answer.result().ok_or_else(|| {
                PassError::Failed(answer.unexpected("the response has no Result"))
            })?;
            match fold.page(result) {
                Ok(Next::Page(next)) => offset = next,
                Ok(Next::Complete) => return Ok(fold),
                Err(FoldError::Unsettled(why)) => return Err(PassError::Unsettled(why)),
                Err(FoldError::OtherDays) => return Err(PassError::OtherDays),
                Err(FoldError::TooLong) => return Err(PassError::TooLong),
                Err(FoldError::Refused(kind)) => {
                    return Err(PassError::Failed(answer.error(kind, "")));
                }
                Err(FoldError::Malformed(message)) => {
                    return Err(PassError::Failed(answer.unexpected(message)));
                }
            }
        }
    }

    /// Returns the main account's available balance (可用余额) in CNY ("QueryBalanceAcct", docs 6269/100429). Below 0,
    /// services may be stopped.
    ///
    /// # Errors
    /// [`ErrorKind::EmptyAmount`] for a missing or unreadable amount: it is not a zero.
    pub async fn available_balance(&self) -> Result<Money, Error> {
        let call = Call::post(Api::Billing, "QueryBalanceAcct", json!({}));
        let answer = self.call(&call).await?;
        self.learn_from(&answer);
        let value = answer.parse::<BalanceAnswer>()?.available;
        amount(value.as_deref()).ok_or_else(|| {
            let found = value.as_deref().map_or("", RawValue::get);
            let kind = ErrorKind::EmptyAmount {
                field: "AvailableBalance",
                found: bounded(found.trim_matches('"')),
                row: "the balance".into(),
            };
            answer.error(kind, "")
        })
    }
}

/// Returns the first day whose sums by product are kept.
fn compared_from(now: Timestamp) -> Date {
    let today = beijing_day(now);
    today.checked_sub(COMPARED_DAYS.days()).unwrap_or(today)
}

fn action(source: BillSource) -> &'static str {
    match source {
        BillSource::Split => "ListSplitBillDetail",
        BillSource::Detail => "ListBillDetail",
    }
}

/// Returns whether a list refuses to be read by day. A split bill that is not switched on says so when it is read whole.
fn refuses_filter(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::BadInput | ErrorKind::SplitBillNotEnabled(_))
}

fn unreadable(source: BillSource) -> Error {
    Error::new(action(source), ErrorKind::Unexpected, "rows of days that were not requested")
}

/// Returns the request body for one page.
///
/// Requests `GroupPeriod` 2 (detail) and, if the action has it, `GroupTerm` 0 (charge item). A detail row belongs to
/// the project that the resource was in at the end of its settlement hour. Rows grouped by day or month only show the
/// latest project, which would move a whole month's spending together with the resource, and coarser terms leave the
/// project empty. The cost is more rows.
///
/// Sends no `Project` filter: sources contradict each other about its existence, and a filter that silently matched
/// nothing would look like zero spending. Only where the project does not matter are rows grouped. Keeps rows with nothing to pay (`IgnoreZero` 0), because that option goes by
/// the discounted price, which need not be the amount that is counted. Asks for the account's own rows: a payer's lists
/// show those of all accounts it pays for. Whether that filter works is not certain, so the rows are filtered again.
fn page_request(
    period: BillPeriod,
    day: Option<Date>,
    source: BillSource,
    shape: Shape,
    owner: Option<AccountNumber>,
    offset: u64,
) -> serde_json::Value {
    let mut body = json!({
        "BillPeriod": period.to_string(),
        "GroupPeriod": if matches!(shape, Shape::GroupedItems | Shape::Products) { 1 } else { 2 },
        "IgnoreZero": 0,
        "Limit": PAGE,
        "NeedRecordNum": 1,
        "Offset": offset,
    });
    if let Some(fields) = body.as_object_mut() {
        if source == BillSource::Detail {
            let term = if shape == Shape::Products { BY_PRODUCT } else { BY_ITEM };
            fields.insert("GroupTerm".into(), term.into());
        }
        if let Some(owner) = owner {
            fields.insert("OwnerID".into(), json!([owner.get()]));
        }
        if let Some(day) = day {
            fields.insert("ExpenseDate".into(), day.to_string().into());
        }
    }
    body
}
