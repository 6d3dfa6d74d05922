//! Projects, IAM 2021-08-01 (docs/platforms/volcengine.md §6).

use serde::Deserialize;

use super::call::Api;
use super::client::AccountClient;
use super::error::Error;
use super::iam::text;
use super::identity::account_number;
use super::paging::whole_list;
use crate::domain::AccountNumber;

/// A project, to which bills attribute spending ("ListProjects", docs 6649/1131880).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Project {
    /// The name in bills (`Project`).
    #[serde(rename = "ProjectName")]
    pub name: String,
    /// The name shown to people; may be empty.
    #[serde(rename = "DisplayName", default, deserialize_with = "text")]
    pub display_name: String,
    /// The main account, if the API says so.
    #[serde(rename = "AccountID", default, deserialize_with = "account_number")]
    pub account: Option<AccountNumber>,
}

impl AccountClient {
    /// Returns all projects of the main account, by name.
    ///
    /// # Errors
    /// Any [`Error`]. A response without a list is an error, never an empty list.
    pub async fn list_projects(&self) -> Result<Vec<Project>, Error> {
        let projects =
            whole_list(self, Api::Projects, "ListProjects", "Projects", |project: &Project| {
                &project.name
            });
        let projects: Vec<Project> = projects.await?.into_values().collect();
        if let Some(number) = projects.iter().find_map(|project| project.account) {
            self.learn(number);
        }
        Ok(projects)
    }
}
