//! How much of an account's money the usage that was read can explain.
//!
//! Money is visible 5 to 15 minutes after the use, usage up to 30 (docs/platforms/ark.md §C.1, §D.1). New money shared out by
//! usage that is older than it would be charged to those who used the model before. So it belongs to nobody until usage was
//! read half an hour after it was seen, apart from what the usage has cost so far: usage that has grown explains as much
//! money as the same usage cost before.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use serde::{Deserialize, Serialize};

use super::estimate::{BilledItem, Explains, ProjectUsage, unused_models, used_of};
use super::{Money, ProjectName, end_of};

/// Usage is this much later than the money at most, with some room (docs/platforms/ark.md §C.1).
const USAGE_DELAY: SignedDuration = SignedDuration::from_mins(30);
/// Usage of a model that nobody is known to have used is looked for once in this time.
const LOOKED_FOR_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Decimals of an amount: those of a bill row (docs/platforms/ark.md §D.4).
const DECIMALS: u32 = 6;
/// Usage that costs this part less than the money explains all of it: prices differ by the length of requests, and rows are
/// rounded.
const ROOM: u32 = 20;

/// Money for an item, and the usage that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Priced {
    money: Money,
    used: u64,
}

impl Priced {
    /// Returns what other usage costs at the same price, rounded down to 6 decimals; 0 if no price is known.
    fn of(self, used: u128) -> Money {
        let exact = Decimal::from_u128(used).and_then(|used| {
            let product = self.money.decimal().checked_mul(used)?;
            product.checked_div(Decimal::from(self.used))
        });
        exact.map_or(Money::ZERO, |exact| Money::new(exact.trunc_with_scale(DECIMALS)))
    }

    fn has_price(self) -> bool {
        self.used > 0 && self.money.is_positive()
    }
}

/// Money that was seen, by day and item.
type Seen = BTreeMap<Date, BTreeMap<String, Money>>;

/// Up to which money of an account the usage of its projects is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// What is explained of each day's items, by the usage that was read long enough after it.
    #[serde(default)]
    known: BTreeMap<Date, BTreeMap<String, Priced>>,
    /// What usage costs, by item: on the last day that is over, or more if that is known of a later one.
    #[serde(default)]
    prices: BTreeMap<String, Priced>,
    /// What was seen after that, and when.
    #[serde(default)]
    waiting: Option<(Timestamp, Seen)>,
    /// Models that nobody is known to have used, and when that was last looked at.
    #[serde(default)]
    looked_for: BTreeMap<String, Timestamp>,
}

impl Explained {
    /// Takes note of the money seen at `now`. `usage` is what is known of each project, and `read_at` when the oldest of it was
    /// read; `None` if some was never read.
    pub fn note(
        &mut self,
        now: Timestamp,
        money: &BTreeMap<(Date, BilledItem), Money>,
        usage: &BTreeMap<ProjectName, Option<ProjectUsage>>,
        read_at: Option<Timestamp>,
    ) {
        let mut seen = Seen::new();
        for ((day, item), amount) in money {
            if let Some(key) = item.key() {
                seen.entry(*day).or_default().insert(key, *amount);
            }
        }
        // The clock was set back.
        let waiting = self.waiting.take().filter(|(at, _)| *at <= now);
        let explains = |day: Date, at: Timestamp| {
            // What is spent on a day is used before it ends.
            let used_until = end_of(day).map_or(at, |end| end.min(at));
            read_at.is_some_and(|read_at| read_at.duration_since(used_until) >= USAGE_DELAY)
        };
        let mut left = Seen::new();
        let (mut running, mut over) = (Seen::new(), Seen::new());
        let mut waiting_since = now;
        if let Some((at, days)) = waiting {
            waiting_since = at;
            for (day, items) in days {
                if explains(day, at) { &mut running } else { &mut left }.insert(day, items);
            }
        }
        for (day, items) in &seen {
            if explains(*day, now) {
                over.insert(*day, items.clone());
            }
        }
        for (day, item) in money.keys() {
            let Some(key) = item.key() else { continue };
            let of = |days: &Seen| days.get(day).and_then(|items| items.get(&key)).copied();
            let is_over = of(&over).is_some();
            let priced = match of(&over).or_else(|| of(&running)) {
                Some(money) => {
                    // What may be of another kind has no price. Its money was looked at all the same.
                    let used = used_of(usage, *day, item).unwrap_or(0);
                    let priced = Priced { money, used: u64::try_from(used).unwrap_or(u64::MAX) };
                    self.known.entry(*day).or_default().insert(key.clone(), priced);
                    priced
                }
                // What the running day costs stays known beside the days before.
                None => match self.known.get(day).and_then(|items| items.get(&key)) {
                    Some(known) => *known,
                    None => continue,
                },
            };
            let used = u128::from(priced.used);
            let is_more = |known: &Priced| priced.money > known.of(used);
            if priced.has_price() && (is_over || self.prices.get(&key).is_none_or(is_more)) {
                self.prices.insert(key, priced);
            }
        }
        self.known.retain(|day, _| seen.contains_key(day));
        left.retain(|day, _| !over.contains_key(day));
        // One state at a time: a later one would put off the time at which the first is explained.
        self.waiting = match left.is_empty() {
            true => Some((now, seen)),
            false => Some((waiting_since, left)),
        };
    }

