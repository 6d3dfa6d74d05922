//! From bills to links, monthly records and users.

use std::collections::BTreeMap;

use super::*;
use crate::app::projects::{self, NewLink, open_periods};
use crate::store::RecordedReading;

const LATER: &str = "2026-11-23T03:00:00Z";

/// A complete reading of `main`.
fn read(bills: &[(&str, &str, &str)], at: Timestamp) -> RecordedReading {
    let bills: BTreeMap<_, _> = bills
        .iter()
        .map(|(name, period, amount)| ((project(name), month(period)), money(amount)))
        .collect();
    RecordedReading::of_months(account("main"), bills, at)
}

fn record(store: &Store, reading: RecordedReading) -> u64 {
    write(store, |tx| tx.record_cycle(&[reading]))
}

fn linked(store: &Store, key: &str, name: &str, since: &str) {
    write(store, |tx| tx.put_link(&link(key, name, since)));
}

fn toggle(store: &Store, key: &str, name: &str, monitored: Switch) {
    let (key, name) = (user(key), project(name));
    store.write(|tx| projects::toggle(tx, &key, &name, monitored, now())).unwrap();
}

/// (consumed, [(project, spending, freshness)])
fn numbers(store: &Store, key: &str) -> (Money, Vec<(String, Money, Freshness)>) {
    let key = user(key);
    store
        .read(|tx| {
            let links = tx.links_of(&key)?;
            let rows = links
                .into_iter()
                .map(|link| (link.project.to_string(), link.spending, link.freshness))
                .collect();
            Ok::<_, StoreError>((tx.user(&key)?.unwrap().consumed, rows))
        })
        .unwrap()
}

/// (project or "", amount) of one month.
fn months(store: &Store, key: &str, period: &str) -> Vec<(String, Money)> {
    let records = store.read(|tx| tx.spending_of(&user(key), month(period))).unwrap();
    records
        .into_iter()
        .map(|record| (record.project.map(|p| p.to_string()).unwrap_or_default(), record.amount))
        .collect()
}

fn row(name: &str, amount: &str) -> (String, Money) {
    (name.to_owned(), money(amount))
}

#[test]
fn a_shared_project_counts_for_each_user_from_its_own_month() {
    let store = in_memory();
    for key in ["main/alice", "main/bob", "labs/alice"] {
        add_user(&store, key);
        linked(&store, key, "shared", if key == "main/bob" { "2026-11" } else { "2026-10" });
    }
    linked(&store, "main/alice", "own", "2026-11");
    let bills = [
        ("shared", "2026-10", "10.004999"),
        ("shared", "2026-11", "5"),
        ("own", "2026-11", "-1.5"),
    ];
    assert_eq!(record(&store, read(&bills, now())), 2);

    let fresh = Freshness::Fresh(now());
    let (consumed, links) = numbers(&store, "main/alice");
    assert_eq!(consumed.to_string(), "¥13.50");
    assert_eq!(
        links,
        [
            ("own".to_owned(), money("-1.5"), fresh),
            ("shared".to_owned(), money("15.004999"), fresh)
        ]
    );
    assert_eq!(numbers(&store, "main/bob").0, money("5"));
    let labs = numbers(&store, "labs/alice");
    assert_eq!((labs.0, labs.1[0].2), (Money::ZERO, Freshness::Pending), "another account");
    assert_eq!(
        months(&store, "main/alice", "2026-11"),
        [row("", "3.5"), row("own", "-1.5"), row("shared", "5")]
    );
    assert_eq!(
        months(&store, "main/alice", "2026-10"),
        [row("", "10.004999"), row("shared", "10.004999")]
    );
    assert_eq!(months(&store, "main/bob", "2026-10"), []);
    let all = store.read(|tx| tx.spending_in(month("2026-11"))).unwrap();
    let users: Vec<String> = all.iter().map(|record| record.user.to_string()).collect();
    assert_eq!(users, ["main/alice", "main/alice", "main/alice", "main/bob", "main/bob"]);
    let totals = |period| -> Vec<(String, Money)> {
        let totals = store.read(|tx| tx.top_spenders_in(month(period), 0, 9)).unwrap();
        totals.into_iter().map(|(user, amount)| (user.to_string(), amount)).collect()
    };
    assert_eq!(totals("2026-11"), [row("main/bob", "5"), row("main/alice", "3.5")]);
    assert_eq!(totals("2026-10"), [row("main/alice", "10.004999")]);
    let sum = |period| store.read(|tx| tx.period_total(month(period))).unwrap();
    assert_eq!((sum("2026-11"), sum("2026-10")), (money("8.5"), money("10.004999")));
    record(&store, read(&[("shared", "2026-11", "2"), ("own", "2026-11", "0")], now()));
    assert_eq!((sum("2026-11"), sum("2026-10")), (money("4"), money("10.004999")));
    assert_eq!(totals("2026-11"), [row("main/alice", "2"), row("main/bob", "2")], "equal: by name");
    let second = store.read(|tx| tx.top_spenders_in(month("2026-11"), 1, 1)).unwrap();
    assert_eq!(second[0].0.to_string(), "main/bob");
    assert_eq!(store.read(|tx| tx.spenders_in(month("2026-11"))).unwrap(), 2);
    let periods = store.read(|tx| tx.spending_periods()).unwrap();
    assert_eq!(periods, [month("2026-11"), month("2026-10")]);
}

