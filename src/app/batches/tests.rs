//! Batches against a store in memory.

use redb::backends::InMemoryBackend;

use super::*;
use crate::app::projects::{self, NewLink};
use crate::app::quota::{self, Allocation};
use crate::domain::{Joining, LinkPolicies, User, UserKey, UserStatus};
use crate::store::Store;

fn now() -> Timestamp {
    "2026-11-28T02:00:00Z".parse().unwrap()
}

fn by() -> Operator {
    Operator::Person { open_id: "ou_a".parse().unwrap(), name: None }
}

fn user(name: &str) -> UserKey {
    format!("main/{name}").parse().unwrap()
}

/// A store in which two users have ¥100 each.
fn store() -> Store {
    let store = Store::with_backend(InMemoryBackend::new(), &[1; 32]).unwrap();
    for name in ["alice", "bob"] {
        let user = user(name);
        store
            .write(|tx| {
                let status = UserStatus::Active;
                tx.put_user(&User { status, ..User::new(user.clone(), now()) })
            })
            .unwrap();
        booked(&store, name, "100").unwrap();
    }
    store
}

fn booked(store: &Store, name: &str, amount: &str) -> Result<(), Refusal> {
    let (user, by) = (user(name), by());
    let new = Allocation { user: &user, amount: amount.parse().unwrap(), note: "", operator: &by };
    store.write(|tx| quota::book(tx, &new, now())).split_refusal().unwrap().map(drop)
}

/// A batch that is being checked, with a row for each user, and what the last look said.
fn checking(store: &Store, names: &[&str], change: &RowChange) -> (Batch, Looked) {
    let rules = ApprovalRules::default();
    let rows = names.iter().map(|name| BatchRow { user: user(name), change: change.clone() });
    let prepared = store.read(|tx| prepare(tx, &rules, &by(), rows.collect(), now())).unwrap();
    let batch = store
        .write(|tx| {
            let source = BatchSource::List { place: String::new(), change: change.clone() };
            let state = BatchState::Checking { at: now(), confirmed_by: None };
            let batch = ask(tx, source, &by(), None, now())?;
            let batch = Batch { state, plan: prepared.plan, ..batch };
            tx.put_batch(&batch)?;
            tx.put_batch_rows(batch.id, 0, &prepared.rows)?;
            Ok::<_, StoreError>(batch)
        })
        .unwrap();
    let rows = store.read(|tx| tx.batch_rows(batch.id, 0, 99)).unwrap();
    let looked = store.read(|tx| look(tx, &rules, &batch, &rows, now())).unwrap();
    (batch, looked)
}

fn settled(store: &Store, batch: &Batch, looked: &Looked) -> Decision {
    let rows = store.read(|tx| tx.batch_rows(batch.id, 0, 99)).unwrap();
    let rules = ApprovalRules::default();
    store.write(|tx| settle(tx, &rules, batch, &rows, looked, now())).unwrap()
}

/// Notes that a batch is applied, which writes no row yet.
fn applying(store: &Store, batch: &Batch) -> Batch {
    let state = BatchState::Applying { at: now(), confirmed_by: None };
    let batch = Batch { state, ..batch.clone() };
    store.write(|tx| tx.put_batch(&batch)).unwrap();
    batch
}

fn written(store: &Store, batch: &Batch) {
    let step = || store.write(|tx| write_step(tx, batch, &LinkPolicies::default(), |_| Ok(())));
    while step().unwrap() {}
}

fn deduct(amount: &str) -> RowChange {
    RowChange::Allocate { amount: amount.parse().unwrap(), note: String::new(), until: None }
}

fn ledger(store: &Store, name: &str) -> Vec<String> {
    let (entries, _) = store.read(|tx| tx.ledger(&user(name), 9)).unwrap();
    entries.iter().map(|entry| entry.amount.to_string()).collect()
}

