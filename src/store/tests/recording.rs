//! Readings of an account's bills, whole or by day, recorded step by step.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proptest::prelude::*;

use super::*;
use crate::domain::{Covered, PeriodReading};
use crate::store::{PeriodBill, RecordedReading};

const PROJECTS: [&str; 4] = ["", "-", "p", "q"];

fn day(n: usize) -> Date {
    month("2026-11").first_day().saturating_add(jiff::Span::new().days(n as i64))
}

/// A reading of November: amounts in micro-yuan by project and day.
fn november(covered: Covered, days: &[(usize, usize, i64)], read_at: Timestamp) -> RecordedReading {
    let mut amounts: BTreeMap<(String, Date), Money> = BTreeMap::new();
    for (project, n, sum) in days {
        let key = (PROJECTS[*project].to_owned(), day(*n));
        if covered.includes(key.1) {
            *amounts.entry(key).or_insert(Money::ZERO) += micros(i128::from(*sum));
        }
    }
    let bill = PeriodBill {
        covered,
        days: amounts,
        once: BTreeMap::new(),
        wanted: [project("p")].into(),
        reading: PeriodReading::complete(read_at),
    };
    RecordedReading {
        is_split: true,
        account: account("main"),
        bills: Some([(month("2026-11"), bill)].into()),
        bill_to: Some(day(20)),
        at: read_at,
    }
}

fn stored_days(store: &Store) -> BTreeMap<(String, Date), Money> {
    let period = month("2026-11");
    let days = seen(store, |tx| tx.days(&account("main"), period.first_day(), period.last_day()));
    days.into_iter().map(|(day, project, amount)| ((project, day), amount)).collect()
}

fn record(store: &Store, reading: RecordedReading) -> u64 {
    write(store, |tx| tx.record_cycle(&[reading]))
}

type Rows = Vec<(usize, usize, i64)>;

