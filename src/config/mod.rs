//! Typed configuration: one TOML file, overridden by the environment; all problems are reported at once.
//!
//! [`keys`] declares every key once. This module decides which type each becomes and which values are valid.

mod approval;
pub mod keys;
mod locale;
mod master_key;
mod problem;
mod reader;
mod sources;

#[cfg(test)]
mod documents;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

pub use locale::{Locale, LocaleError};
pub use master_key::{MasterKey, MasterKeyError};
pub use problem::{ConfigError, ConfigProblem};
pub use sources::unmarked;
/// Refused values and what is said about them, for the translation of these texts.
#[cfg(test)]
pub(crate) use tests::REFUSED;

use crate::address::{self, Url};
use crate::bucket::{BucketAddress, BucketKeys};
use crate::domain::{
    AccessRules, AmountField, ApprovalRules, BillSource, ChatId, DENY_ALL_POLICY, EstimateUse,
    KeySwitch, LinkPolicies, ModelKeys, Models, OpenId, Settings, Thresholds, contact,
};
use keys::{Text, Typed};
use reader::Reader;
use sources::Sources;

/// A valid configuration. `Debug` shows no secrets.
#[derive(Clone, Debug)]
pub struct Config {
    /// Language of cards and messages.
    pub locale: Locale,
    /// The HTTP server.
    pub server: Server,
    /// The chat platform.
    pub feishu: Feishu,
    /// The cloud.
    pub volcengine: Volcengine,
    /// The store and its backups.
    pub store: Store,
    /// What airgate grants to IAM users, and what it closes when it disables one.
    pub access: Access,
    /// Who must agree before quota is allocated.
    pub approval: ApprovalRules,
    /// Encryption of stored secrets.
    pub security: Security,
    /// Reading bills, alerting.
    pub monitor: Monitor,
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// The address to listen on.
    pub listen: SocketAddr,
}

/// `feishu.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Webhook,
    Websocket,
}

/// How events arrive.
#[derive(Clone, Debug)]
pub enum Events {
    /// Feishu calls airgate.
    Webhook(CallbackSecrets),
    /// Over a long connection that airgate opens.
    Websocket,
}

/// What proves that a callback comes from Feishu.
#[derive(Clone, Debug)]
pub struct CallbackSecrets {
    /// Encrypt Key. Without it callbacks arrive unencrypted, and their signature, made with an empty key, proves nothing.
    pub encrypt_key: Option<SecretString>,
    /// Verification Token.
    pub verification_token: SecretString,
}

/// `[feishu]`
#[derive(Clone, Debug)]
pub struct Feishu {
    /// How events arrive.
    pub events: Events,
    /// Whether `mode` is not set, and a key that only webhook mode reads is: then it was written for an earlier version,
    /// whose default was `webhook`.
    pub mode_is_inferred: bool,
    /// The open platform: scheme, host and port.
    pub base_url: Url,
    /// App ID.
    pub app_id: String,
    /// App Secret.
    pub app_secret: SecretString,
    /// People who may do everything; at least one.
    pub admins: Vec<OpenId>,
    /// People who may use every read-only command.
    pub viewers: Vec<OpenId>,
    /// Whether users' owners are told what happens to their users.
    pub notify_owners: bool,
    /// The group whose members are administrators, too.
    pub admin_chat: Option<ChatId>,
    /// The group whose members are viewers, too.
    pub viewer_chat: Option<ChatId>,
    /// The group that receives alerts, for a new store.
    pub alert_chat: Option<ChatId>,
    /// The custom bot's address, for a new store. A secret, because anyone who knows it can post.
    pub alert_webhook_url: Option<SecretString>,
    /// The custom bot's signing secret.
    pub alert_webhook_secret: Option<SecretString>,
    /// Mobile numbers of the people that alerts mention, for a new store.
    pub alert_mobiles: Vec<String>,
}

/// `[volcengine]`
#[derive(Clone, Debug)]
pub struct Volcengine {
    /// IAM: scheme, host and port.
    pub iam_endpoint: Url,
    /// Billing: scheme, host and port.
    pub billing_endpoint: Url,
    /// 方舟: scheme, host and port.
    pub ark_endpoint: Url,
    /// Region that IAM and billing requests are signed for.
    pub region: String,
    /// Maximum calls per second per account, IAM and billing together.
    pub qps: NonZeroU32,
    /// Maximum calls per second per account to 方舟.
    pub ark_qps: NonZeroU32,
}

