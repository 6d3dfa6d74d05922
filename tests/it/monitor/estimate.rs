//! The estimate: what is spent since the bill's last day warns and cuts within the hour, and the bill replaces it.

use std::time::Instant;

use airgate::app::days;
use airgate::domain::{
    AlertBody, AlertKind, CycleOutcome, DayChart, Figures, Money, Series, UserStatus,
};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{
    ArkBilling, BillRow, Category, ChargeItem, KeyStatus, Measure, Product, ShownIn, UsageShape,
    World,
};
use jiff::SignedDuration;
use rust_decimal::Decimal;

use crate::bed::{ADMIN, Bed, NOW, eventually, one_account, user_key};

const ALICE: &str = "main/alice";
/// What a call of the text model costs: 1,000 tokens of input, 200 from the cache, 340 of output.
const CALL: i64 = 44_20;

/// A project's key and endpoint.
struct Line {
    key: String,
    endpoint: String,
}

/// Alice has `team-a` and a quota of 100, bob has `team-b`. Model calls are billed as 方舟 bills them.
fn world() -> (World, [Line; 2]) {
    let mut world = one_account();
    let price = |n: i64| rust_decimal::Decimal::from(n);
    world.rules.ark.billing = Some(ArkBilling::priced(price(10), price(1), price(100)));
    let main = world.account_mut("main").unwrap();
    // An empty split bill would be compared with the list of the day.
    main.spend("default", price(1), "2026-11".parse().unwrap());
    for name in ["alice", "bob"] {
        main.add_user(name).add_key(KeyStatus::Active);
    }
    let lines = [("team-a", "alice"), ("team-b", "bob")].map(|(project, user)| {
        main.add_project(project, project);
        let endpoint = main.add_endpoint(project, "chat", Some(user)).id.clone();
        let key = main.add_ark_key(project, "key", Some(user)).text().to_owned();
        Line { key, endpoint }
    });
    (world, lines)
}

/// What a call costs is known since yesterday.
async fn bed(mut world: World, further: &[(&str, &str)]) -> Bed {
    let main = world.account_mut("main").unwrap();
    let endpoint = main.add_endpoint("default", "chat", None).id.clone();
    let key = main.add_ark_key("default", "key", None).text().to_owned();
    let bed = Bed::with(world, further).await;
    bed.at("2026-11-22T02:00:00Z");
    bed.sync().await;
    bed.link(ALICE, "team-a", "");
    bed.link("main/bob", "team-b", "");
    bed.allocate(ALICE, "100");
    bed.allocate("main/bob", "1000");
    call(&bed, &Line { key, endpoint }, 1);
    for later in [20, 31] {
        minutes(&bed, later);
        bed.cycle().await;
    }
    bed.at(NOW);
    bed.cloud.clear_calls();
    bed
}

fn call(bed: &Bed, line: &Line, times: usize) {
    for _ in 0..times {
        bed.cloud.call_model(&line.key, &line.endpoint).unwrap();
    }
}

fn minutes(bed: &Bed, minutes: i64) {
    bed.clock.advance(SignedDuration::from_mins(minutes));
}

/// What is estimated beside the bill, rounded to 分.
fn unbilled(bed: &Bed, user: &str) -> Option<Money> {
    let user = bed.user(user);
    bed.store.read(|tx| tx.unbilled(&user)).unwrap().map(|unbilled| unbilled.amount)
}

fn of_account(bed: &Bed) -> (Money, Money) {
    let main = "main".parse().unwrap();
    let estimate = bed.store.read(|tx| tx.account_estimate(&main)).unwrap().unwrap();
    (estimate.total, estimate.hidden)
}

fn calls(n: i64) -> Money {
    Money::from_fen(CALL * n)
}

