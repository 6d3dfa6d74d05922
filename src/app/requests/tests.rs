//! Requests, second approvals and temporary quota against a store in memory.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::date;
use redb::backends::InMemoryBackend;

use super::*;
use crate::app::people::PeopleRefusal::*;
use crate::app::{SplitRefusal, temporary as ending, undo};
use crate::domain::{
    ApprovalError, ApprovalRules, ApprovalState, LastDayError, LedgerError, RememberedAccess,
    TemporaryState, Thresholds,
};
use crate::store::{AccountSecrets, Store};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-28T02:00:00Z")
}

fn fen(yuan: i64) -> Money {
    Money::from_fen(yuan * 100)
}

fn alice() -> UserKey {
    "main/alice".parse().unwrap()
}

fn id(text: &str) -> OpenId {
    text.parse().unwrap()
}

fn person(text: &str) -> Operator {
    Operator::Person { open_id: id(text), name: None }
}

fn settings(second_from: Option<i64>) -> Settings {
    Settings {
        thresholds: Thresholds::default(),
        interval: Duration::from_secs(3600),
        alert_chat: None,
        webhook_url: None,
        mobiles: Vec::new(),
        people: Vec::new(),
        approval: ApprovalRules {
            second_from: second_from.map(fen),
            request_limit: Some(fen(100_000)),
        },
        notify_owners: true,
        digest: None,
    }
}

/// A store in which `ou_owner` owns main/alice.
fn store() -> Store {
    let store = Store::with_backend(InMemoryBackend::new(), &[1; 32]).unwrap();
    let secrets = AccountSecrets {
        access_key_id: "AKLT0000000001".to_owned().into(),
        secret_key: "secret".to_owned().into(),
    };
    store.save_account(&"main".parse().unwrap(), "main", &secrets, now()).unwrap();
    store
        .write(|tx| {
            let mut user = User::new(alice(), now());
            (user.status, user.owner) = (UserStatus::Active, Some(id("ou_owner")));
            tx.put_user(&user)
        })
        .unwrap();
    store
}

fn asked(amount: i64) -> NewRequest<'static> {
    static ALICE: std::sync::LazyLock<UserKey> = std::sync::LazyLock::new(alice);
    NewRequest { user: &ALICE, amount: fen(amount), reason: "双十一", until: None }
}

/// Does it in a transaction, and returns the refusal if there is one.
fn tried<T>(store: &Store, f: impl FnOnce(&WriteTx) -> Result<T, Error>) -> Result<T, Refusal> {
    store.write(f).split_refusal().unwrap()
}

fn ask_for(store: &Store, new: &NewRequest<'_>) -> Result<QuotaRequest, Refusal> {
    tried(store, |tx| ask(tx, &settings(None), new, &person("ou_owner"), now()))
}

fn granted(
    store: &Store,
    settings: &Settings,
    id: u64,
    amount: i64,
    by: &str,
) -> Result<RequestDecided, Refusal> {
    let decision = Decision::Grant { amount: fen(amount), note: "好" };
    tried(store, |tx| decide(tx, settings, id, decision, &person(by), now()))
}

fn ledger(store: &Store) -> Vec<LedgerEntry> {
    store.read(|tx| tx.ledger(&alice(), 100)).unwrap().0
}

fn quota(store: &Store) -> Money {
    store.read(|tx| tx.user(&alice())).unwrap().unwrap().quota
}

fn allocated(
    store: &Store,
    second_from: i64,
    amount: i64,
    by: &str,
    at: Timestamp,
) -> Result<Outcome, Refusal> {
    let (user, by, rules) = (alice(), person(by), settings(Some(second_from)).approval);
    let allocation = Allocation { user: &user, amount: fen(amount), note: "", operator: &by };
    tried(store, |tx| approvals::allocate(tx, &rules, &allocation.into(), at))
}

fn waits(outcome: Result<Outcome, Refusal>) -> Approval {
    match outcome {
        Ok(Outcome::WaitsForSecond(approval)) => approval,
        other => panic!("does not wait: {other:?}"),
    }
}

