//! Project links, and the projects of accounts as last listed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use redb::ReadableTable;

use super::tables::{LINKS, PROJECTS, PROJECTS_LISTED};
use super::view::{Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{AccountId, ProjectInfo, ProjectLink, ProjectName, UserKey, Username};

impl<S: Source> View<S> {
    /// Returns a user's links, by project.
    pub fn links_of(&self, user: &UserKey) -> Result<Vec<ProjectLink>, StoreError> {
        let (account, username) = keys::of_user(user);
        self.with_prefix(LINKS, (account, username, ""), |key| {
            (key.0, key.1) == (account, username)
        })
    }

    /// Returns the links of all users of an account.
    pub fn links_of_account(&self, account: &AccountId) -> Result<Vec<ProjectLink>, StoreError> {
        self.with_prefix(LINKS, (account.as_str(), "", ""), |key| key.0 == account.as_str())
    }

    /// Returns, for each project of a user that others are linked to as well, who they are. Reads every key of the
    /// account's links, but none of the links.
    pub fn sharers(
        &self,
        user: &UserKey,
    ) -> Result<BTreeMap<ProjectName, Vec<Username>>, StoreError> {
        let (account, username) = keys::of_user(user);
        let links = self.links_of(user)?;
        let own: BTreeMap<&str, &ProjectName> =
            links.iter().map(|link| (link.project.as_str(), &link.project)).collect();
        let mut sharers: BTreeMap<ProjectName, Vec<Username>> = BTreeMap::new();
        if own.is_empty() {
            return Ok(sharers);
        }
        for row in self.open(LINKS)?.range((account, "", "")..)? {
            let (key, _) = row?;
            let (of, other, project) = key.value();
            if of != account {
                break;
            }
            if other == username {
                continue;
            }
            if let Some(project) = own.get(project)
                && let Ok(other) = other.parse::<Username>()
            {
                sharers.entry((*project).clone()).or_default().push(other);
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
        self.get(LINKS, keys::of_link(user, project))
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
    /// Writes a link.
    pub fn put_link(&self, link: &ProjectLink) -> Result<(), StoreError> {
        self.put(LINKS, keys::of_link(&link.user, &link.project), link)
    }

    /// Removes a link; its spending records stay. Returns whether there was one.
    pub fn remove_link(&self, user: &UserKey, project: &ProjectName) -> Result<bool, StoreError> {
        Ok(self.open(LINKS)?.remove(keys::of_link(user, project))?.is_some())
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
