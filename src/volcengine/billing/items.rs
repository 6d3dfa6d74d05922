//! The bill of the day by what was used, for the estimate (docs/platforms/ark.md §D.1, §D.5).

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;

use super::fold::PAGE;
use super::{Part, PartError, Shape, refuses_filter, unreadable};
use crate::domain::{AmountField, BillPeriod, BillSource, BilledAmount, BilledItem, beijing_day};
use crate::volcengine::client::AccountClient;
use crate::volcengine::error::Error;

/// Up to this many rows, 10 pages, a day is read in detail.
const LONGEST: u64 = 10 * PAGE;
/// Grouped rows are complete this long after the detail (docs/platforms/ark.md §D.1), with some room.
const GROUPED_HOURS: i64 = 2;

/// What an account spent on some days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemsRead {
    /// The exact amount by Beijing day and what it is for. Days without rows have none.
    pub items: BTreeMap<(Date, BilledItem), BilledAmount>,
    /// Number of pages requested.
    pub calls: u32,
}

impl AccountClient {
    /// Reads what the account spent on some days, by what was used ("ListBillDetail"). It follows the use by 5 to 15 minutes:
    /// the last two hours are read in detail. Days that are over, and days of more than 3,000 rows, are read grouped, which is
    /// an hour later.
    ///
    /// # Errors
    /// As [`AccountClient::read_bill`], and all or nothing: a row that cannot be counted fails the read.
    pub async fn read_items(
        &self,
        days: &BTreeSet<Date>,
        field: AmountField,
    ) -> Result<ItemsRead, Error> {
        let mut read = ItemsRead::default();
        let mut months = BTreeSet::new();
        let now = self.now();
        let recent = beijing_day(now.checked_sub(GROUPED_HOURS.hours()).unwrap_or(now));
        for day in days {
            let Ok(period) = BillPeriod::of_day(*day) else { continue };
            let detail = (*day >= recent).then_some(Shape::Items { longest: LONGEST });
            let shapes = detail.into_iter().chain([Shape::GroupedItems]);
            let mut is_read = false;
            for shape in shapes {
                if self.add_items(period, Some(*day), field, shape, &mut read).await? {
                    is_read = true;
                    break;
                }
            }
            if !is_read {
                months.insert(period);
            }
        }
        // The list cannot be read by day.
        for period in months {
            let mut whole = ItemsRead::default();
            if !self.add_items(period, None, field, Shape::GroupedItems, &mut whole).await? {
                return Err(unreadable(BillSource::Detail));
            }
            read.calls = read.calls.saturating_add(whole.calls);
            let wanted = whole.items.into_iter().filter(|((day, _), _)| days.contains(day));
            read.items.extend(wanted);
        }
        Ok(read)
    }

    /// Returns whether the list can be read like that.
    async fn add_items(
        &self,
        period: BillPeriod,
        day: Option<Date>,
        field: AmountField,
        shape: Shape,
        read: &mut ItemsRead,
    ) -> Result<bool, Error> {
        let owner = self.owner_of_rows().await;
        let none = BTreeSet::new();
        let part = Part { period, day, source: BillSource::Detail, field, wanted: &none, shape };
        match self.read_part(part, owner, &mut read.calls).await {
            // A warning may say that the filter was ignored.
            Ok(sums) if sums.warning.is_none() => {
                read.items.extend(sums.items);
                Ok(true)
            }
            Ok(_) | Err(PartError::OtherDays | PartError::TooLong) => Ok(false),
            Err(PartError::Failed(error)) if refuses_filter(&error) && day.is_some() => Ok(false),
            Err(PartError::Failed(error)) => Err(error),
        }
    }
}