    fn known(&self, day: Date, key: &str) -> Money {
        let known = self.known.get(&day).and_then(|items| items.get(key));
        known.map_or(Money::ZERO, |known| known.money)
    }

    /// Returns how much of the money of now no usage explains yet, summed over the days.
    pub fn growth(&self, now: &BTreeMap<(Date, BilledItem), Money>) -> Money {
        let more = now.iter().filter_map(|((day, item), amount)| {
            let known = self.known(*day, &item.key()?);
            Some((*amount - known).max(Money::ZERO))
        });
        more.sum()
    }

    /// Returns whether there is money for a model that nobody is known to have used, and of which that was not noted within the
    /// last hour: usage of voice, for one, never comes (docs/platforms/ark.md §C.2).
    pub fn has_new_model(
        &self,
        now: Timestamp,
        money: &BTreeMap<(Date, BilledItem), Money>,
        usage: &BTreeMap<ProjectName, Option<ProjectUsage>>,
    ) -> bool {
        unused_models(money, usage).into_iter().any(|model| {
            let age = self.looked_for.get(model).map(|at| now.duration_since(*at));
            age.is_none_or(|age| age.is_negative() || age >= LOOKED_FOR_EVERY)
        })
    }

    /// Takes note of the models that nobody is known to have used after the usage of all projects was asked for.
    pub fn note_models(
        &mut self,
        now: Timestamp,
        money: &BTreeMap<(Date, BilledItem), Money>,
        usage: &BTreeMap<ProjectName, Option<ProjectUsage>>,
    ) {
        let unused = unused_models(money, usage).into_iter();
        self.looked_for = unused.map(|model| (model.to_owned(), now)).collect();
    }
}

