//! IAM users of the stand-in cloud: access keys, console login, policies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::lag::{Lagging, Stale, keep_showing, read};

/// An IAM user.
#[derive(Clone, Debug)]
pub struct User {
    /// The numeric id, which survives a rename.
    pub id: i64,
    /// `UserName`.
    pub name: String,
    /// The display name.
    pub display_name: String,
    /// A remark.
    pub description: String,
    /// `Email`; may be empty.
    pub email: String,
    /// `MobilePhone`; may be empty.
    pub mobile_phone: String,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// Access keys, at most two unless a test says otherwise.
    pub keys: Vec<AccessKey>,
    /// Console login.
    pub login: Login,
    /// Attached policies.
    pub policies: Vec<AttachedPolicy>,
    /// API keys of IAM (`docs/platforms/ark.md` §B.1). They open nothing in this cloud.
    pub api_keys: Vec<IamApiKey>,
    keys_made: u32,
}

/// An API key of IAM.
#[derive(Clone, Debug)]
pub struct IamApiKey {
    /// `Id`.
    pub id: String,
    /// `Name`.
    pub name: String,
    /// The key itself.
    pub secret: SecretString,
    /// Whether it works.
    pub status: Lagging<KeyStatus>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// Whether an access key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// `active`.
    Active,
    /// `inactive`.
    Inactive,
    /// A status that no document knows (`expired`, `frozen`). Nobody knows whether such a key works; here it does not.
    Other(&'static str),
}

impl KeyStatus {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Other(status) => status,
        }
    }
}

/// An access key pair.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// `AccessKeyId`.
    pub id: String,
    /// `SecretAccessKey`.
    pub secret: SecretString,
    /// The actual status, even if a stale read shows another.
    pub status: KeyStatus,
    /// When it was created.
    pub created: Timestamp,
    /// When its status was last set.
    pub updated: Timestamp,
    stale: Option<Stale<KeyStatus>>,
}

impl AccessKey {
    /// A key pair with that status.
    pub fn new(id: String, secret: SecretString, status: KeyStatus, at: Timestamp) -> Self {
        Self { id, secret, status, created: at, updated: at, stale: None }
    }

    /// Sets the status; the next `lag` reads still show the old one.
    pub(crate) fn set_status(&mut self, status: KeyStatus, at: Timestamp, lag: u32) {
        keep_showing(&self.status, &mut self.stale, lag);
        self.status = status;
        self.updated = at;
    }

    /// The status as a read shows it.
    pub(crate) fn read_status(&mut self) -> KeyStatus {
        read(&self.status, &mut self.stale)
    }
}

/// Console login of a user.
#[derive(Clone, Debug)]
pub struct Login {
    /// The login profile, if there is one.
    pub profile: Option<LoginProfile>,
    /// How GetLoginProfile answers if there is none.
    pub missing: MissingLogin,
    stale: Option<Stale<LoginProfile>>,
}

/// The observed answers for a login profile that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingLogin {
    /// Error `LoginProfileNotExist`.
    #[default]
    Error,
    /// Success with a stub dated 1970-01-01.
    Stub,
    /// Success with an empty object.
    Empty,
    /// Success with every field at its zero: no name, no dates, and login not allowed.
    Zero,
}

/// A login profile.
#[derive(Clone, Debug)]
pub struct LoginProfile {
    /// `LoginAllowed`.
    pub login_allowed: bool,
    /// The password; no answer contains it.
    pub password: SecretString,
    /// `PasswordResetRequired`.
    pub password_reset_required: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

impl Login {
    /// Login with a profile.
    pub fn with(profile: LoginProfile) -> Self {
        Self { profile: Some(profile), missing: MissingLogin::default(), stale: None }
    }

    /// No profile; `missing` says how GetLoginProfile answers.
    pub fn none(missing: MissingLogin) -> Self {
        Self { profile: None, missing, stale: None }
    }

    /// Whether the user can sign in now, even if a stale read shows otherwise.
    pub fn allowed(&self) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.login_allowed)
    }

    /// Replaces the profile; if there was one, the next `lag` reads still show it.
    pub(crate) fn set(&mut self, profile: LoginProfile, lag: u32) {
        if let Some(old) = &self.profile {
            keep_showing(old, &mut self.stale, lag);
        }
        self.profile = Some(profile);
    }

    /// The profile as a read shows it.
    pub(crate) fn read(&mut self) -> Option<LoginProfile> {
        let profile = self.profile.as_ref()?;
        Some(read(profile, &mut self.stale))
    }
}

/// The author of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// The vendor.
    System,
    /// The account.
    Custom,
    /// A service. Users cannot detach it.
    ServiceLinked,
}

impl PolicyKind {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Custom => "Custom",
            Self::ServiceLinked => "ServiceLinked",
        }
    }
}

/// A policy attached to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// `PolicyName`.
    pub name: String,
    /// `PolicyType`.
    pub kind: PolicyKind,
    /// Its scopes with the time each was attached; never empty.
    pub scopes: Vec<(PolicyScope, Timestamp)>,
}

/// The scope of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyScope {
    /// In the whole account.
    Global,
    /// In the project with that name.
    Project(String),
}

