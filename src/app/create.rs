//! Making a user, as far as the store goes: the form's facts, its input checked before anything is made, and what is
//! booked with the new user.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::projects::NewLink;
use super::{Error, Refusal, policies, projects};
use crate::domain::{
    Account, AccountId, Creation, KeyStep, Money, NewUser, OpId, Operator, ProjectInfo,
    ProjectName, SecretsSent, Step, User, UserKey, UserStatus, Username,
};
use crate::store::{AllocateError, CloudUser, Source, StoreError, View, WriteTx};

/// Longest display name, in characters.
pub const DISPLAY_NAME_CHARS: usize = 128;
/// Longest e-mail address (RFC 5321).
pub const EMAIL_CHARS: usize = 254;
/// Options of the project select.
const PROJECTS: usize = 200;

/// What a person typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateForm {
    /// The account, where several are active; empty = the only one.
    pub account: String,
    /// User name.
    pub username: String,
    /// Display name.
    pub display_name: String,
    /// E-mail.
    pub email: String,
    /// Mobile phone.
    pub phone: String,
    /// First project; empty = none.
    pub project: String,
    /// First quota; empty = none.
    pub quota: String,
    /// Set up console login.
    pub login: bool,
    /// Make an access key.
    pub access_key: bool,
}

/// Why a user is not made. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateRefusal {
    /// The user name breaks the cloud's rules.
    #[error("`{0}` cannot be a user name")]
    Username(String),
    /// The display name is too long.
    #[error("the display name has {0} characters")]
    DisplayName(usize),
    /// Not an e-mail address.
    #[error("`{0}` is not an e-mail address")]
    Email(String),
    /// Not a phone number.
    #[error("`{0}` is not a phone number")]
    Phone(String),
    /// Several accounts are active and none was chosen, or the chosen one is not active.
    #[error("no account chosen")]
    Account,
    /// The account does not list the project.
    #[error("the account does not list the project `{0}`")]
    Project(String),
    /// A first quota below 0.
    #[error("a first quota is positive")]
    Quota,
    /// airgate knows a user of that name.
    #[error("{0} exists")]
    Exists(UserKey),
    /// The same user is being made.
    #[error("{0} is being made")]
    Running(UserKey),
    /// The creation is not known any more.
    #[error("the creation is not known any more")]
    Forgotten,
    /// Nothing is left to be done.
    #[error("the user is complete")]
    Complete,
}

impl From<CreateRefusal> for Error {
    fn from(refusal: CreateRefusal) -> Self {
        Error::Refused(Refusal::Create(refusal))
    }
}

/// The form's facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateView {
    /// Active accounts.
    pub accounts: Vec<Account>,
    /// Their projects as last listed, each name once, with the accounts that have it.
    pub projects: Vec<(ProjectInfo, Vec<AccountId>)>,
    /// How many more there are.
    pub more_projects: usize,
}

/// The form's facts.
///
/// # Errors
/// [`Refusal::NoAccount`], or the store's.
pub fn view<S: Source>(tx: &View<S>) -> Result<CreateView, Error> {
    let accounts = active(tx)?;
    if accounts.is_empty() {
        return Err(Refusal::NoAccount.into());
    }
    let mut names: BTreeMap<ProjectName, (ProjectInfo, Vec<AccountId>)> = BTreeMap::new();
    for account in &accounts {
        for project in tx.projects_of(&account.id)? {
            let entry = names.entry(project.name.clone()).or_insert_with(|| (project, Vec::new()));
            entry.1.push(account.id.clone());
        }
    }
    let mut projects: Vec<_> = names.into_values().collect();
    let more_projects = projects.len().saturating_sub(PROJECTS);
    projects.truncate(PROJECTS);
    Ok(CreateView { accounts, projects, more_projects })
}

fn active<S: Source>(tx: &View<S>) -> Result<Vec<Account>, StoreError> {
    Ok(tx.accounts()?.into_iter().filter(|account| account.active.is_on()).collect())
}

/// Checks what was typed.
///
/// # Errors
/// [`Refusal::NoAccount`], [`Refusal::BadAmount`], [`CreateRefusal`].
pub fn check<S: Source>(tx: &View<S>, form: &CreateForm) -> Result<NewUser, Error> {
    let accounts = active(tx)?;
    let account = match (accounts.as_slice(), form.account.trim()) {
        ([], _) => return Err(Refusal::NoAccount.into()),
        ([only], "") => only.id.clone(),
        (all, chosen) => all
            .iter()
            .find(|account| account.id.as_str() == chosen)
            .map(|account| account.id.clone())
            .ok_or(CreateRefusal::Account)?,
    };
    let typed = form.username.trim();
    let key = Some(typed)
        .filter(|name| is_username(name))
        .and_then(|name| Username::new(name).ok())
        .map(|username| UserKey::new(account, username))
        .ok_or_else(|| CreateRefusal::Username(typed.to_owned()))?;
    let display_name = form.display_name.trim();
    let chars = display_name.chars().count();
    if chars > DISPLAY_NAME_CHARS || display_name.contains(char::is_control) {
        return Err(CreateRefusal::DisplayName(chars).into());
    }
    let email = form.email.trim();
    if !email.is_empty() && !is_email(email) {
        return Err(CreateRefusal::Email(email.to_owned()).into());
    }
    let phone = form.phone.trim();
    if !phone.is_empty() && !is_phone(phone) {
        return Err(CreateRefusal::Phone(phone.to_owned()).into());
    }
    let project = match form.project.trim() {
        "" => None,
        name => {
            let listed = match ProjectName::new(name) {
                Ok(name) => tx.project(&key.account, &name)?,
                Err(_) => None,
            };
            Some(listed.ok_or_else(|| CreateRefusal::Project(name.to_owned()))?.name)
        }
    };
    let quota = match form.quota.trim() {
        "" => None,
        text => {
            let amount = Money::parse_input(text).map_err(Refusal::from)?;
            if !amount.is_positive() {
                return Err(CreateRefusal::Quota.into());
            }
            Some(amount)
        }
    };
    if tx.user(&key)?.is_some_and(|user| user.status != UserStatus::Gone) {
        return Err(CreateRefusal::Exists(key).into());
    }
    if tx.running_creation(&key)?.is_some() {
        return Err(CreateRefusal::Running(key).into());
    }
    Ok(NewUser {
        key,
        display_name: display_name.to_owned(),
        email: email.to_owned(),
        phone: phone.to_owned(),
        project,
        quota,
        login: form.login,
        access_key: form.access_key,
    })
}

