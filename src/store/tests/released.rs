//! Files of released layouts: `tests/vectors/store-1.redb` was written by an airgate with layout 1 and is never changed, and
//! so on. Today's code must open each of them. A new [`SCHEMA_VERSION`] adds a file: before the layout is released,
//! `cargo test --lib store::tests::released -- --ignored` writes it, if missing, with the content of [`sample`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use redb::{Key, ReadTransaction, ReadableTableMetadata, TableDefinition, Value};
use secrecy::ExposeSecret;

use super::*;
use crate::domain::{Batch, BatchState, Notice};
use crate::store::restore::{Present, restore};
use crate::store::tables::{Visitor, visit_tables};
use crate::store::{AccountSecrets, AlertPost, SCHEMA_VERSION};

mod sample;

const KEY_ID: &str = "AKLTreleasedfile0001";
const SECRET: &str = "cmVsZWFzZWQtZmlsZQ==";

pub(super) fn file_of(version: u64) -> PathBuf {
    let vectors = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    vectors.join(format!("store-{version}.redb"))
}

/// A copy of a layout's file in a temporary folder: opening a file changes it.
fn copy_of(version: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airgate.redb");
    let file = file_of(version);
    assert!(file.exists(), "no file of layout {version}: see the head of this module");
    std::fs::copy(file, &path).unwrap();
    (folder, path)
}

/// The number of rows of each table.
struct Rows<'a>(&'a ReadTransaction, BTreeMap<String, u64>);

impl Visitor for Rows<'_> {
    type Error = StoreError;

    fn visit<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), StoreError> {
        let rows = self.0.open_table(table)?.len()?;
        self.1.insert(redb::TableHandle::name(&table).to_owned(), rows);
        Ok(())
    }
}

fn rows(store: &Store) -> BTreeMap<String, u64> {
    store
        .read(|tx| {
            let mut rows = Rows(&tx.0, BTreeMap::new());
            visit_tables(&mut rows)?;
            Ok::<_, StoreError>(rows.1)
        })
        .unwrap()
}

fn pair() -> AccountSecrets {
    AccountSecrets { access_key_id: KEY_ID.to_owned().into(), secret_key: SECRET.to_owned().into() }
}

fn same_pair(found: Option<AccountSecrets>) -> bool {
    let found = found.unwrap();
    found.access_key_id.expose_secret() == KEY_ID && found.secret_key.expose_secret() == SECRET
}

