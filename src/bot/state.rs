//! The bot and its parts.

use std::sync::Arc;

use super::actions::Wake;
use super::chats::ChatOrder;
use super::handlers::Handlers;
use super::names::Names;
use super::own_id::OwnId;
use super::roles::Roles;
use crate::address::Url;
use crate::app::group_roles::RoleGroups;
use crate::cards::Cards;
use crate::clock::Clock;
use crate::domain::{LinkPolicies, Settings, TaskKind};
use crate::feishu;
use crate::monitor::Monitor;
use crate::outbox::Alerts;
use crate::owed::Wakers;
use crate::store::{Store, StoreError};

/// The bot. [`Bot::handle`] is the entry point.
pub struct Bot {
    pub(super) store: Store,
    pub(super) handlers: Arc<Handlers>,
    pub(super) roles: Roles,
    pub(super) feishu: feishu::Client,
    pub(super) wakers: Wakers,
    pub(super) chats: ChatOrder,
    pub(super) own_id: OwnId,
    pub(super) names: Names,
    pub(super) app_id: String,
    pub(super) groups: RoleGroups,
}

/// What [`Bot::new`] takes.
pub struct Parts {
    /// State.
    pub store: Store,
    /// Makes cards.
    pub cards: Arc<Cards>,
    /// Who may do what.
    pub roles: Roles,
    /// The app, whose tenant is learned from events.
    pub app_id: String,
    /// The groups that give roles.
    pub groups: RoleGroups,
    /// Settings of the configuration; saved ones take precedence.
    pub settings: Settings,
    /// Raises alerts; knows the settings in force.
    pub alerts: Alerts,
    /// Policies that are granted with linked projects.
    pub link_policies: LinkPolicies,
    /// `feishu.base_url`: a webhook must be on its host.
    pub base_url: Url,
    /// For the monitor card.
    pub monitor: Arc<Monitor>,
    /// For people's names, the bot's own id, and histories of chats.
    pub feishu: feishu::Client,
    /// Time.
    pub clock: Clock,
    /// Wakes the loops that carry out what a request enqueued.
    pub wakers: Wakers,
}

impl Bot {
    /// A bot made of `parts`.
    pub fn new(parts: Parts) -> Arc<Self> {
        let (store, feishu) = (parts.store, parts.feishu);
        Arc::new(Self {
            handlers: Arc::new(Handlers {
                store: store.clone(),
                cards: parts.cards,
                configured: parts.settings,
                link_policies: parts.link_policies,
                base_url: parts.base_url,
                alerts: parts.alerts,
                monitor: parts.monitor,
                clock: parts.clock,
                roles: parts.roles.clone(),
            }),
            roles: parts.roles,
            wakers: parts.wakers,
            chats: ChatOrder::default(),
            own_id: OwnId::new(store.clone(), feishu.clone()),
            names: Names::new(store.clone(), feishu.clone()),
            app_id: parts.app_id,
            groups: parts.groups,
            store,
            feishu,
        })
    }

    /// Reads the bot's own id from the platform.
    pub async fn learn_own_id(&self) -> Result<(), feishu::Error> {
        self.own_id.look_up().await
    }

    /// Looks up unknown names: of administrators, viewers, users' owners, people who wrote to the bot, and the alert group.
    /// Returns whether none is left that can be looked up now.
    pub async fn learn_names(&self) -> bool {
        let now = self.handlers.clock.now();
        let handlers = Arc::clone(&self.handlers);
        let chat =
            self.store.reading(move |tx| Ok::<_, StoreError>(handlers.settings(tx)?.alert_chat));
        let chat_known = match chat.await {
            Ok(Some(chat)) => self.names.look_up_chat(chat, now).await,
            // Without a group, and if the store fails, there is nothing to look up.
            Ok(None) | Err(_) => true,
        };
        self.names.look_up(self.roles.people(), now).await && chat_known
    }

    /// Wakes the loop that carries out an added task, and the outbox.
    pub(super) fn wake_for_task(&self, task: &TaskKind) {
        self.wakers.outbox.notify_one();
        match task {
            TaskKind::MonitorRun => self.wakers.monitor.notify_one(),
            TaskKind::Sync
            | TaskKind::RefreshProjects { .. }
            | TaskKind::CreateUser { .. }
            | TaskKind::UpdateProfile { .. }
            | TaskKind::CheckAccount { .. }
            | TaskKind::LookAtAccess { .. }
            | TaskKind::CheckMobiles { .. }
            | TaskKind::Batch { .. }
            | TaskKind::ReadBalances => self.wakers.tasks.notify_one(),
        }
    }

    /// Wakes a loop that an action created work for.
    pub(super) fn wake(&self, wake: Wake) {
        match wake {
            Wake::Outbox => self.wakers.outbox.notify_one(),
            Wake::Access => self.wakers.access.notify_one(),
            Wake::Policies => self.wakers.policies.notify_one(),
            Wake::Settings => self.wakers.settings.notify_one(),
            Wake::Names => self.wakers.names.notify_one(),
        }
    }
}
