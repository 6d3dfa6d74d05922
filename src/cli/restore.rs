//! `airgate restore`: replaces the store with a backup.

use std::path::PathBuf;

use super::progress::Progress;
use super::words::t;
use super::{ConfigFile, Failure, failed, output};
use crate::clock::Clock;
use crate::store::restore::{Present, restore};

#[derive(Debug, clap::Args)]
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
    let progress = Progress::start(&t("cli.checking_backup", &[]));
    let key = config.security.master_key.expose();
    let now = Clock::system().now();
    let done = restore(&options.file, &config.store.path, key, present, now).map_err(failed);
    drop(progress);
    drop(std::panic::take_hook());
    let aside = done?;
    output::line(&t(
        "cli.restored",
        &[("path", &config.store.path.display()), ("file", &options.file.display())],
    ));
    if let Some(aside) = aside {
        output::line(&t("cli.kept_aside", &[("path", &aside.display())]));
    }
    Ok(())
}
