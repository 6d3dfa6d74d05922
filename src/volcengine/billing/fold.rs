//! Adds up one bill from its pages, by project and day. Pure and incremental: memory grows with the projects and days, plus
//! a 64-bit hash and a page number per row id, not with the bill.
//!
//! The list is paged by offset without a snapshot, and new rows may arrive while it is read. A read is complete if:
//! - `Total` is stable: the rows received are exactly `Total`. Rows that share an id all count: nothing has moved, so
//!   they are different rows. But if ids are unique within every page and still repeat on a later one, rows may have
//!   moved while `Total` was outdated: [`Fold::is_doubtful`].
//! - `Total` grows: new rows have pushed known ones onto later pages. From the page that reports the growth, a row
//!   whose id appeared on an earlier page is the same row and is not added again. The read is complete once the end is
//!   reached with at least as many different rows as there were at the start: rows only move towards the end, so none
//!   of those was skipped.
//! - `Total` shrinks: rows moved towards the start and some were skipped. Not complete.
//! - `Total` is missing: the first empty page is the last.
//!
//! A page may hold fewer rows than requested: the next one begins after the rows received. Everything else is
//! [`FoldError::Unsettled`], including growth if ids cannot tell rows apart.
//!
//! A payer's bill also lists the rows of the accounts it pays for, and project names such as `default` repeat between
//! accounts: rows of another owner are not added.
//!
//! Only the required fields are strict: where a row belongs, its amount and its currency. A row without a day is money of the
//! period all the same: see [`Fold::day_of`]. A row of a project that
//! nobody wants is not added if they cannot be read: its project is named in [`Sums::uncounted`]. Rows that are not settled
//! (非结算: trials) are not charged and not added.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::amount::{amount, exact_sum};
use super::item::{family_of, is_once, item_of};
use crate::domain::{
    AccountNumber, AmountField, BillPeriod, BillSource, BilledAmount, BilledItem, Money,
};
use crate::volcengine::error::{ErrorKind, bounded};
use crate::volcengine::identity::read_number;
use crate::volcengine::paging::count;

/// Rows per page: the largest `Limit` that the bill lists accept.
pub(super) const PAGE: u64 = 300;
/// `SettlementType` of rows that are not charged.
pub(super) const UNSETTLED: &str = "非结算";
/// Bound for a list that never ends: 6 million rows.
const MAX_PAGES: u32 = 20_000;

/// What to do after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Request the page at this offset.
    Page(u64),
    /// The bill is complete.
    Complete,
}

/// Why a read cannot continue.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FoldError {
    /// The pages are inconsistent; a new read may succeed.
    Unsettled(String),
    /// The bill contains something that must not be counted.
    Refused(ErrorKind),
    /// Not a page of a bill list.
    Malformed(String),
    /// Rows of other days came back although one day was requested.
    OtherDays,
    /// It has more rows than are to be read.
    TooLong,
}

/// Sums by day and product.
type Products = BTreeMap<(Date, String), BilledAmount>;

/// The state of one read.
pub(super) struct Fold {
    source: BillSource,
    field: AmountField,
    /// The account whose bill it is.
    owner: Option<AccountNumber>,
    /// The owner of the rows so far, if `owner` is unknown.
    first_owner: Option<AccountNumber>,
    wanted: BTreeSet<String>,
    /// Rows of other days count on the first or last day of the period.
    period: Option<BillPeriod>,
    /// The day that was requested.
    day: Option<Date>,
    days: BTreeMap<String, BTreeMap<Date, Money>>,
    /// The part of `days` that is no use.
    once: BTreeMap<(String, Date), Money>,
    /// If rows are also added up by what they are for: then each of them has to be understood.
    items: Option<BTreeMap<(Date, BilledItem), BilledAmount>>,
    /// By product, from this day on.
    products: Option<(Date, Products)>,
    /// How many rows are to be read at most.
    longest: u64,
    mixed: BTreeSet<Date>,
    /// Rows that say no day.
    undated: u64,
    uncounted: BTreeSet<String>,
    /// Hashes of the ids of the bills that the rows belong to.
    bills: HashSet<u64>,
    warning: Option<String>,
    pages: u32,
    /// Rows received, including repeated ones: the next offset.
    received: u64,
    repeated: u64,
    first_total: Option<u64>,
    last_total: Option<u64>,
    grown: bool,
    /// The hash of each row's id, and the last page it appeared on.
    seen: HashMap<u64, u32>,
    hasher: RandomState,
    ids_missing: bool,
    /// Two rows of one page share an id. A page is consistent in itself, so ids are not unique.
    ids_shared: bool,
    /// A row's id appeared on an earlier page, although `Total` has not grown.
    reappeared: bool,
    /// A page before the last had fewer rows than requested.
    short: bool,
}

