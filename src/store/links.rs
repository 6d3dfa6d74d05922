//! Project links, and the projects of accounts as last listed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use redb::ReadableTable;

use super::tables::{BILLS, LINKS, LINKS_BY_PROJECT, PROJECTS, PROJECTS_LISTED, READINGS};
use super::view::{Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{
    AccountId, AccountReadings, Counts, Payer, ProjectInfo, ProjectLink, ProjectName, Sharing,
    UserKey,
};

impl<S: Source> View<S> {
    /// Returns a user's links, by project.
    pub fn links_of(&self, user: &UserKey) -> Result<Vec<ProjectLink>, StoreError> {
        let (account, username) = keys::of_user(user);
        let mut links = Vec::new();
        for row in self.open(LINKS)?.range((account, username, "")..)? {
            let (key, link) = row?;
            let (of_account, of_user, _) = key.value();
            if (of_account, of_user) != (account, username) {
                break;
            }
            links.push(LINKS.decode_again(link.value())?);
        }
        self.dated(links)
    }

    /// Returns the links of all users of an account.
    pub fn links_of_account(&self, account: &AccountId) -> Result<Vec<ProjectLink>, StoreError> {
        let of_account = (account.as_str(), "", "");
        self.dated(self.with_prefix(LINKS, of_account, |key| key.0 == account.as_str())?)
    }

    /// Returns, for each project of a user that others are linked to as well, who they are.
    pub fn sharers(
        &self,
        user: &UserKey,
    ) -> Result<BTreeMap<ProjectName, Vec<UserKey>>, StoreError> {
        let mut sharers = BTreeMap::new();
        for link in self.links_of(user)? {
            let mut others = self.users_linked_to(&user.account, link.project.as_str())?;
            others.retain(|other| other != user);
            if !others.is_empty() {
                sharers.insert(link.project, others);
            }
        }
        Ok(sharers)
    }

    /// Returns one link.
    pub fn link(
        &self,
        user: &UserKey,
        project: &ProjectName,
    ) -> Result<Option<ProjectLink>, StoreError> {
        let link = self.get_again(LINKS, keys::of_link(user, project))?;
        Ok(self.dated(link.into_iter().collect())?.pop())
    }

    /// Sets how current each amount is.
    fn dated(&self, mut links: Vec<ProjectLink>) -> Result<Vec<ProjectLink>, StoreError> {
        let readings = self.open(READINGS)?;
        let bills = self.open(BILLS)?;
        let mut known: Option<(AccountId, Option<Arc<AccountReadings>>)> = None;
        for link in &mut links {
            let account = &link.user.account;
            let known = match known.take().filter(|(of, _)| of == account) {
                Some(same) => known.insert(same),
                None => {
                    let row = readings.get(account.as_str())?;
                    let row = row.map(|row| READINGS.decode_shared(row.value())).transpose()?;
                    known.insert((account.clone(), row))
                }
            };
            let Some(of_account) = &known.1 else { continue };
            let mut failed = None;
            let freshness = of_account.freshness(link, |month| {
                let key = (account.as_str(), link.project.as_str(), keys::of_period(month));
                match bills.get(key) {
                    Ok(bill) => bill.is_some(),
                    Err(error) => {
                        failed = Some(error);
                        false
                    }
                }
            });
            if let Some(error) = failed {
                return Err(error.into());
            }
            link.freshness = freshness;
        }
        Ok(links)
    }

    /// Returns the users that a project is linked to, by name, each as a payer if its link counts.
    fn linked_to(
        &self,
        account: &AccountId,
        project: &str,
    ) -> Result<Vec<(UserKey, Option<Payer>)>, StoreError> {
        let mut users = Vec::new();
        for row in self.open(LINKS_BY_PROJECT)?.range((account.as_str(), project, "")..)? {
            let (key, mark) = row?;
            let (of, name, username) = key.value();
            if (of, name) != (account.as_str(), project) {
                break;
            }
            let Some(user) = keys::user((of, username)) else { continue };
            let payer = keys::counted_from(mark.value()).map(|(since, counts)| Payer {
                user: user.clone(),
                since,
                counts,
            });
            users.push((user, payer));
        }
        Ok(users)
    }

    /// Returns the users that a project is linked to, by name; also those whose link counts nothing.
    pub fn users_linked_to(
        &self,
        account: &AccountId,
        project: &str,
    ) -> Result<Vec<UserKey>, StoreError> {
        Ok(self.linked_to(account, project)?.into_iter().map(|(user, _)| user).collect())
    }

    /// Returns the users who pay for a project, by name.
    pub fn payers(&self, account: &AccountId, project: &str) -> Result<Vec<Payer>, StoreError> {
        let linked = self.linked_to(account, project)?;
        Ok(linked.into_iter().filter_map(|(_, payer)| payer).collect())
    }

    /// Returns the payers among whom a link's bills are divided; empty if the link counts all of them.
    pub fn sharers_of(&self, link: &ProjectLink) -> Result<Vec<Payer>, StoreError> {
        if link.counts == Counts::Part && link.monitored.is_on() {
            self.payers(&link.user.account, link.project.as_str())
        } else {
            Ok(Vec::new())
        }
    }

    /// Returns how a user shares the monitored ones of its projects with others.
    pub fn sharing_among(&self, links: &[ProjectLink]) -> Result<Vec<Sharing>, StoreError> {
        let mut shared = Vec::new();
        for link in links.iter().filter(|link| link.monitored.is_on()) {
            shared.extend(self.sharing(link)?);
        }
        Ok(shared)
    }

    /// Returns with whom a user shares a project. A project may have many payers: only the few that are named are copied.
    fn sharing(&self, link: &ProjectLink) -> Result<Option<Sharing>, StoreError> {
        let (account, username) = keys::of_user(&link.user);
        let (mut own, mut with, mut more) = (None, Vec::new(), 0);
        let first = (account, link.project.as_str(), "");
        for row in self.open(LINKS_BY_PROJECT)?.range(first..)? {
            let (key, mark) = row?;
            let (of, name, payer) = key.value();
            if (of, name) != (first.0, first.1) {
                break;
            }
            let Some((_, counts)) = keys::counted_from(mark.value()) else { continue };
            if payer == username {
                own = Some(counts);
            } else if with.len() < Sharing::NAMED {
                with.extend(keys::user((of, payer)));
            } else {
                more += 1;
            }
        }
        let Some(counts) = own.filter(|_| !with.is_empty()) else { return Ok(None) };
        Ok(Some(Sharing { project: link.project.clone(), with, more, counts }))
    }

    /// Returns how many links each user has.
    pub(super) fn link_counts(&self) -> Result<BTreeMap<UserKey, u32>, StoreError> {
        let mut counts: BTreeMap<UserKey, u32> = BTreeMap::new();
        for row in self.open(LINKS)?.iter()? {
            let (key, _) = row?;
            let (account, username, _) = key.value();
            if let Some(user) = keys::user((account, username)) {
                let count = counts.entry(user).or_default();
                *count = count.saturating_add(1);
            }
        }
        Ok(counts)
    }

    /// Returns how many users of an account have links.
    pub fn linked_users(&self, account: &AccountId) -> Result<u64, StoreError> {
        let mut count = 0;
        let mut last = String::new();
        for row in self.open(LINKS)?.range((account.as_str(), "", "")..)? {
            let (key, _) = row?;
            let (of, username, _) = key.value();
            if of != account.as_str() {
                break;
            }
            if username != last {
                count += 1;
                username.clone_into(&mut last);
            }
        }
        Ok(count)
    }

    /// Returns the account's projects as last listed, by name.
    pub fn projects_of(&self, account: &AccountId) -> Result<Vec<ProjectInfo>, StoreError> {
        self.with_prefix(PROJECTS, (account.as_str(), ""), |key| key.0 == account.as_str())
    }

    /// Returns one project as last listed.
    pub fn project(
        &self,
        account: &AccountId,
        project: &ProjectName,
    ) -> Result<Option<ProjectInfo>, StoreError> {
        self.get(PROJECTS, (account.as_str(), project.as_str()))
    }

    /// Returns when the account's projects were last listed.
    pub fn projects_listed_at(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError> {
        let millis = self.open(PROJECTS_LISTED)?.get(account.as_str())?.map(|at| at.value());
        Ok(millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
    }
}

impl WriteTx {
    /// Writes a link. If it begins or ceases to count, so does its user as one who pays for the project.
    pub fn put_link(&self, link: &ProjectLink) -> Result<(), StoreError> {
        self.put(LINKS, keys::of_link(&link.user, &link.project), link)?;
        let (account, username) = keys::of_user(&link.user);
        let key = (account, link.project.as_str(), username);
        let mark = keys::of_counted(link);
        let before = self.open(LINKS_BY_PROJECT)?.get(key)?.map(|mark| mark.value());
        if before == Some(mark) {
            return Ok(());
        }
        if before.is_none() {
            self.1.borrow_mut().count_link(&link.user, true);
        }
        self.open(LINKS_BY_PROJECT)?.insert(key, mark)?;
        self.attribute(&link.user.account, link.project.as_str())
    }

    /// Removes a link; its spending records stay. Returns whether there was one.
    pub fn remove_link(&self, user: &UserKey, project: &ProjectName) -> Result<bool, StoreError> {
        let found = self.open(LINKS)?.remove(keys::of_link(user, project))?.is_some();
        let (account, username) = keys::of_user(user);
        self.open(LINKS_BY_PROJECT)?.remove((account, project.as_str(), username))?;
        if found {
            self.1.borrow_mut().count_link(user, false);
            self.attribute(&user.account, project.as_str())?;
        }
        Ok(found)
    }

    /// Takes over a complete listing of an account's projects, and updates the display names in the links.
    pub fn replace_projects(
        &self,
        account: &AccountId,
        projects: &[ProjectInfo],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for known in self.projects_of(account)? {
            if !projects.iter().any(|project| project.name == known.name) {
                let key = (account.as_str(), known.name.as_str());
                self.open(PROJECTS)?.remove(key)?;
            }
        }
        for project in projects {
            self.put(PROJECTS, (account.as_str(), project.name.as_str()), project)?;
        }
        self.open(PROJECTS_LISTED)?.insert(account.as_str(), now.as_millisecond())?;
        for mut link in self.links_of_account(account)? {
            let listed = projects.iter().find(|project| project.name == link.project);
            if let Some(project) = listed.filter(|p| p.display_name != link.display_name) {
                link.display_name.clone_from(&project.display_name);
                self.put_link(&link)?;
            }
        }
        Ok(())
    }
}
