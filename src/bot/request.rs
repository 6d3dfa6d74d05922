//! A card's callback value becomes a typed request. What a card carries says what is wanted, never what is allowed.

use serde_json::{Map, Value};

use super::command::Needs;
use super::create::{CreateRequest, CreateWhat};
use crate::app::Refusal;
use crate::app::accounts::NewAccount;
use crate::app::configure::NewUserSettings;
use crate::app::create::CreateForm;
use crate::app::outcome::UserFilter;
use crate::app::projects::NewLink;
use crate::app::settings::NewSettings;
use crate::cards::ListPlace;
use crate::domain::{
    AccessGoal, AccountId, AlertKind, BillPeriod, OpId, ProjectName, Switch, UserKey,
};
use crate::feishu::CardAction;

/// What a click asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `users.list`
    UsersList(ListPlace),
    /// `user.open`
    UserOpen {
        /// Whose card.
        user: UserKey,
    },
    /// `user.enable`, `user.disable`
    Access {
        /// Whose access.
        user: UserKey,
        /// Restored or cut.
        goal: AccessGoal,
        /// Applies once.
        op: OpId,
    },
    /// `projects.open`
    ProjectsOpen {
        /// Whose.
        user: UserKey,
        /// From 1.
        page: usize,
    },
    /// `project.add`
    ProjectAdd {
        /// Whose.
        user: UserKey,
        /// Applies once.
        op: OpId,
        /// What was chosen or typed.
        link: NewLink,
    },
    /// `project.toggle`
    ProjectToggle {
        /// Whose.
        user: UserKey,
        /// Which link.
        project: ProjectName,
        /// The state that is wanted.
        monitored: Switch,
        /// The page to show again.
        page: usize,
    },
    /// `project.remove`
    ProjectRemove {
        /// Whose.
        user: UserKey,
        /// Which link.
        project: ProjectName,
        /// Applies once.
        op: OpId,
        /// The page to show again.
        page: usize,
    },
    /// `projects.toggle_all`
    ToggleAll {
        /// Whose.
        user: UserKey,
        /// The state that is wanted.
        monitored: Switch,
    },
    /// `quota.open`
    QuotaOpen {
        /// Whose.
        user: UserKey,
    },
    /// `quota.allocate`
    Allocate {
        /// Whose.
        user: UserKey,
        /// Applies once.
        op: OpId,
        /// As typed.
        amount: String,
        /// As typed.
        note: String,
    },
    /// `billing.open`
    BillingOpen {
        /// The month; else the current one.
        period: Option<BillPeriod>,
        /// Only of this user.
        user: Option<UserKey>,
        /// From 1.
        page: usize,
    },
    /// `alerts.list`
    AlertsList {
        /// Only of this user.
        user: Option<UserKey>,
        /// Only of this type.
        kind: Option<AlertKind>,
        /// From 1.
        page: usize,
    },
    /// `user.create`
    Create(CreateRequest),
    /// `monitor.run`
    MonitorRun {
        /// Applies once.
        op: OpId,
    },
    /// `user.configure` without a form: opens it.
    ConfigureOpen {
        /// Whose.
        user: UserKey,
    },
    /// `user.configure`
    Configure {
        /// Whose.
        user: UserKey,
        /// Applies once.
        op: Option<OpId>,
        /// As typed.
        settings: Box<NewUserSettings>,
    },
    /// `config.open`
    ConfigOpen,
    /// `config.save`
    ConfigSave {
        /// Applies once.
        op: Option<OpId>,
        /// As typed.
        settings: Box<NewSettings>,
    },
    /// `config.test`: a test alert.
    ConfigTest {
        /// Applies once.
        op: OpId,
    },
    /// `accounts.open`
    AccountsOpen {
        /// With the form for another key pair of this account.
        replacing: Option<AccountId>,
        /// From 1.
        page: usize,
    },
    /// `account.save`
    AccountSave {
        /// Applies once.
        op: Option<OpId>,
        /// As typed.
        account: Box<NewAccount>,
        /// The page to show again.
        page: usize,
    },
    /// `account.toggle`
    AccountToggle {
        /// Which.
        account: AccountId,
        /// The state that is wanted.
        active: Switch,
        /// The page to show again.
        page: usize,
    },
}

