//! Opening a store: the lock, the layout's version, the master key; sealed accounts.

use std::os::unix::fs::PermissionsExt;

use redb::{Database, TableDefinition};
use secrecy::ExposeSecret;

use super::*;
use crate::store::opening::{Opening, Stage};
use crate::store::tables::{Declared, META, SECRETS};
use crate::store::view::View;
use crate::store::{AccountSecrets, SCHEMA_VERSION};

fn pair(id: &str, secret: &str) -> AccountSecrets {
    AccountSecrets { access_key_id: id.to_owned().into(), secret_key: secret.to_owned().into() }
}

const ID: &str = "AKLTSEALEDIDSEALEDID0001";
const SECRET: &str = "c2VhbGVkLXNlY3JldC1zZWFsZWQ=";

#[test]
fn opening_a_store_that_is_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/airgate.redb");
    let first = Store::open(&path, &KEY).unwrap();
    assert!(matches!(Store::open(&path, &KEY), Err(StoreError::InUse(found)) if found == path));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    drop(first);
    Store::open(&path, &KEY).unwrap();
}

#[test]
fn a_wrong_master_key_is_reported_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airgate.redb");
    let store = Store::open(&path, &KEY).unwrap();
    store.save_account(&account("main"), "甲", &pair(ID, SECRET), now()).unwrap();
    drop(store);
    assert!(matches!(Store::open(&path, &[8; 32]), Err(StoreError::WrongKey)));
    let store = Store::open(&path, &KEY).unwrap();
    let found = store.account_secrets(&account("main")).unwrap().unwrap();
    assert_eq!(found.secret_key.expose_secret(), SECRET);
}

#[test]
fn a_newer_layout_is_reported_whatever_else_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airgate.redb");
    let db = Database::create(&path).unwrap();
    let tx = db.begin_write().unwrap();
    tx.open_table(META.definition()).unwrap().insert("schema_version", b"99".as_slice()).unwrap();
    // A table whose keys have another type in the newer layout.
    let users: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("users");
    tx.open_table(users).unwrap();
    tx.commit().unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    let opened = Store::open(&path, &KEY);
    assert!(matches!(opened, Err(StoreError::NewerSchema { found: 99 })), "{opened:?}");
    assert!(String::from_utf8_lossy(&before).contains("schema_version"));
}

#[test]
fn a_file_that_is_not_a_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airgate.redb");
    let mut zeros_and_text = vec![0; 8192];
    zeros_and_text.extend_from_slice(b"a letter");
    for bytes in [b"a letter".to_vec(), zeros_and_text] {
        std::fs::write(&path, &bytes).unwrap();
        let opened = Store::open(&path, &KEY);
        assert!(matches!(opened, Err(StoreError::Redb(_))), "{opened:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn neither_half_of_a_key_pair_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airgate.redb");
    let store = Store::open(&path, &KEY).unwrap();
    let saved = store.save_account(&account("main"), "甲", &pair(ID, SECRET), now()).unwrap();
    assert_eq!((saved.hint.as_str(), saved.active), ("AKLT…0001", Switch::On));
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(holds("AKLT…0001".as_bytes()), "the test looks in the right place");
    assert!(!holds(ID.as_bytes()));
    assert!(!holds(SECRET.as_bytes()));
    assert!(!holds(&KEY), "nor the key itself");
}

#[test]
fn a_sealed_pair_opens_only_for_its_own_account() {
    let store = in_memory();
    for id in ["main", "labs"] {
        store.save_account(&account(id), id, &pair(ID, SECRET), now()).unwrap();
    }
    write(&store, |tx| {
        let mut secrets = tx.open(SECRETS)?;
        let moved = redb::ReadableTable::get(&secrets, "main")?.unwrap().value().to_vec();
        secrets.insert("labs", moved.as_slice())?;
        Ok(())
    });
    let labs = store.account_secrets(&account("labs"));
    assert!(matches!(labs, Err(StoreError::Unsealable)));
    let main = store.account_secrets(&account("main")).unwrap().unwrap();
    assert_eq!(main.access_key_id.expose_secret(), ID);
    assert!(store.account_secrets(&account("none")).unwrap().is_none());
}

#[test]
fn saving_again_replaces_the_pair_and_keeps_the_switch() {
    let store = in_memory();
    let main = account("main");
    store.save_account(&main, "甲", &pair(ID, SECRET), now()).unwrap();
    let off = write(&store, |tx| tx.set_account_active(&main, Switch::Off, now()));
    assert!(off);
    let later = at("2026-11-24T00:00:00Z");
    let again = store.save_account(&main, "乙", &pair("AKLTother0002", "s"), later).unwrap();
    assert_eq!((again.active, again.created, again.updated), (Switch::Off, now(), later));
    assert_eq!(store.read(|tx| tx.account(&main)).unwrap(), Some(again.clone()));
    assert_eq!(store.read(|tx| tx.accounts()).unwrap(), [again]);
    let found = store.account_secrets(&main).unwrap().unwrap();
    assert_eq!(found.access_key_id.expose_secret(), "AKLTother0002");
    assert!(!write(&store, |tx| tx.set_account_active(&account("none"), Switch::On, now())));
}

#[test]
fn a_store_of_an_older_layout_tells_how_far_its_migration_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airgate.redb");
    std::fs::copy(released::file_of(1), &path).unwrap();
    let tx = View(Database::open(&path).unwrap().begin_write().unwrap(), Default::default());
    tx.create_tables().unwrap();
    let opening = Opening::default();
    tx.migrate(&opening).unwrap();
    let Stage::Migrating { to, last, rows, of } = opening.stage() else {
        panic!("{:?}", opening.stage());
    };
    assert_eq!((to, last), (SCHEMA_VERSION, SCHEMA_VERSION));
    assert!(rows == of && of > 0, "{rows} of {of}");
}

/// A file that a killed process leaves behind, as it was at that moment.
#[test]
fn a_store_that_was_not_closed_tells_that_it_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (path, left) = (folder.path().join("airgate.redb"), folder.path().join("left.redb"));
    let store = Store::open(&path, &KEY).unwrap();
    store.save_account(&account("main"), "甲", &pair(ID, SECRET), now()).unwrap();
    std::fs::copy(&path, &left).unwrap();
    drop(store);
    let opening = Opening::default();
    drop(crate::store::builder_followed(&opening).open(&left).unwrap());
    assert!(matches!(opening.stage(), Stage::Checking { .. }), "{:?}", opening.stage());
    assert!(Store::open_followed(&left, &KEY, &opening).is_ok());
    assert_eq!(opening.stage(), Stage::Loading);
}
