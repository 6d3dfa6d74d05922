//! The guided first minute: what has happened to the demo's new user so far, and a click for each next step. It does what a
//! person would do (send a command, press a button, fill in a form), so nothing is faked.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::actions;
use super::stage::{ADMIN, GROUP, HERO, HERO_ACCOUNT, HERO_PROJECT, Stage, user_key};
use crate::domain::{AlertKind, BillPeriod, UserKey, UserStatus};
use crate::sandbox::demo_page::{Control, ControlKind};
use crate::sandbox::feishu::{ClickAction, ClickResult, FakeFeishu};
use crate::store::{StoreError, View};

/// The first allocation and the top-up, 元.
const QUOTA: &str = "1000";
/// Spending that exceeds the warning threshold of 80%.
const FIRST_SPENDING: u64 = 85;
/// Spending that uses up the rest of the quota.
const MORE_SPENDING: u64 = 20;
/// How long to wait for the bot to answer a command.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);

/// What has happened so far. A step once done stays done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Which demo this is.
    born: uuid::Uuid,
    list: bool,
    open: bool,
    project: bool,
    quota: bool,
    spend: bool,
    monitor: bool,
    warning: bool,
    disable: bool,
    topup: bool,
    enable: bool,
}

impl Progress {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        Self { born: uuid::Uuid::new_v4(), ..Self::default() }
    }

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
        self.spend |= stage.cloud.read(|world| {
            let account = world.account(HERO_ACCOUNT);
            account.is_some_and(|account| !account.payable(HERO_PROJECT, period).is_zero())
        });
        let alerted = |kind| Ok::<_, StoreError>(tx.alerts(Some(&hero), Some(kind), 0, 1)?.1 > 0);
        self.disable |= alerted(AlertKind::Disable)?;
        // Spending that passes every threshold at once is alerted as the cut alone.
        self.warning |= self.disable || alerted(AlertKind::Warning)?;
        if let Some(user) = tx.user(&hero)? {
            self.quota |= user.quota.is_positive();
            self.monitor |= user.consumed.is_positive();
            self.topup |= self.disable && user.quota > user.consumed;
            self.enable |= self.topup
                && user.status == UserStatus::Active
                && tx.access_pending(&hero)?.is_none();
        }
        Ok(())
    }

    /// Returns it as JSON for the page.
    pub fn json(&self) -> Value {
        json!({
            "as": ADMIN,
            // A demo that was started again begins with new data, and so does its guide.
            "born": self.born.to_string(),
            "group": GROUP,
            "user": HERO,
            "done": {
                "list": self.list, "open": self.open, "project": self.project, "quota": self.quota,
                "spend": self.spend, "monitor": self.monitor, "warning": self.warning,
                "disable": self.disable, "topup": self.topup, "enable": self.enable,
            },
        })
    }
}

