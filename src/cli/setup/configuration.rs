//! The configuration that a set-up writes, and the master key in a file of its own. Neither is ever overwritten.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::words::{spoken, t};
use super::super::{Failure, output, private_file};
use super::journal::{App, Journal, Saved, unusable};
use crate::config::{Locale, MasterKey};

/// What stands for an administrator who is not known yet.
const UNKNOWN_ADMIN: &str = "ou_unknown";

/// The files of a set-up.
pub(super) struct Place {
    pub(super) config: PathBuf,
    pub(super) journal: PathBuf,
    key: PathBuf,
    key_name: String,
}

impl Place {
    pub(super) fn new(config: PathBuf) -> Self {
        let name = config.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".toml").unwrap_or(&name);
        let key_name = match stem {
            "config" => "master.key".to_owned(),
            stem => format!("{stem}.master.key"),
        };
        Self {
            journal: config.with_file_name(format!("{name}.setup")),
            key: config.with_file_name(&key_name),
            key_name,
            config,
        }
    }

    /// Whether `airgate` finds the configuration without being told.
    pub(super) fn is_default(&self) -> bool {
        self.config == Path::new("config.toml")
    }

    /// Whether there is a configuration that this set-up has not written.
    pub(super) fn is_taken(&self, journal: &Journal) -> bool {
        let exists = self.config.symlink_metadata().is_ok();
        exists && !(journal.saved().is_configuring && is_of(&self.config, journal.saved()))
    }
}

/// Whether the configuration names the app that was made.
fn is_of(config: &Path, saved: &Saved) -> bool {
    let table =
        std::fs::read_to_string(config).ok().and_then(|text| text.parse::<toml::Table>().ok());
    let id = table.as_ref().and_then(|table| table.get("feishu")?.get("app_id")?.as_str());
    id.is_some() && id == saved.app.as_ref().map(|app| app.id.as_str())
}

/// Writes the master key and the configuration, unless they are there.
pub(super) fn write(place: &Place, journal: &mut Journal) -> Result<(), Failure> {
    let Some(app) = journal.saved().app.clone() else { return Ok(()) };
    if !journal.saved().is_configuring {
        journal.change(|saved| saved.is_configuring = true)?;
    }
    if place.config.symlink_metadata().is_err() {
        make_key(&place.key)?;
        let text = text(&app, journal.saved().scanner.as_deref(), &place.key_name);
        private_file::create(&place.config, text.as_bytes())
            .map_err(|error| unusable(&place.config, &error))?;
        output::line(&t(
            "setup.config_written",
            &[("path", &place.config.display()), ("key", &place.key.display())],
        ));
    }
    if !app.secret.is_empty() {
        // It is in the configuration now.
        journal.change(|saved| {
            if let Some(app) = &mut saved.app {
                app.secret.clear();
            }
        })?;
    }
    Ok(())
}

/// Makes a fresh master key. One that is there is kept: an interrupted run made it, or a store needs it.
fn make_key(path: &Path) -> Result<(), Failure> {
    let key: [u8; 32] = rand::random();
    let text = format!("{}\n", STANDARD.encode(key));
    match private_file::create(path, text.as_bytes()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let known = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
            known.parse::<MasterKey>().map(drop).map_err(|error| unusable(path, &error))
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

/// The text of the configuration.
fn text(app: &App, scanner: Option<&str>, key_name: &str) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let locale = match spoken() {
        Locale::ZhCn => "zh_cn",
        Locale::EnUs => "en_us",
    };
    let base_url = base_url(app.is_lark);
    format!(
        "# Written by `airgate setup`. Every key: docs/configuration.md.\nlocale = {}\n\n\
         [feishu]\nmode = \"websocket\"\nbase_url = {}\napp_id = {}\napp_secret = {}\nadmins = [{}]\n\n\
         [store]\nbackup_dir = \"data/backups\"\n\n\
         [security]\nmaster_key_file = {}\n",
        quoted(locale),
        quoted(&base_url),
        quoted(&app.id),
        quoted(&app.secret),
        quoted(scanner.unwrap_or(UNKNOWN_ADMIN)),
        quoted(key_name),
    )
}

/// The open platform of a brand, or what the environment names instead.
pub(super) fn base_url(is_lark: bool) -> String {
    let named = std::env::var("AIRGATE__FEISHU__BASE_URL").ok().filter(|url| !url.is_empty());
    named.unwrap_or_else(|| {
        if is_lark { "https://open.larksuite.com" } else { "https://open.feishu.cn" }.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Events};

    #[test]
    fn what_is_written_is_a_configuration_without_problems() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path().join("config.toml"));
        make_key(&place.key).unwrap();
        let first = std::fs::read_to_string(&place.key).unwrap();
        make_key(&place.key).unwrap();
        assert_eq!(std::fs::read_to_string(&place.key).unwrap(), first, "a key is never replaced");
        let app = App { id: "cli_1".into(), secret: "a\"b".into(), is_lark: true };
        let text = text(&app, Some("ou_1"), &place.key_name);
        let config = Config::parse(&text, folder.path(), []).unwrap();
        assert!(matches!(config.feishu.events, Events::Websocket));
        assert_eq!(config.feishu.base_url.as_str(), "https://open.larksuite.com/");
        assert_eq!(config.feishu.admins[0].as_str(), "ou_1");
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    }

    #[test]
    fn each_configuration_has_files_of_its_own() {
        let place = Place::new("etc/prod.toml".into());
        assert_eq!(place.journal, Path::new("etc/prod.toml.setup"));
        assert_eq!(place.key, Path::new("etc/prod.master.key"));
        assert!(!place.is_default() && Place::new("config.toml".into()).is_default());
    }
}
