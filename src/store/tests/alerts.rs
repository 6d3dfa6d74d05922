//! Alert records and their pages.

use super::*;
use crate::domain::{
    AccessGoal, AlertBody, AlertKind, AlertRecord, Figures, Limit, Notice, Problem,
};

fn manual() -> AlertBody {
    AlertBody::manual(AccessGoal::Cut, somebody())
}

fn warning(threshold: u16) -> AlertBody {
    let figures = Figures {
        quota: money("10"),
        consumed: money("9"),
        unbilled: None,
        breakdown: Vec::new(),
        month: None,
    };
    AlertBody::Warning { threshold, of: Limit::Quota, figures }
}

#[test]
fn pages_are_newest_first_and_count_what_matches() {
    let store = in_memory();
    let (al, alice) = (user("main/al"), user("main/alice"));
    let error = AlertBody::Error { problem: Problem::CyclesRecovered { accounts: vec![] } };
    let bodies = [
        (Some(&alice), warning(50)),
        (Some(&al), manual()),
        (None, error),
        (Some(&alice), manual()),
        (Some(&alice), warning(80)),
    ];
    let kept: Vec<AlertRecord> = bodies
        .into_iter()
        .map(|(user, body)| write(&store, |tx| tx.add_alert(user, body, now())))
        .collect();
    let ids: Vec<u64> = kept.iter().map(|alert| alert.id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    assert_eq!(store.read(|tx| tx.alert(4)).unwrap().as_ref(), Some(&kept[3]));
    let page = |user, kind, skip, count| {
        let (alerts, all) = store.read(|tx| tx.alerts(user, kind, skip, count)).unwrap();
        (alerts.iter().map(|alert| alert.id).collect::<Vec<_>>(), all)
    };
    assert_eq!(page(None, None, 0, 2), (vec![5, 4], 5));
    assert_eq!(page(None, None, 4, 2), (vec![1], 5));
    assert_eq!(page(None, None, 9, 2), (vec![], 5));
    assert_eq!(page(None, None, usize::MAX, usize::MAX), (vec![], 5));
    assert_eq!(page(None, Some(AlertKind::Manual), 0, 1), (vec![4], 2));
    assert_eq!(page(Some(&alice), None, 1, 9), (vec![4, 1], 3));
    assert_eq!(page(Some(&al), None, 0, 9), (vec![2], 1));
    assert_eq!(page(Some(&alice), Some(AlertKind::Warning), 0, 9), (vec![5, 1], 2));
    assert_eq!(page(Some(&user("main/bob")), None, 0, 9), (vec![], 0));
}

#[test]
fn a_failed_transaction_neither_repeats_nor_skips_a_number() {
    let store = in_memory();
    let failed = store.write(|tx| {
        tx.add_alert(None, manual(), now())?;
        Err::<(), _>(StoreError::Aborted)
    });
    assert!(failed.is_err());
    assert_eq!(write(&store, |tx| tx.add_alert(None, manual(), now())).id, 1);
    write(&store, |tx| tx.set_alert_notice(1, Notice::Failed));
    write(&store, |tx| tx.set_alert_notice(77, Notice::Failed));
    assert_eq!(store.read(|tx| tx.alert(1)).unwrap().unwrap().notice, Notice::Failed);
    assert_eq!(store.read(|tx| tx.alert(77)).unwrap(), None);
}
