//! The dependencies for carrying out requests and making cards within a transaction.

use std::sync::Arc;

use super::roles::Roles;
use crate::address::Url;
use crate::app::outcome::MonitorView;
use crate::app::quota::person;
use crate::cards::Cards;
use crate::clock::Clock;
use crate::domain::{LinkPolicies, OpenId, Operator, Role, Settings};
use crate::monitor::{self, Monitor};
use crate::outbox::Alerts;
use crate::store::{Source, Store, StoreError, View};

/// Carries out clicks and commands within the caller's transaction.
pub(super) struct Handlers {
    pub(super) store: Store,
    pub(super) cards: Arc<Cards>,
    /// Settings of the configuration.
    pub(super) configured: Settings,
    pub(super) link_policies: LinkPolicies,
    pub(super) base_url: Url,
    pub(super) alerts: Alerts,
    pub(super) monitor: Arc<Monitor>,
    pub(super) clock: Clock,
    pub(super) roles: Roles,
}

impl Handlers {
    /// The settings in force.
    pub(super) fn settings<S: Source>(&self, tx: &View<S>) -> Result<Settings, StoreError> {
        self.alerts.settings_in_force(tx)
    }

    /// The facts of the monitor's card.
    pub(super) fn monitor_view<S: Source>(&self, tx: &View<S>) -> Result<MonitorView, StoreError> {
        let settings = self.settings(tx)?;
        monitor::view(tx, &settings, self.monitor.progress(), self.monitor.is_enabled())
    }

    /// Whether an operator may still enter what others confirm.
    pub(super) fn is_admin(&self, operator: &Operator) -> bool {
        match operator {
            Operator::Person { open_id, .. } => self.roles.of(open_id) == Role::Admin,
            Operator::System => true,
        }
    }

    /// A person as the operator of a change, with their name if it is known.
    pub(super) fn operator<S: Source>(
        &self,
        tx: &View<S>,
        open_id: &OpenId,
    ) -> Result<Operator, StoreError> {
        person(tx, open_id.clone())
    }
}