/// `[store]`
#[derive(Clone, Debug)]
pub struct Store {
    /// The store's file.
    pub path: PathBuf,
    /// Where the running service puts backups.
    pub backup_dir: Option<PathBuf>,
    /// The bucket that backups are copied to. Without it and a folder, none are made.
    pub backup_bucket: Option<BackupBucket>,
    /// The key pair of a bucket, for one that is named on the command line.
    pub backup_keys: Option<BucketKeys>,
    /// How many backups to keep.
    pub backup_keep: NonZeroUsize,
    /// Time between backups.
    pub backup_interval: Duration,
}

/// `store.backup_url`
#[derive(Clone, Debug)]
pub struct BackupBucket {
    /// Where it is.
    pub address: BucketAddress,
    /// The key pair that may write to it.
    pub keys: BucketKeys,
}

/// `[access]`
#[derive(Clone, Debug)]
pub struct Access {
    /// IAM policies that a user is granted with linked projects.
    pub link_policies: LinkPolicies,
    /// What a cut closes.
    pub rules: AccessRules,
}

/// `access.model_keys`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModelKeysWord {
    Report,
    Rotate,
    Disable,
}

/// `[security]`
#[derive(Clone, Debug)]
pub struct Security {
    /// Encrypts the account secrets in the store.
    pub master_key: MasterKey,
}

/// `[monitor]`
#[derive(Clone, Debug)]
pub struct Monitor {
    /// Whether cycles run on a schedule.
    pub enabled: bool,
    /// From the start of one cycle to the start of the next, for a new store; at least a second.
    pub interval: Duration,
    /// For users without thresholds of their own, for a new store.
    pub thresholds: Thresholds,
    /// The bill that spending is read from.
    pub bill_source: BillSource,
    /// The amount of a bill row that counts.
    pub amount_field: AmountField,
    /// What the estimate of what is not billed yet is used for.
    pub estimate: EstimateUse,
    /// How many days before a quota or month limit is used up to warn; 0 is never.
    pub forecast_days: u32,
    /// How many days before an account's balance is used up to warn; 0 is never.
    pub balance_days: u32,
    /// Maximum number of accounts read at the same time; 1 to 64.
    pub concurrency: NonZeroUsize,
}

/// What the README puts into `feishu.admins` until the operator knows their own open_id.
const UNKNOWN_ADMIN: &str = "ou_unknown";

/// Returns whether other users of this machine can read secrets in the configuration file at `path`: it holds one itself, and
/// its mode lets them.
#[cfg(unix)]
pub fn exposes_secrets(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let is_open = path.metadata().is_ok_and(|data| data.permissions().mode() & 0o077 != 0);
    let Ok(table) = sources::read_file(path) else { return false };
    let mut secrets =
        keys::SECTIONS.iter().flat_map(|section| section.keys).filter(|key| key.is_secret());
    is_open
        && secrets.any(|key| {
            let value = table.get(key.section).and_then(|section| section.get(key.name));
            value.and_then(toml::Value::as_str).is_some_and(|text| !text.is_empty())
        })
}

/// Returns whether other users of this machine can read secrets in the configuration file at `path`.
#[cfg(not(unix))]
pub fn exposes_secrets(_: &Path) -> bool {
    false
}

/// Returns the language that the configuration file at `path` names, if it can be read and names one.
pub fn locale_in(path: &Path) -> Option<Locale> {
    let table = sources::read_file(path).ok()?;
    table.get(keys::LOCALE.key.name)?.as_str()?.parse().ok()
}

/// The variables of the process, for [`Config::load`], which refuses values that are not UTF-8 under the key's name.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    })
}

