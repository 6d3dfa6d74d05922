//! Whether an empty split bill can be true. It is also empty, without a warning, if split bills are not switched on
//! (docs/platforms/volcengine.md §7.6).

use jiff::ToSpan;
use jiff::civil::Date;

use super::fold::{FoldError, PAGE, page_of};
use super::{Shape, page_request};
use crate::domain::{AccountNumber, BillPeriod, BillSource, beijing_day};
use crate::volcengine::call::{Api, Call};
use crate::volcengine::client::AccountClient;
use crate::volcengine::error::{Error, ErrorKind};
use crate::volcengine::identity::read_number;

/// A day that ended two days ago is in the split bill; it is this many days back.
const BILLED_AFTER_DAYS: i64 = 3;
/// `GroupTerm`: one row a day for the account. It is not certain that such a row says its day.
const BY_ACCOUNT: u8 = 3;
/// `GroupTerm`: one row a day for each charge item.
const BY_ITEM: u8 = 0;
/// Bound for a list that never ends.
const MAX_PAGES: u32 = 1_000;

/// What a list says about the days of its rows.
enum Rows {
    /// None is of that day or an earlier one.
    Later,
    /// One is of this day.
    Of(Date),
    /// Some do not say their day, and none is known to be that early.
    Unknown,
}

impl AccountClient {
    /// Checks that an empty split bill can be true: no row of "ListBillDetail" is of a day that ended two days ago or earlier.
    /// Returns a warning if there are later rows: the split bill is late then, and counts as zero.
    pub(super) async fn confirm_empty(
        &self,
        period: BillPeriod,
        owner: Option<AccountNumber>,
    ) -> Result<Option<String>, Error> {
        let mut body = page_request(period, None, BillSource::Detail, Shape::Projects, owner, 0);
        if let Some(fields) = body.as_object_mut() {
            fields.insert("Limit".into(), 1.into());
        }
        let answer = self.call(&Call::post(Api::Billing, "ListBillDetail", body)).await?;
        let result =
            answer.result().ok_or_else(|| answer.unexpected("the response has no Result"))?;
        let rows = page_of(result).and_then(|page| {
            let rows = page.rows.as_ref().map_or(0, |rows| rows.len() as u64);
            Ok(page.total()?.unwrap_or_default().max(rows))
        });
        let rows = match rows {
            Ok(0) => return Ok(None),
            Ok(rows) => rows,
            Err(FoldError::Malformed(why)) => return Err(answer.unexpected(why)),
            Err(_) => return Err(answer.unexpected("the bill cannot be read")),
        };
        let today = beijing_day(self.now());
        let last = today.checked_sub(BILLED_AFTER_DAYS.days()).unwrap_or(today);
        let counts = format!("ListSplitBillDetail: 0, ListBillDetail: {rows}");
        let mut found = self.rows_up_to(last, period, owner, BY_ACCOUNT).await?;
        if matches!(found, Rows::Unknown) {
            found = self.rows_up_to(last, period, owner, BY_ITEM).await?;
        }
        let warning = match found {
            Rows::Later => return Ok(Some(counts)),
            Rows::Of(day) => format!("{counts}, {day}"),
            // They could be of any day.
            Rows::Unknown => counts,
        };
        Err(Error::new("ListSplitBillDetail", ErrorKind::SplitBillNotEnabled(warning), ""))
    }

    /// Looks for a settled row of the account that is of `last` or an earlier day.
    async fn rows_up_to(
        &self,
        last: Date,
        period: BillPeriod,
        owner: Option<AccountNumber>,
        term: u8,
    ) -> Result<Rows, Error> {
        let (mut offset, mut outcome) = (0, Rows::Later);
        for _ in 0..MAX_PAGES {
            let mut body =
                page_request(period, None, BillSource::Detail, Shape::GroupedItems, owner, offset);
            if let Some(fields) = body.as_object_mut() {
                fields.insert("GroupTerm".into(), term.into());
            }
            let answer = self.call(&Call::post(Api::Billing, "ListBillDetail", body)).await?;
            let result =
                answer.result().ok_or_else(|| answer.unexpected("the response has no Result"))?;
            let unreadable = |_| answer.unexpected("the bill cannot be read");
            let page = page_of(result).map_err(unreadable)?;
            let total = page.total().map_err(unreadable)?;
            let rows = page.rows.unwrap_or_default();
            for row in &rows {
                let is_other = owner
                    .is_some_and(|own| read_number(row.owner).is_some_and(|found| found != own));
                match row.day() {
                    _ if is_other || !row.is_settled() => {}
                    Some(day) if day <= last => return Ok(Rows::Of(day)),
                    Some(_) => {}
                    None => outcome = Rows::Unknown,
                }
            }
            offset += rows.len() as u64;
            match total {
                Some(total) if offset >= total => return Ok(outcome),
                Some(_) if rows.is_empty() => {
                    return Err(answer.unexpected("the list ends before its last row"));
                }
                None if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) => {
                    return Ok(outcome);
                }
                _ => {}
            }
        }
        Err(Error::new("ListBillDetail", ErrorKind::Unexpected, "the list has no end"))
    }
}
