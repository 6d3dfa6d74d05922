//! Cutting and restoring access: nothing forgotten, nothing half done, and a top-up wins, whatever the cloud does. For each
//! step failing in each way, see `promises::faults::access`.

use airgate::domain::{AccessGoal, AlertBody, AlertKind, Problem, Switch, UserStatus};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{KeyStatus, Login, MissingLogin, World};
use futures::future::join_all;
use jiff::SignedDuration;
use rust_decimal::Decimal;

use super::{ALICE, decide, want, want_of};
use crate::bed::{
    ADMIN, ADMIN_2, Bed, eventually, labs, one_account, phrase, text, text_of, user_key,
};

/// A user with two active keys, an inactive one and console login.
fn world() -> World {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_user("alice");
    for status in [KeyStatus::Active, KeyStatus::Active, KeyStatus::Inactive] {
        world.user_mut("main", "alice").unwrap().add_key(status);
    }
    world.account_mut("main").unwrap().spend("team-a", 120.into(), "2026-11".parse().unwrap());
    world
}

/// The service with that user, 120 of 100 spent, before the first cycle.
async fn over_quota(world: World) -> Bed {
    let bed = Bed::start(world).await;
    bed.add_users(&[ALICE]);
    bed.link(ALICE, "team-a", "");
    bed.allocate(ALICE, "100");
    bed
}

/// Which keys are active, and whether login is allowed, in the cloud.
fn access(bed: &Bed) -> (Vec<bool>, bool) {
    bed.cloud.read(|world| {
        let user = world.user("main", "alice").unwrap();
        let keys = user.keys.iter().map(|key| key.status == KeyStatus::Active).collect();
        (keys, user.login.allowed())
    })
}

fn cut() -> (Vec<bool>, bool) {
    (vec![false, false, false], false)
}

fn whole() -> (Vec<bool>, bool) {
    (vec![true, true, false], true)
}

