//! A second look at a user's access: reads every path, and shows how each stands.

use std::sync::Arc;

use super::Worker;
use crate::app::cloud::CloudError;
use crate::app::users;
use crate::cards::{CardContext, Tone};
use crate::domain::{Role, Task, UserKey};
use crate::outbox::is_group;
use crate::store::StoreError;

impl Worker {
    pub(super) async fn look_at_access(&self, task: Task, user: UserKey) -> Result<(), StoreError> {
        let unread = match self.parts.access.look(&user).await {
            Ok(_) => None,
            Err(CloudError::Store(error)) => return Err(error),
            // Each path keeps what was last read of it.
            Err(error) => {
                tracing::warn!(%user, %error, "a user's access cannot be looked at");
                Some(self.parts.cards.words().trouble(&error.into()))
            }
        };
        let (cards, now) = (Arc::clone(&self.parts.cards), self.parts.clock.now());
        let alerts = self.parts.alerts.clone();
        self.parts
            .store
            .writing(move |tx| {
                let card = match tx.user(&user)? {
                    Some(record) => {
                        let detail = users::card(tx, &alerts.settings_in_force(tx)?, record, now)?;
                        let mut look = CardContext::new(Role::Admin, now);
                        if let Some(report) = &task.report {
                            look.in_group = is_group(tx, report)?;
                        }
                        if let Some(reason) = unread {
                            let text = cards.words().t("paths.not_read", &[("reason", &reason)]);
                            look = look.with_banner(Tone::Error, text);
                        }
                        Some(cards.user(&detail, &look))
                    }
                    None => None,
                };
                if tx.finish_task(task.id)?
                    && let (Some(report), Some(card)) = (&task.report, card)
                {
                    alerts.will_show(tx, report, &card, tx.card_changes()?, now)?;
                    tx.owe_report(report, card.into_string(), task.created, now)?;
                }
                Ok(())
            })
            .await
    }
}
