//! Policies: attached with a project, or with the first, and detached with it, or with the last, with each step failing
//! once.

use std::collections::BTreeSet;

use airgate::domain::{self, DENY_ALL_POLICY, GrantState};
use airgate::sandbox::feishu::Message;
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{self, KeyStatus, PolicyKind, PolicyScope, World};
use airgate::store::StoreError;
use serde_json::json;

use crate::bed::{
    ADMIN, Bed, TIMEOUT, eventually_ok, fragment, one_account, phrase, text, text_of, user_key,
};

const TWO: (&str, &str) = ("ACCESS__PROJECT_POLICIES", "ArkFullAccess,TOSFullAccess");
const GLOBAL: (&str, &str) = ("ACCESS__GLOBAL_POLICIES", "ArkGlobalInitAccess");

fn cloud() -> World {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_project("team-a", "甲组");
    world.account_mut("main").unwrap().add_project("team-b", "乙组");
    world.account_mut("main").unwrap().add_user("alice");
    world.user_mut("main", "alice").unwrap().add_key(KeyStatus::Active);
    world
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

fn calls(bed: &Bed, action: &str) -> usize {
    bed.cloud.calls().iter().filter(|call| call.action == action).count()
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
        .read(|tx| {
            let scope = domain::PolicyScope::Project(name.parse().unwrap());
            tx.authorisation(&user_key("main/alice"), &scope)
        })
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

/// A conflict can also mean that the user holds the policy in the whole account, which airgate must not take for its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_somebody_attaches_everywhere_meanwhile_is_not_airgates() {
    let bed = Bed::with(cloud(), &[TWO]).await;
    bed.sync().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(403)).on("AttachPolicyInProject"));
    add(&bed, "team-a").await;
    tokio::time::timeout(TIMEOUT, bed.cloud.called("AttachPolicyInProject", 1)).await.unwrap();
    bed.cloud.update(|world| {
        let alice = world.user_mut("main", "alice").unwrap();
        alice.attach("ArkFullAccess", PolicyKind::System, PolicyScope::Global);
    });
    bed.cloud.faults().clear();
    settled(&bed).await;
    assert_eq!(held(&bed), set(&["ArkFullAccess System *", "TOSFullAccess System team-a"]));
    let states = states(&bed, "team-a");
    assert_eq!(states[0], ("ArkFullAccess".to_owned(), GrantState::Held));
    remove(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&["ArkFullAccess System *"]));
}

