//! `billing.open`, `billing.rest`, `billing.assign`: spending by month, and what no user pays for.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use crate::app::export::{Export, Table};
use crate::app::rest::{Assigned, NewPayer};
use crate::app::{Error, Refusal, billed_projects, billing, policies, rest, users};
use crate::bot::handlers::Handlers;
use crate::bot::origin::owe_file;
use crate::cards::{Card, CardContext, Toast};
use crate::domain::{AccountId, BillPeriod, FilePlace, ProjectName, Report, UpdateTarget, UserKey};
use crate::outbox::person_lane;
use crate::store::{Source, View, WriteTx};

/// `billing.open`
#[derive(Debug, PartialEq, Eq)]
pub struct BillingOpen {
    /// The month; `None` = the current one.
    pub period: Option<BillPeriod>,
    /// Only this user.
    pub user: Option<UserKey>,
    /// Projects are listed instead of users.
    pub by_project: bool,
    /// The page, from 1.
    pub page: usize,
}

impl Action for BillingOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            // The option chosen in a select takes precedence over its callback value.
            period: match fields.option().or_else(|| fields.text("period")) {
                Some(text) => Some(text.trim().parse().map_err(|_| Refusal::BadPeriod(text))?),
                None => None,
            },
            user: fields.optional_user()?,
            by_project: fields.text("by").as_deref() == Some("project"),
            page: fields.page(),
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        if self.by_project && self.user.is_none() {
            let view = billing::view(tx, self.period, None, 1, ctx.now)?;
            let projects = billed_projects::page(tx, &view.shares, view.period, self.page)?;
            return Ok(handlers.cards.billing_by_project(&view, &projects, ctx));
        }
        let view = billing::view(tx, self.period, self.user.as_ref(), self.page, ctx.now)?;
        Ok(handlers.cards.billing(&view, ctx))
    }
}

/// `billing.rest`
#[derive(Debug, PartialEq, Eq)]
pub struct BillingRest {
    /// The account.
    pub account: AccountId,
    /// The month.
    pub period: BillPeriod,
    /// The page, from 1.
    pub page: usize,
    /// The project whose form for linking is shown instead of the list.
    pub project: Option<ProjectName>,
}

impl Action for BillingRest {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            account: account(fields)?,
            period: period(fields)?,
            page: fields.page(),
            project: fields.text("project").is_some().then(|| fields.project()).transpose()?,
        })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let project = self.project.as_ref();
        let view = rest::view(tx, &self.account, self.period, self.page, project, ctx.now)?;
        Ok(handlers.cards.rest(&view, ctx))
    }
}

fn account(fields: &Fields<'_>) -> Result<AccountId, Refusal> {
    fields.optional_account()?.ok_or(Refusal::BadField("account"))
}

fn period(fields: &Fields<'_>) -> Result<BillPeriod, Refusal> {
    let text = fields.text("period").ok_or(Refusal::BadField("period"))?;
    text.trim().parse().map_err(|_| Refusal::BadPeriod(text))
}

/// `billing.export`: a month as a file.
#[derive(Debug, PartialEq, Eq)]
pub struct BillingExport {
    /// The month.
    pub period: BillPeriod,
}

impl Action for BillingExport {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { period: period(fields)? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let open =
            BillingOpen { period: Some(self.period), user: None, by_project: false, page: 1 };
        open.show(handlers, tx, ctx)
    }
}

impl Change for BillingExport {
    /// The file follows as a reply to the card, which stays as it is.
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let export = Export { table: Table::Spending, period: Some(self.period) };
        let (place, lane) = match &click.report {
            Some(Report { target: UpdateTarget::Message { id }, lane }) => {
                (FilePlace::Message { id: id.clone() }, lane.clone())
            }
            _ => (FilePlace::Person { id: click.operator.clone() }, person_lane(&click.operator)),
        };
        owe_file(tx, export, place, &lane, click.card_ctx.now)?;
        Ok(ClickOutcome::default()
            .with_toast(&handlers.cards, &Toast::ExportOwed { period: self.period }))
    }
}

/// `billing.assign`
#[derive(Debug, PartialEq, Eq)]
pub struct BillingAssign {
    /// Who is to pay for what.
    pub wish: NewPayer,
    /// The page to return to.
    pub page: usize,
}

impl Action for BillingAssign {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        // A button names the user; a form has it chosen or typed.
        let named = fields.optional_user()?.map(|user| user.to_string());
        Ok(Self {
            wish: NewPayer {
                account: account(fields)?,
                project: fields.project()?,
                since: period(fields)?,
                chosen: named.unwrap_or_else(|| fields.chosen("user")),
                typed: fields.typed("username"),
            },
            page: fields.page(),
        })
    }

    /// The form as long as nobody is linked to the project, then the list.
    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let NewPayer { account, project, since, .. } = &self.wish;
        let view = rest::view(tx, account, *since, self.page, Some(project), ctx.now)?;
        Ok(handlers.cards.rest(&view, ctx))
    }
}

impl Change for BillingAssign {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let now = click.card_ctx.now;
        let done = rest::assign(tx, &self.wish, now)?;
        let link = done.link();
        let label = link.label().to_owned();
        let toast = match &done {
            Assigned::Linked(link) => {
                // No report: it would put the user's projects in the place of this list, perhaps seconds later.
                policies::want(tx, &link.user, &link.project, &handlers.link_policies, None, now)?;
                Toast::ProjectAdded { label }
            }
            Assigned::SwitchedOn(_) => Toast::ProjectToggled { label, enabled: true },
        };
        let paid = handlers.cards.now_paid(link, &users::get(tx, &link.user)?);
        let ctx = click.with_empty_form();
        let said = handlers.said(tx, &link.user, None, &ctx)?;
        let text = match &said.banner {
            Some(follows) => format!("{}\n{}", paid.text, follows.text),
            None => paid.text,
        };
        let ctx = ctx.with_banner(said.tone(&toast), text);
        let card = self.show(handlers, tx, &ctx)?;
        Ok(said.outcome(handlers, card, &toast))
    }
}
