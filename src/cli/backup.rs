//! `airgate backup`: copies the store, while the service is stopped.

use std::path::PathBuf;

use super::progress::Progress;
use super::words::t;
use super::{ConfigFile, Failure, failed, open_existing_store, output};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// File to create
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
}

/// What to do while the service holds the store.
const INSTEAD: &str = "cli.backup_instead";

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let folder = options.file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Failure::Failed(t("cli.no_folder", &[("folder", &folder.display())])));
    }
    let store = open_existing_store(&config, INSTEAD)?;
    let progress = Progress::start(&t("cli.copying", &[]));
    let done = store.backup(&options.file, &|| true).map_err(failed);
    drop(progress);
    done?;
    output::line(&t("cli.backed_up", &[("file", &options.file.display())]));
    Ok(())
}