impl Request {
    /// Who may ask. No default arm: a new request does not compile until somebody decides.
    pub fn needs(&self) -> Needs {
        match self {
            Request::UsersList(_)
            | Request::UserOpen { .. }
            | Request::ProjectsOpen { .. }
            | Request::QuotaOpen { .. }
            | Request::BillingOpen { .. }
            | Request::AlertsList { .. } => Needs::Viewer,
            Request::Access { .. }
            | Request::ProjectAdd { .. }
            | Request::ProjectToggle { .. }
            | Request::ProjectRemove { .. }
            | Request::ToggleAll { .. }
            | Request::Allocate { .. }
            | Request::Create(_)
            | Request::MonitorRun { .. }
            | Request::ConfigureOpen { .. }
            | Request::Configure { .. }
            | Request::ConfigOpen
            | Request::ConfigSave { .. }
            | Request::ConfigTest { .. }
            | Request::AccountsOpen { .. }
            | Request::AccountSave { .. }
            | Request::AccountToggle { .. } => Needs::Admin,
        }
    }

    /// Whether it changes nothing beyond being noted as handled. No default arm here either.
    pub fn only_reads(&self) -> bool {
        match self {
            Request::UsersList(_)
            | Request::UserOpen { .. }
            | Request::ProjectsOpen { .. }
            | Request::QuotaOpen { .. }
            | Request::BillingOpen { .. }
            | Request::AlertsList { .. }
            | Request::ConfigureOpen { .. }
            | Request::ConfigOpen => true,
            Request::Access { .. }
            | Request::ProjectAdd { .. }
            | Request::ProjectToggle { .. }
            | Request::ProjectRemove { .. }
            | Request::ToggleAll { .. }
            | Request::Allocate { .. }
            | Request::Create(_)
            | Request::MonitorRun { .. }
            | Request::Configure { .. }
            | Request::ConfigSave { .. }
            | Request::ConfigTest { .. }
            | Request::AccountsOpen { .. }
            | Request::AccountSave { .. }
            | Request::AccountToggle { .. } => false,
        }
    }

    /// The id by which it applies once.
    pub fn op(&self) -> Option<&OpId> {
        match self {
            Request::Access { op, .. }
            | Request::ProjectAdd { op, .. }
            | Request::ProjectRemove { op, .. }
            | Request::Allocate { op, .. }
            | Request::MonitorRun { op }
            | Request::ConfigTest { op } => Some(op),
            Request::Create(create) => Some(&create.op),
            Request::Configure { op, .. }
            | Request::ConfigSave { op, .. }
            | Request::AccountSave { op, .. } => op.as_ref(),
            Request::UsersList(_)
            | Request::UserOpen { .. }
            | Request::ProjectsOpen { .. }
            | Request::ProjectToggle { .. }
            | Request::ToggleAll { .. }
            | Request::QuotaOpen { .. }
            | Request::BillingOpen { .. }
            | Request::AlertsList { .. }
            | Request::ConfigureOpen { .. }
            | Request::ConfigOpen
            | Request::AccountsOpen { .. }
            | Request::AccountToggle { .. } => None,
        }
    }

    /// Whether it belongs into the direct chat with the bot only, because key pairs are typed there.
    pub fn is_direct_only(&self) -> bool {
        matches!(
            self,
            Request::AccountsOpen { .. }
                | Request::AccountSave { .. }
                | Request::AccountToggle { .. }
        )
    }

