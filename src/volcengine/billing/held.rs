//! What ListBillDetail has of a day by product, to see whether the split bill has all of it (docs/platforms/ark.md §D.4).

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::{Part, PartError, Shape, refuses_filter};
use crate::domain::{AmountField, BillPeriod, BillSource, BilledAmount};
use crate::volcengine::client::AccountClient;
use crate::volcengine::error::Error;

impl AccountClient {
    /// Returns the account's money of a day by product, as "ListBillDetail" has it, and the number of calls; `None` if that list
    /// cannot be read by day. It is complete an hour after the rows are. Products of 方舟 are one.
    ///
    /// # Errors
    /// As [`AccountClient::read_bill`].
    pub async fn day_by_product(
        &self,
        day: Date,
        field: AmountField,
    ) -> Result<(Option<BTreeMap<String, BilledAmount>>, u32), Error> {
        let Ok(period) = BillPeriod::of_day(day) else { return Ok((None, 0)) };
        let (source, none) = (BillSource::Detail, BTreeSet::new());
        let part =
            Part { period, day: Some(day), source, field, wanted: &none, shape: Shape::Products };
        let mut calls = 0;
        match self.read_part(part, self.owner_of_rows().await, &mut calls).await {
            // A warning may say that the filter was ignored; an amount that cannot be read is missing from the sums.
            Ok(sums) if sums.warning.is_none() && sums.uncounted.is_empty() => {
                let products = sums.products.into_iter();
                Ok((Some(products.map(|((_, name), amount)| (name, amount)).collect()), calls))
            }
            Ok(_) | Err(PartError::OtherDays | PartError::TooLong) => Ok((None, calls)),
            Err(PartError::Failed(error)) if refuses_filter(&error) => Ok((None, calls)),
            Err(PartError::Failed(error)) => Err(error),
        }
    }
}
