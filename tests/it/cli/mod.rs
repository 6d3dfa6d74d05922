//! The command line, tested with the real binary.

mod account;
mod backup;
mod bucket;
mod check;
mod demo;
mod export;
mod operator;
mod probe;
mod rekey;
mod serve;
mod setup;
mod store;
mod usage;

use crate::bed::one_account;
use crate::shared::configuration::Configuration;
use crate::shared::environment::{Environment, Home};

const PAIR: &str = "AKLTmain0000000001\nmain-secret\n";

/// A folder with a configuration, no store, and platforms that cannot be reached.
fn offline() -> Home {
    Home::new(&Configuration::offline().set("store.backup_dir", "backups"))
}

/// The same, with a store that has the account `main`.
fn with_account() -> Home {
    let home = offline();
    add_account(&home);
    home
}

fn add_account(home: &Home) {
    home.feed(&["account", "add", "main", "--name", "云上主体"], PAIR).good();
}

/// Stand-ins, and a store that has the account `main`.
async fn online() -> Environment {
    let environment = Environment::start(one_account()).await;
    environment.home.configure(&environment.configuration().set("store.backup_dir", "backups"));
    add_account(&environment.home);
    environment
}
