//! Projects of an account.

use serde::Serialize;

use super::context::Context;
use super::params::Params;
use super::refusal::{Refusal, Reply, reply};
use super::users::{DEFAULT_LIMIT, MAX_LIMIT, date};
use crate::sandbox::world::{FakeAccount, Project};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireProject<'a> {
    #[serde(rename = "AccountID")]
    account_id: i64,
    project_name: &'a str,
    parent_project_name: &'static str,
    path: String,
    display_name: &'a str,
    description: &'a str,
    create_date: String,
    update_date: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_permission: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProjectList<'a> {
    limit: usize,
    offset: usize,
    total: usize,
    projects: Vec<WireProject<'a>>,
}

fn wire<'a>(
    account: &FakeAccount,
    project: &'a Project,
    has_permission: Option<bool>,
) -> WireProject<'a> {
    WireProject {
        account_id: account.id,
        project_name: &project.name,
        parent_project_name: "",
        path: format!("/{}/", project.name),
        display_name: &project.display_name,
        description: &project.description,
        create_date: date(project.created),
        update_date: date(project.created),
        status: "active",
        has_permission,
    }
}

/// No source names this code (`docs/platforms/volcengine.md` §4); it is modelled on the others.
pub(super) fn not_found(name: &str) -> Refusal {
    Refusal::new(404, "ProjectNotExist", format!("Project '{name}' cannot be found."))
}

pub(super) fn list(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let page = params.page(Some(DEFAULT_LIMIT), MAX_LIMIT)?;
    params.int("WithParentProject")?;
    let query = params.text("Query")?.unwrap_or_default().to_lowercase();
    let matching = || {
        let projects = context.account.projects.values();
        projects.filter(|project| project.name.to_lowercase().contains(&query))
    };
    reply(&ProjectList {
        limit: page.limit,
        offset: page.offset,
        total: matching().count(),
        projects: matching()
            .skip(page.offset)
            .take(page.limit)
            .map(|project| wire(context.account, project, Some(true)))
            .collect(),
    })
}

/// The answer has no wrapper around the project.
pub(super) fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let name = params.required("ProjectName")?;
    let project = context.account.projects.get(&name).ok_or_else(|| not_found(&name))?;
    reply(&wire(context.account, project, None))
}
