//! Makes a user in the cloud, step by step.
//!
//! That a step is about to be tried is committed before its call, and that it is done right after. So a repeat, a crash
//! or an answer that was lost never makes two users or two keys: where a call may have been carried out, the cloud is
//! looked at first. A key whose secret nobody has is switched off and deleted before another is made.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Worker;
use crate::app::cloud::CloudError;
use crate::app::sync::{UserAccess, user_access};
use crate::app::trouble::{Cause, Said, Trouble};
use crate::app::{create, users};
use crate::cards::{CardContext, SecretsView, Tone};
use crate::domain::{
    AccessKeyInfo, Creation, Dispatch, Halt, KeyStep, Role, SecretsSent, Step, Switch, Task,
    UserKey, Username,
};
use crate::outbox::person_lane;
use crate::store::{CloudUser, NewMessage, StoreError, WriteTx};
use crate::volcengine::{self, KeyStatus, LoginAccess, NewIamUser};

/// Calls of one step in one run, where the cloud's answers are unclear.
const TRIES: u32 = 3;
/// A pause before the cloud is looked at after an unclear answer: reads may be stale for seconds.
const BEFORE_LOOKING: Duration = Duration::from_millis(400);
/// A key that is younger than its attempt by more than this was made by somebody else.
const ATTEMPT_LASTS: SignedDuration = SignedDuration::from_mins(10);
/// Characters of a password. The rules of an account are not known; 20 of four classes meet any that is common.
const PASSWORD_CHARS: usize = 20;

/// Why a run ended early.
enum Stop {
    /// The creation stops here, and says so.
    Halt(Halt),
    /// It stops here for what the cloud did.
    Cloud(Box<Trouble>),
    /// The store failed: the task stays and is done again.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Stop::Store(error)
    }
}

impl From<volcengine::Error> for Stop {
    fn from(error: volcengine::Error) -> Self {
        Stop::Cloud(Box::new(error.into()))
    }
}

/// Secrets that were made and not sent yet. Only ever written sealed.
#[derive(Default, Serialize, Deserialize)]
struct Secrets {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_key: Option<(String, String)>,
}

impl Secrets {
    fn is_empty(&self) -> bool {
        self.password.is_none() && self.access_key.is_none()
    }
}

impl Worker {
    pub(super) async fn create(&self, task: Task, id: u64) -> Result<(), StoreError> {
        let Some(mut creation) = self.store.reading(move |tx| tx.creation(id)).await? else {
            return self.finish(task, None, self.clock.now()).await;
        };
        creation.halt = match self.make(&mut creation).await {
            Ok(()) => None,
            Err(Stop::Halt(halt)) => Some(halt),
            Err(Stop::Cloud(trouble)) => {
                Some(Halt::Cloud { reason: self.cards.words().trouble(&trouble) })
            }
            Err(Stop::Store(error)) => return Err(error),
        };
        let user = creation.wanted.key.clone();
        match &creation.halt {
            None => tracing::info!(%user, "a user was made"),
            Some(halt) => tracing::warn!(%user, ?halt, "a user was not made completely"),
        }
        let began = self.clock.now();
        let access = match creation.user {
            Step::Done => Some((self.access_of(&creation).await, began)),
            Step::Open | Step::Tried => None,
        };
        self.conclude(task, creation, access).await
    }

    /// Keys and login of the new user as the cloud has them, or, where they cannot be read, as they were made.
    async fn access_of(&self, creation: &Creation) -> UserAccess {
        let user = &creation.wanted.key;
        if let Ok(api) = self.cloud.account(&user.account).await
            && let Ok(access) = user_access(&api, user).await
        {
            return access;
        }
        let keys = match &creation.key {
            KeyStep::Done { id } => vec![AccessKeyInfo { id: id.clone(), active: Switch::On }],
            KeyStep::Open | KeyStep::Tried { .. } => Vec::new(),
        };
        UserAccess { keys, login: (creation.login == Step::Done).then_some(Switch::On) }
    }

    async fn make(&self, creation: &mut Creation) -> Result<(), Stop> {
        let account = self.cloud.account(&creation.wanted.key.account).await;
        let api = account.map_err(|error| match error {
            CloudError::Store(error) => Stop::Store(error),
            error => Stop::Cloud(Box::new(error.into())),
        })?;
        self.make_user(&api, creation).await?;
        if creation.wanted.login {
            self.make_login(&api, creation).await?;
        }
        if creation.wanted.access_key {
            self.make_key(&api, creation).await?;
        }
        Ok(())
    }