/// The result of a complete read.
#[derive(PartialEq, Eq)]
pub(super) struct Sums {
    /// Of every wanted project; zero if there is no row of it.
    pub(super) amounts: BTreeMap<String, Money>,
    /// Of every project, and of the rows without one (an empty name).
    pub(super) days: BTreeMap<(String, Date), Money>,
    /// The part of `days` that is no use: orders, refunds and corrections.
    pub(super) once: BTreeMap<(String, Date), Money>,
    /// By what the rows are for, if that was asked for.
    pub(super) items: BTreeMap<(Date, BilledItem), BilledAmount>,
    /// By day and product, of the days for which that was asked; see [`family_of`].
    pub(super) products: Products,
    /// Days that also hold rows of days outside the period, or of an unknown day.
    pub(super) mixed: BTreeSet<Date>,
    /// How many rows say no day.
    pub(super) undated: u64,
    /// Projects with rows that cannot be counted; none of them is wanted.
    pub(super) uncounted: BTreeSet<String>,
    /// How many bills the rows belong to.
    pub(super) bills: u64,
    pub(super) rows: u64,
    pub(super) warning: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Page<'a> {
    #[serde(rename = "List", borrow)]
    pub(super) rows: Option<Vec<Row<'a>>>,
    #[serde(rename = "Total", borrow)]
    total: Option<&'a RawValue>,
    #[serde(rename = "Warning", borrow)]
    warning: Option<&'a RawValue>,
}

impl Page<'_> {
    /// Returns the number of rows of the whole bill; `None` if they were not counted (-1).
    pub(super) fn total(&self) -> Result<Option<u64>, FoldError> {
        let Some(total) = self.total else { return Ok(None) };
        let counted = count(total)
            .ok_or_else(|| FoldError::Malformed(format!("{} is no total", bounded(total.get()))))?;
        Ok(u64::try_from(counted).ok())
    }
}

pub(super) fn page_of(result: &str) -> Result<Page<'_>, FoldError> {
    serde_json::from_str(result)
        .map_err(|error| FoldError::Malformed(format!("the bill cannot be read: {error}")))
}

/// Returns how many rows a bill has, by one of its pages; `None` if they were not counted.
pub(super) fn total_of(result: &str) -> Result<Option<u64>, FoldError> {
    page_of(result)?.total()
}

/// Returns text as it is, and anything else as it is written; empty for null, and for what holds nothing.
pub(super) fn loose(value: Option<&RawValue>) -> String {
    match value.map(RawValue::get) {
        None | Some("null" | "[]" | "{}") => String::new(),
        Some(json) => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
    }
}

/// The fields of a row that are needed, of about a hundred. Raw values, because a string in one list is a number in the
/// other.
#[derive(Deserialize)]
pub(super) struct Row<'a> {
    #[serde(rename = "SplitBillDetailId", borrow)]
    split_id: Option<&'a RawValue>,
    #[serde(rename = "BillDetailId", borrow)]
    detail_id: Option<&'a RawValue>,
    #[serde(rename = "OwnerID", borrow)]
    pub(super) owner: Option<&'a RawValue>,
    #[serde(rename = "Project", borrow)]
    project: Option<&'a RawValue>,
    #[serde(rename = "BillID", borrow)]
    bill_id: Option<&'a RawValue>,
    #[serde(rename = "SettlementType", borrow)]
    settlement: Option<&'a RawValue>,
    #[serde(rename = "BillCategory", borrow)]
    category: Option<&'a RawValue>,
    #[serde(rename = "ExpenseDate", borrow)]
    expense_date: Option<&'a RawValue>,
    #[serde(rename = "ExpenseTime", borrow)]
    expense_time: Option<&'a RawValue>,
    #[serde(rename = "ExpenseBeginTime", borrow)]
    expense_begin: Option<&'a RawValue>,
    #[serde(rename = "ExpenseEndTime", borrow)]
    expense_end: Option<&'a RawValue>,
    #[serde(rename = "Product", borrow)]
    product: Option<&'a RawValue>,
    #[serde(rename = "InstanceNo", borrow)]
    instance: Option<&'a RawValue>,
    #[serde(rename = "ConfigName", borrow)]
    config_name: Option<&'a RawValue>,
    #[serde(rename = "Element", borrow)]
    element: Option<&'a RawValue>,
    #[serde(rename = "ChargeItemCode", borrow)]
    charge_item: Option<&'a RawValue>,
    #[serde(rename = "Currency", borrow)]
    currency: Option<&'a RawValue>,
    #[serde(rename = "PayableAmount", borrow)]
    payable: Option<&'a RawValue>,
    #[serde(rename = "DiscountBillAmount", borrow)]
    discount: Option<&'a RawValue>,
    #[serde(rename = "OriginalBillAmount", borrow)]
    original: Option<&'a RawValue>,
}

