//! ListBillOverviewByProd: an account's bill by product, without projects (`docs/platforms/volcengine.md` §7.5).

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

use super::billing::{read_period, switch};
use super::context::Context;
use super::params::Params;
use super::refusal::{Refusal, Reply, reply};
use crate::sandbox::world::{BillRow, FakeAccount, ShownIn};

/// Largest `Limit`.
const MAX_LIMIT: usize = 300;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Overview {
    list: Vec<WireProduct>,
    limit: usize,
    offset: usize,
    /// -1 unless `NeedRecordNum` is 1.
    total: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireProduct {
    bill_period: String,
    #[serde(rename = "PayerID")]
    payer_id: String,
    #[serde(rename = "OwnerID")]
    owner_id: String,
    product: &'static str,
    product_zh: &'static str,
    billing_mode: &'static str,
    bill_category_parent: &'static str,
    settlement_type: &'static str,
    currency: String,
    original_bill_amount: String,
    preferential_bill_amount: String,
    round_bill_amount: String,
    discount_bill_amount: String,
    coupon_amount: String,
    payable_amount: String,
}

impl WireProduct {
    fn of(account: &FakeAccount, period: &str, rows: &[&BillRow]) -> Option<Self> {
        let first = rows.first()?;
        let sum = |amount: fn(&BillRow) -> Decimal| {
            rows.iter().map(|row| amount(row)).sum::<Decimal>().to_string()
        };
        Some(Self {
            bill_period: period.to_owned(),
            payer_id: account.id.to_string(),
            owner_id: first.owner.unwrap_or(account.id).to_string(),
            product: first.product.code(),
            product_zh: first.product.name(),
            billing_mode: first.billing_mode.code_and_text().1,
            bill_category_parent: first.category.parent().1,
            settlement_type: if first.settled { "结算" } else { "非结算" },
            currency: first.currency.clone(),
            original_bill_amount: sum(|row| row.original),
            preferential_bill_amount: sum(|row| row.preferential),
            round_bill_amount: sum(|row| row.round),
            discount_bill_amount: sum(|row| row.discount),
            coupon_amount: sum(|row| row.coupon),
            payable_amount: sum(|row| row.payable),
        })
    }
}

pub(super) fn by_product(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    context.account.bill_usage(&context.rules.ark, context.now);
    let period = read_period(context, params)?;
    let page = params.page(None, MAX_LIMIT)?;
    let counted = switch(params, "NeedRecordNum")?;
    let ignore_zero = switch(params, "IgnoreZero")?;
    let products = params.texts("Product")?;
    let modes = params.texts("BillingMode")?;
    let parents = params.texts("BillCategoryParent")?;
    let (mut owners, payers) = (params.ints("OwnerID")?, params.ints("PayerID")?);
    if context.rules.owner_filter_is_ignored {
        owners.clear();
    }
    let account = &*context.account;
    let any = |wanted: &[String], value: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
    };
    let mut groups: BTreeMap<_, Vec<&BillRow>> = BTreeMap::new();
    for row in account.bill_rows(period) {
        let owner = row.owner.unwrap_or(account.id);
        // An hour after the detail, which is the same money as the split rows.
        let is_there = row.visible_from.is_none_or(|at| at <= context.now);
        if row.shown_in == ShownIn::Split || !is_there {
            continue;
        }
        if !any(&products, row.product.code())
            || !any(&modes, row.billing_mode.code_and_text().0)
            || !any(&parents, row.category.parent().0)
            || !(owners.is_empty() || owners.contains(&owner))
            || !(payers.is_empty() || payers.contains(&account.id))
            || (ignore_zero && row.discount.is_zero())
        {
            continue;
        }
        let key = (
            (row.product.code(), row.billing_mode.code_and_text().0, row.category.parent().0),
            (row.settled, row.currency.as_str(), owner),
        );
        groups.entry(key).or_default().push(row);
    }
    let text = period.to_string();
    let list = groups
        .values()
        .skip(page.offset)
        .take(page.limit)
        .filter_map(|rows| WireProduct::of(account, &text, rows))
        .collect();
    let total = if counted { i64::try_from(groups.len()).unwrap_or(i64::MAX) } else { -1 };
    reply(&Overview { list, limit: page.limit, offset: page.offset, total })
}
