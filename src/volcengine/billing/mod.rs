//! Billing 2022-01-01: what projects spent in a month, and the account's balance.

mod amount;
mod fold;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use self::amount::amount;
use self::fold::{Fold, Next, PAGE, Sums, Trouble};
use super::client::{Account, Api, Call};
use super::error::{Error, ErrorKind, bounded};
use crate::domain::{AmountField, BillPeriod, BillSource, Money};

/// How often a bill is read from its start when it changes under the reading.
const READS: u32 = 2;

/// A complete reading of one bill period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillReading {
    /// Every wanted project, exact; zero where the bill has no row of it.
    pub amounts: BTreeMap<String, Money>,
    /// Rows of the whole bill, each counted once.
    pub rows: u64,
    /// Pages asked for, those of a reading that was started over included; retries are not.
    pub calls: u32,
    /// What the cloud warned of beside its rows. For the operator to see.
    pub warning: Option<String>,
}

impl BillReading {
    /// Adds up a bill from the `Result`s of its pages, read in their order; `calls` is how many it took. [`Account::read_bill`]
    /// does the same page by page, and reads a bill that changed under it once more.
    ///
    /// # Errors
    /// [`ErrorKind::UnsettledBill`] where the pages are not one whole bill, [`ErrorKind::Unexpected`] for what is no page, and
    /// those of a bill that must not be counted.
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
                Err(Trouble::Unsettled(why)) => return Err(ErrorKind::UnsettledBill(why)),
                Err(Trouble::Refused(kind)) => return Err(kind),
                Err(Trouble::Malformed(_)) => return Err(ErrorKind::Unexpected),
            }
        }
        Err(ErrorKind::UnsettledBill("its last page is missing".into()))
    }

    fn of(sums: Sums, calls: u32) -> Self {
        Self { amounts: sums.amounts, rows: sums.rows, calls, warning: sums.warning }
    }
}

/// The main account's balance ("QueryBalanceAcct", docs 6269/100429), in 元.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// 可用余额: below 0, services may be stopped.
    pub available: Money,
    /// 现金余额
    pub cash: Money,
    /// 冻结金额
    pub frozen: Money,
    /// 信用额度
    pub credit_limit: Money,
    /// 欠费金额
    pub arrears: Money,
    /// `CNY`, also where the cloud does not say.
    pub currency: String,
}

#[derive(Deserialize)]
struct BalanceAnswer {
    #[serde(rename = "AvailableBalance")]
    available: Option<Box<RawValue>>,
    #[serde(rename = "CashBalance")]
    cash: Option<Box<RawValue>>,
    #[serde(rename = "FreezeAmount")]
    frozen: Option<Box<RawValue>>,
    #[serde(rename = "CreditLimit")]
    credit_limit: Option<Box<RawValue>>,
    #[serde(rename = "ArrearsBalance")]
    arrears: Option<Box<RawValue>>,
    #[serde(rename = "Currency")]
    currency: Option<String>,
}

/// Why one pass over a bill did not end.
enum Stop {
    Failed(Error),
    Unsettled(String),
}