impl<'a> Row<'a> {
    /// Returns the row's own id: `SplitBillDetailId` for split rows, because all rows split from one bill row share its
    /// `BillDetailId`.
    fn id(&self, source: BillSource) -> Option<&'a str> {
        let id = match source {
            BillSource::Split => self.split_id,
            BillSource::Detail => self.detail_id,
        };
        id.map(RawValue::get).filter(|id| !matches!(*id, "\"\"" | "\"-\"" | "0"))
    }

    /// Returns the day of the spending, in Beijing. Each list has it in several fields; a time may follow the day.
    pub(super) fn day(&self) -> Option<Date> {
        let fields = [self.expense_date, self.expense_time, self.expense_begin, self.expense_end];
        fields.into_iter().find_map(|field| loose(field).trim().get(..10)?.parse().ok())
    }

    /// Returns whether it is charged at all.
    pub(super) fn is_settled(&self) -> bool {
        loose(self.settlement).trim() != UNSETTLED
    }

    fn amount(&self, field: AmountField) -> (&'static str, Option<&'a RawValue>) {
        match field {
            AmountField::Payable => ("PayableAmount", self.payable),
            AmountField::Discount => ("DiscountBillAmount", self.discount),
            AmountField::Original => ("OriginalBillAmount", self.original),
        }
    }

    fn item(&self, project: &str) -> BilledItem {
        let (config, element) = (loose(self.config_name), loose(self.element));
        item_of(project, &config, &element, &loose(self.charge_item))
    }

    /// Describes the row for error messages.
    fn named(&self, source: BillSource, project: &str) -> String {
        let part = |value| match loose(value) {
            text if text.is_empty() => "-".to_owned(),
            text => text,
        };
        bounded(&format!(
            "the bill row {} ({}, {}, project {project})",
            self.id(source).unwrap_or("without id"),
            part(self.product),
            part(self.instance),
        ))
    }
}

impl Fold {
    pub(super) fn new(source: BillSource, field: AmountField, wanted: &BTreeSet<String>) -> Self {
        Self {
            source,
            field,
            owner: None,
            first_owner: None,
            wanted: wanted.clone(),
            period: None,
            day: None,
            days: BTreeMap::new(),
            once: BTreeMap::new(),
            items: None,
            products: None,
            longest: u64::MAX,
            mixed: BTreeSet::new(),
            undated: 0,
            uncounted: BTreeSet::new(),
            bills: HashSet::new(),
            warning: None,
            pages: 0,
            received: 0,
            repeated: 0,
            first_total: None,
            last_total: None,
            grown: false,
            seen: HashMap::new(),
            hasher: RandomState::new(),
            ids_missing: false,
            ids_shared: false,
            reappeared: false,
            short: false,
        }
    }

    /// Adds only the rows of this account. Without it, a bill with rows of more than one account is refused.
    pub(super) fn owned_by(self, owner: Option<AccountNumber>) -> Self {
        Self { owner, ..self }
    }

    /// Counts rows of days outside `period` on its first or last day. If `day` is given, rows of other days are refused.
    pub(super) fn of_part(self, period: BillPeriod, day: Option<Date>) -> Self {
        Self { period: Some(period), day, ..self }
    }

    /// Adds rows up by what they are for, too. A bill of more than `longest` rows is not read.
    pub(super) fn by_item(self, longest: u64) -> Self {
        Self { items: Some(BTreeMap::new()), longest, ..self }
    }

    /// Adds rows up by product, too, from a day on.
    pub(super) fn by_product(self, from: Date) -> Self {
        Self { products: Some((from, BTreeMap::new())), ..self }
    }

