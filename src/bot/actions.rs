//! Card actions: what a click does, and the card it answers with.

use std::sync::Arc;

use jiff::Timestamp;

use super::noted::{note_outcome, owe_task, renew, silence};
use super::request::{Request, form_values};
use super::roles::Allowed;
use super::{Bot, Reaction, Reader, operator};
use crate::app::quota::Allocation;
use crate::app::{
    Error, Refusal, access, accounts, alerts, billing, configure, policies, projects, quota,
    settings, users,
};
use crate::cards::{Card, ListPlace, Look, Processing, Toast, Tone};
use crate::domain::{
    AlertBody, ChatId, MessageId, Money, OpenId, Problem, Report, TaskKind, UpdateTarget,
};
use crate::feishu::{CallbackAnswer, CardAction, ToastKind};
use crate::outbox::chat_lane;
use crate::store::{Source, StoreError, View, WriteTx};

/// Every action of the cards, by the name that their callbacks carry. Another name is unknown, whatever else is there.
pub const ACTIONS: [&str; 22] = [
    "account.save",
    "account.toggle",
    "accounts.open",
    "alerts.list",
    "billing.open",
    "config.open",
    "config.save",
    "config.test",
    "monitor.run",
    "project.add",
    "project.remove",
    "project.toggle",
    "projects.open",
    "projects.toggle_all",
    "quota.allocate",
    "quota.open",
    "user.configure",
    "user.create",
    "user.disable",
    "user.enable",
    "user.open",
    "users.list",
];

/// The action, if its name is declared.
fn declared(action: &CardAction) -> Result<&CardAction, Refusal> {
    let name = action.value.get("action").and_then(serde_json::Value::as_str).unwrap_or_default();
    if ACTIONS.contains(&name) { Ok(action) } else { Err(Refusal::UnknownAction(name.to_owned())) }
}

/// Who clicked, where, and what comes back in the form.
#[derive(Clone)]
pub(super) struct Click {
    pub(super) operator: OpenId,
    chat: Option<ChatId>,
    pub(super) look: Look,
    /// Where a later result is shown.
    pub(super) report: Option<Report>,
}

/// A click that changes something, by whichever transaction it is taken up.
struct Asked {
    keys: Vec<String>,
    request: Request,
    click: Click,
    /// The alert whose card was clicked.
    alert: Option<u64>,
    now: Timestamp,
}

/// What a click did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) toast: Option<(Tone, String)>,
    pub(super) card: Option<Card>,
    pub(super) task: Option<TaskKind>,
    pub(super) refused: bool,
    /// Global settings are others now.
    saved_settings: bool,
    /// Messages are owed.
    owes: bool,
}

impl Done {
    pub(super) fn card(card: Card) -> Self {
        Self { card: Some(card), ..Self::default() }
    }

    pub(super) fn with_task(self, task: TaskKind) -> Self {
        Self { task: Some(task), ..self }
    }

    pub(super) fn with_toast(self, cards: &crate::cards::Cards, toast: &Toast) -> Self {
        Self { toast: Some((toast.tone(), cards.words().toast(toast))), ..self }
    }

    fn answer(self) -> CallbackAnswer {
        let answer = match self.toast {
            Some((tone, text)) => CallbackAnswer::toast(toast_kind(tone), text),
            None => CallbackAnswer::default(),
        };
        match self.card {
            Some(card) => answer.with_card(card.value()),
            None => answer,
        }
    }
}

fn toast_kind(tone: Tone) -> ToastKind {
    match tone {
        Tone::Info => ToastKind::Info,
        Tone::Success => ToastKind::Success,
        Tone::Warning => ToastKind::Warning,
        Tone::Error => ToastKind::Error,
    }
}

