//! Policies: attached with a project, detached with it, detached by a cut and reattached, with each step failing once.

use std::collections::BTreeSet;

use airgate::domain::GrantState;
use airgate::sandbox::feishu::Message;
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{self, KeyStatus, PolicyKind, PolicyScope, World};
use airgate::store::StoreError;
use serde_json::json;

use crate::bed::{
    ADMIN, Bed, TIMEOUT, eventually_ok, fragment, one_account, phrase, text, text_of, user_key,
};

const TWO: (&str, &str) = ("ACCESS__PROJECT_POLICIES", "ArkFullAccess,TOSFullAccess");
const DETACH: (&str, &str) = ("ACCESS__DETACH_POLICIES", "true");

fn cloud() -> World {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_project("team-a", "甲组");
    world.account_mut("main").unwrap().add_project("team-b", "乙组");
    world.account_mut("main").unwrap().add_user("alice");
    world.user_mut("main", "alice").unwrap().add_key(KeyStatus::Active);
    world
}

fn project(name: &str) -> PolicyScope {
    PolicyScope::Project(name.to_owned())
}

/// `name kind scope` of every policy attached to alice.
fn held(bed: &Bed) -> BTreeSet<String> {
    bed.cloud.read(|world| {
        let alice = world.user("main", "alice").unwrap();
        let scopes = alice.policies.iter().flat_map(|policy| {
            policy.scopes.iter().map(move |(scope, _)| match scope {
                PolicyScope::Global => format!("{} {} *", policy.name, policy.kind.as_str()),
                PolicyScope::Project(p) => format!("{} {} {p}", policy.name, policy.kind.as_str()),
            })
        });
        scopes.collect()
    })
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

async fn add(bed: &Bed, name: &str) -> Message {
    let card = bed.ask(ADMIN, "/projects alice").await;
    let fields = json!({ "project_name": name }).as_object().unwrap().clone();
    let is_add = |value: &serde_json::Value| value["action"] == "project.add";
    let added = bed.feishu.form_click(ADMIN, &card.message_id, is_add, fields).await;
    assert_eq!(added.error, None);
    bed.feishu.message(&card.message_id).unwrap()
}

async fn remove(bed: &Bed, name: &str) {
    let card = bed.ask(ADMIN, "/projects alice").await;
    let name = name.to_owned();
    let wanted =
        move |v: &serde_json::Value| v["action"] == "project.remove" && v["project"] == *name;
    let button = bed.feishu.find_button(&card.message_id, wanted).unwrap();
    assert_eq!(bed.feishu.click(ADMIN, &card.message_id, button).await.error, None);
}

async fn press(bed: &Bed, command: &str, action: &'static str) {
    let card = bed.ask(ADMIN, command).await;
    let button = bed.feishu.find_button(&card.message_id, |v| v["action"] == action).unwrap();
    assert_eq!(bed.feishu.click(ADMIN, &card.message_id, button).await.error, None);
}

/// Waits until nothing is owed, policies included. Advances the clock, so that back-off takes no time.
async fn settled(bed: &Bed) {
    eventually_ok("policies to be attached or detached", async || {
        let owed = bed.store.read(|tx| tx.authorisations_owed()).unwrap();
        if owed.is_empty() {
            return Ok(());
        }
        bed.clock.advance(jiff::SignedDuration::from_millis(200));
        bed.service().wakers().policies.notify_one();
        Err(owed)
    })
    .await;
    bed.settled().await;
}

/// Waits until no change of access is owed, then for the rest. Advances the clock as well.
async fn access_settled(bed: &Bed) {
    bed.eventually("changes of access", |bed| {
        bed.clock.advance(jiff::SignedDuration::from_millis(200));
        bed.service().wakers().access.notify_one();
        bed.store.read(|tx| tx.all_access_pending()).unwrap().is_empty()
    })
    .await;
    settled(bed).await;
}

/// A policy and its state, as cards show them.
fn one(policy: &str, state: &str) -> String {
    text("policies.one", &[("policy", &policy), ("state", &state)])
}

fn states(bed: &Bed, name: &str) -> Vec<(String, GrantState)> {
    let known = bed
        .store
        .read(|tx| tx.authorisation(&user_key("main/alice"), &name.parse().unwrap()))
        .unwrap();
    let grants = known.map(|known| known.grants).unwrap_or_default();
    grants.into_iter().map(|grant| (grant.policy, grant.state)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_a_project_attaches_its_policies_and_removing_it_detaches_exactly_those() {
    let mut world = cloud();
    world.user_mut("main", "alice").unwrap().attach(
        "TOSFullAccess",
        PolicyKind::System,
        PolicyScope::Global,
    );
    let bed = Bed::with(world, &[TWO]).await;
    bed.sync().await;
    let card = add(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&["ArkFullAccess System team-a", "TOSFullAccess System *"]));
    assert_eq!(
        states(&bed, "team-a"),
        [
            ("ArkFullAccess".to_owned(), GrantState::Attached),
            ("TOSFullAccess".to_owned(), GrantState::Held)
        ]
    );
    // The card that said "being attached" is updated.
    let held_already = one("TOSFullAccess", &phrase("policies.held"));
    let policies = format!("ArkFullAccess{}{held_already}", phrase("list.separator"));
    let line = text("policies.line", &[("policies", &policies)]);
    bed.shows(&card.message_id, &line).await;
    remove(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&["TOSFullAccess System *"]));
    assert!(states(&bed, "team-a").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_policies_are_found_and_missing_ones_are_retried() {
    let mut world = cloud();
    world.account_mut("main").unwrap().custom_policies.insert("team-basics".to_owned());
    let bed = Bed::with(world, &[("ACCESS__PROJECT_POLICIES", "team-basics,not-yet")]).await;
    bed.sync().await;
    let card = add(&bed, "team-a").await;
    // A policy that does not exist is shown with the cloud's reason, and retried.
    let card = bed.shows(&card.message_id, "PolicyNotExist").await;
    let failed = format!("not-yet（{}", fragment("policies.failed"));
    assert!(text_of(&card).contains(&failed), "{}", text_of(&card));
    assert_eq!(held(&bed), set(&["team-basics Custom team-a"]));
    bed.cloud.update(|world| {
        let account = world.account_mut("main").unwrap();
        account.custom_policies.insert("not-yet".to_owned());
    });
    settled(&bed).await;
    assert_eq!(held(&bed), set(&["team-basics Custom team-a", "not-yet Custom team-a"]));
    remove(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&[]));
}

/// How a call can fail.
fn faults() -> Vec<Fault> {
    let refused =
        Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: "not now".to_owned() };
    vec![refused, Fault::LostAnswer, Fault::NotJson]
}

#[tokio::test(flavor = "multi_thread")]
async fn attaching_and_detaching_survive_each_failure() {
    for fault in faults() {
        for (action, skip) in [
            ("ListAttachedUserPolicies", 0),
            ("AttachPolicyInProject", 0),
            ("AttachPolicyInProject", 1),
            ("DetachPolicyInProject", 0),
            ("DetachPolicyInProject", 1),
        ] {
            let bed = Bed::with(cloud(), &[TWO]).await;
            bed.sync().await;
            bed.cloud
                .faults()
                .inject(FaultRule::new(fault.clone()).on(action).after(skip).times(1));
            add(&bed, "team-a").await;
            settled(&bed).await;
            let both = ["ArkFullAccess System team-a", "TOSFullAccess System team-a"];
            assert_eq!(held(&bed), set(&both), "{action} {fault:?}");
            let all = states(&bed, "team-a");
            assert!(
                all.iter().all(|(_, s)| *s == GrantState::Attached),
                "{action} {fault:?} {all:?}"
            );
            remove(&bed, "team-a").await;
            settled(&bed).await;
            assert_eq!(held(&bed), set(&[]), "{action} {fault:?}");
            assert_eq!(bed.cloud.faults().pending(), 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_attached_just_before_a_crash_is_still_known_as_ours() {
    let mut bed = Bed::with(cloud(), &[TWO]).await;
    bed.sync().await;
    // Only the first attachment is carried out, and its answer is lost.
    let refused = Fault::Status(403);
    bed.cloud
        .faults()
        .inject(FaultRule::new(Fault::LostAnswer).on("AttachPolicyInProject").times(1));
    bed.cloud.faults().inject(FaultRule::new(refused).on("AttachPolicyInProject"));
    add(&bed, "team-a").await;
    tokio::time::timeout(TIMEOUT, bed.cloud.called("AttachPolicyInProject", 2)).await.unwrap();
    bed.restart().await;
    bed.cloud.faults().clear();
    settled(&bed).await;
    remove(&bed, "team-a").await;
    bed.restart().await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_removed_before_its_policies_were_attached_leaves_nothing() {
    let bed = Bed::with(cloud(), &[TWO]).await;
    bed.sync().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(403)).on("AttachPolicyInProject"));
    add(&bed, "team-a").await;
    tokio::time::timeout(TIMEOUT, bed.cloud.called("AttachPolicyInProject", 1)).await.unwrap();
    remove(&bed, "team-a").await;
    bed.cloud.faults().clear();
    settled(&bed).await;
    assert_eq!(held(&bed), set(&[]));
    add(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed).len(), 2);
}

/// Policies in every scope, of both kinds.
fn loaded() -> World {
    let mut world = cloud();
    world.account_mut("main").unwrap().custom_policies.insert("mine".to_owned());
    let alice = world.user_mut("main", "alice").unwrap();
    alice.attach("ECSFullAccess", PolicyKind::System, PolicyScope::Global);
    alice.attach("ArkFullAccess", PolicyKind::System, PolicyScope::Global);
    alice.attach("ArkFullAccess", PolicyKind::System, project("team-b"));
    alice.attach("mine", PolicyKind::Custom, project("team-a"));
    world
}

const LOADED: [&str; 4] = [
    "ECSFullAccess System *",
    "ArkFullAccess System *",
    "ArkFullAccess System team-b",
    "mine Custom team-a",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_detaches_every_policy_and_a_restore_reattaches_each_whatever_fails_once() {
    let steps = [
        ("user.disable", "ListAttachedUserPolicies", 0),
        ("user.disable", "UpdateAccessKey", 0),
        ("user.disable", "DetachUserPolicy", 0),
        ("user.disable", "DetachUserPolicy", 1),
        ("user.disable", "DetachPolicyInProject", 1),
        ("user.disable", "ListAttachedUserPolicies", 1),
        ("user.enable", "ListAttachedUserPolicies", 0),
        ("user.enable", "AttachUserPolicy", 1),
        ("user.enable", "AttachPolicyInProject", 0),
        ("user.enable", "ListAttachedUserPolicies", 1),
    ];
    for (n, (during, action, skip)) in steps.into_iter().enumerate() {
        let fault = faults().swap_remove(n % 3);
        let mut bed = Bed::with(loaded(), &[DETACH]).await;
        bed.sync().await;
        for (command, button) in
            [("/disable alice", "user.disable"), ("/enable alice", "user.enable")]
        {
            if button == during {
                let rule = FaultRule::new(fault.clone()).on(action).after(skip).times(1);
                bed.cloud.faults().inject(rule);
            }
            press(&bed, command, button).await;
            if button == during {
                // A crash right after the failure.
                tokio::time::timeout(TIMEOUT, bed.cloud.called(action, skip as usize + 1))
                    .await
                    .unwrap();
                bed.restart().await;
            }
            access_settled(&bed).await;
            let expected = if button == "user.disable" { set(&[]) } else { set(&LOADED) };
            assert_eq!(held(&bed), expected, "{during} {action} {skip} {fault:?} after {button}");
        }
        let alice = user_key("main/alice");
        assert_eq!(bed.store.read(|tx| tx.access_remembered(&alice)).unwrap(), None);
    }
}

/// For a policy that is already detached, by airgate or by somebody else, the cloud says that it is not attached.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_attached_counts_as_detached() {
    let bed = Bed::with(cloud(), &[TWO]).await;
    bed.sync().await;
    add(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed).len(), 2);
    bed.cloud.update(|world| world.user_mut("main", "alice").unwrap().policies.clear());
    remove(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&[]));
    assert!(states(&bed, "team-a").is_empty());
}

/// Only the cloud's "not attached" counts as detached. A conflict of another kind leaves the policy owed.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_is_not_understood_does_not_count_as_detached() {
    let bed = Bed::with(cloud(), &[TWO]).await;
    bed.sync().await;
    add(&bed, "team-a").await;
    settled(&bed).await;
    let conflict =
        Fault::Code { http: 409, code: "PolicyInUseConflict".into(), message: "in use".into() };
    bed.cloud.faults().inject(FaultRule::new(conflict).on("DetachPolicyInProject"));
    remove(&bed, "team-a").await;
    tokio::time::timeout(TIMEOUT, bed.cloud.called("DetachPolicyInProject", 3)).await.unwrap();
    assert!(!states(&bed, "team-a").is_empty());
    bed.cloud.faults().clear();
    settled(&bed).await;
    assert_eq!(held(&bed), set(&[]));
    assert!(states(&bed, "team-a").is_empty());
}

