//! Creating a user: what the form shows, the check of its input before anything is created, and what is recorded
//! together with the new user. `work::create` makes the calls to the cloud.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::approvals::{self, Outcome};
use super::projects::NewLink;
use super::quota::Allocation;
use super::{CreateField, CreateRefusal, Error, Refusal, SplitRefusal, policies, projects};
use crate::domain::contact::{self, ContactError};
use crate::domain::{
    Account, AccountId, Approval, ApprovalRules, CloudUser, Creation, KeyStep, LinkPolicies, Money,
    NewUser, OpId, Operator, ProjectInfo, ProjectName, SecretsSent, Step, User, UserKey,
    UserStatus, Username,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// How many projects the form offers.
const MAX_PROJECTS_OFFERED: usize = 200;

/// What a person typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateForm {
    /// The account, if several are active; empty = the only one.
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
    /// Create an access key.
    pub access_key: bool,
}

/// What the form shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateView {
    /// Active accounts.
    pub accounts: Vec<Account>,
    /// Their projects as last listed, each name once, with the accounts that have it.
    pub projects: Vec<(ProjectInfo, Vec<AccountId>)>,
    /// How many more projects there are.
    pub more_projects: usize,
}

/// Reads what the form shows.
///
/// # Errors
/// [`Refusal::NoAccount`], or a [`StoreError`].
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
    let more_projects = projects.len().saturating_sub(MAX_PROJECTS_OFFERED);
    projects.truncate(MAX_PROJECTS_OFFERED);
    Ok(CreateView { accounts, projects, more_projects })
}

fn active<S: Source>(tx: &View<S>) -> Result<Vec<Account>, StoreError> {
    Ok(tx.accounts()?.into_iter().filter(|account| account.active.is_on()).collect())
}

/// Checks what was typed, every field of it.
///
/// # Errors
/// [`Refusal::NoAccount`], or [`CreateRefusal::Fields`] with everything that is wrong.
pub fn check<S: Source>(tx: &View<S>, form: &CreateForm) -> Result<NewUser, Error> {
    let accounts = active(tx)?;
    if accounts.is_empty() {
        return Err(Refusal::NoAccount.into());
    }
    let mut faults = Faults(Vec::new());
    let account = faults.unless_good(CreateField::Account, account(&accounts, &form.account));
    let username = faults.unless_good(CreateField::Username, username(&form.username));
    let key = account.as_ref().zip(username);
    let key = key.map(|(account, username)| UserKey::new(account.clone(), username));
    if let Some(key) = &key {
        let is_free = if tx.user(key)?.is_some_and(|user| user.status != UserStatus::Gone) {
            Err(CreateRefusal::Exists(key.clone()).into())
        } else if tx.running_creation(key)?.is_some() {
            Err(CreateRefusal::Running(key.clone()).into())
        } else {
            Ok(())
        };
        faults.unless_good(CreateField::Username, is_free);
    }
    let display_name = contact::display_name(&form.display_name).map_err(Refusal::from);
    let display_name = faults.unless_good(CreateField::DisplayName, display_name);
    let email = faults.unless_good(CreateField::Email, given(&form.email, contact::email));
    let phone = given(&form.phone, contact::phone_in_cloud);
    let phone = faults.unless_good(CreateField::Phone, phone);
    let project = match &account {
        Some(account) => {
            faults.unless_good(CreateField::Project, project(tx, account, &form.project)?)
        }
        None => None,
    };
    let quota = faults.unless_good(CreateField::Quota, quota_of(&form.quota));
    let checked = (key, display_name, email, phone, project, quota);
    let (Some(key), Some(display_name), Some(email), Some(phone), Some(project), Some(quota)) =
        checked
    else {
        return Err(CreateRefusal::Fields(faults.0).into());
    };
    if !faults.0.is_empty() {
        return Err(CreateRefusal::Fields(faults.0).into());
    }
    let (login, access_key) = (form.login, form.access_key);
    Ok(NewUser { key, display_name, email, phone, project, quota, login, access_key })
}

/// What is wrong with a form.
struct Faults(Vec<(CreateField, Refusal)>);

impl Faults {
    fn unless_good<T>(&mut self, field: CreateField, value: Result<T, Refusal>) -> Option<T> {
        value.map_err(|refusal| self.0.push((field, refusal))).ok()
    }
}

/// Returns the chosen account, or the only one.
fn account(accounts: &[Account], chosen: &str) -> Result<AccountId, Refusal> {
    match (accounts, chosen.trim()) {
        ([only], "") => Ok(only.id.clone()),
        (all, chosen) => {
            let found = all.iter().find(|account| account.id.as_str() == chosen);
            Ok(found.map(|account| account.id.clone()).ok_or(CreateRefusal::Account)?)
        }
    }
}

fn username(typed: &str) -> Result<Username, Refusal> {
    let typed = typed.trim();
    let name =
        Some(typed).filter(|name| is_username(name)).and_then(|name| Username::new(name).ok());
    Ok(name.ok_or_else(|| CreateRefusal::Username(typed.to_owned()))?)
}