/// Returns the control that performs the step that the page names.
pub(super) fn control(stage: &Stage) -> Control {
    let stage = stage.clone();
    Control::new("guide", "Guide", ControlKind::Hidden, move |request| {
        let stage = stage.clone();
        async move {
            let step = request.get("value").and_then(Value::as_str).unwrap_or_default();
            let hero = hero().ok_or("no such step")?;
            let guide = Guide { chat: stage.feishu.direct_chat(ADMIN), stage: &stage, hero: &hero };
            guide.act(step).await?;
            Ok(json!({}))
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

struct Guide<'a> {
    stage: &'a Stage,
    chat: String,
    hero: &'a UserKey,
}

impl Guide<'_> {
    async fn act(&self, step: &str) -> Result<(), String> {
        match step {
            "list" => self.say("/users").await,
            "open" => {
                let button = self.button("user.open");
                let (message, action) = self.card(&format!("/user {HERO}"), button).await?;
                self.click(&message, action).await
            }
            "project" => {
                let fields = json!({"project_name": HERO_PROJECT});
                self.fill("projects", "project.add", "/projects", fields).await
            }
            "quota" | "topup" => {
                let note = if step == "quota" { "试用额度" } else { "追加额度" };
                let fields = json!({"amount": QUOTA, "note": note});
                self.fill("quota", "quota.allocate", "/quota", fields).await
            }
            "spend" => actions::grow(self.stage, self.hero, FIRST_SPENDING).await.map(drop),
            "monitor" => actions::run_monitor(self.stage.clone()).await.map(drop),
            "grow" => {
                actions::grow(self.stage, self.hero, MORE_SPENDING).await?;
                actions::run_monitor(self.stage.clone()).await.map(drop)
            }
            "enable" => {
                let button = self.button("user.enable");
                let (message, action) = self.requested(&format!("/enable {HERO}"), button).await?;
                self.click(&message, action).await
            }
            _ => Err("no such step".to_owned()),
        }
    }

    /// Fills in a form about the new user: on the card that has it, on one that leads to it, or on a new one.
    async fn fill(
        &self,
        noun: &str,
        submit: &str,
        command: &str,
        fields: Value,
    ) -> Result<(), String> {
        let fields: Map<String, Value> = fields.as_object().cloned().unwrap_or_default();
        let form = |feishu: &FakeFeishu, id: &str| {
            feishu.fill_form(id, |value| is(value, submit, Some(self.hero)), fields.clone()).ok()
        };
        // The person is looking at the last card.
        let last = newest(&self.stage.feishu, &self.chat, |_, _| Some(()));
        let opening = format!("{noun}.open");
        let open = self.button(&opening);
        let at_hand = last.and_then(|(id, ())| {
            let feishu = &self.stage.feishu;
            let direct = form(feishu, &id).map(|action| (true, action));
            direct.or_else(|| open(feishu, &id).map(|action| (false, action))).map(|it| (id, it))
        });
        let (message, action) = match at_hand {
            Some((message, (true, action))) => (message, action),
            Some((message, (false, action))) => {
                self.click(&message, action).await?;
                let action = form(&self.stage.feishu, &message);
                (message, action.ok_or("control.no_form")?)
            }
            None => self.requested(&format!("{command} {HERO}"), form).await?,
        };
        self.click(&message, action).await
    }

    fn button(&self, action: &str) -> impl Fn(&FakeFeishu, &str) -> Option<ClickAction> + use<> {
        let (action, hero) = (action.to_owned(), self.hero.clone());
        move |feishu, id| feishu.find_button(id, |value| is(value, &action, Some(&hero)))
    }

    async fn say(&self, text: &str) -> Result<(), String> {
        let sent = self.stage.feishu.say(ADMIN, &self.chat, text, false).await;
        if sent.status == Some(200) { Ok(()) } else { Err("control.no_answer".to_owned()) }
    }

    /// Returns the newest card in which `look` finds something; if there is none, a card that `command` requests.
    async fn card<T>(
        &self,
        command: &str,
        look: impl Fn(&FakeFeishu, &str) -> Option<T>,
    ) -> Result<(String, T), String> {
        match newest(&self.stage.feishu, &self.chat, &look) {
            Some(found) => Ok(found),
            None => self.requested(command, look).await,
        }
    }

    /// Sends a command and waits for the card in which `look` finds something.
    async fn requested<T>(
        &self,
        command: &str,
        look: impl Fn(&FakeFeishu, &str) -> Option<T>,
    ) -> Result<(String, T), String> {
        use tokio::sync::broadcast::error::RecvError;
        let feishu = &self.stage.feishu;
        let known = feishu.messages(&self.chat).len();
        let mut changes = feishu.subscribe();
        self.say(command).await?;
        let waiting = async {
            loop {
                let later = |id: &str| {
                    feishu.messages(&self.chat).iter().skip(known).any(|m| m.message_id == id)
                };
                let found =
                    newest(
                        feishu,
                        &self.chat,
                        |feishu, id| {
                            if later(id) { look(feishu, id) } else { None }
                        },
                    );
                if found.is_some() || matches!(changes.recv().await, Err(RecvError::Closed)) {
                    return found;
                }
            }
        };
        let found = tokio::time::timeout(ANSWER_TIMEOUT, waiting).await.ok().flatten();
        found.ok_or_else(|| "control.no_answer".to_owned())
    }

    async fn click(&self, message: &str, action: ClickAction) -> Result<(), String> {
        let result = self.stage.feishu.click(ADMIN, message, action).await;
        refusal(result).map_or(Ok(()), Err)
    }
}

/// Why a click failed, in the words that the person sees.
fn refusal(result: ClickResult) -> Option<String> {
    let toast = result.toast.filter(|toast| toast.kind == "error").map(|toast| toast.content);
    result.error.or(toast)
}