impl Bot {
    /// Handles a card action.
    pub(super) async fn action(
        &self,
        event_id: String,
        action: CardAction,
    ) -> Result<Reaction, StoreError> {
        let words = self.reader.cards.words();
        let refuse = |refusal: Refusal| {
            CallbackAnswer::toast(ToastKind::Error, words.toast(&Toast::Refused(refusal)))
        };
        let Ok(operator) = OpenId::new(action.operator_open_id.clone()) else {
            return Ok(Reaction::Ignored);
        };
        let role = self.roles.of(&operator);
        // Nobody without a role learns which actions and users there are.
        if !role.may_read() {
            return Ok(Reaction::Denied(refuse(Refusal::NotAllowed)));
        }
        let action = match self.with_account(action).await? {
            Ok(action) => action,
            Err(refusal) => return Ok(Reaction::Answered(refuse(refusal))),
        };
        let request = match declared(&action).and_then(Request::of) {
            Ok(request) => request,
            Err(refusal) => return Ok(Reaction::Answered(refuse(refusal))),
        };
        let Some(allowed) = Allowed::check(role, request.needs()) else {
            return Ok(Reaction::Denied(refuse(Refusal::NotAllowed)));
        };
        let now = self.reader.clock.now();
        let value = serde_json::Value::Object(action.value.clone());
        let click = Click {
            operator,
            chat: action.chat_id.clone().and_then(|chat| ChatId::new(chat).ok()),
            look: Look::new(allowed.role(), now)
                .with_back(ListPlace::of_value(&value))
                .with_form(form_values(&action)),
            report: report(&action),
        };
        let keys: Vec<String> =
            (!event_id.is_empty()).then(|| format!("e:{event_id}")).into_iter().collect();
        let alert = value.get("alert").and_then(serde_json::Value::as_u64);
        let rings_access = matches!(request, Request::Access { .. });
        let rings_names = matches!(request, Request::Configure { .. });
        let done = if request.only_reads() {
            self.look_up(keys, request, click, alert, now).await?
        } else {
            self.carry_out(keys, request, click, alert, now).await?
        };
        let Some(done) = done else { return Ok(Reaction::Duplicate) };
        if done.task.is_some() {
            self.ring(done.task.as_ref());
        }
        if rings_access {
            self.wakers.access.notify_one();
        }
        if rings_names {
            self.wakers.names.notify_one();
        }
        self.wakers.policies.notify_one();
        if done.saved_settings {
            self.wakers.settings.notify_one();
        }
        if done.owes {
            self.wakers.outbox.notify_one();
        }
        Ok(Reaction::Answered(done.answer()))
    }

    /// Cards write a user as `account/username`. A value may also say `username`, as people do, where only one account has it.
    async fn with_account(
        &self,
        mut action: CardAction,
    ) -> Result<Result<CardAction, Refusal>, StoreError> {
        let bare = match action.value.get("user").and_then(serde_json::Value::as_str) {
            Some(name) if !name.is_empty() && !name.contains('/') => name.to_owned(),
            _ => return Ok(Ok(action)),
        };
        let found = self.store.reading(move |tx| match users::key_of(tx, &bare) {
            Ok(key) => Ok(Ok(key)),
            Err(Error::Refused(refusal)) => Ok(Err(refusal)),
            Err(Error::Store(error)) => Err(error),
        });
        Ok(found.await?.map(|key| {
            action.value.insert("user".to_owned(), key.to_string().into());
            action
        }))
    }

    /// What only reads is made of a snapshot, so that it does not keep writers waiting; then it is noted. `None` for what was
    /// handled before.
    async fn look_up(
        &self,
        keys: Vec<String>,
        request: Request,
        click: Click,
        alert: Option<u64>,
        now: Timestamp,
    ) -> Result<Option<Done>, StoreError> {
        let reader = Arc::clone(&self.reader);
        let looked_up = self.store.reading(move |tx| {
            if tx.is_seen(&keys, now)? {
                return Ok(None);
            }
            let click = reader.placed(tx, &click, alert)?;
            let opened = reader.open(tx, &request, &click, now);
            let done = match opened {
                Ok(done) => done,
                Err(Error::Store(error)) => return Err(error),
                Err(Error::Refused(refusal)) => {
                    reader.refusal(tx, &request, &click, refusal, now)?
                }
            };
            Ok::<_, StoreError>(Some((keys, done, click, tx.last_owed()?)))
        });
        let Some((keys, done, click, last_owed)) = looked_up.await? else { return Ok(None) };
        let noted = self.store.writing(move |tx| {
            if !tx.claim(&keys, now)? {
                return Ok(None);
            }
            owe_task(tx, &done, &click, now)?;
            renew(tx, &done, &click, last_owed)?;
            Ok::<_, StoreError>(Some(done))
        });
        noted.await
    }