#[test]
fn the_same_amount_again_changes_no_record() {
    let store = in_memory();
    add_user(&store, "main/alice");
    linked(&store, "main/alice", "p", "2026-11");
    record(&store, read(&[("p", "2026-11", "5")], now()));
    record(&store, read(&[("p", "2026-11", "5")], at(LATER)));
    let records = store.read(|tx| tx.spending_in(month("2026-11"))).unwrap();
    assert!(records.iter().all(|record| record.updated == now()));
    assert_eq!(numbers(&store, "main/alice").1[0].2, Freshness::Fresh(at(LATER)));
    let record_user = store.read(|tx| tx.user(&user("main/alice"))).unwrap().unwrap();
    assert_eq!(record_user.spending_updated_at, Some(at(LATER)));
}

#[test]
fn switching_off_removes_a_link_from_consumed_and_switching_on_adds_what_was_read_meanwhile() {
    let store = in_memory();
    for key in ["main/alice", "main/bob"] {
        add_user(&store, key);
        linked(&store, key, "p", "2026-11");
    }
    record(&store, read(&[("p", "2026-11", "5")], now()));
    toggle(&store, "main/alice", "p", Switch::Off);
    assert_eq!(numbers(&store, "main/alice").0, Money::ZERO);
    assert_eq!(numbers(&store, "main/bob").0, money("5"));
    // Bob's link keeps the project being read; the card of alice's link must not show older figures.
    record(&store, read(&[("p", "2026-11", "7")], at(LATER)));
    let (consumed, links) = numbers(&store, "main/alice");
    assert_eq!((consumed, links[0].1), (Money::ZERO, money("7")));
    // Her month does not grow by what is now bob's spending.
    assert_eq!(months(&store, "main/alice", "2026-11"), [row("", "5"), row("p", "5")]);
    assert_eq!(store.read(|tx| tx.period_total(month("2026-11"))).unwrap(), money("12"));
    toggle(&store, "main/alice", "p", Switch::On);
    assert_eq!(numbers(&store, "main/alice").0, money("7"));
    assert_eq!(months(&store, "main/alice", "2026-11"), [row("", "7"), row("p", "7")]);
}

