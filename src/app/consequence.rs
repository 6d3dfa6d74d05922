//! What a change leads to: the usage afterwards, and what the next cycle will do about it.

use jiff::Timestamp;

use super::users;
use crate::domain::{
    AccessGoal, AccessStanding, CUT_AT, Limit, Money, MonthLimit, Settings, Unbilled, Usage, User,
    UserKey, UserStatus, decide,
};
use crate::store::{Source, StoreError, View};

/// What the present state of a user leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// The user.
    pub user: UserKey,
    /// What was consumed before, and the usage then, if a change of the links has moved it.
    pub before: Option<(Money, Option<Usage>)>,
    /// What is consumed now.
    pub consumed: Money,
    /// Usage of the quota, with what is estimated as far as it counts for warnings; `None` if nothing is allocated.
    pub usage: Option<Usage>,
    /// Usage of the month limit, if there is one and the month is known.
    pub month: Option<Usage>,
    /// What the next cycle will do.
    pub next: Next,
    /// When the next cycle begins, if that is known.
    pub at: Option<Timestamp>,
}

/// What the next cycle will do about a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// Warn that this threshold is reached, in percent.
    Warn(u16),
    /// Cut access, because this is used up.
    Cut(Limit),
    /// Nothing, although this is used up: nobody has switched automatic disable on.
    LetGo,
    /// Nothing, although it is used up: access is cut already.
    StaysCut,
    /// Nothing: the user is not monitored.
    NotMonitored,
    /// Nothing from now on: the change has ended the limit of the quota, and there is no month limit.
    RunsFree,
    /// The same, once access is restored.
    RunsFreeOnceRestored,
    /// Nothing because of the quota, whose limit the change has ended: the month limit alone counts.
    MonthLimitOnly(MonthLimit),
}

impl Consequence {
    /// Returns whether it leads to a cut, or lets spending go on beyond the quota.
    pub fn is_grave(&self) -> bool {
        matches!(self.next, Next::Cut(_) | Next::LetGo | Next::RunsFree)
    }
}