    /// What changes something is done, noted and shown in one transaction. A refusal takes that transaction back, with
    /// whatever had been written by then, and is noted in another. `None` for what was handled before.
    async fn carry_out(
        &self,
        keys: Vec<String>,
        request: Request,
        click: Click,
        alert: Option<u64>,
        now: Timestamp,
    ) -> Result<Option<Done>, StoreError> {
        let asked = Arc::new(Asked { keys, request, click, alert, now });
        let (reader, taken_up) = (Arc::clone(&self.reader), Arc::clone(&asked));
        match self.store.writing(move |tx| reader.carry_out_click(tx, &taken_up)).await {
            Ok(done) => Ok(done),
            Err(Error::Store(error)) => Err(error),
            Err(Error::Refused(refusal)) => {
                let reader = Arc::clone(&self.reader);
                self.store.writing(move |tx| reader.note_refusal(tx, &asked, refusal)).await
            }
        }
    }
}

/// The look of a card whose form is empty again.
fn emptied(look: &Look) -> Look {
    Look { form: Default::default(), ..look.clone() }
}

/// The clicked card is where a later result is shown.
fn report(action: &CardAction) -> Option<Report> {
    let id = MessageId::new(action.message_id.clone()?).ok()?;
    let lane = chat_lane(action.chat_id.as_deref().unwrap_or(id.as_str()));
    Some(Report { target: UpdateTarget::Message { id }, lane })
}

impl Reader {
    /// The click with what the store knows of its place: the kind of chat, and the alert that stood there.
    fn placed<S: Source>(
        &self,
        tx: &View<S>,
        click: &Click,
        alert: Option<u64>,
    ) -> Result<Click, StoreError> {
        let mut click = click.clone();
        if let Some(chat) = &click.chat {
            click.look.in_group = tx.known_chat(chat.as_str())?.is_some_and(|chat| !chat.direct);
        }
        self.below_alert(tx, click, alert)
    }

    /// A card that takes the place of an alert in the group still says what the alert said.
    fn below_alert<S: Source>(
        &self,
        tx: &View<S>,
        mut click: Click,
        alert: Option<u64>,
    ) -> Result<Click, StoreError> {
        let alert = match alert {
            Some(id) => tx.alert(id)?,
            None => None,
        };
        if let Some(alert) = alert {
            let words = self.cards.words();
            let (title, time) = (words.alert_title(&alert), words.time(alert.at));
            let text = words.t("alert.before", &[("title", &title), ("time", &time)]);
            click.look = click.look.with_banner(Tone::Warning, text);
        }
        Ok(click)
    }

    /// Refuses what belongs into the direct chat: without the card, which would show it here.
    fn direct_only(&self) -> Done {
        let text = self.cards.words().toast(&Toast::Refused(Refusal::DirectChatOnly));
        Done { toast: Some((Tone::Error, text)), refused: true, ..Done::default() }
    }

    /// Does what a click asks for; a form unless its `op` was applied before. An error of any kind takes the transaction
    /// back, so that what is refused has changed nothing.
    fn carry_out_click(&self, tx: &WriteTx, asked: &Asked) -> Result<Option<Done>, Error> {
        let Asked { keys, request, click, alert, now } = asked;
        if !tx.claim(keys, *now)? {
            return Ok(None);
        }
        if request.is_direct_only()
            && (click.chat.is_none() || tx.direct_chat(&click.operator)? != click.chat)
        {
            return Ok(Some(self.direct_only()));
        }
        let click = self.placed(tx, click, *alert)?;
        if let Some(done) = self.answered_before(tx, request, &click, *now)? {
            return Ok(Some(done));
        }
        let done = self.perform(tx, request, &click, *now)?;
        note_outcome(tx, request, &done, *now)?;
        owe_task(tx, &done, &click, *now)?;
        renew(tx, &done, &click, u64::MAX)?;
        Ok(Some(done))
    }