/// Returns the chosen project, if one was chosen, the account lists it and nobody pays for it.
fn project<S: Source>(
    tx: &View<S>,
    account: &AccountId,
    chosen: &str,
) -> Result<Result<Option<ProjectName>, Refusal>, StoreError> {
    let name = match chosen.trim() {
        "" => return Ok(Ok(None)),
        name => name,
    };
    let listed = match ProjectName::new(name) {
        Ok(name) => tx.project(account, &name)?,
        Err(_) => None,
    };
    let Some(project) = listed.map(|listed| listed.name) else {
        return Ok(Err(CreateRefusal::Project(name.to_owned()).into()));
    };
    let payers: Vec<UserKey> =
        tx.payers(account, project.as_str())?.into_iter().map(|payer| payer.user).collect();
    Ok(match payers.is_empty() {
        true => Ok(Some(project)),
        false => Err(CreateRefusal::ProjectTaken(project, payers).into()),
    })
}

/// Returns the first quota, if one was typed.
fn quota_of(typed: &str) -> Result<Option<Money>, Refusal> {
    match typed.trim() {
        "" => Ok(None),
        text => {
            let amount = Money::parse_input(text)?;
            Ok(Some(Some(amount).filter(|it| it.is_positive()).ok_or(CreateRefusal::Quota)?))
        }
    }
}

/// Returns whether a name is 1 to 64 characters: letters, digits and `_ . - @ ,` ("CreateUser").
fn is_username(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-@,".contains(&b))
}

/// Returns the checked value; empty if none was given.
fn given(text: &str, check: fn(&str) -> Result<String, ContactError>) -> Result<String, Refusal> {
    if text.trim().is_empty() { Ok(String::new()) } else { Ok(check(text)?) }
}

/// Records a user to be created by a task.
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
        entered_by: None,
        ops: vec![op.clone()],
        running: true,
        user: Step::Open,
        linked: false,
        booked: false,
        waits_for_second: false,
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

/// Resumes a creation that stopped halfway. Secrets created from now on go to `operator`.
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
    // Keys may have appeared since the run ended. Nobody can tell whose they are, so none of them is deleted.
    if let KeyStep::Tried { own, .. } = &mut creation.key {
        own.get_or_insert_default();
    }
    creation.running = true;
    creation.halt = None;
    creation.entered_by.get_or_insert_with(|| creation.operator.clone());
    creation.operator = operator;
    creation.ops.push(op.clone());
    tx.put_creation(&creation)?;
    Ok(creation)
}

/// What is booked with a new user, and how.
#[derive(Clone, Copy, Debug)]
pub struct BookingRules<'a> {
    /// Policies that are granted with the first project.
    pub link_policies: &'a LinkPolicies,
    /// When the first quota needs a second administrator.
    pub approval: &'a ApprovalRules,
    /// The note of the first quota's ledger entry.
    pub note: &'a str,
}

/// Records that the cloud has the user, in one transaction: the user, the first project with its policies to attach, the
/// first quota, and that this step is done. Returns the approval that the first quota waits for.
pub fn book(
    tx: &WriteTx,
    creation: &mut Creation,
    cloud: &CloudUser,
    rules: &BookingRules<'_>,
    now: Timestamp,
) -> Result<Option<Approval>, StoreError> {
    let wanted = creation.wanted.clone();
    let key = &wanted.key;
    // A new user does not inherit the history of an earlier user with this name.
    let mut named_at = None;
    if let Some(earlier) = tx.user(key)?
        && !earlier.cloud_id.is_empty()
        && earlier.cloud_id != cloud.cloud_id
    {
        tx.move_users(&[(key.clone(), earlier.set_aside_key())])?;
        named_at = Some(now);
    }
    let mut record =
        tx.user(key)?.unwrap_or_else(|| User { named_at, ..User::new(key.clone(), now) });
    record.return_to_cloud();
    record.take_cloud_data(cloud);
    record.updated = now;
    tx.put_user(&record)?;
    if let Some(project) = &wanted.project {
        let link = NewLink { project: project.to_string(), ..NewLink::default() };
        creation.linked = match projects::add(tx, key, &link, now).map_err(Error::refusal) {
            Ok(_) | Err(Ok(Refusal::AlreadyLinked(_))) => true,
            Err(Ok(refusal)) => {
                tracing::warn!(user = %key, %refusal, "the first project was not linked");
                false
            }
            Err(Err(error)) => return Err(error),
        };
        if creation.linked {
            policies::want(tx, key, project, rules.link_policies, None, now)?;
        }
    }
    let mut approval = None;
    if let Some(amount) = wanted.quota {
        let (note, entered_by) = (rules.note, creation.entered_by().clone());
        let first = Allocation { user: key, amount, note, operator: &entered_by };
        match approvals::allocate(tx, rules.approval, &first.into(), now).split_refusal()? {
            Ok(Outcome::Booked(_)) => creation.booked = true,
            Ok(Outcome::WaitsForSecond(waits)) => {
                creation.waits_for_second = true;
                approval = Some(waits);
            }
            Err(refusal) => {
                tracing::warn!(user = %key, %refusal, "the first quota was not booked");
            }
        }
    }
    creation.user = Step::Done;
    tx.put_creation(creation)?;
    Ok(approval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_ascii_without_slashes_and_spaces() {
        for name in ["a", "alice", "A.b-c_d@x,1", &"a".repeat(64)] {
            assert!(is_username(name), "{name}");
        }
        for name in ["", "a b", "张三", "a/b", "a+b", "a\u{200b}", &"a".repeat(65)] {
            assert!(!is_username(name), "{name}");
        }
    }
}