#[test]
fn a_request_is_refused_with_what_is_wrong_with_it() {
    let store = store();
    let stranger =
        tried(&store, |tx| ask(tx, &settings(None), &asked(1), &person("ou_stranger"), now()));
    assert_eq!(stranger, Err(Refusal::People(NotOwner)));
    let unknown = "main/nobody".parse().unwrap();
    let nobody = NewRequest { user: &unknown, ..asked(1) };
    assert_eq!(ask_for(&store, &nobody), Err(Refusal::People(NotOwner)), "as for somebody else's");
    for (new, refusal) in [
        (NewRequest { reason: " ", ..asked(1) }, NoReason),
        (asked(-5), NotAboveZero),
        (asked(100_001), OverLimit(fen(100_000))),
        (NewRequest { until: Some(date(2026, 11, 27)), ..asked(1) }, LastDay(LastDayError::Past)),
    ] {
        assert_eq!(ask_for(&store, &new), Err(Refusal::People(refusal)));
    }
    let long = "长".repeat(501);
    let long = NewRequest { reason: &long, ..asked(1) };
    assert_eq!(ask_for(&store, &long), Err(Refusal::People(ReasonTooLong(501))));
    ask_for(&store, &asked(1)).unwrap();
    assert_eq!(ask_for(&store, &asked(2)), Err(Refusal::People(Pending)));
}

#[test]
fn a_grant_is_booked_once_and_the_entry_names_both() {
    let store = store();
    let request = ask_for(&store, &asked(500)).unwrap();
    let done = granted(&store, &settings(None), request.id, 300, "ou_admin").unwrap();
    assert_eq!(quota(&store), fen(300));
    let [entry] = <[LedgerEntry; 1]>::try_from(ledger(&store)).unwrap();
    assert_eq!(Some(entry.clone()), done.entry);
    assert_eq!(entry.operator, person("ou_admin"));
    assert_eq!(entry.parties.requested_by, Some(person("ou_owner")));
    assert_eq!(entry.note, "双十一");
    let again = granted(&store, &settings(None), request.id, 300, "ou_other");
    assert_eq!(
        again.unwrap_err(),
        Refusal::People(RequestClosed(Box::new(done.request.state.clone())))
    );
    let refuse = Decision::Refuse { note: "" };
    let refused = tried(&store, |tx| {
        decide(tx, &settings(None), request.id, refuse, &person("ou_other"), now())
    });
    assert!(matches!(refused, Err(Refusal::People(RequestClosed(_)))));
    assert_eq!(ledger(&store).len(), 1);
    // The next one may follow.
    ask_for(&store, &asked(1)).unwrap();
}

