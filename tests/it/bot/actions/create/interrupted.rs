//! Each step of creating a user fails, or the process ends in it: it is made once, completely, all the same.

use airgate::sandbox::feishu::{Fault as ChatFault, FaultRule as ChatRule};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    assert_complete, assert_secret, bed, create, created, ended, full, go_on, made, secrets,
};
use crate::bed::{ADMIN, ADMIN_2, GROUP, TIMEOUT, fragment, phrase, text, text_of};

/// How a call can fail, carried out or not.
fn faults() -> [Fault; 6] {
    [
        Fault::LostAnswer,
        Fault::WrongJson,
        Fault::CutBody,
        Fault::ResetConnection,
        Fault::Status(502),
        Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: "no".to_owned() },
    ]
}

const STEPS: [&str; 6] = [
    "GetUser",
    "CreateUser",
    "CreateLoginProfile",
    "ListAccessKeys",
    "CreateAccessKey",
    "GetLoginProfile",
];

/// What the card says while bob is incomplete.
fn partly() -> String {
    text("create.made_partly", &[("user", &"bob")])
}

/// Creates bob while one step fails once. If nothing was created, sends the form again; if part of it, continues.
async fn fails_once(step: &str, fault: Fault) {
    let what = format!("{step} {fault:?}");
    let bed = bed().await;
    bed.cloud.faults().inject(FaultRule::new(fault).on(step).times(1));
    let mut card = create(&bed, full()).await;
    assert_secret(&bed, &what);
    if card.content.contains("\"username\"") {
        assert!(made(&bed).is_none(), "{what}");
        assert!(text_of(&card).contains(&fragment("create.nothing_made")), "{what}");
        bed.submit(ADMIN, &card.message_id, "user.create", json!({})).await;
        card = ended(&bed, &card.message_id).await;
    }
    if text_of(&card).contains(&partly()) {
        card = go_on(&bed, ADMIN, &card).await;
    }
    assert!(text_of(&card).contains(&created()), "{what}: {}", text_of(&card));
    assert_complete(&bed, &what);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_once_creates_nothing_twice() {
    for fault in faults() {
        // Beds share nothing, so they run in parallel.
        let steps = STEPS.map(|step| fails_once(step, fault.clone()));
        futures::future::join_all(steps).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_creation_shows_what_exists_and_another_person_can_continue_it() {
    let bed = bed().await;
    let refused =
        Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: "no keys".to_owned() };
    bed.cloud.faults().inject(FaultRule::new(refused).on("CreateAccessKey"));
    let card = create(&bed, full()).await;
    let shown = text_of(&card);
    assert!(shown.contains("no keys") && shown.contains(&partly()), "{shown}");
    assert_eq!(shown.matches(&phrase("create.done")).count(), 4, "{shown}");
    assert_eq!(shown.matches(&format!(">{}", phrase("create.not_done"))).count(), 1, "{shown}");
    // The password was sent to the first operator; the key will go to the one who continues.
    assert_eq!(secrets(&bed, ADMIN).len(), 1);
    bed.cloud.faults().clear();
    let card = go_on(&bed, ADMIN_2, &card).await;
    assert!(
        text_of(&card).contains(&text("create.secrets_sent", &[("operator", &"赵管理")])),
        "{}",
        text_of(&card)
    );
    let told = secrets(&bed, ADMIN_2);
    let key = made(&bed).unwrap().keys[0].secret.expose_secret().to_owned();
    assert!(told.len() == 1 && told[0].content.contains(&key));
    assert_eq!(made(&bed).unwrap().keys.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_continues_after_a_crash_at_any_step() {
    for step in ["CreateUser", "CreateLoginProfile", "CreateAccessKey"] {
        // Before the cloud carries the call out, and after.
        for fault in [Fault::Timeout, Fault::Slow(TIMEOUT)] {
            let what = format!("{step} {fault:?}");
            let mut bed = bed().await;
            bed.cloud.faults().inject(FaultRule::new(fault).on(step).times(1));
            let form = bed.ask(ADMIN, "/create").await;
            bed.submit(ADMIN, &form.message_id, "user.create", full()).await;
            tokio::time::timeout(TIMEOUT, bed.cloud.called(step, 1)).await.unwrap();
            bed.restart().await;
            let card = ended(&bed, &form.message_id).await;
            assert!(text_of(&card).contains(&created()), "{what}: {}", text_of(&card));
            assert_complete(&bed, &what);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_for_an_operator_who_cannot_be_reached_are_dropped_and_the_card_says_so() {
    let bed = bed().await;
    let form = bed.ask_in(ADMIN, GROUP, "/create", true).await;
    let gone = ChatFault::Code { http: 400, code: 230_013, msg: "no availability".to_owned() };
    bed.feishu.faults().inject(ChatRule::new(gone).on("send"));
    bed.submit(ADMIN, &form.message_id, "user.create", full()).await;
    let card = bed.shows(&form.message_id, &fragment("create.secrets_lost")).await;
    assert!(text_of(&card).contains("230013"), "{}", text_of(&card));
    bed.settled().await;
    assert!(secrets(&bed, ADMIN).is_empty());
    assert_secret(&bed, "unreachable");
    let creation = bed.store.read(|tx| tx.creation(1)).unwrap().unwrap();
    assert_eq!(creation.sealed, None);
    let failed = bed.store.read(|tx| tx.failed_messages(5)).unwrap();
    assert!(format!("{failed:?}").contains("sealed: \"\""), "{failed:?}");
}
