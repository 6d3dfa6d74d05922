//! The steps of a creation: user, login, access key.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::secrets::new_password;
use super::{Stop, Worker, keep_what_became_of_secrets};
use crate::app::create::{self, BookingRules};
use crate::app::trouble::{Cause, Said, Trouble};
use crate::domain::{CloudUser, Creation, Halt, KeyStep, Step, UserKey, Username};
use crate::store::StoreError;
use crate::volcengine::{self, KeyStatus, LoginAccess, NewIamUser};

/// Max calls of one step in one run, while the cloud's answers are unclear.
const TRIES: u32 = 3;
/// Pause before a look-up after an unclear answer: reads may be stale for seconds.
const STALE_READS: Duration = Duration::from_millis(400);
/// How far the cloud's time of a key may be from the attempt that created it.
const ATTEMPT_WINDOW: SignedDuration = SignedDuration::from_mins(1);

impl Worker {
    pub(super) async fn create_user(
        &self,
        api: &volcengine::AccountClient,
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
                    return self.record_user(creation, found).await;
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
                Ok(made) => return self.record_user(creation, made).await,
                Err(error) if error.is_unclear() || error.is_already_exists() => {
                    tokio::time::sleep(STALE_READS).await;
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
        // The last answer was unclear as well: one more look-up decides what the card says.
        match api.get_user(name).await? {
            Some(found) if found.description == description => {
                self.record_user(creation, found).await
            }
            Some(_) => {
                creation.user = Step::Open;
                self.keep(creation).await?;
                Err(Stop::Halt(Halt::Exists))
            }
            None => Err(failure.map_or(Stop::Halt(Halt::Exists), Stop::from)),
        }
    }

    async fn record_user(
        &self,
        creation: &mut Creation,
        made: volcengine::IamUser,
    ) -> Result<(), Stop> {
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
        let (policies, now) = (self.parts.link_policies.clone(), self.parts.clock.now());
        let note = self.parts.cards.words().t("create.first_quota", &[]);
        let alerts = self.parts.alerts.clone();
        *creation = self
            .parts
            .store
            .writing(move |tx| {
                let approval = alerts.settings_in_force(tx)?.approval;
                let rules =
                    BookingRules { link_policies: &policies, approval: &approval, note: &note };
                if let Some(waits) = create::book(tx, &mut booked, &cloud, &rules, now)? {
                    alerts.ask_for_second(tx, waits, now)?;
                }
                Ok::<_, StoreError>(booked)
            })
            .await?;
        self.parts.wakers.policies.notify_one();
        self.parts.wakers.outbox.notify_one();
        Ok(())
    }

    pub(super) async fn create_login(
        &self,
        api: &volcengine::AccountClient,
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
                return self.login_created(creation).await;
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
                Ok(()) => return self.login_created(creation).await,
                // The answer to an earlier call was lost.
                Err(error) if error.is_already_exists() && !fresh => {
                    return self.login_created(creation).await;
                }
                Err(error) if error.is_unclear() => {
                    tokio::time::sleep(STALE_READS).await;
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
            return self.login_created(creation).await;
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn login_created(&self, creation: &mut Creation) -> Result<(), Stop> {
        creation.login = Step::Done;
        Ok(self.keep(creation).await?)
    }

    pub(super) async fn create_key(
        &self,
        api: &volcengine::AccountClient,
        creation: &mut Creation,
    ) -> Result<(), Stop> {
        let user = creation.wanted.key.clone();
        let name = user.username.as_str();
        let mut failure = None;
        let mut lost = None;
        for _ in 0..TRIES {
            match creation.key.clone() {
                KeyStep::Done { .. } => return Ok(()),
                KeyStep::Tried { before, at, own } => {
                    self.delete_own(api, creation).await?;
                    lost = own.is_none().then_some((before, at));
                    creation.key = KeyStep::Open;
                    self.keep(creation).await?;
                }
                KeyStep::Open => {}
            }
            let before: Vec<String> =
                api.list_access_keys(name).await?.into_iter().map(|key| key.id).collect();
            let at = self.parts.clock.now();
            creation.key = KeyStep::Tried { before: before.clone(), at, own: None };
            self.keep(creation).await?;
            match api.create_access_key(name).await {
                Ok(made) => {
                    let mut secrets = self.open(creation)?;
                    let secret = made.secret.expose_secret().to_owned();
                    secrets.access_key = Some((made.id.clone(), secret));
                    self.seal(creation, &secrets)?;
                    creation.key = KeyStep::Done { id: made.id.clone() };
                    self.keep(creation).await?;
                    // A stale list may have hidden the key whose answer was lost.
                    if let Some((mut known, at)) = lost {
                        known.extend(before);
                        known.push(made.id);
                        let own = own_keys(&api.list_access_keys(name).await?, &known, at);
                        delete_keys(api, &user, &own).await?;
                    }
                    return Ok(());
                }
                Err(error) if error.is_unclear() => {
                    tokio::time::sleep(STALE_READS).await;
                    failure = Some(error);
                }
                Err(error) => {
                    creation.key = KeyStep::Open;
                    self.keep(creation).await?;
                    return Err(error.into());
                }
            }
        }
        if matches!(creation.key, KeyStep::Tried { .. }) {
            self.delete_own(api, creation).await?;
            creation.key = KeyStep::Open;
            self.keep(creation).await?;
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Deactivates and deletes the keys that an unclear attempt left behind and whose secrets are lost. Which ones these are
    /// is read once, right after the attempt or the start that follows a crash, and committed: a key that appears later is
    /// somebody else's.
    async fn delete_own(
        &self,
        api: &volcengine::AccountClient,
        creation: &mut Creation,
    ) -> Result<(), Stop> {
        let user = creation.wanted.key.clone();
        let KeyStep::Tried { before, at, own } = &creation.key else { return Ok(()) };
        let own = match own {
            Some(own) => own.clone(),
            None => {
                let keys = api.list_access_keys(user.username.as_str()).await?;
                let own = own_keys(&keys, before, *at);
                let (before, at) = (before.clone(), *at);
                creation.key = KeyStep::Tried { before, at, own: Some(own.clone()) };
                self.keep(creation).await?;
                own
            }
        };
        Ok(delete_keys(api, &user, &own).await?)
    }

    /// Commits the progress of the creation.
    async fn keep(&self, creation: &Creation) -> Result<(), StoreError> {
        let mut creation = creation.clone();
        self.parts
            .store
            .writing(move |tx| {
                keep_what_became_of_secrets(tx, &mut creation)?;
                tx.put_creation(&creation)
            })
            .await
    }
}

/// Returns the keys that an unclear attempt at `at` certainly created: one attempt creates one key, so there must be
/// exactly one that was not there before, and the cloud must date it to the attempt. Otherwise nothing is certain.
fn own_keys(keys: &[volcengine::AccessKey], before: &[String], at: Timestamp) -> Vec<String> {
    let mut new = keys.iter().filter(|key| !before.contains(&key.id));
    let (Some(only), None) = (new.next(), new.next()) else { return Vec::new() };
    let is_dated = only.created.is_some_and(|made| made.duration_since(at).abs() <= ATTEMPT_WINDOW);
    if is_dated { vec![only.id.clone()] } else { Vec::new() }
}

async fn delete_keys(
    api: &volcengine::AccountClient,
    user: &UserKey,
    ids: &[String],
) -> Result<(), volcengine::Error> {
    let name = user.username.as_str();
    for id in ids {
        tracing::warn!(%user, "deleting an access key whose secret was lost");
        match api.update_access_key(name, id, KeyStatus::Inactive).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        match api.delete_access_key(name, id).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_that_the_attempt_certainly_created_is_its_own() {
        let at: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        let key = |id: &str, seconds: Option<i64>| volcengine::AccessKey {
            id: id.to_owned(),
            status: KeyStatus::Active,
            created: seconds.map(|s| at.checked_add(SignedDuration::from_secs(s)).unwrap()),
        };
        for (keys, own) in [
            (vec![], &[][..]),
            (vec![key("old", Some(-3600))], &[]),
            (vec![key("old", Some(0)), key("new", Some(1))], &["new"]),
            (vec![key("new", Some(-2))], &["new"]),
            // Without a readable time, or created long before or minutes later: somebody else's.
            (vec![key("new", None)], &[]),
            (vec![key("new", Some(-3600))], &[]),
            (vec![key("new", Some(180))], &[]),
            // Two new keys: nobody can tell which is which.
            (vec![key("one", Some(0)), key("two", Some(1))], &[]),
        ] {
            assert_eq!(own_keys(&keys, &["old".to_owned()], at), own, "{keys:?}");
        }
    }
}
