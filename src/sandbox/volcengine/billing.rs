//! Bill lists and the balance (`docs/platforms/volcengine.md` §7).

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};

use super::bill_rows::{GroupPeriod, GroupTerm, List, WireRow, shown_project, wire};
use super::context::Context;
use super::params::{Dialect, Page, Params};
use super::refusal::{Refusal, Reply, reply};
use crate::domain::BillPeriod;
use crate::sandbox::world::{BillRow, DayFilter, ProjectFilter, ShownIn};

/// Largest `Limit` of the bill lists.
const MAX_LIMIT: usize = 300;
/// How many months back a period may be.
const MONTHS_BACK: i32 = 24;
/// The message for an account without 分账账单.
const NOT_SWITCHED_ON: &str = "当前账号未开通分账能力，无数据";

/// A validated request for bill rows.
struct Query {
    period: BillPeriod,
    page: Page,
    counted: bool,
    ignore_zero: bool,
    group_term: GroupTerm,
    group_period: GroupPeriod,
    expense_date: Option<Date>,
    products: Vec<String>,
    modes: Vec<String>,
    categories: Vec<String>,
    instance: Option<String>,
    owners: Vec<i64>,
    payers: Vec<i64>,
    projects: Vec<String>,
    now: Timestamp,
    /// How much later usage of 方舟 is in grouped requests.
    grouped_delay: SignedDuration,
}

fn invalid(name: &str, why: &str) -> Refusal {
    Dialect::Billing.invalid(name, why)
}

/// A parameter that is 0 or 1.
pub(super) fn switch(params: &Params, name: &str) -> Result<bool, Refusal> {
    match params.int(name)? {
        None | Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(_) => Err(invalid(name, "must be 0 or 1")),
    }
}

pub(super) fn read_period(context: &Context<'_>, params: &Params) -> Result<BillPeriod, Refusal> {
    let text = params.required("BillPeriod")?;
    let period: BillPeriod =
        text.parse().map_err(|_| invalid("BillPeriod", "must be of the form YYYY-MM"))?;
    let age = BillPeriod::of(context.now).months_since(period);
    if age > MONTHS_BACK || period.year() < 2022 {
        return Err(invalid("BillPeriod", "must be within 24 months and not before 2022-01"));
    }
    Ok(period)
}

fn read_query(context: &Context<'_>, params: &Params, list: List) -> Result<Query, Refusal> {
    let period = read_period(context, params)?;
    let page = params.page(None, MAX_LIMIT)?;
    let group_period = match params.int("GroupPeriod")? {
        // Not documented; the console starts with the period.
        None | Some(0) => GroupPeriod::Period,
        Some(1) => GroupPeriod::Day,
        Some(2) => GroupPeriod::Detail,
        Some(_) => return Err(invalid("GroupPeriod", "must be 0, 1 or 2")),
    };
    let group_term = match params.int("GroupTerm")? {
        _ if list == List::Split => GroupTerm::ChargeItem,
        None | Some(0) => GroupTerm::ChargeItem,
        Some(1) => GroupTerm::Instance,
        Some(2) => GroupTerm::Product,
        Some(3) => GroupTerm::Account,
        Some(_) => return Err(invalid("GroupTerm", "must be 0, 1, 2 or 3")),
    };
    let expense_date = params
        .text("ExpenseDate")?
        .map(|text| {
            let day: Option<Date> = (text.len() == 10).then(|| text.parse().ok()).flatten();
            day.ok_or_else(|| invalid("ExpenseDate", "must be of the form YYYY-MM-DD"))
        })
        .transpose()?;
    if let Some(day) = expense_date {
        if group_period == GroupPeriod::Period {
            return Err(invalid("ExpenseDate", "needs GroupPeriod 1 or 2"));
        }
        if (day.year(), day.month()) != (period.year(), period.month()) {
            return Err(invalid("ExpenseDate", "must be in the month of BillPeriod"));
        }
        if context.rules.day_filter == DayFilter::Refused && group_period == GroupPeriod::Detail {
            return Err(invalid("ExpenseDate", "needs GroupPeriod 1"));
        }
    }
    let expense_date = expense_date.filter(|_| context.rules.day_filter != DayFilter::Ignored);
    let projects = params.texts("Project")?;
    let projects = match context.rules.project_filter {
        ProjectFilter::Refused if !projects.is_empty() => {
            return Err(invalid("Project", "is not a parameter of this action"));
        }
        ProjectFilter::Honoured => projects,
        ProjectFilter::Refused | ProjectFilter::Ignored => Vec::new(),
    };
    let mut owners = params.ints("OwnerID")?;
    if context.rules.owner_filter_is_ignored {
        owners.clear();
    }
    Ok(Query {
        period,
        page,
        counted: switch(params, "NeedRecordNum")?,
        ignore_zero: switch(params, "IgnoreZero")?,
        group_term,
        group_period,
        expense_date,
        products: params.texts("Product")?,
        modes: params.texts("BillingMode")?,
        categories: params.texts("BillCategory")?,
        instance: params.text("InstanceNo")?,
        owners,
        payers: params.ints("PayerID")?,
        projects,
        now: context.now,
        grouped_delay: match (&context.rules.ark.billing, group_period) {
            (Some(billing), GroupPeriod::Period | GroupPeriod::Day) => billing.grouped_delay,
            _ => SignedDuration::ZERO,
        },
    })
}