impl Config {
    /// Loads the configuration from the file at `path`, if there is one, and from the variables `env`, which take
    /// precedence. Relative paths start from the file's folder or, without a file, from the working directory.
    ///
    /// The error lists every problem. If the file cannot be read or parsed, values are not checked.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
        Self::from_table(path.map(sources::read_file).transpose(), folder, env)
    }

    /// Like [`Config::load`], from the text of a file in `folder`.
    pub fn parse(
        text: &str,
        folder: &Path,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::from_table(sources::parse(text, "the configuration").map(Some), folder, env)
    }

    fn from_table(
        table: Result<Option<toml::Table>, ConfigProblem>,
        folder: &Path,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut sources = Sources::default();
        let mut problems = Vec::new();
        match table {
            Ok(table) => sources.add_file(table.unwrap_or_default(), &mut problems),
            Err(problem) => {
                problems.push(problem);
                sources.add_env(env, &mut problems);
                return Err(ConfigError(problems));
            }
        }
        sources.add_env(env, &mut problems);
        let mut reader = Reader { sources: &sources, folder, problems };
        match Self::read(&mut reader) {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(ConfigError(reader.problems)),
        }
    }

    /// Returns `None` only after noting a problem. Reads every section before unwrapping the first, to find all problems.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let locale = reader.choice(&keys::LOCALE);
        let server = Server::read(reader);
        let feishu = Feishu::read(reader);
        let volcengine = Volcengine::read(reader);
        let store = Store::read(reader);
        let access = Access::read(reader);
        // How many people are in a group is not known yet.
        let alone = feishu
            .as_ref()
            .is_some_and(|feishu| feishu.admins.len() < 2 && feishu.admin_chat.is_none());
        let approval = approval::read(reader, alone);
        let security = Security::read(reader);
        let monitor = Monitor::read(reader);
        Some(Self {
            locale: locale?,
            server: server?,
            feishu: feishu?,
            volcengine: volcengine?,
            store: store?,
            access: access?,
            approval: approval?,
            security: security?,
            monitor: monitor?,
        })
    }

    /// The settings of a new store. What `/config` saves takes precedence.
    pub fn initial_settings(&self) -> Settings {
        Settings {
            thresholds: self.monitor.thresholds.clone(),
            interval: self.monitor.interval,
            alert_chat: self.feishu.alert_chat.clone(),
            webhook_url: self
                .feishu
                .alert_webhook_url
                .as_ref()
                .map(|url| url.expose_secret().to_owned()),
            mobiles: self.feishu.alert_mobiles.clone(),
            people: Vec::new(),
            approval: self.approval,
            notify_owners: self.feishu.notify_owners,
            digest: None,
        }
    }

    /// Values that are allowed but unwise, one line each, naming the key; for the startup log and `airgate check`.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.feishu.mode_is_inferred {
            warnings.push(
                "feishu.mode is not set, but verification_token or encrypt_key is, so events are taken by webhook as before; set \
                 mode = \"webhook\" to keep that, or remove both keys to use the long connection, which is the default now"
                    .to_owned(),
            );
        }
        if matches!(&self.feishu.events, Events::Webhook(secrets) if secrets.encrypt_key.is_none())
        {
            warnings.push(
                "feishu.encrypt_key is not set: callbacks arrive unencrypted, their signature proves nothing, and only the \
                 verification token protects them; set an Encrypt Key in the developer console and here"
                    .to_owned(),
            );
        }
        if self.feishu.admins.iter().all(|admin| admin.as_str() == UNKNOWN_ADMIN) {
            warnings.push(format!(
                "feishu.admins holds only the placeholder {UNKNOWN_ADMIN}, so nobody is an administrator yet; send the bot /users: it \
                 answers with your open_id"
            ));
        }
        let rules = &self.access.rules;
        if rules.models == Models::Off {
            warnings.push(
                "access.models is \"off\": model calls at 方舟 go on after a user is disabled; use \"own\" to close what is theirs"
                    .to_owned(),
            );
            if rules.model_keys != ModelKeys::Report || rules.stop_jobs {
                warnings.push(
                    "access.model_keys and access.stop_jobs have no effect while access.models is \"off\""
                        .to_owned(),
                );
            }
        }
        if let ModelKeys::Disable { disable, enable } = &rules.model_keys {
            let calls = [(&keys::MODEL_KEY_DISABLE, disable), (&keys::MODEL_KEY_ENABLE, enable)];
            for (key, call) in calls {
                if call.action().to_ascii_lowercase().starts_with("delete") {
                    warnings.push(format!(
                        "{} calls {}: a key that is deleted does not come back; use a call that switches it off and on",
                        key.key.path(),
                        call.action(),
                    ));
                }
            }
        }
        warnings
    }
}

impl Server {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let listen = reader.text(&keys::LISTEN, |text| {
            text.parse().map_err(|_| "must be an IP address and a port like 127.0.0.1:8080")
        });
        Some(Self { listen: listen? })
    }
}

