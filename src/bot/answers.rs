//! Commands: what each answers.

use std::sync::Arc;

use super::command::{COMMANDS, Command, Needs, ParseError, parse};
use super::roles::Allowed;
use super::{Bot, Place, Reaction, Reply, operator};
use crate::app::export::Table;
use crate::app::outcome::UserFilter;
use crate::app::quota::Allocation;
use crate::app::{
    Error, Refusal, access, accounts, alerts, billing, create, me, projects, quota, settings, users,
};
use crate::cards::{
    Candidate, CandidatesView, Card, HelpRow, HelpView, Look, Processing, Role, Toast, Tone,
};
use crate::domain::{AccessGoal, OpenId, TaskKind, UserKey};
use crate::feishu::CallbackAnswer;
use crate::store::{Source, StoreError, View, WriteTx};

/// Who asks, with the proof that they may, and whether only they read the answer.
struct Asker {
    person: OpenId,
    allowed: Allowed,
    direct: bool,
}

impl Bot {
    /// Answers a text that a person wrote to the bot.
    pub(super) async fn answer(
        &self,
        sender: OpenId,
        text: &str,
        place: Place,
    ) -> Result<Reaction, StoreError> {
        let now = self.reader.clock.now();
        let role = self.roles.of(&sender);
        let direct = place.direct;
        let parsed = parse(text);
        let needs = parsed.as_ref().map_or_else(ParseError::needs, Command::needs);
        let allowed = Allowed::check(role, needs);
        let denied = allowed.is_none();
        // What only reads is made before the transaction that notes it, so that it does not keep writers waiting.
        let prepared = match (&parsed, allowed) {
            (_, None) => Some(Reply::card(self.reader.denied_card(&sender))),
            (Err(error), Some(allowed)) => {
                Some(Reply::card(self.reader.not_understood(error, allowed)))
            }
            (Ok(command), Some(allowed)) if !command.writes() => {
                let (bot, command) = (Arc::clone(&self.reader), command.clone());
                let asker = Asker { person: sender.clone(), allowed, direct };
                let reply =
                    self.store.reading(move |tx| bot.reply(tx, &command, &asker, now)).await?;
                Some(reply)
            }
            _ => None,
        };
        let (bot, sender) = (Arc::clone(&self.reader), Arc::new(sender));
        let place = Arc::new(place);
        let (taken_up, by) = (Arc::clone(&place), Arc::clone(&sender));
        let handled = self.store.writing(move |tx| {
            if !taken_up.begin(tx, &by, now)? {
                return Ok::<_, Error>(None);
            }
            let reply = match (prepared, parsed) {
                (Some(reply), _) => reply,
                (None, Ok(command)) => bot.carry_out(tx, &command, &by, role, direct)?,
                (None, Err(_)) => return Ok(Some(None)),
            };
            taken_up.owe(tx, &reply, now)?;
            Ok(Some(reply.task))
        });
        let handled = match handled.await {
            Ok(handled) => handled,
            Err(Error::Store(error)) => return Err(error),
            // It took the transaction back, with whatever had been written by then.
            Err(refused) => {
                let bot = Arc::clone(&self.reader);
                let answered = self.store.writing(move |tx| {
                    if !place.begin(tx, &sender, now)? {
                        return Ok::<_, StoreError>(None);
                    }
                    place.owe(tx, &Reply::card(bot.refused(tx, refused)?), now)?;
                    Ok(Some(None))
                });
                answered.await?
            }
        };
        let Some(task) = handled else { return Ok(Reaction::Duplicate) };
        self.ring(task.as_ref());
        Ok(if denied { Reaction::Denied(CallbackAnswer::default()) } else { Reaction::Handled })
    }
}

impl Command {
    /// Whether it changes the store beyond what it owes in reply.
    fn writes(&self) -> bool {
        matches!(self, Command::Allocate { .. })
    }
}

impl super::Reader {
    /// A command that changes something; an error of any kind is to take the transaction back.
    fn carry_out(
        &self,
        tx: &WriteTx,
        command: &Command,
        sender: &OpenId,
        role: Role,
        direct: bool,
    ) -> Result<Reply, Error> {
        let now = self.clock.now();
        let Command::Allocate { name, amount, note } = command else {
            let Some(allowed) = Allowed::check(role, command.needs()) else {
                return Ok(Reply::card(self.denied_card(sender)));
            };
            let asker = Asker { person: sender.clone(), allowed, direct };
            return Ok(self.reply(tx, command, &asker, now)?);
        };
        let settings = self.settings(tx)?;
        let look = Look::new(role, now);
        let user = users::find(tx, name)?;
        let by = operator(tx, sender)?;
        let new = Allocation { user: &user.key, amount: *amount, note, operator: &by };
        let done = quota::allocate(tx, &settings, &new, now)?;
        let toast =
            Toast::QuotaAllocated { amount: done.entry.amount, total: done.entry.total_after };
        let text = self.cards.words().toast(&toast);
        Ok(Reply::card(self.cards.quota(&done.quota, &look.with_banner(Tone::Success, text))))
    }