    /// Notes that a click was refused, where nothing else has become of it in between.
    fn note_refusal(
        &self,
        tx: &WriteTx,
        asked: &Asked,
        refusal: Refusal,
    ) -> Result<Option<Done>, StoreError> {
        let Asked { keys, request, click, alert, now } = asked;
        if !tx.claim(keys, *now)? {
            return Ok(None);
        }
        let click = self.placed(tx, click, *alert)?;
        if let Some(done) = self.answered_before(tx, request, &click, *now)? {
            return Ok(Some(done));
        }
        let done = self.refusal(tx, request, &click, refusal, *now)?;
        note_outcome(tx, request, &done, *now)?;
        renew(tx, &done, &click, u64::MAX)?;
        Ok(Some(done))
    }

    /// The first outcome of a form whose `op` was submitted before.
    fn answered_before(
        &self,
        tx: &WriteTx,
        request: &Request,
        click: &Click,
        now: Timestamp,
    ) -> Result<Option<Done>, StoreError> {
        let Some(op) = request.op() else { return Ok(None) };
        let Some(first) = tx.op_outcome(op)? else { return Ok(None) };
        // What was applied must not come back filled in, under a new `op`: one more press would apply it again.
        let look = if first.refused {
            click.look.clone().with_banner(Tone::Error, first.toast.clone())
        } else {
            emptied(&click.look)
        };
        let card = self.shown(tx, request, &look, now)?;
        let tone = match (first.refused, first.succeeded) {
            (true, _) => Tone::Error,
            (false, true) => Tone::Success,
            (false, false) => Tone::Info,
        };
        let toast = (!first.toast.is_empty()).then_some((tone, first.toast));
        Ok(Some(Done { toast, card, refused: first.refused, ..Done::default() }))
    }

    /// A refusal comes back as a toast and the card with what was typed.
    fn refusal<S: Source>(
        &self,
        tx: &View<S>,
        request: &Request,
        click: &Click,
        refusal: Refusal,
        now: Timestamp,
    ) -> Result<Done, StoreError> {
        let text = self.cards.words().toast(&Toast::Refused(refusal));
        let look = click.look.clone().with_banner(Tone::Error, text.clone());
        let card = self.shown(tx, request, &look, now)?;
        let toast = Some((Tone::Error, text));
        Ok(Done { toast, card, refused: true, ..Done::default() })
    }

    /// The card that a request shows, where it can be shown.
    fn shown<S: Source>(
        &self,
        tx: &View<S>,
        request: &Request,
        look: &Look,
        now: Timestamp,
    ) -> Result<Option<Card>, StoreError> {
        match self.show(tx, request, look, now) {
            Ok(card) => Ok(Some(card)),
            Err(Error::Store(error)) => Err(error),
            Err(Error::Refused(_)) => Ok(None),
        }
    }

    /// What only opens another card.
    fn open<S: Source>(
        &self,
        tx: &View<S>,
        request: &Request,
        click: &Click,
        now: Timestamp,
    ) -> Result<Done, Error> {
        let look = Look { form: Default::default(), ..click.look.clone() };
        let Request::ProjectsOpen { user, page } = request else {
            return self.show(tx, request, &look, now).map(Done::card);
        };
        let view = projects::view(tx, user, *page, now)?;
        let wanted = look.role.may_change() && projects::list_is_old(&view, now);
        let task = wanted.then(|| TaskKind::RefreshProjects {
            account: user.account.clone(),
            user: user.clone(),
        });
        Ok(Done { task, ..Done::card(self.cards.projects(&view, &look)) })
    }