    /// Reads a card action.
    ///
    /// # Errors
    /// [`Refusal::UnknownAction`], [`Refusal::BadField`] naming what is missing or garbled, [`Refusal::BadPeriod`].
    pub fn of(action: &CardAction) -> Result<Self, Refusal> {
        let fields = Fields { value: &action.value, form: &action.form };
        let name = fields.text("action").unwrap_or_default();
        Ok(match name.as_str() {
            "users.list" => Request::UsersList(ListPlace {
                page: fields.page(),
                filter: match fields.text("filter") {
                    Some(word) => {
                        UserFilter::from_word(&word).ok_or(Refusal::BadField("filter"))?
                    }
                    None => UserFilter::All,
                },
                query: search_text(action, &fields),
            }),
            "user.open" => Request::UserOpen { user: fields.user()? },
            "user.enable" => Request::Access {
                user: fields.user()?,
                goal: AccessGoal::Restored,
                op: fields.op()?,
            },
            "user.disable" => {
                Request::Access { user: fields.user()?, goal: AccessGoal::Cut, op: fields.op()? }
            }
            "projects.open" => Request::ProjectsOpen { user: fields.user()?, page: fields.page() },
            "project.add" => Request::ProjectAdd {
                user: fields.user()?,
                op: fields.op()?,
                link: NewLink {
                    chosen: fields.typed("project"),
                    typed: fields.typed("project_name"),
                    since: fields.typed("since"),
                },
            },
            "project.toggle" => Request::ProjectToggle {
                user: fields.user()?,
                project: fields.project()?,
                monitored: fields.switch("enabled")?,
                page: fields.page(),
            },
            "project.remove" => Request::ProjectRemove {
                user: fields.user()?,
                project: fields.project()?,
                op: fields.op()?,
                page: fields.page(),
            },
            "projects.toggle_all" => {
                Request::ToggleAll { user: fields.user()?, monitored: fields.switch("enabled")? }
            }
            "quota.open" => Request::QuotaOpen { user: fields.user()? },
            "quota.allocate" => Request::Allocate {
                user: fields.user()?,
                op: fields.op()?,
                amount: fields.typed("amount"),
                note: fields.typed("note"),
            },
            "billing.open" => Request::BillingOpen {
                // The choice of a select wins over what its value says.
                period: match action.option.clone().or_else(|| fields.text("period")) {
                    Some(text) => Some(text.trim().parse().map_err(|_| Refusal::BadPeriod(text))?),
                    None => None,
                },
                user: fields.optional_user()?,
                page: fields.page(),
            },
            "alerts.list" => Request::AlertsList {
                user: fields.optional_user()?,
                kind: match fields.text("type") {
                    Some(word) => {
                        Some(AlertKind::from_word(&word).ok_or(Refusal::BadField("type"))?)
                    }
                    None => None,
                },
                page: fields.page(),
            },
            "user.create" => Request::Create(CreateRequest {
                op: fields.op()?,
                what: match fields.number("creation") {
                    Some(id) => CreateWhat::Continue(id),
                    None if action.form.is_empty() && action.name.is_none() => CreateWhat::Form,
                    None => CreateWhat::New(CreateForm {
                        account: fields.typed("account"),
                        username: fields.typed("username"),
                        display_name: fields.typed("display_name"),
                        email: fields.typed("email"),
                        phone: fields.typed("phone"),
                        project: fields.typed("project"),
                        quota: fields.typed("quota"),
                        login: fields.ticked("login"),
                        access_key: fields.ticked("access_key"),
                    }),
                },
            }),
            "monitor.run" => Request::MonitorRun { op: fields.op()? },
            "user.configure" => {
                let user = fields.user()?;
                if action.form.is_empty() && action.name.is_none() {
                    return Ok(Request::ConfigureOpen { user });
                }
                let settings = NewUserSettings {
                    thresholds: fields.form_text("thresholds"),
                    monitor: action.form_checked("monitor"),
                    auto_disable: action.form_checked("auto_disable"),
                    remark: fields.form_text("remark"),
                    owner: fields.form_text("owner"),
                    other_owner: fields.form_text("other_owner"),
                    no_owner: action.form_checked("no_owner").unwrap_or(false),
                    display_name: fields.form_text("display_name"),
                    email: fields.form_text("email"),
                    phone: fields.form_text("phone"),
                };
                Request::Configure { user, op: fields.optional_op()?, settings: Box::new(settings) }
            }
            "config.open" => Request::ConfigOpen,
            "config.save" => Request::ConfigSave {
                op: fields.optional_op()?,
                settings: Box::new(NewSettings {
                    thresholds: fields.form_text("thresholds"),
                    interval_seconds: fields.form_text("interval_seconds"),
                    webhook_url: fields.form_text("webhook_url"),
                    mobiles: fields.form_text("mobiles"),
                    alert_chat_id: fields.form_text("alert_chat_id"),
                }),
            },
            "config.test" => Request::ConfigTest { op: fields.op()? },
            "accounts.open" => {
                Request::AccountsOpen { replacing: fields.optional_account()?, page: fields.page() }
            }
            "account.save" => Request::AccountSave {
                op: fields.optional_op()?,
                account: Box::new(NewAccount {
                    known: fields.optional_account()?,
                    id: fields.typed("account"),
                    name: fields.typed("name"),
                    access_key: fields.typed("access_key").into(),
                    secret_key: fields.typed("secret_key").into(),
                }),
                page: fields.page(),
            },
            "account.toggle" => Request::AccountToggle {
                account: fields.optional_account()?.ok_or(Refusal::BadField("account"))?,
                active: fields.switch("enabled")?,
                page: fields.page(),
            },
            _ => return Err(Refusal::UnknownAction(name)),
        })
    }
}

/// A submitted search form counts even where its field is empty or missing: then the search is cleared.
fn search_text(action: &CardAction, fields: &Fields<'_>) -> String {
    if action.form.contains_key("query") || action.name.is_some() {
        return fields.typed("query");
    }
    action.input.clone().or_else(|| fields.text("query")).unwrap_or_default()
}