    /// A command that only reads, or that asks for work.
    fn reply<S: Source>(
        &self,
        tx: &View<S>,
        command: &Command,
        asker: &Asker,
        now: jiff::Timestamp,
    ) -> Result<Reply, StoreError> {
        match self.read(tx, command, asker, now) {
            Ok(reply) => Ok(reply),
            Err(error) => Ok(Reply::card(self.refused(tx, error)?)),
        }
    }

    fn read<S: Source>(
        &self,
        tx: &View<S>,
        command: &Command,
        asker: &Asker,
        now: jiff::Timestamp,
    ) -> Result<Reply, Error> {
        let allowed = asker.allowed;
        let settings = self.settings(tx)?;
        let look = Look::new(allowed.role(), now);
        let cards = &self.cards;
        let key_of = |name: &Option<String>| -> Result<Option<UserKey>, Error> {
            name.as_ref().map(|name| users::find(tx, name).map(|user| user.key)).transpose()
        };
        Ok(Reply::card(match command {
            Command::Help => self.help(allowed.role(), None, None),
            Command::Users { query } => {
                cards.users(&users::list(tx, &settings, UserFilter::All, query, 1)?, &look)
            }
            Command::User { name } => {
                cards.user(&users::detail(tx, &settings, users::find(tx, name)?)?, &look)
            }
            Command::Projects { name } => {
                let key = users::find(tx, name)?.key;
                let view = projects::view(tx, &key, 1, now)?;
                let task =
                    (allowed.role().may_change() && projects::list_is_old(&view, now)).then(|| {
                        TaskKind::RefreshProjects {
                            account: key.account.clone(),
                            user: key.clone(),
                        }
                    });
                return Ok(Reply::card(cards.projects(&view, &look)).then(task));
            }
            Command::Quota { name } | Command::Allocate { name, .. } => {
                let key = users::find(tx, name)?.key;
                cards.quota(&quota::view(tx, &settings, &key)?, &look)
            }
            Command::Billing { name, period } => {
                let key = key_of(name)?;
                cards.billing(&billing::view(tx, *period, key.as_ref(), 1, now)?, &look)
            }
            Command::Alerts { name } => {
                let key = key_of(name)?;
                cards.alerts(&alerts::view(tx, key.as_ref(), None, 1)?, &look)
            }
            Command::Enable { name } => self.confirm(tx, name, AccessGoal::Restored, &look)?,
            Command::Disable { name } => self.confirm(tx, name, AccessGoal::Cut, &look)?,
            Command::Monitor => cards.monitor(&self.monitor_view(tx, &settings)?, &look),
            Command::Create => cards.create(&create::view(tx)?, &look),
            Command::Sync => {
                let active = tx.accounts()?.into_iter().any(|account| account.active.is_on());
                if !active {
                    return Err(Refusal::NoAccount.into());
                }
                let card = cards.processing(&Processing::Sync, &look);
                return Ok(Reply::card(card).then(Some(TaskKind::Sync)));
            }
            Command::Config => cards.settings(&settings::view(tx, &self.settings)?, &look),
            Command::Accounts => {
                if !asker.direct {
                    return Err(Refusal::DirectChatOnly.into());
                }
                let view = accounts::view(tx, None, 1)?;
                let task = accounts::balances_are_old(&view, now).then_some(TaskKind::ReadBalances);
                return Ok(Reply::card(cards.accounts(&view, &look)).then(task));
            }
            Command::Export { table } => {
                let words = cards.words();
                let others: Vec<String> = Table::ALL
                    .iter()
                    .filter(|other| *other != table)
                    .map(|other| format!("/export {}", other.word()))
                    .collect();
                let text = words.t("export.text", &[("others", &others.join("  "))]);
                let title = words.t("export.title", &[("table", &table.word())]);
                let card = cards.message(Tone::Info, &title, &text);
                return Ok(Reply { file: Some(*table), ..Reply::card(card) });
            }
            Command::Me => cards.me(&me::view(tx, &settings, &asker.person, now)?, &look),
            Command::MonitorRun => {
                let card = cards.processing(&Processing::Monitor, &look);
                return Ok(Reply::card(card).then(Some(TaskKind::MonitorRun)));
            }
        }))
    }

