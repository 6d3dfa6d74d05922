//! Estimates: what they add to the bill, and how the bill replaces them.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;
use crate::app::days;
use crate::domain::{
    AccountEstimate, Covered, EstimateUse, EstimateVerdict, PeriodReading, SharedDay,
};
use crate::store::{EstimateReading, PeriodBill, RecordedReading};

/// 2026-11-23 in Beijing is the first of two days without a bill.
const FIRST: Date = date(2026, 11, 23);

fn at(day: i8) -> Timestamp {
    format!("2026-11-{day:02}T12:00:00Z").parse().unwrap()
}

/// The store with alice, to whom `p` is linked, and a bill that holds everything before the first day.
fn stage() -> Store {
    let store = in_memory();
    write(&store, |tx| {
        tx.put_user(&User::new(user("main/alice"), now()))?;
        tx.put_link(&link("main/alice", "p", "2026-11"))?;
        tx.record_cycle(&[bill(&[], 22)])?;
        Ok(())
    });
    store
}

/// A bill of November, by project and day of the month, that is complete up to a day.
fn bill(days: &[(&str, i8, &str)], to: i8) -> RecordedReading {
    let amounts = days.iter().map(|(project, day, amount)| {
        (((*project).to_owned(), date(2026, 11, *day)), money(amount))
    });
    let reading = PeriodBill {
        covered: Covered::Whole,
        days: amounts.collect(),
        once: BTreeMap::new(),
        wanted: [project("p")].into(),
        reading: PeriodReading::complete(at(30)),
    };
    RecordedReading {
        is_split: true,
        account: account("main"),
        bills: Some([(month("2026-11"), reading)].into()),
        bill_to: Some(date(2026, 11, to)),
        at: at(30),
    }
}

/// An estimate of days: the day of the month, projects with their amounts, and what is hidden.
type Days<'a> = &'a [(i8, &'a [(&'a str, &'a str)], &'a str)];
/// Amounts of a bill: project, day of the month, amount.
type Billed<'a> = &'a [(&'a str, i8, &'a str)];

fn reading(days: Option<Days<'_>>, evening: Option<i8>) -> EstimateReading {
    let shared = |(day, projects, hidden): &(i8, &[(&str, &str)], &str)| {
        let projects = projects.iter().map(|(name, amount)| (project(name), money(amount)));
        let shared = SharedDay {
            projects: projects.collect(),
            hidden: money(hidden),
            ..SharedDay::default()
        };
        (date(2026, 11, *day), shared)
    };
    EstimateReading {
        account: account("main"),
        at: at(23),
        evening: evening.map(|day| date(2026, 11, day)),
        days: days.map(|days| days.iter().map(shared).collect()),
        usage: BTreeMap::new(),
        state: AccountEstimate { counts: EstimateUse::Warn, ..AccountEstimate::default() },
    }
}

fn record(store: &Store, reading: EstimateReading) -> Vec<EstimateVerdict> {
    write(store, |tx| {
        let mut changes = tx.estimate_changes(reading)?;
        let verdicts = changes.take_verdicts();
        while !tx.estimate_step(&mut changes)? {}
        Ok(verdicts)
    })
}

/// What alice's projects, and the account (of it hidden), are estimated to have spent beyond the bill.
fn beyond(store: &Store) -> (Option<String>, String, String) {
    seen(store, |tx| {
        let alice = tx.user(&user("main/alice"))?.unwrap();
        let unbilled = tx.unbilled(&alice)?.map(|unbilled| unbilled.amount.plain());
        let account = tx.account_estimate(&account("main"))?.unwrap_or_default();
        Ok((unbilled, account.total.rounded().plain(), account.hidden.rounded().plain()))
    })
}

fn is(amount: Option<&str>, total: &str, hidden: &str) -> (Option<String>, String, String) {
    (amount.map(str::to_owned), total.to_owned(), hidden.to_owned())
}

