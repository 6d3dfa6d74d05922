//! The monitor: what it reads and how often, what it records, whom it warns, and whom it tells of its own troubles.

use std::collections::BTreeMap;
use std::time::Duration;

use airgate::app::projects::{self, NewLink};
use airgate::app::quota::{self, Allocation};
use airgate::domain::{
    AlertBody, AlertKind, BillPeriod, CycleOutcome, Money, Operator, SavedSettings, Switch,
    Thresholds, User, UserStatus,
};
use airgate::sandbox::volcengine::{Call, Fault, FaultRule};
use airgate::sandbox::world::{BillRow, FakeAccount, Product, World};
use rust_decimal::Decimal;

use crate::bed::{ADMIN, ADMIN_2, Bed, VIEWER, one_account, text_of, until, user};

fn period(text: &str) -> BillPeriod {
    text.parse().unwrap()
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The bill calls so far, without those that only ask whether an empty bill can be true.
pub fn bills(bed: &Bed) -> Vec<Call> {
    let bill = |call: &Call| {
        call.action.ends_with("BillDetail")
            && call.params.get("Limit").map(String::as_str) != Some("1")
    };
    bed.cloud.calls().into_iter().filter(bill).collect()
}

/// How often each period was asked for.
pub fn reads(bed: &Bed) -> BTreeMap<String, usize> {
    let mut reads = BTreeMap::new();
    for call in bills(bed) {
        *reads.entry(call.params["BillPeriod"].clone()).or_default() += 1;
    }
    reads
}

fn once(periods: &[&str]) -> BTreeMap<String, usize> {
    periods.iter().map(|period| ((*period).to_owned(), 1)).collect()
}

pub fn spend(bed: &Bed, project: &str, amount: &str, month: &str) {
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().spend(project, decimal(amount), period(month))
    });
}

/// Alice, with `team-a` and 100 to spend.
pub async fn alice(further: &[(&str, &str)]) -> Bed {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_project("team-a", "甲组");
    world.account_mut("main").unwrap().add_user("alice");
    world.user_mut("main", "alice").unwrap().add_key(airgate::sandbox::world::KeyStatus::Active);
    let bed = Bed::with(world, further).await;
    bed.know(&["main/alice"]);
    bed.link("main/alice", "team-a", "");
    bed.allocate("main/alice", "100");
    bed
}

