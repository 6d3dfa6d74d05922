//! The guided first minute: what has happened to the demo's new user so far. The page rings what a person has to press next
//! (`src/sandbox/page/steps.js`), and goes on when it has happened here, with or without the guide.

use serde_json::{Value, json};

use super::stage::{ADMIN, GROUP, HERO, HERO_ACCOUNT, HERO_PROJECT, Stage, user_key};
use crate::domain::{AlertKind, BillPeriod, Money, UserKey, UserStatus};
use crate::sandbox::demo_page::{Control, ControlKind};
use crate::sandbox::feishu::FakeFeishu;
use crate::store::{StoreError, View};

/// What has happened so far. A step once done stays done.
#[derive(Debug)]
pub(super) struct Progress {
    /// Which demo this is.
    born: uuid::Uuid,
    list: bool,
    open: bool,
    project: bool,
    quota: bool,
    spend: bool,
    monitor: bool,
    grow: bool,
    disable: bool,
    topup: bool,
    enable: bool,
}

impl Default for Progress {
    /// Returns the progress of a demo in which nothing has happened yet.
    fn default() -> Self {
        Self {
            born: uuid::Uuid::new_v4(),
            list: false,
            open: false,
            project: false,
            quota: false,
            spend: false,
            monitor: false,
            grow: false,
            disable: false,
            topup: false,
            enable: false,
        }
    }
}

impl Progress {
    /// Checks chat, bills and store for steps done since the last call.
    pub fn advance<S: crate::store::Source>(
        &mut self,
        stage: &Stage,
        tx: &View<S>,
    ) -> Result<(), StoreError> {
        let Some(hero) = hero() else { return Ok(()) };
        let chat = stage.feishu.direct_chat(ADMIN);
        if !self.list {
            self.list = newest(&stage.feishu, &chat, |feishu, id| {
                feishu.find_button(id, |value| is(value, "user.open", None))
            })
            .is_some();
        }
        if !self.open {
            self.open = newest(&stage.feishu, &chat, |feishu, id| {
                feishu.find_button(id, |value| is(value, "projects.open", Some(&hero)))
            })
            .is_some();
        }
        self.project |= !tx.links_of(&hero)?.is_empty();
        let period = BillPeriod::of(stage.clock.now());
        let spent = stage.cloud.read(|world| {
            world.account(HERO_ACCOUNT).map(|account| account.payable(HERO_PROJECT, period))
        });
        let spent = Money::new(spent.unwrap_or_default());
        self.spend |= !spent.is_zero();
        let alerted = |kind| Ok::<_, StoreError>(tx.alerts(Some(&hero), Some(kind), 0, 1)?.1 > 0);
        self.disable |= alerted(AlertKind::Disable)?;
        if let Some(user) = tx.user(&hero)? {
            self.quota |= user.quota.is_positive();
            self.grow |= self.disable || (self.quota && spent >= user.quota);
            self.monitor |= user.consumed.is_positive();
            self.topup |= self.disable && user.quota > user.consumed;
            self.enable |= self.topup
                && user.status == UserStatus::Active
                && tx.access_pending(&hero)?.is_none();
        }
        Ok(())
    }

    /// Returns it as JSON for the page.
    pub fn json(&self, stage: &Stage) -> Value {
        json!({
            "as": ADMIN,
            // A demo that was started again begins with new data, and so does its guide.
            "born": self.born.to_string(),
            "group": GROUP,
            "user": HERO,
            "key": hero().map(|key| key.to_string()),
            "name": stage.names.hero,
            "project": HERO_PROJECT,
            "done": {
                "list": self.list, "open": self.open, "project": self.project, "quota": self.quota,
                "spend": self.spend, "monitor": self.monitor, "grow": self.grow,
                "cut": self.disable, "topup": self.topup, "enable": self.enable,
            },
        })
    }
}

/// Returns the control by which the page asks how far things are, right after somebody did something.
pub(super) fn control(stage: &Stage) -> Control {
    let stage = stage.clone();
    Control::new("guide", "Guide", ControlKind::Hidden, move |_| {
        let stage = stage.clone();
        async move {
            let looked = stage.clone();
            let seen = stage.store.reading(move |tx| {
                let mut progress = looked.progress.lock();
                progress.advance(&looked, tx)?;
                Ok::<_, StoreError>(progress.json(&looked))
            });
            seen.await.map_err(|error| error.to_string())
        }
    })
}

fn hero() -> Option<UserKey> {
    user_key(HERO_ACCOUNT, HERO)
}

/// Returns whether a callback value requests this action, for this user if one is given.
fn is(value: &Value, action: &str, user: Option<&UserKey>) -> bool {
    let says = |name: &str, wanted: &str| value.get(name).and_then(Value::as_str) == Some(wanted);
    says("action", action) && user.is_none_or(|user| says("user", &user.to_string()))
}

/// Returns the newest card of the chat in which `look` finds something.
fn newest<T>(
    feishu: &FakeFeishu,
    chat: &str,
    mut look: impl FnMut(&FakeFeishu, &str) -> Option<T>,
) -> Option<(String, T)> {
    let messages = feishu.messages(chat);
    messages
        .iter()
        .rev()
        .filter(|message| message.is_card())
        .find_map(|message| Some((message.message_id.clone(), look(feishu, &message.message_id)?)))
}