/// Reads an open_id. Another kind of id would be noticed only when nobody can administer airgate.
fn person(text: &str) -> Result<OpenId, String> {
    match text.parse::<OpenId>() {
        Ok(id) if text.starts_with("ou_") => Ok(id),
        Ok(_) => Err("an open_id begins with ou_".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a chat_id.
fn chat(text: &str) -> Result<ChatId, String> {
    match ChatId::new(text) {
        Ok(chat) if text.starts_with("oc_") => Ok(chat),
        Ok(_) => Err("is not a chat_id: a chat_id begins with oc_".to_owned()),
        Err(error) => Err(format!("is not a chat_id (oc_...): {error}")),
    }
}

impl Feishu {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mode_is_inferred = !reader.is_given(&keys::MODE)
            && (reader.is_filled(&keys::VERIFICATION_TOKEN)
                || reader.is_filled(&keys::ENCRYPT_KEY));
        let mode = match mode_is_inferred {
            true => Some(Mode::Webhook),
            false => reader.choice(&keys::MODE),
        };
        let base_url = reader.text(&keys::BASE_URL, address::api_url);
        let app_id = reader.text(&keys::APP_ID, word);
        let app_secret = reader.secret(&keys::APP_SECRET);
        // A mode that was refused is checked like the default.
        let events = match mode {
            Some(Mode::Websocket) | None => Some(Events::Websocket),
            Some(Mode::Webhook) => CallbackSecrets::read(reader).map(Events::Webhook),
        };
        let admins = reader.each(&keys::ADMINS, person);
        if admins.as_ref().is_some_and(Vec::is_empty) {
            reader.refuse(
                keys::ADMINS.key.path(),
                "is empty: there would be no administrator; add your open_id (ou_...)",
            );
        }
        let viewers = reader.each(&keys::VIEWERS, person);
        let notify_owners = reader.switch(&keys::NOTIFY_OWNERS);
        let admin_chat = reader.text(&keys::ADMIN_CHAT_ID, chat);
        let viewer_chat = reader.text(&keys::VIEWER_CHAT_ID, chat);
        let alert_chat = reader.text(&keys::ALERT_CHAT_ID, chat);
        // Even if base_url was refused, the webhook is checked, against the platform's own hosts.
        let base = base_url.clone().or_else(|| Url::parse("https://open.feishu.cn").ok());
        let alert_webhook_url = base.and_then(|base| {
            reader.text(&keys::ALERT_WEBHOOK_URL, |text| {
                address::webhook_url(text, &base).map(|url| SecretString::from(String::from(url)))
            })
        });
        let alert_webhook_secret = reader.secret(&keys::ALERT_WEBHOOK_SECRET);
        let alert_mobiles = reader.each(&keys::ALERT_MOBILES, contact::phone);
        Some(Self {
            events: mode.and(events)?,
            mode_is_inferred,
            base_url: base_url?,
            app_id: app_id?,
            app_secret: app_secret?,
            admins: admins?,
            viewers: viewers?,
            notify_owners: notify_owners?,
            admin_chat,
            viewer_chat,
            alert_chat,
            alert_webhook_url,
            alert_webhook_secret,
            alert_mobiles: alert_mobiles?,
        })
    }
}

impl CallbackSecrets {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let encrypt_key = reader.secret(&keys::ENCRYPT_KEY);
        let verification_token = reader.secret(&keys::VERIFICATION_TOKEN);
        Some(Self { encrypt_key, verification_token: verification_token? })
    }
}

impl Volcengine {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let iam_endpoint = reader.text(&keys::IAM_ENDPOINT, address::api_url);
        let billing_endpoint = reader.text(&keys::BILLING_ENDPOINT, address::api_url);
        let ark_endpoint = reader.text(&keys::ARK_ENDPOINT, address::api_url);
        let region = reader.text(&keys::REGION, word);
        let qps = reader.number(&keys::QPS).and_then(NonZeroU32::new);
        let ark_qps = reader.number(&keys::ARK_QPS).and_then(NonZeroU32::new);
        Some(Self {
            iam_endpoint: iam_endpoint?,
            billing_endpoint: billing_endpoint?,
            ark_endpoint: ark_endpoint?,
            region: region?,
            qps: qps?,
            ark_qps: ark_qps?,
        })
    }
}

impl Store {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let path = reader.path(&keys::STORE_PATH);
        let backup_dir = reader.path(&keys::BACKUP_DIR);
        let before = reader.problems.len();
        let address = reader.text(&keys::BACKUP_URL, |text| Ok::<_, String>(text.to_owned()));
        // The address is not repeated: people put key pairs into it.
        let address = address.and_then(|text| {
            BucketAddress::parse(&text, None)
                .map_err(|error| reader.refuse(keys::BACKUP_URL.key.path(), error.to_string()))
                .ok()
        });
        let access_key_id = reader.secret(&keys::BACKUP_ACCESS_KEY_ID);
        let secret_access_key = reader.secret(&keys::BACKUP_SECRET_ACCESS_KEY);
        if address.is_some() && reader.problems.len() == before {
            for (key, given) in [
                (&keys::BACKUP_ACCESS_KEY_ID, &access_key_id),
                (&keys::BACKUP_SECRET_ACCESS_KEY, &secret_access_key),
            ] {
                if given.is_none() {
                    let name = key.key.env();
                    let fault =
                        format!("is missing: store.backup_url needs it; set it with {name}");
                    reader.refuse(key.key.path(), fault);
                }
            }
        }
        let backup_keys =
            access_key_id.zip(secret_access_key).map(|(access_key_id, secret_access_key)| {
                BucketKeys { access_key_id, secret_access_key }
            });
        let backup_keep = reader.number(&keys::BACKUP_KEEP).and_then(count);
        let hours = reader.number(&keys::BACKUP_INTERVAL_HOURS);
        Some(Self {
            path: path?,
            backup_dir,
            backup_bucket: address
                .zip(backup_keys.clone())
                .map(|(address, keys)| BackupBucket { address, keys }),
            backup_keys,
            backup_keep: backup_keep?,
            backup_interval: Duration::from_secs(u64::from(hours?) * 3600),
        })
    }
}