fn readings() -> impl Strategy<Value = Vec<(Option<BTreeSet<usize>>, Rows)>> {
    let rows = prop::collection::vec((0..4usize, 0..6usize, -2_000_000i64..5_000_000), 0..12);
    let days = prop::option::of(prop::collection::btree_set(0..6usize, 0..4));
    prop::collection::vec((days, rows), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// Whatever was read in whichever order: days are the period, and what users pay for and the rest are the bill.
    #[test]
    fn days_users_and_the_rest_add_up_after_every_reading(
        readings in readings(), linked in prop::collection::btree_set(1..4usize, 0..3),
    ) {
        let store = in_memory();
        add_user(&store, "main/alice");
        for project in &linked {
            write(&store, |tx| tx.put_link(&link("main/alice", PROJECTS[*project], "2026-11")));
        }
        let mut model: BTreeMap<(String, Date), Money> = BTreeMap::new();
        for (days, rows) in readings {
            let covered = match days {
                None => Covered::Whole,
                Some(days) => Covered::Days(days.into_iter().map(day).collect()),
            };
            let reading = november(covered.clone(), &rows, now());
            model.retain(|(_, day), _| !covered.includes(*day));
            let bill = &reading.bills.as_ref().unwrap()[&month("2026-11")];
            model.extend(bill.days.iter().filter(|row| !row.1.is_zero()).map(|(key, sum)| (key.clone(), *sum)));
            record(&store, reading);

            prop_assert_eq!(stored_days(&store), model.clone());
            let sum = |wanted: &dyn Fn(&str) -> bool| -> Money {
                model.iter().filter(|((name, _), _)| wanted(name)).map(|(_, sum)| *sum).sum()
            };
            let is_linked = |name: &str| linked.iter().any(|p| PROJECTS[*p] == name);
            let bill = seen(&store, |tx| tx.account_bill(&account("main"), month("2026-11"))).unwrap();
            prop_assert_eq!(bill.total, sum(&|_| true));
            let dates: Vec<Date> = month("2026-11").days().collect();
            let totals = seen(&store, |tx| tx.account_days(&account("main"), &dates));
            let of_p = seen(&store, |tx| tx.project_days(&account("main"), &project("p"), &dates));
            for ((date, total), of_p) in dates.iter().zip(totals).zip(of_p) {
                let rows = model.iter().filter(|((_, day), _)| day == date);
                prop_assert_eq!(total, rows.map(|(_, sum)| *sum).sum::<Money>());
                let own = model.get(&("p".to_owned(), *date)).copied();
                prop_assert_eq!(of_p, own.unwrap_or(Money::ZERO));
            }
            prop_assert_eq!(bill.unattributed, sum(&|name| !is_linked(name)));
            let alice = seen(&store, |tx| tx.user(&user("main/alice"))).unwrap();
            prop_assert_eq!(alice.consumed, sum(&is_linked).rounded());
            for name in ["p", "q"] {
                let bill = seen(&store, |tx| tx.bill(&account("main"), &project(name), month("2026-11")));
                let amount = bill.map_or(Money::ZERO, |bill| bill.amount);
                prop_assert_eq!(amount, sum(&|of| of == name), "{}", name);
            }
        }
    }
}

/// 120 users with two projects each; each project has two users.
fn many(store: &Store) -> RecordedReading {
    let mut bills = BTreeMap::new();
    for n in 0..120 {
        let key = format!("main/u{n:03}");
        add_user(store, &key);
        for m in [2 * n, (2 * n + 2) % 240] {
            write(store, |tx| tx.put_link(&link(&key, &format!("p{m}"), "2026-10")));
        }
    }
    for m in 0..240 {
        for period in ["2026-10", "2026-11"] {
            bills.insert((project(&format!("p{m}")), month(period)), Money::from_fen(m + 1));
        }
    }
    RecordedReading::of_months(account("main"), bills, now())
}

/// Every user's consumed amount is the sum of its links, and of the bills that it knows.
fn check_users(store: &Store, complete: bool) {
    seen(store, |tx| {
        for user in tx.users()? {
            let links = tx.links_of(&user.key)?;
            let spending: Money = links.iter().map(|link| link.spending).sum();
            assert_eq!(user.consumed, spending);
            let bills: Money = links
                .iter()
                .flat_map(|link| {
                    ["2026-10", "2026-11"].map(|period| {
                        let bill = tx.bill(&user.key.account, &link.project, month(period));
                        bill.unwrap().map_or(Money::ZERO, |bill| bill.amount)
                    })
                })
                .sum();
            assert!(!complete || user.consumed == bills, "{}", user.key);
            // Either all of a user's projects, or none.
            let known = links.iter().filter(|link| !link.spending.is_zero()).count();
            assert!([0, 2].contains(&known), "{}: {known}", user.key);
        }
        Ok(())
    });
}

#[test]
fn a_large_reading_is_recorded_in_steps_that_leave_each_user_consistent() {
    let store = in_memory();
    let reading = many(&store);
    let mut changes = seen(&store, |tx| tx.bill_changes(&reading));
    let mut steps = 1;
    while !write(&store, |tx| tx.record_step(&mut changes)) {
        check_users(&store, false);
        assert!(seen(&store, |tx| tx.account_readings(&account("main"))).recording);
        steps += 1;
    }
    assert!(steps > 3, "{steps} steps");
    assert_eq!(changes.visited(), 120);
    check_users(&store, true);
    let readings = seen(&store, |tx| tx.account_readings(&account("main")));
    assert_eq!((readings.recording, readings.read_at), (false, Some(now())));
    // The same again: only its time is noted.
    let later = at("2026-11-23T03:00:00Z");
    let mut changes =
        seen(&store, |tx| tx.bill_changes(&RecordedReading { at: later, ..reading.clone() }));
    assert!(write(&store, |tx| tx.record_step(&mut changes)));
    assert_eq!(changes.visited(), 0);
    let alice = seen(&store, |tx| tx.user(&user("main/u000"))).unwrap();
    assert_eq!(alice.spending_updated_at, Some(later));
}

#[test]
fn a_recording_that_was_interrupted_is_completed_by_the_next_reading() {
    for stopped_after in 1..8 {
        let store = in_memory();
        let reading = many(&store);
        let mut changes = seen(&store, |tx| tx.bill_changes(&reading));
        for _ in 0..stopped_after {
            write(&store, |tx| tx.record_step(&mut changes));
        }
        drop(changes);
        record(&store, reading);
        check_users(&store, true);
    }
}

#[test]
fn a_project_linked_while_its_bill_is_recorded_counts_with_it() {
    let store = in_memory();
    let reading = many(&store);
    add_user(&store, "main/late");
    let mut changes = seen(&store, |tx| tx.bill_changes(&reading));
    write(&store, |tx| tx.record_step(&mut changes));
    write(&store, |tx| tx.put_link(&link("main/late", "p239", "2026-10")));
    while !write(&store, |tx| tx.record_step(&mut changes)) {}
    let late = seen(&store, |tx| tx.user(&user("main/late"))).unwrap();
    assert_eq!(late.consumed, money("4.80"));
}

#[test]
fn what_cannot_be_counted_is_left_as_it_is_known() {
    let store = in_memory();
    add_user(&store, "main/alice");
    record(&store, november(Covered::Whole, &[(2, 0, 5_000_000), (3, 0, 1_000_000)], now()));
    let mut reading = november(Covered::Whole, &[(2, 0, 6_000_000)], now());
    let bill = reading.bills.as_mut().unwrap().get_mut(&month("2026-11")).unwrap();
    bill.reading.uncounted = ["q".to_owned()].into();
    record(&store, reading);
    let bill = seen(&store, |tx| tx.account_bill(&account("main"), month("2026-11"))).unwrap();
    assert_eq!(bill.total, money("7"));
}
