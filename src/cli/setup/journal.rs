//! What an unfinished set-up remembers, beside the configuration, with mode 0600: the code that waits for a phone, and the
//! app's secret, which the platform gives only once, until it is in the configuration.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::words::t;
use super::super::{Failure, private_file};
use super::configuration::Place;

/// A set-up, finished or not. No `Debug`: it holds secrets.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The code that waits for a person, until there is an app.
    #[serde(default)]
    pub(super) waiting: Option<Waiting>,
    /// The app, once it is made.
    #[serde(default)]
    pub(super) app: Option<App>,
    /// Who scanned, by the open_id that this app knows.
    #[serde(default)]
    pub(super) scanner: Option<String>,
    /// Whether the configuration has been written, or is about to be.
    #[serde(default)]
    pub(super) is_configuring: bool,
    /// Whether the app's availability has been set.
    #[serde(default)]
    pub(super) is_available: bool,
    /// Whether the operator has said where alerts go.
    #[serde(default)]
    pub(super) is_group_chosen: bool,
    /// Whether the first card was sent.
    #[serde(default)]
    pub(super) is_greeted: bool,
}

/// A code that a person may still confirm.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) device_code: String,
    pub(super) link: String,
    pub(super) until: Timestamp,
    /// Seconds between polls.
    pub(super) interval: u64,
    /// Whether the accounts host of Lark answers.
    pub(super) asks_lark: bool,
}

/// An app that exists.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct App {
    pub(super) id: String,
    /// Until it is in the configuration.
    #[serde(default)]
    pub(super) secret: String,
    pub(super) is_lark: bool,
}

/// The file, and what is in it. Every change is on the disk before the call returns.
pub(super) struct Journal {
    path: PathBuf,
    saved: Saved,
    goes_on: bool,
}

impl Journal {
    /// Reads the file, if there is one.
    pub(super) fn open(place: &Place) -> Result<Self, Failure> {
        let path = place.journal.clone();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { path, saved: Saved::default(), goes_on: false });
            }
            Err(error) => return Err(unusable(&path, &error)),
        };
        // The parser's message may show what it has read.
        let saved = serde_json::from_str(&text).map_err(|_| unusable(&path, &"not a journal"))?;
        Ok(Self { path, saved, goes_on: true })
    }

    /// Whether an earlier run was interrupted.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    pub(super) fn saved(&self) -> &Saved {
        &self.saved
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Changes what is remembered.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Saved)) -> Result<(), Failure> {
        change(&mut self.saved);
        let text = serde_json::to_string_pretty(&self.saved).map_err(super::said)?;
        private_file::replace(&self.path, text.as_bytes())
            .map_err(|error| unusable(&self.path, &error))
    }

    /// Removes the file: the set-up is finished.
    pub(super) fn remove(self) -> Result<(), Failure> {
        match private_file::remove(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(&self.path, &error)),
            _ => Ok(()),
        }
    }
}

pub(super) fn unusable(path: &Path, error: &impl std::fmt::Display) -> Failure {
    Failure::Failed(t("setup.unusable", &[("path", &path.display()), ("error", error)]))
}