#[test]
fn of_two_batches_that_were_looked_at_together_one_is_applied() {
    let store = store();
    let (first, looked_first) = checking(&store, &["alice", "bob"], &deduct("-80"));
    let (second, looked_second) = checking(&store, &["alice"], &deduct("-80"));
    assert_eq!(settled(&store, &first, &looked_first), Decision::Apply);
    let first = applying(&store, &first);
    let busy = Decision::Stop(vec![(0, BatchRefusal::Busy.into())]);
    assert_eq!(settled(&store, &second, &looked_second), busy);
    written(&store, &first);
    assert_eq!(ledger(&store, "alice"), ["-¥80.00", "¥100.00"]);
    assert_eq!(ledger(&store, "bob"), ["-¥80.00", "¥100.00"]);
}

#[test]
fn until_its_row_is_written_a_user_is_changed_by_nobody_else() {
    let store = store();
    let (batch, looked) = checking(&store, &["alice"], &deduct("-80"));
    assert_eq!(settled(&store, &batch, &looked), Decision::Apply);
    let batch = applying(&store, &batch);
    assert_eq!(booked(&store, "alice", "1"), Err(BatchRefusal::Busy.into()));
    assert_eq!(booked(&store, "bob", "1"), Ok(()));
    written(&store, &batch);
    assert_eq!(booked(&store, "alice", "1"), Ok(()));
}

#[test]
fn what_changed_after_the_last_look_is_looked_at_again() {
    let store = store();
    let (batch, looked) = checking(&store, &["alice", "bob"], &deduct("-80"));
    booked(&store, "bob", "-50").unwrap();
    let decision = settled(&store, &batch, &looked);
    let Decision::Stop(refused) = &decision else { panic!("{decision:?}") };
    assert!(matches!(refused.as_slice(), [(1, Refusal::Ledger(_))]), "{refused:?}");
}

#[test]
fn while_links_are_written_nobody_else_is_linked() {
    let store = store();
    let project = "team-a".parse().unwrap();
    let link = RowChange::Link { project, since: "2026-11".parse().unwrap(), joining: None };
    let (batch, looked) = checking(&store, &["alice"], &link);
    let (other, looked_other) = checking(&store, &["bob"], &link);
    assert_eq!(settled(&store, &batch, &looked), Decision::Apply);
    let batch = applying(&store, &batch);
    let add = || {
        let new = NewLink { project: "team-a".to_owned(), ..NewLink::default() };
        store.write(|tx| projects::add(tx, &user("bob"), &new, now())).split_refusal().unwrap()
    };
    assert_eq!(add().unwrap_err(), BatchRefusal::LinksBusy.into());
    let stopped = settled(&store, &other, &looked_other);
    assert!(matches!(stopped, Decision::Stop(_)), "{stopped:?}");
    written(&store, &batch);
    let state = BatchState::Applied { at: now(), confirmed_by: None };
    store.write(|tx| tx.put_batch(&Batch { state, ..batch.clone() })).unwrap();
    // Now it is known who has it, and a choice is needed.
    assert!(matches!(add().unwrap_err(), Refusal::ProjectTaken(_)));
}

#[test]
fn so_many_that_each_new_one_divides_a_project_again_for_all_are_refused() {
    let store = store();
    let share = |joining| RowChange::Link {
        project: "team-a".parse().unwrap(),
        since: "2026-11".parse().unwrap(),
        joining: Some(joining),
    };
    let most = crate::domain::batch::MAX_SHARERS;
    let names: Vec<String> = (0..=most).map(|at| format!("user-{at}")).collect();
    store
        .write(|tx| {
            names.iter().try_for_each(|name| {
                let status = UserStatus::Active;
                tx.put_user(&User { status, ..User::new(user(name), now()) })
            })
        })
        .unwrap();
    let refused = |count: usize, joining| {
        let rows = names.iter().take(count);
        let rows = rows.map(|name| BatchRow { user: user(name), change: share(joining) });
        let rules = ApprovalRules::default();
        let rows: Vec<BatchRow> = rows.collect();
        store.read(|tx| prepare(tx, &rules, &by(), rows.clone(), now())).unwrap().refused
    };
    assert_eq!(refused(most, Joining::Part), []);
    assert_eq!(refused(most + 1, Joining::Whole), []);
    // None of them, not all but the last.
    let all = refused(most + 1, Joining::Part);
    assert_eq!(all.len(), most + 1);
    let (project, found) = ("team-a".parse().unwrap(), most + 1);
    assert_eq!(all[0].1, BatchRefusal::TooManySharers { project, found, most }.into());
    // Those who have it already count.
    let (batch, looked) = checking(&store, &["alice"], &share(Joining::Part));
    assert_eq!(settled(&store, &batch, &looked), Decision::Apply);
    written(&store, &applying(&store, &batch));
    assert_eq!(refused(most, Joining::Part).len(), most);
}