/// A policy whose type nobody knows does not hide the others, and is reported as the one that stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_another_type_does_not_stop_the_rest_of_the_cut() {
    let mut world = loaded();
    let alice = world.user_mut("main", "alice").unwrap();
    alice.attach("ServiceRole", PolicyKind::ServiceLinked, PolicyScope::Global);
    let bed = Bed::with(world, &[DETACH]).await;
    bed.sync().await;
    press(&bed, "/disable alice", "user.disable").await;
    let left = set(&["ServiceRole ServiceLinked *"]);
    bed.eventually("the others are detached", |bed| held(bed) == left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_cut_even_while_policies_cannot_be_read() {
    let bed = Bed::with(loaded(), &[DETACH]).await;
    bed.sync().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(403)).on("ListAttachedUserPolicies"));
    press(&bed, "/disable alice", "user.disable").await;
    bed.eventually("the cut", |bed| bed.is_cut_off("alice")).await;
    bed.cloud.faults().clear();
    access_settled(&bed).await;
    assert_eq!(held(&bed), set(&[]));
    press(&bed, "/enable alice", "user.enable").await;
    access_settled(&bed).await;
    assert_eq!(held(&bed), set(&LOADED));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_access_is_cut_nothing_is_attached_and_removed_projects_do_not_come_back() {
    let bed = Bed::with(cloud(), &[TWO, DETACH]).await;
    bed.sync().await;
    add(&bed, "team-a").await;
    settled(&bed).await;
    press(&bed, "/disable alice", "user.disable").await;
    access_settled(&bed).await;
    assert_eq!(held(&bed), set(&[]));
    remove(&bed, "team-a").await;
    settled(&bed).await;
    let card = add(&bed, "team-b").await;
    assert!(text_of(&card).contains(&phrase("policies.attaching")), "{}", text_of(&card));
    // Several wake-ups, and answers in between.
    for _ in 0..5 {
        bed.service().wakers().policies.notify_one();
        bed.ask(ADMIN, "/help").await;
    }
    assert_eq!(held(&bed), set(&[]));
    press(&bed, "/enable alice", "user.enable").await;
    access_settled(&bed).await;
    let both = ["ArkFullAccess System team-b", "TOSFullAccess System team-b"];
    assert_eq!(held(&bed), set(&both));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_owed_to_a_user_who_is_gone() {
    let bed = Bed::with(cloud(), &[TWO]).await;
    bed.sync().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(403)).on("AttachPolicyInProject"));
    add(&bed, "team-a").await;
    tokio::time::timeout(TIMEOUT, bed.cloud.called("AttachPolicyInProject", 1)).await.unwrap();
    bed.cloud.update(|world: &mut world::World| {
        world.account_mut("main").unwrap().users.remove("alice");
    });
    bed.sync().await;
    settled(&bed).await;
    let left: Result<_, StoreError> =
        bed.store.read(|tx| tx.authorisations_of(&user_key("main/alice")));
    assert!(left.unwrap().is_empty());
}
