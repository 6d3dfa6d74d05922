//! Rows that cannot be read: nobody waits for them except those whom they are about.

use serde_json::{Value, json};

use super::*;
use crate::app::cloud::{Cloud, CloudError};
use crate::clock::Clock;
use crate::domain::{
    AccessCause, AccessGoal, Dispatch, MonitorState, OpenId, PendingAccess, TaskKind,
};
use crate::store::tables::{
    ACCESS_PENDING, BALANCES, CARDS_DUE, CHATS, FAILED, META, OUTBOX, PEOPLE, SECRETS, TASKS,
};
use crate::store::{AccountSecrets, NewMessage};
use crate::volcengine::{Client, ClientConfig};

fn owe(tx: &WriteTx, lane: &str) -> Result<u64, StoreError> {
    let dispatch = Dispatch::ToChat { chat: "oc_1".parse().unwrap(), card: "{}".to_owned() };
    tx.owe(NewMessage::new(lane, dispatch, now()), now())
}

#[test]
fn a_message_that_cannot_be_read_keeps_neither_its_lane_nor_others_waiting() {
    let store = in_memory();
    write(&store, |tx| {
        for lane in ["a", "a", "b", "c"] {
            owe(tx, lane)?;
        }
        tx.put(OUTBOX.holding(), ("a", 1), &json!({"id": 1, "lane": "a"}))?;
        tx.put(OUTBOX.holding(), ("b", 3), &Value::Null)?;
        tx.put(OUTBOX.holding(), ("b", 9), &json!("newer"))
    });
    let heads = store.read(|tx| tx.lane_heads()).unwrap();
    assert_eq!(heads.iter().map(|head| head.id).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(store.read(|tx| tx.owed_count()).unwrap(), 5, "it stays owed");
    write(&store, |tx| {
        tx.doubt_lane_heads(|_| true, now())?;
        tx.renew_updates("a", &"om_1".parse().unwrap(), "{}", 9)
    });
}

#[test]
fn a_cut_that_cannot_be_read_holds_up_no_other_and_is_decided_again() {
    let store = in_memory();
    let cut = PendingAccess::new(AccessGoal::Cut, AccessCause::QuotaUsedUp, now());
    write(&store, |tx| {
        tx.put_access_pending(&user("main/bob"), &cut)?;
        tx.put(ACCESS_PENDING.holding(), ("main", "alice"), &json!({"goal": "later"}))
    });
    let all = store.read(|tx| tx.all_access_pending()).unwrap();
    assert_eq!(all, [(user("main/bob"), cut)]);
    assert_eq!(store.read(|tx| tx.access_pending(&user("main/alice"))).unwrap(), None);
}

#[test]
fn what_is_learned_again_counts_as_missing() {
    let store = in_memory();
    write(&store, |tx| {
        tx.add_task(TaskKind::Sync, None, now())?;
        tx.put(TASKS.holding(), 7, &json!({"id": 7, "kind": {"task": "later"}}))?;
        tx.put(FAILED.holding(), 7, &Value::Null)?;
        tx.put(PEOPLE.holding(), "ou_1", &7)?;
        tx.put(CHATS.holding(), "oc_1", &Value::Null)?;
        tx.put(BALANCES.holding(), "main", &Value::Null)?;
        for name in
            ["monitor", "bot_open_id", "heard_until", "undelivered_told_at", "refused_people"]
        {
            tx.put(META.holding(), name, &json!([7]))?;
        }
        tx.know_chat("oc_1", true, now())
    });
    let person = OpenId::new("ou_1").unwrap();
    store
        .read(|tx| {
            assert_eq!(tx.tasks()?.len(), 1);
            assert!(tx.failed_messages(9)?.is_empty());
            assert_eq!((tx.person_name(&person)?, tx.known_people()?.len()), (None, 0));
            assert_eq!(tx.known_chats()?.len(), 1, "the next message replaces it");
            assert_eq!(tx.balance(&account("main"))?, None);
            assert_eq!(tx.monitor_state()?, MonitorState::default());
            assert_eq!((tx.bot_open_id()?, tx.heard_until()?), (None, None));
            assert_eq!(tx.undelivered_told_at()?, None);
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_key_pair_that_cannot_be_opened_is_the_trouble_of_its_account_alone() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let store = in_memory();
    let pair = AccountSecrets { access_key_id: "AKLT1".into(), secret_key: "secret".into() };
    for id in ["main", "labs"] {
        store.save_account(&account(id), id, &pair, now()).unwrap();
    }
    write(&store, |tx| {
        tx.open(SECRETS)?.insert("labs", b"from another file".as_slice())?;
        Ok(())
    });
    // Nor does it keep a new pair from being saved.
    assert_eq!(store.account_with_key("AKLT2", &account("new")).unwrap(), None);
    assert_eq!(store.account_with_key("AKLT1", &account("new")).unwrap(), Some(account("main")));
    let config = ClientConfig {
        iam_endpoint: "http://127.0.0.1:9".to_owned(),
        billing_endpoint: "http://127.0.0.1:9".to_owned(),
        ark_endpoint: "http://127.0.0.1:9".to_owned(),
        region: "cn-beijing".to_owned(),
        qps: std::num::NonZeroU32::MIN,
        ark_qps: std::num::NonZeroU32::MIN,
        timeout: std::time::Duration::from_secs(1),
    };
    let cloud = Cloud::new(store, Client::new(config, Clock::manual(now())).unwrap());
    let refused = cloud.account(&account("labs")).await.err();
    assert!(matches!(refused, Some(CloudError::SealedPair(_))), "{refused:?}");
    assert!(cloud.account(&account("main")).await.is_ok());
}

#[test]
fn a_change_of_cards_that_cannot_be_read_hides_no_other() {
    let store = in_memory();
    write(&store, |tx| {
        tx.put(CARDS_DUE.holding(), ("main", "alice"), &Value::Null)?;
        tx.cards_changed(&user("main/bob"))
    });
    let due = store.read(|tx| tx.cards_due(1)).unwrap();
    assert_eq!(due.iter().map(|(user, _)| user.to_string()).collect::<Vec<_>>(), ["main/bob"]);
}
