//! What people decide together, and what each of them is sent, while the process is killed in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use airgate::clock::Clock;
use airgate::domain::{BillPeriod, DigestKind, DigestLog, OpenId, RequestState, SavedSettings};
use airgate::sandbox::feishu::{ClickAction, FakeFeishu, Fault, FaultRule, Message, Sender};
use airgate::store::{RecordedReading, StoreError};
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::shared::cards::text_of;
use crate::shared::configuration::NOWHERE;
use crate::shared::environment::{Environment, GROUP, Options};
use crate::shared::samples::{self, one_account, user_key};
use crate::shared::text::{fragment, phrase};
use crate::stage::{seed, setting};

/// How long anything may take before the test gives up: machines are slow.
const PATIENCE: Duration = Duration::from_secs(120);
/// The people who decide.
const PEOPLE: [&str; 5] = ["ou_one", "ou_two", "ou_three", "ou_four", "ou_five"];
const OWNER: &str = "ou_owner";

async fn environment(people: &[&str]) -> Environment {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_user("alice");
    let clock = Clock::system();
    let feishu_timeout = Some(Duration::from_secs(20));
    let environment =
        Environment::with(world, Options { clock, feishu_timeout, ..Options::default() });
    let environment = environment.await;
    for (n, person) in people.iter().enumerate() {
        environment.feishu.add_person(person, person, &format!("139100{n:05}"));
    }
    environment.feishu.set_service_url(NOWHERE);
    environment
}

/// Starts the process and kills it after a while, at least `times` times and until `done`. Then it goes on running.
async fn storm(
    environment: &Environment,
    rng: &mut StdRng,
    times: u64,
    done: impl Fn() -> bool,
) -> crate::shared::process::Process {
    let begun = Instant::now();
    let mut kills = 0;
    loop {
        let process = environment.home.start("info");
        let address = process.listening();
        environment.feishu.set_service_url(&format!("http://{address}"));
        if kills >= times && (done() || begun.elapsed() > PATIENCE / 2) {
            return process;
        }
        let faults = environment.feishu.faults();
        if rng.random_ratio(1, 2) {
            // In the middle of a delivery, which is carried out or not.
            let endpoint = if rng.random_ratio(1, 3) { "patch" } else { "send" };
            let rule = FaultRule::new(Fault::Timeout).on(endpoint).times(1);
            let skip = rng.random_range(0..4);
            faults.inject(rule.after(skip).applied(rng.random_ratio(1, 2)));
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..250))).await;
        environment.feishu.set_service_url(NOWHERE);
        process.kill();
        faults.clear();
        kills += 1;
    }
}

/// The bot's messages in a chat that show a text.
fn showing(feishu: &FakeFeishu, chat: &str, text: &str) -> Vec<Message> {
    let mut messages = feishu.messages(chat);
    messages.retain(|message| message.sender == Sender::Bot && text_of(message).contains(text));
    messages
}

