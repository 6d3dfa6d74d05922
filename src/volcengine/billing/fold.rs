//! Adding up one bill from its pages: pure, one page at a time, memory follows the wanted projects (and one 64-bit number
//! a row), not the bill.
//!
//! The list is paged by offset without a snapshot, and new rows may come in while it is read. What counts as one complete
//! read:
//! - `Total` stands still: the rows received are exactly `Total`. Rows that share an id all count; nothing has moved, so
//!   they are different rows. Only where ids tell rows apart within every page and yet come again on a later one, rows may
//!   have moved behind a `Total` that was counted earlier: [`Fold::is_doubtful`].
//! - `Total` grows: new rows pushed known ones onto later pages. From the page on that tells so, a row whose id came on an
//!   earlier page is that same row and is not added again. The read is complete when the end was reached with at least
//!   as many different rows as there were at the start: rows only move towards the end, so none of those was skipped.
//! - `Total` shrinks: rows moved towards the start and some were skipped. Not complete.
//! - no `Total`: the first page that is not full is the last.
//!
//! Anything else, and growth where the ids cannot tell rows apart, is [`Trouble::Unsettled`].

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::amount::{amount, exact_sum};
use crate::domain::{AmountField, BillSource, Money};
use crate::volcengine::error::{ErrorKind, bounded};

/// Rows a page: the largest `Limit` that the bill lists take.
pub(super) const PAGE: u64 = 300;
/// Where a list that never ends is given up: 6 million rows.
const MAX_PAGES: u32 = 20_000;

/// What to do after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask for the page that starts here.
    Page(u64),
    /// The bill is complete.
    Complete,
}

/// Why a read cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The pages are not of one piece; a new read may succeed.
    Unsettled(String),
    /// The bill says something that must not be counted.
    Refused(ErrorKind),
    /// Not a page of a bill list.
    Malformed(String),
}

/// The state of one read.
pub(super) struct Fold {
    source: BillSource,
    field: AmountField,
    amounts: BTreeMap<String, Money>,
    warning: Option<String>,
    pages: u32,
    /// Rows received, those that came twice included: the next offset.
    received: u64,
    repeated: u64,
    first_total: Option<u64>,
    last_total: Option<u64>,
    grown: bool,
    /// The hash of each row's id, and the page it came on last.
    seen: HashMap<u64, u32>,
    hasher: RandomState,
    ids_missing: bool,
    /// Rows of one page share an id. A page is of one instant, so ids do not tell rows apart.
    twins: bool,
    /// A row's id came on an earlier page already though nothing is known to have moved.
    came_again: bool,
}

/// What a complete read found.
#[derive(PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) amounts: BTreeMap<String, Money>,
    pub(super) rows: u64,
    pub(super) warning: Option<String>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(rename = "List", borrow)]
    rows: Option<Vec<Row<'a>>>,
    #[serde(rename = "Total")]
    total: Option<i64>,
    #[serde(rename = "Warning")]
    warning: Option<String>,
}

/// The few of a row's hundred fields that are needed. Raw values: text in one list is a number in the other.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "SplitBillDetailId", borrow)]
    split_id: Option<&'a RawValue>,
    #[serde(rename = "BillDetailId", borrow)]
    detail_id: Option<&'a RawValue>,
    #[serde(rename = "Project", borrow)]
    project: Option<Cow<'a, str>>,
    #[serde(rename = "Product", borrow)]
    product: Option<Cow<'a, str>>,
    #[serde(rename = "InstanceNo", borrow)]
    instance: Option<Cow<'a, str>>,
    #[serde(rename = "Currency", borrow)]
    currency: Option<Cow<'a, str>>,
    #[serde(rename = "PayableAmount", borrow)]
    payable: Option<&'a RawValue>,
    #[serde(rename = "DiscountBillAmount", borrow)]
    discount: Option<&'a RawValue>,
    #[serde(rename = "OriginalBillAmount", borrow)]
    original: Option<&'a RawValue>,
}

impl<'a> Row<'a> {
    /// The row's own id. Of split rows only `SplitBillDetailId` is: the rows split from one bill row share its `BillDetailId`.
    fn id(&self, source: BillSource) -> Option<&'a str> {
        let id = match source {
            BillSource::Split => self.split_id,
            BillSource::Detail => self.detail_id,
        };
        id.map(RawValue::get).filter(|id| !matches!(*id, "\"\"" | "\"-\"" | "0"))
    }

    fn amount(&self, field: AmountField) -> (&'static str, Option<&'a RawValue>) {
        match field {
            AmountField::Payable => ("PayableAmount", self.payable),
            AmountField::Discount => ("DiscountBillAmount", self.discount),
            AmountField::Original => ("OriginalBillAmount", self.original),
        }
    }

    /// The row in words, for messages.
    fn named(&self, source: BillSource, project: &str) -> String {
        let part = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or("-").to_owned();
        bounded(&format!(
            "the bill row {} ({}, {}, project {project})",
            self.id(source).unwrap_or("without id"),
            part(&self.product),
            part(&self.instance),
        ))
    }
}

