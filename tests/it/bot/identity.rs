//! Identity: main accounts are identified by the cloud's number, users by its id; names can change and be given to
//! others.

use airgate::domain::{AccountId, UserStatus};
use airgate::sandbox::world::{FakeAccount, World};
use airgate::store::AccountSecrets;
use secrecy::ExposeSecret;
use serde_json::json;

use super::bed;
use crate::bed::{ADMIN, Bed, fragment, labs, one_account, text, text_of, toast_of};

fn rename(world: &mut World, from: &str, to: &str) {
    let main = world.account_mut("main").unwrap();
    let mut user = main.users.remove(from).unwrap();
    user.name = to.to_owned();
    main.users.insert(to.to_owned(), user);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_renamed_in_the_cloud_keeps_quota_projects_and_spending() {
    let bed = bed().await;
    bed.allocate("main/alice", "100");
    bed.link("main/alice", "team-a", "");
    bed.cloud.update(|world| {
        let main = world.account_mut("main").unwrap();
        main.spend("team-a", 60.into(), "2026-11".parse().unwrap());
    });
    bed.cycle().await;
    let alerts = bed.alert_records().len();
    bed.cloud.update(|world| rename(world, "alice", "alina"));
    let report = text_of(&bed.sync().await);
    assert!(report.contains("alice → alina"), "{report}");
    let alina = bed.user("main/alina");
    assert_eq!(
        (alina.quota.to_string(), alina.consumed.to_string()),
        ("¥100.00".into(), "¥60.00".into())
    );
    assert_eq!(bed.ledger_entries("main/alina"), 1);
    assert_eq!(bed.amount("main/alina", "2026-11", "team-a").as_deref(), Some("60"));
    assert_eq!(bed.amount("main/alina", "2026-11", "").as_deref(), Some("60"));
    bed.store
        .read(|tx| {
            assert!(tx.user(&"main/alice".parse().unwrap())?.is_none());
            assert_eq!(tx.links_of(&alina.key)?.len(), 1);
            let (records, count) = tx.alerts(Some(&alina.key), None, 0, 10)?;
            assert_eq!((records.len(), count), (alerts, alerts));
            let spenders = tx.top_spenders_in("2026-11".parse().unwrap(), 0, 10)?;
            assert_eq!(spenders.len(), 1);
            assert_eq!(spenders[0].0, alina.key);
            Ok::<_, airgate::store::StoreError>(())
        })
        .unwrap();
    // The cap still holds.
    bed.cloud.update(|world| {
        let main = world.account_mut("main").unwrap();
        main.spend("team-a", 60.into(), "2026-11".parse().unwrap());
    });
    assert_eq!(bed.cycle().await.disables, 1);
    assert!(bed.is_cut_off("alina"));
    // A restart finds the same users.
    let mut bed = bed;
    bed.restart().await;
    let card = text_of(&bed.ask(ADMIN, "/users").await);
    assert!(card.contains("alina") && !card.contains("main/alice"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_with_an_old_name_inherits_nothing() {
    let bed = bed().await;
    bed.allocate("main/alice", "100");
    let old = bed.user("main/alice").cloud_id;
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().add_user("alice");
    });
    bed.sync().await;
    let new = bed.user("main/alice");
    assert!(new.quota.is_zero() && new.cloud_id != old, "{new:?}");
    let aside = bed.user(&format!("main/alice#{old}"));
    assert_eq!((aside.status, aside.quota.to_string()), (UserStatus::Gone, "¥100.00".into()));
    // The name now finds the user who has it.
    let card = text_of(&bed.ask(ADMIN, "/quota main/alice 5").await);
    assert!(card.contains("¥5.00") && !card.contains("¥105.00"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_pair_of_another_main_account_is_refused() {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_user("alice");
    let mut stranger = labs();
    stranger.add_user("mallory");
    let bed = Bed::start(world).await;
    bed.cloud.update(|world: &mut World| world.accounts.push(stranger.clone()));
    let card = bed.ask(ADMIN, "/accounts").await;
    bed.settled().await;
    let pair = |account: &str, fake: &FakeAccount| {
        json!({"account": account, "name": "", "access_key": fake.access_key_id(),
            "secret_key": fake.secret_key()})
    };
    // Replaces the pair of `main`, whose number an older store does not know.
    bed.press(ADMIN, &card.message_id, json!({"action": "accounts.open", "account": "main"})).await;
    let mut typed = pair("main", &stranger);
    typed.as_object_mut().unwrap().remove("account");
    bed.submit(ADMIN, &card.message_id, "account.save", typed).await;
    bed.settled().await;
    let shown = bed.texts(&card.message_id);
    assert!(shown.contains("2100000002") && shown.contains("2100000001"), "{shown}");
    let main = AccountId::new("main").unwrap();
    let kept = bed.store.account_secrets(&main).unwrap().unwrap();
    assert_eq!(kept.secret_key.expose_secret(), "main-secret");

    // The same main account under another id.
    let card = bed.ask(ADMIN, "/accounts").await;
    bed.settled().await;
    let again = bed.cloud.read(|world| world.account("main").unwrap().clone());
    bed.submit(ADMIN, &card.message_id, "account.save", pair("copy", &again)).await;
    bed.settled().await;
    let shown = bed.texts(&card.message_id);
    assert!(shown.contains(&text("trouble.known_account", &[("account", &"main")])), "{shown}");
    assert!(bed.store.account_secrets(&AccountId::new("copy").unwrap()).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_was_stored_unchecked_changes_no_user_of_the_account() {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_user("alice");
    world.account_mut("main").unwrap().spend("team-a", 60.into(), "2026-11".parse().unwrap());
    let mut stranger = labs();
    stranger.add_user("mallory");
    world.accounts.push(stranger.clone());
    let bed = Bed::start(world).await;
    bed.sync().await;
    bed.link("main/alice", "team-a", "");
    bed.allocate("main/alice", "100");
    bed.cycle().await;
    // As the command line does, which cannot ask the cloud.
    let secrets = AccountSecrets {
        access_key_id: stranger.access_key_id().to_owned().into(),
        secret_key: stranger.secret_key().to_owned().into(),
    };
    let main = AccountId::new("main").unwrap();
    bed.store.save_account(&main, "main", &secrets, bed.clock.now()).unwrap();
    let cycle = bed.cycle().await;
    let error = cycle.accounts.iter().find(|a| a.account == main).unwrap().error.clone();
    let error = error.unwrap();
    assert!(error.contains("2100000002"), "{error}");
    assert_eq!(bed.consumed("main/alice"), "¥60.00");
    let report = text_of(&bed.sync().await);
    assert!(report.contains(&fragment("trouble.other_account")), "{report}");
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    let users = bed.store.read(|tx| tx.users_of(&main)).unwrap();
    assert_eq!(users.len(), 1, "{users:?}");
}

/// What the first control of a card sends that requests this action.
fn sent_by(bed: &Bed, card: &str, action: &str) -> serde_json::Value {
    let wanted = |value: &serde_json::Value| value["action"] == action && value["op"].is_string();
    bed.values(card).into_iter().find(wanted).expect("the control is there")
}

/// A card that lies in a chat while its user's name goes to somebody else. The last user and quota cards of a chat follow their
/// user to the new name; others, and what was pressed before they did, do not.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_button_does_nothing_to_a_user_who_got_the_name_since() {
    let bed = bed().await;
    bed.allocate("main/alice", "800");
    let card = bed.ask(ADMIN, "/quota main/alice").await.message_id;
    let confirm = bed.ask(ADMIN, "/disable main/alice").await.message_id;
    let (offer, cut) =
        (sent_by(&bed, &card, "quota.allocate"), sent_by(&bed, &confirm, "user.disable"));
    // Deleted and made again in the cloud.
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().add_user("alice");
    });
    bed.sync().await;
    bed.settled().await;
    let told = text("refusal.card_older_than_user", &[("user", &"main/alice")]);
    let typed = || Some(json!({"amount": "500", "note": "给旧的"}));
    for (card, value, form) in
        [(&card, &offer, None), (&card, &offer, typed()), (&confirm, &cut, None)]
    {
        let done = bed.forged(ADMIN, card, value.clone(), form).await;
        assert!(toast_of(&done).contains(&told), "{value}: {done:?}");
        let shown = bed.texts(card);
        let says = fragment("refusal.card_older_than_user");
        assert!(shown.contains(&says) && !shown.contains("给旧的"), "{shown}");
    }
    bed.settled().await;
    assert_eq!((bed.quota("main/alice").as_str(), bed.ledger_entries("main/alice")), ("¥0.00", 0));
    assert!(!bed.is_cut_off("alice"));
    // A card from since then works.
    let card = bed.ask(ADMIN, "/quota main/alice").await.message_id;
    bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "5"})).await;
    assert_eq!(bed.quota("main/alice"), "¥5.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_button_does_nothing_to_a_user_who_was_renamed_to_that_name() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/quota main/alice").await.message_id;
    let offer = sent_by(&bed, &card, "quota.allocate");
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().users.remove("alice");
        rename(world, "bob", "alice");
    });
    bed.sync().await;
    let done = bed.forged(ADMIN, &card, offer, Some(json!({"amount": "5"}))).await;
    let told = text("refusal.card_older_than_user", &[("user", &"main/alice")]);
    assert!(toast_of(&done).contains(&told), "{done:?}");
    assert_eq!(bed.quota("main/alice"), "¥0.00");
}
