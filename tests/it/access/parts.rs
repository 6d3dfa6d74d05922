//! A cut closes what it can, each key, the login and each policy separately. Access stays closed until the user is
//! restored or gone.

use airgate::domain::{AccessGoal, Problem, UserStatus};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{KeyStatus, PolicyKind, PolicyScope, World};
use jiff::SignedDuration;

use super::{ALICE, decide, denied, problems, want};
use crate::bed::{ADMIN, Bed, eventually, one_account, phrase, text, text_of, user_key};

const DENY_ALL: &str = "airgate-deny-all";

/// A user with two active keys, login and two policies, who has spent 120.
fn world() -> World {
    let mut world = one_account();
    let main = world.account_mut("main").unwrap();
    main.add_project("team-a", "甲组");
    main.spend("team-a", 120.into(), "2026-11".parse().unwrap());
    let alice = main.add_user("alice");
    alice.add_key(KeyStatus::Active);
    alice.add_key(KeyStatus::Active);
    alice.attach("TOSReadOnlyAccess", PolicyKind::System, PolicyScope::Global);
    alice.attach("ArkFullAccess", PolicyKind::System, PolicyScope::Global);
    world
}

/// The service with that user, known by a sync and with a quota of 100, before the first cycle.
async fn over_quota(further: &[(&str, &str)]) -> Bed {
    let bed = Bed::with(world(), further).await;
    bed.sync().await;
    bed.link(ALICE, "team-a", "");
    bed.allocate(ALICE, "100");
    bed
}

