//! `airgate restore`: a backup in the store's place.

use std::path::PathBuf;

use super::progress::Progress;
use super::{ConfigFile, Failure, failed, output};
use crate::clock::Clock;
use crate::store::restore::{Present, restore};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  airgate restore backup/airgate-20261123T020000.000Z.redb
  airgate restore --force today.redb

Without --force only where there is no store yet. With it, the present store stays beside the restored one as
NAME.before-restore-TIME. A file that is damaged, of a newer version or of another master key is refused.")]
pub(super) struct Options {
    /// A backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Put it in the place of the present store, which is kept under another name
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let present = if options.force { Present::SetAside } else { Present::Refuse };
    // A damaged file may end in a panic, which is caught and told as an error of one line.
    std::panic::set_hook(Box::new(|_| {}));
    let progress = Progress::start("examining the backup");
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
        output::line(&format!("the store that was there is now {}", aside.display()));
    }
    Ok(())
}
