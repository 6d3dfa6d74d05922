//! The users in memory: each transaction sees the users of its own state.

use std::sync::mpsc::channel;

use super::*;
use crate::domain::{AlertBody, AlertKind, Problem};
use crate::store::tables::{
    ACCOUNT_BILLS, KIND_ALERTS, LINKS_BY_PROJECT, SPENDING_RANKED, UNATTRIBUTED,
};
use crate::store::{RecordedReading, SCHEMA_VERSION, Source, View};

fn names(tx: &View<impl Source>) -> Vec<String> {
    tx.directory().iter().map(|(key, _)| key.to_string()).collect()
}

#[test]
fn a_rolled_back_change_was_never_there() {
    let store = in_memory();
    add_user(&store, "main/alice");
    let refused: Result<(), StoreError> = store.write(|tx| {
        tx.put_user(&User::new(user("main/bob"), now()))?;
        assert_eq!(names(tx), ["main/alice", "main/bob"], "its own changes");
        Err(StoreError::Aborted)
    });
    assert!(refused.is_err());
    assert_eq!(seen(&store, |tx| Ok(names(tx))), ["main/alice"]);
    add_user(&store, "main/carol");
    assert_eq!(seen(&store, |tx| Ok(names(tx))), ["main/alice", "main/carol"]);
}

#[test]
fn a_snapshot_keeps_the_users_it_began_with() {
    let store = in_memory();
    add_user(&store, "main/alice");
    let (begun, go_on) = (channel(), channel());
    let other = store.clone();
    let reader = std::thread::spawn(move || {
        seen(&other, |tx| {
            begun.0.send(()).unwrap();
            go_on.1.recv().unwrap();
            Ok((names(tx), tx.users()?.len()))
        })
    });
    begun.1.recv().unwrap();
    for n in 0..20 {
        add_user(&store, &format!("main/u{n}"));
    }
    go_on.0.send(()).unwrap();
    assert_eq!(reader.join().unwrap(), (vec!["main/alice".to_owned()], 1));
    assert_eq!(seen(&store, |tx| Ok(names(tx).len())), 21);
}

#[test]
fn concurrent_readers_and_writers_never_see_mixed_states() {
    let store = in_memory();
    let other = store.clone();
    let writer = std::thread::spawn(move || {
        for n in 0..300 {
            add_user(&other, &format!("main/u{n:03}"));
        }
    });
    let mut known = 0;
    while known < 300 {
        known = seen(&store, |tx| {
            let rows: Vec<String> = tx.users()?.iter().map(|user| user.key.to_string()).collect();
            assert_eq!(names(tx), rows);
            Ok(rows.len())
        });
    }
    writer.join().unwrap();
}

#[test]
fn opening_an_older_store_builds_the_newer_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airgate.redb");
    let store = Store::open(&path, &KEY).unwrap();
    add_user(&store, "main/alice");
    write(&store, |tx| {
        tx.put_link(&link("main/alice", "p", "2026-11"))?;
        let bills = [
            ((project("p"), month("2026-11")), money("5")),
            ((project("rest"), month("2026-11")), money("2")),
        ];
        tx.record_cycle(&[RecordedReading::of_months(account("main"), bills, now())])?;
        let problem = AlertBody::Error { problem: Problem::CyclesRecovered { accounts: vec![] } };
        tx.add_alert(None, problem, now())?;
        tx.open(SPENDING_RANKED)?.retain(|_, ()| false)?;
        tx.open(KIND_ALERTS)?.retain(|_, ()| false)?;
        tx.open(LINKS_BY_PROJECT)?.retain(|_, _| false)?;
        tx.open(ACCOUNT_BILLS)?.retain(|_, _| false)?;
        tx.open(UNATTRIBUTED)?.retain(|_, _| false)?;
        tx.put_schema_version(1)
    });
    drop(store);
    let store = Store::open(&path, &KEY).unwrap();
    seen(&store, |tx| {
        assert_eq!(tx.schema_version()?, Some(SCHEMA_VERSION));
        assert_eq!(tx.top_spenders_in(month("2026-11"), 0, 9)?, [(user("main/alice"), money("5"))]);
        let (alerts, count) = tx.alerts(None, Some(AlertKind::Error), 0, 9)?;
        assert_eq!((alerts.len(), count), (1, 1));
        assert_eq!(names(tx), ["main/alice"]);
        let bill = tx.account_bill(&account("main"), month("2026-11"))?.unwrap();
        assert_eq!((bill.total, bill.unattributed), (money("7"), money("2")));
        let rest = tx.unattributed(&account("main"), month("2026-11"))?;
        assert_eq!(rest, [("rest".to_owned(), money("2"))]);
        Ok(())
    });
}