    /// Adds the `Result` of the page at the offset requested last (initially 0).
    pub(super) fn page(&mut self, result: &str) -> Result<Next, FoldError> {
        let page = page_of(result)?;
        let warning = Some(bounded(&loose(page.warning))).filter(|warning| !warning.is_empty());
        let total = page.total()?;
        if total.is_some_and(|total| total > self.longest) {
            return Err(FoldError::TooLong);
        }
        let rows = match (page.rows, total, warning) {
            (rows, _, Some(warning))
                if self.received == 0 && rows.as_ref().is_none_or(Vec::is_empty) =>
            {
                return Err(FoldError::Refused(ErrorKind::SplitBillNotEnabled(warning)));
            }
            // The last, empty page may be `null`. On the first page that is an empty bill only with a count.
            (None, None, _) if self.received == 0 || page.total.is_none() => {
                return Err(FoldError::Malformed(
                    "the response has neither rows nor a total".into(),
                ));
            }
            (rows, _, warning) => {
                self.warning = self.warning.take().or(warning);
                rows.unwrap_or_default()
            }
        };
        self.pages += 1;
        self.compare_total(total)?;
        for row in &rows {
            self.row(row)?;
        }
        self.advance(rows.len() as u64)
    }

    /// Returns the account whose rows are added.
    pub(super) fn owner(&self) -> Option<AccountNumber> {
        self.owner
    }

    /// Returns whether rows may have moved although `Total` is stable. If a second read finds the same, they have not
    /// moved but share ids.
    pub(super) fn is_doubtful(&self) -> bool {
        !self.grown && self.reappeared && !self.ids_shared
    }

    /// Returns the result of a complete read.
    pub(super) fn finish(self) -> Sums {
        let amounts = self.wanted.iter().map(|project| {
            let days = self.days.get(project).into_iter().flat_map(BTreeMap::values);
            (project.clone(), days.copied().sum())
        });
        Sums {
            amounts: amounts.collect(),
            rows: self.received - self.repeated,
            warning: self.warning,
            items: self.items.unwrap_or_default(),
            products: self.products.map(|(_, products)| products).unwrap_or_default(),
            mixed: self.mixed,
            undated: self.undated,
            once: (self.once.into_iter())
                .filter(|((project, _), _)| !self.uncounted.contains(project))
                .collect(),
            bills: self.bills.len() as u64,
            days: (self.days.into_iter())
                .filter(|(project, _)| !self.uncounted.contains(project))
                .flat_map(|(project, days)| {
                    days.into_iter().map(move |(day, amount)| ((project.clone(), day), amount))
                })
                .collect(),
            uncounted: self.uncounted,
        }
    }

    /// Records whether the list changed since the previous page. A page without a count changes nothing.
    fn compare_total(&mut self, total: Option<u64>) -> Result<(), FoldError> {
        let Some(total) = total else {
            return Ok(());
        };
        match self.last_total {
            Some(before) if total < before => {
                return Err(FoldError::Unsettled(format!(
                    "it shrank from {before} to {total} rows while being read"
                )));
            }
            Some(before) => self.grown |= total > before,
            None => self.first_total = Some(total),
        }
        self.last_total = Some(total);
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), FoldError> {
        match row.id(self.source) {
            None => self.ids_missing = true,
            Some(id) => match self.seen.insert(self.hasher.hash_one(id), self.pages) {
                None => {}
                Some(page) if page < self.pages && self.grown => {
                    self.repeated += 1;
                    return Ok(());
                }
                Some(page) if page < self.pages => self.reappeared = true,
                Some(_) => self.ids_shared = true,
            },
        }
        self.add(row)
    }

    /// Returns whether a row belongs to the account. A row without an owner does: the request asks for its rows only.
    fn is_own(&mut self, row: &Row<'_>) -> Result<bool, FoldError> {
        let Some(owner) = read_number(row.owner) else { return Ok(true) };
        match self.owner {
            Some(own) => Ok(owner == own),
            None if *self.first_owner.get_or_insert(owner) == owner => Ok(true),
            None => Err(FoldError::Malformed(
                "the bill has rows of several accounts, and it is not known which of them are this account's".into(),
            )),
        }
    }

    fn add(&mut self, row: &Row<'_>) -> Result<(), FoldError> {
        if !self.is_own(row)? || !row.is_settled() {
            return Ok(());
        }
        if let Some(bill) = row.bill_id {
            self.bills.insert(self.hasher.hash_one(bill.get()));
        }
        let project = loose(row.project);
        match self.count(row, &project) {
            Err(FoldError::Refused(_) | FoldError::Malformed(_))
                if self.items.is_none() && !self.wanted.contains(&project) =>
            {
                self.uncounted.insert(project);
                Ok(())
            }
            result => result,
        }
    }

