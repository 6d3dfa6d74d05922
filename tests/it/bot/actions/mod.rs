//! What people press, with a file for each card: real clicks on the cards as sent (docs/behaviour.md §3).

mod access;
mod accounts;
mod alerts;
mod billing;
mod bulk;
mod configure;
mod create;
mod elsewhere;
mod import;
mod incident;
mod monitor;
mod once;
mod projects;
mod quota;
mod reads;
mod requests;
mod rest;
mod settings;
mod users;

use airgate::sandbox::world::{KeyStatus, World};
use rust_decimal::Decimal;

use crate::bed::{Bed, one_account, text};

/// Projects `team-a` and `team-b` with bills of October and November, and users `alice` and `bob`.
pub fn small_cloud() -> World {
    let mut cloud = one_account();
    for (name, display) in [("team-a", "甲组"), ("team-b", "乙组")] {
        cloud.account_mut("main").unwrap().add_project(name, display);
    }
    for name in ["alice", "bob"] {
        cloud.account_mut("main").unwrap().add_user(name);
        cloud.user_mut("main", name).unwrap().add_key(KeyStatus::Active);
    }
    for (project, month, fen) in [
        ("team-a", "2026-10", 1_000),
        ("team-a", "2026-11", 2_500),
        ("team-b", "2026-10", 300),
        ("team-b", "2026-11", 700),
    ] {
        cloud.account_mut("main").unwrap().spend(
            project,
            Decimal::new(fen, 2),
            month.parse().unwrap(),
        );
    }
    cloud
}

/// The service of [`small_cloud`], synced.
pub async fn bed() -> Bed {
    let bed = Bed::start(small_cloud()).await;
    bed.sync().await;
    bed
}

/// The `op` of the action's form or button on a card now.
pub fn op_of(bed: &Bed, message_id: &str, action: &str) -> String {
    let value = bed.values(message_id).into_iter().find(|value| value["action"] == action);
    value.unwrap()["op"].as_str().unwrap().to_owned()
}

/// The toast after an allocation.
pub fn allocated(amount: &str, total: &str) -> String {
    text("toast.quota_allocated", &[("amount", &amount), ("total", &total)])
}