impl Fold {
    pub(super) fn new(source: BillSource, field: AmountField, wanted: &BTreeSet<String>) -> Self {
        Self {
            source,
            field,
            amounts: wanted.iter().map(|project| (project.clone(), Money::ZERO)).collect(),
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
            twins: false,
            came_again: false,
        }
    }

    /// Takes the `Result` of the page at the offset that was asked for last (0 at first).
    pub(super) fn page(&mut self, result: &str) -> Result<Next, Trouble> {
        let page: Page<'_> = serde_json::from_str(result)
            .map_err(|error| Trouble::Malformed(format!("the bill cannot be read: {error}")))?;
        let warning =
            page.warning.map(|warning| bounded(&warning)).filter(|warning| !warning.is_empty());
        // -1 stands for "not counted".
        let total = page.total.and_then(|total| u64::try_from(total).ok());
        let rows = match (page.rows, total, warning) {
            (rows, _, Some(warning))
                if self.received == 0 && rows.as_ref().is_none_or(Vec::is_empty) =>
            {
                return Err(Trouble::Refused(ErrorKind::SplitBillNotEnabled(warning)));
            }
            // A last, empty page may be written as `null`; a first one is not taken for an empty bill without a count.
            (None, None, _) if self.received == 0 || page.total.is_none() => {
                return Err(Trouble::Malformed("the answer has neither rows nor a total".into()));
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

    /// Whether rows may have moved although `Total` stood still. A second read that finds the same shows that they have
    /// not, and just share ids.
    pub(super) fn is_doubtful(&self) -> bool {
        !self.grown && self.came_again && !self.twins
    }

    /// What a complete read found.
    pub(super) fn finish(self) -> Sums {
        Sums { amounts: self.amounts, rows: self.received - self.repeated, warning: self.warning }
    }

    /// Notes whether the list changed since the page before. A page that does not count leaves things as they were.
    fn compare_total(&mut self, total: Option<u64>) -> Result<(), Trouble> {
        let Some(total) = total else {
            return Ok(());
        };
        match self.last_total {
            Some(before) if total < before => {
                return Err(Trouble::Unsettled(format!(
                    "it shrank from {before} to {total} rows while it was read"
                )));
            }
            Some(before) => self.grown |= total > before,
            None => self.first_total = Some(total),
        }
        self.last_total = Some(total);
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Trouble> {
        match row.id(self.source) {
            None => self.ids_missing = true,
            Some(id) => match self.seen.insert(self.hasher.hash_one(id), self.pages) {
                None => {}
                Some(page) if page < self.pages && self.grown => {
                    self.repeated += 1;
                    return Ok(());
                }
                Some(page) if page < self.pages => self.came_again = true,
                Some(_) => self.twins = true,
            },
        }
        self.add(row)
    }

    fn add(&mut self, row: &Row<'_>) -> Result<(), Trouble> {
        let project = row.project.as_deref().unwrap_or_default();
        let Some(sum) = self.amounts.get_mut(project) else {
            return Ok(());
        };
        let currency = row.currency.as_deref().unwrap_or_default().trim();
        if !currency.is_empty() && !currency.eq_ignore_ascii_case("CNY") {
            return Err(Trouble::Refused(ErrorKind::ForeignCurrency {
                currency: bounded(currency),
                row: row.named(self.source, project),
            }));
        }
        let (field, value) = row.amount(self.field);
        let Some(amount) = amount(value) else {
            return Err(Trouble::Refused(ErrorKind::EmptyAmount {
                field,
                found: bounded(value.map_or("", |value| value.get().trim_matches('"'))),
                row: row.named(self.source, project),
            }));
        };
        *sum = exact_sum(*sum, amount).ok_or_else(|| {
            Trouble::Malformed(format!("the sum of project {project} has more than 28 digits"))
        })?;
        Ok(())
    }

    /// Decides how to go on after a page of `rows` rows.
    fn advance(&mut self, rows: u64) -> Result<Next, Trouble> {
        let unsettled = |why: String| Err(Trouble::Unsettled(why));
        let offset = self.received;
        self.received += rows;
        let ended = match self.last_total {
            Some(total) => {
                let expected = total.saturating_sub(offset).min(PAGE);
                if rows != expected {
                    return unsettled(format!(
                        "{rows} rows came at offset {offset} of {total} where {expected} should have"
                    ));
                }
                self.received >= total
            }
            None if rows > PAGE => {
                return unsettled(format!("{rows} rows came where {PAGE} is the most"));
            }
            None => rows < PAGE,
        };
        if self.grown && self.ids_missing {
            return unsettled("it grew while it was read, and its rows have no ids".into());
        }
        if self.grown && (self.twins || self.came_again) {
            return unsettled("it grew while it was read, and its rows share ids".into());
        }
        // Without a total this is the only sign that rows moved, or that the pages go round in a circle.
        if self.came_again && self.last_total.is_none() {
            return unsettled("rows came twice".into());
        }
        let distinct = self.received - self.repeated;
        match self.first_total {
            Some(first) if ended && distinct < first => {
                unsettled(format!("only {distinct} different rows came of {first}"))
            }
            _ if ended => Ok(Next::Complete),
            _ if self.pages >= MAX_PAGES => {
                unsettled(format!("it has more than {MAX_PAGES} pages"))
            }
            _ => Ok(Next::Page(self.received)),
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
