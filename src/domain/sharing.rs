//! Shared projects (共享): what each user counts of a project that several have (docs/behaviour.md §1).

use serde::{Deserialize, Serialize};

use super::{BillPeriod, Money, ProjectName, UserKey};

/// How much of its project's bill a link counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// All of it, whoever else counts it.
    #[default]
    Whole,
    /// An equal part among the links that count a part.
    Part,
}

/// What happens to the links that others have when a user is linked to their project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Joining {
    /// 移交: theirs are switched off.
    Move,
    /// 平分: all count a part.
    Part,
    /// 都计入: theirs stay as they are, the new one counts all.
    Whole,
}

impl Joining {
    /// All of them, in the order in which forms offer them.
    pub const ALL: [Joining; 3] = [Joining::Move, Joining::Part, Joining::Whole];

    /// Returns the word for it in forms (docs/behaviour.md §3).
    pub fn word(self) -> &'static str {
        match self {
            Joining::Move => "move",
            Joining::Part => "part",
            Joining::Whole => "whole",
        }
    }

    /// Returns what a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|joining| joining.word() == word)
    }

    /// Returns how the new link counts.
    pub fn counts(self) -> Counts {
        match self {
            Joining::Part => Counts::Part,
            Joining::Move | Joining::Whole => Counts::Whole,
        }
    }
}

/// A user who pays for a project: the link is monitored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payer {
    /// Who.
    pub user: UserKey,
    /// The first period that counts.
    pub since: BillPeriod,
    /// How much of the bill counts.
    pub counts: Counts,
}

/// With whom a user shares a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// Which project.
    pub project: ProjectName,
    /// The first of the other payers, by name; at least one.
    pub with: Vec<UserKey>,
    /// How many other payers there are besides.
    #[serde(default)]
    pub more: usize,
    /// How much the user's own link counts.
    pub counts: Counts,
}

impl Sharing {
    /// How many other payers are named.
    pub const NAMED: usize = 4;
}

/// Returns what a payer counts of a project's bill of one period. `payers` are in the order of their names.
///
/// Links that count a part divide the bill equally, to the last place that the bill has but at least to 分. What does not
/// divide goes to the first by name. A link that began later takes no part in earlier periods.
pub fn share(bill: Money, user: &UserKey, period: BillPeriod, payers: &[Payer]) -> Money {
    let divides = |payer: &&Payer| matches!(payer.counts, Counts::Part) && payer.since <= period;
    let dividers: Vec<&Payer> = payers.iter().filter(divides).collect();
    match dividers.iter().position(|payer| payer.user == *user) {
        None => bill,
        Some(place) => {
            let others = dividers.len().saturating_sub(1);
            let part = bill.divided(dividers.len());
            if place == 0 { bill - part.times(others) } else { part }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn month(n: i8) -> BillPeriod {
        BillPeriod::new(2026, n).unwrap()
    }

    fn payer(name: &str, since: i8, counts: Counts) -> Payer {
        Payer { user: format!("main/{name}").parse().unwrap(), since: month(since), counts }
    }

    #[test]
    fn what_does_not_divide_goes_to_the_first_by_name() {
        let payers = ["alice", "bob", "carol"].map(|name| payer(name, 1, Counts::Part));
        let of = |n: usize| share("10".parse().unwrap(), &payers[n].user, month(3), &payers);
        assert_eq!(
            [of(0), of(1), of(2)].map(|money| money.to_string()),
            ["¥3.34", "¥3.33", "¥3.33"]
        );
    }

    #[test]
    fn a_whole_link_takes_all_and_no_part_of_the_others() {
        let payers = [
            payer("alice", 1, Counts::Part),
            payer("bob", 1, Counts::Whole),
            payer("carol", 1, Counts::Part),
        ];
        let of = |n: usize| share("10".parse().unwrap(), &payers[n].user, month(3), &payers);
        assert_eq!(
            [of(0), of(1), of(2)].map(|money| money.to_string()),
            ["¥5.00", "¥10.00", "¥5.00"]
        );
    }

    #[test]
    fn a_link_that_began_later_takes_no_part_of_what_was_before() {
        let payers = [payer("alice", 1, Counts::Part), payer("bob", 3, Counts::Part)];
        let of = |n: i8| share("10".parse().unwrap(), &payers[0].user, month(n), &payers);
        assert_eq!([of(2), of(3)].map(|money| money.to_string()), ["¥10.00", "¥5.00"]);
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_bill_exactly(micros in any::<i64>(), scale in 0..9_u32, count in 1..40_usize) {
            let payers: Vec<Payer> =
                (0..count).map(|n| payer(&format!("u{n:02}"), 1, Counts::Part)).collect();
            let bill = Money::new(Decimal::new(micros, scale));
            let parts: Vec<Money> =
                payers.iter().map(|payer| share(bill, &payer.user, month(3), &payers)).collect();
            prop_assert_eq!(parts.iter().copied().sum::<Money>(), bill);
            for part in &parts[1..] {
                prop_assert_eq!(*part, parts[1]);
            }
        }
    }
}
