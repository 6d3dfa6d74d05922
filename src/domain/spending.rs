//! Bills as read, and what is computed from them: links' spending, monthly records, a user's consumption.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BillPeriod, Money, ProjectLink, ProjectName, UserKey};

/// A project's spending in one bill period, as last read completely. Links and records are computed from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectBill {
    /// The exact sum of the period's rows, refunds included.
    pub amount: Money,
    /// When it was read as it is. Later readings that found the same are not noted here.
    pub read_at: Timestamp,
}

impl ProjectBill {
    /// Returns whether the period must still be read for the project, as far as this bill says: see
    /// [`BillPeriod::is_open`].
    pub fn is_open(&self, period: BillPeriod, now: Timestamp) -> bool {
        period.is_open(self.read_at, now)
    }
}

/// An account's bill of one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountBill {
    /// The exact sum of all projects and of the rows without one.
    pub total: Money,
    /// 未归属: the part that no user pays for, because no monitored link counts it.
    pub unattributed: Money,
}

impl AccountBill {
    /// Returns the part that users pay for; a project that several share counts once.
    pub fn of_users(&self) -> Money {
        self.total - self.unattributed
    }

    /// Returns the bill as it is shown, to the 分: what users pay for and the rest still are the total.
    pub fn in_cents(self) -> Self {
        Self { total: self.total.rounded(), unattributed: self.unattributed.rounded() }
    }
}

/// A month's spending of a user: for one project, or in total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendingRecord {
    /// Whose spending.
    pub user: UserKey,
    /// The project; `None` is the user's total (总计) of the period.
    pub project: Option<ProjectName>,
    /// The month.
    pub period: BillPeriod,
    /// The exact amount.
    pub amount: Money,
    /// When it was last written.
    pub updated: Timestamp,
}

impl SpendingRecord {
    /// Returns the total of a month: the sum of its records of projects.
    pub fn total_of(records: &[SpendingRecord]) -> Money {
        let projects = records.iter().filter(|record| record.project.is_some());
        projects.map(|record| record.amount).sum()
    }
}

/// A link, and what it counts of its project's bills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BilledLink {
    /// The link.
    pub link: ProjectLink,
    /// The bills from the link's first period on, period by period; of a shared project, the link's part of them.
    pub bills: Vec<(BillPeriod, ProjectBill)>,
}

impl BilledLink {
    /// Returns what the link counts of a month: nothing if it is not monitored.
    pub fn spent_in(&self, period: BillPeriod) -> Money {
        let bills =
            self.bills.iter().filter(|(of, _)| self.link.monitored.is_on() && *of == period);
        bills.map(|(_, bill)| bill.amount).sum()
    }
}

/// What the bills add up to for one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumption<'a> {
    /// Spending of each link since its first period, in the order of the links.
    pub spending: Vec<Money>,
    /// The monthly records to write, by project and period. All other records stay as they are.
    pub records: Vec<(&'a ProjectName, BillPeriod, &'a ProjectBill)>,
    /// What counts against the quota, rounded to 2 decimals.
    pub consumed: Money,
}

impl<'a> Consumption<'a> {
    /// Computes it from a user's links.
    ///
    /// A link that is switched off still shows what its project is known to have cost. But it counts nothing, and its
    /// monthly records stay as they were when it was switched off; once it is switched on again, they catch up. Until
    /// then, bills read for another user of the project are not charged to this one: a project that was handed over
    /// would count for both, every month.
    pub fn of(links: &'a [BilledLink]) -> Self {
        let spending: Vec<Money> = links
            .iter()
            .map(|billed| billed.bills.iter().map(|(_, bill)| bill.amount).sum())
            .collect();
        let is_monitored = |billed: &BilledLink| billed.link.monitored.is_on();
        let counting = links.iter().zip(&spending).filter(|(billed, _)| is_monitored(billed));
        let consumed: Money = counting.map(|(_, spending)| *spending).sum();
        let records = links
            .iter()
            .filter(|billed| is_monitored(billed))
            .flat_map(|billed| {
                let project = &billed.link.project;
                billed.bills.iter().map(move |(period, bill)| (project, *period, bill))
            })
            .collect();
        Self { spending, records, consumed: consumed.rounded() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::{Counts, Freshness, Switch};

    fn billed(n: usize, monitored: bool, micros: &[i64]) -> BilledLink {
        let since: BillPeriod = "2026-01".parse().unwrap();
        let bills =
            since.through("2026-12".parse().unwrap()).zip(micros).map(|(period, micros)| {
                let amount = Money::new(Decimal::new(*micros, 6));
                (period, ProjectBill { amount, read_at: Timestamp::UNIX_EPOCH })
            });
        BilledLink {
            link: ProjectLink {
                user: "main/alice".parse().unwrap(),
                project: format!("p{n}").parse().unwrap(),
                display_name: String::new(),
                monitored: Switch::from(monitored),
                since,
                counts: Counts::Whole,
                spending: Money::ZERO,
                freshness: Freshness::Pending,
                created: Timestamp::UNIX_EPOCH,
            },
            bills: bills.collect(),
        }
    }

    proptest! {
        #[test]
        fn monitored_links_count_and_the_others_are_only_shown(
            links in prop::collection::vec(
                (any::<bool>(), prop::collection::vec(-9_000_000_000_i64..9_000_000_000, 0..4)),
                0..5,
            ),
        ) {
            let billed: Vec<BilledLink> = links
                .iter()
                .enumerate()
                .map(|(n, (monitored, micros))| billed(n, *monitored, micros))
                .collect();
            let found = Consumption::of(&billed);
            let exact = |micros: i64| Money::new(Decimal::new(micros, 6));
            for (spending, (_, micros)) in found.spending.iter().zip(&links) {
                prop_assert_eq!(*spending, exact(micros.iter().sum()));
            }
            prop_assert_eq!(found.spending.len(), links.len());
            let counted = links.iter().filter(|(monitored, _)| *monitored);
            let sum: i64 = counted.clone().flat_map(|(_, micros)| micros).sum();
            prop_assert_eq!(found.consumed, exact(sum).rounded());
            prop_assert_eq!(found.records.len(), counted.map(|(_, micros)| micros.len()).sum::<usize>());
            for (project, _, _) in &found.records {
                let link = billed.iter().find(|billed| billed.link.project == **project);
                prop_assert!(link.is_some_and(|billed| billed.link.monitored.is_on()));
            }
        }
    }

    #[test]
    fn a_total_is_the_sum_of_projects_and_not_of_itself() {
        let record = |project: Option<&str>, fen| SpendingRecord {
            user: "main/alice".parse().unwrap(),
            project: project.map(|name| name.parse().unwrap()),
            period: "2026-11".parse().unwrap(),
            amount: Money::from_fen(fen),
            updated: Timestamp::UNIX_EPOCH,
        };
        let records = [record(None, 999), record(Some("a"), 100), record(Some("b"), -30)];
        assert_eq!(SpendingRecord::total_of(&records), Money::from_fen(70));
    }
}