pub fn save(bed: &Bed, settings: &SavedSettings) {
    bed.store.write(|tx| tx.put_saved_settings(settings)).unwrap();
    bed.service().wakers().settings.notify_one();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_hold_each_project_each_month_and_the_total() {
    let mut world = one_account();
    for (project, amount, month) in [
        ("team-a", "10.000001", "2026-10"),
        ("team-a", "-12.5", "2026-10"),
        ("team-b", "3.3333333333", "2026-10"),
        ("team-a", "20.005", "2026-11"),
        ("team-b", "7", "2026-11"),
        ("side", "1000", "2026-11"),
        ("team-a", "999", "2026-09"),
    ] {
        world.account_mut("main").unwrap().spend(project, decimal(amount), period(month));
    }
    let bed = Bed::start(world).await;
    bed.know(&["main/alice"]);
    bed.link("main/alice", "team-a", "2026-10");
    bed.link("main/alice", "team-b", "2026-10");
    bed.link("main/alice", "side", "");
    let report = bed.cycle().await;
    assert_eq!(report.outcome, CycleOutcome::Ok);

    let amount = |month, project| bed.amount("main/alice", month, project);
    assert_eq!(amount("2026-10", "team-a").as_deref(), Some("-2.499999"));
    assert_eq!(amount("2026-10", "team-b").as_deref(), Some("3.3333333333"));
    assert_eq!(amount("2026-10", "").as_deref(), Some("0.8333343333"));
    assert_eq!(amount("2026-11", "team-a").as_deref(), Some("20.005"));
    assert_eq!(amount("2026-11", "").as_deref(), Some("1027.005"));
    assert_eq!(amount("2026-09", "team-a"), None, "before the link's first month");
    // 20.005 - 2.499999 + 10.3333333333 + 1000
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥1,027.84");

    // What is not monitored is not consumed, and not read again.
    bed.toggle("main/alice", "side", false);
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥27.84");
    spend(&bed, "side", "5", "2026-11");
    bed.cycle().await;
    assert_eq!(amount("2026-11", "side").as_deref(), Some("1000"));
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥27.84");
    bed.toggle("main/alice", "side", true);
    bed.cycle().await;
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥1,032.84");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_negative_total_is_below_every_threshold() {
    let bed = alice(&[]).await;
    spend(&bed, "team-a", "-500.25", "2026-11");
    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (0, 0));
    assert_eq!(bed.record("main/alice").consumed.to_string(), "-¥500.25");
    let card = text_of(&bed.ask(ADMIN, "/user alice").await);
    assert!(card.contains("-¥500.25"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_months_are_filled_in_once() {
    let mut world = one_account();
    for month in ["2026-08", "2026-09", "2026-10", "2026-11"] {
        world.account_mut("main").unwrap().spend("team-a", decimal("1.5"), period(month));
        world.account_mut("main").unwrap().spend("team-b", decimal("2"), period(month));
    }
    let bed = Bed::start(world).await;
    bed.know(&["main/alice", "main/bob"]);
    bed.link("main/alice", "team-a", "2026-08");
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-08", "2026-09", "2026-10", "2026-11"]));
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥6.00");

    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-11"]));

    // A second user of the same project needs no reading; another project does, from its own month on.
    bed.cloud.clear_calls();
    bed.link("main/bob", "team-a", "2026-10");
    assert_eq!(bed.record("main/bob").consumed.to_string(), "¥3.00");
    bed.link("main/bob", "team-b", "2026-10");
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-10", "2026-11"]));
    assert_eq!(bed.record("main/bob").consumed.to_string(), "¥7.00");
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥6.00");
    assert_eq!(bed.amount("main/bob", "2026-09", "team-a"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_stays_open_until_it_was_read_on_the_6th_at_ten() {
    let bed = alice(&[]).await;
    bed.at("2026-11-30T15:00:00Z");
    spend(&bed, "team-a", "10", "2026-11");
    bed.cycle().await;

    // Its last days and corrections arrive in the next month.
    bed.at("2026-12-05T09:00:00Z");
    spend(&bed, "team-a", "2.25", "2026-11");
    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-11", "2026-12"]));
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥12.25");

    // A minute before ten it is still open, and still so afterwards; the first reading from ten on closes it.
    for (at, periods) in [
        ("2026-12-06T01:59:00Z", &["2026-11", "2026-12"][..]),
        ("2026-12-06T02:00:00Z", &["2026-11", "2026-12"]),
        ("2026-12-06T02:00:30Z", &["2026-12"]),
    ] {
        bed.at(at);
        bed.cloud.clear_calls();
        bed.cycle().await;
        assert_eq!(reads(&bed), once(periods), "{at}");
    }
    bed.at("2026-12-07T09:00:00Z");
    spend(&bed, "team-a", "50", "2026-11");
    bed.cycle().await;
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥12.25");
    assert_eq!(bed.amount("main/alice", "2026-11", "").as_deref(), Some("12.25"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_fails_on_the_6th_does_not_close_the_month() {
    let bed = alice(&[]).await;
    spend(&bed, "team-a", "10", "2026-11");
    bed.cycle().await;
    bed.at("2026-12-06T03:00:00Z");
    spend(&bed, "team-a", "1", "2026-11");
    // November is read, December fails: the account counts as not read at all.
    bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).on("ListSplitBillDetail").after(1));
    let report = bed.cycle().await;
    assert_eq!(report.outcome, CycleOutcome::Error);
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥10.00");
    bed.cloud.faults().clear();
    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2026-11", "2026-12"]));
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥11.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn months_that_ended_while_the_service_was_down_are_read_once_more() {
    let mut bed = alice(&[]).await;
    spend(&bed, "team-a", "10", "2026-11");
    bed.cycle().await;
    spend(&bed, "team-a", "5", "2026-11");
    spend(&bed, "team-a", "7", "2026-12");
    bed.cloud.clear_calls();
    bed.at("2027-01-20T00:00:00Z");
    // A cycle is overdue: it runs without being asked for.
    bed.restart().await;
    bed.until("the overdue cycle", |bed| bed.record("main/alice").consumed.to_string() == "¥22.00")
        .await;
    assert_eq!(reads(&bed), once(&["2026-11", "2026-12", "2027-01"]));
    bed.cloud.clear_calls();
    bed.cycle().await;
    assert_eq!(reads(&bed), once(&["2027-01"]));
    assert_eq!(bed.amount("main/alice", "2026-12", "").as_deref(), Some("7"));
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_equal_an_independent_exact_sum() {
    const PROJECTS: [&str; 3] = ["team-a", "team-b", "team-c"];
    const MONTHS: [&str; 3] = ["2026-09", "2026-10", "2026-11"];
    let bed = Bed::start(one_account()).await;
    bed.know(&["main/alice"]);
    for project in PROJECTS {
        bed.link("main/alice", project, MONTHS[0]);
    }
    // Integers of 10 decimals, summed apart from everything that airgate uses.
    let mut sums: BTreeMap<(&str, &str), i128> = BTreeMap::new();
    let mut seed: u64 = 20_261_123;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut quota: i128 = 0;
    for round in 0..4 {
        for _ in 0..200 {
            let project = PROJECTS[next(3) as usize];
            // Closed months are not read again.
            let month = if round == 0 { MONTHS[next(3) as usize] } else { MONTHS[2] };
            let scale = if next(2) == 0 { 6 } else { 10 };
            let units = i64::try_from(next(2_000_000_000)).unwrap() - 600_000_000;
            let row =
                BillRow::new(period(month), project, Product::Ecs, Decimal::new(units, scale));
            bed.cloud.update(|world| world.account_mut("main").unwrap().add_bill_row(row));
            *sums.entry((project, month)).or_default() +=
                i128::from(units) * 10_i128.pow(10 - scale);
        }
        for _ in 0..10 {
            let fen = i64::try_from(next(10_000_000)).unwrap() - 3_000_000;
            let booked = bed.store.write(|tx| {
                let (user, amount) = (user("main/alice"), Money::from_fen(fen));
                let operator = Operator::System;
                let new = Allocation { user: &user, amount, note: "", operator: &operator };
                quota::book(tx, &new, bed.clock.now())
            });
            assert_eq!(booked.is_ok(), quota + i128::from(fen) >= 0);
            quota += if booked.is_ok() { i128::from(fen) } else { 0 };
        }
        assert_eq!(bed.service().monitor().cycle().await.unwrap().outcome, CycleOutcome::Ok);
        let units = |text: String| {
            let mut amount = decimal(&text);
            amount.rescale(10);
            amount.mantissa()
        };
        for month in MONTHS {
            let mut total = 0;
            for project in PROJECTS {
                let sum = sums.get(&(project, month)).copied().unwrap_or(0);
                total += sum;
                assert_eq!(bed.amount("main/alice", month, project).map(units), Some(sum));
            }
            assert_eq!(bed.amount("main/alice", month, "").map(units), Some(total), "{month}");
        }
        // Half away from zero, once, at the very end.
        let all: i128 = sums.values().sum();
        let fen = (all.abs() + 50_000_000) / 100_000_000 * all.signum();
        let record = bed.record("main/alice");
        assert_eq!(record.consumed, Money::from_fen(i64::try_from(fen).unwrap()));
        assert_eq!(record.quota, Money::from_fen(i64::try_from(quota).unwrap()));
        let (entries, count) = bed.store.read(|tx| tx.ledger(&user("main/alice"), 1000)).unwrap();
        assert_eq!(u64::try_from(entries.len()).unwrap(), count);
        assert_eq!(entries.iter().map(|entry| entry.amount).sum::<Money>(), record.quota);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_list_and_amount_are_counted() {
    for (source, field, expected) in [
        ("split", "payable", "30"),
        ("split", "discount", "36.5"),
        ("split", "original", "42.9411764706"),
        // Model calls have no project there.
        ("detail", "payable", "10"),
        ("detail", "discount", "13.25"),
    ] {
        let mut world = one_account();
        for (product, payable) in [(Product::Ark, 20), (Product::Ecs, 10)] {
            let mut row = BillRow::new(period("2026-11"), "team-a", product, payable.into());
            row.fit(decimal("3.2"), decimal("0.05"));
            world.account_mut("main").unwrap().add_bill_row(row);
        }
        let further = [("MONITOR__BILL_SOURCE", source), ("MONITOR__AMOUNT_FIELD", field)];
        let bed = Bed::with(world, &further).await;
        bed.know(&["main/alice"]);
        bed.link("main/alice", "team-a", "");
        let report = bed.cycle().await;
        assert_eq!(report.outcome, CycleOutcome::Ok, "{report:?}");
        let counted = bed.amount("main/alice", "2026-11", "team-a");
        assert_eq!(counted.as_deref(), Some(expected), "{source} {field}");
    }
}

/// `main` with alice and `labs` with bob, both with bills of 10 in `team-a`.
pub async fn two_accounts() -> Bed {
    let mut world: World = one_account();
    world.accounts.push(FakeAccount::new(
        "labs",
        "实验室",
        2_100_000_002,
        "AKLTlabs00000001",
        "labs-s",
    ));
    for account in ["main", "labs"] {
        world.account_mut(account).unwrap().spend("team-a", 10.into(), period("2026-11"));
    }
    let bed = Bed::start(world).await;
    bed.know(&["main/alice", "labs/bob"]);
    for key in ["main/alice", "labs/bob"] {
        bed.link(key, "team-a", "");
        bed.allocate(key, "100");
    }
    bed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_that_cannot_be_counted_stops_its_account_alone() {
    type Spoil = fn(&mut World);
    let spoils: [(Spoil, &str); 4] = [
        (
            |world| {
                let mut row = BillRow::new(period("2026-11"), "team-a", Product::Ecs, 90.into());
                row.currency = "USD".to_owned();
                world.account_mut("main").unwrap().add_bill_row(row);
            },
            "USD",
        ),
        (
            |world| {
                let mut row = BillRow::new(period("2026-11"), "team-a", Product::Ecs, 90.into());
                row.amounts_missing = true;
                world.account_mut("main").unwrap().add_bill_row(row);
            },
            "PayableAmount",
        ),
        (|world| world.account_mut("main").unwrap().split_bills_enabled = false, "分账"),
        // The same, but nothing says so: the list is plainly empty.
        (
            |world| {
                world.account_mut("main").unwrap().split_bills_enabled = false;
                world.rules.missing_split_bill_is_silent = true;
            },
            "分账",
        ),
    ];
    for (spoil, words) in spoils {
        let bed = two_accounts().await;
        bed.cycle().await;
        let read_at = bed.record("main/alice").spending_updated_at.unwrap();
        bed.clock.advance(jiff::SignedDuration::from_hours(2));
        bed.cloud.update(spoil);
        bed.cloud.update(|world| {
            world.account_mut("labs").unwrap().spend("team-a", 5.into(), period("2026-11"))
        });
        let report = bed.cycle().await;
        assert_eq!(report.outcome, CycleOutcome::Error);
        let [labs, main] = &report.accounts[..] else { panic!("{report:?}") };
        assert_eq!(labs.error, None);
        let error = main.error.clone().unwrap();
        assert!(error.contains(words), "{error}");
        assert!(error.len() > 40, "no mend in: {error}");
        assert_eq!((report.warnings, report.disables), (0, 0));
        assert_eq!(bed.record("main/alice").consumed.to_string(), "¥10.00");
        assert_eq!(bed.record("labs/bob").consumed.to_string(), "¥15.00");

        // Every card that shows the amount says from when it is.
        let link = bed.store.read(|tx| tx.links_of(&user("main/alice"))).unwrap().remove(0);
        assert!(link.freshness.is_stale());
        assert_eq!(link.freshness.read_at(), Some(read_at));
        for (command, stale) in [
            ("/users", true),
            ("/user alice", true),
            ("/billing", true),
            ("/billing alice", true),
            ("/projects alice", true),
            ("/quota alice", true),
            ("/user bob", false),
            ("/projects bob", false),
        ] {
            let card = text_of(&bed.ask(ADMIN, command).await);
            assert_eq!(card.contains("数据截至 11-23 10"), stale, "{command}: {card}");
        }
        // The reason with its mend is on the monitor card.
        let card = text_of(&bed.ask(ADMIN, "/monitor").await);
        assert!(card.contains(words), "{card}");

        bed.cloud.update(|world| {
            world.account_mut("main").unwrap().split_bills_enabled = true;
            world.account_mut("main").unwrap().bill_rows_mut(period("2026-11")).truncate(1);
        });
        assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok);
        let link = bed.store.read(|tx| tx.links_of(&user("main/alice"))).unwrap().remove(0);
        assert!(!link.freshness.is_stale());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payers_bill_counts_for_its_own_account_only() {
    for ignored in [false, true] {
        let bed = alice(&[]).await;
        bed.cloud.update(|world| {
            world.rules.owner_filter_is_ignored = ignored;
            for (owner, amount) in [(None, 10), (Some(2_100_000_009), 500)] {
                let row = BillRow::new(period("2026-11"), "team-a", Product::Ecs, amount.into());
                world.account_mut("main").unwrap().add_bill_row(BillRow { owner, ..row });
            }
        });
        let report = bed.cycle().await;
        assert_eq!((report.outcome, report.disables), (CycleOutcome::Ok, 0));
        assert_eq!(bed.record("main/alice").consumed.to_string(), "¥10.00", "ignored: {ignored}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_in_short_pages_and_odd_types_is_read_to_its_end() {
    let bed = alice(&[]).await;
    bed.cloud.update(|world| {
        world.rules.rows_per_page = Some(100);
        world.rules.bills_have_odd_types = true;
        for _ in 0..250 {
            world.account_mut("main").unwrap().spend("team-a", decimal("0.2"), period("2026-11"));
        }
    });
    let report = bed.cycle().await;
    assert_eq!(report.outcome, CycleOutcome::Ok, "{report:?}");
    assert_eq!(bed.record("main/alice").consumed.to_string(), "¥50.00");
    assert_eq!(reads(&bed)["2026-11"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_follow_the_rows_of_the_bill_and_not_the_users() {
    let mut by_users = Vec::new();
    for users in [5, 500] {
        let bed = Bed::start(one_account()).await;
        bed.store
            .write(|tx| {
                let now = bed.clock.now();
                for n in 0..users {
                    let key = user(&format!("main/user-{n:03}"));
                    let mut record = User::new(key.clone(), now);
                    record.status = UserStatus::Active;
                    tx.put_user(&record)?;
                    let new = NewLink {
                        chosen: format!("team-{}", n % 5),
                        since: "2026-10".to_owned(),
                        ..NewLink::default()
                    };
                    projects::add(tx, &key, &new, now).unwrap();
                }
                Ok::<_, airgate::store::StoreError>(())
            })
            .unwrap();
        let mut counts = Vec::new();
        for rows in [0, 1, 300, 301, 950] {
            bed.cloud.update(|world| {
                let account = world.account_mut("main").unwrap();
                account.bill_rows_mut(period("2026-11")).clear();
                for n in 0..rows {
                    account.spend(&format!("team-{}", n % 7), 1.into(), period("2026-11"));
                }
            });
            bed.cloud.clear_calls();
            let report = bed.service().monitor().cycle().await.unwrap();
            assert_eq!(report.outcome, CycleOutcome::Ok);
            assert_eq!(report.users, users);
            let calls = reads(&bed);
            let current = calls["2026-11"];
            assert!(current <= usize::div_ceil(rows, 300) + 1, "{current} calls for {rows} rows");
            // The month before is settled: it is read in the first cycle only.
            assert_eq!(calls.get("2026-10").copied(), (rows == 0).then_some(1));
            counts.push(current);
        }
        assert_eq!(bed.record("main/user-004").consumed.to_string(), "¥136.00");
        by_users.push(counts);
    }
    assert_eq!(by_users[0], by_users[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_warns_once_until_quota_is_added() {
    let bed = alice(&[]).await;
    bed.change("main/alice", |user| user.auto_disable = Switch::Off);
    let warned = |bed: &Bed| -> Vec<u16> {
        let of = |body: &AlertBody| match body {
            AlertBody::Warning { threshold, .. } => Some(*threshold),
            _ => None,
        };
        bed.alert_records().iter().filter_map(|alert| of(&alert.body)).collect()
    };
    let triggered = |bed: &Bed| Vec::from_iter(bed.record("main/alice").triggered);

    spend(&bed, "team-a", "49.99", "2026-11");
    bed.cycle().await;
    assert!(warned(&bed).is_empty());
    // Two at once: one warning, of the higher; both are triggered.
    spend(&bed, "team-a", "35", "2026-11");
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(warned(&bed), [80]);
    assert_eq!(triggered(&bed), [50, 80]);
    // A refund does not take it back, and what comes again is not warned of again.
    spend(&bed, "team-a", "-50", "2026-11");
    bed.cycle().await;
    spend(&bed, "team-a", "50", "2026-11");
    bed.cycle().await;
    assert_eq!(warned(&bed), [80]);

    // 84.99 of 150 is 56.7 %.
    bed.allocate("main/alice", "50");
    assert!(triggered(&bed).is_empty());
    bed.cycle().await;
    assert_eq!(warned(&bed), [80, 50]);
    // A deduction empties nothing.
    bed.allocate("main/alice", "-10");
    assert_eq!(triggered(&bed), [50]);
    bed.cycle().await;
    assert_eq!(warned(&bed), [80, 50]);

    // A user's own thresholds: 60 is new, 61 not reached.
    bed.change("main/alice", |user| user.thresholds = Some(Thresholds::new([60, 61]).unwrap()));
    bed.cycle().await;
    assert_eq!(warned(&bed), [80, 50, 60]);
    assert_eq!(bed.alerts().len(), 3);
    assert!(text_of(&bed.alerts()[2]).contains("60%"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cycles_asked_for_together_run_one_after_the_other_and_answer_each() {
    let slow = Duration::from_millis(300);
    let bed = alice(&[]).await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Slow(slow)).on("ListSplitBillDetail"));
    let mut asked = Vec::new();
    for person in [ADMIN, ADMIN_2, ADMIN, ADMIN_2, ADMIN] {
        asked.push(bed.ask(person, "/monitor run").await);
    }
    // Two more from elsewhere.
    let monitor = bed.service().monitor();
    let (first, second) = tokio::join!(monitor.cycle(), monitor.cycle());
    first.unwrap();
    second.unwrap();
    for reply in asked {
        bed.card_becomes(&reply.message_id, |card| card.contains("监控执行完成")).await;
    }
    bed.settled().await;
    let calls = bills(&bed);
    for pair in calls.windows(2) {
        let apart = pair[1].at.duration_since(pair[0].at);
        assert!(apart.unsigned_abs() >= slow, "two cycles at once: {apart}");
    }
    // A viewer may not start one.
    let before = calls.len();
    let refused = text_of(&bed.ask(VIEWER, "/monitor run").await);
    assert!(refused.contains("权限"), "{refused}");
    assert_eq!(bills(&bed).len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_cycles_run_by_themselves_and_never_overlap() {
    let bed = alice(&[("MONITOR__INTERVAL_SECONDS", "1")]).await;
    let slow = Duration::from_millis(1200);
    bed.cloud.faults().inject(FaultRule::new(Fault::Slow(slow)).on("ListSplitBillDetail").times(3));
    until("five scheduled cycles", || bills(&bed).len() >= 5).await;
    for pair in bills(&bed).windows(2).take(3) {
        let apart = pair[1].at.duration_since(pair[0].at);
        assert!(apart.unsigned_abs() >= slow, "two cycles at once: {apart}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_interval_takes_effect_at_once() {
    let bed = alice(&[]).await;
    let due_in = |bed: &Bed| {
        let next = bed.service().monitor().progress().next_at;
        next.map_or(0, |at| at.duration_since(bed.clock.now()).as_secs())
    };
    until("the schedule", || due_in(&bed) > 3000).await;
    assert_eq!(bills(&bed).len(), 0);
    save(&bed, &SavedSettings { interval_seconds: Some(1), ..SavedSettings::default() });
    until("two scheduled cycles", || bills(&bed).len() >= 2).await;
    save(&bed, &SavedSettings { interval_seconds: Some(7200), ..SavedSettings::default() });
    until("the new schedule", || due_in(&bed) > 7000).await;
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(card.contains("定时开启"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_is_switched_off_still_runs_when_asked() {
    let bed = alice(&[("MONITOR__ENABLED", "false"), ("MONITOR__INTERVAL_SECONDS", "1")]).await;
    spend(&bed, "team-a", "60", "2026-11");
    let reply = bed.ask(ADMIN, "/monitor run").await;
    bed.card_becomes(&reply.message_id, |card| card.contains("监控执行完成")).await;
    bed.settled().await;
    assert_eq!(bed.alert_kinds(), [AlertKind::Warning]);
    assert_eq!(bed.service().monitor().progress().next_at, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_starts_even_if_its_reply_cannot_be_delivered() {
    use airgate::sandbox::feishu;
    let bed = alice(&[]).await;
    bed.feishu.faults().inject(feishu::FaultRule::new(feishu::Fault::Status(500)).on("reply"));
    spend(&bed, "team-a", "60", "2026-11");
    let direct = bed.feishu.direct_chat(ADMIN);
    let sent = bed.feishu.say(ADMIN, &direct, "/monitor run", false).await;
    assert_eq!(sent.status, Some(200));
    until("the cycle", || bed.alert_kinds() == [AlertKind::Warning]).await;
    bed.feishu.faults().clear();
    let reply = bed.reply_to(&sent).await.unwrap();
    bed.card_becomes(&reply.message_id, |card| card.contains("监控执行完成")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spending_that_arrives_while_a_project_is_linked_twice_counts_for_both() {
    let bed = alice(&[]).await;
    bed.know(&["main/bob"]);
    bed.link("main/bob", "team-a", "");
    bed.allocate("main/bob", "1000");
    spend(&bed, "team-a", "120", "2026-11");
    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (1, 1));
    assert_eq!(bed.record("main/alice").status, UserStatus::Disabled);
    assert_eq!(bed.record("main/bob").status, UserStatus::Active);
    assert_eq!(bed.record("main/bob").consumed.to_string(), "¥120.00");
    assert_eq!(reads(&bed), once(&["2026-11"]));
}