/// "Attached already" is believed only if the user's policies show it.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_without_a_policy_is_tried_again() {
    for (action, scope) in [("AttachPolicyInProject", "team-a"), ("AttachUserPolicy", "*")] {
        let bed = Bed::with(cloud(), &[TWO, GLOBAL]).await;
        bed.sync().await;
        let conflict = Fault::Code {
            http: 409,
            code: "PolicyAttachConflict".into(),
            message: "attached already".into(),
        };
        bed.cloud.faults().inject(FaultRule::new(conflict).on(action).times(1));
        add(&bed, "team-a").await;
        settled(&bed).await;
        assert_eq!(held(&bed).len(), 3, "{:?}", held(&bed));
        assert!(held(&bed).iter().any(|policy| policy.ends_with(scope)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn global_policies_come_with_the_first_project_and_go_with_the_last() {
    let bed = Bed::with(cloud(), &[("ACCESS__PROJECT_POLICIES", "ArkFullAccess"), GLOBAL]).await;
    bed.sync().await;
    let card = add(&bed, "team-a").await;
    let line = |policies: &str| text("policies.everywhere", &[("policies", &policies)]);
    let attaching = one("ArkGlobalInitAccess", &phrase("policies.attaching"));
    assert!(text_of(&card).contains(&line(&attaching)), "{}", text_of(&card));
    settled(&bed).await;
    bed.shows(&card.message_id, &line("ArkGlobalInitAccess")).await;
    let first = ["ArkFullAccess System team-a", "ArkGlobalInitAccess System *"];
    assert_eq!(held(&bed), set(&first));
    add(&bed, "team-b").await;
    settled(&bed).await;
    assert_eq!(calls(&bed, "AttachUserPolicy"), 1);
    remove(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&["ArkFullAccess System team-b", "ArkGlobalInitAccess System *"]));
    remove(&bed, "team-b").await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&[]));
    assert!(bed.store.read(|tx| tx.authorisations_of(&user_key("main/alice"))).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_global_policy_that_the_user_held_before_is_never_detached() {
    let mut world = cloud();
    let alice = world.user_mut("main", "alice").unwrap();
    alice.attach("ArkGlobalInitAccess", PolicyKind::System, PolicyScope::Global);
    let bed = Bed::with(world, &[GLOBAL]).await;
    bed.sync().await;
    add(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(calls(&bed, "AttachUserPolicy"), 0);
    remove(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&["ArkGlobalInitAccess System *"]));
}

/// Held in a project only is not held in the whole account.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_held_in_one_project_does_not_count_as_global() {
    let mut world = cloud();
    let alice = world.user_mut("main", "alice").unwrap();
    let within = PolicyScope::Project("team-b".to_owned());
    alice.attach("ArkGlobalInitAccess", PolicyKind::System, within);
    let bed = Bed::with(world, &[GLOBAL]).await;
    bed.sync().await;
    add(&bed, "team-a").await;
    settled(&bed).await;
    let both = ["ArkGlobalInitAccess System *", "ArkGlobalInitAccess System team-b"];
    assert_eq!(held(&bed), set(&both));
    remove(&bed, "team-a").await;
    settled(&bed).await;
    assert_eq!(held(&bed), set(&["ArkGlobalInitAccess System team-b"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_granted_both_ways_leaves_with_the_last_project() {
    let bed = Bed::with(
        cloud(),
        &[("ACCESS__PROJECT_POLICIES", "ArkGlobalInitAccess,ArkFullAccess"), GLOBAL],
    )
    .await;
    bed.sync().await;
    for name in ["team-a", "team-b"] {
        add(&bed, name).await;
        settled(&bed).await;
    }
    assert!(held(&bed).contains("ArkGlobalInitAccess System *"));
    for name in ["team-b", "team-a"] {
        remove(&bed, name).await;
        settled(&bed).await;
    }
    assert_eq!(held(&bed), set(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn global_policies_survive_each_failure_and_a_crash() {
    for fault in faults() {
        for action in ["ListAttachedUserPolicies", "AttachUserPolicy", "DetachUserPolicy"] {
            let mut bed = Bed::with(cloud(), &[GLOBAL]).await;
            bed.sync().await;
            bed.cloud.faults().inject(FaultRule::new(fault.clone()).on(action).times(1));
            add(&bed, "team-a").await;
            if action != "DetachUserPolicy" {
                tokio::time::timeout(TIMEOUT, bed.cloud.called(action, 1)).await.unwrap();
            }
            bed.restart().await;
            settled(&bed).await;
            assert_eq!(held(&bed), set(&["ArkGlobalInitAccess System *"]), "{action} {fault:?}");
            remove(&bed, "team-a").await;
            if action == "DetachUserPolicy" {
                tokio::time::timeout(TIMEOUT, bed.cloud.called(action, 1)).await.unwrap();
            }
            bed.restart().await;
            settled(&bed).await;
            assert_eq!(held(&bed), set(&[]), "{action} {fault:?}");
        }
    }
}

/// Policies wait while access is being changed, so that the two never overtake each other. Once the user is disabled they
/// go on: what they would allow is closed by the cut itself.
#[tokio::test(flavor = "multi_thread")]
async fn policies_wait_for_a_cut_and_then_go_on() {
    let bed = Bed::with(cloud(), &[TWO]).await;
    bed.sync().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(403)).on("UpdateAccessKey"));
    press(&bed, "/disable alice", "user.disable").await;
    tokio::time::timeout(TIMEOUT, bed.cloud.called("UpdateAccessKey", 1)).await.unwrap();
    let card = add(&bed, "team-a").await;
    assert!(text_of(&card).contains(&phrase("policies.attaching")), "{}", text_of(&card));
    // Several wake-ups, and answers in between.
    for _ in 0..5 {
        bed.service().wakers().policies.notify_one();
        bed.ask(ADMIN, "/help").await;
    }
    assert_eq!(calls(&bed, "AttachPolicyInProject"), 0);
    bed.cloud.faults().clear();
    access_settled(&bed).await;
    let both = ["ArkFullAccess System team-a", "TOSFullAccess System team-a"];
    let granted: BTreeSet<String> =
        held(&bed).into_iter().filter(|policy| !policy.starts_with(DENY_ALL_POLICY)).collect();
    assert_eq!(granted, set(&both));
    remove(&bed, "team-a").await;
    settled(&bed).await;
    assert!(states(&bed, "team-a").is_empty());
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