    async fn make_user(
        &self,
        api: &volcengine::Account,
        creation: &mut Creation,
    ) -> Result<(), Stop> {
        let wanted = creation.wanted.clone();
        let name = wanted.key.username.as_str();
        let description = format!("airgate {}", creation.mark);
        let mut failure = None;
        for _ in 0..TRIES {
            if creation.user == Step::Done {
                return Ok(());
            }
            let fresh = creation.user == Step::Open;
            match api.get_user(name).await? {
                Some(found) if !fresh && found.description == description => {
                    return self.book(creation, found).await;
                }
                Some(_) => {
                    creation.user = Step::Open;
                    self.keep(creation).await?;
                    return Err(Stop::Halt(Halt::Exists));
                }
                None => {}
            }
            creation.user = Step::Tried;
            self.keep(creation).await?;
            let new = NewIamUser {
                username: name,
                display_name: &wanted.display_name,
                email: &wanted.email,
                phone: &wanted.phone,
                description: &description,
            };
            match api.create_user(new).await {
                Ok(made) => return self.book(creation, made).await,
                Err(error) if error.is_unclear() || error.is_there_already() => {
                    tokio::time::sleep(BEFORE_LOOKING).await;
                    failure = Some(error);
                }
                Err(error) => {
                    if fresh {
                        creation.user = Step::Open;
                        self.keep(creation).await?;
                    }
                    return Err(error.into());
                }
            }
        }
        // The last answer was unclear, too: this once more decides what the card says.
        match api.get_user(name).await? {
            Some(found) if found.description == description => self.book(creation, found).await,
            Some(_) => {
                creation.user = Step::Open;
                self.keep(creation).await?;
                Err(Stop::Halt(Halt::Exists))
            }
            None => Err(failure.map_or(Stop::Halt(Halt::Exists), Stop::from)),
        }
    }

    async fn book(&self, creation: &mut Creation, made: volcengine::IamUser) -> Result<(), Stop> {
        let username = Username::new(made.username).map_err(|error| {
            let said = Said { words: Some(error.to_string()), ..Said::default() };
            Stop::Cloud(Box::new(Trouble { cause: Cause::Unexpected, said }))
        })?;
        let cloud = CloudUser {
            username,
            cloud_id: made.id,
            display_name: made.display_name,
            email: made.email,
            phone: made.phone,
        };
        let mut booked = creation.clone();
        let (policies, now) = (self.project_policies.clone(), self.clock.now());
        let note = self.cards.words().t("create.first_quota", &[]);
        *creation = self
            .store
            .writing(move |tx| {
                create::book(tx, &mut booked, &cloud, &policies, &note, now)?;
                Ok::<_, StoreError>(booked)
            })
            .await?;
        self.policies_bell.notify_one();
        Ok(())
    }

