//! What it takes to carry out a request and to make a card from the view of a transaction.

use std::sync::Arc;

use crate::address::Url;
use crate::app::outcome::MonitorView;
use crate::app::quota::person;
use crate::cards::Cards;
use crate::clock::Clock;
use crate::domain::{OpenId, Operator, Settings};
use crate::monitor::{self, Monitor};
use crate::outbox::Alerts;
use crate::store::{Source, Store, StoreError, View};

/// Carries out what clicks and commands ask for, within a transaction of the caller.
pub(super) struct Handlers {
    pub(super) store: Store,
    pub(super) cards: Arc<Cards>,
    /// Settings of the configuration.
    pub(super) configured: Settings,
    pub(super) project_policies: Vec<String>,
    pub(super) base_url: Url,
    pub(super) alerts: Alerts,
    pub(super) monitor: Arc<Monitor>,
    pub(super) clock: Clock,
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

    /// A person as the operator of a change, with their name if it is known.
    pub(super) fn operator<S: Source>(
        &self,
        tx: &View<S>,
        open_id: &OpenId,
    ) -> Result<Operator, StoreError> {
        person(tx, open_id.clone())
    }
}
