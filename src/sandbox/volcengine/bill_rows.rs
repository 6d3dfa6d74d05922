//! Bill rows on the wire, one shape for each of the two lists (`docs/platforms/volcengine.md` §7.1).

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::sandbox::world::{BillRow, FakeAccount, Product};

/// Which of the two lists is queried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// ListBillDetail.
    Detail,
    /// ListSplitBillDetail.
    Split,
}

/// `GroupPeriod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupPeriod {
    Period,
    Day,
    Detail,
}

/// `GroupTerm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupTerm {
    ChargeItem,
    Instance,
    Product,
    Account,
}

/// The project of a row as that list shows it.
pub(super) fn shown_project(row: &BillRow, list: List) -> &str {
    if list == List::Detail && !row.product.project_known_in_detail() {
        return "-";
    }
    &row.project
}

/// A row of either list.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireRow<'a> {
    bill_period: String,
    busi_period: String,
    expense_date: String,
    #[serde(flatten)]
    own: ListFields,
    bill_detail_id: String,
    #[serde(rename = "BillID")]
    bill_id: String,
    trade_time: String,
    #[serde(rename = "PayerID")]
    payer_id: String,
    #[serde(rename = "OwnerID")]
    owner_id: String,
    owner_customer_name: &'a str,
    product: &'a str,
    product_zh: &'a str,
    billing_mode: &'a str,
    bill_category: &'a str,
    business_mode: &'a str,
    instance_no: &'a str,
    instance_name: &'a str,
    config_name: &'a str,
    element: Cow<'a, str>,
    region: &'a str,
    project: &'a str,
    project_display_name: &'a str,
    tag: &'a str,
    settlement_type: &'a str,
    currency: &'a str,
    original_bill_amount: String,
    saving_plan_original_amount: String,
    preferential_bill_amount: String,
    discount_bill_amount: String,
    payable_amount: String,
}

/// Fields that only one of the two lists has, or that differ in type.
#[derive(Serialize)]
#[serde(untagged)]
enum ListFields {
    #[serde(rename_all = "PascalCase")]
    Detail {
        expense_begin_time: String,
        expense_end_time: String,
        expand_field: String,
        charge_item_code: String,
        coupon_amount: String,
        /// A JSON number that keeps its digits.
        round_amount: Box<RawValue>,
    },
    #[serde(rename_all = "PascalCase")]
    Split {
        split_bill_detail_id: String,
        #[serde(rename = "SplitItemID")]
        split_item_id: String,
        split_item_ratio: &'static str,
        expense_time: String,
        coupon_deduction_amount: String,
        round_amount: String,
    },
}

/// A row as `list` shows it under that grouping; a field without a single value in the group is empty.
pub(super) fn wire<'a>(
    account: &'a FakeAccount,
    row: &'a BillRow,
    list: List,
    term: GroupTerm,
    period: GroupPeriod,
) -> WireRow<'a> {
    let amount = |amount: Decimal| match row.amounts_missing {
        true => String::new(),
        false => amount.to_string(),
    };
    let is_detail = period == GroupPeriod::Detail;
    let detail = |text: String| if is_detail { text } else { String::new() };
    let has_resource = matches!(term, GroupTerm::ChargeItem | GroupTerm::Instance);
    let resource = |text: &'a str| if has_resource { text } else { "" };
    let has_product = term != GroupTerm::Account;
    let day = match period {
        GroupPeriod::Period => String::new(),
        _ if row.is_undated => String::new(),
        GroupPeriod::Day | GroupPeriod::Detail => row.expense_date.to_string(),
    };
    let project = resource(shown_project(row, list));
    let item = row.item.as_ref().filter(|_| term == GroupTerm::ChargeItem);
    let own = match list {
        List::Detail => ListFields::Detail {
            expense_begin_time: day.clone(),
            expense_end_time: "-".to_owned(),
            expand_field: item.map_or("", |item| &item.config).to_owned(),
            charge_item_code: item.map_or_else(String::new, |item| {
                let config = item.config.replace('-', "_");
                format!("{config}_{}_cn-beijing_realtime", item.measure.texts().1)
            }),
            coupon_amount: amount(row.coupon),
            round_amount: RawValue::from_string(row.round.normalize().to_string())
                .unwrap_or_else(|_| RawValue::NULL.to_owned()),
        },
        List::Split => ListFields::Split {
            split_bill_detail_id: detail(format!("SplitDetail{:019}", row.id)),
            split_item_id: match row.product {
                Product::Ark => resource(&row.instance).to_owned(),
                _ => String::new(),
            },
            split_item_ratio: "1",
            expense_time: match period {
                _ if row.is_undated => String::new(),
                GroupPeriod::Detail => format!("{day} 00:00:00~{day} 23:59:59"),
                GroupPeriod::Day | GroupPeriod::Period => day.clone(),
            },
            coupon_deduction_amount: amount(row.coupon),
            round_amount: amount(row.round),
        },
    };
    WireRow {
        bill_period: row.period.to_string(),
        busi_period: row.busi_period.to_string(),
        own,
        bill_detail_id: detail(format!("Detail{:019}", row.id)),
        bill_id: detail(format!("Bill{:019}", row.id / 10)),
        trade_time: detail(format!("{day} 01:28:14")),
        expense_date: day,
        payer_id: account.id.to_string(),
        owner_id: row.owner.unwrap_or(account.id).to_string(),
        owner_customer_name: &account.name,
        product: if has_product { row.product.code() } else { "" },
        product_zh: if has_product { row.product.name() } else { "" },
        billing_mode: resource(row.billing_mode.code_and_text().1),
        bill_category: row.category.code_and_text().1,
        business_mode: "普通业务",
        instance_no: resource(&row.instance),
        instance_name: resource(&row.instance),
        config_name: item.map_or("", |item| &item.config),
        element: match item {
            Some(item) => format!("{}-{}", item.config, item.measure.texts().0).into(),
            None => resource(row.product.element()).into(),
        },
        region: resource("华北2（北京）"),
        project,
        project_display_name: account
            .projects
            .get(project)
            .map_or(project, |project| &project.display_name),
        tag: "{}",
        settlement_type: if row.settled { "结算" } else { "非结算" },
        currency: &row.currency,
        original_bill_amount: amount(row.original),
        saving_plan_original_amount: "0.00".to_owned(),
        preferential_bill_amount: amount(row.preferential),
        discount_bill_amount: amount(row.discount),
        payable_amount: amount(row.payable),
    }
}