#[test]
fn an_estimate_is_what_the_bill_does_not_hold_yet() {
    let store = stage();
    assert_eq!(beyond(&store), is(None, "0.00", "0.00"));
    record(
        &store,
        reading(Some(&[(23, &[("p", "10"), ("q", "5")], "2"), (24, &[("p", "4")], "0")]), None),
    );
    assert_eq!(beyond(&store), is(Some("14.00"), "21.00", "2.00"));
    // Part of the first day is in the bill: at once, it counts there only.
    write(&store, |tx| tx.record_cycle(&[bill(&[("p", 23, "8")], 22)]));
    assert_eq!(beyond(&store).0.as_deref(), Some("6.00"));
    // The bill says more than was estimated.
    write(&store, |tx| tx.record_cycle(&[bill(&[("p", 23, "11")], 22)]));
    assert_eq!(beyond(&store).0.as_deref(), Some("4.00"));
    // It holds the day.
    write(&store, |tx| tx.record_cycle(&[bill(&[("p", 23, "9")], 23)]));
    assert_eq!(beyond(&store).0.as_deref(), Some("4.00"));
    record(&store, reading(None, None));
    assert_eq!(beyond(&store), is(Some("4.00"), "4.00", "0.00"));
    let consumed = seen(&store, |tx| tx.user(&user("main/alice"))).unwrap().consumed;
    assert_eq!(consumed, money("9"), "what is recorded is the bill");
}

#[test]
fn what_was_paid_back_does_not_raise_an_estimate() {
    let store = stage();
    for (billed, once, beyond_it) in [
        ("-50", "-50", "20.00"),
        ("-30", "-50", "0.00"),
        // An order is estimated like anything else.
        ("15", "15", "5.00"),
    ] {
        record(&store, reading(Some(&[(23, &[("p", "20")], "0")]), None));
        let mut bill = bill(&[("p", 23, billed)], 22);
        let once = BTreeMap::from([(("p".to_owned(), FIRST), money(once))]);
        bill.bills.as_mut().unwrap().values_mut().for_each(|bill| bill.once = once.clone());
        write(&store, |tx| tx.record_cycle(std::slice::from_ref(&bill)));
        record(&store, reading(None, None));
        assert_eq!(beyond(&store), is(Some(beyond_it), beyond_it, "0.00"), "{billed}");
    }
}

#[test]
fn an_estimate_that_is_not_read_stays_and_one_that_is_replaces_it() {
    let store = stage();
    record(&store, reading(Some(&[(23, &[("p", "10"), ("q", "5")], "2")]), None));
    let mut failed = reading(None, None);
    failed.state.trouble = Some("HTTP 503".to_owned());
    record(&store, failed);
    assert_eq!(beyond(&store), is(Some("10.00"), "17.00", "2.00"));
    let alice = seen(&store, |tx| tx.user(&user("main/alice"))).unwrap();
    let unbilled = seen(&store, |tx| tx.unbilled(&alice)).unwrap();
    assert!(unbilled.is_old);
    assert_eq!((unbilled.since, unbilled.read_at), (FIRST, at(23)));
    record(&store, reading(Some(&[(23, &[("q", "17")], "1")]), None));
    assert_eq!(beyond(&store), is(Some("0.00"), "18.00", "1.00"));
}

#[test]
fn only_monitored_projects_and_months_that_count_are_added_up() {
    let store = stage();
    record(&store, reading(Some(&[(23, &[("p", "10"), ("q", "5")], "0")]), None));
    write(&store, |tx| tx.put_link(&link("main/alice", "q", "2026-12")));
    assert_eq!(beyond(&store).0.as_deref(), Some("10.00"), "q counts from December on");
    write(&store, |tx| tx.put_link(&link("main/alice", "q", "2026-10")));
    assert_eq!(beyond(&store).0.as_deref(), Some("15.00"));
    let off = ProjectLink { monitored: Switch::Off, ..link("main/alice", "p", "2026-11") };
    write(&store, |tx| tx.put_link(&off));
    assert_eq!(beyond(&store).0.as_deref(), Some("5.00"));
}

