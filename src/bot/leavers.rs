//! Events about people: who left the company, and who came to or left the groups that give roles.

use super::reaction::Reaction;
use super::state::Bot;
use crate::domain::{ChatId, GroupRoles, OpenId};
use crate::store::StoreError;

impl Bot {
    /// Learns the app's own tenant from an event. Until it is known, groups give no roles: their members may belong to others.
    pub(super) async fn learn_tenant(&self, tenant: &str) -> Result<(), StoreError> {
        if !self.groups.learn_tenant(tenant) {
            return Ok(());
        }
        let (app, tenant) = (self.app_id.clone(), tenant.to_owned());
        self.store.writing(move |tx| tx.put_own_tenant(&app, &tenant)).await
    }

    /// The members of a group have changed: if it gives roles, who left loses theirs at once, and the group is read again.
    /// To do this twice does no harm, and an older event cannot bring anybody back.
    pub(super) async fn members_left(
        &self,
        chat: String,
        open_ids: &[String],
    ) -> Result<Reaction, StoreError> {
        let Ok(chat) = ChatId::new(chat) else { return Ok(Reaction::Ignored) };
        if !self.groups.gives_roles(&chat) {
            return Ok(Reaction::Ignored);
        }
        let people: Vec<OpenId> =
            open_ids.iter().filter_map(|id| OpenId::new(id.clone()).ok()).collect();
        self.keep(self.groups.remove(&chat, &people)).await?;
        self.wakers.groups.notify_one();
        Ok(Reaction::Handled)
    }

    /// A person left the company: administrators are told of the users without an owner, once. The users keep running.
    pub(super) async fn person_left(
        &self,
        event_id: String,
        open_id: String,
        name: String,
    ) -> Result<Reaction, StoreError> {
        let Ok(person) = OpenId::new(open_id) else { return Ok(Reaction::Ignored) };
        self.keep(self.groups.remove_everywhere(&person)).await?;
        let (now, alerts) = (self.handlers.clock.now(), self.handlers.alerts.clone());
        let first = self
            .store
            .writing(move |tx| {
                let key = (!event_id.is_empty()).then(|| format!("e:{event_id}"));
                let keys: Vec<String> = key.into_iter().collect();
                if !tx.claim(&keys, now)? {
                    return Ok::<_, StoreError>(false);
                }
                alerts.owner_left(tx, &person, &name, now)?;
                Ok(true)
            })
            .await?;
        self.wakers.outbox.notify_one();
        Ok(if first { Reaction::Handled } else { Reaction::Duplicate })
    }

    async fn keep(&self, changed: Option<GroupRoles>) -> Result<(), StoreError> {
        match changed {
            Some(known) => self.store.writing(move |tx| tx.put_group_roles(&known)).await,
            None => Ok(()),
        }
    }
}