#[test]
fn what_is_over_is_forgotten_after_15_days_with_the_file_it_applied() {
    let store = store();
    let file = |digest: &str, state: BatchState| {
        store
            .write(|tx| {
                let source = BatchSource::File {
                    message: "om_1".parse().unwrap(),
                    key: "file_1".to_owned(),
                    name: "a.csv".to_owned(),
                    digest: digest.to_owned(),
                };
                let batch = ask(tx, source, &by(), None, now())?;
                tx.put_batch(&Batch { state, ..batch.clone() })?;
                tx.put_file_applied(digest, batch.id)?;
                Ok::<_, StoreError>(batch.id)
            })
            .unwrap()
    };
    let (at, confirmed_by) = (now(), None);
    // One that is stuck hides no other.
    let applying = file("a", BatchState::Applying { at, confirmed_by: None });
    let applied = file("b", BatchState::Applied { at, confirmed_by });
    let lapse = |days: i64| {
        let later = now() + SignedDuration::from_hours(24 * days);
        let over = store.read(|tx| is_over(tx, later)).unwrap();
        store.write(|tx| lapse(tx, later)).unwrap();
        over
    };
    let known = |id| store.read(|tx| tx.batch(id)).unwrap().is_some();
    let file_of = |digest: &str| store.read(|tx| tx.file_applied(digest)).unwrap();
    assert!(!lapse(14));
    assert!(known(applied) && file_of("b") == Some(applied));
    assert!(lapse(15) || lapse(16));
    assert!(!known(applied) && file_of("b").is_none());
    assert!(known(applying) && file_of("a") == Some(applying));
    assert!(!lapse(17), "nothing is left to do");
}

#[test]
fn an_owner_who_was_looked_up_does_not_come_between_preview_and_row() {
    let store = store();
    let person = "ou_b".parse().unwrap();
    let (batch, looked) = checking(&store, &["alice"], &RowChange::Owner { person });
    assert_eq!(settled(&store, &batch, &looked), Decision::Apply);
    let batch = applying(&store, &batch);
    let other: OpenId = "ou_c".parse().unwrap();
    let set = |name: &str| {
        let set = |tx: &WriteTx| crate::app::configure::set_owner(tx, &user(name), &other, now());
        store.write(set).split_refusal().unwrap()
    };
    assert_eq!(set("alice"), Err(BatchRefusal::Busy.into()));
    assert_eq!(set("bob"), Ok(()));
    written(&store, &batch);
    assert_eq!(set("alice"), Ok(()));
}

#[test]
fn more_users_without_a_limit_than_the_preview_named_stop_a_batch() {
    let store = store();
    booked(&store, "alice", "50").unwrap();
    let amount = "-100".parse().unwrap();
    let take = RowChange::Allocate { amount, note: String::new(), until: None };
    let (batch, looked) = checking(&store, &["alice", "bob"], &take);
    assert_eq!(batch.plan.as_ref().map(|plan| plan.run_free), Some(1));
    assert_eq!(settled(&store, &batch, &looked), Decision::Apply);
    booked(&store, "alice", "-50").unwrap();
    let more = BatchRefusal::MoreRunFree { told: 1, found: 2 };
    assert_eq!(settled(&store, &batch, &looked), Decision::Stop(vec![(OF_ALL, more.into())]));
    // One more in the place of another is as many as were named.
    booked(&store, "bob", "5").unwrap();
    assert_eq!(settled(&store, &batch, &looked), Decision::Apply);
}
