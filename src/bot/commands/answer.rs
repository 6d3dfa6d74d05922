//! Answers a text: checks who may use the command, makes the reply, and commits it with the command's effect.

use std::sync::Arc;

use jiff::Timestamp;

use super::command::{Change, Command, ParseError, Query, Whom};
use super::parse::{Parsed, parse};
use super::queries::{Requester, meant};
use crate::app::people::PeopleRefusal;
use crate::app::requests::{self, NewRequest};
use crate::app::{Error, Refusal, SplitRefusal, quota};
use crate::bot::actions::{Wanted, allocate, me_card};
use crate::bot::handlers::Handlers;
use crate::bot::origin::{Origin, Reply};
use crate::bot::reaction::Reaction;
use crate::bot::roles::Allowed;
use crate::bot::state::Bot;
use crate::cards::{
    Candidate, CandidatesView, Card, CardContext, Chosen, Processing, Toast, Tone, Typed,
};
use crate::domain::ledger::check_note;
use crate::domain::{OpenId, Role, TaskKind, temporary};
use crate::feishu::{CallbackAnswer, Piece};
use crate::store::{Source, StoreError, View, WriteTx};

/// How the reply is made.
enum Answer {
    /// It was made before the write transaction.
    Ready(Reply),
    /// The write transaction carries this out and makes it.
    Pending(Change, Requester),
}

impl Bot {
    /// Answers what a person wrote to the bot.
    pub(in crate::bot) async fn answer(
        &self,
        sender: OpenId,
        pieces: &[Piece],
        origin: Origin,
    ) -> Result<Reaction, StoreError> {
        let now = self.handlers.clock.now();
        let Parsed { needs, command } = parse(pieces);
        let allowed = Allowed::check(self.roles.of(&sender), needs);
        let answer = match (allowed, command) {
            (None, _) => Answer::Ready(Reply::card(self.handlers.denied_card(&sender))),
            (Some(allowed), Err(error)) => {
                let requester =
                    Requester { person: sender.clone(), allowed, direct: origin.direct };
                Answer::Ready(
                    self.named_alone(&error, requester, now).await?.unwrap_or_else(|| {
                        Reply::card(self.handlers.not_understood(&error, allowed))
                    }),
                )
            }
            (Some(allowed), Ok(command)) => {
                let requester =
                    Requester { person: sender.clone(), allowed, direct: origin.direct };
                match command {
                    // Made on a snapshot, so that it does not keep writers waiting.
                    Command::Query(query) => {
                        let handlers = Arc::clone(&self.handlers);
                        let made = self.store.looking(move |tx| {
                            let reply = handlers.query(tx, &query, &requester, now);
                            let ctx = requester.context(now);
                            let reply = handlers.or_refused(tx, reply, query.chosen(now), &ctx)?;
                            Ok::<_, StoreError>(reply.made_on(tx.card_changes()?))
                        });
                        Answer::Ready(made.await?)
                    }
                    Command::Change(change) => Answer::Pending(change, requester),
                }
            }
        };
        let task = match self.commit(answer, Arc::new(origin), sender, now).await? {
            Some(reply) => reply.task,
            None => return Ok(Reaction::Duplicate),
        };
        self.wakers.outbox.notify_one();
        if let Some(task) = &task {
            self.wake_for_task(task);
        }
        Ok(match allowed {
            Some(_) => Reaction::Handled,
            None => Reaction::Denied(CallbackAnswer::default()),
        })
    }

    /// Opens the user whose name is all that was written, for those who may see users. Returns `None` if it is no name.
    async fn named_alone(
        &self,
        error: &ParseError,
        requester: Requester,
        now: Timestamp,
    ) -> Result<Option<Reply>, StoreError> {
        let ParseError::Unknown { name: Some(name), .. } = error else { return Ok(None) };
        if !requester.allowed.role().may_read() {
            return Ok(None);
        }
        let query = Query::User { whom: Whom::Named(name.clone()) };
        let handlers = Arc::clone(&self.handlers);
        let opened = self.store.looking(move |tx| {
            let reply = handlers.query(tx, &query, &requester, now);
            if let Err(Error::Refused(Refusal::NoSuchUser { .. })) = &reply {
                return Ok(None);
            }
            let reply =
                handlers.or_refused(tx, reply, query.chosen(now), &requester.context(now))?;
            Ok::<_, StoreError>(Some(reply.made_on(tx.card_changes()?)))
        });
        opened.await
    }

    /// Claims the command, carries it out and enqueues the reply in one transaction. A refusal rolls it back, and a second
    /// transaction says why. Returns `None` if the command was handled before.
    async fn commit(
        &self,
        answer: Answer,
        origin: Arc<Origin>,
        sender: OpenId,
        now: Timestamp,
    ) -> Result<Option<Reply>, StoreError> {
        let sender = Arc::new(sender);
        let (handlers, from, by) =
            (Arc::clone(&self.handlers), Arc::clone(&origin), Arc::clone(&sender));
        let chosen = match &answer {
            Answer::Ready(_) => Chosen::User,
            Answer::Pending(change, _) => change.chosen(),
        };
        let committed = self.store.writing(move |tx| {
            if !from.claim(tx, &by, now)? {
                return Ok::<_, Error>(None);
            }
            let reply = match answer {
                Answer::Ready(reply) => reply,
                Answer::Pending(change, requester) => {
                    handlers.carry_out(tx, &change, &requester, now)?
                }
            };
            from.enqueue(tx, &handlers.alerts, &reply, now)?;
            Ok(Some(reply))
        });
        let refusal = match committed.await.split_refusal()? {
            Ok(committed) => return Ok(committed),
            Err(refusal) => refusal,
        };
        let handlers = Arc::clone(&self.handlers);
        let refused = self.store.writing(move |tx| {
            if !origin.claim(tx, &sender, now)? {
                return Ok::<_, StoreError>(None);
            }
            // Who was refused a change may make changes.
            let ctx = CardContext::new(Role::Admin, now);
            let reply = Reply::card(handlers.refused_card(tx, &refusal, chosen, &ctx)?);
            origin.enqueue(tx, &handlers.alerts, &reply, now)?;
            Ok(Some(reply))
        });
        refused.await
    }
}

