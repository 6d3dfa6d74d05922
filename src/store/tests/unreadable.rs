//! Rows that cannot be read: nobody waits for them except those whom they are about.

use serde_json::{Value, json};

use super::*;
use crate::app::cloud::{Cloud, CloudError};
use crate::clock::Clock;
use crate::domain::{
    AccessCause, AccessGoal, Dispatch, MonitorState, OpenId, PendingAccess, TaskKind,
};
use crate::store::tables::{
    ACCESS_PENDING, APPROVALS, APPROVALS_WAITING, BALANCES, BATCHES, BATCHES_OPEN, CARDS_DUE,
    CHATS, FAILED, LEDGER, META, OUTBOX, PEOPLE, REQUESTS, REQUESTS_PENDING, SECRETS, TASKS,
    TEMPORARY, USERS,
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

/// Temporary quota of one user whose row, ledger or allocation cannot be read stays; that of the others ends.
#[test]
fn temporary_quota_ends_for_the_others_if_a_row_of_one_cannot_be_read() {
    use crate::app::temporary::book_back;
    use crate::domain::{Temporary, TemporaryState};
    let day: jiff::civil::Date = "2026-11-01".parse().unwrap();
    let store = in_memory();
    // More than are ended at once come first by name, and none of them can be read.
    let broken: Vec<String> = (0..60).map(|at| format!("main/a{at:02}")).collect();
    for key in broken.iter().map(String::as_str).chain(["main/bob", "main/carl", "main/dora"]) {
        add_user(&store, key);
        let amount = money("30");
        store.write(|tx| allocate(tx, &user(key), amount, "", now())).unwrap();
        write(&store, |tx| {
            let (user, state) = (user(key), TemporaryState::Running);
            tx.put_temporary(&Temporary { user, seq: 1, amount, last_day: day, state })
        });
    }
    write(&store, |tx| {
        for key in &broken {
            tx.put(USERS.holding(), ("main", &key[5..]), &json!({"key": 7}))?;
        }
        tx.put(TEMPORARY.holding(), ("main", "bob", 1), &Value::Null)?;
        tx.put(LEDGER.holding(), ("main", "carl", 1), &Value::Null)
    });
    let end = || store.write(|tx| book_back(tx, |_| String::new(), now())).unwrap();
    let (ended, more) = end();
    let users: Vec<String> = ended.iter().map(|it| it.temporary.user.to_string()).collect();
    assert_eq!((users, more), (vec!["main/dora".to_owned()], false));
    let quota = |key: &str| store.read(|tx| tx.user(&user(key))).unwrap().unwrap().quota;
    assert_eq!((quota("main/dora"), quota("main/carl")), (money("0"), money("30")));
    assert_eq!(end().0.len(), 0, "those that stay are tried again, and harm nobody");
}

#[test]
fn what_waits_for_a_decision_is_listed_without_what_cannot_be_read() {
    let store = in_memory();
    write(&store, |tx| {
        for number in [1, 2] {
            tx.put(REQUESTS.holding(), number, &Value::Null)?;
            tx.put(APPROVALS.holding(), number, &Value::Null)?;
            tx.put(BATCHES.holding(), number, &Value::Null)?;
            tx.open(REQUESTS_PENDING)?.insert(number, ())?;
            tx.open(APPROVALS_WAITING)?.insert(number, ())?;
            tx.open(BATCHES_OPEN)?.insert(number, ())?;
        }
        Ok(())
    });
    store
        .read(|tx| {
            assert!(tx.pending_requests()?.is_empty());
            assert!(tx.waiting_approvals()?.is_empty());
            assert!(tx.open_batches()?.is_empty());
            // The sum of a day counts what waits: what cannot be read is not nothing.
            assert!(tx.waiting_approvals_of(&user("main/alice")).is_err());
            Ok::<_, StoreError>(())
        })
        .unwrap();
}
