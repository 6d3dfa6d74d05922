//! What a person sees of the users they own.

use jiff::Timestamp;

use super::outcome::BillingProject;
use super::{billing, days, users};
use crate::domain::{
    BillPeriod, Condition, DayChart, Forecast, Hidden, Money, Month, OpenId, QuotaRequest,
    Settings, SpendingRecord, Unbilled, User, UserKey,
};
use crate::store::{Source, StoreError, View};

/// The card of a person's own users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeView {
    /// The month shown.
    pub period: BillPeriod,
    /// The person's users.
    pub users: Vec<MyUser>,
    /// Whether it shows one of several users.
    pub one_of_many: bool,
}

/// One of a person's users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MyUser {
    /// The user.
    pub user: User,
    /// The account's name.
    pub account_name: String,
    /// How it stands with quota and month limit.
    pub condition: Condition,
    /// As in [`super::outcome::UserRow::stale`].
    pub stale: Option<Option<Timestamp>>,
    /// What is estimated beyond the bill; `None` if nothing is.
    pub unbilled: Option<Unbilled>,
    /// What the account has spent in no project that is known yet: it may be the user's.
    pub hidden: Option<Hidden>,
    /// The month's total.
    pub total: Money,
    /// What the month counts against the limit; `None` without one.
    pub month: Option<Month>,
    /// What the spending leads to; `None` if too little is known.
    pub forecast: Option<Forecast>,
    /// The month's spending by project, most expensive first.
    pub projects: Vec<BillingProject>,
    /// The last request.
    pub request: Option<QuotaRequest>,
    /// The last 30 days of the monitored projects; empty unless it is the only user of the card.
    pub days: DayChart,
}

/// Returns the users owned by `person`, and no others; of these, only the `chosen` one if it is one of them.
pub fn view<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    person: &OpenId,
    chosen: Option<&UserKey>,
    now: Timestamp,
) -> Result<MeView, StoreError> {
    let period = BillPeriod::of(now);
    let mut own = Vec::new();
    let directory = tx.directory();
    let mut keys: Vec<_> = directory
        .iter()
        .filter(|(_, entry)| entry.owner.as_ref() == Some(person))
        .map(|(key, _)| key)
        .collect();
    let one_of_many = keys.len() > 1 && keys.iter().any(|key| Some(*key) == chosen);
    if one_of_many {
        keys.retain(|key| Some(*key) == chosen);
    }
    let single = keys.len() == 1;
    for key in keys {
        let Some(user) = tx.user(key)? else { continue };
        let records: Vec<_> = tx
            .spending_of(&user.key, period)?
            .into_iter()
            .filter(|record| record.project.is_some())
            .collect();
        let total = SpendingRecord::total_of(&records);
        let spent = billing::billing_user(tx, user.key.clone(), total, &records, false)?;
        own.push(MyUser {
            account_name: users::account_name(tx, &user.key.account)?,
            condition: users::condition_of(tx, settings, &user, now)?,
            stale: spent.stale,
            unbilled: tx.unbilled(&user)?,
            hidden: tx.hidden_from(&user)?,
            total,
            month: tx.month(&user, now)?,
            forecast: tx.forecast(&user, now)?,
            projects: spent.projects,
            request: tx.requests_of(&user.key, 1)?.pop(),
            days: if single {
                let links = tx.links_of(&user.key)?;
                days::of_user(tx, &user.key.account, &links, now)?
            } else {
                DayChart::default()
            },
            user,
        });
    }
    Ok(MeView { period, users: own, one_of_many })
}