#[test]
fn removing_a_link_keeps_its_records() {
    let store = in_memory();
    let alice = user("main/alice");
    add_user(&store, "main/alice");
    linked(&store, "main/alice", "p", "2026-11");
    linked(&store, "main/alice", "q", "2026-11");
    record(&store, read(&[("p", "2026-11", "5"), ("q", "2026-11", "1")], now()));
    store.write(|tx| projects::remove(tx, &alice, &project("p"), now())).unwrap();
    assert_eq!(numbers(&store, "main/alice").0, money("1"));
    let kept = [row("", "6"), row("p", "5"), row("q", "1")];
    assert_eq!(months(&store, "main/alice", "2026-11"), kept);
    // The total remains the sum of the records.
    record(&store, read(&[("p", "2026-11", "50"), ("q", "2026-11", "2")], at(LATER)));
    let kept = [row("", "7"), row("p", "5"), row("q", "2")];
    assert_eq!(months(&store, "main/alice", "2026-11"), kept);
    // Linked again: the bill is known, the record follows it.
    let new = NewLink { project: "p".to_owned(), ..NewLink::default() };
    store.write(|tx| projects::add(tx, &alice, &new, now())).unwrap();
    assert_eq!(numbers(&store, "main/alice").0, money("52"));
    let kept = [row("", "52"), row("p", "50"), row("q", "2")];
    assert_eq!(months(&store, "main/alice", "2026-11"), kept);
}

#[test]
fn an_unread_account_keeps_its_amounts_and_their_reading_time() {
    let store = in_memory();
    add_user(&store, "main/alice");
    for name in ["p", "new"] {
        linked(&store, "main/alice", name, "2026-11");
    }
    linked(&store, "main/alice", "off", "2026-11");
    toggle(&store, "main/alice", "off", Switch::Off);
    record(&store, read(&[("p", "2026-11", "5")], now()));
    let failed = RecordedReading::failed(account("main"), at(LATER));
    for _ in 0..2 {
        assert_eq!(record(&store, failed.clone()), 0);
    }
    let (consumed, links) = numbers(&store, "main/alice");
    assert_eq!(consumed, money("5"));
    let freshness: Vec<Freshness> = links.iter().map(|link| link.2).collect();
    let stale = |at| Freshness::Stale(at);
    // The reading holds every project of the account; a new one cost nothing.
    assert_eq!(freshness, [stale(Some(now())), Freshness::Pending, stale(Some(now()))]);
    record(&store, read(&[("p", "2026-11", "6"), ("new", "2026-11", "0")], at(LATER)));
    let (consumed, links) = numbers(&store, "main/alice");
    assert_eq!((consumed, links[0].2), (money("6"), Freshness::Fresh(at(LATER))));
}

#[test]
fn a_link_added_during_a_cycle_is_not_marked_fresh() {
    let store = in_memory();
    for key in ["main/alice", "main/bob"] {
        add_user(&store, key);
    }
    linked(&store, "main/alice", "p", "2026-11");
    // Bob links the same project with an earlier month, and another one, after the cycle chose what to read.
    linked(&store, "main/bob", "p", "2026-09");
    linked(&store, "main/bob", "q", "2026-11");
    record(&store, read(&[("p", "2026-11", "5")], now()));
    let (consumed, links) = numbers(&store, "main/bob");
    assert_eq!(consumed, money("5"));
    // Without the earlier months, the amount is not what the link asks for. The other project was read: it cost nothing.
    assert_eq!((links[0].2, links[1].2), (Freshness::Pending, Freshness::Fresh(now())));
    assert_eq!(numbers(&store, "main/alice").1[0].2, Freshness::Fresh(now()));
    let rest = [
        ("p", "2026-09", "1"),
        ("p", "2026-10", "1"),
        ("p", "2026-11", "5"),
        ("q", "2026-11", "0"),
    ];
    record(&store, read(&rest, at(LATER)));
    let (consumed, links) = numbers(&store, "main/bob");
    assert_eq!(consumed, money("7"));
    assert!(links.iter().all(|link| link.2 == Freshness::Fresh(at(LATER))), "{links:?}");
}