/// Returns what the present state of a user leads to; `before` is the user before the change, if it may have moved what was
/// consumed or ended the limit of the quota. `at` is when the next cycle begins, if that is known.
///
/// A restore that is under way is taken as done, and so is a cut.
pub fn of<S: Source>(
    tx: &View<S>,
    settings: &Settings,
    key: &UserKey,
    before: Option<&User>,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Consequence>, StoreError> {
    let Some(user) = tx.user(key)? else { return Ok(None) };
    let month = tx.month(&user, now)?;
    let unbilled = tx.unbilled(&user)?;
    let standing = match tx.access_pending(key)?.map(|pending| pending.goal) {
        Some(AccessGoal::Restored) => AccessStanding::NotCut,
        Some(goal @ AccessGoal::Cut) => AccessStanding::Changing(goal),
        None => tx.access_standing(&user)?,
    };
    let thresholds = users::thresholds_of(&user, settings);
    let decision = decide(&user, month.as_ref(), unbilled.as_ref(), thresholds, standing);
    let usage = user.usage_with(unbilled.as_ref().map_or(Money::ZERO, Unbilled::for_warnings));
    let in_month = user.month_usage_with(month.as_ref(), |period| {
        unbilled.as_ref().map_or(Money::ZERO, |unbilled| unbilled.for_warnings_in(period))
    });
    let is_used_up = usage.reaches(CUT_AT) || in_month.is_some_and(|usage| usage.reaches(CUT_AT));
    let next = match (decision.cut, decision.warn) {
        (Some(limit), _) => Next::Cut(limit),
        _ if user.status == UserStatus::Gone => Next::Nothing,
        _ if !user.monitored.is_on() => Next::NotMonitored,
        _ if is_used_up && standing != AccessStanding::NotCut => Next::StaysCut,
        _ if is_used_up && !user.auto_disable.is_on() => Next::LetGo,
        (None, Some(warn)) => Next::Warn(warn.threshold),
        (None, None) if before.is_some_and(User::is_allocated) && !user.is_allocated() => {
            match user.month_limit {
                Some(limit) => Next::MonthLimitOnly(limit),
                None if standing == AccessStanding::NotCut => Next::RunsFree,
                None => Next::RunsFreeOnceRestored,
            }
        }
        (None, None) => Next::Nothing,
    };
    let estimated = usage_of(&user, unbilled.as_ref());
    let before = before.filter(|before| before.consumed != user.consumed);
    Ok(Some(Consequence {
        user: key.clone(),
        before: before.map(|it| (it.consumed, usage_of(it, unbilled.as_ref()))),
        consumed: user.consumed,
        usage: estimated,
        month: in_month,
        next,
        at: at.filter(|_| !matches!(next, Next::NotMonitored)),
    }))
}

/// Usage of the quota, with what is estimated as far as warnings count it; `None` if nothing is allocated.
fn usage_of(user: &User, unbilled: Option<&Unbilled>) -> Option<Usage> {
    let estimated = unbilled.map_or(Money::ZERO, Unbilled::for_warnings);
    user.is_allocated().then(|| user.usage_with(estimated))
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::app::quota::{Allocation, book};
    use crate::domain::{AccessCause, Operator, PendingAccess, Switch};
    use crate::store::{Store, WriteTx};

    const NOW: &str = "2026-11-23T02:00:00Z";

    fn settings() -> Settings {
        Settings {
            thresholds: Default::default(),
            interval: std::time::Duration::from_secs(1800),
            alert_chat: None,
            webhook_url: None,
            mobiles: Vec::new(),
            people: Vec::new(),
            approval: Default::default(),
            notify_owners: true,
            digest: None,
        }
    }

    fn next(consumed: &str, quota: &str, change: impl FnOnce(&WriteTx, &mut User)) -> Next {
        let now = NOW.parse().unwrap();
        let key: UserKey = "main/alice".parse().unwrap();
        let store = Store::with_backend(InMemoryBackend::new(), &[7; 32]).unwrap();
        store
            .write(|tx| {
                let mut user = User::new(key.clone(), now);
                user.status = UserStatus::Active;
                user.consumed = consumed.parse().unwrap();
                tx.put_user(&user)?;
                let amount: Money = quota.parse().unwrap();
                if amount.is_positive() {
                    let operator = &Operator::System;
                    let new = Allocation { user: &key, amount, note: "", operator };
                    book(tx, &new, now).unwrap();
                }
                let mut user = tx.user(&key)?.unwrap();
                change(tx, &mut user);
                tx.put_user(&user)?;
                let told = of(tx, &settings(), &key, None, None, now)?.unwrap();
                Ok::<_, StoreError>(told.next)
            })
            .unwrap()
    }

    #[test]
    fn the_next_cycle_is_foretold_as_it_will_decide() {
        let plain = |_: &WriteTx, _: &mut User| {};
        assert_eq!(next("10", "100", plain), Next::Nothing);
        assert_eq!(next("85", "100", plain), Next::Warn(80));
        assert_eq!(next("100", "100", plain), Next::Cut(Limit::Quota));
        assert_eq!(next("100", "0", plain), Next::Nothing);
        assert_eq!(next("100", "100", |_, user| user.auto_disable = Switch::Off), Next::LetGo);
        assert_eq!(next("100", "100", |_, user| user.monitored = Switch::Off), Next::NotMonitored);
        let triggered = |_: &WriteTx, user: &mut User| user.triggered = [50, 80].into();
        assert_eq!(next("85", "100", triggered), Next::Nothing, "it was told already");
    }

    #[test]
    fn a_deduction_to_nothing_says_that_nothing_limits_the_user_any_more() {
        let now = NOW.parse().unwrap();
        let key: UserKey = "main/alice".parse().unwrap();
        let next = |change: fn(&mut User)| {
            let store = Store::with_backend(InMemoryBackend::new(), &[7; 32]).unwrap();
            store
                .write(|tx| {
                    let mut user = User::new(key.clone(), now);
                    user.consumed = "90".parse().unwrap();
                    user.status = UserStatus::Active;
                    change(&mut user);
                    let before = User { quota: "100".parse().unwrap(), ..user.clone() };
                    tx.put_user(&user)?;
                    let told = of(tx, &settings(), &key, Some(&before), None, now)?.unwrap();
                    Ok::<_, StoreError>((told.next, told.is_grave()))
                })
                .unwrap()
        };
        assert_eq!(next(|_| ()), (Next::RunsFree, true));
        let limit = MonthLimit::try_from("500".parse::<Money>().unwrap()).unwrap();
        let limited = next(|user| {
            user.month_limit = MonthLimit::try_from("500".parse::<Money>().unwrap()).ok();
        });
        assert_eq!(limited, (Next::MonthLimitOnly(limit), false));
        // Temporary quota that ended: what was spent is too much.
        let ended = next(|user| user.quota_ended = Some(jiff::civil::date(2026, 11, 20)));
        assert_eq!(ended, (Next::Cut(Limit::Quota), true));
        assert_eq!(next(|user| user.monitored = Switch::Off), (Next::NotMonitored, false));
    }

    #[test]
    fn a_restore_that_is_under_way_is_taken_as_done() {
        let pending = |goal| {
            move |tx: &WriteTx, user: &mut User| {
                let change = PendingAccess::new(goal, AccessCause::QuotaUsedUp, user.created);
                tx.put_access_pending(&user.key, &change).unwrap();
            }
        };
        assert_eq!(next("100", "100", pending(AccessGoal::Restored)), Next::Cut(Limit::Quota));
        assert_eq!(next("100", "100", pending(AccessGoal::Cut)), Next::StaysCut);
    }
}