    async fn make_login(
        &self,
        api: &volcengine::Account,
        creation: &mut Creation,
    ) -> Result<(), Stop> {
        let user = creation.wanted.key.clone();
        let name = user.username.as_str();
        let mut failure = None;
        for _ in 0..TRIES {
            if creation.login == Step::Done {
                return Ok(());
            }
            let fresh = creation.login == Step::Open;
            if !fresh && api.login_profile(name).await? != LoginAccess::NoProfile {
                return self.login_made(creation).await;
            }
            let mut secrets = self.open(creation)?;
            let password = match &secrets.password {
                Some(password) => SecretString::from(password.as_str()),
                None => {
                    let password = new_password()?;
                    secrets.password = Some(password.expose_secret().to_owned());
                    password
                }
            };
            self.seal(creation, &secrets)?;
            creation.login = Step::Tried;
            self.keep(creation).await?;
            match api.create_login_profile(name, &password).await {
                Ok(()) => return self.login_made(creation).await,
                // The answer to an earlier call was lost.
                Err(error) if error.is_there_already() && !fresh => {
                    return self.login_made(creation).await;
                }
                Err(error) if error.is_unclear() => {
                    tokio::time::sleep(BEFORE_LOOKING).await;
                    failure = Some(error);
                }
                Err(error) => {
                    if fresh {
                        secrets.password = None;
                        self.seal(creation, &secrets)?;
                        creation.login = Step::Open;
                        self.keep(creation).await?;
                    }
                    return Err(error.into());
                }
            }
        }
        if api.login_profile(name).await? != LoginAccess::NoProfile {
            return self.login_made(creation).await;
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn login_made(&self, creation: &mut Creation) -> Result<(), Stop> {
        creation.login = Step::Done;
        Ok(self.keep(creation).await?)
    }

    async fn make_key(
        &self,
        api: &volcengine::Account,
        creation: &mut Creation,
    ) -> Result<(), Stop> {
        let user = creation.wanted.key.clone();
        let name = user.username.as_str();
        let mut failure = None;
        let mut lost = None;
        for _ in 0..TRIES {
            match creation.key.clone() {
                KeyStep::Done { .. } => return Ok(()),
                KeyStep::Tried { before, at } => {
                    self.sweep(api, &user, &before, at).await?;
                    lost = Some((before, at));
                    creation.key = KeyStep::Open;
                    self.keep(creation).await?;
                }
                KeyStep::Open => {}
            }
            let before = api.list_access_keys(name).await?.into_iter().map(|key| key.id).collect();
            creation.key = KeyStep::Tried { before, at: self.clock.now() };
            self.keep(creation).await?;
            match api.create_access_key(name).await {
                Ok(made) => {
                    let mut secrets = self.open(creation)?;
                    let secret = made.secret.expose_secret().to_owned();
                    secrets.access_key = Some((made.id.clone(), secret));
                    self.seal(creation, &secrets)?;
                    creation.key = KeyStep::Done { id: made.id.clone() };
                    self.keep(creation).await?;
                    // A list that was stale may have hidden the key of a lost answer.
                    if let Some((mut known, at)) = lost {
                        known.push(made.id);
                        self.sweep(api, &user, &known, at).await?;
                    }
                    return Ok(());
                }
                Err(error) if error.is_unclear() => {
                    tokio::time::sleep(BEFORE_LOOKING).await;
                    failure = Some(error);
                }
                Err(error) => {
                    creation.key = KeyStep::Open;
                    self.keep(creation).await?;
                    return Err(error.into());
                }
            }
        }
        if let KeyStep::Tried { before, at } = creation.key.clone() {
            self.sweep(api, &user, &before, at).await?;
            creation.key = KeyStep::Open;
            self.keep(creation).await?;
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Switches off and deletes the keys that an attempt left behind and whose secret nobody has. Keys that were there before,
    /// or that somebody made much later, are left alone.
    async fn sweep(
        &self,
        api: &volcengine::Account,
        user: &UserKey,
        before: &[String],
        at: Timestamp,
    ) -> Result<(), volcengine::Error> {
        let name = user.username.as_str();
        let before: BTreeSet<&String> = before.iter().collect();
        for key in api.list_access_keys(name).await? {
            let later = key.created.is_some_and(|made| made.duration_since(at) > ATTEMPT_LASTS);
            if before.contains(&key.id) || later {
                continue;
            }
            tracing::warn!(%user, "an access key whose secret was lost is deleted");
            match api.update_access_key(name, &key.id, KeyStatus::Inactive).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
            match api.delete_access_key(name, &key.id).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn keep(&self, creation: &Creation) -> Result<(), StoreError> {
        let mut creation = creation.clone();
        self.store
            .writing(move |tx| {
                keep_what_became_of_secrets(tx, &mut creation)?;
                tx.put_creation(&creation)
            })
            .await
    }

    fn open(&self, creation: &Creation) -> Result<Secrets, StoreError> {
        let Some(sealed) = &creation.sealed else { return Ok(Secrets::default()) };
        let text = self.store.open_of_creation(creation.id, sealed)?;
        serde_json::from_str(&text).map_err(|_| StoreError::Unsealable)
    }

    fn seal(&self, creation: &mut Creation, secrets: &Secrets) -> Result<(), StoreError> {
        creation.sealed = if secrets.is_empty() {
            None
        } else {
            let text = serde_json::to_string(secrets).map_err(|_| StoreError::Unsealable)?;
            Some(self.store.seal_of_creation(creation.id, &Zeroizing::new(text))?)
        };
        Ok(())
    }

    /// The end of a run: the secrets that are due become owed to the operator, and the card is updated.
    async fn conclude(
        &self,
        task: Task,
        mut creation: Creation,
        access: Option<(UserAccess, Timestamp)>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let message = self.secrets_due(&mut creation, now)?;
        creation.running = false;
        creation.report.clone_from(&task.report);
        let cards = std::sync::Arc::clone(&self.cards);
        self.store
            .writing(move |tx| {
                match message {
                    Some(message) => tx.owe(message, now).map(drop)?,
                    None => keep_what_became_of_secrets(tx, &mut creation)?,
                }
                if let Some((access, began)) = access {
                    let key = &creation.wanted.key;
                    tx.record_access_read(key, &access.keys, access.login, began, now)?;
                }
                tx.put_creation(&creation)?;
                if tx.finish_task(task.id)?
                    && let Some(report) = &task.report
                {
                    let look = CardContext::new(Role::Admin, now);
                    let view = create::view(tx);
                    let card = match (creation.made_nothing(), view) {
                        (true, Ok(view)) => {
                            let text = cards.words().creation_halted(&creation);
                            let look = look
                                .with_banner(Tone::Error, text)
                                .with_form(creation.form.clone());
                            cards.create(&view, &look)
                        }
                        (_, Err(crate::app::Error::Store(error))) => return Err(error),
                        _ => {
                            let name = users::account_name(tx, &creation.wanted.key.account)?;
                            cards.creation(&creation, &name, &look)
                        }
                    };
                    tx.owe_report(report, card.into_string(), task.created, now)?;
                }
                Ok(())
            })
            .await
    }

    /// Takes the secrets of what is certainly there out of the creation: a message that only the operator can read.
    fn secrets_due(
        &self,
        creation: &mut Creation,
        now: Timestamp,
    ) -> Result<Option<NewMessage>, StoreError> {
        let Some(person) = creation.person().cloned() else { return Ok(None) };
        let mut secrets = self.open(creation)?;
        let password = match creation.login {
            Step::Done => secrets.password.take(),
            Step::Open | Step::Tried => None,
        };
        let access_key = secrets.access_key.take();
        if password.is_none() && access_key.is_none() {
            return Ok(None);
        }
        self.seal(creation, &secrets)?;
        let card = self.cards.secrets(&SecretsView {
            user: &creation.wanted.key,
            password: password.as_deref(),
            access_key: access_key.as_ref().map(|(id, secret)| (id.as_str(), secret.as_str())),
            now,
        });
        let sealed = self.store.seal_for(&person, &card)?;
        creation.sent = SecretsSent::Sent;
        let lane = person_lane(&person);
        let dispatch = Dispatch::Secret { person, sealed, creation: creation.id };
        Ok(Some(NewMessage::new(&lane, dispatch, now)))
    }
}

/// Secrets of an earlier run may have been given up by the outbox while this one works.
fn keep_what_became_of_secrets(tx: &WriteTx, creation: &mut Creation) -> Result<(), StoreError> {
    if let Some(known) = tx.creation(creation.id)? {
        creation.sent = known.sent;
    }
    Ok(())
}

/// A password that no rule refuses: every class of characters, none that are mistaken for one another.
fn new_password() -> Result<SecretString, StoreError> {
    use rand::TryRng;
    const CLASSES: [&[u8]; 4] =
        [b"abcdefghijkmnpqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"-_.!#"];
    let mut bytes = Zeroizing::new([0u8; 4 * PASSWORD_CHARS]);
    rand::rngs::SysRng.try_fill_bytes(bytes.as_mut()).map_err(|_| StoreError::Unsealable)?;
    let mut password = Zeroizing::new(String::with_capacity(PASSWORD_CHARS));
    let all: Vec<u8> = CLASSES.concat();
    for (at, random) in bytes.as_chunks::<4>().0.iter().enumerate() {
        // 32 random bits over fewer than a hundred characters: no bias worth speaking of.
        let class: &[u8] = CLASSES.get(at).copied().unwrap_or(&all);
        let random = u32::from_le_bytes(*random) as usize;
        let index = random.checked_rem(class.len()).unwrap_or(0);
        password.extend(class.get(index).map(|byte| char::from(*byte)));
    }
    Ok(SecretString::from(password.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_every_class_and_never_repeat() {
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let password = new_password().unwrap().expose_secret().to_owned();
            assert_eq!(password.chars().count(), PASSWORD_CHARS);
            assert!(password.chars().any(|c| c.is_ascii_lowercase()));
            assert!(password.chars().any(|c| c.is_ascii_uppercase()));
            assert!(password.chars().any(|c| c.is_ascii_digit()));
            assert!(password.chars().any(|c| c.is_ascii_punctuation()));
            assert!(seen.insert(password));
        }
    }
}