/// 1 to 64 of letters, digits, `_ . - @ ,` ("CreateUser").
fn is_username(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-@,".contains(&b))
}

fn is_email(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.contains("..")
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b))
    };
    let host = |part: &str| {
        plain(part)
            && part.contains('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    };
    text.len() <= EMAIL_CHARS
        && text.rsplit_once('@').is_some_and(|(local, domain)| plain(local) && host(domain))
}

/// Digits, with a country code in front where there is one: `13800000000`, `+8613800000000`.
fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (5..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Takes down a user that is to be made; a task does it. Returns its id.
///
/// # Errors
/// The store's.
pub fn begin(
    tx: &WriteTx,
    wanted: NewUser,
    form: BTreeMap<String, String>,
    op: &OpId,
    operator: Operator,
    now: Timestamp,
) -> Result<Creation, StoreError> {
    let creation = Creation {
        id: tx.next_creation()?,
        mark: uuid::Uuid::new_v4().simple().to_string(),
        wanted,
        form,
        operator,
        ops: vec![op.clone()],
        running: true,
        user: Step::Open,
        linked: false,
        booked: false,
        login: Step::Open,
        key: KeyStep::Open,
        sealed: None,
        sent: SecretsSent::None,
        halt: None,
        report: None,
        created: now,
    };
    tx.put_creation(&creation)?;
    Ok(creation)
}

/// Takes up a creation that stopped half-way. What it makes from now on goes to `operator`.
///
/// # Errors
/// [`CreateRefusal::Forgotten`], [`CreateRefusal::Running`], [`CreateRefusal::Complete`].
pub fn resume(tx: &WriteTx, id: u64, op: &OpId, operator: Operator) -> Result<Creation, Error> {
    let mut creation = tx.creation(id)?.ok_or(CreateRefusal::Forgotten)?;
    if creation.running {
        return Err(CreateRefusal::Running(creation.wanted.key).into());
    }
    if creation.is_complete() {
        return Err(CreateRefusal::Complete.into());
    }
    creation.running = true;
    creation.halt = None;
    creation.operator = operator;
    creation.ops.push(op.clone());
    tx.put_creation(&creation)?;
    Ok(creation)
}

/// The user is there: its record, its first project with the policies that are owed for it, its first quota, and that
/// this step is done, all at once.
///
/// # Errors
/// The store's.
pub fn book(
    tx: &WriteTx,
    creation: &mut Creation,
    cloud: &CloudUser,
    project_policies: &[String],
    note: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let wanted = creation.wanted.clone();
    let key = &wanted.key;
    let mut record = tx.user(key)?.unwrap_or_else(|| User::new(key.clone(), now));
    if record.status == UserStatus::Gone {
        // A user of this name was there before: its history stays.
        record.status = UserStatus::Unknown;
        record.access_read_at = None;
    }
    record.cloud_id.clone_from(&cloud.cloud_id);
    record.display_name.clone_from(&cloud.display_name);
    record.email.clone_from(&cloud.email);
    record.phone.clone_from(&cloud.phone);
    record.updated = now;
    tx.put_user(&record)?;
    if let Some(project) = &wanted.project {
        let link = NewLink { chosen: project.to_string(), ..NewLink::default() };
        creation.linked = match projects::add(tx, key, &link, now) {
            Ok(_) => true,
            Err(Error::Refused(Refusal::AlreadyLinked(_))) => true,
            Err(Error::Refused(refusal)) => {
                tracing::warn!(user = %key, %refusal, "the first project was not linked");
                false
            }
            Err(Error::Store(error)) => return Err(error),
        };
        if creation.linked {
            policies::want(tx, key, project, project_policies, None, now)?;
        }
    }
    if let Some(quota) = wanted.quota {
        creation.booked = match tx.allocate(key, quota, note, &creation.operator, now) {
            Ok(_) => true,
            Err(AllocateError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(user = %key, %error, "the first quota was not booked");
                false
            }
        };
    }
    creation.user = Step::Done;
    tx.put_creation(creation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_mails_and_phones() {
        for name in ["a", "alice", "A.b-c_d@x,1", &"a".repeat(64)] {
            assert!(is_username(name), "{name}");
        }
        for name in ["", "a b", "张三", "a/b", "a+b", "a\u{200b}", &"a".repeat(65)] {
            assert!(!is_username(name), "{name}");
        }
        for mail in ["a@b.cn", "first.last+tag@sub.example.com"] {
            assert!(is_email(mail), "{mail}");
        }
        for mail in
            ["a", "a@b", "@b.cn", "a@", "a b@c.cn", "a@b..cn", "a@.cn", "a@b.cn.", "李@b.cn"]
        {
            assert!(!is_email(mail), "{mail}");
        }
        for phone in ["13800000000", "+8613800000000"] {
            assert!(is_phone(phone), "{phone}");
        }
        for phone in ["1234", "138-0000", "+", "1380000000a", &"1".repeat(21)] {
            assert!(!is_phone(phone), "{phone}");
        }
    }
}
