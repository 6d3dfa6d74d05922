//! What the day's list charges lags behind what it says was used: before a row is settled, its payable amount can be 0 while
//! its list price is known (docs/platforms/ark.md §D.2, §D.5). The part of the list price that was charged on settled days
//! says what the day will cost.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Money;
use super::estimate::BilledItem;

/// Decimals of an amount: those of a bill row (docs/platforms/ark.md §D.4).
const DECIMALS: u32 = 6;
/// The last day that is certainly settled is this many days back: a day's rows are complete the day after.
const SETTLED_AFTER_DAYS: i64 = 2;
/// How many settled days the part is taken from.
const SETTLED_DAYS: i64 = 3;

/// What an item of a day's bill costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BilledAmount {
    /// The exact amount that counts.
    pub amount: Money,
    /// The exact list price (原价); `None` if a row does not say it.
    pub original: Option<Money>,
}

impl Default for BilledAmount {
    /// Returns the sum of no rows.
    fn default() -> Self {
        Self { amount: Money::ZERO, original: Some(Money::ZERO) }
    }
}

impl BilledAmount {
    /// Adds the list price of a row; `None`: it says none.
    pub fn add_original(&mut self, more: Option<Money>) {
        self.original = self.original.zip(more).and_then(|(sum, more)| sum.checked_add(more));
    }
}

/// What was charged of a list price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Charged {
    amount: Money,
    original: Money,
}

impl Charged {
    /// Returns what will be charged of `original`, rounded down to 6 decimals; `None` if nothing says it.
    fn of(self, original: Money) -> Option<Money> {
        if !self.original.is_positive() || !original.is_positive() {
            return None;
        }
        // Never more than the list price.
        let amount = self.amount.max(Money::ZERO).min(self.original).decimal();
        let (original, whole) = (original.decimal(), self.original.decimal());
        let exact = match original.checked_mul(amount) {
            Some(product) => product.checked_div(whole),
            None => original.checked_div(whole).and_then(|unit| unit.checked_mul(amount)),
        };
        exact.map(|exact| Money::new(exact.trunc_with_scale(DECIMALS)))
    }
}

/// The part of the list price that an account pays, by model, from days that are settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargedParts {
    /// The last of these days.
    pub to: Date,
    models: BTreeMap<String, Charged>,
}

impl ChargedParts {
    /// Takes the parts from the items of settled days, the last of them `to`.
    pub fn of(items: &BTreeMap<(Date, BilledItem), BilledAmount>, to: Date) -> Self {
        let mut models: BTreeMap<String, Charged> = BTreeMap::new();
        for ((day, item), billed) in items {
            let (BilledItem::Model { model, .. }, Some(original), true) =
                (item, billed.original, *day <= to)
            else {
                continue;
            };
            let none = Charged { amount: Money::ZERO, original: Money::ZERO };
            let sum = models.entry(model.clone()).or_insert(none);
            sum.amount += billed.amount;
            sum.original += original;
        }
        Self { to, models }
    }

    /// Returns what a model's list price will cost: by what the model has cost or, if it was not used on the settled days, by
    /// what all models have.
    fn expected(&self, model: &str, original: Money) -> Option<Money> {
        let own = self.models.get(model).and_then(|charged| charged.of(original));
        own.or_else(|| {
            let (amount, whole) = (
                self.models.values().map(|charged| charged.amount).sum(),
                self.models.values().map(|charged| charged.original).sum(),
            );
            Charged { amount, original: whole }.of(original)
        })
    }
}

/// Returns the days whose charges are settled, the last of them first known to be so on `today`.
pub fn settled_days(today: Date) -> Vec<Date> {
    let days = (0..SETTLED_DAYS).rev();
    days.filter_map(|back| today.checked_sub((SETTLED_AFTER_DAYS + back).days()).ok()).collect()
}

