//! Users: what a sync and a reading of access change; pending and remembered access.

use super::*;
use crate::domain::{
    AccessCause, AccessGoal, AccessItem, AccessKeyInfo, AccessPath, CloudUser, PendingAccess,
    RememberedAccess, SyncChanges, UserAccess, UserStatus,
};

fn cloud(name: &str, display_name: &str) -> CloudUser {
    CloudUser {
        username: name.parse().unwrap(),
        cloud_id: format!("id-{name}"),
        display_name: display_name.to_owned(),
        email: format!("{name}@example.com"),
        phone: String::new(),
    }
}

fn sync(store: &Store, listed: &[CloudUser], gone: &[&str], at: Timestamp) -> SyncChanges {
    let gone: Vec<_> = gone.iter().map(|name| name.parse().unwrap()).collect();
    write(store, |tx| tx.apply_sync(&account("main"), listed, &gone, at, at))
}

fn access(keys: &[Switch], login: Option<Switch>) -> UserAccess {
    let keys = keys.iter().enumerate();
    let keys = keys.map(|(n, active)| AccessKeyInfo { id: format!("AKLT{n}"), active: *active });
    UserAccess { keys: keys.collect(), login }
}

fn record(store: &Store, key: &str) -> User {
    store.read(|tx| tx.user(&user(key))).unwrap().unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn users_are_listed_by_account_and_name_and_no_account_sees_another_s() {
    let store = in_memory();
    for key in ["main/b", "a/z", "main/a", "main2/a", "mai/x"] {
        add_user(&store, key);
    }
    let keys = |users: Vec<User>| -> Vec<String> {
        users.into_iter().map(|user| user.key.to_string()).collect()
    };
    assert_eq!(
        keys(store.read(|tx| tx.users()).unwrap()),
        ["a/z", "mai/x", "main/a", "main/b", "main2/a"]
    );
    let of_main = store.read(|tx| tx.users_of(&account("main"))).unwrap();
    assert_eq!(keys(of_main), ["main/a", "main/b"]);
    assert_eq!(keys(store.read(|tx| tx.users_of(&account("zz"))).unwrap()), [""; 0]);
}

#[test]
fn a_sync_adds_changes_and_leaves_alone() {
    let store = in_memory();
    add_user(&store, "other/alice");
    let first = sync(&store, &[cloud("alice", "甲"), cloud("bob", "乙")], &[], now());
    assert_eq!(first, SyncChanges { added: names(&["alice", "bob"]), ..Default::default() });
    let alice = record(&store, "main/alice");
    assert_eq!((alice.monitored, alice.auto_disable), (Switch::On, Switch::On));
    assert_eq!((&alice.cloud_id[..], alice.status), ("id-alice", UserStatus::Unknown));
    write(&store, |tx| tx.put_user(&User { remark: "老".to_owned(), ..alice.clone() }));

    let later = at("2026-11-24T00:00:00Z");
    let second = sync(&store, &[cloud("alice", "丙"), cloud("bob", "乙")], &[], later);
    assert_eq!(second, SyncChanges { changed: names(&["alice"]), ..Default::default() });
    let alice = record(&store, "main/alice");
    assert_eq!((&alice.display_name[..], &alice.remark[..]), ("丙", "老"));
    assert_eq!((alice.updated, record(&store, "main/bob").updated), (later, now()));

    // Not listed, and nobody confirmed that bob is gone: the listing may have missed him.
    let third = sync(&store, &[cloud("alice", "丙")], &[], later);
    assert_eq!(third, SyncChanges::default());
    assert_eq!(record(&store, "main/bob").status, UserStatus::Unknown);
    assert_eq!(record(&store, "other/alice").display_name, "");
}

#[test]
fn a_user_who_is_gone_keeps_the_history_and_comes_back_to_it() {
    let store = in_memory();
    sync(&store, &[cloud("alice", "甲")], &[], now());
    let alice = user("main/alice");
    let access = access(&[Switch::On], Some(Switch::On));
    store
        .write(|tx| {
            tx.record_access(&alice, &access, now())?;
            tx.put_access_pending(&alice, &pending())?;
            allocate(tx, &alice, money("5"), "", now())
        })
        .unwrap();
    let gone = sync(&store, &[], &["alice", "stranger"], now());
    assert_eq!(gone, SyncChanges { gone: names(&["alice"]), ..Default::default() });
    let record_gone = record(&store, "main/alice");
    assert_eq!((record_gone.status, record_gone.quota), (UserStatus::Gone, money("5")));
    assert!(record_gone.access_keys.is_empty() && record_gone.login.is_none());
    let cut = store.read(|tx| tx.access_pending(&alice)).unwrap();
    assert_eq!(cut, Some(pending()), "what the user left is still to be closed");
    write(&store, |tx| tx.clear_access_pending(&alice));
    assert_eq!(sync(&store, &[], &["alice"], now()), SyncChanges::default(), "reported once");

    let back = sync(&store, &[cloud("alice", "甲")], &[], now());
    assert_eq!(back, SyncChanges { changed: names(&["alice"]), ..Default::default() });
    let record_back = record(&store, "main/alice");
    assert_eq!((record_back.status, record_back.quota), (UserStatus::Unknown, money("5")));
    assert_eq!(record_back.access_read_at, None);
}

fn pending() -> PendingAccess {
    PendingAccess {
        goal: AccessGoal::Cut,
        cause: AccessCause::Manual { operator: somebody() },
        since: now(),
        attempts: 2,
        next_at: now(),
        last_error: Some("慢".to_owned()),
        paths: Default::default(),
        delay_alerted: true,
        report: None,
        counted: None,
    }
}

#[test]
fn status_follows_from_what_was_read() {
    let store = in_memory();
    let alice = user("main/alice");
    let (on, off) = (Switch::On, Switch::Off);
    for (before, keys, login, status) in [
        (UserStatus::Unknown, &[on, off][..], None, UserStatus::Active),
        (UserStatus::Disabled, &[off], Some(on), UserStatus::Active),
        (UserStatus::Active, &[off, off], Some(off), UserStatus::Disabled),
        (UserStatus::Active, &[], Some(off), UserStatus::Disabled),
        // Nothing to switch off: disabled only if airgate disabled it.
        (UserStatus::Unknown, &[], None, UserStatus::Active),
        (UserStatus::Disabled, &[], None, UserStatus::Disabled),
    ] {
        let mut record = User::new(alice.clone(), now());
        record.status = before;
        let access = access(keys, login);
        let found = write(&store, |tx| {
            tx.put_user(&record)?;
            tx.record_access(&alice, &access, now())
        });
        let found = found.unwrap();
        assert_eq!(found.status, status, "{before:?} {access:?}");
        assert_eq!((found.access_keys, found.login), (access.keys, access.login));
        assert_eq!(found.access_read_at, Some(now()));
    }
    let ghost = user("main/ghost");
    assert_eq!(write(&store, |tx| tx.record_access(&ghost, &access(&[], None), now())), None);
}

#[test]
fn an_outdated_reading_changes_nothing() {
    let store = in_memory();
    let alice = user("main/alice");
    let before = at("2026-11-23T01:00:00Z");
    let later = at("2026-11-23T03:00:00Z");
    sync(&store, &[cloud("alice", "甲")], &[], before);
    // Cut and read back while another reading, begun earlier, is still running.
    let (off, on) = (access(&[Switch::Off], None), access(&[Switch::On], None));
    write(&store, |tx| {
        tx.record_access(&alice, &off, now())?;
        tx.confirm_access(&alice, AccessGoal::Cut, now())
    });
    write(&store, |tx| tx.record_access_read(&alice, &on, before, later));
    assert_eq!(record(&store, "main/alice").status, UserStatus::Disabled);
    write(&store, |tx| tx.record_access_read(&alice, &on, later, later));
    assert_eq!(record(&store, "main/alice").status, UserStatus::Active);
    // Renamed while the users are listed.
    write(&store, |tx| {
        let named = User {
            display_name: "新".to_owned(),
            profile_written_at: Some(now()),
            ..tx.user(&alice)?.unwrap()
        };
        tx.put_user(&named)
    });
    let listed = [cloud("alice", "甲")];
    write(&store, |tx| tx.apply_sync(&account("main"), &listed, &[], before, later));
    assert_eq!(record(&store, "main/alice").display_name, "新");
    write(&store, |tx| tx.apply_sync(&account("main"), &listed, &[], later, later));
    assert_eq!(record(&store, "main/alice").display_name, "甲");
}

#[test]
fn a_change_of_access_is_pending_until_it_is_confirmed() {
    let store = in_memory();
    add_user(&store, "main/alice");
    let alice = user("main/alice");
    let keys = [AccessItem::new("AKLT1")];
    let remembered = RememberedAccess::before_cut(None, AccessPath::AccessKeys, &keys, now());
    write(&store, |tx| {
        tx.put_access_pending(&alice, &pending())?;
        tx.put_access_remembered(&alice, &remembered)
    });
    assert_eq!(store.read(|tx| tx.access_pending(&alice)).unwrap(), Some(pending()));
    assert_eq!(store.read(|tx| tx.all_access_pending()).unwrap(), [(alice.clone(), pending())]);
    let confirm = |goal| write(&store, |tx| tx.confirm_access(&alice, goal, now()));
    let cut = confirm(AccessGoal::Cut).unwrap();
    assert_eq!(cut.status, UserStatus::Disabled, "even if there was nothing to switch off");
    assert_eq!(record(&store, "main/alice"), cut);
    assert_eq!(store.read(|tx| tx.all_access_pending()).unwrap(), []);
    let kept = store.read(|tx| tx.access_remembered(&alice)).unwrap();
    assert_eq!(kept, Some(remembered), "kept for as long as access is cut");
    assert_eq!(confirm(AccessGoal::Restored).unwrap().status, UserStatus::Active);
    assert_eq!(store.read(|tx| tx.access_remembered(&alice)).unwrap(), None);

    write(&store, |tx| tx.put_access_pending(&alice, &pending()));
    assert!(write(&store, |tx| tx.clear_access_pending(&alice)));
    assert!(!write(&store, |tx| tx.clear_access_pending(&alice)));
}