fn warnings(bed: &Bed) -> Vec<(u16, Figures)> {
    let warning = |body: AlertBody| match body {
        AlertBody::Warning { threshold, figures, .. } => Some((threshold, figures)),
        _ => None,
    };
    bed.alert_records().into_iter().filter_map(|alert| warning(alert.body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_today_warns_today_and_counts_once_when_the_bill_comes() {
    let (world, [alices, bobs]) = world();
    let bed = bed(world, &[]).await;
    call(&bed, &alices, 2);
    call(&bed, &bobs, 6);
    // Not yet in the list of the day.
    minutes(&bed, 10);
    bed.cycle().await;
    assert_eq!(warnings(&bed), []);
    minutes(&bed, 10);
    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (1, 0));
    assert_eq!(
        (unbilled(&bed, ALICE), unbilled(&bed, "main/bob")),
        (Some(calls(2)), Some(calls(6)))
    );
    assert_eq!(of_account(&bed), (calls(8), Money::ZERO));
    let (threshold, figures) = warnings(&bed).remove(0);
    assert_eq!((threshold, figures.consumed), (80, Money::ZERO), "no estimate is recorded");
    assert_eq!(figures.unbilled.unwrap().amount, calls(2));
    eventually("the alert arrives", || bed.alerts().len() == 1).await;
    bed.shows(&bed.alerts()[0].message_id, "另有估算 ¥88.40").await;
    bed.shows(&bed.ask(ADMIN, "/user alice").await.message_id, "≈ ¥88.40").await;
    bed.shows(&bed.ask(ADMIN, "/billing").await.message_id, "约 ¥353.60").await;
    // The same again.
    minutes(&bed, 60);
    assert_eq!(bed.cycle().await.warnings, 0);
    assert_eq!(unbilled(&bed, ALICE), Some(calls(2)));
    assert_eq!(bed.consumed(ALICE), "¥0.00");
    // The next morning: the split bill has it, and so it is no longer estimated.
    bed.at("2026-11-24T02:00:00Z");
    assert_eq!(bed.cycle().await.warnings, 0);
    assert_eq!(
        (bed.consumed(ALICE), unbilled(&bed, ALICE)),
        ("¥88.40".to_owned(), Some(Money::ZERO))
    );
    assert_eq!(of_account(&bed), (Money::ZERO, Money::ZERO));
    // Two days later the bill holds the day.
    bed.at("2026-11-26T02:00:00Z");
    bed.cycle().await;
    assert_eq!(
        (bed.consumed(ALICE), unbilled(&bed, ALICE)),
        ("¥88.40".to_owned(), Some(Money::ZERO))
    );
    let mut kinds = bed.alert_kinds();
    kinds.retain(|kind| *kind != AlertKind::Forecast);
    assert_eq!(kinds, [AlertKind::Warning]);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_whose_usage_is_not_there_yet_is_charged_to_nobody() {
    let (mut world, [alices, bobs]) = world();
    // Money is there after 15 minutes, usage after half an hour.
    world.rules.ark.usage_delay = SignedDuration::from_mins(29);
    let bed = bed(world, &[("MONITOR__ESTIMATE", "cut")]).await;
    call(&bed, &alices, 1);
    minutes(&bed, 30);
    bed.cycle().await;
    assert_eq!(unbilled(&bed, ALICE), Some(calls(1)));
    call(&bed, &bobs, 3);
    minutes(&bed, 20);
    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (0, 0));
    assert_eq!(
        (unbilled(&bed, ALICE), unbilled(&bed, "main/bob")),
        (Some(calls(1)), Some(Money::ZERO))
    );
    assert_eq!(of_account(&bed), (calls(4), calls(3)));
    let card = bed.ask(ADMIN, "/user alice").await;
    bed.shows(&card.message_id, "另有 ¥132.60").await;
    bed.shows(&bed.ask(ADMIN, "/billing").await.message_id, "¥132.60 用量更新后可见").await;
    minutes(&bed, 10);
    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (0, 0));
    assert_eq!(
        (unbilled(&bed, ALICE), unbilled(&bed, "main/bob")),
        (Some(calls(1)), Some(calls(3)))
    );
    assert_eq!(of_account(&bed), (calls(4), Money::ZERO));
    let card = bed.ask(ADMIN, "/user alice").await;
    bed.no_longer_shows(&card.message_id, "另有").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_that_only_an_estimate_has_reached_is_told_again_when_the_bill_does() {
    let (world, [alices, _]) = world();
    let bed = bed(world, &[]).await;
    call(&bed, &alices, 2);
    minutes(&bed, 20);
    assert_eq!(bed.cycle().await.warnings, 1);
    // Most of it is taken back.
    let row = |payable: i64, shown_in| {
        let (period, payable) = ("2026-11".parse().unwrap(), Decimal::from(payable));
        let mut row = BillRow::new(period, "team-a", Product::Ark, payable);
        row.expense_date = jiff::civil::date(2026, 11, 23);
        row.category = Category::ConsumeUse;
        row.shown_in = shown_in;
        let config = "Doubao-Seed-2.0-pro".to_owned();
        row.item = Some(ChargeItem { config, measure: Measure::Output });
        row
    };
    let add = |row: BillRow| {
        bed.cloud.update(|world| world.account_mut("main").unwrap().add_bill_row(row));
    };
    add(row(-60, ShownIn::Detail));
    minutes(&bed, 5);
    assert_eq!(bed.cycle().await.warnings, 0);
    assert!(bed.user(ALICE).triggered.is_empty());
    // The bill says 85.
    add(row(85, ShownIn::Split));
    minutes(&bed, 5);
    assert_eq!(bed.cycle().await.warnings, 1);
    let told: Vec<u16> = warnings(&bed).into_iter().map(|(threshold, _)| threshold).collect();
    assert_eq!(told, [80, 80]);
    assert!(bed.user(ALICE).triggered_early.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_which_the_split_bill_has_one_product_stays_estimated_and_its_cut_pending() {
    let (mut world, [alices, _]) = world();
    // 方舟 is two days late in the split bill, servers are not.
    world.rules.ark.billing.as_mut().unwrap().split_delay = SignedDuration::from_hours(40);
    let bed = bed(world, &[("MONITOR__ESTIMATE", "cut")]).await;
    call(&bed, &alices, 3);
    minutes(&bed, 20);
    bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).on("UpdateLoginProfile"));
    bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).on("GetLoginProfile"));
    // The cut stays pending: nobody waits for it.
    let cycle = || async { bed.service().monitor().cycle().await.unwrap() };
    assert_eq!(cycle().await.disables, 1);
    for day in [23, 24] {
        bed.cloud.update(|world| {
            let period = "2026-11".parse().unwrap();
            let mut row = BillRow::new(period, "team-b", Product::Ecs, Decimal::from(5));
            row.expense_date = jiff::civil::date(2026, 11, day);
            world.account_mut("main").unwrap().add_bill_row(row);
        });
    }
    bed.at("2026-11-24T02:00:00Z");
    cycle().await;
    let main = "main".parse().unwrap();
    let held = || bed.store.read(|tx| tx.account_readings(&main)).unwrap().bill_to;
    assert_eq!(held(), Some(jiff::civil::date(2026, 11, 21)));
    assert_eq!(unbilled(&bed, ALICE), Some(calls(3)));
    bed.cloud.faults().clear();
    minutes(&bed, 2);
    cycle().await;
    eventually("the cut is confirmed", || bed.user(ALICE).status == UserStatus::Disabled).await;
    // It is all there.
    bed.at("2026-11-25T09:00:00Z");
    bed.cycle().await;
    assert_eq!(held(), Some(jiff::civil::date(2026, 11, 23)));
    assert_eq!(
        (bed.consumed(ALICE), unbilled(&bed, ALICE)),
        ("¥132.60".to_owned(), Some(Money::ZERO))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_jobs_take_no_part_of_the_money_for_online_calls() {
    let (mut world, [alices, _]) = world();
    world.account_mut("main").unwrap().add_batch_job("team-b", "nightly", Some("bob"));
    let bed = bed(world, &[]).await;
    call(&bed, &alices, 1);
    let now = bed.clock.now();
    bed.cloud.update(|world| world.account_mut("main").unwrap().advance_jobs(9, now, None));
    minutes(&bed, 20);
    bed.cycle().await;
    let (total, hidden) = of_account(&bed);
    assert_eq!(total - hidden, calls(1));
    assert!(hidden.is_positive(), "a job is billed at its own price");
    assert_eq!(
        (unbilled(&bed, ALICE), unbilled(&bed, "main/bob")),
        (Some(calls(1)), Some(Money::ZERO))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_estimate_cuts_only_where_that_is_configured() {
    for (used_for, cut) in [("warn", false), ("cut", true)] {
        let (world, [alices, _]) = world();
        let bed = bed(world, &[("MONITOR__ESTIMATE", used_for)]).await;
        call(&bed, &alices, 3);
        minutes(&bed, 20);
        assert_eq!(bed.cycle().await.disables, u64::from(cut), "{used_for}");
        if !cut {
            continue;
        }
        eventually("the cut is confirmed", || bed.user(ALICE).status == UserStatus::Disabled).await;
        assert!(bed.cloud.call_model(&alices.key, &alices.endpoint).is_err());
        let cut = bed.alert_records().into_iter().find_map(|alert| match alert.body {
            AlertBody::Disable { figures, .. } => Some(figures),
            _ => None,
        });
        let figures = cut.unwrap();
        assert_eq!((figures.consumed, figures.unbilled.unwrap().amount), (Money::ZERO, calls(3)));
        // The bill says the same the next morning: nothing more happens.
        bed.at("2026-11-24T02:00:00Z");
        assert_eq!(bed.cycle().await.disables, 0);
        assert_eq!(bed.consumed(ALICE), "¥132.60");
        assert_eq!(bed.user(ALICE).status, UserStatus::Disabled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_usage_explains_is_not_visible_and_warns_nobody() {
    type Change = fn(&mut World);
    let never = "其中 ¥132.60 出账前无法归属到项目";
    let changes: [(&str, Change, &str); 3] = [
        (
            "usage in no known shape",
            |world| world.rules.ark.usage_shape = UsageShape::CountOnly,
            never,
        ),
        (
            "rows without a model",
            |world| world.rules.ark.billing.as_mut().unwrap().names_models = false,
            never,
        ),
        (
            "usage that is late",
            |world| world.rules.ark.usage_delay = SignedDuration::from_hours(5),
            "¥132.60 用量更新后可见",
        ),
    ];
    for (what, change, shown) in changes {
        let (mut world, [alices, bobs]) = world();
        change(&mut world);
        let bed = bed(world, &[]).await;
        call(&bed, &alices, 2);
        call(&bed, &bobs, 1);
        minutes(&bed, 20);
        let report = bed.cycle().await;
        assert_eq!((report.outcome, report.warnings), (CycleOutcome::Ok, 0), "{what}");
        assert_eq!(unbilled(&bed, ALICE), Some(Money::ZERO), "{what}");
        assert_eq!(of_account(&bed), (calls(3), calls(3)), "{what}");
        let card = bed.ask(ADMIN, "/billing").await;
        bed.shows(&card.message_id, shown).await;
        bed.shows(&bed.ask(ADMIN, "/user alice").await.message_id, "另有 ¥132.60").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_that_cannot_be_read_fails_no_cycle_and_keeps_what_was_known() {
    let (world, [alices, _]) = world();
    let bed = bed(world, &[]).await;
    call(&bed, &alices, 1);
    minutes(&bed, 20);
    bed.cycle().await;
    for action in ["ListBillDetail", "ListProjects", "GetInferenceUsage"] {
        // Usage is read again.
        minutes(&bed, 31);
        bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).on(action));
        let report = bed.cycle().await;
        assert_eq!(report.outcome, CycleOutcome::Ok, "{action}");
        assert_eq!(unbilled(&bed, ALICE), Some(calls(1)), "{action}");
        let card = bed.ask(ADMIN, "/user alice").await;
        bed.shows(&card.message_id, "之后未能更新").await;
        let card = bed.ask(ADMIN, "/billing").await;
        bed.shows(&card.message_id, "估算未能完整更新").await;
        bed.cloud.faults().clear();
    }
    bed.cycle().await;
    let card = bed.ask(ADMIN, "/user alice").await;
    bed.no_longer_shows(&card.message_id, "之后未能更新").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_for_an_estimate_that_is_off_or_of_no_model() {
    let (world, [alices, _]) = world();
    let bed = bed(world, &[("MONITOR__ESTIMATE", "off")]).await;
    call(&bed, &alices, 2);
    minutes(&bed, 20);
    bed.cloud.clear_calls();
    bed.cycle().await;
    let asked = |action| bed.cloud.count(action);
    assert_eq!((asked("GetInferenceUsage"), asked("ListProjects")), (0, 0));
    assert_eq!(unbilled(&bed, ALICE), None);

    let (world, _) = self::world();
    let bed = Bed::start(world).await;
    bed.sync().await;
    bed.link(ALICE, "team-a", "");
    bed.cycle().await;
    assert_eq!(bed.cloud.count("GetInferenceUsage"), 0, "there is no money to share out");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_from_visible_spending_to_the_confirmed_cut_is_an_interval_and_little_more() {
    let (world, [alices, _]) = world();
    let interval = ("MONITOR__INTERVAL_SECONDS", "2");
    let bed = bed(world, &[("MONITOR__ESTIMATE", "cut"), interval]).await;
    call(&bed, &alices, 3);
    let user = user_key(ALICE);
    // Now the cloud shows it.
    minutes(&bed, 20);
    let visible = Instant::now();
    eventually("the cut is confirmed", || {
        let user = bed.store.read(|tx| tx.user(&user)).unwrap().unwrap();
        user.status == UserStatus::Disabled
    })
    .await;
    let took = visible.elapsed();
    println!("from visible to the confirmed cut: {took:?}, with an interval of 2 s");
    assert!(took.as_secs() < 2 + 60, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payable_that_lags_is_estimated_by_what_settled_days_were_charged() {
    let (mut world, [alices, _]) = world();
    world.rules.ark.billing.as_mut().unwrap().payable_delay = SignedDuration::from_hours(12);
    let bed = bed(world, &[]).await;
    bed.allocate(ALICE, "10000");
    call(&bed, &alices, 2);
    minutes(&bed, 20);
    bed.cycle().await;
    // Nothing is settled that says which part of the list price is charged.
    assert_eq!(of_account(&bed), (Money::ZERO, Money::ZERO));
    bed.at("2026-11-25T02:00:00Z");
    bed.cycle().await;
    assert_eq!(
        (bed.consumed(ALICE), of_account(&bed)),
        ("¥88.40".to_owned(), (Money::ZERO, Money::ZERO))
    );
    call(&bed, &alices, 3);
    minutes(&bed, 20);
    bed.cycle().await;
    // The list says 0 so far, and a list price of which 85 % was charged two days ago.
    assert_eq!(unbilled(&bed, ALICE), Some(calls(3)));
    // Half a day later it says what is charged: the same.
    minutes(&bed, 13 * 60);
    bed.cycle().await;
    assert_eq!(unbilled(&bed, ALICE), Some(calls(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_read_once_an_hour_unless_a_decision_may_depend_on_it() {
    let (world, [alices, bobs]) = world();
    let bed = bed(world, &[]).await;
    bed.allocate(ALICE, "9900");
    bed.allocate("main/bob", "99000");
    let asked = || bed.cloud.count("GetInferenceUsage");
    call(&bed, &alices, 2);
    minutes(&bed, 20);
    bed.cycle().await;
    let each = asked();
    assert_eq!(each, 3, "one call for each project");
    // No more money, then a little more: nobody comes close to anything.
    minutes(&bed, 2);
    bed.cycle().await;
    call(&bed, &bobs, 1);
    minutes(&bed, 20);
    bed.cycle().await;
    assert_eq!(asked(), each);
    assert_eq!(of_account(&bed), (calls(3), calls(1)), "nobody knows yet who has spent more");
    // The same money could take alice to a threshold: who used it is read now.
    bed.allocate(ALICE, "-9850");
    bed.cycle().await;
    assert_eq!(asked(), 2 * each);
    assert_eq!(
        (unbilled(&bed, ALICE), unbilled(&bed, "main/bob")),
        (Some(calls(2)), Some(calls(1)))
    );
    let amounts = warnings(&bed).into_iter().map(|(_, figures)| figures.unbilled.unwrap().amount);
    assert_eq!(amounts.collect::<Vec<_>>(), [calls(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_is_as_old_as_the_usage_of_its_projects() {
    let (world, [alices, bobs]) = world();
    let bed = bed(world, &[]).await;
    bed.allocate(ALICE, "9900");
    call(&bed, &alices, 1);
    call(&bed, &bobs, 1);
    minutes(&bed, 20);
    bed.cycle().await;
    let minutes_ago = |user: &str| {
        let user = bed.user(user);
        let unbilled = bed.store.read(|tx| tx.unbilled(&user)).unwrap().unwrap();
        bed.clock.now().duration_since(unbilled.read_at).as_mins()
    };
    assert_eq!((minutes_ago(ALICE), minutes_ago("main/bob")), (0, 0));
    minutes(&bed, 20);
    bed.cycle().await;
    assert_eq!(minutes_ago(ALICE), 20, "its usage was not read again");
    // Usage that cannot be read when it is due is named with its age.
    minutes(&bed, 20);
    bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).on("GetInferenceUsage"));
    bed.cycle().await;
    assert_eq!(minutes_ago(ALICE), 40);
    let main = "main".parse().unwrap();
    let state = bed.store.read(|tx| tx.account_estimate(&main)).unwrap().unwrap();
    let oldest = bed.clock.now().duration_since(state.oldest.unwrap()).as_mins();
    assert_eq!((state.older_count, oldest), (3, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_set_what_is_estimated_apart_and_show_all_of_it() {
    let (world, [alices, bobs]) = world();
    let bed = bed(world, &[]).await;
    bed.allocate(ALICE, "9900");
    call(&bed, &alices, 1);
    bed.at("2026-11-24T00:00:00Z");
    call(&bed, &alices, 2);
    call(&bed, &bobs, 1);
    minutes(&bed, 30);
    bed.cycle().await;
    let (main, now) = ("main".parse().unwrap(), bed.clock.now());
    let estimated = |chart: DayChart| {
        let bars = chart.days.into_iter().filter(|bar| bar.series == Series::Estimated);
        bars.map(|bar| (bar.day.day(), bar.amount)).collect::<Vec<_>>()
    };
    let of_alice =
        bed.store.read(|tx| days::of_user(tx, &main, &tx.links_of(&user_key(ALICE))?, now));
    assert_eq!(estimated(of_alice.unwrap()), [(23, calls(1)), (24, calls(2))]);
    let period = "2026-11".parse().unwrap();
    let accounts = [main];
    let of_account =
        |bed: &Bed| bed.store.read(|tx| days::of_accounts(tx, &accounts, period, now)).unwrap();
    assert_eq!(estimated(of_account(&bed)), [(23, calls(1)), (24, calls(3))]);
    for command in ["/user alice", "/billing", "/me"] {
        let card = bed.ask(ADMIN, command).await;
        let card = bed.message(&card.message_id);
        let shown = format!("{:?}", card.content);
        assert_eq!(shown.contains("估算"), command != "/me", "{command}");
    }
    // The split bill has the 23rd: its bar is a billed one.
    bed.at("2026-11-24T02:00:00Z");
    bed.cycle().await;
    assert_eq!(estimated(of_account(&bed)), [(24, calls(3))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_linked_today_has_its_estimate_at_once_and_a_handed_over_one_loses_it() {
    let (world, [alices, _]) = world();
    let bed = bed(world, &[]).await;
    bed.allocate(ALICE, "9900");
    bed.toggle(ALICE, "team-a", false);
    call(&bed, &alices, 2);
    minutes(&bed, 20);
    bed.cycle().await;
    assert_eq!(unbilled(&bed, ALICE), Some(Money::ZERO));
    bed.toggle(ALICE, "team-a", true);
    assert_eq!(unbilled(&bed, ALICE), Some(calls(2)));
    bed.toggle(ALICE, "team-a", false);
    bed.link("main/bob", "team-a", "");
    assert_eq!(
        (unbilled(&bed, ALICE), unbilled(&bed, "main/bob")),
        (Some(Money::ZERO), Some(calls(2)))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_at_the_turn_of_the_month_counts_in_the_month_of_its_day() {
    let (world, [alices, _]) = world();
    let bed = bed(world, &[("MONITOR__ESTIMATE", "cut")]).await;
    bed.allocate(ALICE, "9900");
    bed.at("2026-11-30T15:40:00Z");
    call(&bed, &alices, 2);
    // Five minutes after midnight in Beijing the bill is that of yesterday and of another month.
    bed.at("2026-11-30T16:05:00Z");
    call(&bed, &alices, 1);
    minutes(&bed, 20);
    assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok);
    let main = "main".parse().unwrap();
    let days = bed.store.read(|tx| tx.estimated_days_of(&main)).unwrap();
    let days: Vec<_> = days.into_iter().filter(|(_, amount)| amount.is_positive()).collect();
    // Yesterday's list is grouped: complete an hour later.
    let of = |month, day| jiff::civil::date(2026, month, day);
    assert!(days.contains(&(of(12, 1), calls(1))), "{days:?}");
    minutes(&bed, 60);
    bed.cycle().await;
    assert_eq!(unbilled(&bed, ALICE), Some(calls(3)));
    bed.at("2026-12-03T02:00:00Z");
    bed.cycle().await;
    assert_eq!(
        (bed.consumed(ALICE), unbilled(&bed, ALICE)),
        ("¥132.60".to_owned(), Some(Money::ZERO))
    );
    assert_eq!(bed.amount(ALICE, "2026-11", "team-a").as_deref(), Some("88.4"));
    assert_eq!(bed.amount(ALICE, "2026-12", "team-a").as_deref(), Some("44.2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_bill_that_stops_in_mid_month_does_not_end_the_estimate() {
    let (mut world, [alices, _]) = world();
    let price = |n: i64| rust_decimal::Decimal::from(n);
    world.account_mut("main").unwrap().spend("team-a", price(1), "2026-11".parse().unwrap());
    // It goes on to show what it has, and nothing new.
    world.rules.ark.billing.as_mut().unwrap().split_delay = SignedDuration::from_hours(24 * 300);
    let bed = bed(world, &[("MONITOR__ESTIMATE", "cut")]).await;
    call(&bed, &alices, 1);
    minutes(&bed, 20);
    bed.cycle().await;
    assert_eq!(unbilled(&bed, ALICE), Some(calls(1)));
    for day in 24..=28 {
        bed.at(&format!("2026-11-{day}T02:00:00Z"));
        assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok);
        assert_eq!(unbilled(&bed, ALICE), Some(calls(1)), "the {day}th");
    }
    call(&bed, &alices, 2);
    minutes(&bed, 20);
    assert_eq!(bed.cycle().await.disables, 1);
    eventually("the cut is confirmed", || bed.user(ALICE).status == UserStatus::Disabled).await;
}
