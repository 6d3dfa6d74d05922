//! Projects, IAM 2021-08-01 (docs/platforms/volcengine.md §6).

use serde::Deserialize;

use super::client::{AccountClient, Api};
use super::error::Error;
use super::iam::text;
use super::paging::whole_list;

/// A project, to which bills attribute spending ("ListProjects", docs 6649/1131880).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Project {
    /// The name in bills (`Project`).
    #[serde(rename = "ProjectName")]
    pub name: String,
    /// The name shown to people; may be empty.
    #[serde(rename = "DisplayName", default, deserialize_with = "text")]
    pub display_name: String,
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
        Ok(projects.await?.into_values().collect())
    }
}