    fn confirm<S: Source>(
        &self,
        tx: &View<S>,
        name: &str,
        goal: AccessGoal,
        look: &Look,
    ) -> Result<Card, Error> {
        let key = users::find(tx, name)?.key;
        let user = access::check(tx, &key, goal)?;
        let detail = users::detail(tx, &self.settings(tx)?, user)?;
        Ok(self.cards.access_confirm(&detail, goal, look))
    }

    /// The card that says why something was not done: candidates to choose from, or the reason.
    pub(super) fn refused<S: Source>(
        &self,
        tx: &View<S>,
        error: Error,
    ) -> Result<Card, StoreError> {
        let refusal = match error {
            Error::Store(error) => return Err(error),
            Error::Refused(refusal) => refusal,
        };
        let look = Look::new(Role::Viewer, self.clock.now());
        let words = self.cards.words();
        let meant = match &refusal {
            Refusal::AmbiguousUser { name, candidates } => Some((name, candidates, None)),
            Refusal::NoSuchUser { name, nearest } => {
                Some((name, nearest, Some(words.refusal(&refusal))))
            }
            _ => None,
        };
        if let Some((name, candidates, nobody)) = meant {
            let candidates = candidates
                .iter()
                .map(|key| {
                    let display_name = tx.user(key)?.map(|user| user.display_name);
                    let display_name = display_name.unwrap_or_default();
                    Ok(Candidate { key: key.clone(), display_name })
                })
                .collect::<Result<_, StoreError>>()?;
            let view = CandidatesView { name: name.clone(), candidates, nobody };
            return Ok(self.cards.candidates(&view, &look));
        }
        let words = self.cards.words();
        Ok(self.cards.message(
            Tone::Error,
            &words.t("refused.title", &[]),
            &words.refusal(&refusal),
        ))
    }

    /// The card for somebody whose role does not allow it. It names the person's id: that is what the administrator of a new
    /// installation has to put into the configuration.
    pub(super) fn denied_card(&self, sender: &OpenId) -> Card {
        let words = self.cards.words();
        let text = words.t("denied.text", &[("open_id", sender)]);
        self.cards.message(Tone::Error, &words.t("denied.title", &[]), &text)
    }

    /// The card for a text that is no command, or one with wrong arguments.
    fn not_understood(&self, error: &ParseError, allowed: Allowed) -> Card {
        let words = self.cards.words();
        let message =
            |text: String| self.cards.message(Tone::Error, &words.t("refused.title", &[]), &text);
        match error {
            ParseError::Empty => self.help(allowed.role(), None, None),
            ParseError::Unknown { typed, nearest } => {
                // Nobody is pointed to a command that they may not use.
                let usable = nearest.filter(|name| {
                    let spec = COMMANDS.iter().find(|spec| spec.name == *name);
                    spec.is_some_and(|spec| Allowed::check(allowed.role(), spec.needs).is_some())
                });
                self.help(allowed.role(), Some(typed), usable)
            }
            ParseError::Missing { command } => {
                message(words.t("command.missing_argument", &[("usage", &command.usage())]))
            }
            ParseError::Surplus { command, argument } => message(words.t(
                "command.surplus_argument",
                &[
                    ("argument", &crate::cards::text::clip(argument, 40)),
                    ("usage", &command.usage()),
                ],
            )),
            ParseError::BadAmount(error) => message(words.refusal(&Refusal::BadAmount(*error))),
            ParseError::BadPeriod(text) => {
                message(words.refusal(&Refusal::BadPeriod(text.clone())))
            }
        }
    }

    fn help(&self, role: Role, unknown: Option<&str>, nearest: Option<&str>) -> Card {
        self.help_with(role, unknown, nearest, None)
    }

    /// The help card, with a notice on top.
    pub(super) fn help_with(
        &self,
        role: Role,
        unknown: Option<&str>,
        nearest: Option<&str>,
        notice: Option<(Tone, String)>,
    ) -> Card {
        let words = self.cards.words();
        let rows = COMMANDS
            .iter()
            .filter(|spec| Allowed::check(role, spec.needs).is_some())
            .map(|spec| HelpRow {
                usage: spec.usage(),
                alias: spec.aliases.join(" "),
                about: words.t(spec.about, &[]),
                admin_only: spec.needs == Needs::Admin,
                command: format!("/{}", spec.name),
            })
            .collect();
        let view = HelpView {
            rows,
            unknown: unknown.map(str::to_owned),
            nearest: nearest.map(|name| format!("/{name}")),
        };
        let look = Look::new(role, self.clock.now());
        let look = match notice {
            Some((tone, text)) => look.with_banner(tone, text),
            None => look,
        };
        self.cards.help(&view, &look)
    }
}
