//! What a listing of an account's users changes.
//!
//! A user is identified by the cloud's own id, not by the name: names can be changed and given to others. If the id is
//! missing, or two users have it, the name decides.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Users whose name changed: the old key and the new one. Renamed in the cloud, or set aside because another user has
    /// the name now.
    pub moved: Vec<(UserKey, UserKey)>,
}

/// The users to write after a sync, and what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Users that are new or differ from what was known.
    pub present: Vec<User>,
    /// Users who are gone now and were not before. Nothing can be restored for them.
    pub gone: Vec<User>,
    /// All of them by name.
    pub changes: SyncChanges,
}

/// Compares the `known` users of an account with a complete listing that began at `began`.
///
/// A known user who is not in `listed` becomes [`UserStatus::Gone`] only if `confirmed_gone` names them: a listing that
/// changes while it is paged can skip a row. Others who were not listed are left alone.
///
/// A user who is listed under another name keeps everything and takes the name. A user whose name was given to another one is
/// gone: they are set aside ([`User::set_aside_key`]), and the other one is new.
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
    for (from, to) in moves(&known, listed) {
        let Some(mut user) = known.remove(&from) else { continue };
        let renamed = listed.iter().any(|cloud| cloud.username == to.username);
        synced.changes.moved.push((user.key.clone(), to.clone()));
        user.key = to;
        user.updated = now;
        if renamed {
            user.named_at = Some(now);
            synced.changes.changed.push(format!("{from} → {}", user.key.username));
        } else if user.status != UserStatus::Gone {
            user.leave();
            synced.changes.gone.push(user.key.username.to_string());
            synced.gone.push(user);
            continue;
        }
        synced.present.push(user);
    }
    // From here on, everyone has the name that the cloud gives, except those who are gone.
    for user in std::mem::take(&mut synced.present) {
        match listed.iter().any(|cloud| cloud.username == user.key.username) {
            true => drop(known.insert(user.key.username.clone(), user)),
            false => synced.present.push(user),
        }
    }
    let given_up: BTreeSet<Username> =
        synced.changes.moved.iter().map(|(from, _)| from.username.clone()).collect();
    let renamed: BTreeSet<Username> =
        synced.changes.moved.iter().map(|(_, to)| to.username.clone()).collect();
    for cloud in listed {
        match known.remove(&cloud.username) {
            None => {
                let key = UserKey::new(account.clone(), cloud.username.clone());
                let mut user = User::new(key, now);
                user.named_at = given_up.contains(&cloud.username).then_some(now);
                user.take_listed(cloud, began);
                synced.present.push(user);
                synced.changes.added.push(cloud.username.to_string());
            }
            Some(before) => {
                let mut user = before.clone();
                user.take_listed(cloud, began);
                user.return_to_cloud();
                let was_renamed = renamed.contains(&cloud.username);
                let user_differs = user != before;
                if user_differs || was_renamed {
                    user.updated = now;
                    synced.present.push(user);
                }
                if user_differs && !was_renamed {
                    synced.changes.changed.push(cloud.username.to_string());
                }
            }
        }
    }
    for (username, mut user) in known {
        if user.status != UserStatus::Gone && confirmed_gone.contains(&username) {
            user.leave();
            user.updated = now;
            synced.gone.push(user);
            synced.changes.gone.push(username.to_string());
        }
    }
    synced
}

