//! Project links, and the projects of accounts as last listed.

use std::ops::ControlFlow;

use jiff::Timestamp;
use redb::ReadableTable;

use super::tables::{LINKS, Order, PROJECTS, PROJECTS_LISTED, Source, View};
use super::{StoreError, WriteTx};
use crate::domain::{AccountId, ProjectInfo, ProjectLink, ProjectName, UserKey};

impl<S: Source> View<S> {
    /// A user's links, by project.
    ///
    /// # Errors
    /// The store's.
    pub fn links_of(&self, user: &UserKey) -> Result<Vec<ProjectLink>, StoreError> {
        let (account, username) = (user.account.as_str(), user.username.as_str());
        let mut links = Vec::new();
        self.scan::<_, ProjectLink, _, _>(
            LINKS,
            "links",
            (account, username, "")..,
            Order::Ascending,
            |key, link| {
                if (key.0, key.1) != (account, username) {
                    return ControlFlow::Break(());
                }
                links.push(link);
                ControlFlow::Continue(())
            },
        )?;
        Ok(links)
    }

    /// The links of all users of an account.
    ///
    /// # Errors
    /// The store's.
    pub fn links_of_account(&self, account: &AccountId) -> Result<Vec<ProjectLink>, StoreError> {
        let mut links = Vec::new();
        self.scan::<_, ProjectLink, _, _>(
            LINKS,
            "links",
            (account.as_str(), "", "")..,
            Order::Ascending,
            |key, link| {
                if key.0 != account.as_str() {
                    return ControlFlow::Break(());
                }
                links.push(link);
                ControlFlow::Continue(())
            },
        )?;
        Ok(links)
    }

    /// One link.
    ///
    /// # Errors
    /// The store's.
    pub fn link(
        &self,
        user: &UserKey,
        project: &ProjectName,
    ) -> Result<Option<ProjectLink>, StoreError> {
        let key = (user.account.as_str(), user.username.as_str(), project.as_str());
        self.get(LINKS, "links", key)
    }

    /// The account's projects as last listed, by name.
    ///
    /// # Errors
    /// The store's.
    pub fn projects_of(&self, account: &AccountId) -> Result<Vec<ProjectInfo>, StoreError> {
        let mut projects = Vec::new();
        self.scan::<_, ProjectInfo, _, _>(
            PROJECTS,
            "projects",
            (account.as_str(), "")..,
            Order::Ascending,
            |key, project| {
                if key.0 != account.as_str() {
                    return ControlFlow::Break(());
                }
                projects.push(project);
                ControlFlow::Continue(())
            },
        )?;
        Ok(projects)
    }

    /// One project as last listed.
    ///
    /// # Errors
    /// The store's.
    pub fn project(
        &self,
        account: &AccountId,
        project: &ProjectName,
    ) -> Result<Option<ProjectInfo>, StoreError> {
        self.get(PROJECTS, "projects", (account.as_str(), project.as_str()))
    }

    /// When the account's projects were last listed.
    ///
    /// # Errors
    /// The store's.
    pub fn projects_listed_at(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError> {
        let millis = self.0.table(PROJECTS_LISTED)?.get(account.as_str())?.map(|at| at.value());
        Ok(millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
    }
}

impl WriteTx {
    /// Writes a link.
    ///
    /// # Errors
    /// The store's.
    pub fn put_link(&self, link: &ProjectLink) -> Result<(), StoreError> {
        let user = &link.user;
        let key = (user.account.as_str(), user.username.as_str(), link.project.as_str());
        self.put(LINKS, "links", key, link)
    }

    /// Removes a link; its spending records stay. Returns whether there was one.
    ///
    /// # Errors
    /// The store's.
    pub fn remove_link(&self, user: &UserKey, project: &ProjectName) -> Result<bool, StoreError> {
        let key = (user.account.as_str(), user.username.as_str(), project.as_str());
        Ok(self.0.open_table(LINKS)?.remove(key)?.is_some())
    }

    /// Takes over a complete listing of an account's projects, and their display names into the links.
    ///
    /// # Errors
    /// The store's.
    pub fn replace_projects(
        &self,
        account: &AccountId,
        projects: &[ProjectInfo],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for known in self.projects_of(account)? {
            if !projects.iter().any(|project| project.name == known.name) {
                let key = (account.as_str(), known.name.as_str());
                self.0.open_table(PROJECTS)?.remove(key)?;
            }
        }
        for project in projects {
            self.put(PROJECTS, "projects", (account.as_str(), project.name.as_str()), project)?;
        }
        self.0.open_table(PROJECTS_LISTED)?.insert(account.as_str(), now.as_millisecond())?;
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
