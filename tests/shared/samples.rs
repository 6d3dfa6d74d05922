//! Accounts, users, links and quotas that tests start with.

use airgate::app::projects::{self, NewLink};
use airgate::app::quota::{self, Allocation};
use airgate::domain::{AccountId, Joining, Money, Operator, User, UserKey, UserStatus};
use airgate::sandbox::world::{FakeAccount, World};
use airgate::store::{AccountSecrets, Store, StoreError};
use jiff::Timestamp;

pub fn user_key(text: &str) -> UserKey {
    text.parse().unwrap()
}

/// A cloud with the account `main` and no limit on calls; tests of rate limits set one.
pub fn one_account() -> World {
    let mut world = World::with_account(FakeAccount::new(
        "main",
        "云上主体",
        2_100_000_001,
        "AKLTmain0000000001",
        "main-secret",
    ));
    world.rules.calls_per_second = None;
    world.rules.ark.calls_per_second = None;
    world
}

/// A second account.
pub fn labs() -> FakeAccount {
    FakeAccount::new("labs", "实验室", 2_100_000_002, "AKLTlabs0000000001", "labs-secret")
}

/// Registers accounts with their key pairs.
pub fn register(store: &Store, accounts: &[FakeAccount], now: Timestamp) {
    for account in accounts {
        let secrets = AccountSecrets {
            access_key_id: account.access_key_id().to_owned().into(),
            secret_key: account.secret_key().to_owned().into(),
        };
        let id = AccountId::new(account.slug.as_str()).unwrap();
        store.save_account(&id, &account.name, &secrets, now).unwrap();
    }
}

/// Puts active users into the store, as a sync does.
pub fn add_users(store: &Store, users: &[&str], now: Timestamp) {
    store
        .write(|tx| {
            for key in users {
                let mut record = User::new(user_key(key), now);
                record.status = UserStatus::Active;
                tx.put_user(&record)?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

/// Links a project, monitored; an empty `since` means the current period. Whoever has it keeps it.
pub fn link(store: &Store, user: &str, project: &str, since: &str, now: Timestamp) {
    let new = NewLink {
        project: project.to_owned(),
        since: since.to_owned(),
        joining: Some(Joining::Whole),
    };
    store.write(|tx| projects::add(tx, &user_key(user), &new, now)).unwrap();
}

pub fn allocate(store: &Store, user: &str, amount: &str, note: &str, now: Timestamp) {
    let amount: Money = amount.parse().unwrap();
    let (user, operator) = (user_key(user), Operator::System);
    let new = Allocation { user: &user, amount, note, operator: &operator };
    store.write(|tx| quota::book(tx, &new, now)).unwrap();
}
