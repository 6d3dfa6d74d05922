//! What a listing of an account's users changes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{AccountId, User, UserKey, UserStatus, Username};

/// An IAM user as a sync reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudUser {
    /// Name within the account.
    pub username: Username,
    /// The cloud's own id.
    pub cloud_id: String,
    /// Display name.
    pub display_name: String,
    /// E-mail address.
    pub email: String,
    /// Mobile phone.
    pub phone: String,
}

/// Names of the users that a sync added, changed and found gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncChanges {
    /// Users that are new.
    pub added: Vec<String>,
    /// Users whose data or presence changed.
    pub changed: Vec<String>,
    /// Users that are no longer in the cloud.
    pub gone: Vec<String>,
}

/// The users to write after a sync, and what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Users that are new or differ from what was known.
    pub present: Vec<User>,
    /// Users who are gone now and were not before. Anything pending for them is void.
    pub gone: Vec<User>,
    /// All of them by name.
    pub changes: SyncChanges,
}

/// Compares the `known` users of an account with a complete listing that began at `began`.
///
/// A known user who is not in `listed` becomes [`UserStatus::Gone`] only if `confirmed_gone` names them: a listing that
/// changes while it is paged can skip a row. Others who were not listed are left alone.
pub fn after_sync(
    account: &AccountId,
    known: Vec<User>,
    listed: &[CloudUser],
    confirmed_gone: &[Username],
    began: Timestamp,
    now: Timestamp,
) -> Synced {
    let mut synced = Synced::default();
    let mut known: BTreeMap<Username, User> =
        known.into_iter().map(|user| (user.key.username.clone(), user)).collect();
    for cloud in listed {
        match known.remove(&cloud.username) {
            None => {
                let key = UserKey::new(account.clone(), cloud.username.clone());
                let mut user = User::new(key, now);
                user.take_listed(cloud, began);
                synced.present.push(user);
                synced.changes.added.push(cloud.username.to_string());
            }
            Some(before) => {
                let mut user = before.clone();
                user.take_listed(cloud, began);
                user.return_to_cloud();
                if user != before {
                    user.updated = now;
                    synced.present.push(user);
                    synced.changes.changed.push(cloud.username.to_string());
                }
            }
        }
    }
    for (username, mut user) in known {
        if user.status != UserStatus::Gone && confirmed_gone.contains(&username) {
            user.status = UserStatus::Gone;
            user.access_keys.clear();
            user.login = None;
            user.updated = now;
            synced.gone.push(user);
            synced.changes.gone.push(username.to_string());
        }
    }
    synced
}

impl User {
    /// Takes over what the cloud says of the user.
    pub fn take_cloud_data(&mut self, cloud: &CloudUser) {
        self.cloud_id.clone_from(&cloud.cloud_id);
        self.display_name.clone_from(&cloud.display_name);
        self.email.clone_from(&cloud.email);
        self.phone.clone_from(&cloud.phone);
    }

    /// The same from a listing that began at `began`: data that airgate has written to the cloud since then is newer.
    fn take_listed(&mut self, cloud: &CloudUser, began: Timestamp) {
        if self.profile_written_at.is_some_and(|written| written >= began) {
            self.cloud_id.clone_from(&cloud.cloud_id);
        } else {
            self.take_cloud_data(cloud);
        }
    }

    /// Marks a user who was gone as in the cloud again: the history stays, and keys and login must be read.
    pub fn return_to_cloud(&mut self) {
        if self.status == UserStatus::Gone {
            self.status = UserStatus::Unknown;
            self.access_read_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccessKeyInfo, Switch};

    const BEGAN: &str = "2026-11-23T02:00:00Z";
    const LATER: &str = "2026-11-23T02:01:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn cloud(name: &str, display_name: &str) -> CloudUser {
        CloudUser {
            username: name.parse().unwrap(),
            cloud_id: "1".to_owned(),
            display_name: display_name.to_owned(),
            email: String::new(),
            phone: String::new(),
        }
    }

    fn known(name: &str, status: UserStatus) -> User {
        let mut user = User::new(format!("main/{name}").parse().unwrap(), at(BEGAN));
        user.take_cloud_data(&cloud(name, ""));
        user.status = status;
        user
    }

    fn sync(known: Vec<User>, listed: &[CloudUser], gone: &[&str]) -> Synced {
        let gone: Vec<Username> = gone.iter().map(|name| name.parse().unwrap()).collect();
        after_sync(&"main".parse().unwrap(), known, listed, &gone, at(BEGAN), at(LATER))
    }

    #[test]
    fn users_are_added_changed_and_left_alone() {
        let before = vec![known("alice", UserStatus::Active), known("bob", UserStatus::Active)];
        let listed = [cloud("alice", "Alice"), cloud("bob", ""), cloud("carol", "")];
        let synced = sync(before, &listed, &[]);
        assert_eq!(synced.changes.added, ["carol"]);
        assert_eq!(synced.changes.changed, ["alice"]);
        let names: Vec<_> = synced.present.iter().map(|user| user.key.username.as_str()).collect();
        assert_eq!(names, ["alice", "carol"]);
        assert_eq!(synced.present[0].status, UserStatus::Active);
        assert_eq!(synced.present[1].status, UserStatus::Unknown);
    }

    #[test]
    fn only_a_confirmed_absence_makes_a_user_gone_and_only_once() {
        let mut alice = known("alice", UserStatus::Active);
        alice.access_keys = vec![AccessKeyInfo { id: "AKLT1".to_owned(), active: Switch::On }];
        alice.login = Some(Switch::On);
        assert_eq!(sync(vec![alice.clone()], &[], &[]), Synced::default());
        let synced = sync(vec![alice], &[], &["alice"]);
        assert_eq!(synced.changes.gone, ["alice"]);
        assert_eq!(synced.gone[0].status, UserStatus::Gone);
        assert_eq!((synced.gone[0].access_keys.len(), synced.gone[0].login), (0, None));
        assert_eq!(sync(synced.gone, &[], &["alice"]), Synced::default());
    }

    #[test]
    fn a_user_who_reappears_must_be_read_again() {
        let mut gone = known("alice", UserStatus::Gone);
        gone.access_read_at = Some(at(BEGAN));
        let synced = sync(vec![gone], &[cloud("alice", "")], &["alice"]);
        assert_eq!(synced.changes.changed, ["alice"]);
        assert_eq!(synced.present[0].status, UserStatus::Unknown);
        assert_eq!(synced.present[0].access_read_at, None);
    }

    #[test]
    fn what_airgate_wrote_after_the_listing_began_is_newer() {
        let mut alice = known("alice", UserStatus::Active);
        alice.display_name = "new".to_owned();
        for (written, display_name) in
            [(None, "old"), (Some("2026-11-23T01:59:59Z"), "old"), (Some(BEGAN), "new")]
        {
            alice.profile_written_at = written.map(at);
            let listed = CloudUser { cloud_id: "2".to_owned(), ..cloud("alice", "old") };
            let synced = sync(vec![alice.clone()], &[listed], &[]);
            assert_eq!(synced.present[0].display_name, display_name, "written {written:?}");
            assert_eq!(synced.present[0].cloud_id, "2");
        }
    }
}
