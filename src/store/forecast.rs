//! What forecasts are made from: amounts by day, without what is paid once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use redb::ReadableTable;

use super::tables::{DAYS, DAYS_ONCE};
use super::view::{Source, View};
use super::{StoreError, keys};
use crate::domain::forecast::{OLDEST_BILL, RATE_DAYS, before, forecast};
use crate::domain::{
    AccountId, AccountReadings, BillPeriod, Forecast, Money, Spending, User, beijing_day, share,
};

impl<S: Source> View<S> {
    /// Returns what a user's spending leads to; `None` if too little is known.
    pub fn forecast(&self, user: &User, now: Timestamp) -> Result<Option<Forecast>, StoreError> {
        let readings = self.account_readings(&user.key.account)?;
        let today = beijing_day(now);
        let Some(bill_to) = bill_to(&readings, today) else { return Ok(None) };
        let mut links = self.links_of(&user.key)?;
        links.retain(|link| link.monitored.is_on());
        let Some(made) = links.iter().map(|link| link.created).min() else { return Ok(None) };
        let Ok(first) = beijing_day(made).tomorrow() else { return Ok(None) };
        let from = first.max(before(bill_to, RATE_DAYS - 1));
        // Fewer than 3 complete days.
        if from > before(bill_to, 2) {
            return Ok(None);
        }
        let mut counted = Vec::new();
        for link in &links {
            counted.push((link, self.sharers_of(link)?));
        }
        let (rows, once) = (self.open(DAYS)?, self.open(DAYS_ONCE)?);
        let account = user.key.account.as_str();
        let mut days: BTreeMap<Date, Money> = BTreeMap::new();
        for day in std::iter::successors(Some(from), |day| day.tomorrow().ok()) {
            if day > today {
                break;
            }
            let Ok(period) = BillPeriod::of_day(day) else { continue };
            for (link, payers) in counted.iter().filter(|(link, _)| link.since <= period) {
                let key = (account, keys::of_day(day), link.project.as_str());
                if let Some(amount) = rows.get(key)? {
                    let amount = DAYS.decode(amount.value())?;
                    // Orders and refunds do not come again.
                    let once = once.get(key)?.map(|once| DAYS_ONCE.decode(once.value()));
                    let amount = amount - once.transpose()?.unwrap_or(Money::ZERO);
                    *days.entry(day).or_insert(Money::ZERO) +=
                        share(amount, &user.key, period, payers);
                }
            }
        }
        let month = self.month_of(&user.key, BillPeriod::of(now), now)?;
        Ok(forecast(user, &month, &Spending { today, bill_to, first, days }))
    }

    /// Returns the last day that an account's bill holds completely, and the first day from which on every day of it is
    /// known; `None` if its bill says nothing about today.
    pub fn known_days(
        &self,
        account: &AccountId,
        today: Date,
    ) -> Result<Option<(Date, Date)>, StoreError> {
        let readings = self.account_readings(account)?;
        let Some(to) = bill_to(&readings, today) else { return Ok(None) };
        let Ok(mut period) = BillPeriod::of_day(to) else { return Ok(None) };
        if !readings.periods.contains_key(&period) {
            return Ok(None);
        }
        while readings.periods.contains_key(&period.previous()) && period.previous() != period {
            period = period.previous();
        }
        Ok(Some((period.first_day(), to)))
    }
}

/// Returns the last complete day of a bill that is not too old; today is never complete.
fn bill_to(readings: &AccountReadings, today: Date) -> Option<Date> {
    let to = readings.bill_to?.min(before(today, 1));
    (to >= before(today, OLDEST_BILL)).then_some(to)
}