impl Explains for Explained {
    fn explained(&self, day: Date, item: &BilledItem, amount: Money, used: u128) -> Money {
        let Some(key) = item.key().filter(|_| amount.is_positive()) else { return amount };
        let known = self.known(day, &key);
        if amount <= known {
            return amount;
        }
        let by_price = self.prices.get(&key).map_or(Money::ZERO, |price| price.of(used));
        let room = Money::new(by_price.decimal() / Decimal::from(ROOM));
        if by_price + room >= amount { amount } else { known.max(by_price) }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::estimate::{ModelUsage, UsageKind};

    const TODAY: Date = date(2026, 11, 23);

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn item(model: &str) -> BilledItem {
        BilledItem::Model { model: model.to_owned(), kind: UsageKind::Input }
    }

    fn of(day: i8, amount: &str) -> BTreeMap<(Date, BilledItem), Money> {
        BTreeMap::from([((date(2026, 11, day), item("m")), money(amount))])
    }

    fn at(time: &str) -> Timestamp {
        format!("2026-11-{time}:00+08:00").parse().unwrap()
    }

    /// What one project used of `m` on the 23rd and the day before.
    fn used(tokens: u64) -> BTreeMap<ProjectName, Option<ProjectUsage>> {
        let used = ModelUsage { input: tokens, tokens, ..ModelUsage::default() };
        let days = [22, 23].map(|day| {
            let models = if tokens == 0 { None } else { Some(("m".to_owned(), used)) };
            (date(2026, 11, day), models.into_iter().collect())
        });
        let read_at = at("23T20:00");
        let usage = ProjectUsage { read_at, first: date(2026, 11, 22), days: days.into() };
        BTreeMap::from([("p".parse().unwrap(), Some(usage))])
    }

    fn shown(explained: &Explained, day: i8, amount: &str, tokens: u128) -> Money {
        explained.explained(date(2026, 11, day), &item("m"), money(amount), tokens)
    }

    #[test]
    fn money_is_explained_by_usage_that_is_read_half_an_hour_after_it() {
        let mut explained = Explained::default();
        // (time, money, when the oldest usage was read) -> what is not explained then
        for (time, amount, read_at, growth) in [
            ("23T10:00", "5", Some("23T10:00"), "5"),
            ("23T10:10", "5", Some("23T10:10"), "5"),
            ("23T10:29", "6", Some("23T10:29"), "6"),
            ("23T10:35", "7", Some("23T10:10"), "7"),
            ("23T10:36", "7", None, "7"),
            // Read 40 minutes after the 5.
            ("23T10:40", "8", Some("23T10:40"), "3"),
            ("23T11:09", "8", Some("23T11:09"), "3"),
            ("23T11:10", "8", Some("23T11:10"), "0"),
            ("23T11:30", "9", Some("23T11:10"), "1"),
            // The clock was set back: nothing is explained by that.
            ("23T11:00", "9", Some("23T11:00"), "1"),
            ("23T11:29", "9", Some("23T11:29"), "1"),
            ("23T11:30", "9", Some("23T11:30"), "0"),
            // A correction.
            ("23T12:00", "4", Some("23T11:30"), "0"),
        ] {
            explained.note(at(time), &of(23, amount), &used(100), read_at.map(at));
            assert_eq!(explained.growth(&of(23, amount)), money(growth), "{time}");
        }
    }

    #[test]
    fn a_day_that_is_over_is_explained_by_usage_that_is_read_half_an_hour_after_its_end() {
        for (read_at, growth) in [("23T00:29", "5"), ("23T00:30", "0")] {
            let mut explained = Explained::default();
            explained.note(at("23T09:00"), &of(22, "5"), &used(100), Some(at(read_at)));
            assert_eq!(explained.growth(&of(22, "5")), money(growth), "{read_at}");
        }
    }

    #[test]
    fn new_money_is_nobodys_but_for_what_the_usage_has_cost_before() {
        let mut explained = Explained::default();
        assert_eq!(shown(&explained, 23, "1", 1_000), Money::ZERO, "no price is known");
        explained.note(at("23T10:00"), &of(23, "1"), &used(1_000), Some(at("23T10:00")));
        assert_eq!(shown(&explained, 23, "1", 1_000), Money::ZERO);
        explained.note(at("23T10:30"), &of(23, "1"), &used(1_000), Some(at("23T10:30")));
        for (amount, tokens, found) in [
            ("1", 1_000, "1"),
            // The money of somebody whose usage is not there yet.
            ("101", 1_000, "1"),
            ("101", 2_000, "2"),
            ("101", 100_000, "101"),
            // Other prices, and rounding.
            ("1.04", 1_000, "1.04"),
            ("1.06", 1_000, "1"),
            ("0.5", 1_000, "0.5"),
            ("-3", 1_000, "-3"),
        ] {
            assert_eq!(shown(&explained, 23, amount, tokens), money(found), "{amount} {tokens}");
        }
        // The price of another day is known from the start.
        assert_eq!(shown(&explained, 24, "3", 2_000), money("2"));
    }

    #[test]
    fn a_price_is_that_of_the_last_day_or_a_higher_one_of_the_running_one() {
        let mut explained = Explained::default();
        // Half of what was used when this was seen is in its usage.
        explained.note(at("23T10:00"), &of(23, "1"), &used(1_000), Some(at("23T10:00")));
        explained.note(at("23T11:00"), &of(23, "2"), &used(2_000), Some(at("23T11:00")));
        assert_eq!(shown(&explained, 24, "9", 1_000), money("0.5"));
        explained.note(at("23T12:00"), &of(23, "2"), &used(2_000), Some(at("23T12:00")));
        assert_eq!(shown(&explained, 24, "9", 1_000), money("1"));
        // It became cheaper.
        explained.note(at("24T01:00"), &of(23, "2"), &used(4_000), Some(at("24T01:00")));
        assert_eq!(shown(&explained, 24, "9", 1_000), money("0.5"));
    }

    #[test]
    fn a_higher_price_of_the_running_day_stays_while_the_day_before_is_read_again() {
        let mut explained = Explained::default();
        let both: BTreeMap<_, _> = of(22, "1").into_iter().chain(of(23, "3")).collect();
        explained.note(at("23T10:00"), &both, &used(1_000), Some(at("23T10:00")));
        for time in ["23T10:40", "23T10:45", "23T11:40", "23T11:45"] {
            explained.note(at(time), &both, &used(1_000), Some(at(time)));
            assert_eq!(shown(&explained, 23, "9", 2_000), money("6"), "{time}");
        }
    }

    #[test]
    fn a_model_without_usage_is_looked_for_once_an_hour() {
        let mut explained = Explained::default();
        let (nothing, voice) = (used(0), of(23, "2"));
        assert!(explained.has_new_model(at("23T10:00"), &voice, &nothing));
        explained.note_models(at("23T10:00"), &voice, &nothing);
        for (time, amount, is_new) in [
            ("23T10:05", "2", false),
            ("23T10:59", "90", false),
            ("23T11:00", "90", true),
            ("23T09:00", "2", true),
        ] {
            assert_eq!(
                explained.has_new_model(at(time), &of(23, amount), &nothing),
                is_new,
                "{time}"
            );
        }
        assert!(!explained.has_new_model(at("23T11:00"), &voice, &used(5)), "it is used");
        let mut more = voice.clone();
        more.insert((TODAY, item("n")), money("1"));
        assert!(explained.has_new_model(at("23T10:05"), &more, &nothing), "another model");
    }
}
