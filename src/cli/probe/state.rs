//! What a probe remembers in `probe-ID.json`: what it has found, and what it still has to undo. No secrets.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::{Failure, private_file};
use super::transcript::Finding;
use crate::domain::Money;

/// A probe, finished or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The main account, by its id in airgate.
    pub(super) account: String,
    /// The throw-away user.
    pub(super) user: String,
    /// The throw-away project.
    pub(super) project: String,
    /// When it began.
    pub(super) began: Timestamp,
    /// When it made the model calls that usage and bills are compared with.
    #[serde(default)]
    pub(super) called: Option<Timestamp>,
    /// The available balance before them.
    #[serde(default)]
    pub(super) balance: Option<Money>,
    /// What to undo, oldest first.
    #[serde(default)]
    pub(super) owed: Vec<Owed>,
    /// What the finished steps have seen.
    #[serde(default)]
    pub(super) findings: Vec<Finding>,
}

/// Something that a probe has changed, or is about to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub(super) enum Owed {
    /// Start an endpoint.
    StartEndpoint { id: String },
    /// Switch an API key on by this body of UpdateApiKey, until its fields in the list are what they were.
    SwitchKeyOn { id: i64, sid: String, body: Value, fields: Map<String, Value> },
    /// Put back the limits of a preset endpoint, in the text form of `PresetLimits`.
    PresetLimits { id: String, limits: String },
    /// Put back the `RateLimit` of an endpoint.
    EndpointLimits { id: String, limits: Value },
    /// Delete the access keys that the user did not have before.
    AccessKeysBut { before: Vec<String> },
    /// Delete an access key of the user.
    AccessKey { id: String },
    /// Detach a policy from the user; without a project, in the whole account.
    Policy { name: String, custom: bool, project: Option<String> },
    /// Delete a policy of the account.
    DeletePolicy { name: String },
    /// Delete the IAM API keys of the user with this name.
    IamApiKey { name: String },
    /// Let a batch job go on.
    ResumeJob { id: String },
}

impl Owed {
    /// Says what a person has to do instead.
    pub(super) fn by_hand(&self, user: &str) -> String {
        match self {
            Self::StartEndpoint { id } => {
                format!("start the endpoint {id}: 方舟控制台 → 在线推理 → {id} → 启动")
            }
            Self::SwitchKeyOn { sid, .. } => {
                format!("switch the API key {sid} on: 方舟控制台 → API Key 管理 → 启用")
            }
            Self::PresetLimits { id, limits } => {
                format!(
                    "set the limits of {id} back to {limits}: 方舟控制台 → 在线推理 → 预置接入点"
                )
            }
            Self::EndpointLimits { id, limits } => {
                format!(
                    "set the limits of {id} back to {limits}: 方舟控制台 → 在线推理 → {id} → 限流"
                )
            }
            Self::AccessKeysBut { before } if before.is_empty() => {
                format!("delete the access keys of {user}: 访问控制 → 用户 → {user} → 密钥")
            }
            Self::AccessKeysBut { .. } => {
                format!("delete the newest access key of {user}: 访问控制 → 用户 → {user} → 密钥")
            }
            Self::AccessKey { id } => {
                let hint = id.get(id.len().saturating_sub(4)..).unwrap_or_default();
                format!("delete the access key …{hint} of {user}: 访问控制 → 用户 → {user} → 密钥")
            }
            Self::Policy { name, project, .. } => {
                let within = project.as_ref().map(|it| format!(" in {it}")).unwrap_or_default();
                format!("detach {name}{within} from {user}: 访问控制 → 用户 → {user} → 权限")
            }
            Self::DeletePolicy { name } => format!("delete the policy {name}: 访问控制 → 策略管理"),
            Self::IamApiKey { name } => {
                format!("delete the API key {name} of {user}: 访问控制 → 用户 → {user} → API Key")
            }
            Self::ResumeJob { id } => {
                format!("let the batch job {id} go on: 方舟控制台 → 批量推理")
            }
        }
    }
}

