//! Events and forms apply once.

use jiff::SignedDuration;
use redb::ReadableTableMetadata;

use super::*;
use crate::domain::OpId;
use crate::store::OpOutcome;
use crate::store::tables::{OPS, OPS_BY_TIME, SEEN, SEEN_BY_TIME};

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn after(duration: SignedDuration) -> Timestamp {
    now().checked_add(duration).unwrap()
}

fn claim(store: &Store, names: &[&str], at: Timestamp) -> bool {
    write(store, |tx| tx.claim(&keys(names), at))
}

/// Rows of the two tables of claims.
fn kept(store: &Store) -> (u64, u64) {
    write(store, |tx| Ok((tx.open(SEEN)?.len()?, tx.open(SEEN_BY_TIME)?.len()?)))
}

#[test]
fn a_repeat_is_recognised_by_either_key() {
    let store = in_memory();
    assert!(claim(&store, &["m:1", "e:1"], now()));
    assert!(!claim(&store, &["m:1", "e:1"], now()));
    assert!(!claim(&store, &["m:1", "e:2"], now()), "the same message in another event");
    assert!(!claim(&store, &["m:2", "e:1"], now()), "the same event");
    let none = store.read(|tx| tx.is_seen(&keys(&["m:2", "e:2"]), now())).unwrap();
    assert!(!none, "a refused claim claims nothing");
    assert!(claim(&store, &["m:2", "e:2"], now()));
    // Without a key, nothing is a repeat.
    assert!(claim(&store, &[], now()) && claim(&store, &[], now()));
}

#[test]
fn a_claim_holds_for_eight_hours() {
    let store = in_memory();
    assert!(claim(&store, &["e:1"], now()));
    let almost = after(SignedDuration::from_millis(8 * 3_600_000 - 1));
    assert!(!claim(&store, &["e:1"], almost));
    assert!(claim(&store, &["e:1"], after(SignedDuration::from_hours(8))));
}

#[test]
fn new_claims_remove_old_ones_but_not_a_renewed_one() {
    let store = in_memory();
    for n in 0..30 {
        assert!(claim(&store, &[&format!("m:{n}"), &format!("e:{n}")], now()));
    }
    // Claimed again after the event window: removing the first row by time later must not remove the new claim.
    assert!(claim(&store, &["e:0"], after(SignedDuration::from_mins(8 * 60 + 30))));
    assert_eq!(kept(&store), (60, 61));
    for n in 0..4 {
        let later = after(SignedDuration::from_mins(9 * 60 + 1 + n));
        assert!(claim(&store, &[&format!("e:new{n}")], later));
    }
    assert_eq!(kept(&store), (5, 5));
    assert!(!claim(&store, &["e:0"], after(SignedDuration::from_hours(10))));
}

#[test]
fn a_failed_transaction_claims_nothing() {
    let store = in_memory();
    let failed = store.write(|tx| {
        assert!(tx.claim(&keys(&["e:1"]), now())?);
        Err::<(), _>(StoreError::Aborted)
    });
    assert!(failed.is_err());
    assert!(claim(&store, &["e:1"], now()));
}

#[test]
fn a_form_s_first_answer_is_kept_for_as_long_as_its_card_can_be_clicked() {
    let store = in_memory();
    let op = |n: usize| OpId::new(format!("op-{n}")).unwrap();
    let outcome = |n: usize, at| OpOutcome {
        refused: n == 1,
        succeeded: n == 2,
        toast: format!("第{n}"),
        at,
    };
    for n in 0..30 {
        write(&store, |tx| tx.put_op_outcome(&op(n), &outcome(n, now())));
    }
    let read = |n| store.read(|tx| tx.op_outcome(&op(n))).unwrap();
    assert_eq!(read(1), Some(outcome(1, now())));
    assert_eq!(read(99), None);
    let last_click = after(SignedDuration::from_hours(14 * 24));
    write(&store, |tx| tx.put_op_outcome(&op(100), &outcome(100, last_click)));
    assert_eq!(read(1), Some(outcome(1, now())));
    let later = after(SignedDuration::from_hours(16 * 24));
    for n in 101..103 {
        write(&store, |tx| tx.put_op_outcome(&op(n), &outcome(n, later)));
    }
    assert_eq!(read(1), None);
    let rows = write(&store, |tx| Ok((tx.open(OPS)?.len()?, tx.open(OPS_BY_TIME)?.len()?)));
    assert_eq!(rows, (3, 3));
}