impl Query {
    fn wants(&self, row: &BillRow, account: i64, list: List) -> bool {
        let any = |wanted: &[String], value: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
        };
        let is_shown = match row.shown_in {
            ShownIn::Both => true,
            ShownIn::Detail => list == List::Detail,
            ShownIn::Split => list == List::Split,
        };
        let is_there = |at: Timestamp| {
            at.saturating_add(self.grouped_delay).is_ok_and(|visible| visible <= self.now)
        };
        is_shown
            && row.visible_from.is_none_or(is_there)
            && any(&self.products, row.product.code())
            && any(&self.modes, row.billing_mode.code_and_text().0)
            && any(&self.categories, row.category.code_and_text().0)
            && any(&self.projects, shown_project(row, list))
            && (self.owners.is_empty() || self.owners.contains(&row.owner.unwrap_or(account)))
            && (self.payers.is_empty() || self.payers.contains(&account))
            && self.instance.as_deref().is_none_or(|instance| instance == row.instance)
            && self.expense_date.is_none_or(|day| day == row.expense_date && !row.is_undated)
            && !(self.ignore_zero && row.discount.is_zero())
    }

    /// A row as it is shown now: what is not settled yet charges nothing.
    fn shown<'a>(&self, row: &'a BillRow) -> Cow<'a, BillRow> {
        if row.charged_from.is_none_or(|at| at <= self.now) {
            return Cow::Borrowed(row);
        }
        Cow::Owned(BillRow { payable: Decimal::new(0, 2), ..row.clone() })
    }

    /// Groups rows. A grouped row shows the latest project of its rows.
    fn group<'a>(&self, rows: impl Iterator<Item = &'a BillRow>) -> Vec<Cow<'a, BillRow>> {
        let is_detail = self.group_period == GroupPeriod::Detail
            && matches!(self.group_term, GroupTerm::ChargeItem | GroupTerm::Instance);
        if is_detail {
            return rows.map(|row| self.shown(row)).collect();
        }
        let mut groups: Vec<Cow<'a, BillRow>> = Vec::new();
        let mut index = HashMap::new();
        for row in rows {
            let day = (self.group_period != GroupPeriod::Period).then_some(row.expense_date);
            let product = (self.group_term != GroupTerm::Account).then_some(row.product);
            let resource = matches!(self.group_term, GroupTerm::ChargeItem | GroupTerm::Instance)
                .then_some((row.instance.as_str(), row.billing_mode));
            let item = row.item.as_ref().filter(|_| self.group_term == GroupTerm::ChargeItem);
            let key = (
                (row.busi_period, row.category, row.settled, row.currency.as_str(), row.owner),
                (day, product, resource, item),
            );
            let at = *index.entry(key).or_insert(groups.len());
            match groups.get_mut(at) {
                None => groups.push(self.shown(row)),
                Some(group) => add(group.to_mut(), &self.shown(row)),
            }
        }
        groups
    }
}

