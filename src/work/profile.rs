//! The part of a user's settings that needs a remote call: personal data goes to the cloud, and Feishu says who is behind the
//! mobile number of a new owner.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Worker;
use crate::app::{SplitRefusal, configure, users};
use crate::cards::{CardContext, Toast, Tone};
use crate::domain::{OpenId, Profile, Role, Task, UserKey};
use crate::outbox::is_group;
use crate::store::StoreError;

impl Worker {
    pub(super) async fn update_profile(
        &self,
        task: Task,
        user: UserKey,
        profile: Profile,
        owner_mobile: Option<String>,
    ) -> Result<(), StoreError> {
        let written = match profile.is_empty() {
            true => Ok(()),
            false => self.write_profile(&user, &profile).await,
        };
        if let Err(reason) = &written {
            tracing::warn!(%user, reason, "a user's profile was not written to the cloud");
        }
        let owner = match &owner_mobile {
            Some(mobile) => self.person_behind(mobile).await.map(Some),
            None => Ok(None),
        };
        let (cards, now) = (Arc::clone(&self.parts.cards), self.parts.clock.now());
        let alerts = self.parts.alerts.clone();
        self.parts
            .store
            .writing(move |tx| {
                if written.is_ok() {
                    configure::record_profile(tx, &user, &profile, now)?;
                }
                let owner = match owner {
                    Ok(Some(owner)) => configure::set_owner(tx, &user, &owner, now)
                        .split_refusal()?
                        .map_err(|refusal| cards.words().refusal(&refusal)),
                    Ok(None) => Ok(()),
                    Err(reason) => Err(reason),
                };
                let Some(record) = tx.user(&user)? else {
                    tx.finish_task(task.id)?;
                    return Ok(());
                };
                let people = configure::possible_owners(tx, &record)?;
                let detail = users::card(tx, &alerts.settings_in_force(tx)?, record, now)?;
                let (mut look, words) = (CardContext::new(Role::Admin, now), cards.words());
                if let Some(report) = &task.report {
                    look.in_group = is_group(tx, report)?;
                }
                let cloud_failed = written
                    .err()
                    .map(|reason| words.t("configure.cloud_failed", &[("reason", &reason)]));
                let mut form = BTreeMap::new();
                if cloud_failed.is_some() {
                    form = typed(&profile);
                }
                if owner.is_err() {
                    form.extend(owner_mobile.map(|mobile| ("other_owner".to_owned(), mobile)));
                }
                let failures: Vec<String> = cloud_failed.into_iter().chain(owner.err()).collect();
                let card = if failures.is_empty() {
                    let text = if profile.is_empty() {
                        words.toast(&Toast::UserSaved { user: user.clone() })
                    } else {
                        words.t("configure.cloud_saved", &[])
                    };
                    cards.user(&detail, &look.with_banner(Tone::Success, text))
                } else {
                    let look = look.with_banner(Tone::Error, failures.join(" ")).with_form(form);
                    cards.configure(&detail, &people, &look)
                };
                if tx.finish_task(task.id)?
                    && let Some(report) = &task.report
                {
                    alerts.will_show(tx, report, &card, tx.card_changes()?, now)?;
                    tx.owe_report(report, card.into_string(), task.created, now)?;
                }
                Ok::<_, StoreError>(())
            })
            .await?;
        self.parts.wakers.names.notify_one();
        Ok(())
    }

    async fn write_profile(&self, user: &UserKey, profile: &Profile) -> Result<(), String> {
        let words = self.parts.cards.words();
        let account = self.parts.cloud.account(&user.account).await;
        account
            .map_err(|error| words.trouble(&error.into()))?
            .update_user(
                user.username.as_str(),
                profile.display_name.as_deref(),
                profile.email.as_deref(),
                profile.phone.as_deref(),
            )
            .await
            .map_err(|error| words.trouble(&error.into()))
    }

    /// Looks up the person behind a mobile number. The error says in words why they could not be found.
    async fn person_behind(&self, mobile: &str) -> Result<OpenId, String> {
        let words = self.parts.cards.words();
        let answer = self.parts.feishu.open_ids_by_mobile(&[mobile.to_owned()]).await;
        let found = answer.map_err(|error| {
            tracing::warn!(%error, "the owner of a user could not be looked up");
            words.t("configure.owner_unread", &[("reason", &error)])
        })?;
        let person = found.into_iter().find_map(|(_, id)| OpenId::new(id?).ok());
        person.ok_or_else(|| words.t("configure.owner_unknown", &[("mobile", &mobile)]))
    }
}

/// Returns the form, filled in with the input that was not saved.
fn typed(profile: &Profile) -> BTreeMap<String, String> {
    [("display_name", &profile.display_name), ("email", &profile.email), ("phone", &profile.phone)]
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text.clone()?)))
        .collect()
}