    fn count(&mut self, row: &Row<'_>, project: &str) -> Result<(), FoldError> {
        let day = self.day_of(row, project)?;
        let currency = loose(row.currency);
        let currency = currency.trim();
        if !currency.is_empty() && !currency.eq_ignore_ascii_case("CNY") {
            return Err(FoldError::Refused(ErrorKind::ForeignCurrency {
                currency: bounded(currency),
                row: row.named(self.source, project),
            }));
        }
        let (field, value) = row.amount(self.field);
        let Some(amount) = amount(value) else {
            return Err(FoldError::Refused(ErrorKind::EmptyAmount {
                field,
                found: bounded(value.map_or("", |value| value.get().trim_matches('"'))),
                row: row.named(self.source, project),
            }));
        };
        if !self.days.contains_key(project) {
            self.days.insert(project.to_owned(), BTreeMap::new());
        }
        let Some(days) = self.days.get_mut(project) else { return Ok(()) };
        let is_once = is_once(&loose(row.category));
        let sums = [
            Some(days.entry(day).or_insert(Money::ZERO)),
            is_once.then(|| self.once.entry((project.to_owned(), day)).or_insert(Money::ZERO)),
            (self.items.as_mut()).map(|items| {
                let item = items.entry((day, row.item(project))).or_default();
                item.add_original(self::amount(row.original));
                &mut item.amount
            }),
            self.products.as_mut().filter(|(from, _)| day >= *from).map(|(_, products)| {
                let family = family_of(&loose(row.product)).to_owned();
                let product = products.entry((day, family)).or_default();
                product.add_original(self::amount(row.original));
                &mut product.amount
            }),
        ];
        for sum in sums.into_iter().flatten() {
            *sum = exact_sum(*sum, amount).ok_or_else(|| {
                FoldError::Malformed(format!(
                    "the sum of project {project} has more than 28 digits"
                ))
            })?;
        }
        Ok(())
    }

    /// Returns the day that a row counts on. One that says no day counts on the day that was requested or, where none was, on
    /// the first day of the period: a reading by day would not return it there, so that day counts as mixed.
    fn day_of(&mut self, row: &Row<'_>, project: &str) -> Result<Date, FoldError> {
        let unknown =
            || FoldError::Malformed(format!("{} has no day", row.named(self.source, project)));
        let Some(day) = row.day() else {
            let first = self.period.map(BillPeriod::first_day);
            let day = self.day.or(first).ok_or_else(unknown)?;
            self.undated += 1;
            if self.day.is_none() {
                self.mixed.insert(day);
            }
            return Ok(day);
        };
        if self.day.is_some_and(|requested| requested != day) {
            return Err(FoldError::OtherDays);
        }
        let Some(period) = self.period else { return Ok(day) };
        let within = day.clamp(period.first_day(), period.last_day());
        if within != day {
            self.mixed.insert(within);
        }
        Ok(within)
    }

    /// Decides how to continue after a page of `rows` rows.
    fn advance(&mut self, rows: u64) -> Result<Next, FoldError> {
        let unsettled = |why: String| Err(FoldError::Unsettled(why));
        let offset = self.received;
        self.received += rows;
        let ended = match self.last_total {
            Some(total) => {
                let most = total.saturating_sub(offset).min(PAGE);
                if rows > most || (rows == 0 && most > 0) {
                    return unsettled(format!(
                        "got {rows} rows at offset {offset} of {total}, expected {most}"
                    ));
                }
                self.short |= rows < most;
                self.received >= total
            }
            None if rows > PAGE => {
                return unsettled(format!(
                    "got {rows} rows on a page, at most {PAGE} were requested"
                ));
            }
            // A short page need not be the last: the platform may have a lower limit than requested.
            None => rows == 0,
        };
        if self.short && self.reappeared {
            return unsettled("rows appeared twice on short pages".into());
        }
        if self.grown && self.ids_missing {
            return unsettled("it grew while being read, and its rows have no ids".into());
        }
        if self.grown && (self.ids_shared || self.reappeared) {
            return unsettled("it grew while being read, and its rows share ids".into());
        }
        // Without a total, this is the only sign that rows moved or that the pages repeat.
        if self.reappeared && self.last_total.is_none() {
            return unsettled("rows appeared twice".into());
        }
        let distinct = self.received - self.repeated;
        match self.first_total {
            Some(first) if ended && distinct < first => {
                unsettled(format!("got only {distinct} different rows of {first}"))
            }
            _ if ended => Ok(Next::Complete),
            _ if self.pages >= MAX_PAGES => {
                unsettled(format!("it has more than {MAX_PAGES} pages"))
            }
            _ => Ok(Next::Page(self.received)),
        }
    }
}
