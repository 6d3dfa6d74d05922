//! Creating a user, with each call failing until the fault ends. Then the creation is continued or the form is sent again,
//! and there is one user with one key and one password, which one person received once. (For each call failing once, see
//! `bot::actions::create::interrupted`.)

use airgate::sandbox::volcengine::FaultRule;
use airgate::sandbox::world::KeyStatus;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{FAULTS, Fault, all_of, cell, chat_answers, heal, is_for_people, settled, timeouts};
use crate::bed::{ADMIN, Bed, fragment, one_account, phrase, text, text_of};

/// What the card says once the attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// How far the creation got, why it stopped and how to continue.
    StoppedAndWhy,
    /// That the user is created: after a lost answer the service reads the cloud.
    Done,
}

const W: Sees = Sees::StoppedAndWhy;
const I: Sees = Sees::Done;

#[rustfmt::skip]
static TABLE: [(&str, [Sees; 13]); 5] = [
    // the cloud is     refused, timeout, reset, 429, 429+, 500, half, shape, page, 403 page, credentials, hangs, late
    ("GetUser",            [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("CreateUser",         [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("CreateLoginProfile", [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("ListAccessKeys",     [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("CreateAccessKey",    [W, W, W, W, W, W, W, W, W, W, W, W, I]),
];

/// Waits for the end of an attempt. Returns the card's content.
async fn ended(bed: &Bed, message: &str, cell: &str) -> String {
    bed.no_longer_shows(message, &phrase("create.running_text")).await;
    settled(bed, cell).await;
    bed.feishu.message(message).unwrap().content
}

async fn step(bed: &Bed, name: &str, action: &str, fault: Fault, sees: Sees) {
    let cell = format!("{action}, {fault:?}");
    let made = text("create.made", &[("user", &name)]);
    bed.cloud.faults().inject(FaultRule::new(fault.of_cloud()).on(action).about(name));
    let form = bed.ask(ADMIN, "/create").await.message_id;
    let fields = json!({
        "username": name, "display_name": "新人", "email": "", "phone": "", "project": name.replace("new", "team"),
        "quota": "10", "login": true, "access_key": true,
    });
    bed.submit(ADMIN, &form, "user.create", fields).await;
    chat_answers(bed, &cell).await;
    let mut content = ended(bed, &form, &cell).await;
    let shown = bed.texts(&form);
    is_for_people(&shown, &cell);
    assert_eq!(shown.contains(&made), sees == Sees::Done, "{cell}: {shown}");
    if sees == Sees::StoppedAndWhy {
        assert!(shown.contains(&fault.said_of_cloud()), "{cell}: {shown}");
    }

    heal(bed).await;
    for _ in 0..2 {
        if content.contains("\"username\"") {
            bed.submit(ADMIN, &form, "user.create", json!({})).await;
        } else if bed.texts(&form).contains(&fragment("create.made_partly")) {
            bed.press(ADMIN, &form, json!({"action": "user.create"})).await;
        }
        content = ended(bed, &form, &cell).await;
    }
    let shown = bed.texts(&form);
    assert!(shown.contains(&made), "{cell}: {shown}");
    let user = bed.cloud.read(|world| world.user("main", name).cloned()).unwrap();
    let active = user.keys.iter().filter(|key| key.status == KeyStatus::Active).count();
    assert_eq!((user.keys.len(), active), (1, 1), "{cell}: keys");
    let profile = user.login.profile.as_ref().unwrap_or_else(|| panic!("{cell}: no login"));
    let direct = bed.feishu.direct_chat(ADMIN);
    let messages = bed.feishu.read(|state| state.all_messages().to_vec());
    for secret in [profile.password.expose_secret(), user.keys[0].secret.expose_secret()] {
        let told: Vec<_> = messages.iter().filter(|m| text_of(m).contains(secret)).collect();
        assert_eq!(told.len(), 1, "{cell}: a secret is sent once");
        assert_eq!(told[0].chat_id, direct, "{cell}");
    }
    let record = bed.user(&format!("main/{name}"));
    assert_eq!(record.quota.to_string(), "¥10.00", "{cell}");
    let booked = bed.ledger_entries(&record.key.to_string());
    let links = bed.store.read(|tx| tx.links_of(&record.key)).unwrap().len();
    assert_eq!((booked, links), (1, 1), "{cell}: ledger and links");
}

async fn fail_calls(fault: Fault, rows: &'static [(&str, [Sees; 13])]) {
    let mut world = one_account();
    for n in 0..rows.len() {
        world.account_mut("main").unwrap().add_project(&format!("team-{n}"), "甲组");
    }
    let bed = Bed::with_timeouts(world, &[], timeouts()).await;
    bed.sync().await;
    for (n, (action, row)) in rows.iter().enumerate() {
        step(&bed, &format!("new-{n}"), action, fault, cell(row, fault)).await;
    }
    let users = bed.cloud.read(|world| world.account("main").unwrap().users.len());
    assert_eq!(users, rows.len(), "{fault:?}: users in the cloud");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_creates_a_user_survives_every_fault() {
    // A bed runs its tasks one after the other; beds share nothing.
    let beds =
        FAULTS.iter().flat_map(|fault| TABLE.chunks(2).map(move |rows| fail_calls(*fault, rows)));
    all_of(beds).await;
}
