//! Writing a user's personal data to the cloud.

use std::sync::Arc;

use super::Worker;
use crate::app::{configure, users};
use crate::cards::{Look, Role, Tone};
use crate::domain::{Profile, Task, UserKey};
use crate::store::StoreError;

impl Worker {
    pub(super) async fn update_profile(
        &self,
        task: Task,
        user: UserKey,
        profile: Profile,
    ) -> Result<(), StoreError> {
        let written = self.write_profile(&user, &profile).await;
        if let Err(reason) = &written {
            tracing::warn!(%user, reason, "a user's data was not written to the cloud");
        }
        let (cards, configured, now) =
            (Arc::clone(&self.cards), self.settings.clone(), self.clock.now());
        self.store
            .writing(move |tx| {
                if written.is_ok() {
                    configure::written(tx, &user, &profile, now)?;
                }
                let Some(record) = tx.user(&user)? else {
                    tx.finish_task(task.id)?;
                    return Ok(());
                };
                let settings = tx.saved_settings()?.over(&configured);
                let detail = users::detail(tx, &settings, record)?;
                let (look, words) = (Look::new(Role::Admin, now), cards.words());
                let card = match &written {
                    Ok(()) => {
                        let text = words.t("configure.cloud_saved", &[]);
                        cards.user(&detail, &look.with_banner(Tone::Success, text))
                    }
                    Err(reason) => {
                        let text = words.t("configure.cloud_failed", &[("reason", reason)]);
                        let look = look.with_banner(Tone::Error, text).with_form(typed(&profile));
                        cards.configure(&detail, &look)
                    }
                };
                if tx.finish_task(task.id)?
                    && let Some(report) = &task.report
                {
                    tx.owe_report(report, card.into_string(), task.created, now)?;
                }
                Ok(())
            })
            .await
    }

    async fn write_profile(&self, user: &UserKey, profile: &Profile) -> Result<(), String> {
        let words = self.cards.words();
        let account = self.cloud.account(&user.account).await;
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
}

/// What was not saved stays in the form.
fn typed(profile: &Profile) -> std::collections::BTreeMap<String, String> {
    [("display_name", &profile.display_name), ("email", &profile.email), ("phone", &profile.phone)]
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text.clone()?)))
        .collect()
}