fn status(bed: &Bed) -> UserStatus {
    bed.user(ALICE).status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_removes_all_access_and_a_restore_returns_exactly_that() {
    let bed = over_quota(world()).await;
    let keys: Vec<String> = bed.cloud.read(|world| {
        world.user("main", "alice").unwrap().keys.iter().map(|key| key.id.clone()).collect()
    });
    // The active keys and login are remembered before the first write succeeds.
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(500)).on("UpdateAccessKey"));
    decide(&bed).await;
    eventually("a first write", || bed.cloud.count("UpdateAccessKey") > 0).await;
    let remembered = || bed.store.read(|tx| tx.access_remembered(&user_key(ALICE))).unwrap();
    assert_eq!(remembered().unwrap().keys(), keys[..2]);
    eventually("login off", || !access(&bed).1).await;
    assert!(remembered().unwrap().login());
    assert_eq!(access(&bed).0, whole().0);
    assert!(bed.alert_kinds().is_empty(), "not disabled before the cut is read back");
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!((access(&bed), status(&bed)), (cut(), UserStatus::Disabled));
    assert_eq!(bed.alert_kinds(), [AlertKind::Disable]);
    let alert = text_of(bed.alerts().last().unwrap());
    assert!(alert.contains("alice") && alert.contains("¥120.00"), "{alert}");
    // Another cycle has nothing to do.
    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (0, 0));

    // A restore skips a key that was deleted meanwhile, and leaves a new one alone.
    bed.cloud.update(|world| {
        let user = world.user_mut("main", "alice").unwrap();
        user.keys.remove(1);
        user.add_key(KeyStatus::Inactive);
    });
    let enable = bed.ask(ADMIN, "/enable alice").await;
    let button =
        bed.feishu.find_button(&enable.message_id, |v| v["action"] == "user.enable").unwrap();
    assert_eq!(bed.feishu.click(ADMIN, &enable.message_id, button).await.error, None);
    bed.settled().await;
    assert_eq!(access(&bed), (vec![true, false, false], true));
    assert_eq!(status(&bed), UserStatus::Active);
    assert_eq!(bed.store.read(|tx| tx.access_remembered(&user_key(ALICE))).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_any_status_but_inactive_are_switched_off() {
    for odd in ["expired", "frozen", ""] {
        let mut world = world();
        world.user_mut("main", "alice").unwrap().keys[1].status = KeyStatus::Other(odd);
        let bed = over_quota(world).await;
        bed.cycle().await;
        assert_eq!((access(&bed), status(&bed)), (cut(), UserStatus::Disabled), "{odd:?}");
        let truly = bed.cloud.read(|world| world.user("main", "alice").unwrap().is_cut_off());
        assert!(truly, "{odd:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_login_is_cut_and_restored_whatever_the_cloud_answers_about_it() {
    for missing in
        [MissingLogin::Error, MissingLogin::Stub, MissingLogin::Empty, MissingLogin::Zero]
    {
        let mut world = world();
        world.user_mut("main", "alice").unwrap().login = Login::none(missing);
        let bed = over_quota(world).await;
        bed.cycle().await;
        assert_eq!(access(&bed), cut(), "{missing:?}");
        assert_eq!(status(&bed), UserStatus::Disabled);
        want(&bed, AccessGoal::Restored);
        bed.settled().await;
        assert_eq!(access(&bed), (vec![true, true, false], false), "{missing:?}");
        assert_eq!(bed.cloud.count("UpdateLoginProfile"), 0);
        let created =
            bed.cloud.read(|world| world.user("main", "alice").unwrap().login.profile.is_some());
        assert!(!created, "{missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_nothing_to_cut_is_still_disabled_and_enabled() {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_user("alice").login = Login::none(MissingLogin::Error);
    world.account_mut("main").unwrap().spend("team-a", 120.into(), "2026-11".parse().unwrap());
    let bed = over_quota(world).await;
    bed.cycle().await;
    assert_eq!(status(&bed), UserStatus::Disabled);
    assert_eq!(bed.cycle().await.disables, 0);
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(status(&bed), UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_shows_changes_late_is_read_until_it_shows_them() {
    for lag in [1, 2, 4] {
        let mut world = world();
        world.rules.lag = lag;
        let bed = over_quota(world).await;
        for _ in 0..2 {
            bed.cycle().await;
            assert_eq!((access(&bed), status(&bed)), (cut(), UserStatus::Disabled), "lag {lag}");
            want(&bed, AccessGoal::Restored);
            bed.settled().await;
            assert_eq!((access(&bed), status(&bed)), (whole(), UserStatus::Active), "lag {lag}");
        }
    }
}

fn nothing_is_read(bed: &Bed) {
    for action in ["ListAccessKeys", "GetLoginProfile", "GetPolicy", "ListApiKeys"] {
        bed.cloud.faults().inject(FaultRule::new(Fault::ResetConnection).on(action));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_before_the_cut_wins() {
    let bed = over_quota(world()).await;
    nothing_is_read(&bed);
    decide(&bed).await;
    eventually("an attempt", || bed.cloud.count("ListAccessKeys") > 0).await;
    let card = bed.ask(ADMIN, "/quota alice 50").await;
    assert!(text_of(&card).contains("¥150.00"));
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!(bed.cloud.count("UpdateAccessKey") + bed.cloud.count("UpdateLoginProfile"), 0);
    assert_eq!((access(&bed), status(&bed)), (whole(), UserStatus::Active));
    assert!(!bed.alert_kinds().contains(&AlertKind::Disable));
    // The same happens if automatic disabling is switched off meanwhile.
    bed.allocate(ALICE, "-50");
    nothing_is_read(&bed);
    decide(&bed).await;
    bed.change(ALICE, |user| user.auto_disable = Switch::Off);
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!((access(&bed), status(&bed)), (whole(), UserStatus::Active));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_halfway_through_the_cut_restores_everything() {
    for lag in [0, 1, 3] {
        let mut world = world();
        world.rules.lag = lag;
        let bed = over_quota(world).await;
        bed.cloud.faults().inject(FaultRule::new(Fault::Status(500)).on("UpdateLoginProfile"));
        decide(&bed).await;
        eventually("both keys off", || access(&bed) == (vec![false; 3], true)).await;
        bed.allocate(ALICE, "50");
        bed.cloud.faults().clear();
        bed.settled().await;
        assert_eq!((access(&bed), status(&bed)), (whole(), UserStatus::Active), "lag {lag}");
        assert!(!bed.alert_kinds().contains(&AlertKind::Disable));
        assert_eq!(bed.store.read(|tx| tx.access_remembered(&user_key(ALICE))).unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_while_the_cut_is_read_back_restores_everything() {
    let bed = over_quota(world()).await;
    // The keys are read once before the cut; the read after it fails.
    let rule = FaultRule::new(Fault::Status(500)).on("ListAccessKeys").after(1);
    bed.cloud.faults().inject(rule);
    decide(&bed).await;
    eventually("all off", || access(&bed) == cut()).await;
    bed.allocate(ALICE, "50");
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!((access(&bed), status(&bed)), (whole(), UserStatus::Active));
    assert!(!bed.alert_kinds().contains(&AlertKind::Disable));
}

fn delays(bed: &Bed) -> usize {
    let delay = |body: &AlertBody| {
        matches!(body, AlertBody::Error { problem: Problem::AccessDelayed { .. } })
    };
    bed.alert_records().iter().filter(|alert| delay(&alert.body)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_cut_raises_one_alert_and_is_still_retried() {
    let bed = over_quota(world()).await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(503)).on("UpdateAccessKey"));
    decide(&bed).await;
    let attempts = |bed: &Bed| {
        let pending = bed.store.read(|tx| tx.access_pending(&user_key(ALICE))).unwrap();
        pending.map_or(0, |pending| pending.attempts)
    };
    eventually("a failed attempt", || attempts(&bed) >= 1).await;
    assert_eq!(delays(&bed), 0);
    bed.clock.advance(SignedDuration::from_secs(61));
    eventually("the alert", || delays(&bed) == 1).await;
    for _ in 0..3 {
        let before = attempts(&bed);
        bed.clock.advance(SignedDuration::from_secs(61));
        eventually("another attempt", || attempts(&bed) > before).await;
    }
    assert_eq!(delays(&bed), 1);
    let delayed = text("alert.cut_delayed", &[("user", &"alice")]);
    eventually("its delivery", || {
        bed.alerts().iter().any(|alert| text_of(alert).contains(&delayed))
    })
    .await;
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(card.contains("alice"), "{card}");
    bed.cloud.faults().clear();
    bed.clock.advance(SignedDuration::from_secs(61));
    bed.settled().await;
    assert_eq!((access(&bed), status(&bed), delays(&bed)), (cut(), UserStatus::Disabled, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_halfway_completes_the_cut() {
    let mut bed = over_quota(world()).await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(500)).on("UpdateLoginProfile"));
    decide(&bed).await;
    eventually("both keys off", || access(&bed) == (vec![false; 3], true)).await;
    bed.restart().await;
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!((access(&bed), status(&bed)), (cut(), UserStatus::Disabled));
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(access(&bed), whole());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_during_an_unfinished_restore_forgets_nothing() {
    for lag in [0, 2] {
        let mut world = world();
        world.rules.lag = lag;
        let bed = over_quota(world).await;
        bed.cycle().await;
        assert_eq!(access(&bed), cut());
        let second = FaultRule::new(Fault::NotJson).on("ListAccessKeys").after(1);
        bed.cloud.faults().inject(FaultRule::new(Fault::Status(500)).on("UpdateLoginProfile"));
        bed.cloud.faults().inject(second);
        want(&bed, AccessGoal::Restored);
        eventually("the keys are on", || access(&bed) == (vec![true, true, false], false)).await;
        want(&bed, AccessGoal::Cut);
        bed.cloud.faults().clear();
        bed.settled().await;
        assert_eq!((access(&bed), status(&bed)), (cut(), UserStatus::Disabled), "lag {lag}");
        want(&bed, AccessGoal::Restored);
        bed.settled().await;
        assert_eq!((access(&bed), status(&bed)), (whole(), UserStatus::Active), "lag {lag}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_requested_halfway_through_a_cut_restores_everything() {
    let bed = over_quota(world()).await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(500)).on("UpdateLoginProfile"));
    decide(&bed).await;
    eventually("both keys off", || access(&bed) == (vec![false; 3], true)).await;
    want(&bed, AccessGoal::Restored);
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!((access(&bed), status(&bed)), (whole(), UserStatus::Active));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_at_once_change_access_once() {
    let mut world = world();
    world.account_mut("main").unwrap().bill_rows_mut("2026-11".parse().unwrap()).clear();
    world.account_mut("main").unwrap().spend("team-a", Decimal::ONE, "2026-11".parse().unwrap());
    let bed = over_quota(world).await;
    for (command, action, then, after) in [
        ("/disable alice", "user.disable", UserStatus::Disabled, cut()),
        ("/enable alice", "user.enable", UserStatus::Active, whole()),
    ] {
        let before = bed.alert_kinds().len();
        let mut clicks = Vec::new();
        for person in [ADMIN, ADMIN_2] {
            let card = bed.ask(person, command).await;
            let button =
                bed.feishu.find_button(&card.message_id, |v| v["action"] == action).unwrap();
            clicks.push((person, card.message_id, button));
        }
        // Ten presses each, all at the same time.
        let presses = (0..20).map(|n| {
            let (person, message, button) = clicks[n % 2].clone();
            let feishu = bed.feishu.clone();
            async move { feishu.click_raw(person, &message, button).await }
        });
        let results = join_all(presses).await;
        assert!(results.iter().all(|result| result.status == Some(200)), "{results:?}");
        bed.settled().await;
        assert_eq!((access(&bed), status(&bed)), (after, then));
        let kinds = bed.alert_kinds();
        assert_eq!(kinds[before..], [AlertKind::Manual], "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_of_a_user_who_is_gone_from_the_cloud_is_abandoned() {
    let bed = over_quota(world()).await;
    bed.cloud.update(|world| world.account_mut("main").unwrap().users.remove("alice"));
    decide(&bed).await;
    eventually("an attempt", || bed.cloud.count("ListAccessKeys") > 0).await;
    bed.sync().await;
    bed.settled().await;
    assert_eq!(status(&bed), UserStatus::Gone);
    assert_eq!(bed.cycle().await.disables, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_read_before_the_cut_does_not_overwrite_its_status() {
    let bed = over_quota(world()).await;
    // The sync reads the login, but gets the answer late.
    let slow = Fault::Slow(std::time::Duration::from_secs(3));
    bed.cloud.faults().inject(FaultRule::new(slow).on("GetLoginProfile").times(1));
    let reply = bed.ask(ADMIN, "/sync").await;
    eventually("the reading", || bed.cloud.faults().pending() == 0).await;
    decide(&bed).await;
    eventually("the cut", || status(&bed) == UserStatus::Disabled).await;
    bed.no_longer_shows(&reply.message_id, &phrase("processing.sync")).await;
    bed.settled().await;
    assert_eq!((access(&bed), status(&bed)), (cut(), UserStatus::Disabled));
    assert_eq!(bed.cycle().await.disables, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_hangs_does_not_delay_the_users_of_another() {
    let mut world = world();
    world.accounts.push(labs());
    let bed = Bed::start(world).await;
    bed.add_users(&[ALICE]);
    bed.cloud.faults().inject(FaultRule::new(Fault::Timeout).of("labs"));
    for n in 0..20 {
        let key = format!("labs/u{n:02}");
        bed.add_users(&[&key]);
        want_of(&bed, &key, AccessGoal::Cut);
    }
    eventually("eight calls to hang", || bed.cloud.count("ListAccessKeys") >= 8).await;
    want(&bed, AccessGoal::Cut);
    eventually("alice is cut", || status(&bed) == UserStatus::Disabled).await;
    assert_eq!(access(&bed), cut());
}
