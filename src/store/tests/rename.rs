//! Renamed users keep everything stored about them.

use super::*;
use crate::domain::{
    AccessCause, AccessGoal, AccessItem, AccessPath, AlertBody, Authorisation, Grant, GrantState,
    PathItems, PendingAccess, PolicyScope, RememberedAccess, TaskKind,
};
use crate::store::RecordedReading;

/// A user with something in every table, all of it marked by `mark`.
fn full(store: &Store, key: &str, name: &str, mark: u32) {
    add_user(store, key);
    let (id, account) = (user(key), account("main"));
    let amount = money(&format!("{mark}0"));
    // A reading has every project of the account: the first user's, then both.
    let amounts = [("team-a", "1"), ("team-b", "2")].into_iter().take(mark as usize);
    let bills = amounts.map(|(name, sum)| ((project(name), month("2026-11")), money(sum)));
    let reading = RecordedReading::of_months(account, bills, now());
    store.write(|tx| allocate(tx, &id, amount, "", now())).unwrap();
    write(store, |tx| {
        tx.put_link(&link(key, name, "2026-11"))?;
        tx.record_cycle(&[reading])?;
        let problem = crate::domain::Problem::AccessReopened { items: PathItems::new() };
        tx.add_alert(Some(&id), AlertBody::Error { problem }, now())?;
        let mut pending = PendingAccess::new(AccessGoal::Cut, AccessCause::QuotaUsedUp, now());
        pending.attempts = mark;
        tx.put_access_pending(&id, &pending)?;
        let keys = [AccessItem::new(format!("AKLT{mark}"))];
        let on = AccessPath::AccessKeys;
        let remembered = RememberedAccess::before_cut(None, on, &keys, now());
        tx.put_access_remembered(&id, &remembered)?;
        let mut authorisation =
            Authorisation::new(id.clone(), PolicyScope::Project(project(name)), now());
        authorisation.grants.push(Grant {
            policy: format!("policy-{mark}"),
            kind: None,
            state: GrantState::Owed,
            error: None,
        });
        tx.put_authorisation(&authorisation)?;
        let kind = TaskKind::RefreshProjects { account: id.account.clone(), user: id.clone() };
        tx.add_task(kind, None, now())?;
        Ok(())
    });
}

/// Returns everything stored about a user, without the key.
fn kept(store: &Store, key: &str) -> String {
    let id = user(key);
    seen(store, |tx| {
        let record = tx.user(&id)?.map(|user| (user.quota, user.consumed));
        let links: Vec<String> = tx
            .links_of(&id)?
            .into_iter()
            .map(|link| format!("{} {}", link.user, link.project))
            .collect();
        let (entries, _) = tx.ledger(&id, 10)?;
        let entries: Vec<String> =
            entries.into_iter().map(|entry| format!("{} {}", entry.user, entry.amount)).collect();
        let spending: Vec<String> = tx
            .spending_of(&id, month("2026-11"))?
            .into_iter()
            .map(|record| format!("{} {:?} {}", record.user, record.project, record.amount))
            .collect();
        let (alerts, count) = tx.alerts(Some(&id), None, 0, 10)?;
        let alerts: Vec<String> =
            alerts.into_iter().flat_map(|alert| alert.user).map(|user| user.to_string()).collect();
        let pending = tx.access_pending(&id)?.map(|pending| pending.attempts);
        let remembered = tx.access_remembered(&id)?.map(|remembered| remembered.keys().join(" "));
        let authorisations: Vec<String> = tx
            .authorisations_of(&id)?
            .into_iter()
            .map(|held| format!("{} {}", held.user, held.grants[0].policy))
            .collect();
        let owed = tx.authorisations_owed()?.iter().filter(|owed| owed.user == id).count();
        let tasks = tx
            .tasks()?
            .iter()
            .filter(
                |task| matches!(&task.kind, TaskKind::RefreshProjects { user, .. } if *user == id),
            )
            .count();
        let listed = tx.directory().iter().any(|(listed, _)| *listed == id);
        Ok(format!(
            "{record:?} {links:?} {entries:?} {spending:?} {alerts:?} {count} {pending:?} {remembered:?} \
             {authorisations:?} {owed} {tasks} {listed}"
        )
        .replace(key, "KEY"))
    })
}

#[test]
fn two_users_who_swap_names_keep_everything_stored_about_them() {
    let store = in_memory();
    full(&store, "main/alice", "team-a", 1);
    full(&store, "main/bob", "team-b", 2);
    let (alice, bob) = (kept(&store, "main/alice"), kept(&store, "main/bob"));
    let total = seen(&store, |tx| tx.period_total(month("2026-11")));
    let swap = [("main/alice", "main/bob"), ("main/bob", "main/alice")];
    let moves = swap.map(|(from, to)| (user(from), user(to)));
    write(&store, |tx| tx.move_users(&moves));
    assert_eq!((kept(&store, "main/alice"), kept(&store, "main/bob")), (bob, alice));
    assert_eq!(seen(&store, |tx| tx.period_total(month("2026-11"))), total);
    let ranked = seen(&store, |tx| tx.top_spenders_in(month("2026-11"), 0, 10));
    assert_eq!(ranked, [(user("main/alice"), money("2")), (user("main/bob"), money("1"))]);
}

#[test]
fn nothing_is_left_under_the_old_name() {
    let store = in_memory();
    let nobody = kept(&store, "main/alice");
    full(&store, "main/alice", "team-a", 1);
    let alice = kept(&store, "main/alice");
    write(&store, |tx| tx.move_users(&[(user("main/alice"), user("main/alina"))]));
    assert_eq!((kept(&store, "main/alice"), kept(&store, "main/alina")), (nobody, alice));
}