    fn perform(
        &self,
        tx: &WriteTx,
        request: &Request,
        click: &Click,
        now: Timestamp,
    ) -> Result<Done, Error> {
        // After a form was applied its fields are empty again.
        let clean = emptied(&click.look);
        let show = || self.show(tx, request, &clean, now).map(Done::card);
        let cards = &self.cards;
        match request {
            Request::UsersList(_)
            | Request::UserOpen { .. }
            | Request::ProjectsOpen { .. }
            | Request::QuotaOpen { .. }
            | Request::BillingOpen { .. }
            | Request::AlertsList { .. }
            | Request::ConfigureOpen { .. }
            | Request::ConfigOpen => self.open(tx, request, click, now),
            Request::Access { user, goal, .. } => {
                let by = operator(tx, &click.operator)?;
                access::request(tx, user, *goal, by, click.report.clone(), now)?;
                let toast = Toast::AccessChanging { user: user.clone(), goal: *goal };
                Ok(show()?.with_toast(cards, &toast))
            }
            Request::ProjectAdd { user, link, .. } => {
                let linked = projects::add(tx, user, link, now)?;
                let report = click.report.clone();
                let project = &linked.link.project;
                policies::want(tx, user, project, &self.project_policies, report, now)?;
                let label = linked.link.label().to_owned();
                let mut look = clean.clone();
                if !linked.listed {
                    let text = cards.words().t("projects.not_in_list", &[("project", &label)]);
                    look = look.with_banner(Tone::Warning, text);
                }
                let card = self.show(tx, request, &look, now)?;
                Ok(Done::card(card).with_toast(cards, &Toast::ProjectAdded { label }))
            }
            Request::ProjectToggle { user, project, monitored, .. } => {
                projects::toggle(tx, user, project, *monitored, now)?;
                let link = tx.link(user, project)?;
                let label = link.map_or_else(|| project.to_string(), |l| l.label().to_owned());
                let toast = Toast::ProjectToggled { label, enabled: monitored.is_on() };
                Ok(show()?.with_toast(cards, &toast))
            }
            Request::ProjectRemove { user, project, .. } => {
                let link = tx.link(user, project)?;
                projects::remove(tx, user, project, now)?;
                policies::release(tx, user, project, click.report.clone(), now)?;
                let label = link.map_or_else(|| project.to_string(), |l| l.label().to_owned());
                Ok(show()?.with_toast(cards, &Toast::ProjectRemoved { label }))
            }
            Request::ToggleAll { user, monitored } => {
                let links = projects::toggle_all(tx, user, *monitored, now)?;
                let toast = Toast::AllToggled { enabled: monitored.is_on(), links };
                Ok(show()?.with_toast(cards, &toast))
            }
            Request::Allocate { user, amount, note, .. } => {
                let amount = Money::parse_input(amount).map_err(Refusal::from)?;
                let by = operator(tx, &click.operator)?;
                let settings = self.settings(tx)?;
                let new = Allocation { user, amount, note, operator: &by };
                let done = quota::allocate(tx, &settings, &new, now)?;
                let toast = Toast::QuotaAllocated { amount, total: done.entry.total_after };
                Ok(Done::card(cards.quota(&done.quota, &clean)).with_toast(cards, &toast))
            }
            Request::Create(request) => self.create(tx, request, click, now),
            Request::MonitorRun { .. } => {
                let running = self.monitor.progress().running_since.is_some();
                let toast = if running { Toast::CycleRunning } else { Toast::CycleStarted };
                let card = cards.processing(&Processing::Monitor, &clean);
                let done = Done { task: Some(TaskKind::MonitorRun), ..Done::card(card) };
                Ok(done.with_toast(cards, &toast))
            }
            Request::Configure { user, settings, .. } => {
                let rest = configure::save(tx, user, settings, now)?;
                if rest.is_empty() {
                    let detail = users::detail(tx, &self.settings(tx)?, users::get(tx, user)?)?;
                    let done = Done::card(cards.user(&detail, &clean));
                    return Ok(done.with_toast(cards, &Toast::UserSaved { user: user.clone() }));
                }
                let card = cards.processing(&Processing::Profile(user.clone()), &clean);
                let task = TaskKind::UpdateProfile {
                    user: user.clone(),
                    profile: rest.profile,
                    owner_mobile: rest.owner_mobile,
                };
                let done = Done::card(card).with_task(task);
                Ok(done.with_toast(cards, &Toast::UserSaving { user: user.clone() }))
            }
            Request::ConfigSave { settings, .. } => {
                settings::save(tx, &self.settings, &self.base_url, settings, now)?;
                let done = Done { saved_settings: true, ..show()? };
                Ok(done.with_toast(cards, &Toast::SettingsSaved))
            }
            Request::ConfigTest { .. } => {
                let body = AlertBody::Error {
                    problem: Problem::Test { operator: operator(tx, &click.operator)? },
                };
                self.alerts.raise(tx, None, body, now)?;
                let done = Done { owes: true, ..show()? };
                Ok(done.with_toast(cards, &Toast::TestAlertOwed))
            }
            Request::AccountsOpen { replacing, page } => {
                silence(tx, click)?;
                let view = accounts::view(tx, replacing.as_ref(), *page)?;
                let wanted = replacing.is_none() && accounts::balances_are_old(&view, now);
                let task = wanted.then_some(TaskKind::ReadBalances);
                Ok(Done { task, ..Done::card(cards.accounts(&view, &clean)) })
            }
            Request::AccountSave { account, .. } => {
                let task = accounts::save(tx, &self.store, account)?;
                silence(tx, click)?;
                let id = match &task {
                    TaskKind::CheckAccount { account, .. } => account.clone(),
                    _ => return show(),
                };
                let card = cards.processing(&Processing::Account(id), &clean);
                let done = Done { task: Some(task), ..Done::card(card) };
                Ok(done.with_toast(cards, &Toast::AccountChecking))
            }
            Request::AccountToggle { account, active, .. } => {
                accounts::toggle(tx, account, *active, now)?;
                silence(tx, click)?;
                let name = tx.account(account)?.map(|account| account.name).unwrap_or_default();
                let toast = Toast::AccountToggled { account: name, enabled: active.is_on() };
                Ok(show()?.with_toast(cards, &toast))
            }
        }
    }

