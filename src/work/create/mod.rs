//! Creates a user in the cloud, step by step.
//!
//! # The steps
//!
//! ```text
//!     user ────────────▶ login (if wanted) ────────▶ access key (if wanted) ────▶ secrets sent, card updated
//!
//!     and within each:
//!
//!              committed             the cloud has it: committed
//!     open ──────────────▶ tried ──────────────────────────────────▶ done
//!      ▲                     │
//!      └─────────────────────┘
//!        certainly not made: refused, or looked up and not there
//! ```
//!
//! - **Open.** It certainly does not exist.
//! - **Tried.** Committed before the call. From here on the thing may exist, so a retry, a crash or a lost answer never leads
//!   to two users or two keys: the cloud is looked up first. The user is recognized by a mark in its description.
//! - **Done.** Committed right after the call. The user is recorded with its first quota and project in the same
//!   transaction. A password is sealed in the store before the login is created with it, a key as soon as it is created.
//!
//! An access key whose secret was lost with the answer is useless: it is deactivated and deleted before another one
//! is created.
//!
//! A run ends when all steps are done, or halts at the first that fails. Either way the secrets of what exists go to the
//! operator's direct chat, and the card says what was created and offers to continue. Continuing runs the open steps again.

mod secrets;
mod steps;

use jiff::Timestamp;

use super::Worker;
use crate::app::cloud::CloudError;
use crate::app::sync::user_access;
use crate::app::trouble::Trouble;
use crate::app::{create, users};
use crate::cards::{CardContext, Tone};
use crate::domain::{AccessKeyInfo, Creation, Halt, KeyStep, Role, Step, Switch, Task, UserAccess};
use crate::store::{StoreError, WriteTx};
use crate::volcengine;

/// Why a run ended early.
enum Stop {
    /// The creation stops here, and says so.
    Halt(Halt),
    /// It stops here because the cloud refused or did not answer.
    Cloud(Box<Trouble>),
    /// The store failed: the task stays and starts over.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Stop::Store(error)
    }
}

impl From<volcengine::Error> for Stop {
    fn from(error: volcengine::Error) -> Self {
        Stop::Cloud(Box::new(error.into()))
    }
}

impl Worker {
    pub(super) async fn create(&self, task: Task, id: u64) -> Result<(), StoreError> {
        let Some(mut creation) = self.parts.store.reading(move |tx| tx.creation(id)).await? else {
            return self.finish(task, None, self.parts.clock.now()).await;
        };
        creation.halt = match self.advance(&mut creation).await {
            Ok(()) => None,
            Err(Stop::Halt(halt)) => Some(halt),
            Err(Stop::Cloud(trouble)) => {
                Some(Halt::Cloud { reason: self.parts.cards.words().trouble(&trouble) })
            }
            Err(Stop::Store(error)) => return Err(error),
        };
        let user = creation.wanted.key.clone();
        match &creation.halt {
            None => tracing::info!(%user, "user created"),
            Some(halt) => tracing::warn!(%user, ?halt, "user not created completely"),
        }
        let began = self.parts.clock.now();
        let access = match creation.user {
            Step::Done => Some((self.access_of(&creation).await, began)),
            Step::Open | Step::Tried => None,
        };
        self.conclude(task, creation, access).await
    }

    /// Reads keys and login of the new user; if they cannot be read, returns them as they were created.
    async fn access_of(&self, creation: &Creation) -> UserAccess {
        let user = &creation.wanted.key;
        if let Ok(api) = self.parts.cloud.account(&user.account).await
            && let Ok(access) = user_access(&api, user).await
        {
            return access;
        }
        let keys = match &creation.key {
            KeyStep::Done { id } => vec![AccessKeyInfo { id: id.clone(), active: Switch::On }],
            KeyStep::Open | KeyStep::Tried { .. } => Vec::new(),
        };
        UserAccess { keys, login: (creation.login == Step::Done).then_some(Switch::On) }
    }

    async fn advance(&self, creation: &mut Creation) -> Result<(), Stop> {
        let account = self.parts.cloud.account(&creation.wanted.key.account).await;
        let api = account.map_err(|error| match error {
            CloudError::Store(error) => Stop::Store(error),
            error => Stop::Cloud(Box::new(error.into())),
        })?;
        self.create_user(&api, creation).await?;
        if creation.wanted.login {
            self.create_login(&api, creation).await?;
        }
        if creation.wanted.access_key {
            self.create_key(&api, creation).await?;
        }
        Ok(())
    }

    /// Ends a run: enqueues the secrets for the operator, and updates the card.
    async fn conclude(
        &self,
        task: Task,
        mut creation: Creation,
        access: Option<(UserAccess, Timestamp)>,
    ) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let message = self.secrets_due(&mut creation, now)?;
        creation.running = false;
        creation.report.clone_from(&task.report);
        let cards = std::sync::Arc::clone(&self.parts.cards);
        self.parts
            .store
            .writing(move |tx| {
                match message {
                    Some(message) => tx.owe(message, now).map(drop)?,
                    None => keep_what_became_of_secrets(tx, &mut creation)?,
                }
                if let Some((access, began)) = access {
                    let key = &creation.wanted.key;
                    tx.record_access_read(key, &access, began, now)?;
                }
                tx.put_creation(&creation)?;
                if tx.finish_task(task.id)?
                    && let Some(report) = &task.report
                {
                    let look = CardContext::new(Role::Admin, now);
                    let view = create::view(tx);
                    let card = match (creation.made_nothing(), view) {
                        (true, Ok(view)) => {
                            let text = cards.words().creation_halted(&creation);
                            let look = look
                                .with_banner(Tone::Error, text)
                                .with_form(creation.form.clone());
                            cards.create(&view, &look)
                        }
                        (_, Err(crate::app::Error::Store(error))) => return Err(error),
                        _ => {
                            let name = users::account_name(tx, &creation.wanted.key.account)?;
                            cards.creation(&creation, &name, &look)
                        }
                    };
                    tx.owe_report(report, card.into_string(), task.created, now)?;
                }
                Ok(())
            })
            .await
    }
}

/// Takes over what became of secrets that were sent earlier: the outbox may have given them up during this run.
fn keep_what_became_of_secrets(tx: &WriteTx, creation: &mut Creation) -> Result<(), StoreError> {
    if let Some(known) = tx.creation(creation.id)? {
        creation.sent = known.sent;
    }
    Ok(())
}