/// Adds a row to its group.
fn add(group: &mut BillRow, row: &BillRow) {
    if row.expense_date >= group.expense_date {
        group.expense_date = row.expense_date;
        group.project.clone_from(&row.project);
    }
    let amounts: [(&mut Decimal, Decimal); 6] = [
        (&mut group.original, row.original),
        (&mut group.preferential, row.preferential),
        (&mut group.discount, row.discount),
        (&mut group.coupon, row.coupon),
        (&mut group.round, row.round),
        (&mut group.payable, row.payable),
    ];
    for (sum, amount) in amounts {
        *sum += amount;
    }
    group.amounts_missing |= row.amounts_missing;
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BillList<'a> {
    list: Vec<WireRow<'a>>,
    limit: usize,
    offset: usize,
    /// -1 unless `NeedRecordNum` is 1.
    total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
}

fn answer(context: &Context<'_>, params: &Params, list: List) -> Result<Reply, Refusal> {
    let query = read_query(context, params, list)?;
    let account = &*context.account;
    let total = |rows: usize| match query.counted {
        true => i64::try_from(rows).unwrap_or(i64::MAX),
        false => -1,
    };
    if list == List::Split && !account.split_bills_enabled {
        return reply(&BillList {
            list: Vec::new(),
            limit: query.page.limit,
            offset: query.page.offset,
            total: total(0),
            warning: (!context.rules.missing_split_bill_is_silent).then_some(NOT_SWITCHED_ON),
        });
    }
    let rows =
        account.bill_rows(query.period).iter().filter(|row| query.wants(row, account.id, list));
    let rows = query.group(rows);
    let size = query.page.limit.min(context.rules.rows_per_page.unwrap_or(usize::MAX));
    let page = BillList {
        list: rows
            .iter()
            .skip(query.page.offset)
            .take(size)
            .map(|row| wire(account, row, list, query.group_term, query.group_period))
            .collect(),
        limit: query.page.limit,
        offset: query.page.offset,
        total: total(rows.len()),
        warning: (list == List::Split).then_some(""),
    };
    match context.rules.bills_have_odd_types {
        true => reply(&oddly_typed(&page)?),
        false => reply(&page),
    }
}

/// Returns the page with other types in fields that no sum depends on.
fn oddly_typed(page: &BillList<'_>) -> Result<Value, Refusal> {
    let mut page = serde_json::to_value(page)
        .map_err(|error| Refusal::new(500, "InternalError", error.to_string()))?;
    let Some(members) = page.as_object_mut() else { return Ok(page) };
    if let Some(total) = members.get("Total").map(ToString::to_string) {
        members.insert("Total".to_owned(), total.into());
    }
    members.insert("Warning".to_owned(), json!(["x"]));
    let rows = members.get_mut("List").and_then(Value::as_array_mut);
    for row in rows.into_iter().flatten().filter_map(Value::as_object_mut) {
        row.insert("Product".to_owned(), Value::Null);
        row.insert("InstanceNo".to_owned(), 123.into());
    }
    Ok(page)
}

pub(super) fn list_detail(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    context.account.bill_usage(&context.rules.ark, context.now);
    answer(context, params, List::Detail)
}

pub(super) fn list_split(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    context.account.bill_usage(&context.rules.ark, context.now);
    answer(context, params, List::Split)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireBalance {
    #[serde(rename = "AccountID")]
    account_id: i64,
    available_balance: String,
    cash_balance: String,
    freeze_amount: String,
    credit_limit: String,
    arrears_balance: String,
}

pub(super) fn balance(context: &mut Context<'_>, _: &Params) -> Result<Reply, Refusal> {
    let balance = &context.account.balance;
    let available = balance.cash - balance.frozen + balance.credit_limit - balance.arrears;
    reply(&WireBalance {
        account_id: context.account.id,
        available_balance: available.to_string(),
        cash_balance: balance.cash.to_string(),
        freeze_amount: balance.frozen.to_string(),
        credit_limit: balance.credit_limit.to_string(),
        arrears_balance: balance.arrears.to_string(),
    })
}