    /// The card that a request shows, before or after it was done.
    fn show<S: Source>(
        &self,
        tx: &View<S>,
        request: &Request,
        look: &Look,
        now: Timestamp,
    ) -> Result<Card, Error> {
        let settings = self.settings(tx)?;
        let cards = &self.cards;
        Ok(match request {
            Request::UsersList(place) => {
                let page = users::list(tx, &settings, place.filter, &place.query, place.page)?;
                cards.users(&page, look)
            }
            Request::UserOpen { user } | Request::Access { user, .. } => {
                cards.user(&users::detail(tx, &settings, users::get(tx, user)?)?, look)
            }
            Request::ProjectsOpen { user, page }
            | Request::ProjectToggle { user, page, .. }
            | Request::ProjectRemove { user, page, .. } => {
                cards.projects(&projects::view(tx, user, *page, now)?, look)
            }
            Request::ProjectAdd { user, .. } | Request::ToggleAll { user, .. } => {
                cards.projects(&projects::view(tx, user, 1, now)?, look)
            }
            Request::QuotaOpen { user } | Request::Allocate { user, .. } => {
                cards.quota(&quota::view(tx, &settings, user)?, look)
            }
            Request::BillingOpen { period, user, page } => {
                cards.billing(&billing::view(tx, *period, user.as_ref(), *page, now)?, look)
            }
            Request::AlertsList { user, kind, page } => {
                cards.alerts(&alerts::view(tx, user.as_ref(), *kind, *page)?, look)
            }
            Request::Create(request) => self.create_card(tx, request, look)?,
            Request::MonitorRun { .. } => cards.monitor(&self.monitor_view(tx, &settings)?, look),
            Request::ConfigureOpen { user } | Request::Configure { user, .. } => {
                let user = users::get(tx, user)?;
                let people = configure::possible_owners(tx, &user)?;
                cards.configure(&users::detail(tx, &settings, user)?, &people, look)
            }
            Request::ConfigOpen | Request::ConfigSave { .. } | Request::ConfigTest { .. } => {
                cards.settings(&settings::view(tx, &self.settings)?, look)
            }
            Request::AccountsOpen { replacing, page } => {
                cards.accounts(&accounts::view(tx, replacing.as_ref(), *page)?, look)
            }
            Request::AccountSave { account, page, .. } => {
                cards.accounts(&accounts::view(tx, account.known.as_ref(), *page)?, look)
            }
            Request::AccountToggle { page, .. } => {
                cards.accounts(&accounts::view(tx, None, *page)?, look)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_goes_to_the_clicked_card_in_its_chat() {
        let mut action = CardAction {
            operator_open_id: "ou_1".to_owned(),
            message_id: Some("om_1".to_owned()),
            chat_id: Some("oc_1".to_owned()),
            value: serde_json::Map::new(),
            name: None,
            form: serde_json::Map::new(),
            option: None,
            input: None,
        };
        let found = report(&action).unwrap();
        assert_eq!(found.lane, "chat:oc_1");
        action.message_id = None;
        assert_eq!(report(&action), None);
    }
}
