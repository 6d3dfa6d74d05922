//! Whether the mobile numbers that were saved as people to mention belong to somebody.

use std::sync::Arc;

use super::Worker;
use crate::app::settings;
use crate::cards::{CardContext, Tone};
use crate::domain::{Role, Task};
use crate::outbox::is_group;
use crate::store::StoreError;

impl Worker {
    /// Asks Feishu about the numbers. If one belongs to nobody, the numbers of before are in force again, and the card says why.
    /// While Feishu cannot be asked, the numbers stay, and the card says so.
    pub(super) async fn check_mobiles(
        &self,
        task: Task,
        mobiles: Vec<String>,
        before: Option<Vec<String>>,
    ) -> Result<(), StoreError> {
        let answer = self.parts.feishu.open_ids_by_mobile(&mobiles).await;
        let (cards, now) = (Arc::clone(&self.parts.cards), self.parts.clock.now());
        let alerts = self.parts.alerts.clone();
        let words = cards.words();
        let (refused, notice) = match answer {
            Ok(found) => {
                let unknown: Vec<String> =
                    found.into_iter().filter(|(_, id)| id.is_none()).map(|it| it.0).collect();
                if unknown.is_empty() {
                    return self.finish(task, None, now).await;
                }
                let list = unknown.join(words.t("list.separator", &[]).as_str());
                (true, (Tone::Error, words.t("config.mobiles_unknown", &[("mobiles", &list)])))
            }
            Err(error) => {
                tracing::warn!(%error, "the people to mention could not be looked up");
                (false, (Tone::Warning, words.t("config.mobiles_unread", &[("reason", &error)])))
            }
        };
        self.parts
            .store
            .writing(move |tx| {
                if !tx.finish_task(task.id)? {
                    return Ok(());
                }
                let mut ctx = CardContext::new(Role::Admin, now).with_banner(notice.0, notice.1);
                if refused && settings::take_back_mobiles(tx, &mobiles, before, now)? {
                    let typed = [("mobiles".to_owned(), mobiles.join(", "))];
                    ctx = ctx.with_form(typed.into());
                }
                let Some(report) = &task.report else { return Ok(()) };
                ctx.in_group = is_group(tx, report)?;
                let view = settings::view(tx, alerts.configured())?;
                let card = cards.settings(&view, &ctx).into_string();
                tx.owe_report(report, card, task.created, now).map(drop)
            })
            .await
    }
}
