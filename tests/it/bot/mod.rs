//! Messages, menus and clicks, as `src/bot` handles them.

mod actions;
mod commands;
mod export;
mod greeting;
mod groups;
mod hostile;
mod identity;
mod leavers;
mod me;
mod mentions;
mod report;
mod roles;
mod same_name;
mod slow_cloud;
mod sync;

use airgate::sandbox::world::{FakeAccount, KeyStatus, World};

use crate::bed::{Bed, one_account, text_of};

/// Accounts `main` (alice, bob, carol) and `lab` (alice, dave).
pub fn two_accounts() -> World {
    let mut cloud = one_account();
    let lab = FakeAccount::new("lab", "实验室", 2_100_000_002, "AKLTlab00000000001", "lab-secret");
    cloud.accounts.push(lab);
    for (account, name, display) in [
        ("main", "alice", "爱丽丝"),
        ("main", "bob", "鲍勃"),
        ("main", "carol", "卡萝"),
        ("lab", "alice", "爱丽丝（实验）"),
        ("lab", "dave", "戴夫"),
    ] {
        cloud.account_mut(account).unwrap().add_user(name).display_name = display.to_owned();
        cloud.user_mut(account, name).unwrap().add_key(KeyStatus::Active);
    }
    cloud.account_mut("main").unwrap().add_project("team-a", "甲组");
    cloud
}

/// The service of [`two_accounts`], synced.
pub async fn bed() -> Bed {
    let bed = Bed::start(two_accounts()).await;
    bed.sync().await;
    bed
}

/// Asks, and checks that the reply shows every text.
pub async fn says(bed: &Bed, person: &str, text: &str, wanted: &[&str]) {
    let read = text_of(&bed.ask(person, text).await);
    for part in wanted {
        assert!(read.contains(part), "{text:?}: {part:?} is not in\n{read}");
    }
}