#[test]
fn an_estimate_that_is_switched_off_is_gone() {
    let store = stage();
    record(&store, reading(Some(&[(23, &[("p", "10")], "0")]), None));
    let state = AccountEstimate::default();
    record(&store, EstimateReading { state, ..reading(None, None) });
    assert_eq!(beyond(&store), is(None, "0.00", "0.00"));
    let users = seen(&store, |tx| tx.estimated_users(&account("main")));
    assert!(users.is_empty(), "{users:?}");
}

#[test]
fn evenings_are_compared_with_the_bill_once_it_holds_the_day() {
    let store = stage();
    let mut alerted = Vec::new();
    let mut billed = Vec::new();
    for day in 23..=27 {
        // In the evening, half of what the bill will say; in the night, all of it.
        record(&store, reading(Some(&[(day, &[("p", "5")], "0")]), Some(day)));
        record(&store, reading(Some(&[(day, &[("p", "10")], "0")]), None));
        billed.push(("p", day, "10"));
        write(&store, |tx| tx.record_cycle(&[bill(&billed, day)]));
        let verdicts = record(&store, reading(None, None));
        alerted.extend(verdicts.into_iter().map(|verdict| (day, verdict)));
    }
    assert_eq!(alerted, [(25, EstimateVerdict::Off)]);
    record(&store, reading(Some(&[(28, &[("p", "9")], "0")]), Some(28)));
    billed.push(("p", 28, "10"));
    write(&store, |tx| tx.record_cycle(&[bill(&billed, 28)]));
    assert_eq!(record(&store, reading(None, None)), [EstimateVerdict::Recovered]);
}

