//! `users.bulk`, `import.apply`, `batch.open` and `batch.decide`: changes of many users, asked for, applied as they were shown,
//! and decided about by a second administrator.

use super::action::{Action, Change, ClickContext, ClickOutcome};
use super::fields::Fields;
use super::users::place_of;
use crate::app::batch_refusal::BatchRefusal;
use crate::app::{Error, Refusal, batches, import, listing, projects};
use crate::bot::handlers::Handlers;
use crate::cards::{BatchView, BulkView, Card, CardContext, ListPlace, Toast};
use crate::domain::{
    Batch, BatchSource, BillPeriod, Joining, Money, ProjectName, RowChange, Switch,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// `users.bulk` without a form: opens it.
#[derive(Debug, PartialEq, Eq)]
pub struct BulkOpen(ListPlace);

impl Action for BulkOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        place_of(fields).map(Self)
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        Ok(form(handlers, tx, &self.0, ctx)?)
    }
}

fn form<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    place: &ListPlace,
    ctx: &CardContext,
) -> Result<Card, StoreError> {
    let users = listing::matching(tx, &handlers.settings(tx)?, place, ctx.now)?;
    let (projects, more_projects) = projects::to_choose(tx, &users)?;
    let view = BulkView { place: place.clone(), count: users.len(), projects, more_projects };
    Ok(handlers.cards.bulk(&view, ctx))
}

/// `users.bulk` with a form: prepares a preview, or applies one.
#[derive(Debug, PartialEq, Eq)]
pub enum Bulk {
    /// Prepares a preview.
    Preview {
        /// Of which users.
        place: ListPlace,
        /// What is done to each, as typed.
        typed: Typed,
    },
    /// Applies one.
    Apply {
        /// Which one.
        batch: u64,
    },
}

/// What was typed into the form, and which of its buttons was pressed.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    what: String,
    amount: String,
    note: String,
    value: String,
    project: String,
    counts: String,
}

impl Action for Bulk {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        if fields.shows("apply", &[]) {
            return Ok(Bulk::Apply { batch: fields.id("batch")? });
        }
        let typed = Typed::of(fields);
        // A submitted form counts as a search, but this one has no field for it: the value says which users are meant.
        let query = fields.text("query").unwrap_or_default();
        Ok(Bulk::Preview { place: ListPlace { query, ..place_of(fields)? }, typed })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        match self {
            Bulk::Preview { place, .. } => Ok(form(handlers, tx, place, ctx)?),
            Bulk::Apply { batch } => batch_card(handlers, tx, *batch, ctx),
        }
    }
}

impl Change for Bulk {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        match self {
            Bulk::Apply { batch } => apply(handlers, tx, *batch, click),
            Bulk::Preview { place, typed } => {
                let now = click.card_ctx.now;
                let change = typed.change(BillPeriod::of(now))?;
                let place = serde_json::to_string(place).unwrap_or_default();
                let source = BatchSource::List { place, change };
                let by = handlers.operator(tx, &click.operator)?;
                let batch = batches::ask(tx, source, &by, click.report.clone(), now)?;
                carried_on(handlers, tx, batch, click, &Toast::BatchPreparing)
            }
        }
    }
}

impl Typed {
    /// A button says what to do. Earlier forms had a select for it, and one field for thresholds, switch and project.
    fn of(fields: &Fields<'_>) -> Self {
        let (amount, note) = (fields.typed("amount"), fields.free_text("note"));
        let (typed, chosen) = (fields.typed("value"), fields.chosen("counts"));
        let what = fields.chosen("do");
        if !what.is_empty() {
            return Self {
                what,
                amount,
                note,
                project: typed.clone(),
                value: typed,
                counts: chosen,
            };
        }
        let said = |name| fields.text(name);
        let named = fields.typed("project_name");
        Self {
            what: said("do").unwrap_or_default(),
            amount,
            note,
            value: said("value").unwrap_or(typed),
            project: if named.trim().is_empty() { fields.chosen("project") } else { named },
            counts: said("counts").unwrap_or(chosen),
        }
    }