/// Puts rows into every table.
fn fill(store: &Store) {
    let (alice, carol) = (user("main/alice"), user("main/carol"));
    store.save_account(&account("main"), "云上主体", &pair(), now()).unwrap();
    store.save_account(&account("labs"), "实验室", &pair(), now()).unwrap();
    let waiting = store.seal_waiting(&pair()).unwrap();
    let sealed = store.seal_for(&"ou_1".parse().unwrap(), "a card with secrets").unwrap();
    let of_creation = store.seal_of_creation(1, "secrets to be sent").unwrap();
    write(store, |tx| {
        tx.set_account_active(&account("labs"), Switch::Off, now())?;
        tx.put_balance(&account("main"), &sample::balance())?;
        tx.put_waiting_pair(&waiting)?;
        for user in sample::users() {
            tx.put_user(&user)?;
        }
        for link in sample::links() {
            tx.put_link(&link)?;
        }
        tx.replace_projects(&account("main"), &sample::projects(), now())?;
        for (user, amount, note) in sample::ledger() {
            allocate(tx, &user, amount, note, now()).unwrap();
        }
        tx.record_cycle(&[sample::reading()])?;
        for body in sample::alerts() {
            tx.add_alert(Some(&alice), body, now())?;
        }
        let post = AlertPost { lane: sample::LANE.to_owned(), fallback: None };
        tx.put_alert_post(1, 1, &post)?;
        tx.put_access_pending(&carol, &sample::pending())?;
        tx.put_access_remembered(&carol, &sample::remembered())?;
        tx.put_access_paths(&carol, sample::paths())?;
        tx.put_access_proof(&carol, &sample::proof())?;
        let mut changes = tx.estimate_changes(sample::estimate())?;
        while !tx.estimate_step(&mut changes)? {}
        tx.put_authorisation(&sample::authorisation())?;
        tx.put_request(&sample::request())?;
        tx.put_approval(&sample::approval())?;
        tx.put_batch(&sample::batch())?;
        tx.put_chat_name(&"oc_1".parse().unwrap(), "云账单告警")?;
        tx.put_batch_rows(1, 0, &[sample::batch_row()])?;
        let state = BatchState::Applying { at: now(), confirmed_by: None };
        tx.put_batch(&Batch { id: 2, state, ..sample::batch() })?;
        tx.put_file_applied("0a", 1)?;
        tx.put_temporary(&sample::temporary())?;
        tx.add_card_place(&alice, sample::card_place())?;
        tx.cards_changed(&alice)?;
        assert_eq!(tx.next_creation()?, 1);
        tx.put_creation(&sample::creation(Some(of_creation)))?;
        assert!(tx.claim(&["m:om_1".to_owned(), "e:1".to_owned()], now())?);
        tx.put_op_outcome(&sample::op(), &sample::outcome())?;
        for message in sample::messages(&sealed) {
            tx.owe(message, now())?;
        }
        // The first is delivered, the second given up, and the third was attempted.
        let owed = |id| tx.owed(sample::LANE, id).map(Option::unwrap);
        tx.delivered(&owed(1)?, Some(&"om_sent".parse().unwrap()))?;
        tx.give_up(&owed(2)?, "the chat is gone", now())?;
        let tried = sample::tried(owed(3)?);
        tx.put_owed(&tried)?;
        for task in sample::tasks(waiting.name()) {
            tx.add_task(task, Some(sample::report()), now())?;
        }
        tx.put_person_name(&"ou_1".parse().unwrap(), "王")?;
        tx.put_direct_chat(&"ou_1".parse().unwrap(), &"oc_direct".parse().unwrap())?;
        tx.know_chat("oc_direct", true, now())?;
        tx.welcome("ou_1", now())?;
        tx.put_saved_settings(&sample::settings())?;
        tx.put_monitor_state(&sample::monitor())?;
        tx.put_bot_open_id(&"ou_bot".parse().unwrap())?;
        tx.put_heard_until(now())?;
        tx.put_undelivered_told_at(now())
    });
}

