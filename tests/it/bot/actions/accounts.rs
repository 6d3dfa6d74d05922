//! Main accounts: key pairs are checked, stored sealed, and never shown.

use airgate::domain::{AccountId, TaskKind};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{AccessKey, FakeAccount, KeyStatus, World};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::bed::{
    ADMIN, Bed, GROUP, VIEWER, fragment, one_account, phrase, text, text_of, toast_of,
};

const KEY: &str = "AKLTlabs0000000002";
const SECRET: &str = "labs-secret-key-do-not-show";

/// An account in the cloud that the service does not know yet.
fn labs() -> FakeAccount {
    FakeAccount::new("labs", "实验室", 2_100_000_002, KEY, SECRET)
}

async fn bed() -> Bed {
    let bed = Bed::start(one_account()).await;
    bed.cloud.update(|cloud: &mut World| cloud.accounts.push(labs()));
    bed
}

fn new(access_key: &str, secret_key: &str) -> serde_json::Value {
    json!({"account": "labs", "name": "实验室", "access_key": access_key, "secret_key": secret_key})
}

/// The content of every message.
fn everything(bed: &Bed) -> String {
    bed.feishu
        .read(|state| state.all_messages().iter().map(|message| message.content.clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_key_pair_is_saved_and_its_balance_read() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/accounts").await;
    assert!(text_of(&card).contains("AKLT…0001"), "{}", text_of(&card));
    bed.shows(&card.message_id, &fragment("accounts.read")).await;
    let checking = bed.submit(ADMIN, &card.message_id, "account.save", new(KEY, SECRET)).await;
    assert!(toast_of(&checking).starts_with("info"), "{checking:?}");
    bed.shows(&card.message_id, "AKLT…0002").await;
    bed.settled().await;
    let labs = AccountId::new("labs").unwrap();
    let kept = bed.store.account_secrets(&labs).unwrap().unwrap();
    assert_eq!(kept.secret_key.expose_secret(), SECRET);
    let balance = bed.store.read(|tx| tx.balance(&labs)).unwrap().unwrap();
    assert!(balance.available.is_some(), "{balance:?}");
    assert!(!everything(&bed).contains(SECRET) && !everything(&bed).contains(KEY));

    // An id is not added twice.
    let refused = bed.submit(ADMIN, &card.message_id, "account.save", new(KEY, SECRET)).await;
    assert!(toast_of(&refused).starts_with("error"), "{refused:?}");
    assert!(!everything(&bed).contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_pair_is_refused_with_the_platforms_reason() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/accounts").await;
    bed.settled().await;
    bed.submit(ADMIN, &card.message_id, "account.save", new(KEY, "wrong-secret")).await;
    let shown = bed.shows(&card.message_id, &fragment("accounts.refused")).await;
    assert!(text_of(&shown).contains("Signature"), "{}", text_of(&shown));
    assert!(shown.content.contains("\"default_value\":\"labs\""), "{}", shown.content);
    assert!(!shown.content.contains("wrong-secret"));
    let labs = AccountId::new("labs").unwrap();
    assert!(bed.store.account_secrets(&labs).unwrap().is_none());

    // An incomplete pair is refused without a call to the cloud.
    let refused = bed.submit(ADMIN, &card.message_id, "account.save", new("AKLT x", SECRET)).await;
    assert!(toast_of(&refused).starts_with("error"), "{refused:?}");
    assert!(!everything(&bed).contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_pair_that_cannot_be_checked_is_not_saved() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/accounts").await;
    bed.settled().await;
    bed.cloud.faults().inject(
        FaultRule::new(Fault::Code {
            http: 503,
            code: "ServiceUnavailable".to_owned(),
            message: "later".to_owned(),
        })
        .on("ListUsers")
        .times(50),
    );
    bed.submit(ADMIN, &card.message_id, "account.save", new(KEY, SECRET)).await;
    bed.shows(&card.message_id, &fragment("accounts.unclear")).await;
    assert!(bed.store.account_secrets(&AccountId::new("labs").unwrap()).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_replaced_and_accounts_switched_on_and_off() {
    let bed = bed().await;
    let main = AccountId::new("main").unwrap();
    // A second pair of the same main account.
    let (key, secret) = ("AKLTmain0000000002", "main-secret-2");
    let now = bed.clock.now();
    bed.cloud.update(|cloud: &mut World| {
        let pair = AccessKey::new(key.to_owned(), secret.into(), KeyStatus::Active, now);
        cloud.account_mut("main").unwrap().keys.push(pair);
    });
    let card = bed.ask(ADMIN, "/accounts").await.message_id;
    bed.settled().await;
    bed.press(ADMIN, &card, json!({"action": "accounts.open", "account": "main"})).await;
    let pair = json!({"access_key": key, "secret_key": secret});
    bed.submit(ADMIN, &card, "account.save", pair).await;
    bed.shows(&card, &text("accounts.saved", &[("account", &"main")])).await;
    let account = bed.store.read(|tx| tx.account(&main)).unwrap().unwrap();
    assert_eq!((account.hint.as_str(), account.name.as_str()), ("AKLT…0002", "云上主体"));

    for enabled in [false, false, true] {
        let value = json!({"action": "account.toggle", "account": "main", "enabled": enabled});
        bed.forged(ADMIN, &card, value, None).await;
        let account = bed.store.read(|tx| tx.account(&main)).unwrap().unwrap();
        assert_eq!(account.active.is_on(), enabled);
    }
    let gone = json!({"action": "account.toggle", "account": "nobody", "enabled": true});
    let refused = bed.forged(ADMIN, &card, gone, None).await;
    assert!(toast_of(&refused).starts_with("error"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_manage_accounts_and_only_in_the_direct_chat() {
    let bed = bed().await;
    bed.introduced().await;
    let reply = bed.ask_in(ADMIN, GROUP, "/accounts", true).await;
    assert!(text_of(&reply).contains(&phrase("refusal.direct_chat_only")), "{}", text_of(&reply));
    assert!(!text_of(&bed.ask(VIEWER, "/accounts").await).contains("AKLT"));
    let other = bed.ask_in(ADMIN, GROUP, "/users", true).await;
    for value in [
        json!({"action": "accounts.open"}),
        json!({"action": "account.toggle", "account": "main", "enabled": false}),
    ] {
        let refused = bed.forged(ADMIN, &other.message_id, value, None).await;
        assert!(toast_of(&refused).starts_with("error"), "{refused:?}");
        assert!(!refused.card_updated);
    }
    let save = json!({"action": "account.save", "op": "o1"});
    bed.forged(ADMIN, &other.message_id, save, Some(new(KEY, SECRET))).await;
    bed.settled().await;
    let accounts = bed.store.read(|tx| tx.accounts()).unwrap();
    assert!(accounts.len() == 1 && accounts[0].active.is_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_hangs_does_not_delay_a_key_check() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/accounts").await.message_id;
    bed.settled().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Timeout).on("ListUsers").of("main"));
    bed.ask(ADMIN, "/sync").await;
    let kinds = || -> Vec<TaskKind> {
        let tasks = bed.store.read(|tx| tx.tasks()).unwrap();
        tasks.into_iter().map(|task| task.kind).collect()
    };
    bed.eventually("the sync to hang", |bed| bed.cloud.count("ListUsers") > 0).await;
    bed.submit(ADMIN, &card, "account.save", new(KEY, SECRET)).await;
    bed.shows(&card, "AKLT…0002").await;
    assert_eq!(kinds(), [TaskKind::Sync]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_press_rolls_back_what_it_had_written() {
    let bed = bed().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Timeout).of("main"));
    let card = bed.ask(ADMIN, "/accounts").await.message_id;
    bed.eventually("the reply to be recorded", |bed| {
        bed.store.read(|tx| tx.owed_count()).unwrap() == 0
    })
    .await;
    let reports = || -> Vec<bool> {
        let tasks = bed.store.read(|tx| tx.tasks()).unwrap();
        tasks.iter().map(|task| task.report.is_some()).collect()
    };
    assert_eq!(reports(), [true], "balances are still to be reported");
    // Opening another card drops the pending update of the balances, before it finds that there is no such account.
    let unknown = json!({"action": "accounts.open", "account": "nobody"});
    let refused = bed.forged(ADMIN, &card, unknown, None).await;
    assert!(toast_of(&refused).starts_with("error"), "{refused:?}");
    assert_eq!(reports(), [true]);
    bed.forged(ADMIN, &card, json!({"action": "accounts.open", "account": "main"}), None).await;
    assert_eq!(reports(), [false]);
}