/// How many keys are active, whether login is allowed, and whether signed requests work, in the cloud.
fn open(bed: &Bed) -> (usize, bool, bool) {
    bed.cloud.read(|world| {
        let user = world.user("main", "alice").unwrap();
        let keys = user.keys.iter().filter(|key| key.status == KeyStatus::Active).count();
        let denied = user.policies.iter().any(|policy| policy.name == DENY_ALL);
        (keys, user.login.allowed(), !denied)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_cannot_be_read_or_closed_keeps_nothing_else_open() {
    for (action, fault, still_open) in [
        ("UpdateAccessKey", denied(), (2, false, false)),
        ("UpdateLoginProfile", denied(), (0, true, false)),
        ("AttachUserPolicy", denied(), (0, false, true)),
        ("CreatePolicy", denied(), (0, false, true)),
        ("GetPolicy", Fault::Status(500), (0, false, true)),
        ("GetLoginProfile", denied(), (0, true, false)),
        ("GetLoginProfile", Fault::Status(500), (0, true, false)),
        ("ListAttachedUserPolicies", denied(), (0, false, true)),
        // A sync has read that airgate's own key is not among this user's.
        ("ListAccessKeys", denied(), (2, false, false)),
        ("ListAccessKeys", Fault::Status(500), (2, false, false)),
    ] {
        let bed = over_quota(&[]).await;
        let cell = format!("{action}, {fault:?}");
        bed.cloud.faults().inject(FaultRule::new(fault).on(action));
        decide(&bed).await;
        let pending = || bed.store.read(|tx| tx.access_pending(&user_key(ALICE))).unwrap();
        eventually(&cell, || pending().is_some_and(|pending| pending.attempts > 0)).await;
        assert_eq!(open(&bed), still_open, "{cell}");
        assert_eq!(bed.user(ALICE).status, UserStatus::Active, "{cell}: not read back");
        assert!(pending().unwrap().last_error.is_some(), "{cell}");
        bed.cloud.faults().clear();
        bed.settled().await;
        assert_eq!(open(&bed), (0, false, false), "{cell}");
        // Nothing was forgotten on the way.
        want(&bed, AccessGoal::Restored);
        bed.settled().await;
        assert_eq!(open(&bed), (2, true, true), "{cell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_closed_does_not_stop_the_next() {
    let bed = over_quota(&[]).await;
    bed.cloud.faults().inject(FaultRule::new(denied()).on("UpdateAccessKey").times(1));
    decide(&bed).await;
    bed.settled().await;
    let keys: Vec<String> = bed.cloud.read(|world| {
        world.user("main", "alice").unwrap().keys.iter().map(|key| key.id.clone()).collect()
    });
    let closed: Vec<String> = bed
        .cloud
        .calls()
        .into_iter()
        .filter(|call| call.action == "UpdateAccessKey")
        .map(|call| call.params["AccessKeyId"].clone())
        .collect();
    assert_eq!(closed[..3], [keys[0].clone(), keys[1].clone(), keys[0].clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_failed_is_named() {
    let bed = over_quota(&[]).await;
    for (action, words) in [("UpdateAccessKey", "no keys"), ("UpdateLoginProfile", "no login")] {
        let fault =
            Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: words.to_owned() };
        bed.cloud.faults().inject(FaultRule::new(fault).on(action));
    }
    decide(&bed).await;
    let error = || {
        let pending = bed.store.read(|tx| tx.access_pending(&user_key(ALICE))).unwrap();
        pending.and_then(|pending| pending.last_error).unwrap_or_default()
    };
    eventually("both reasons", || error().contains("no keys") && error().contains("no login"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_cut_is_alerted_at_the_minute_whenever_the_next_attempt_is() {
    let bed = over_quota(&[]).await;
    bed.cloud.faults().inject(FaultRule::new(denied()).on("UpdateAccessKey"));
    decide(&bed).await;
    let pending = || bed.store.read(|tx| tx.access_pending(&user_key(ALICE))).unwrap().unwrap();
    eventually("an attempt", || pending().attempts > 0).await;
    // As after a minute during which the back-off has grown.
    let mut old = pending();
    let now = bed.clock.now();
    old.since = now.checked_sub(SignedDuration::from_secs(61)).unwrap();
    old.next_at = now.checked_add(SignedDuration::from_secs(50)).unwrap();
    bed.store.write(|tx| tx.put_access_pending(&user_key(ALICE), &old)).unwrap();
    let delays = || problems(&bed, |problem| matches!(problem, Problem::AccessDelayed { .. }));
    eventually("the alert", || delays() == 1).await;
    assert_eq!(pending().attempts, old.attempts, "alerted before the next attempt");
    assert_eq!(pending().next_at, old.next_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_holds_up_no_retry() {
    let bed = over_quota(&[]).await;
    bed.cloud.faults().inject(FaultRule::new(denied()).on("UpdateAccessKey"));
    decide(&bed).await;
    let attempts = || {
        let pending = bed.store.read(|tx| tx.access_pending(&user_key(ALICE))).unwrap();
        pending.map_or(0, |pending| pending.attempts)
    };
    eventually("attempts", || attempts() > 1).await;
    bed.clock.advance(SignedDuration::from_hours(-24));
    let before = attempts();
    eventually("another attempt", || attempts() > before).await;
    bed.cloud.faults().clear();
    bed.settled().await;
    assert!(bed.is_cut_off("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_of_a_user_who_is_gone_ends() {
    let bed = over_quota(&[]).await;
    bed.cloud.update(|world| world.account_mut("main").unwrap().users.remove("alice"));
    let card = bed.ask(ADMIN, "/disable alice").await;
    bed.press(ADMIN, &card.message_id, serde_json::json!({"action": "user.disable"})).await;
    // Nobody syncs: the attempt itself finds out.
    bed.settled().await;
    assert_eq!(bed.user(ALICE).status, UserStatus::Gone);
    bed.shows(&card.message_id, &phrase("status.gone")).await;
    assert_eq!(problems(&bed, |_| true), 0);
    // And a cut that the monitor wants is not wanted again.
    assert_eq!(bed.cycle().await.disables, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_follows_a_user_who_was_renamed() {
    let bed = over_quota(&[]).await;
    bed.cloud.update(|world| {
        let main = world.account_mut("main").unwrap();
        let mut alice = main.users.remove("alice").unwrap();
        alice.name = "alina".to_owned();
        main.users.insert("alina".to_owned(), alice);
    });
    decide(&bed).await;
    bed.settled().await;
    assert!(bed.is_cut_off("alina"));
    let alina = bed.user("main/alina");
    assert_eq!((alina.status, alina.quota.to_string()), (UserStatus::Disabled, "¥100.00".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_is_opened_again_after_a_cut_is_closed_again_and_alerted_once() {
    let bed = over_quota(&[]).await;
    bed.cycle().await;
    assert!(bed.is_cut_off("alice"));
    let reopened = || problems(&bed, |problem| matches!(problem, Problem::AccessReopened { .. }));
    bed.cycle().await;
    assert_eq!(reopened(), 0);
    for _ in 0..6 {
        bed.cloud.clear_calls();
        bed.cycle().await;
        assert!(looks(&bed) <= 2, "two calls a user and cycle: {:#?}", bed.cloud.calls());
    }
    assert_eq!(reopened(), 0);

    type Opens = fn(&mut World);
    let by_hand: [Opens; 3] = [
        |world| {
            let key = world.user("main", "alice").unwrap().keys[0].id.clone();
            set_active(world, &key);
        },
        |world| {
            let user = world.user_mut("main", "alice").unwrap();
            user.login.profile.as_mut().unwrap().login_allowed = true;
        },
        // A key that did not exist before the cut.
        |world| {
            world.user_mut("main", "alice").unwrap().add_key(KeyStatus::Active);
        },
    ];
    for (n, open) in by_hand.into_iter().enumerate() {
        bed.cloud.update(open);
        assert!(!bed.is_cut_off("alice"));
        for _ in 0..4 {
            bed.cycle().await;
            bed.settled().await;
        }
        assert!(bed.is_cut_off("alice"), "{n}");
        assert_eq!((bed.user(ALICE).status, reopened()), (UserStatus::Disabled, n + 1));
        bed.cycle().await;
        assert_eq!(reopened(), n + 1, "alerted once");
    }
    let title = text("alert.reopened", &[("user", &"alice")]);
    assert_eq!(bed.alerts().iter().filter(|card| text_of(card).contains(&title)).count(), 3);
    // A restore gives back what was active before the cut, and not the key that was created later.
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert_eq!(open(&bed).0, 2);
    assert!(open(&bed).1);
}

/// How many calls were made for one user: all but bills, usage, the policy, and the list of those who hold it.
fn looks(bed: &Bed) -> usize {
    let of_all = [
        "ListSplitBillDetail",
        "ListBillDetail",
        "GetInferenceUsage",
        "GetPolicy",
        "ListEntitiesForPolicy",
    ];
    bed.cloud.calls().iter().filter(|call| !of_all.contains(&call.action.as_str())).count()
}

fn set_active(world: &mut World, id: &str) {
    let user = world.user_mut("main", "alice").unwrap();
    let key = user.keys.iter_mut().find(|key| key.id == id).unwrap();
    key.status = KeyStatus::Active;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_disabled_by_a_person_is_kept_closed_as_well() {
    let bed = Bed::start(world()).await;
    bed.sync().await;
    want(&bed, AccessGoal::Cut);
    bed.settled().await;
    bed.cloud.update(|world| {
        let user = world.user_mut("main", "alice").unwrap();
        user.login.profile.as_mut().unwrap().login_allowed = true;
    });
    bed.clock.advance(SignedDuration::from_mins(2));
    // A sync sees it, too.
    bed.sync().await;
    bed.settled().await;
    assert!(bed.is_cut_off("alice"));
    assert_eq!(problems(&bed, |problem| matches!(problem, Problem::AccessReopened { .. })), 1);
}