impl Account {
    /// Reads the whole bill of `period` and adds up `field` for each of the `wanted` projects ("ListSplitBillDetail", docs
    /// 6269/1127494; "ListBillDetail", docs 6269/1127842). Refunds are negative rows and count as they are.
    ///
    /// # Errors
    /// All or nothing: whatever goes wrong on any page fails the reading. Beside the errors of every call:
    /// [`ErrorKind::SplitBillNotEnabled`], [`ErrorKind::EmptyAmount`], [`ErrorKind::ForeignCurrency`] and, where the bill changed
    /// under two readings in a row so that neither is complete, [`ErrorKind::UnsettledBill`].
    pub async fn read_bill(
        &self,
        period: BillPeriod,
        source: BillSource,
        field: AmountField,
        wanted: &BTreeSet<String>,
    ) -> Result<BillReading, Error> {
        let action = action(source);
        let mut calls = 0;
        let mut reason = String::new();
        let mut doubted = None;
        for _ in 0..READS {
            let fold = Fold::new(source, field, wanted);
            match self.read_pages(action, period, source, fold, &mut calls).await {
                Ok(fold) => {
                    let doubtful = fold.is_doubtful();
                    let sums = fold.finish();
                    if doubtful && doubted.as_ref() != Some(&sums) {
                        reason = "rows came on two pages".into();
                        tracing::warn!(action, %period, why = reason, "the bill is read again");
                        doubted = Some(sums);
                        continue;
                    }
                    if let Some(warning) = &sums.warning {
                        tracing::warn!(action, %period, warning, "the bill carries a warning");
                    }
                    return Ok(BillReading::of(sums, calls));
                }
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Unsettled(why)) => {
                    tracing::warn!(action, %period, why, "the bill is not complete");
                    reason = why;
                }
            }
        }
        Err(Error::new(action, ErrorKind::UnsettledBill(reason), ""))
    }

    /// Whether the bill of `period` can be read: asks for its first page only.
    ///
    /// # Errors
    /// As [`Account::read_bill`], as far as the first page tells.
    pub async fn probe_bill(&self, period: BillPeriod, source: BillSource) -> Result<(), Error> {
        let action = action(source);
        let call = Call::post(Api::Billing, action, page_request(period, source, 0));
        let answer = self.call(&call).await?;
        let result =
            answer.result().ok_or_else(|| answer.unexpected("the answer has no Result"))?;
        let mut fold = Fold::new(source, AmountField::Payable, &BTreeSet::new());
        match fold.page(result) {
            // What is on later pages is not this call's matter.
            Ok(_) | Err(Trouble::Unsettled(_)) => Ok(()),
            Err(Trouble::Refused(kind)) => Err(answer.error(kind, "")),
            Err(Trouble::Malformed(message)) => Err(answer.unexpected(message)),
        }
    }

    async fn read_pages(
        &self,
        action: &'static str,
        period: BillPeriod,
        source: BillSource,
        mut fold: Fold,
        calls: &mut u32,
    ) -> Result<Fold, Stop> {
        let mut offset = 0;
        loop {
            *calls += 1;
            let call = Call::post(Api::Billing, action, page_request(period, source, offset));
            let answer = self.call(&call).await.map_err(Stop::Failed)?;
            // Not `{}` for want of a result: a bill that is not there is not an empty bill.
            let result = answer
                .result()
                .ok_or_else(|| Stop::Failed(answer.unexpected("the answer has no Result")))?;
            match fold.page(result) {
                Ok(Next::Page(next)) => offset = next,
                Ok(Next::Complete) => return Ok(fold),
                Err(Trouble::Unsettled(why)) => return Err(Stop::Unsettled(why)),
                Err(Trouble::Refused(kind)) => return Err(Stop::Failed(answer.error(kind, ""))),
                Err(Trouble::Malformed(message)) => {
                    return Err(Stop::Failed(answer.unexpected(message)));
                }
            }
        }
    }

    /// The main account's balance. Every amount has to be there: one that is missing is an error, not a zero.
    ///
    /// # Errors
    /// [`ErrorKind::EmptyAmount`] for a missing or unreadable amount.
    pub async fn balance(&self) -> Result<Balance, Error> {
        let call = Call::post(Api::Billing, "QueryBalanceAcct", json!({}));
        let answer = self.call(&call).await?;
        let fields: BalanceAnswer = answer.parse()?;
        let read = |field: &'static str, value: &Option<Box<RawValue>>| {
            amount(value.as_deref()).ok_or_else(|| {
                let found = value.as_deref().map_or("", RawValue::get);
                let kind = ErrorKind::EmptyAmount {
                    field,
                    found: bounded(found.trim_matches('"')),
                    row: "the balance".into(),
                };
                answer.error(kind, "")
            })
        };
        Ok(Balance {
            available: read("AvailableBalance", &fields.available)?,
            cash: read("CashBalance", &fields.cash)?,
            frozen: read("FreezeAmount", &fields.frozen)?,
            credit_limit: read("CreditLimit", &fields.credit_limit)?,
            arrears: read("ArrearsBalance", &fields.arrears)?,
            currency: fields
                .currency
                .map(|currency| bounded(&currency))
                .filter(|currency| !currency.is_empty())
                .unwrap_or_else(|| "CNY".into()),
        })
    }
}

fn action(source: BillSource) -> &'static str {
    match source {
        BillSource::Split => "ListSplitBillDetail",
        BillSource::Detail => "ListBillDetail",
    }
}

/// The body that asks for one page.
///
/// `GroupPeriod` 2 (detail), and `GroupTerm` 0 (charge item) where the action has it: the project of a row is the one that the
/// resource was in at the end of its settlement hour, but rows grouped by day or by month show only the latest
/// project, which would move a whole month's spending when a resource moves; coarser terms leave the project empty. The
/// price is more rows.
///
/// No `Project` filter is sent: sources contradict each other on whether it exists, and one that silently matched nothing
/// would look like zero spending. Rows with nothing to pay are kept (`IgnoreZero` 0: the rule goes by the discounted
/// price, which is not the amount that is counted).
fn page_request(period: BillPeriod, source: BillSource, offset: u64) -> serde_json::Value {
    let mut body = json!({
        "BillPeriod": period.to_string(),
        "GroupPeriod": 2,
        "IgnoreZero": 0,
        "Limit": PAGE,
        "NeedRecordNum": 1,
        "Offset": offset,
    });
    if let (BillSource::Detail, Some(fields)) = (source, body.as_object_mut()) {
        fields.insert("GroupTerm".into(), 0.into());
    }
    body
}
