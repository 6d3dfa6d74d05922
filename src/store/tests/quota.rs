//! Allocating.

use super::*;
use crate::domain::{LedgerError, ledger::MAX_NOTE_CHARS};
use crate::store::AllocateError;

fn allocate(store: &Store, amount: &str, note: &str) -> Result<u64, AllocateError> {
    let (alice, amount) = (user("main/alice"), money(amount));
    let later = at("2026-11-24T00:00:00Z");
    store.write(|tx| tx.allocate(&alice, amount, note, &somebody(), later)).map(|entry| entry.seq)
}

#[test]
fn entries_are_numbered_and_carry_the_total() {
    let store = in_memory();
    add_user(&store, "main/alice");
    add_user(&store, "main/alice2");
    add_user(&store, "labs/alice");
    for (n, amount) in ["100", "-30.5", "0.25"].into_iter().enumerate() {
        assert_eq!(allocate(&store, amount, "备注").unwrap(), n as u64 + 1);
    }
    let alice = user("main/alice");
    let (entries, total) = store.read(|tx| tx.ledger(&alice, 10)).unwrap();
    let shown: Vec<(u64, String, String)> = entries
        .iter()
        .map(|entry| (entry.seq, entry.amount.plain(), entry.total_after.plain()))
        .collect();
    let row = |seq, amount: &str, after: &str| (seq, amount.to_owned(), after.to_owned());
    assert_eq!(
        shown,
        [row(3, "0.25", "69.75"), row(2, "-30.50", "69.50"), row(1, "100.00", "100.00")]
    );
    assert_eq!(total, 3);
    assert_eq!((&entries[0].note[..], &entries[0].operator), ("备注", &somebody()));
    let (last, total) = store.read(|tx| tx.ledger(&alice, 2)).unwrap();
    assert_eq!((last.len(), total), (2, 3));
    let record = store.read(|tx| tx.user(&alice)).unwrap().unwrap();
    assert_eq!(record.quota, money("69.75"));
    for other in ["main/alice2", "labs/alice"] {
        assert_eq!(store.read(|tx| tx.ledger(&user(other), 10)).unwrap(), (vec![], 0), "{other}");
    }
}

#[test]
fn only_adding_lets_thresholds_warn_again() {
    let store = in_memory();
    let mut alice = add_user(&store, "main/alice");
    alice.quota = money("100");
    alice.triggered = [50, 80].into();
    write(&store, |tx| tx.put_user(&alice));
    let triggered = || store.read(|tx| tx.user(&alice.key)).unwrap().unwrap().triggered;
    allocate(&store, "-10", "").unwrap();
    assert_eq!(triggered(), [50, 80].into());
    allocate(&store, "0.01", "").unwrap();
    assert!(triggered().is_empty());
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let store = in_memory();
    add_user(&store, "main/alice");
    allocate(&store, "100", "").unwrap();
    let look = || {
        let alice = user("main/alice");
        store.read(|tx| Ok::<_, StoreError>((tx.user(&alice)?, tx.ledger(&alice, 10)?))).unwrap()
    };
    let before = look();
    let below = allocate(&store, "-100.01", "");
    assert!(matches!(below, Err(AllocateError::Refused(LedgerError::BelowZero { .. }))));
    let long = "额".repeat(MAX_NOTE_CHARS + 1);
    let note = allocate(&store, "1", &long);
    assert!(matches!(note, Err(AllocateError::Refused(LedgerError::NoteTooLong(501)))));
    let large = allocate(&store, "999999999999999.99", "");
    assert!(matches!(large, Err(AllocateError::Refused(LedgerError::TotalTooLarge))));
    assert_eq!(look(), before);
    allocate(&store, "-100", &long[..MAX_NOTE_CHARS * 3]).unwrap();

    let ghost = user("main/ghost");
    let unknown = store.write(|tx| tx.allocate(&ghost, money("1"), "", &Operator::System, now()));
    assert!(matches!(unknown, Err(AllocateError::NoSuchUser)));
    assert_eq!(store.read(|tx| tx.ledger(&ghost, 1)).unwrap(), (vec![], 0));
}
