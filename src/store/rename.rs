//! Moves everything stored about a user to another name, in the caller's transaction.

use redb::ReadableTable;

use super::spending::rank;
use super::tables::{
    ALERTS, CREATIONS, LEDGER, SPENDING, SPENDING_RANKED, TASKS, USER_ALERTS, USERS,
};
use super::{StoreError, WriteTx, keys};
use crate::domain::{
    AlertRecord, Authorisation, Counts, Creation, LedgerEntry, ProjectLink, SpendingRecord, Task,
    TaskKind, User, UserKey, Username,
};

impl WriteTx {
    /// Gives users other keys, all at once: two may swap theirs.
    pub fn move_users(&self, moves: &[(UserKey, UserKey)]) -> Result<(), StoreError> {
        let mut waiting = Vec::new();
        for (number, (from, to)) in moves.iter().enumerate() {
            // The cloud allows no `#` in names.
            let Ok(name) = Username::new(format!("#moving-{number}")) else { continue };
            let between = UserKey::new(from.account.clone(), name);
            self.move_user(from, &between)?;
            waiting.push((between, to));
        }
        for (between, to) in waiting {
            self.move_user(&between, to)?;
        }
        for (_, to) in moves {
            self.divide_again(to)?;
        }
        Ok(())
    }

    /// What does not divide of a shared project's bill goes to the first by name: it may be another one now.
    fn divide_again(&self, user: &UserKey) -> Result<(), StoreError> {
        let links = self.links_of(user)?;
        let Some(known) = self.user(user)? else { return Ok(()) };
        for link in links.iter().filter(|link| link.counts == Counts::Part) {
            self.refresh_sharers(user, &link.project, known.updated)?;
            self.refresh_spending(user, known.updated, false)?;
        }
        Ok(())
    }

    fn move_user(&self, from: &UserKey, to: &UserKey) -> Result<(), StoreError> {
        if let Some(user) = self.user(from)? {
            self.open(USERS)?.remove(keys::of_user(from))?;
            self.1.borrow_mut().remove(from);
            self.put_user(&User { key: to.clone(), ..user })?;
        }
        for link in self.links_of(from)? {
            self.remove_link(from, &link.project)?;
            self.put_link(&ProjectLink { user: to.clone(), ..link })?;
        }
        for authorisation in self.authorisations_of(from)? {
            self.put_authorisation(&Authorisation { grants: Vec::new(), ..authorisation.clone() })?;
            self.put_authorisation(&Authorisation { user: to.clone(), ..authorisation })?;
        }
        if let Some(pending) = self.access_pending(from)? {
            self.clear_access_pending(from)?;
            self.put_access_pending(to, &pending)?;
        }
        if let Some(remembered) = self.access_remembered(from)? {
            self.clear_access_remembered(from)?;
            self.put_access_remembered(to, &remembered)?;
        }
        let paths = self.access_paths(from)?;
        if !paths.is_empty() {
            self.clear_access_paths(from)?;
            self.put_access_paths(to, paths)?;
        }
        if let Some(proof) = self.access_proof(from)? {
            self.clear_access_proof(from)?;
            self.put_access_proof(to, &proof)?;
        }
        for entry in self.ledger(from, usize::MAX)?.0 {
            self.open(LEDGER)?.remove(keys::of_numbered(from, entry.seq))?;
            let entry = LedgerEntry { user: to.clone(), ..entry };
            self.put(LEDGER, keys::of_numbered(to, entry.seq), &entry)?;
        }
        self.move_requests(from, to)?;
        self.move_approvals(from, to)?;
        self.move_temporaries(from, to)?;
        self.move_batch_rows(from, to)?;
        self.move_spending(from, to)?;
        self.move_alerts(from, to)?;
        self.move_card_places(from, to)?;
        self.move_work(from, to)
    }

    /// The totals of a period stay the same: only the user changes.
    fn move_spending(&self, from: &UserKey, to: &UserKey) -> Result<(), StoreError> {
        for period in self.spending_periods()? {
            for record in self.spending_of(from, period)? {
                let project = record.project.clone();
                let old = keys::of_spending(period, from, project.as_ref());
                let new = keys::of_spending(period, to, project.as_ref());
                self.open(SPENDING)?.remove(old)?;
                if project.is_none() {
                    let mut ranks = self.open(SPENDING_RANKED)?;
                    ranks.remove((old.0, rank(record.amount), old.1, old.2))?;
                    ranks.insert((new.0, rank(record.amount), new.1, new.2), ())?;
                }
                self.put(SPENDING, new, &SpendingRecord { user: to.clone(), ..record })?;
            }
        }
        Ok(())
    }

    fn move_alerts(&self, from: &UserKey, to: &UserKey) -> Result<(), StoreError> {
        let range = keys::of_numbered(from, 0)..=keys::of_numbered(from, u64::MAX);
        let ids = self
            .open(USER_ALERTS)?
            .range(range)?
            .map(|row| row.map(|(key, _)| key.value().2))
            .collect::<Result<Vec<u64>, _>>()?;
        for id in ids {
            if let Some(alert) = self.alert(id)? {
                self.put(ALERTS, id, &AlertRecord { user: Some(to.clone()), ..alert })?;
            }
            let mut index = self.open(USER_ALERTS)?;
            index.remove(keys::of_numbered(from, id))?;
            index.insert(keys::of_numbered(to, id), ())?;
        }
        Ok(())
    }

    /// Creations that can be continued, and tasks that wait.
    fn move_work(&self, from: &UserKey, to: &UserKey) -> Result<(), StoreError> {
        for mut creation in self.all::<u64, Creation>(CREATIONS)? {
            if creation.wanted.key == *from {
                creation.wanted.key = to.clone();
                self.put_creation(&creation)?;
            }
        }
        for mut task in self.tasks()? {
            if let TaskKind::RefreshProjects { user, .. } | TaskKind::UpdateProfile { user, .. } =
                &mut task.kind
                && user == from
            {
                *user = to.clone();
                self.put(TASKS, task.id, &Task { ..task.clone() })?;
            }
        }
        Ok(())
    }
}