    fn change(&self, current: BillPeriod) -> Result<RowChange, Refusal> {
        let value = self.value.trim();
        Ok(match self.what.as_str() {
            "allocate" => {
                let amount = Money::parse_input(&self.amount)?;
                RowChange::Allocate { amount, note: self.note.clone(), until: None }
            }
            "month_limit" => RowChange::MonthLimit { limit: import::limit(&self.amount)? },
            "thresholds" => RowChange::Thresholds {
                thresholds: (!value.is_empty()).then(|| value.parse()).transpose()?,
            },
            "auto_disable" => RowChange::AutoDisable {
                to: match value.to_lowercase().as_str() {
                    "on" | "true" | "开" | "开启" => Switch::On,
                    "off" | "false" | "关" | "关闭" => Switch::Off,
                    _ => return Err(BatchRefusal::BadSwitch(value.to_owned()).into()),
                },
            },
            "link" => {
                let project = self.project.trim();
                if project.is_empty() {
                    return Err(Refusal::NoProject);
                }
                let project = ProjectName::new(project)
                    .map_err(|_| Refusal::BadProject(project.to_owned()))?;
                let joining = Joining::from_word(&self.counts);
                let joining = joining.filter(|joining| *joining != Joining::Move);
                RowChange::Link { project, since: current, joining }
            }
            _ => return Err(BatchRefusal::NoChange.into()),
        })
    }
}

/// Has a batch applied by the person who clicked.
fn apply(
    handlers: &Handlers,
    tx: &WriteTx,
    batch: u64,
    click: &ClickContext,
) -> Result<ClickOutcome, Error> {
    let batch = batches::apply(tx, batch, &click.operator, click.card_ctx.now)?;
    handlers.alerts.refresh_batch(tx, &batch, click.card_ctx.now)?;
    carried_on(handlers, tx, batch, click, &Toast::BatchApplying)
}

/// The answer while a task carries the batch on.
fn carried_on(
    handlers: &Handlers,
    tx: &WriteTx,
    batch: Batch,
    click: &ClickContext,
    toast: &Toast,
) -> Result<ClickOutcome, Error> {
    let task = batches::task(&batch);
    let card = card_of(handlers, tx, batch, &click.with_empty_form())?;
    Ok(ClickOutcome::card(card).with_task(task).with_toast(&handlers.cards, toast))
}

fn batch_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    id: u64,
    ctx: &CardContext,
) -> Result<Card, Error> {
    card_of(handlers, tx, batches::get(tx, id)?, ctx)
}

fn card_of<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    batch: Batch,
    ctx: &CardContext,
) -> Result<Card, Error> {
    let people = batches::people(tx, &batch)?;
    Ok(handlers.cards.batch(&BatchView { batch, people }, ctx))
}

/// `import.apply`
#[derive(Debug, PartialEq, Eq)]
pub struct ImportApply {
    /// The batch that was made of the file.
    pub batch: u64,
}

impl Action for ImportApply {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { batch: fields.id("import")? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        batch_card(handlers, tx, self.batch, ctx)
    }
}

impl Change for ImportApply {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        apply(handlers, tx, self.batch, click)
    }
}

/// `batch.open`
#[derive(Debug, PartialEq, Eq)]
pub struct BatchOpen {
    /// The batch.
    pub batch: u64,
}

impl Action for BatchOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { batch: fields.id("batch")? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        batch_card(handlers, tx, self.batch, ctx)
    }
}

/// `batch.decide`
#[derive(Debug, PartialEq, Eq)]
pub struct BatchDecide {
    /// The batch.
    pub batch: u64,
    /// Whether it is confirmed.
    pub confirms: bool,
}

impl Action for BatchDecide {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { batch: fields.id("batch")?, confirms: fields.decision("confirm", "refuse")? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        batch_card(handlers, tx, self.batch, ctx)
    }
}

impl Change for BatchDecide {
    fn perform(
        &self,
        handlers: &Handlers,
        tx: &WriteTx,
        click: &ClickContext,
    ) -> Result<ClickOutcome, Error> {
        let now = click.card_ctx.now;
        let by = handlers.operator(tx, &click.operator)?;
        let author = batches::get(tx, self.batch)?.by;
        if self.confirms && !handlers.is_admin(&author) {
            let refusal = Refusal::from(BatchRefusal::AuthorLeft(author));
            let reason = handlers.cards.words().refusal(&refusal);
            let batch = batches::void(tx, self.batch, reason, &by, now)?;
            handlers.alerts.refresh_batch(tx, &batch, now)?;
            let card = card_of(handlers, tx, batch, &click.with_empty_form())?;
            let outcome = ClickOutcome { refused: true, ..ClickOutcome::card(card) };
            return Ok(outcome.with_toast(&handlers.cards, &Toast::Refused(refusal)));
        }
        let batch = batches::decide(tx, self.batch, self.confirms, &by, now)?;
        handlers.alerts.refresh_batch(tx, &batch, now)?;
        if self.confirms {
            return carried_on(handlers, tx, batch, click, &Toast::BatchApplying);
        }
        let card = card_of(handlers, tx, batch, &click.with_empty_form())?;
        Ok(ClickOutcome::card(card).with_toast(&handlers.cards, &Toast::BatchRefused))
    }
}
