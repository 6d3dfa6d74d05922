//! `airgate backup`: copies the store, while the service is stopped.

use std::path::PathBuf;

use super::progress::Progress;
use super::{ConfigFile, Failure, failed, open_existing_store, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate backup /backup/airgate-before-upgrade.redb
  airgate backup --config /etc/airgate/config.toml today.redb

The copy is itself a store and opens with the same master key. Existing files are never overwritten.
A running service makes its own backups: see store.backup_dir, backup_interval_hours and backup_keep.")]
pub(super) struct Options {
    /// File to create
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
}

/// What to do while the service holds the store.
const INSTEAD: &str = "it makes its own backups in store.backup_dir; stop it to make one by hand (there is no chat command)";

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let store = open_existing_store(&config, INSTEAD)?;
    let progress = Progress::start("copying the store");
    let done = store.backup(&options.file, &|| true).map_err(failed);
    drop(progress);
    done?;
    output::line(&format!("backup written to {}", options.file.display()));
    Ok(())
}