/// Returns who must be renamed so that the names of `known` match the cloud: current name and new
/// key.
fn moves(known: &BTreeMap<Username, User>, listed: &[CloudUser]) -> Vec<(Username, UserKey)> {
    let known_ids = unique(known.values().map(|user| (user.cloud_id.as_str(), &user.key.username)));
    let listed_ids = unique(listed.iter().map(|cloud| (cloud.cloud_id.as_str(), &cloud.username)));
    let mut moves: BTreeMap<Username, UserKey> = BTreeMap::new();
    for (id, name) in &listed_ids {
        if let Some(user) = known_ids.get(id).and_then(|from| known.get(*from))
            && user.key.username != **name
        {
            let to = UserKey::new(user.key.account.clone(), (*name).clone());
            moves.insert(user.key.username.clone(), to);
        }
    }
    let taken: BTreeSet<Username> = moves.values().map(|to| to.username.clone()).collect();
    for cloud in listed {
        let Some(user) = known.get(&cloud.username) else { continue };
        let id = cloud.cloud_id.as_str();
        let is_other = user.cloud_id != id
            && listed_ids.contains_key(id)
            && known_ids.contains_key(user.cloud_id.as_str());
        if (is_other || taken.contains(&cloud.username)) && !moves.contains_key(&cloud.username) {
            moves.insert(cloud.username.clone(), user.set_aside_key());
        }
    }
    moves.into_iter().collect()
}

/// Returns the names by id, without ids that are empty or occur twice.
fn unique<'a>(
    users: impl Iterator<Item = (&'a str, &'a Username)>,
) -> BTreeMap<&'a str, &'a Username> {
    let mut names: BTreeMap<&str, Vec<&Username>> = BTreeMap::new();
    for (id, name) in users.filter(|(id, _)| !id.is_empty()) {
        names.entry(id).or_default().push(name);
    }
    names
        .into_iter()
        .filter_map(|(id, names)| match names.as_slice() {
            [only] => Some((id, *only)),
            _ => None,
        })
        .collect()
}

impl User {
    /// Returns the key that keeps the history of a user whose name another user has now: `name#id`. The cloud allows no
    /// `#` in names.
    pub fn set_aside_key(&self) -> UserKey {
        let id: String = self.cloud_id.chars().filter(char::is_ascii_alphanumeric).collect();
        let suffix = format!("#{}", id.get(..32).unwrap_or(&id));
        let room = Username::MAX_CHARS.saturating_sub(suffix.len());
        let name: String = self.key.username.as_str().chars().take(room).collect();
        let username = Username::new(name + &suffix).unwrap_or(self.key.username.clone());
        UserKey::new(self.key.account.clone(), username)
    }

    /// The user is no longer in the cloud.
    pub fn leave(&mut self) {
        self.status = UserStatus::Gone;
        self.access_keys.clear();
        self.login = None;
    }

    /// Takes over what the cloud says about the user.
    pub fn take_cloud_data(&mut self, cloud: &CloudUser) {
        self.take_id(cloud);
        self.display_name.clone_from(&cloud.display_name);
        self.email.clone_from(&cloud.email);
        self.phone.clone_from(&cloud.phone);
    }

    /// An answer without an id says nothing about it.
    fn take_id(&mut self, cloud: &CloudUser) {
        if !cloud.cloud_id.is_empty() {
            self.cloud_id.clone_from(&cloud.cloud_id);
        }
    }

    /// Does the same for data from a listing that began at `began`: data that airgate has written to the cloud since
    /// then is newer.
    fn take_listed(&mut self, cloud: &CloudUser, began: Timestamp) {
        if self.profile_written_at.is_some_and(|written| written >= began) {
            self.take_id(cloud);
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
            alice.cloud_id = String::new();
            let listed = CloudUser { cloud_id: "2".to_owned(), ..cloud("alice", "old") };
            let synced = sync(vec![alice.clone()], &[listed], &[]);
            assert_eq!(synced.present[0].display_name, display_name, "written {written:?}");
            assert_eq!(synced.present[0].cloud_id, "2");
        }
    }