impl Access {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let project_policies = reader.each(&keys::PROJECT_POLICIES, policy);
        let global_policies = reader.each(&keys::GLOBAL_POLICIES, policy);
        let deny_all = reader.switch(&keys::DENY_ALL);
        let models = reader.choice(&keys::MODELS);
        let word = reader.choice(&keys::MODEL_KEYS);
        let needed = word == Some(ModelKeysWord::Disable);
        let disable = key_switch(reader, &keys::MODEL_KEY_DISABLE, needed);
        let enable = key_switch(reader, &keys::MODEL_KEY_ENABLE, needed);
        let stop_jobs = reader.switch(&keys::STOP_JOBS);
        let model_keys = match word? {
            ModelKeysWord::Report => ModelKeys::Report,
            ModelKeysWord::Rotate => ModelKeys::Rotate,
            ModelKeysWord::Disable => ModelKeys::Disable { disable: disable?, enable: enable? },
        };
        Some(Self {
            link_policies: LinkPolicies { project: project_policies?, global: global_policies? },
            rules: AccessRules {
                deny_all: deny_all?,
                models: models?,
                model_keys,
                stop_jobs: stop_jobs?,
            },
        })
    }
}

/// Reads a call that switches API keys of 方舟, which is missing only if it is `needed`.
fn key_switch(reader: &mut Reader<'_>, key: &Typed<Text>, needed: bool) -> Option<KeySwitch> {
    let before = reader.problems.len();
    let switch = reader.text(key, str::parse::<KeySwitch>);
    if needed && switch.is_none() && reader.problems.len() == before {
        let fault = format!(
            "is missing: access.model_keys = \"disable\" needs it; set it in the configuration file or with {}",
            key.key.env()
        );
        reader.refuse(key.key.path(), fault);
    }
    switch
}

impl Security {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let master_key = reader.text(&keys::MASTER_KEY, |text| {
            text.parse::<MasterKey>().map_err(|error| {
                format!("{error}: use 32 bytes, generated with `openssl rand -base64 32`")
            })
        });
        Some(Self { master_key: master_key? })
    }
}

impl Monitor {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let enabled = reader.switch(&keys::MONITOR_ENABLED);
        let seconds = reader.number(&keys::INTERVAL_SECONDS);
        let thresholds = reader.list(&keys::ALERT_THRESHOLDS, |percents| {
            percents
                .join(",")
                .parse::<Thresholds>()
                .map_err(|error| format!("is refused: {error}, like [50, 80, 90]"))
        });
        let bill_source = reader.choice(&keys::BILL_SOURCE);
        let amount_field = reader.choice(&keys::AMOUNT_FIELD);
        let estimate = reader.choice(&keys::ESTIMATE);
        let forecast_days = reader.number(&keys::FORECAST_DAYS);
        let balance_days = reader.number(&keys::BALANCE_DAYS);
        let concurrency = reader.number(&keys::CONCURRENCY).and_then(count);
        Some(Self {
            enabled: enabled?,
            interval: Duration::from_secs(u64::from(seconds?)),
            thresholds: thresholds?,
            bill_source: bill_source?,
            amount_field: amount_field?,
            estimate: estimate?,
            forecast_days: forecast_days?,
            balance_days: balance_days?,
            concurrency: concurrency?,
        })
    }
}

fn count(number: u32) -> Option<NonZeroUsize> {
    usize::try_from(number).ok().and_then(NonZeroUsize::new)
}

/// A name without spaces.
fn word(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must be a name without spaces");
    }
    Ok(text.to_owned())
}

/// The name of a policy that may be granted.
fn policy(text: &str) -> Result<String, &'static str> {
    let name = word(text)?;
    if name.starts_with(DENY_ALL_POLICY) {
        return Err("is the policy that cuts access: it cannot be granted");
    }
    Ok(name)
}