/// Returns what each item costs, given the parts that are charged on settled days. The amount of a model on a day that is not
/// settled is what its list price will cost, if that is more than what is charged so far; without a settled day, what is
/// charged so far.
pub fn caught_up(
    items: &BTreeMap<(Date, BilledItem), BilledAmount>,
    parts: Option<&ChargedParts>,
    today: Date,
) -> BTreeMap<(Date, BilledItem), Money> {
    let settled_to = settled_days(today).last().copied();
    let is_settled = |day: Date| settled_to.is_some_and(|last| day <= last);
    let amount = |day: Date, item: &BilledItem, billed: &BilledAmount| {
        let expected = match item {
            BilledItem::Model { model, .. } if !is_settled(day) => parts
                .zip(billed.original)
                .and_then(|(parts, original)| parts.expected(model, original)),
            _ => None,
        };
        expected.map_or(billed.amount, |expected| expected.max(billed.amount))
    };
    let items = items.iter();
    items.map(|((day, item), billed)| ((*day, item.clone()), amount(*day, item, billed))).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::estimate::UsageKind;

    const TODAY: Date = date(2026, 11, 23);

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn item(day: i8, model: &str) -> (Date, BilledItem) {
        (date(2026, 11, day), BilledItem::Model { model: model.to_owned(), kind: UsageKind::Input })
    }

    fn billed(amount: &str, original: Option<&str>) -> BilledAmount {
        BilledAmount { amount: money(amount), original: original.map(money) }
    }

    #[test]
    fn a_payable_that_lags_is_what_the_list_price_will_cost() {
        let settled = BTreeMap::from([
            (item(19, "m"), billed("30", Some("50"))),
            (item(21, "m"), billed("30", Some("50"))),
            (item(21, "n"), billed("10", Some("100"))),
        ]);
        let parts = ChargedParts::of(&settled, date(2026, 11, 21));
        for (day, model, amount, original, found) in [
            // 60 % of the list price.
            (23, "m", "0", Some("1"), "0.6"),
            (22, "m", "0", Some("1"), "0.6"),
            (23, "m", "0.7", Some("1"), "0.7"),
            // A model that was not used: 70 of 200.
            (23, "x", "0", Some("1"), "0.35"),
            (23, "n", "0", Some("0.00003"), "0.000003"),
            // It is settled: a voucher paid it.
            (21, "m", "0", Some("1"), "0"),
            (23, "m", "0.1", None, "0.1"),
            // A refund stays one.
            (23, "m", "-5", Some("-9"), "-5"),
        ] {
            let items = BTreeMap::from([(item(day, model), billed(amount, original))]);
            let known = caught_up(&items, Some(&parts), TODAY);
            assert_eq!(known[&item(day, model)], money(found), "{day} {model} {amount}");
            let unknown = caught_up(&items, None, TODAY);
            assert_eq!(unknown[&item(day, model)], money(amount), "no settled day is known");
        }
        let other = (TODAY, BilledItem::Other);
        let items = BTreeMap::from([(other.clone(), billed("1", Some("9")))]);
        assert_eq!(caught_up(&items, Some(&parts), TODAY)[&other], money("1"));
    }

    #[test]
    fn settled_days_are_those_before_yesterday() {
        assert_eq!(settled_days(TODAY), [19, 20, 21].map(|day| date(2026, 11, day)));
    }

    proptest! {
        #[test]
        fn what_is_expected_is_never_more_than_the_list_price_nor_less_than_what_is_charged(
            settled in prop::collection::vec((-1_000_000_i64..1_000_000, -1_000_000_i64..1_000_000), 0..5),
            amount in -1_000_000_i64..1_000_000, original in -1_000_000_i64..1_000_000,
        ) {
            let settled: BTreeMap<_, _> = settled.into_iter().enumerate().map(|(n, (amount, original))| {
                let original = Some(Money::new(Decimal::new(original, 6)));
                let billed = BilledAmount { amount: Money::new(Decimal::new(amount, 6)), original };
                (item(19, &format!("m{}", n % 3)), billed)
            }).collect();
            let parts = ChargedParts::of(&settled, date(2026, 11, 21));
            let charged = Money::new(Decimal::new(amount, 6));
            let list = Money::new(Decimal::new(original, 6));
            let items = BTreeMap::from([
                (item(23, "m0"), BilledAmount { amount: charged, original: Some(list) }),
            ]);
            let found = caught_up(&items, Some(&parts), TODAY)[&item(23, "m0")];
            prop_assert!(found >= charged && found <= charged.max(list));
        }
    }
}