#[test]
fn a_day_of_which_the_bill_lacks_most_of_the_spending_is_not_held_for_a_week() {
    let two: Days<'_> = &[(23, &[("p", "5")], "0"), (24, &[("p", "5")], "0")];
    let one: Days<'_> = &[(23, &[("p", "5")], "0")];
    let hidden: Days<'_> = &[(23, &[], "5")];
    let cases: [(Days<'_>, Billed<'_>, i64, i8); 9] = [
        (two, &[], 26, 22),
        (two, &[], 29, 22),
        (two, &[], 30, 23),
        (two, &[], 31, 24),
        // The money of another project will not do, nor a part of it; what no split bill holds is not waited for.
        (one, &[("q", 23, "99")], 26, 22),
        (one, &[("p", 23, "2.49")], 26, 22),
        (one, &[("p", 23, "2.50")], 26, 24),
        (one, &[("q", 22, "0.01")], 26, 22),
        (hidden, &[], 26, 24),
    ];
    for (estimated, billed, read_on, held) in cases {
        let store = stage();
        record(&store, reading(Some(estimated), None));
        let mut bill = bill(billed, 24);
        let later = jiff::SignedDuration::from_hours(24 * (read_on - 1));
        bill.at = at(1).checked_add(later).unwrap();
        write(&store, |tx| tx.record_cycle(&[bill]));
        let known = seen(&store, |tx| tx.account_readings(&account("main")));
        assert_eq!(known.bill_to, Some(date(2026, 11, held)), "{estimated:?} {billed:?} {read_on}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn bill_and_estimate_together_are_never_less_than_either_and_count_nothing_twice(
        estimated in prop::collection::vec((0..4_usize, 0..2_usize, 0..1_000_i64), 0..8),
        billed in prop::collection::vec((0..4_usize, 0..2_usize, 0..1_000_i64), 0..8),
        to in 22_i8..=26,
    ) {
        let store = stage();
        let names = ["p", "q"];
        let mut shared: BTreeMap<Date, SharedDay> = BTreeMap::new();
        for (day, name, fen) in estimated {
            let day = FIRST.saturating_add(jiff::Span::new().days(day as i64));
            let sum = shared.entry(day).or_default().projects.entry(project(names[name]));
            *sum.or_insert(Money::ZERO) += Money::from_fen(fen);
        }
        let mut days: BTreeMap<(String, Date), Money> = BTreeMap::new();
        for (day, name, fen) in billed {
            let day = FIRST.saturating_add(jiff::Span::new().days(day as i64));
            let sum = days.entry((names[name].to_owned(), day));
            *sum.or_insert(Money::ZERO) += Money::from_fen(fen);
        }
        let open = |day: &Date| *day > date(2026, 11, to);
        let expected: Money = shared.iter().filter(|(day, _)| open(day)).map(|(day, shared)| {
            let estimated = shared.projects.get(&project("p")).copied().unwrap_or(Money::ZERO);
            let billed = days.get(&("p".to_owned(), *day)).copied().unwrap_or(Money::ZERO);
            (estimated - billed).max(Money::ZERO)
        }).sum();
        let mut bill = bill(&[], to);
        bill.bills.as_mut().unwrap().values_mut().for_each(|bill| bill.days = days.clone());
        // Late enough that no day is waited for.
        bill.at = "2026-12-10T02:00:00Z".parse().unwrap();
        record(&store, EstimateReading { days: Some(shared), ..reading(None, None) });
        write(&store, |tx| tx.record_cycle(std::slice::from_ref(&bill)));
        let unbilled = || {
            let alice = seen(&store, |tx| tx.user(&user("main/alice"))).unwrap();
            seen(&store, |tx| tx.unbilled(&alice)).map_or(Money::ZERO, |unbilled| unbilled.amount)
        };
        prop_assert_eq!(unbilled(), expected);
        // Comparing again changes nothing.
        record(&store, reading(None, None));
        prop_assert_eq!(unbilled(), expected);
    }
}

/// Whatever is computed from a divided project divides it: nobody pays twice, and nothing is lost.
#[test]
fn what_two_users_divide_is_divided_in_every_number() {
    let (store, users) = (in_memory(), ["main/alice", "main/bob"]);
    let bill_of_week =
        bill(&[("p", 18, "10.01"), ("p", 19, "10.01"), ("p", 20, "10.01"), ("p", 22, "0.01")], 22);
    write(&store, |tx| {
        for key in users {
            tx.put_user(&User {
                month_limit: Some(money("100").try_into().unwrap()),
                ..User::new(user(key), now())
            })?;
            let created = at(10);
            let part = ProjectLink { counts: Counts::Part, created, ..link(key, "p", "2026-11") };
            tx.put_link(&part)?;
        }
        tx.record_cycle(&[bill_of_week])
    });
    record(&store, reading(Some(&[(23, &[("p", "7.01")], "0")]), None));
    type Number = fn(&ReadTx, &User) -> Result<Money, StoreError>;
    let numbers: [(&str, Number, &str); 5] = [
        ("consumed", |_, user| Ok(user.consumed), "30.04"),
        ("month", |tx, user| Ok(tx.month(user, at(23))?.unwrap().spent), "30.04"),
        ("forecast", |tx, user| Ok(tx.forecast(user, at(23))?.unwrap().rate.spent), "30.04"),
        ("estimate", |tx, user| Ok(tx.unbilled(user)?.unwrap().amount), "7.01"),
        (
            "chart",
            |tx, user| {
                let links = tx.links_of(&user.key)?;
                let chart = days::of_user(tx, &user.key.account, &links, at(23))?;
                Ok(chart.days.iter().map(|day| day.amount).sum())
            },
            // What is estimated has bars of its own.
            "37.05",
        ),
    ];
    for (name, number, whole) in numbers {
        let [alice, bob] =
            users.map(|key| seen(&store, |tx| number(tx, &tx.user(&user(key))?.unwrap())));
        assert_eq!(alice + bob, money(whole), "{name}");
        // What does not divide is 1 分 a day at most.
        assert!(alice >= bob && alice - bob <= money("0.05"), "{name}: {alice} {bob}");
    }
}
