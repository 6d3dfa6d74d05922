//! Projects, IAM 2021-08-01 ("ListProjects", docs 6649/1131880).

use serde::Deserialize;

use super::client::{Account, Api};
use super::error::Error;
use super::iam::text;
use super::paging::whole_list;

/// A project: what spending is attributed to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Project {
    /// The key in bills (`Project`).
    #[serde(rename = "ProjectName")]
    pub name: String,
    /// What people read; may be empty.
    #[serde(rename = "DisplayName", default, deserialize_with = "text")]
    pub display_name: String,
}

impl Account {
    /// All projects of the main account, by name.
    ///
    /// # Errors
    /// Any [`Error`]; an answer without a list is one, never an empty list.
    pub async fn list_projects(&self) -> Result<Vec<Project>, Error> {
        let projects =
            whole_list(self, Api::Projects, "ListProjects", "Projects", |project: &Project| {
                &project.name
            });
        Ok(projects.await?.into_values().collect())
    }
}
