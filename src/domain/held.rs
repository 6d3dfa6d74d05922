//! Whether a split bill has all of a day. Products come at different times: a row of one, or of a later day, says nothing about
//! the others (docs/platforms/ark.md §D.4).

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{BilledAmount, Money};

/// The split bill may be this part of a product short: rows are rounded each for itself.
const ROOM: u32 = 100;
/// It may be so much short in any case.
const LEAST_ROOM: Decimal = Decimal::from_parts(5, 0, 0, false, 2);

/// Returns whether the `split` bill of a day has what is `listed`, product by product: the amounts that count, and the list
/// prices, because an amount can be 0 until its row is settled.
pub fn holds_all(
    split: &BTreeMap<(Date, String), BilledAmount>,
    day: Date,
    listed: &BTreeMap<String, BilledAmount>,
) -> bool {
    let is_enough = |has: Money, wanted: Money| {
        let room = (wanted.decimal().abs() / Decimal::from(ROOM)).max(LEAST_ROOM);
        has.decimal() + room >= wanted.decimal()
    };
    listed.iter().all(|(product, listed)| {
        let has = split.get(&(day, product.clone())).copied().unwrap_or_default();
        let originals = has.original.zip(listed.original);
        is_enough(has.amount, listed.amount)
            && originals.is_none_or(|(has, wanted)| is_enough(has, wanted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_held_once_every_product_is_there() {
        let day = jiff::civil::date(2026, 11, 22);
        let money = |text: &str| text.parse::<Money>().unwrap();
        type Sums<'a> = &'a [(&'a str, &'a str, &'a str)];
        let cases: [(Sums<'_>, Sums<'_>, bool); 11] = [
            (
                &[("ark", "60", "70"), ("ECS", "5", "5")],
                &[("ark", "60", "70"), ("ECS", "5", "5")],
                true,
            ),
            // Any row of the day will not do.
            (&[("ECS", "5", "5")], &[("ark", "60", "70"), ("ECS", "5", "5")], false),
            (&[("ECS", "99", "99")], &[("ark", "60", "70")], false),
            (&[("ark", "20", "23")], &[("ark", "60", "70")], false),
            (&[("ark", "60", "70"), ("CDN", "-50", "-50")], &[("ark", "60", "70")], true),
            (&[("ark", "61", "71")], &[("ark", "60", "70")], true),
            // Rounding.
            (&[("ark", "59.40", "69.30")], &[("ark", "60", "70")], true),
            (&[("ark", "59.39", "69.30")], &[("ark", "60", "70")], false),
            (&[("ark", "0.01", "0.01")], &[("ark", "0.06", "0.06")], true),
            // Nothing is charged yet.
            (&[], &[("ark", "0", "70")], false),
            (&[], &[], true),
        ];
        for (split, listed, held) in cases {
            let sums = |sums: Sums<'_>| -> BTreeMap<String, BilledAmount> {
                let of = |amount: &str, original: &str| BilledAmount {
                    amount: money(amount),
                    original: Some(money(original)),
                };
                sums.iter()
                    .map(|(name, amount, list)| ((*name).to_owned(), of(amount, list)))
                    .collect()
            };
            let of_day =
                sums(split).into_iter().map(|(name, amount)| ((day, name), amount)).collect();
            assert_eq!(holds_all(&of_day, day, &sums(listed)), held, "{split:?} {listed:?}");
        }
    }
}