    /// Known users as `name id quota`, listed ones as `name id`; then the users afterwards as `name id quota`, gone ones
    /// with a `-` in front.
    #[test]
    fn users_are_identified_by_id_and_not_by_name() {
        let cases: [(&[&str], &[&str], &[&str]); 11] = [
            // Renamed: everything stays with the user.
            (&["alice 1 100"], &["alina 1"], &["alina 1 100"]),
            // Deleted and created again under the same name: the quota is not inherited.
            (&["alice 1 100"], &["alice 2"], &["alice 2 0", "-alice#1 1 100"]),
            // Renamed, and the old name given to another one.
            (&["alice 1 100"], &["alina 1", "alice 2"], &["alice 2 0", "alina 1 100"]),
            // Two who swap their names, and three in a circle.
            (&["a 1 10", "b 2 20"], &["a 2", "b 1"], &["a 2 20", "b 1 10"]),
            (
                &["a 1 10", "b 2 20", "c 3 30"],
                &["a 2", "b 3", "c 1"],
                &["a 2 20", "b 3 30", "c 1 10"],
            ),
            // Renamed to the name of a user who is gone.
            (&["a 1 10", "-b 2 20"], &["b 1"], &["b 1 10", "-b#2 2 20"]),
            // A user who was set aside is back under a name that is free.
            (&["-a#1 1 10", "a 2 20"], &["a 2", "c 1"], &["a 2 20", "c 1 10"]),
            // Gone and listed again with the same id: the history continues.
            (&["-a 1 10"], &["a 1"], &["a 1 10"]),
            // Without an id, or with an id that two users have, the name decides.
            (&["a ? 10"], &["a 1"], &["a 1 10"]),
            (&["a 1 10"], &["a ?"], &["a 1 10"]),
            (&["a 1 10"], &["a 2", "b 2"], &["a 2 10", "b 2 0"]),
        ];
        let id = |text: &str| if text == "?" { String::new() } else { text.to_owned() };
        for (before, listed, after) in cases {
            let known_users = before.iter().map(|text| {
                let parts: Vec<&str> = text.split(' ').collect();
                let gone = parts[0].starts_with('-');
                let status = if gone { UserStatus::Gone } else { UserStatus::Active };
                let mut user = known(parts[0].trim_start_matches('-'), status);
                user.cloud_id = id(parts[1]);
                user.quota = parts[2].parse().unwrap();
                user
            });
            let known_users: Vec<User> = known_users.collect();
            let listed_users = listed.iter().map(|text| {
                let (name, cloud_id) = text.split_once(' ').unwrap();
                CloudUser { cloud_id: id(cloud_id), ..cloud(name, "") }
            });
            let listed_users: Vec<CloudUser> = listed_users.collect();
            let synced = sync(known_users.clone(), &listed_users, &[]);
            // As the store applies it.
            let mut users: BTreeMap<UserKey, User> = known_users
                .into_iter()
                .map(|mut user| {
                    let moved = synced.changes.moved.iter().find(|(from, _)| *from == user.key);
                    user.key = moved.map_or(user.key, |(_, to)| to.clone());
                    (user.key.clone(), user)
                })
                .collect();
            for user in synced.present.into_iter().chain(synced.gone) {
                users.insert(user.key.clone(), user);
            }
            let shown: Vec<String> = users
                .values()
                .map(|user| {
                    let gone = if user.status == UserStatus::Gone { "-" } else { "" };
                    let id = if user.cloud_id.is_empty() { "?" } else { &user.cloud_id };
                    format!("{gone}{} {id} {}", user.key.username, user.quota.decimal())
                })
                .collect();
            assert_eq!(shown, after, "{before:?}, then {listed:?}");
        }
    }

    #[test]
    fn a_rename_is_reported_with_both_names() {
        let synced = sync(vec![known("alice", UserStatus::Active)], &[cloud("alina", "")], &[]);
        assert_eq!(synced.changes.changed, ["alice → alina"]);
        assert!(synced.changes.added.is_empty() && synced.changes.gone.is_empty());
    }

    #[test]
    fn the_key_of_a_user_who_was_set_aside_is_valid_whatever_name_and_id_are() {
        let mut user = known(&"n".repeat(64), UserStatus::Active);
        user.cloud_id = "9".repeat(80);
        assert_eq!(user.set_aside_key().username.as_str().len(), 64);
        user.cloud_id = "a/b c".to_owned();
        assert!(user.set_aside_key().username.as_str().ends_with("#abc"));
    }
}
