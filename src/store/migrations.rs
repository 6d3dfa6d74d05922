//! Steps from one layout of the file to the next. A new layout is one function here and one row of [`STEPS`]; a sample of
//! the last release in `tests/vectors` proves that its files still open.

use std::collections::BTreeSet;

use redb::{ReadableTable, ReadableTableMetadata};

use super::opening::{Opening, Stage};
use super::spending::rank;
use super::tables::{
    ACCOUNT_BILLS, ALERTS, BILLS, KIND_ALERTS, LINKS, LINKS_BY_PROJECT, SPENDING, SPENDING_RANKED,
};
use super::{SCHEMA_VERSION, StoreError, WriteTx, keys};
use crate::domain::AccountId;

/// A step, and the tables whose rows it reads.
struct Step {
    run: fn(&WriteTx, &Opening) -> Result<(), StoreError>,
    rows: fn(&WriteTx) -> Result<u64, StoreError>,
}

/// The steps in order: the first one leads from layout 1 to layout 2.
const STEPS: [Step; 2] = [
    Step {
        run: index_totals_and_alerts,
        rows: |tx| Ok(tx.open(SPENDING)?.len()?.saturating_add(tx.open(ALERTS)?.len()?)),
    },
    Step {
        run: index_links_and_bills,
        rows: |tx| Ok(tx.open(LINKS)?.len()?.saturating_add(tx.open(BILLS)?.len()?)),
    },
];

const _: () = assert!(STEPS.len() as u64 + 1 == SCHEMA_VERSION);

impl WriteTx {
    /// Refuses the layout of a newer airgate, whose tables may have these names and other types.
    pub(super) fn check_schema(&self) -> Result<(), StoreError> {
        match self.schema_version()? {
            Some(found) if found > SCHEMA_VERSION => Err(StoreError::NewerSchema { found }),
            Some(_) | None => Ok(()),
        }
    }

    /// Brings an older layout up to the current one. Every table exists already; a file without a version is new.
    pub(super) fn migrate(&self, opening: &Opening) -> Result<(), StoreError> {
        let found = self.schema_version()?;
        let done = found.unwrap_or(SCHEMA_VERSION).saturating_sub(1);
        for (to, step) in (2..).zip(&STEPS).skip(usize::try_from(done).unwrap_or(usize::MAX)) {
            let of = (step.rows)(self)?;
            opening.is_at(Stage::Migrating { to, last: SCHEMA_VERSION, rows: 0, of });
            tracing::warn!(stage = %opening.stage(), "the store is migrated to a newer layout");
            (step.run)(self, opening)?;
        }
        match found {
            Some(SCHEMA_VERSION) => Ok(()),
            Some(_) | None => self.put_schema_version(SCHEMA_VERSION),
        }
    }
}

/// Migrates layout 1 to 2: users of a period are ranked by their total, and alerts are indexed by kind.
fn index_totals_and_alerts(tx: &WriteTx, opening: &Opening) -> Result<(), StoreError> {
    let spending = tx.open(SPENDING)?;
    let mut ranks = tx.open(SPENDING_RANKED)?;
    for row in spending.iter()? {
        opening.has_read_row();
        let (key, value) = row?;
        let (period, account, username, project) = key.value();
        if project.is_empty() {
            let total = SPENDING.decode(value.value())?;
            ranks.insert((period, rank(total.amount), account, username), ())?;
        }
    }
    let alerts = tx.open(ALERTS)?;
    let mut kinds = tx.open(KIND_ALERTS)?;
    for row in alerts.iter()? {
        opening.has_read_row();
        let (id, value) = row?;
        let alert = ALERTS.decode(value.value())?;
        kinds.insert((alert.body.kind().word(), id.value()), ())?;
    }
    Ok(())
}

/// Migrates layout 2 to 3: links are found by project, and bills are added up by account. Bills were read of linked projects
/// only, and not by day: periods that are read again get days, and what no user pays for.
fn index_links_and_bills(tx: &WriteTx, opening: &Opening) -> Result<(), StoreError> {
    let mut first = tx.open(LINKS_BY_PROJECT)?;
    for row in tx.open(LINKS)?.iter()? {
        opening.has_read_row();
        let (key, value) = row?;
        let (account, username, project) = key.value();
        first.insert(
            (account, project, username),
            keys::of_counted(&LINKS.decode(value.value())?),
        )?;
    }
    drop(first);
    let mut projects = BTreeSet::new();
    for row in tx.open(BILLS)?.iter()? {
        opening.has_read_row();
        let (key, value) = row?;
        let (account, project, period) = key.value();
        let mut bill = tx.get(ACCOUNT_BILLS, (account, period))?.unwrap_or_default();
        bill.total += BILLS.decode(value.value())?.amount;
        tx.put(ACCOUNT_BILLS, (account, period), &bill)?;
        if let (Ok(account), Some(_)) = (AccountId::new(account), keys::period(period)) {
            projects.insert((account, project.to_owned()));
        }
    }
    for (account, project) in projects {
        tx.attribute(&account, &project)?;
    }
    Ok(())
}