/// The file, and what is in it. Every change is on the disk before the call returns.
pub(super) struct Journal {
    path: PathBuf,
    saved: Saved,
}

impl Journal {
    /// Reads the file, if there is one.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Failure> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(path, &error)),
        };
        let saved = serde_json::from_str(&text).map_err(|error| unusable(path, &error))?;
        Ok(Some(Self { path: path.to_owned(), saved }))
    }

    /// Writes a new file.
    pub(super) fn create(path: &Path, saved: Saved) -> Result<Self, Failure> {
        let journal = Self { path: path.to_owned(), saved };
        journal.write()?;
        Ok(journal)
    }

    pub(super) fn saved(&self) -> &Saved {
        &self.saved
    }

    /// Notes what is to be undone, before it is done.
    pub(super) fn owe(&mut self, owed: Owed) -> Result<(), Failure> {
        self.saved.owed.push(owed);
        self.write()
    }

    /// Forgets what has been undone.
    pub(super) fn paid(&mut self, owed: &Owed) -> Result<(), Failure> {
        self.saved.owed.retain(|other| other != owed);
        self.write()
    }

    /// Replaces what is to be undone by something more exact.
    pub(super) fn owe_instead(&mut self, old: &Owed, new: Owed) -> Result<(), Failure> {
        self.saved.owed.retain(|other| other != old);
        self.owe(new)
    }

    pub(super) fn found(&mut self, finding: Finding) -> Result<(), Failure> {
        self.saved.findings.push(finding);
        self.write()
    }

    pub(super) fn called(&mut self, at: Timestamp, balance: Option<Money>) -> Result<(), Failure> {
        self.saved.called = Some(at);
        self.saved.balance = balance;
        self.write()
    }

    /// Removes the file.
    pub(super) fn remove(self) -> Result<(), Failure> {
        std::fs::remove_file(&self.path).map_err(|error| unusable(&self.path, &error))
    }

    fn write(&self) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(&self.saved).map_err(super::super::failed)?;
        private_file::replace(&self.path, text.as_bytes())
            .map_err(|error| unusable(&self.path, &error))
    }
}

/// Makes sure that no other probe uses the folder of the file while the returned handle lives.
pub(super) fn alone(path: &Path) -> Result<impl Sized + use<>, Failure> {
    match private_file::lock_folder(path) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Failure::Failed("another probe is running".to_owned())),
        Err(error) => Err(unusable(path, &error)),
    }
}

/// Returns the path of the file: beside the configuration.
pub(super) fn path(config: Option<&Path>, account: &str) -> PathBuf {
    let folder = config.map_or(Path::new("."), private_file::folder_of);
    folder.join(format!("probe-{account}.json"))
}

fn unusable(path: &Path, error: &impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("cannot use {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_survives_and_the_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(Some(&folder.path().join("config.toml")), "main");
        assert!(Journal::open(&path).unwrap().is_none());
        let saved = Saved {
            account: "main".into(),
            user: "ag-probe".into(),
            project: "ag-probe".into(),
            began: Timestamp::UNIX_EPOCH,
            called: None,
            balance: None,
            owed: Vec::new(),
            findings: Vec::new(),
        };
        let mut journal = Journal::create(&path, saved).unwrap();
        let before = Owed::AccessKeysBut { before: vec!["AKLT1".into()] };
        let job = Owed::ResumeJob { id: "bi-1".into() };
        journal.owe(before.clone()).unwrap();
        journal.owe(job.clone()).unwrap();
        journal.owe_instead(&before, Owed::AccessKey { id: "AKLT2".into() }).unwrap();
        journal.paid(&job).unwrap();
        let journal = Journal::open(&path).unwrap().unwrap();
        assert_eq!(journal.saved().owed, [Owed::AccessKey { id: "AKLT2".into() }]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "{").unwrap();
        assert!(Journal::open(&path).is_err());
        journal.remove().unwrap();
        assert!(!path.exists());
    }
}