#[test]
fn a_month_is_read_until_a_reading_after_it_settled() {
    let store = in_memory();
    for key in ["main/alice", "main/bob"] {
        add_user(&store, key);
    }
    linked(&store, "main/alice", "p", "2026-09");
    linked(&store, "main/bob", "q", "2026-11");
    let open = |at: Timestamp| -> Vec<(String, Vec<String>)> {
        let open = store.read(|tx| open_periods(tx, &account("main"), at)).unwrap();
        open.into_iter()
            .map(|(period, projects)| {
                (period.to_string(), projects.iter().map(ToString::to_string).collect())
            })
            .collect()
    };
    let period = |period: &str, projects: &[&str]| {
        (period.to_owned(), projects.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    };
    // 6 November, 10:00 in Beijing.
    let settled = at("2026-11-06T02:00:00Z");
    let before = at("2026-11-06T01:59:59Z");
    assert_eq!(
        open(before),
        [period("2026-09", &["p"]), period("2026-10", &["p"]), period("2026-11", &["p", "q"])]
    );
    let bills = [("p", "2026-09", "1"), ("p", "2026-10", "2"), ("p", "2026-11", "3")];
    record(&store, read(&bills, before));
    assert_eq!(open(settled), [period("2026-10", &["p"]), period("2026-11", &["p", "q"])]);
    record(&store, read(&[("p", "2026-10", "2.5"), ("p", "2026-11", "3")], settled));
    assert_eq!(open(at("2026-11-16T01:59:59Z")), [period("2026-11", &["p", "q"])]);
    // Once more on the 16th.
    assert_eq!(open(now()), [period("2026-10", &["p"]), period("2026-11", &["p", "q"])]);
    record(&store, read(&[("p", "2026-10", "2.5"), ("p", "2026-11", "3")], now()));
    assert_eq!(open(now()), [period("2026-11", &["p", "q"])]);
    assert_eq!(numbers(&store, "main/alice").0, money("6.5"));
    // A new month: November stays open until it has been read once more.
    let december = at("2026-12-07T02:00:00Z");
    assert_eq!(open(december)[0], period("2026-11", &["p", "q"]));
    toggle(&store, "main/bob", "q", Switch::Off);
    assert_eq!(open(now()), [period("2026-11", &["p"])]);
}

#[test]
fn the_usage_of_the_month_limit_is_kept_with_each_user() {
    let store = in_memory();
    add_user(&store, "main/alice");
    for (name, since) in [("a", "2026-10"), ("b", "2026-11"), ("off", "2026-11")] {
        linked(&store, "main/alice", name, since);
    }
    toggle(&store, "main/alice", "off", Switch::Off);
    let bills = [
        ("a", "2026-10", "70"),
        ("a", "2026-11", "30.5"),
        ("b", "2026-11", "-0.25"),
        ("off", "2026-11", "9"),
    ];
    record(&store, read(&bills, now()));
    let usage = |period| {
        let usage = store
            .read(|tx| {
                Ok::<_, StoreError>(
                    tx.directory().get(&user("main/alice")).unwrap().month_usage(month(period)),
                )
            })
            .unwrap();
        usage.map(|usage| usage.percent().to_string())
    };
    assert_eq!(usage("2026-11"), None);
    // A limit of an older file: the next reading computes it, although no project has changed.
    write(&store, |tx| {
        let mut alice = tx.user(&user("main/alice"))?.unwrap();
        alice.month_limit = Some(money("100").try_into().unwrap());
        tx.put_user(&alice)
    });
    assert_eq!(usage("2026-11").as_deref(), Some("0.0"));
    assert_eq!(record(&store, read(&bills, now())), 1);
    assert_eq!(usage("2026-11").as_deref(), Some("30.3"));
    assert_eq!(usage("2026-12").as_deref(), Some("0.0"));
    assert_eq!(record(&store, read(&bills, now())), 0);
    toggle(&store, "main/alice", "off", Switch::On);
    assert_eq!(usage("2026-11").as_deref(), Some("39.3"));
}
