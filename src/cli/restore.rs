//! `airgate restore`: replaces the store with a backup from a file or from a bucket.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::progress::Progress;
use super::words::t;
use super::{ConfigFile, Failure, failed, output, runtime};
use crate::bucket::{Bucket, BucketAddress, BucketTimeouts};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::backup_names::{BACKUP_ENDING, BackupNames};
use crate::store::restore::{Present, beside, restore, room_to_fetch};

/// How many names are shown of what else is in a bucket.
const SHOWN: usize = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Backup to restore: a file, or the address of a bucket
    #[arg(value_name = "FILE|URL")]
    source: PathBuf,
    /// Replace an existing store, which is kept under another name
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let config = options.config.load()?;
    let present = if options.force { Present::SetAside } else { Present::Refuse };
    let store = &config.store.path;
    let now = Clock::system().now();
    let from = match options.source.to_str().filter(|text| BucketAddress::is_meant_by(text)) {
        None => Source { path: options.source.clone(), shown: shown(&options.source), _file: None },
        Some(text) => {
            // Before anything is fetched.
            if present == Present::Refuse && store.symlink_metadata().is_ok() {
                let exists = crate::store::restore::RestoreError::Exists(store.clone());
                return Err(failed(exists));
            }
            fetched(text, &config, now)?
        }
    };
    // A damaged file may cause a panic, which is caught and reported as an error of one line.
    std::panic::set_hook(Box::new(|_| {}));
    let progress = Progress::start(&t("cli.checking_backup", &[]));
    let key = config.security.master_key.expose();
    let done = restore(&from.path, store, key, present, now).map_err(|error| {
        // People know the backup by its name in the bucket.
        Failure::Failed(error.to_string().replace(&shown(&from.path), &from.shown))
    });
    drop(progress);
    drop(std::panic::take_hook());
    let aside = done?;
    output::line(&t("cli.restored", &[("path", &store.display()), ("file", &from.shown)]));
    if let Some(aside) = aside {
        output::line(&t("cli.kept_aside", &[("path", &aside.display())]));
    }
    Ok(())
}

/// A backup on this machine.
struct Source {
    path: PathBuf,
    /// Its name for people.
    shown: String,
    /// Deleted when this is dropped, if it was fetched.
    _file: Option<NamedTempFile>,
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Fetches a backup from a bucket: the one that `text` names or, of a folder, the newest one of this store.
fn fetched(text: &str, config: &Config, now: Timestamp) -> Result<Source, Failure> {
    let configured = config.store.backup_bucket.as_ref().map(|bucket| &bucket.address);
    let address = BucketAddress::parse(text, configured)
        .map_err(|error| Failure::Configuration(t("cli.bad_bucket", &[("error", &error)])))?;
    let keys = config.store.backup_keys.as_ref();
    let keys = keys.ok_or_else(|| Failure::Configuration(t("cli.no_bucket_keys", &[])))?;
    let (address, named) = address.split_object(BACKUP_ENDING);
    let store = &config.store.path;
    let file = beside(store).map_err(failed)?;
    let _progress = Progress::start(&t("cli.fetching_backup", &[]));
    let name = runtime()?.block_on(async {
        let bucket = Bucket::new(&address, keys, BucketTimeouts::default()).map_err(failed)?;
        let name = match named {
            Some(name) => name,
            None => newest(&bucket, &address, store, now).await?,
        };
        let mut into = tokio::fs::File::from_std(file.reopen().map_err(failed)?);
        let has_room = |size| room_to_fetch(size, store).map_err(std::io::Error::other);
        bucket.download(&name, &mut into, has_room).await.map_err(failed)?;
        into.sync_all().await.map_err(failed)?;
        Ok::<_, Failure>(name)
    })?;
    Ok(Source {
        path: file.path().to_owned(),
        shown: format!("{address}/{name}"),
        _file: Some(file),
    })
}

/// Returns the name of the newest backup of the store at `store` in a folder of a bucket.
async fn newest(
    bucket: &Bucket,
    address: &BucketAddress,
    store: &Path,
    now: Timestamp,
) -> Result<String, Failure> {
    let listed = bucket.list().await.map_err(failed)?;
    let mut names: Vec<String> = listed.into_iter().map(|object| object.name).collect();
    let own = BackupNames::in_bucket(store);
    if let Some((_, name)) = own.newest(names.iter().map(String::as_str), now) {
        return Ok(name.to_owned());
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    names.truncate(SHOWN);
    let names = if names.is_empty() { t("cli.nothing_there", &[]) } else { names.join(", ") };
    Err(Failure::Failed(t("cli.no_backup_there", &[("bucket", address), ("names", &names)])))
}
