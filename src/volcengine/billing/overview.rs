//! The total of an account's bill, without projects, to compare a reading by day with.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::amount::{amount, exact_sum};
use super::fold::{PAGE, UNSETTLED, loose};
use crate::domain::{AmountField, BillPeriod, Money};
use crate::volcengine::call::{Api, Call};
use crate::volcengine::client::AccountClient;
use crate::volcengine::error::Error;
use crate::volcengine::identity::read_number;
use crate::volcengine::paging::count;

const ACTION: &str = "ListBillOverviewByProd";
/// Bound for a list that never ends.
const MAX_PAGES: u32 = 100;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(rename = "List", borrow)]
    rows: Option<Vec<Row<'a>>>,
    #[serde(rename = "Total", borrow)]
    total: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "OwnerID", borrow)]
    owner: Option<&'a RawValue>,
    #[serde(rename = "SettlementType", borrow)]
    settlement: Option<&'a RawValue>,
    #[serde(rename = "Currency", borrow)]
    currency: Option<&'a RawValue>,
    #[serde(rename = "PayableAmount", borrow)]
    payable: Option<&'a RawValue>,
    #[serde(rename = "DiscountBillAmount", borrow)]
    discount: Option<&'a RawValue>,
    #[serde(rename = "OriginalBillAmount", borrow)]
    original: Option<&'a RawValue>,
}

impl AccountClient {
    /// Returns the total of the account's settled rows of `period`, by product ("ListBillOverviewByProd",
    /// docs/platforms/volcengine.md §7.5), and the number of calls. It follows the bill by an hour, and a split bill by up to
    /// two days: compare periods that are over.
    ///
    /// # Errors
    /// Those of every call; an amount or a currency that cannot be read fails the read.
    pub async fn bill_total(
        &self,
        period: BillPeriod,
        field: AmountField,
    ) -> Result<(Money, u32), Error> {
        let owner = self.owner_of_rows().await;
        let (mut total, mut offset, mut calls) = (Money::ZERO, 0_u64, 0);
        loop {
            let mut body = json!({
                "BillPeriod": period.to_string(),
                "IgnoreZero": 0,
                "Limit": PAGE,
                "NeedRecordNum": 1,
                "Offset": offset,
            });
            if let (Some(fields), Some(owner)) = (body.as_object_mut(), owner) {
                fields.insert("OwnerID".into(), json!([owner.get()]));
            }
            calls += 1;
            let answer = self.call(&Call::post(Api::Billing, ACTION, body)).await?;
            let result =
                answer.result().ok_or_else(|| answer.unexpected("the response has no Result"))?;
            let page: Page<'_> = serde_json::from_str(result)
                .map_err(|error| answer.unexpected(format!("it cannot be read: {error}")))?;
            let counted = page.total.and_then(count).and_then(|total| u64::try_from(total).ok());
            let rows = match (page.rows, counted) {
                (Some(rows), _) => rows,
                (None, Some(0)) => Vec::new(),
                (None, _) => return Err(answer.unexpected("the response has no rows")),
            };
            for row in &rows {
                let is_other = owner
                    .is_some_and(|own| read_number(row.owner).is_some_and(|found| found != own));
                if is_other || loose(row.settlement).trim() == UNSETTLED {
                    continue;
                }
                let value = match field {
                    AmountField::Payable => row.payable,
                    AmountField::Discount => row.discount,
                    AmountField::Original => row.original,
                };
                let currency = loose(row.currency);
                let is_cny = matches!(currency.trim(), "" | "CNY" | "cny");
                let amount = amount(value).filter(|_| is_cny);
                total = amount
                    .and_then(|amount| exact_sum(total, amount))
                    .ok_or_else(|| answer.unexpected("an amount cannot be read"))?;
            }
            offset += rows.len() as u64;
            let ended = rows.is_empty() || counted.is_some_and(|counted| offset >= counted);
            if ended && counted.is_none_or(|counted| offset >= counted) {
                return Ok((total, calls));
            }
            if ended || calls >= MAX_PAGES {
                return Err(answer.unexpected("the list has no end"));
            }
        }
    }
}
