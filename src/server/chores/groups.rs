//! Reads the members of the groups that give roles.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::runner::{Chore, Needs};
use crate::app::group_roles::RoleGroups;
use crate::clock::Clock;
use crate::domain::{ChatId, ListedMember, OpenId};
use crate::feishu::{self, Disposition};
use crate::store::Store;

/// How often the groups are read.
const INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Retry delay after a failed reading.
const RETRY: Duration = Duration::from_secs(60);

/// Reads the members of `feishu.admin_chat_id` and `feishu.viewer_chat_id`. While a group cannot be read, its last known
/// members count for a day; one that is gone, or that the bot is no longer in, gives no roles at once.
pub(super) struct ReadGroups {
    groups: RoleGroups,
    feishu: feishu::Client,
    store: Store,
    clock: Clock,
    wake: Arc<Notify>,
}

impl ReadGroups {
    /// Returns `None` if no group gives roles.
    pub(super) fn new(needs: &Needs<'_>) -> Option<Self> {
        (!needs.groups.groups().is_empty()).then(|| Self {
            groups: needs.groups.clone(),
            feishu: needs.feishu.clone(),
            store: needs.store.clone(),
            clock: needs.clock.clone(),
            wake: Arc::clone(&needs.wakers.groups),
        })
    }

    /// Returns whether every group was read.
    async fn read_all(&self) -> bool {
        let mut all = true;
        for group in self.groups.groups() {
            all &= self.read(group).await;
        }
        all
    }

    async fn read(&self, group: ChatId) -> bool {
        let at = self.clock.now();
        let known = match self.feishu.chat_members(group.as_str()).await {
            Ok(members) => {
                let listed = members.into_iter().filter_map(|member| {
                    let person = OpenId::new(member.open_id).ok()?;
                    Some(ListedMember { person, tenant: member.tenant_key })
                });
                let known = self.groups.take(group.clone(), listed.collect(), at);
                if self.groups.is_foreign(&group) {
                    tracing::warn!(
                        %group,
                        "a group gives no roles: its members are not known to be of the app's own tenant"
                    );
                }
                known
            }
            Err(error) if error.disposition() == Disposition::ChatGone => {
                tracing::error!(%group, %error, "a group gives no roles: the bot is not in it");
                self.groups.forget(&group)
            }
            Err(error) => {
                tracing::warn!(%group, %error, "the members of a group cannot be read");
                return false;
            }
        };
        if let Err(error) = self.store.writing(move |tx| tx.put_group_roles(&known)).await {
            tracing::warn!(%error, "the members of groups could not be stored");
        }
        true
    }
}

impl Chore for ReadGroups {
    fn name(&self) -> &'static str {
        "groups"
    }

    fn run<'a>(&'a mut self, stop: &'a CancellationToken) -> BoxFuture<'a, Duration> {
        async move {
            let all = stop.run_until_cancelled(self.read_all()).await;
            if all.unwrap_or(true) { INTERVAL } else { RETRY }
        }
        .boxed()
    }

    fn wake(&self) -> Option<&Notify> {
        Some(&self.wake)
    }
}