#[test]
fn fifty_decisions_by_five_people_at_once_book_one_entry() {
    let store = store();
    let request = ask_for(&store, &asked(500)).unwrap().id;
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50)
            .map(|n| {
                let store = &store;
                scope.spawn(move || {
                    let by = format!("ou_admin{}", n % 5);
                    granted(store, &settings(None), request, 500, &by)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (1, 49));
    // Everybody else learns the same.
    let state = done.into_iter().next().unwrap().unwrap().request.state;
    let told: BTreeSet<String> =
        refused.into_iter().map(|outcome| format!("{:?}", outcome.unwrap_err())).collect();
    assert_eq!(
        told,
        BTreeSet::from([format!("{:?}", Refusal::People(RequestClosed(Box::new(state))))])
    );
    assert_eq!((quota(&store), ledger(&store).len()), (fen(500), 1));
}

#[test]
fn nobody_decides_about_their_own_request_and_only_they_withdraw_it() {
    let store = store();
    let request = ask_for(&store, &asked(500)).unwrap().id;
    let own = granted(&store, &settings(None), request, 500, "ou_owner");
    assert_eq!(own.unwrap_err(), Refusal::People(OwnRequest));
    let withdrawn =
        |by: &str| tried(&store, |tx| withdraw(tx, request, &id(by), now())).map(|r| r.state);
    assert_eq!(withdrawn("ou_admin"), Err(Refusal::People(NotTheirs)));
    assert_eq!(withdrawn("ou_owner"), Ok(RequestState::Withdrawn { at: now() }));
    let late = granted(&store, &settings(None), request, 500, "ou_admin");
    assert!(matches!(late, Err(Refusal::People(RequestClosed(_)))), "{late:?}");
    assert!(ledger(&store).is_empty());
}

#[test]
fn an_open_request_lapses_after_seven_days_whether_or_not_the_service_ran() {
    let store = store();
    let request = ask_for(&store, &asked(500)).unwrap().id;
    let lapsed = |at| store.write(|tx| lapse(tx, at)).unwrap();
    assert!(lapsed(at("2026-12-05T01:59:59Z")).is_empty());
    let later = at("2026-12-20T00:00:00Z");
    assert_eq!(lapsed(later)[0].state, RequestState::Lapsed { at: later });
    assert!(lapsed(later).is_empty());
    assert!(store.read(|tx| tx.pending_requests()).unwrap().is_empty());
    let late = granted(&store, &settings(None), request, 500, "ou_admin");
    assert!(matches!(late, Err(Refusal::People(RequestClosed(_)))));
}

#[test]
fn the_sum_of_a_day_by_one_person_for_one_user_needs_a_second_one() {
    let store = store();
    assert!(matches!(allocated(&store, 1000, 600, "ou_a", now()), Ok(Outcome::Booked(_))));
    // Somebody else's, and a deduction, count for themselves.
    assert!(matches!(allocated(&store, 1000, 600, "ou_b", now()), Ok(Outcome::Booked(_))));
    assert!(matches!(allocated(&store, 1000, -600, "ou_a", now()), Ok(Outcome::Booked(_))));
    let waiting = waits(allocated(&store, 1000, 400, "ou_a", now()));
    assert_eq!((quota(&store), ledger(&store).len()), (fen(600), 3));
    // What waits counts, too.
    waits(allocated(&store, 1000, 1, "ou_a", now()));
    let tomorrow = at("2026-11-29T02:00:00Z");
    assert!(matches!(allocated(&store, 1000, 999, "ou_a", tomorrow), Ok(Outcome::Booked(_))));
    let own = tried(&store, |tx| approvals::decide(tx, waiting.id, true, &person("ou_a"), now()));
    assert_eq!(own.unwrap_err(), Refusal::People(OwnApproval(ApprovalError::Own)));
    let done = tried(&store, |tx| approvals::decide(tx, waiting.id, true, &person("ou_b"), now()));
    let entry = done.unwrap().entry.unwrap();
    assert_eq!((entry.amount, entry.operator), (fen(400), person("ou_a")));
    assert_eq!(entry.parties.confirmed_by, Some(person("ou_b")));
    let again = tried(&store, |tx| approvals::decide(tx, waiting.id, true, &person("ou_c"), now()));
    assert!(matches!(again, Err(Refusal::People(ApprovalClosed(_)))), "{again:?}");
    assert_eq!(quota(&store), fen(600 + 999 + 400));
}

#[test]
fn what_booking_would_refuse_does_not_wait() {
    let store = store();
    let (user, by) = (alice(), person("ou_a"));
    let note = "长".repeat(501);
    let long = Allocation { user: &user, amount: fen(5000), note: &note, operator: &by };
    let rules = settings(Some(1000)).approval;
    let refused = tried(&store, |tx| approvals::allocate(tx, &rules, &long.into(), now()));
    assert_eq!(refused, Err(Refusal::Ledger(LedgerError::NoteTooLong(501))));
    assert!(store.read(|tx| tx.waiting_approvals()).unwrap().is_empty());
}

#[test]
fn an_approval_that_nobody_confirms_lapses_after_a_day() {
    let store = store();
    let waiting = waits(allocated(&store, 1000, 5000, "ou_a", now()));
    let tomorrow = at("2026-11-29T02:00:00Z");
    let late =
        tried(&store, |tx| approvals::decide(tx, waiting.id, true, &person("ou_b"), tomorrow));
    let lapsed = ApprovalState::Lapsed { at: tomorrow };
    assert_eq!(late.unwrap_err(), Refusal::People(ApprovalClosed(Box::new(lapsed.clone()))));
    let ended = store.write(|tx| approvals::lapse(tx, tomorrow)).unwrap();
    assert_eq!((ended.len(), &ended[0].approval.state), (1, &lapsed));
    assert!(store.write(|tx| approvals::lapse(tx, tomorrow)).unwrap().is_empty());
    assert!(ledger(&store).is_empty());
}

#[test]
fn a_large_grant_waits_for_a_second_administrator_and_the_request_follows() {
    let store = store();
    let strict = settings(Some(1000));
    let request = ask_for(&store, &asked(5000)).unwrap().id;
    let first = granted(&store, &strict, request, 5000, "ou_a").unwrap();
    let approval = first.approval.unwrap().id;
    assert!(matches!(first.request.state, RequestState::WaitsForSecond { .. }));
    assert_eq!(ask_for(&store, &asked(1)), Err(Refusal::People(Pending)));
    let confirmed =
        |by: &str| tried(&store, |tx| approvals::decide(tx, approval, true, &person(by), now()));
    let own = confirmed("ou_owner").unwrap_err();
    assert_eq!(own, Refusal::People(OwnApproval(ApprovalError::AskedFor)));
    let done = confirmed("ou_b").unwrap();
    assert!(matches!(done.request.unwrap().state, RequestState::Granted { seq: 1, .. }));
    let parties = ledger(&store).remove(0).parties;
    assert_eq!(parties.requested_by, Some(person("ou_owner")));
    assert_eq!(parties.confirmed_by, Some(person("ou_b")));
}

#[test]
fn a_request_is_open_again_when_its_approval_lapses_and_refused_with_it() {
    let store = store();
    let strict = settings(Some(1000));
    let request = ask_for(&store, &asked(5000)).unwrap().id;
    granted(&store, &strict, request, 5000, "ou_a").unwrap();
    let tomorrow = at("2026-11-29T02:00:00Z");
    let lapsed = store.write(|tx| approvals::lapse(tx, tomorrow)).unwrap();
    assert_eq!(lapsed[0].request.as_ref().unwrap().state, RequestState::Open);
    let again = granted(&store, &strict, request, 5000, "ou_a").unwrap().approval.unwrap();
    let refused =
        tried(&store, |tx| approvals::decide(tx, again.id, false, &person("ou_b"), now()));
    let state = refused.unwrap().request.unwrap().state;
    let RequestState::Refused { decided } = state else { panic!("{state:?}") };
    assert_eq!(decided.by, person("ou_b"));
    assert!(ledger(&store).is_empty());
}

#[test]
fn temporary_quota_is_booked_back_once_the_day_after_and_never_below_zero() {
    let store = store();
    let (user, by) = (alice(), person("ou_a"));
    let rules = ApprovalRules::default();
    let lent = |amount: i64, day| {
        let allocation = Allocation { user: &user, amount: fen(amount), note: "", operator: &by };
        let new = NewQuota { until: Some(day), ..allocation.into() };
        tried(&store, |tx| approvals::allocate(tx, &rules, &new, now()))
    };
    let day = date(2026, 11, 30);
    assert_eq!(lent(-1, day), Err(Refusal::People(NotAboveZero)));
    lent(300, day).unwrap();
    lent(200, day).unwrap();
    allocated(&store, 1_000_000, -250, "ou_a", now()).unwrap();
    let back =
        |at| store.write(|tx| ending::book_back(tx, |it| format!("{}", it.last_day), at)).unwrap();
    assert!(back(at("2026-11-30T15:59:59Z")).0.is_empty());
    // The service was down for days.
    let late = at("2026-12-09T00:00:00Z");
    let (ended, more) = back(late);
    let amounts: Vec<_> = ended.iter().map(|it| it.entry.as_ref().map(|e| e.amount)).collect();
    assert_eq!((amounts, more), (vec![Some(fen(-250)), None], false));
    assert_eq!(ended[0].entry.as_ref().unwrap().operator, Operator::System);
    assert_eq!(quota(&store), Money::ZERO);
    assert!(back(late).0.is_empty());
    let kept = store.read(|tx| tx.temporaries_of(&alice())).unwrap();
    assert_eq!(
        kept[0].state,
        TemporaryState::Ended { at: late, booked_back: fen(250) },
        "{kept:?}"
    );
}

#[test]
fn an_allocation_that_was_undone_is_not_booked_back() {
    let store = store();
    let (user, by) = (alice(), person("ou_a"));
    let allocation = Allocation { user: &user, amount: fen(300), note: "", operator: &by };
    let new = NewQuota { until: Some(date(2026, 11, 30)), ..allocation.into() };
    tried(&store, |tx| approvals::allocate(tx, &ApprovalRules::default(), &new, now())).unwrap();
    tried(&store, |tx| ending::undone(tx, &user, 1, now())).unwrap();
    let late = at("2026-12-09T00:00:00Z");
    let (ended, _) = store.write(|tx| ending::book_back(tx, |_| String::new(), late)).unwrap();
    assert!(ended.is_empty());
    assert_eq!(quota(&store), fen(300));
}

/// Books temporary quota for alice as the next entry of her ledger.
fn temporarily(store: &Store, amount: i64, until: Date, at: Timestamp) {
    let (user, by) = (alice(), person("ou_a"));
    let allocation = Allocation { user: &user, amount: fen(amount), note: "", operator: &by };
    let new = NewQuota { until: Some(until), ..allocation.into() };
    tried(store, |tx| approvals::allocate(tx, &ApprovalRules::default(), &new, at)).unwrap();
}

fn undo_of(store: &Store, seq: u64, at: Timestamp) -> Result<LedgerEntry, Refusal> {
    let done =
        tried(store, |tx| undo::undo(tx, &settings(None), &alice(), seq, &person("ou_b"), at));
    done.map(|done| done.entry)
}

#[test]
fn undoing_temporary_quota_deducts_it_once() {
    let store = store();
    allocated(&store, 1_000_000, 100, "ou_a", now()).unwrap();
    temporarily(&store, 300, date(2026, 11, 30), now());
    assert_eq!(undo_of(&store, 2, now()).unwrap().amount, fen(-300));
    let late = at("2026-12-09T00:00:00Z");
    let (ended, _) = store.write(|tx| ending::book_back(tx, |_| String::new(), late)).unwrap();
    assert!(ended.is_empty());
    assert_eq!(quota(&store), fen(100));
}

#[test]
fn what_has_ended_is_neither_deducted_again_nor_kept_by_an_undo() {
    let before = at("2026-11-30T15:59:00Z");
    let midnight = at("2026-11-30T16:00:00Z");
    let after = at("2026-11-30T16:01:00Z");
    let store = store();
    allocated(&store, 1_000_000, 1000, "ou_a", now()).unwrap();
    temporarily(&store, 300, date(2026, 11, 30), before);
    store.write(|tx| ending::book_back(tx, |_| String::new(), midnight)).unwrap();
    assert_eq!(quota(&store), fen(1000));
    assert_eq!(undo_of(&store, 2, after), Err(Refusal::UndoTooLate));
    assert_eq!(undo_of(&store, 3, after), Err(Refusal::NothingToUndo), "the system's");
    // A deduction leaves nothing to book back; undoing it would make the temporary quota permanent.
    let store = self::store();
    temporarily(&store, 300, date(2026, 11, 30), before);
    allocated(&store, 1_000_000, -300, "ou_a", before).unwrap();
    store.write(|tx| ending::book_back(tx, |_| String::new(), midnight)).unwrap();
    assert_eq!(undo_of(&store, 2, after), Err(Refusal::UndoTooLate));
    assert_eq!(quota(&store), Money::ZERO);
}

#[test]
fn an_undone_allocation_makes_no_room_for_another_one() {
    let store = store();
    allocated(&store, 1000, 900, "ou_a", now()).unwrap();
    undo_of(&store, 1, now()).unwrap();
    waits(allocated(&store, 1000, 900, "ou_a", now()));
    assert_eq!(quota(&store), Money::ZERO);
}

/// What a cut that found nothing remembers.
fn remembered() -> RememberedAccess {
    RememberedAccess {
        cut: now(),
        paths: Default::default(),
        earlier: Default::default(),
        reopened: Default::default(),
        closed: Default::default(),
        reach: Default::default(),
        policies: Vec::new(),
        month: None,
        cause: None,
    }
}

#[test]
fn access_is_restored_with_what_is_booked_and_with_nothing_that_waits() {
    for (amount, restores) in [(999, true), (1000, false)] {
        let store = store();
        store
            .write(|tx| {
                let user = tx.user(&alice())?.unwrap();
                tx.put_user(&User { status: UserStatus::Disabled, ..user })?;
                tx.put_access_remembered(&alice(), &remembered())
            })
            .unwrap();
        let (user, by, settings) = (alice(), person("ou_a"), settings(Some(1000)));
        let allocation = Allocation { user: &user, amount: fen(amount), note: "", operator: &by };
        let (outcome, _) = tried(&store, |tx| {
            approvals::allocate_and_restore(tx, &settings, &allocation.into(), None, now())
        })
        .unwrap();
        let pending = || store.read(|tx| tx.access_pending(&alice())).unwrap();
        assert_eq!(pending().is_some(), restores, "{amount}");
        match outcome {
            Outcome::Booked(entry) => assert!(restores && entry.with_access),
            Outcome::WaitsForSecond(waiting) => {
                let second = person("ou_b");
                tried(&store, |tx| approvals::decide(tx, waiting.id, true, &second, now()))
                    .unwrap();
                assert_eq!(quota(&store), fen(amount));
                assert_eq!(pending(), None);
                assert!(!ledger(&store)[0].with_access);
            }
        }
    }
}

#[test]
fn a_rename_takes_requests_approvals_and_temporary_quota_along() {
    let store = store();
    let request = ask_for(&store, &asked(500)).unwrap().id;
    let waiting = waits(allocated(&store, 1000, 5000, "ou_a", now())).id;
    let (user, by) = (alice(), person("ou_b"));
    let allocation = Allocation { user: &user, amount: fen(300), note: "", operator: &by };
    let new = NewQuota { until: Some(date(2026, 11, 30)), ..allocation.into() };
    tried(&store, |tx| approvals::allocate(tx, &ApprovalRules::default(), &new, now())).unwrap();
    let to: UserKey = "main/alicia".parse().unwrap();
    store.write(|tx| tx.move_users(&[(alice(), to.clone())])).unwrap();
    granted(&store, &settings(None), request, 500, "ou_admin").unwrap();
    tried(&store, |tx| approvals::decide(tx, waiting, true, &person("ou_b"), now())).unwrap();
    let late = at("2026-12-09T00:00:00Z");
    let (ended, _) = store.write(|tx| ending::book_back(tx, |_| String::new(), late)).unwrap();
    assert_eq!(ended.len(), 1);
    let quota = store.read(|tx| tx.user(&to)).unwrap().unwrap().quota;
    assert_eq!(quota, fen(300 + 500 + 5000 - 300));
}

#[test]
fn an_undo_after_temporary_quota_has_ended_leaves_nobody_without_a_limit() {
    let store = store();
    let by = person("ou_a");
    let (day, evening) = (date(2026, 11, 28), at("2026-11-28T15:58:00Z"));
    temporarily(&store, 50, day, now());
    allocated(&store, 1_000_000, 100, "ou_a", evening).unwrap();
    let midnight = at("2026-11-28T16:00:00Z");
    store.write(|tx| ending::book_back(tx, |_| String::new(), midnight)).unwrap();
    assert_eq!(quota(&store), fen(100));
    let settings = settings(None);
    tried(&store, |tx| undo::undo(tx, &settings, &alice(), 2, &by, midnight)).unwrap();
    assert_eq!(quota(&store), Money::ZERO);
    let ended = store.read(|tx| tx.user(&alice())).unwrap().unwrap().quota_ended;
    assert_eq!(ended, Some(day));
}
