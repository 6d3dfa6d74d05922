//! `projects.open`, `project.add`, `project.toggle`, `project.remove`, `projects.toggle_all`: a user's projects.

use std::collections::BTreeSet;

use super::action::{Action, Change, ClickContext, ClickOutcome, Opened};
use super::fields::Fields;
use crate::app::projects::NewLinks;
use crate::app::{Error, Refusal, policies, projects, users};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, Toast, Tone};
use crate::domain::{Joining, ProjectName, Switch, TaskKind, User, UserKey};
use crate::store::{Source, StoreError, View, WriteTx};

/// `projects.open`
#[derive(Debug, PartialEq, Eq)]
pub struct ProjectsOpen {
    /// The user.
    pub user: UserKey,
    /// The page, from 1.
    pub page: usize,
}

impl Action for ProjectsOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()?, page: fields.page() })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        projects_card(handlers, tx, &self.user, self.page, ctx)
    }

    /// Also refreshes an old list of projects to choose from, for those who may choose.
    fn open<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Opened, Error> {
        let view = projects::view(tx, &self.user, self.page, ctx.now)?;
        let refresh = ctx.role.may_change() && projects::list_is_old(&view, ctx.now);
        let task = refresh.then(|| TaskKind::RefreshProjects {
            account: self.user.account.clone(),
            user: self.user.clone(),
        });
        Ok(Opened { card: handlers.cards.projects(&view, ctx), task })
    }
}

fn projects_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    user: &UserKey,
    page: usize,
    ctx: &CardContext,
) -> Result<Card, Error> {
    Ok(handlers.cards.projects(&projects::view(tx, user, page, ctx.now)?, ctx))
}

/// The answer to a change of links, with what it leads to.
fn changed(
    handlers: &Handlers,
    tx: &WriteTx,
    action: &impl Action,
    before: &User,
    click: &ClickContext,
    toast: &Toast,
) -> Result<ClickOutcome, Error> {
    let ctx = click.with_empty_form();
    let said = handlers.said(tx, &before.key, Some(before), &ctx)?;
    let card = action.show(handlers, tx, &said.on(ctx))?;
    Ok(said.outcome(handlers, card, toast))
}

/// What people call a linked project.
fn label_of(tx: &WriteTx, user: &UserKey, project: &ProjectName) -> Result<String, StoreError> {
    let link = tx.link(user, project)?;
    Ok(link.map_or_else(|| project.to_string(), |link| link.label().to_owned()))
}

/// `project.add`
#[derive(Debug, PartialEq, Eq)]
pub struct ProjectAdd {
    /// The user.
    pub user: UserKey,
    /// As chosen and typed.
    pub links: NewLinks,
}

impl Action for ProjectAdd {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.user()?,
            links: NewLinks {
                chosen: fields.all_chosen("project"),
                typed: fields.typed("project_name"),
                since: fields.typed("since"),
                joining: Joining::from_word(&fields.chosen("counts")),
            },
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        projects_card(handlers, tx, &self.user, 1, ctx)
    }
}

impl Change for ProjectAdd {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let (user, now) = (&self.user, click.card_ctx.now);
        let words = handlers.cards.words();
        let before = users::get(tx, user)?;
        let all = projects::add_all(tx, user, &self.links, now)?;
        for linked in &all {
            let project = &linked.link.project;
            policies::want(tx, user, project, &handlers.link_policies, click.report.clone(), now)?;
        }
        let mut ctx = click.with_empty_form();
        let said = handlers.said(tx, user, Some(&before), &ctx)?;
        if said.is_grave {
            ctx = said.on(ctx);
        } else if let Some(unlisted) = all.iter().find(|linked| !linked.listed) {
            let label = unlisted.link.label();
            let text = words.t("projects.not_in_list", &[("project", &label)]);
            ctx = ctx.with_banner(Tone::Warning, text);
        } else if all.iter().any(|linked| !linked.others.is_empty()) {
            let mut lines = vec![words.joined(&all)];
            // What it changes for those who had the project.
            let mut told = BTreeSet::new();
            for payer in all.iter().flat_map(|linked| &linked.others_before) {
                if told.insert(&payer.key)
                    && let Some(banner) = handlers.said(tx, &payer.key, Some(payer), &ctx)?.banner
                {
                    lines.push(words.about_user(&payer.key, &banner.text));
                }
            }
            ctx = ctx.with_banner(Tone::Info, lines.join("\n"));
        }
        let card = self.show(handlers, tx, &said.on(ctx))?;
        let labels: Vec<&str> = all.iter().map(|linked| linked.link.label()).collect();
        let label = labels.join(&words.t("list.separator", &[]));
        Ok(said.outcome(handlers, card, &Toast::ProjectAdded { label }))
    }
}

/// `project.toggle`
#[derive(Debug, PartialEq, Eq)]
pub struct ProjectToggle {
    /// The user.
    pub user: UserKey,
    /// The linked project.
    pub project: ProjectName,
    /// The desired state.
    pub monitored: Switch,
    /// The page to return to.
    pub page: usize,
}

impl Action for ProjectToggle {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user: fields.user()?,
            project: fields.project()?,
            monitored: fields.switch("enabled")?,
            page: fields.page(),
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        projects_card(handlers, tx, &self.user, self.page, ctx)
    }
}

impl Change for ProjectToggle {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let before = users::get(tx, &self.user)?;
        projects::toggle(tx, &self.user, &self.project, self.monitored, click.card_ctx.now)?;
        let label = label_of(tx, &self.user, &self.project)?;
        let toast = Toast::ProjectToggled { label, enabled: self.monitored.is_on() };
        changed(handlers, tx, self, &before, click, &toast)
    }
}

/// `project.remove`
#[derive(Debug, PartialEq, Eq)]
pub struct ProjectRemove {
    /// The user.
    pub user: UserKey,
    /// The linked project.
    pub project: ProjectName,
    /// The page to return to.
    pub page: usize,
}

impl Action for ProjectRemove {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()?, project: fields.project()?, page: fields.page() })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        projects_card(handlers, tx, &self.user, self.page, ctx)
    }
}

impl Change for ProjectRemove {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let (user, project, now) = (&self.user, &self.project, click.card_ctx.now);
        let (before, label) = (users::get(tx, user)?, label_of(tx, user, project)?);
        projects::remove(tx, user, project, now)?;
        policies::release(tx, user, project, click.report.clone(), now)?;
        changed(handlers, tx, self, &before, click, &Toast::ProjectRemoved { label })
    }
}

/// `projects.toggle_all`
#[derive(Debug, PartialEq, Eq)]
pub struct ToggleAll {
    /// The user.
    pub user: UserKey,
    /// The desired state.
    pub monitored: Switch,
}

impl Action for ToggleAll {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()?, monitored: fields.switch("enabled")? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        projects_card(handlers, tx, &self.user, 1, ctx)
    }
}

impl Change for ToggleAll {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let before = users::get(tx, &self.user)?;
        let links = projects::toggle_all(tx, &self.user, self.monitored, click.card_ctx.now)?;
        let toast = Toast::AllToggled { enabled: self.monitored.is_on(), links };
        changed(handlers, tx, self, &before, click, &toast)
    }
}
