//! Values as an older airgate wrote them, without the fields that have been added since. Written by hand, because they
//! must stay readable however the types change.

use serde_json::{Value, json};

use super::*;
use crate::domain::{AccessGoal, AccountReading, Operator, TaskKind, UserStatus};
use crate::store::tables::{
    ACCESS_PENDING, ACCESS_REMEMBERED, ALERTS, BILLS, LEDGER, LINKS, META, OUTBOX, PROJECTS,
    SPENDING, TASKS, USERS,
};

const WHEN: &str = "2026-11-23T02:00:00Z";

#[test]
fn values_of_the_first_layout_open() {
    let store = in_memory();
    write(&store, |tx| {
        let put_user = json!({"key": "main/alice", "monitored": "on", "auto_disable": "off",
            "created": WHEN, "updated": WHEN, "added_later": {"x": 1}});
        tx.put(USERS.holding(), ("main", "alice"), &put_user)?;
        let link = json!({"user": "main/alice", "project": "p", "monitored": "off",
            "since": "2026-10", "freshness": {"state": "stale", "at": null}, "created": WHEN});
        tx.put(LINKS.holding(), ("main", "alice", "p"), &link)?;
        let project = json!({"account": "main", "name": "p"});
        tx.put(PROJECTS.holding(), ("main", "p"), &project)?;
        let entry = json!({"seq": 1, "user": "main/alice", "amount": "10.50",
            "total_after": "10.50", "operator": {"kind": "person", "open_id": "ou_1"}, "at": WHEN});
        tx.put(LEDGER.holding(), ("main", "alice", 1), &entry)?;
        let bill = json!({"amount": "1.234567", "read_at": WHEN});
        tx.put(BILLS.holding(), ("main", "p", 202_610), &bill)?;
        let total = json!({"user": "main/alice", "project": null, "period": "2026-10",
            "amount": "1.234567", "updated": WHEN});
        tx.put(SPENDING.holding(), (202_610, "main", "alice", ""), &total)?;
        let alert = json!({"id": 1, "user": null, "notice": "not_owed", "at": WHEN,
            "body": {"alert": "error", "problem": {"problem": "cycles_recovered"}}});
        tx.put(ALERTS.holding(), 1, &alert)?;
        let pending = json!({"goal": "cut", "cause": {"cause": "quota_used_up"}, "since": WHEN,
            "next_at": WHEN});
        tx.put(ACCESS_PENDING.holding(), ("main", "alice"), &pending)?;
        let remembered = json!({"cut": WHEN});
        tx.put(ACCESS_REMEMBERED.holding(), ("main", "alice"), &remembered)?;
        let owed = json!({"id": 1, "lane": "hook", "dispatch": {"how": "webhook", "card": "{}"},
            "uuid": "u", "created": WHEN, "not_before": WHEN});
        tx.put(OUTBOX.holding(), ("hook", 1), &owed)?;
        tx.put(TASKS.holding(), 1, &json!({"id": 1, "kind": {"task": "sync"}, "created": WHEN}))?;
        tx.put(META.holding(), "settings", &json!({}))?;
        let reading = json!({"account": "main", "periods": ["2026-11"], "rows": 1, "calls": 1,
            "error": null});
        let report = json!({"started": WHEN, "ended": WHEN, "outcome": "ok", "users": 1,
            "warnings": 0, "disables": 0, "accounts": [reading]});
        tx.put(META.holding(), "monitor", &json!({"last": report}))
    });
    let alice = user("main/alice");
    store
        .read(|tx| {
            let record = tx.user(&alice)?.unwrap();
            assert_eq!((record.auto_disable, record.status), (Switch::Off, UserStatus::Unknown));
            assert_eq!((record.quota, record.thresholds), (Money::ZERO, None));
            let link = &tx.links_of(&alice)?[0];
            assert_eq!((link.label(), link.freshness), ("p", Freshness::Stale(None)));
            assert_eq!(tx.projects_of(&account("main"))?[0].display_name, "");
            let entry = &tx.ledger(&alice, 1)?.0[0];
            assert_eq!((&entry.note[..], entry.amount), ("", money("10.5")));
            assert!(matches!(entry.operator, Operator::Person { name: None, .. }));
            let bill = tx.bill(&account("main"), &project("p"), month("2026-10"))?.unwrap();
            assert_eq!(bill.amount, money("1.234567"));
            assert_eq!(tx.spending_of(&alice, month("2026-10"))?[0].project, None);
            assert_eq!(tx.spending_periods()?, [month("2026-10")]);
            assert_eq!(tx.alert(1)?.unwrap().at, now());
            let pending = tx.access_pending(&alice)?.unwrap();
            assert_eq!((pending.goal, pending.attempts), (AccessGoal::Cut, 0));
            assert!(!tx.access_remembered(&alice)?.unwrap().login());
            assert_eq!(tx.lane_heads()?[0].attempts, 0);
            assert_eq!(tx.tasks()?[0].kind, TaskKind::Sync);
            assert_eq!(tx.saved_settings()?, Default::default());
            let last = tx.monitor_state()?.last.unwrap();
            let AccountReading { credentials_refused, warning, .. } = &last.accounts[0];
            assert_eq!((*credentials_refused, warning), (false, &None));
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn a_value_that_cannot_be_read_names_its_table() {
    let store = in_memory();
    write(&store, |tx| tx.put(USERS.holding(), ("main", "alice"), &Value::Null));
    let read = store.read(|tx| tx.users());
    assert!(matches!(read, Err(StoreError::Codec { table: "users", .. })), "{read:?}");
}