impl User {
    /// A user without keys and policies, with a login profile that allows login.
    pub(crate) fn new(id: i64, name: &str, at: Timestamp) -> Self {
        Self {
            id,
            name: name.to_owned(),
            display_name: name.to_owned(),
            description: String::new(),
            email: String::new(),
            mobile_phone: String::new(),
            created: at,
            updated: at,
            keys: Vec::new(),
            login: Login::with(LoginProfile {
                login_allowed: true,
                password: SecretString::from("Sandbox-Login-1"),
                password_reset_required: false,
                created: at,
                updated: at,
            }),
            policies: Vec::new(),
            api_keys: Vec::new(),
            keys_made: 0,
        }
    }

    /// Adds a key pair and returns its access key id. The pair is derived from the user's id, so equal worlds have equal
    /// keys.
    pub fn add_key(&mut self, status: KeyStatus) -> String {
        self.new_key(status, self.created).id.clone()
    }

    /// Adds a key pair created at `at`.
    pub(crate) fn new_key(&mut self, status: KeyStatus, at: Timestamp) -> AccessKey {
        self.keys_made = self.keys_made.saturating_add(1);
        let seed = Sha256::digest(format!("key {} {}", self.id, self.keys_made));
        let id: String = STANDARD
            .encode(hex::encode(seed))
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(43)
            .collect();
        let secret: String = hex::encode(Sha256::digest(seed)).chars().take(40).collect();
        let secret = STANDARD.encode(secret);
        let key = AccessKey::new(format!("AKLT{id}"), SecretString::from(secret), status, at);
        self.keys.push(key.clone());
        key
    }

    /// Adds an API key of IAM and returns its id.
    pub fn add_api_key(&mut self, name: &str, status: KeyStatus) -> String {
        self.new_api_key(name, status, self.created).id
    }

    /// Adds an API key of IAM created at `at`.
    pub(crate) fn new_api_key(
        &mut self,
        name: &str,
        status: KeyStatus,
        at: Timestamp,
    ) -> IamApiKey {
        self.keys_made = self.keys_made.saturating_add(1);
        let seed = Sha256::digest(format!("api key {} {}", self.id, self.keys_made));
        let text = hex::encode(seed);
        let key = IamApiKey {
            id: format!("ak-{}", text.chars().take(16).collect::<String>()),
            name: name.to_owned(),
            secret: SecretString::from(STANDARD.encode(seed)),
            status: Lagging::new(status),
            created: at,
            updated: at,
        };
        self.api_keys.push(key.clone());
        key
    }

    /// Attaches a policy unless it is attached already.
    pub fn attach(&mut self, name: &str, kind: PolicyKind, scope: PolicyScope) {
        self.attach_at(name, kind, scope, self.created);
    }

    /// Attaches a policy. Returns whether it was not attached before.
    pub(crate) fn attach_at(
        &mut self,
        name: &str,
        kind: PolicyKind,
        scope: PolicyScope,
        at: Timestamp,
    ) -> bool {
        let held =
            self.policies.iter_mut().find(|policy| policy.name == name && policy.kind == kind);
        match held {
            Some(policy) if policy.scopes.iter().any(|(held, _)| *held == scope) => false,
            Some(policy) => {
                policy.scopes.push((scope, at));
                true
            }
            None => {
                self.policies.push(AttachedPolicy {
                    name: name.to_owned(),
                    kind,
                    scopes: vec![(scope, at)],
                });
                true
            }
        }
    }

    /// Detaches a policy. Returns whether it was attached.
    pub(crate) fn detach(&mut self, name: &str, kind: PolicyKind, scope: &PolicyScope) -> bool {
        let mut found = false;
        for policy in &mut self.policies {
            if policy.name == name && policy.kind == kind {
                let before = policy.scopes.len();
                policy.scopes.retain(|(held, _)| held != scope);
                found |= policy.scopes.len() < before;
            }
        }
        self.policies.retain(|policy| !policy.scopes.is_empty());
        found
    }

    /// Whether a policy is attached with that scope.
    pub fn holds(&self, name: &str, scope: &PolicyScope) -> bool {
        self.policies.iter().any(|policy| {
            policy.name == name && policy.scopes.iter().any(|(held, _)| held == scope)
        })
    }

    /// Whether the user has no access left: no active key of either kind, no console login.
    pub fn is_cut_off(&self) -> bool {
        let inactive = |status: KeyStatus| status == KeyStatus::Inactive;
        !self.login.allowed()
            && self.keys.iter().all(|key| inactive(key.status))
            && self.api_keys.iter().all(|key| inactive(*key.status.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_key_is_read_stale_as_often_as_the_lag_says() {
        let at = Timestamp::UNIX_EPOCH;
        let mut key = AccessKey::new("k".to_owned(), "s".into(), KeyStatus::Active, at);
        key.set_status(KeyStatus::Inactive, at, 2);
        assert_eq!(key.status, KeyStatus::Inactive);
        assert_eq!(key.read_status(), KeyStatus::Active);
        // A second write in the meantime does not change what readers see.
        key.set_status(KeyStatus::Inactive, at, 2);
        let shown: Vec<_> = (0..3).map(|_| key.read_status()).collect();
        assert_eq!(shown, [KeyStatus::Active, KeyStatus::Active, KeyStatus::Inactive]);
        key.set_status(KeyStatus::Active, at, 0);
        assert_eq!(key.read_status(), KeyStatus::Active);
    }

    #[test]
    fn keys_differ_and_look_like_keys() {
        let mut user = User::new(7, "alice", Timestamp::UNIX_EPOCH);
        let first = user.add_key(KeyStatus::Active);
        let second = user.add_key(KeyStatus::Inactive);
        assert_ne!(first, second);
        assert!(first.starts_with("AKLT") && first.len() == 47, "{first}");
    }
}
