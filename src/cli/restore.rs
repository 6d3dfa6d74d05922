//! `airgate restore`: replaces the store with a backup.

use std::path::PathBuf;

use super::progress::Progress;
use super::{ConfigFile, Failure, failed, output};
use crate::clock::Clock;
use crate::store::restore::{Present, restore};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate restore backup/airgate-20261123T020000.000Z.redb
  airgate restore --force today.redb

Without --force, only if there is no store yet. With it, the previous store is kept next to the restored one as
NAME.before-restore-TIME. A file that is damaged, from a newer version or under another master key is refused.")]
pub(super) struct Options {
    /// Backup to restore
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace an existing store, which is kept under another name
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let present = if options.force { Present::SetAside } else { Present::Refuse };
    // A damaged file may cause a panic, which is caught and reported as an error of one line.
    std::panic::set_hook(Box::new(|_| {}));
    let progress = Progress::start("checking the backup");
    let key = config.security.master_key.expose();
    let now = Clock::system().now();
    let done = restore(&options.file, &config.store.path, key, present, now).map_err(failed);
    drop(progress);
    drop(std::panic::take_hook());
    let aside = done?;
    output::line(&format!(
        "{} restored from {}",
        config.store.path.display(),
        options.file.display()
    ));
    if let Some(aside) = aside {
        output::line(&format!("the previous store is kept as {}", aside.display()));
    }
    Ok(())
}
