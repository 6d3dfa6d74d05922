//! Reading bills: what is read, with how many calls, and what is recorded.

use std::collections::BTreeMap;

use airgate::app::projects::{self, NewLink};
use airgate::app::quota::{self, Allocation};
use airgate::domain::{CycleOutcome, Joining, Money, Operator, User, UserStatus};
use airgate::sandbox::world::{BillRow, Product, World};
use rust_decimal::Decimal;

use super::{alice, decimal, period, reads, spend, two_accounts};
use crate::bed::{ADMIN, Bed, one_account, text, text_of, user_key};

#[tokio::test(flavor = "multi_thread")]
async fn spending_is_recorded_per_project_and_month_with_a_total() {
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
    bed.add_users(&["main/alice"]);
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
    assert_eq!(bed.consumed("main/alice"), "¥1,027.84");

    // An unmonitored project is neither consumed nor read again.
    bed.toggle("main/alice", "side", false);
    assert_eq!(bed.consumed("main/alice"), "¥27.84");
    spend(&bed, "side", "5", "2026-11");
    bed.cycle().await;
    assert_eq!(amount("2026-11", "side").as_deref(), Some("1000"));
    assert_eq!(bed.consumed("main/alice"), "¥27.84");
    bed.toggle("main/alice", "side", true);
    bed.cycle().await;
    assert_eq!(bed.consumed("main/alice"), "¥1,032.84");
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_equal_an_independently_computed_exact_sum() {
    const PROJECTS: [&str; 3] = ["team-a", "team-b", "team-c"];
    const MONTHS: [&str; 3] = ["2026-09", "2026-10", "2026-11"];
    let bed = Bed::start(one_account()).await;
    bed.add_users(&["main/alice"]);
    for project in PROJECTS {
        bed.link("main/alice", project, MONTHS[0]);
    }
    // Integers of 10 decimals, summed without any code of airgate.
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
                let (user, amount) = (user_key("main/alice"), Money::from_fen(fen));
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
        // Rounded half away from zero, once, at the end.
        let all: i128 = sums.values().sum();
        let fen = (all.abs() + 50_000_000) / 100_000_000 * all.signum();
        let record = bed.user("main/alice");
        assert_eq!(record.consumed, Money::from_fen(i64::try_from(fen).unwrap()));
        assert_eq!(record.quota, Money::from_fen(i64::try_from(quota).unwrap()));
        bed.ledger_entries("main/alice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_list_and_amount_are_counted() {
    for (source, field, expected) in [
        ("split", "payable", "30"),
        ("split", "discount", "36.5"),
        ("split", "original", "42.9411764706"),
        // This list attributes model calls to no project.
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
        bed.add_users(&["main/alice"]);
        bed.link("main/alice", "team-a", "");
        let report = bed.cycle().await;
        assert_eq!(report.outcome, CycleOutcome::Ok, "{report:?}");
        let counted = bed.amount("main/alice", "2026-11", "team-a");
        assert_eq!(counted.as_deref(), Some(expected), "{source} {field}");
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
        assert_eq!(bed.user("main/alice").consumed.to_string(), "¥10.00", "ignored: {ignored}");
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
    assert_eq!(bed.user("main/alice").consumed.to_string(), "¥50.00");
    assert_eq!(reads(&bed)["2026-11"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_that_cannot_be_counted_stops_only_its_account() {
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
        (
            |world| world.account_mut("main").unwrap().split_bills_enabled = false,
            "monitor.bill_source",
        ),
        // The same without a warning: the list is simply empty.
        (
            |world| {
                world.account_mut("main").unwrap().split_bills_enabled = false;
                world.rules.missing_split_bill_is_silent = true;
            },
            "monitor.bill_source",
        ),
    ];
    for (spoil, words) in spoils {
        let bed = two_accounts().await;
        bed.cycle().await;
        let read_at = bed.user("main/alice").spending_updated_at.unwrap();
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
        assert!(error.len() > 40, "it does not say how to fix it: {error}");
        assert_eq!((report.warnings, report.disables), (0, 0));
        assert_eq!(bed.consumed("main/alice"), "¥10.00");
        assert_eq!(bed.user("labs/bob").consumed.to_string(), "¥15.00");

        // Every card that shows the amount says how old it is.
        let link = bed.store.read(|tx| tx.links_of(&user_key("main/alice"))).unwrap().remove(0);
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
            let mark = text("stale.from", &[("time", &"11-23 10")]);
            assert_eq!(card.contains(&mark), stale, "{command}: {card}");
        }
        // The monitor card shows the reason and how to fix it.
        let card = text_of(&bed.ask(ADMIN, "/monitor").await);
        assert!(card.contains(words), "{card}");

        bed.cloud.update(|world| {
            world.account_mut("main").unwrap().split_bills_enabled = true;
            world.account_mut("main").unwrap().bill_rows_mut(period("2026-11")).truncate(1);
        });
        assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok);
        let link = bed.store.read(|tx| tx.links_of(&user_key("main/alice"))).unwrap().remove(0);
        assert!(!link.freshness.is_stale());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_calls_depends_on_the_rows_of_the_bill_and_not_on_the_users() {
    let mut by_users = Vec::new();
    for users in [5, 500] {
        let bed = Bed::start(one_account()).await;
        bed.store
            .write(|tx| {
                let now = bed.clock.now();
                for n in 0..users {
                    let key = user_key(&format!("main/user-{n:03}"));
                    let mut record = User::new(key.clone(), now);
                    record.status = UserStatus::Active;
                    tx.put_user(&record)?;
                    let new = NewLink {
                        project: format!("team-{}", n % 5),
                        since: "2026-10".to_owned(),
                        joining: Some(Joining::Whole),
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
            // The previous month is settled: only the first cycle reads it.
            assert_eq!(calls.get("2026-10").copied(), (rows == 0).then_some(1));
            counts.push(current);
        }
        assert_eq!(bed.consumed("main/user-004"), "¥136.00");
        by_users.push(counts);
    }
    assert_eq!(by_users[0], by_users[1]);
}