impl Handlers {
    /// Carries out a command that changes something or starts work. Any error rolls the transaction back.
    fn carry_out(
        &self,
        tx: &WriteTx,
        change: &Change,
        requester: &Requester,
        now: Timestamp,
    ) -> Result<Reply, Error> {
        let ctx = requester.context(now);
        match change {
            Change::Sync => {
                let active = tx.accounts()?.into_iter().any(|account| account.active.is_on());
                if !active {
                    return Err(Refusal::NoAccount.into());
                }
                let card = self.cards.processing(&Processing::Sync, &ctx);
                Ok(Reply::card(card).with_task(TaskKind::Sync))
            }
            Change::MonitorRun => {
                let card = self.cards.processing(&Processing::Monitor, &ctx);
                Ok(Reply::card(card).with_task(TaskKind::MonitorRun))
            }
            Change::Request { whom, amount, until, reason } => {
                let person = &requester.person;
                let user = match whom {
                    Some(Whom::Named(name)) => requests::owned_called(tx, person, name)?,
                    Some(Whom::Mentioned(Some(owner))) if owner == person => {
                        requests::only_owned(tx, person)?
                    }
                    Some(Whom::Mentioned(_)) => return Err(PeopleRefusal::NotOwner.into()),
                    None => requests::only_owned(tx, person)?,
                };
                let until = temporary::last_day(until, now).map_err(PeopleRefusal::LastDay)?;
                let new = NewRequest { user: &user, amount: *amount, reason, until };
                let by = self.operator(tx, person)?;
                let request = requests::ask(tx, &self.settings(tx)?, &new, &by, now)?;
                self.alerts.ask_for_decision(tx, request, now)?;
                let text = self.cards.words().toast(&Toast::RequestMade);
                let ctx = ctx.with_banner(Tone::Success, text);
                Ok(Reply::card(me_card(self, tx, Some(&user), &ctx)?))
            }
            Change::Allocate { whom, amount, note } => {
                let user = meant(tx, whom)?.key;
                let by = &requester.person;
                if let Some(asked) = quota::asks_back(tx, &user, *amount)?
                    && check_note(note).is_ok()
                {
                    let typed = Typed { note, until: "", with_access: false };
                    return Ok(Reply::card(self.cards.ask_back(&asked, &typed, &ctx)));
                }
                let wanted = Wanted { user: &user, amount: *amount, note, until: None };
                let done = allocate(self, tx, &wanted, by, &ctx)?;
                let mut text = self.cards.words().toast(&done.toast);
                if let Some(banner) = &done.said.banner {
                    text = format!("{text}\n{}", banner.text);
                }
                let ctx = ctx.with_banner(done.said.tone(&done.toast), text);
                Ok(Reply::card(self.cards.quota(&done.quota, &ctx)))
            }
        }
    }

    /// The reply, or the card that says why it was refused.
    fn or_refused<S: Source>(
        &self,
        tx: &View<S>,
        reply: Result<Reply, Error>,
        chosen: Chosen,
        ctx: &CardContext,
    ) -> Result<Reply, StoreError> {
        match reply.split_refusal()? {
            Ok(reply) => Ok(reply),
            Err(refusal) => Ok(Reply::card(self.refused_card(tx, &refusal, chosen, ctx)?)),
        }
    }

    /// The card that says why a command was refused. For an ambiguous or unknown name, it lists users to
    /// choose from; choosing one goes on with the command.
    fn refused_card<S: Source>(
        &self,
        tx: &View<S>,
        refusal: &Refusal,
        chosen: Chosen,
        ctx: &CardContext,
    ) -> Result<Card, StoreError> {
        let words = self.cards.words();
        let (name, candidates, nobody) = match refusal {
            Refusal::AmbiguousUser { name, candidates } => (name, candidates, None),
            Refusal::SeveralOwned { person, candidates } => {
                (person, candidates, Some(words.refusal(refusal)))
            }
            Refusal::NoSuchUser { name, nearest } => (name, nearest, Some(words.refusal(refusal))),
            _ => {
                let (title, text) = (words.t("refused.title", &[]), words.refusal(refusal));
                let tone = match refusal {
                    // Nothing is wrong.
                    Refusal::AccessUnchanged { .. } | Refusal::AccessPending => Tone::Info,
                    _ => Tone::Error,
                };
                return Ok(self.cards.message(tone, &title, &text));
            }
        };
        let candidates = candidates
            .iter()
            .map(|key| {
                let display_name = tx.user(key)?.map(|user| user.display_name);
                let display_name = display_name.unwrap_or_default();
                Ok(Candidate { key: key.clone(), display_name })
            })
            .collect::<Result<_, StoreError>>()?;
        let view = CandidatesView { name: name.clone(), candidates, nobody, chosen };
        Ok(self.cards.candidates(&view, ctx))
    }
}