/// Everything is read as it was put in.
fn check(store: &Store) {
    let (alice, carol) = (user("main/alice"), user("main/carol"));
    assert!(same_pair(store.account_secrets(&account("main")).unwrap()));
    store
        .read(|tx| {
            let accounts = tx.accounts()?;
            let known =
                |n: usize| (accounts[n].name.as_str(), accounts[n].active, accounts[n].created);
            assert_eq!(known(0), ("实验室", Switch::Off, now()));
            assert_eq!(known(1), ("云上主体", Switch::On, now()));
            assert_eq!(accounts[1].hint, "AKLT…0001");
            assert_eq!(tx.balance(&account("main"))?, Some(sample::balance()));
            assert_eq!(tx.users()?, sample::users_after());
            assert_eq!(tx.projects_of(&account("main"))?, sample::projects());
            assert_eq!(tx.projects_listed_at(&account("main"))?, Some(now()));
            assert_eq!(tx.links_of_account(&account("main"))?, sample::links_after());
            let (mut entries, count) = tx.ledger(&alice, 10)?;
            entries.reverse();
            // Older files do not say which thresholds an entry lets warn again.
            entries.iter_mut().for_each(|entry| entry.rearmed.clear());
            assert_eq!((entries, count), (sample::ledger_after(), 2));
            let bill = tx.bill(&account("main"), &project("p"), month("2026-10"))?.unwrap();
            assert_eq!((bill.amount, bill.read_at), (money("10.000001"), now()));
            let spent: Vec<_> = tx.spending_of(&alice, month("2026-10"))?;
            let spent: Vec<_> =
                spent.iter().map(|r| (r.project.clone(), r.amount, r.updated)).collect();
            let amount = money("10.000001");
            assert_eq!(spent, [(None, amount, now()), (Some(project("p")), amount, now())]);
            assert_eq!(tx.period_total(month("2026-10"))?, amount);
            let (mut alerts, _) = tx.alerts(Some(&alice), None, 0, 100)?;
            alerts.reverse();
            let bodies: Vec<_> = alerts.iter().map(|alert| alert.body.clone()).collect();
            assert_eq!(bodies, sample::alerts());
            assert_eq!((alerts[0].notice, alerts[1].notice), (Notice::Owed, Notice::NotOwed));
            assert_eq!(tx.access_pending(&carol)?, Some(sample::pending()));
            assert_eq!(tx.access_remembered(&carol)?, Some(sample::remembered()));
            assert_eq!(tx.authorisations_of(&carol)?, [sample::authorisation()]);
            assert_eq!(tx.authorisations_owed()?, [sample::authorisation()]);
            let creation = tx.creation(1)?.unwrap();
            assert_eq!(creation, sample::creation(creation.sealed.clone()));
            assert_eq!(tx.creation_of_op(&sample::op())?, Some(creation.clone()));
            let sealed = creation.sealed.unwrap();
            assert_eq!(*store.open_of_creation(1, &sealed)?, "secrets to be sent");
            assert!(tx.is_seen(&["m:om_1".to_owned()], now())?);
            assert_eq!(tx.op_outcome(&sample::op())?, Some(sample::outcome()));
            assert_eq!(tx.sent_as(1)?, Some("om_sent".parse().unwrap()));
            let failed = tx.failed_messages(10)?;
            assert_eq!((failed.len(), failed[0].reason.as_str()), (1, "the chat is gone"));
            let mut sealed = String::new();
            let mut owed = Vec::new();
            for id in 1..=tx.owed_count()? as u64 + 2 {
                let Some(message) = tx.owed(sample::LANE, id)? else { continue };
                assert_eq!(message.uuid.len(), 36);
                if let crate::domain::Dispatch::Secret { sealed: text, .. } = &message.dispatch {
                    sealed.clone_from(text);
                }
                owed.push(message);
            }
            assert_eq!(*store.open_for(&"ou_1".parse().unwrap(), &sealed)?, "a card with secrets");
            let wanted = sample::messages(&sealed).into_iter().zip(1..);
            let wanted: Vec<_> = wanted.skip(2).collect();
            assert_eq!(owed.len(), wanted.len());
            for (found, (wanted, id)) in owed.into_iter().zip(wanted) {
                let wanted = sample::owed(wanted, id, &found.uuid);
                assert_eq!(found, if id == 3 { sample::tried(wanted) } else { wanted });
            }
            let tasks = tx.tasks()?;
            let waiting = tasks.iter().find_map(|task| match &task.kind {
                crate::domain::TaskKind::CheckAccount { pair, .. } => Some(pair.clone()),
                _ => None,
            });
            let waiting = waiting.unwrap();
            assert!(same_pair(store.waiting_pair(&waiting)?));
            let kinds: Vec<_> = tasks.iter().map(|task| task.kind.clone()).collect();
            assert_eq!(kinds, sample::tasks(&waiting));
            assert!(tasks.iter().all(|task| task.report == Some(sample::report())));
            let person = "ou_1".parse().unwrap();
            assert_eq!(tx.person_name(&person)?.as_deref(), Some("王"));
            assert_eq!(tx.direct_chat(&person)?, Some("oc_direct".parse().unwrap()));
            assert!(tx.known_chat("oc_direct")?.unwrap().direct);
            assert_eq!(tx.saved_settings()?, sample::settings());
            assert_eq!(tx.monitor_state()?, sample::monitor());
            assert_eq!(tx.bot_open_id()?, Some("ou_bot".parse().unwrap()));
            assert_eq!((tx.heard_until()?, tx.undelivered_told_at()?), (Some(now()), Some(now())));
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

/// Work continues where it stopped.
fn goes_on(store: &Store) {
    let alice = user("main/alice");
    write(store, |tx| {
        assert!(!tx.claim(&["e:1".to_owned()], now())?, "an event from before the update");
        assert!(!tx.welcome("ou_1", now())?);
        let entry = allocate(tx, &alice, money("1"), "", now()).unwrap();
        assert_eq!((entry.seq, entry.total_after), (3, money("800.5")));
        let alerts = sample::alerts().len() as u64;
        assert_eq!(tx.add_alert(None, sample::alerts().remove(0), now())?.id, alerts + 1);
        assert_eq!(tx.next_creation()?, 2);
        for head in tx.lane_heads()? {
            tx.delivered(&head, None)?;
        }
        Ok(())
    });
    let delivered = store.read(|tx| tx.alert(1)).unwrap().unwrap();
    assert_eq!(delivered.notice, Notice::Delivered);
}

/// Tables that were added without a new layout: released files have no rows for them.
const ADDED_EMPTY: &[&str] = &[
    "access_paths",
    "access_proofs",
    "alert_posts",
    "approvals",
    "approvals_waiting",
    "card_places",
    "cards_due",
    "chat_names",
    "batch_rows",
    "batch_users",
    "batches",
    "batches_applying",
    "batches_open",
    "day_totals",
    "days",
    "days_once",
    "estimated",
    "estimates",
    "files_applied",
    "period_spenders",
    "readings",
    "requests",
    "requests_pending",
    "temporary",
    "temporary_running",
    "unattributed",
    "usage",
    "user_requests",
];

fn nothing_is_empty(store: &Store, except: &[&str]) {
    let rows = rows(store);
    let empty: Vec<_> = rows
        .iter()
        .filter(|(table, rows)| **rows == 0 && !except.contains(&table.as_str()))
        .collect();
    assert!(empty.is_empty(), "nothing in {empty:?}");
}

#[test]
fn a_file_of_every_layout_opens_and_everything_in_it_is_read() {
    for version in 1..=SCHEMA_VERSION {
        let (folder, path) = copy_of(version);
        let store = Store::open(&path, &KEY).unwrap();
        check(&store);
        // What later layouts added is derived from the older rows.
        nothing_is_empty(&store, ADDED_EMPTY);
        goes_on(&store);
        drop(store);
        // It can also be restored as a backup.
        let restored = folder.path().join("restored.redb");
        restore(&file_of(version), &restored, &KEY, Present::Refuse, now()).unwrap();
        check(&Store::open(&restored, &KEY).unwrap());
        assert!(matches!(Store::open(&restored, &[8; 32]), Err(StoreError::WrongKey)));
    }
}

#[test]
fn the_sample_fills_every_table_and_is_read_back() {
    let store = in_memory();
    fill(&store);
    check(&store);
    let carol = user("main/carol");
    store
        .read(|tx| {
            assert_eq!(tx.access_paths(&carol)?, sample::paths());
            assert_eq!(tx.access_proof(&carol)?, Some(sample::proof()));
            assert_eq!(tx.pending_requests()?, [sample::request()]);
            assert_eq!(tx.waiting_approvals()?, [sample::approval()]);
            assert_eq!(tx.open_batches()?[0], sample::batch());
            let name = tx.chat_name(&"oc_1".parse().unwrap())?;
            assert_eq!(name.as_deref(), Some("云账单告警"));
            assert_eq!(tx.batch_rows(1, 0, 9)?, [(0, sample::batch_row())]);
            assert_eq!(tx.file_applied("0a")?, Some(1));
            assert_eq!(tx.temporaries_of(&user("main/alice"))?, [sample::temporary()]);
            assert_eq!(tx.card_places(&user("main/alice"))?, [sample::card_place()]);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    nothing_is_empty(&store, &[]);
}

#[test]
#[ignore = "writes the file of a new layout, once, before it is released"]
fn write_the_file_of_this_layout() {
    let path = file_of(SCHEMA_VERSION);
    if path.exists() {
        return;
    }
    let store = Store::open(&path, &KEY).unwrap();
    fill(&store);
    let mut db = Arc::into_inner(store.commits).unwrap().into_database();
    while db.compact().unwrap() {}
}