async fn until(what: &str, seed: u64, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "seed {seed}: waited for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Clicks until there is an answer. Returns its toast.
async fn tap(feishu: &FakeFeishu, person: &str, card: &str, action: ClickAction) -> String {
    let begun = Instant::now();
    loop {
        let result = feishu.click_raw(person, card, action.clone()).await;
        if result.status == Some(200) {
            let toast = result.toast.map(|toast| format!("{}: {}", toast.kind, toast.content));
            return toast.unwrap_or_default();
        }
        assert!(begun.elapsed() < PATIENCE, "no answer");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

fn decide(decision: &'static str) -> impl Fn(&Value) -> bool {
    move |value| value["action"] == "request.decide" && value["decision"] == decision
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_taps_by_five_people_with_kills_between_decide_once_and_everybody_sees_the_same() {
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let everybody: Vec<&str> = PEOPLE.into_iter().chain([OWNER]).collect();
    let environment = environment(&everybody).await;
    // Without an alert chat, each of them has a copy.
    let configuration = environment
        .configuration()
        .set("feishu.admins", PEOPLE.to_vec())
        .set("monitor.enabled", false);
    environment.home.configure(&configuration);
    {
        let (store, now) = (environment.home.store(), environment.clock.now());
        environment.register_accounts(&store);
        samples::add_users(&store, &["main/alice"], now);
        store
            .write(|tx| {
                let mut alice = tx.user(&user_key("main/alice"))?.unwrap();
                alice.owner = Some(OpenId::new(OWNER).unwrap());
                tx.put_user(&alice)?;
                let nowhere = SavedSettings { alert_chat: Some(None), ..SavedSettings::default() };
                tx.put_saved_settings(&nowhere)
            })
            .unwrap();
    }
    let feishu = environment.feishu.clone();
    let process = environment.serve("info");
    let direct = feishu.direct_chat(OWNER);
    let asked = feishu.say(OWNER, &direct, "/request 500 双十一", false).await;
    assert_eq!(asked.status, Some(200));
    let chats: Vec<String> = PEOPLE.iter().map(|person| feishu.direct_chat(person)).collect();
    until("five copies", seed, || {
        chats.iter().all(|chat| !showing(&feishu, chat, "双十一").is_empty())
    })
    .await;
    let copies: Vec<String> =
        chats.iter().map(|chat| showing(&feishu, chat, "双十一")[0].message_id.clone()).collect();
    environment.feishu.set_service_url(NOWHERE);
    process.kill();

    let answered = Arc::new(AtomicUsize::new(0));
    let mut taps = Vec::new();
    for (n, person) in PEOPLE.into_iter().enumerate() {
        for turn in 0..10 {
            let decision = if (n + turn) % 3 == 0 { "refuse" } else { "grant" };
            let card = copies[n].clone();
            let action = feishu.fill_form(&card, decide(decision), Default::default()).unwrap();
            let (feishu, answered) = (feishu.clone(), Arc::clone(&answered));
            let pause = Duration::from_millis(rng.random_range(0..1500));
            taps.push(tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                let toast = tap(&feishu, person, &card, action).await;
                answered.fetch_add(1, Ordering::SeqCst);
                toast
            }));
        }
    }
    let kills = setting("AIRGATE_KILLS", 240) / 20;
    let all_answered = || answered.load(Ordering::SeqCst) == 50;
    let process = storm(&environment, &mut rng, kills, all_answered).await;
    let mut toasts = Vec::new();
    for tapped in taps {
        toasts.push(tapped.await.unwrap());
    }
    let words = [phrase("request.word_granted"), phrase("request.word_refused")];
    until("every copy to show an outcome", seed, || {
        let shown = |id: &String| text_of(&feishu.message(id).unwrap());
        copies.iter().all(|id| words.iter().any(|word| shown(id).contains(word)))
    })
    .await;
    process.terminate();
    let (state, entries, quota) = environment
        .home
        .store()
        .read(|tx| {
            let state = tx.request(1)?.unwrap().state;
            let (entries, _) = tx.ledger(&user_key("main/alice"), 100)?;
            Ok::<_, StoreError>((
                state,
                entries.len(),
                tx.user(&user_key("main/alice"))?.unwrap().quota,
            ))
        })
        .unwrap();
    let granted = matches!(state, RequestState::Granted { .. });
    assert!(granted || matches!(state, RequestState::Refused { .. }), "seed {seed}: {state:?}");
    assert_eq!(entries, usize::from(granted), "seed {seed}: {toasts:#?}");
    assert_eq!(quota.to_string(), if granted { "¥500.00" } else { "¥0.00" }, "seed {seed}");
    for id in &copies {
        let message = feishu.message(id).unwrap();
        let shown = text_of(&message);
        assert!(shown.contains(&words[usize::from(!granted)]), "seed {seed}: {shown}");
        assert!(!message.content.contains("request.decide"), "seed {seed}: {shown}");
    }
    let mut done: Vec<&String> =
        toasts.iter().filter(|toast| toast.starts_with("success")).collect();
    done.sort();
    done.dedup();
    assert!(done.len() <= 1, "seed {seed}: two outcomes were promised: {done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_300_users_reaches_all_of_them_once_however_often_the_process_is_killed() {
    const USERS: usize = 300;
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let [admin, owner] = [PEOPLE[0], OWNER];
    let environment = environment(&[admin, owner]).await;
    let configuration =
        environment.configuration().set("feishu.admins", vec![admin]).set("monitor.enabled", false);
    environment.home.configure(&configuration);
    let users: Vec<String> = (0..USERS).map(|n| format!("main/user-{n:03}")).collect();
    {
        let (store, now) = (environment.home.store(), environment.clock.now());
        environment.register_accounts(&store);
        let keys: Vec<&str> = users.iter().map(String::as_str).collect();
        samples::add_users(&store, &keys, now);
        store
            .write(|tx| {
                for key in &keys {
                    let mut user = tx.user(&user_key(key))?.unwrap();
                    user.owner = Some(OpenId::new(owner).unwrap());
                    tx.put_user(&user)?;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }
    let feishu = environment.feishu.clone();
    let process = environment.serve("info");
    let direct = feishu.direct_chat(admin);
    assert_eq!(feishu.say(admin, &direct, "/users user-", false).await.status, Some(200));
    until("the list", seed, || !showing(&feishu, &direct, &phrase("bulk.button")).is_empty()).await;
    let card = showing(&feishu, &direct, &phrase("bulk.button"))[0].message_id.clone();
    let open = feishu.find_button(&card, |value| value["action"] == "users.bulk").unwrap();
    tap(&feishu, admin, &card, open).await;
    let fields = serde_json::json!({"amount": "10", "note": "Q4"});
    let fields = fields.as_object().unwrap();
    let form = |value: &Value| value["action"] == "users.bulk" && value["do"] == "allocate";
    until("the form", seed, || feishu.fill_form(&card, form, fields.clone()).is_ok()).await;
    let filled = feishu.fill_form(&card, form, fields.clone()).unwrap();
    tap(&feishu, admin, &card, filled).await;
    let applies = |value: &Value| value["apply"] == true;
    until("the preview", seed, || feishu.fill_form(&card, applies, Default::default()).is_ok())
        .await;
    let apply = feishu.fill_form(&card, applies, Default::default()).unwrap();
    feishu.set_service_url(NOWHERE);
    process.kill();

    let tapped = {
        let (feishu, card, admin) = (feishu.clone(), card.clone(), admin.to_owned());
        tokio::spawn(async move { tap(&feishu, &admin, &card, apply).await })
    };
    let applied = phrase("batch.word_applied");
    let is_applied = || text_of(&feishu.message(&card).unwrap()).contains(&applied);
    let kills = setting("AIRGATE_KILLS", 240) / 16;
    let process = storm(&environment, &mut rng, kills, is_applied).await;
    tapped.await.unwrap();
    until("the outcome on the card", seed, is_applied).await;
    let told = feishu.direct_chat(owner);
    let about_all = fragment("owner.quotas");
    until("the owner to be told", seed, || !showing(&feishu, &told, &about_all).is_empty()).await;
    process.terminate();
    let told = showing(&feishu, &told, &about_all);
    assert_eq!(told.len(), 1, "seed {seed}: one message to the owner");
    assert!(text_of(&told[0]).contains(&USERS.to_string()), "seed {seed}: {}", text_of(&told[0]));
    let store = environment.home.store();
    for user in &users {
        let key = user_key(user);
        let (entries, quota) = store
            .read(|tx| {
                let (entries, _) = tx.ledger(&key, 10)?;
                Ok::<_, StoreError>((entries.len(), tx.user(&key)?.unwrap().quota))
            })
            .unwrap();
        let found = (entries, quota.to_string());
        assert_eq!(found, (1, "¥10.00".to_owned()), "seed {seed}: {user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_reaches_the_alert_chat_and_each_owner_once_however_often_the_process_is_killed() {
    const OWNERS: usize = 33;
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let owners: Vec<String> = (0..OWNERS).map(|n| format!("ou_owner_{n:02}")).collect();
    let names: Vec<&str> = owners.iter().map(String::as_str).collect();
    let environment = environment(&names).await;
    environment.home.configure(&environment.configuration().set("monitor.enabled", false));
    {
        let (store, now) = (environment.home.store(), environment.clock.now());
        environment.register_accounts(&store);
        let users: Vec<String> = (0..OWNERS).map(|n| format!("main/u{n:02}")).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        samples::add_users(&store, &users, now);
        samples::link(&store, users[0], "team-a", "", now);
        store
            .write(|tx| {
                for (user, owner) in users.iter().zip(&owners) {
                    let mut user = tx.user(&user_key(user))?.unwrap();
                    user.owner = Some(OpenId::new(owner.clone()).unwrap());
                    tx.put_user(&user)?;
                }
                let period = BillPeriod::of(now);
                let bill = (("team-a".parse().unwrap(), period), "12.34".parse().unwrap());
                let account = "main".parse().unwrap();
                tx.record_cycle(&[RecordedReading::of_months(account, [bill], now)])?;
                let week = Some(DigestKind::Week);
                tx.put_saved_settings(&SavedSettings { digest: week, ..SavedSettings::default() })?;
                // Switched on a month ago, while the service was down.
                let since = now.checked_sub(SignedDuration::from_hours(30 * 24)).ok();
                tx.put_digest_log(&DigestLog { since, ..DigestLog::default() })
            })
            .unwrap();
    }
    let feishu = environment.feishu.clone();
    let chats: Vec<String> = owners.iter().map(|owner| feishu.direct_chat(owner)).collect();
    let title = phrase("digest.own_week");
    let all = || {
        let told = |chat: &String| !showing(&feishu, chat, &title).is_empty();
        chats.iter().all(told) && !showing(&feishu, GROUP, &phrase("digest.week")).is_empty()
    };
    let kills = setting("AIRGATE_KILLS", 240) / 12;
    let process = storm(&environment, &mut rng, kills, all).await;
    until("everybody to be told", seed, all).await;
    process.terminate();
    // Nothing is left to send, now or after another start.
    let store = environment.home.store();
    let (owed, log) =
        store.read(|tx| Ok::<_, StoreError>((tx.owed_count()?, tx.digest_log()?))).unwrap();
    let due = log.due(DigestKind::Week, environment.clock.now());
    assert_eq!((owed, due, log.telling), (0, None, None), "seed {seed}");
    for chat in &chats {
        assert_eq!(showing(&feishu, chat, &title).len(), 1, "seed {seed}: {chat}");
    }
    let whole = showing(&feishu, GROUP, &phrase("digest.week"));
    assert_eq!(whole.len(), 1, "seed {seed}: {whole:#?}");
}