/// Fields that are never shown again.
const SECRET_FIELDS: [&str; 3] = ["access_key", "secret_key", "webhook_url"];

/// The form fields of an action by name, to be shown again where the input was refused. Secrets are left out.
pub fn form_values(action: &CardAction) -> std::collections::BTreeMap<String, String> {
    action
        .form
        .iter()
        .filter_map(|(name, value)| {
            let text = match value {
                Value::String(_) if SECRET_FIELDS.contains(&name.as_str()) => return None,
                Value::String(text) => text.clone(),
                // A tick holds no secret, even where the field is called after one (`access_key` of user.create).
                Value::Bool(on) => on.to_string(),
                _ => return None,
            };
            Some((name.clone(), text))
        })
        .collect()
}

struct Fields<'a> {
    value: &'a Map<String, Value>,
    form: &'a Map<String, Value>,
}

impl Fields<'_> {
    /// A member of the callback value, where it is there and not empty.
    fn text(&self, name: &str) -> Option<String> {
        let text = self.value.get(name)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A form field; empty where it was left empty, which the platform shows as missing or as an empty text.
    fn typed(&self, name: &str) -> String {
        match self.form.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// Whether a checker of a form is ticked.
    fn ticked(&self, name: &str) -> bool {
        match self.form.get(name) {
            Some(Value::Bool(ticked)) => *ticked,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.value.get(name)?.as_u64()
    }

    /// A form field; `None` where the form does not hold it.
    fn form_text(&self, name: &str) -> Option<String> {
        match self.form.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn optional_account(&self) -> Result<Option<AccountId>, Refusal> {
        self.text("account")
            .map(|text| AccountId::new(text).map_err(|_| Refusal::BadField("account")))
            .transpose()
    }

    fn optional_op(&self) -> Result<Option<OpId>, Refusal> {
        match self.text("op") {
            Some(_) => self.op().map(Some),
            None => Ok(None),
        }
    }

    fn user(&self) -> Result<UserKey, Refusal> {
        self.optional_user()?.ok_or(Refusal::BadField("user"))
    }

    fn optional_user(&self) -> Result<Option<UserKey>, Refusal> {
        self.text("user")
            .map(|text| text.parse().map_err(|_| Refusal::BadField("user")))
            .transpose()
    }

    fn project(&self) -> Result<ProjectName, Refusal> {
        self.text("project")
            .and_then(|text| ProjectName::new(text).ok())
            .ok_or(Refusal::BadField("project"))
    }

    fn op(&self) -> Result<OpId, Refusal> {
        self.text("op").and_then(|text| OpId::new(text).ok()).ok_or(Refusal::BadField("op"))
    }

    fn switch(&self, name: &'static str) -> Result<Switch, Refusal> {
        match self.value.get(name) {
            Some(Value::Bool(on)) => Ok(Switch::from(*on)),
            _ => Err(Refusal::BadField(name)),
        }
    }

    /// From 1; 1 where there is none.
    fn page(&self) -> usize {
        let page = match self.value.get("page") {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        page.and_then(|page| usize::try_from(page).ok()).unwrap_or(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn action(value: Value, form: Value) -> CardAction {
        CardAction {
            operator_open_id: "ou_1".to_owned(),
            message_id: None,
            chat_id: None,
            value: value.as_object().cloned().unwrap_or_default(),
            name: None,
            form: form.as_object().cloned().unwrap_or_default(),
            option: None,
            input: None,
        }
    }

    fn request(value: Value) -> Result<Request, Refusal> {
        Request::of(&action(value, json!({})))
    }

    #[test]
    fn values_are_read() {
        let user: UserKey = "main/alice".parse().unwrap();
        assert_eq!(
            request(
                json!({"action": "project.toggle", "user": "main/alice", "project": "p", "enabled": false})
            ),
            Ok(Request::ProjectToggle {
                user: user.clone(),
                project: "p".parse().unwrap(),
                monitored: Switch::Off,
                page: 1,
            })
        );
        assert_eq!(
            Request::of(&action(
                json!({"action": "quota.allocate", "user": "main/alice", "op": "o1"}),
                json!({"amount": "100", "note": "x"}),
            )),
            Ok(Request::Allocate {
                user: user.clone(),
                op: "o1".parse().unwrap(),
                amount: "100".to_owned(),
                note: "x".to_owned(),
            })
        );
        let mut chosen = action(json!({"action": "billing.open", "period": "2026-10"}), json!({}));
        chosen.option = Some("2026-09".to_owned());
        assert_eq!(
            Request::of(&chosen),
            Ok(Request::BillingOpen { period: "2026-09".parse().ok(), user: None, page: 1 })
        );
    }

    #[test]
    fn secrets_are_never_shown_again() {
        let form = json!({"name": "x", "access_key": "AKLT", "secret_key": "s", "monitor": false,
            "webhook_url": "https://open.feishu.cn/hook"});
        let submitted = action(json!({"action": "account.save", "account": "main"}), form);
        let shown = form_values(&submitted);
        assert_eq!(shown.keys().collect::<Vec<_>>(), ["monitor", "name"]);
        assert_eq!(shown["monitor"], "false");
        let request = format!("{:?}", Request::of(&submitted).unwrap());
        assert!(request.contains("main") && !request.contains("AKLT"), "{request}");

        let ticked = action(json!({"action": "user.create"}), json!({"access_key": true}));
        assert_eq!(form_values(&ticked)["access_key"], "true");
    }

    #[test]
    fn the_settings_of_a_user_are_opened_and_saved_by_the_same_action() {
        let value = json!({"action": "user.configure", "user": "main/alice"});
        let user = "main/alice".parse().unwrap();
        assert_eq!(request(value.clone()), Ok(Request::ConfigureOpen { user }));
        let form = json!({"thresholds": "", "monitor": "false", "owner": "ou_1"});
        match Request::of(&action(value, form)) {
            Ok(Request::Configure { settings, op: None, .. }) => {
                assert_eq!(settings.thresholds.as_deref(), Some(""));
                assert_eq!((settings.monitor, settings.auto_disable), (Some(false), None));
                assert_eq!((settings.owner.as_deref(), settings.remark), (Some("ou_1"), None));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_emptied_search_field_clears_the_search() {
        let value = json!({"action": "users.list", "filter": "warning", "query": "old", "page": 3});
        let paged = request(value.clone());
        assert!(
            matches!(paged, Ok(Request::UsersList(place)) if place.query == "old" && place.page == 3)
        );
        let mut submitted = action(value, json!({}));
        submitted.name = Some("search".to_owned());
        assert!(
            matches!(Request::of(&submitted), Ok(Request::UsersList(place)) if place.query.is_empty())
        );
    }

    #[test]
    fn what_is_missing_or_garbled_is_named() {
        for (value, refusal) in [
            (json!({}), Refusal::UnknownAction(String::new())),
            (json!({"action": 5}), Refusal::UnknownAction(String::new())),
            (json!({"action": "user.drop"}), Refusal::UnknownAction("user.drop".to_owned())),
            (json!({"action": "user.open"}), Refusal::BadField("user")),
            (json!({"action": "user.open", "user": "alice"}), Refusal::BadField("user")),
            (json!({"action": "user.disable", "user": "main/alice"}), Refusal::BadField("op")),
            (
                json!({"action": "user.disable", "user": "main/alice", "op": "a b"}),
                Refusal::BadField("op"),
            ),
            (
                json!({"action": "project.toggle", "user": "main/alice", "project": "p"}),
                Refusal::BadField("enabled"),
            ),
            (
                json!({"action": "project.toggle", "user": "main/alice", "project": "p", "enabled": "yes"}),
                Refusal::BadField("enabled"),
            ),
            (json!({"action": "users.list", "filter": "x"}), Refusal::BadField("filter")),
            (json!({"action": "alerts.list", "type": "x"}), Refusal::BadField("type")),
            (json!({"action": "billing.open", "period": "x"}), Refusal::BadPeriod("x".to_owned())),
            (json!({"action": "monitor.run"}), Refusal::BadField("op")),
            (json!({"action": "config.test"}), Refusal::BadField("op")),
            (json!({"action": "config.save", "op": "a b"}), Refusal::BadField("op")),
            (json!({"action": "user.configure"}), Refusal::BadField("user")),
            (json!({"action": "account.toggle", "enabled": true}), Refusal::BadField("account")),
            (json!({"action": "account.save", "account": "A B"}), Refusal::BadField("account")),
        ] {
            assert_eq!(request(value.clone()), Err(refusal), "{value}");
        }
    }

    proptest! {
        #[test]
        fn hostile_values_never_panic(
            action in "[a-z.]{0,20}", field in "[a-z_]{1,8}", text in "\\PC{0,40}", number in any::<i64>(),
        ) {
            let _ = request(json!({"action": action, field.clone(): text, "page": number}));
            let _ = request(json!({"action": action, field: number, "page": text}));
        }
    }
}
