//! Booking into the ledger.

use super::*;
use crate::app::Refusal;
use crate::domain::{LedgerError, ledger::MAX_NOTE_CHARS};

fn book(store: &Store, amount: &str, note: &str) -> Result<u64, Error> {
    let (alice, amount) = (user("main/alice"), money(amount));
    let later = at("2026-11-24T00:00:00Z");
    store.write(|tx| allocate(tx, &alice, amount, note, later)).map(|entry| entry.seq)
}

fn refused(result: Result<u64, Error>) -> Refusal {
    result.unwrap_err().refusal().unwrap()
}

#[test]
fn entries_are_numbered_and_carry_the_total() {
    let store = in_memory();
    add_user(&store, "main/alice");
    add_user(&store, "main/alice2");
    add_user(&store, "labs/alice");
    for (n, amount) in ["100", "-30.5", "0.25"].into_iter().enumerate() {
        assert_eq!(book(&store, amount, "备注").unwrap(), n as u64 + 1);
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
    book(&store, "-10", "").unwrap();
    assert_eq!(triggered(), [50, 80].into());
    book(&store, "0.01", "").unwrap();
    assert!(triggered().is_empty());
}

#[test]
fn a_refused_allocation_leaves_nothing_behind() {
    let store = in_memory();
    add_user(&store, "main/alice");
    book(&store, "100", "").unwrap();
    let state = || {
        let alice = user("main/alice");
        store.read(|tx| Ok::<_, StoreError>((tx.user(&alice)?, tx.ledger(&alice, 10)?))).unwrap()
    };
    let before = state();
    let below = book(&store, "-100.01", "");
    assert!(matches!(refused(below), Refusal::Ledger(LedgerError::BelowZero { .. })));
    let long = "额".repeat(MAX_NOTE_CHARS + 1);
    let note = book(&store, "1", &long);
    assert_eq!(refused(note), Refusal::Ledger(LedgerError::NoteTooLong(501)));
    let large = book(&store, "999999999999999.99", "");
    assert_eq!(refused(large), Refusal::Ledger(LedgerError::TotalTooLarge));
    assert_eq!(state(), before);
    book(&store, "-100", &long[..MAX_NOTE_CHARS * 3]).unwrap();

    let ghost = user("main/ghost");
    let unknown = store.write(|tx| allocate(tx, &ghost, money("1"), "", now()));
    let refusal = Refusal::NoSuchUser { name: "main/ghost".to_owned(), nearest: Vec::new() };
    assert_eq!(refused(unknown.map(|entry| entry.seq)), refusal);
    assert_eq!(store.read(|tx| tx.ledger(&ghost, 1)).unwrap(), (vec![], 0));
}
