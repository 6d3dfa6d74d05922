//! The app's own settings by API (docs/platforms/feishu.md §12.3, §12.7), its slash commands (§11.1), and the groups it can
//! join (§5.3, §12.6).
//!
//! Not every app and tenant has these APIs: [`Error::is_not_here`] tells when a person has to do it in the console.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Client, check_id};
use super::error::Error;
use super::fields::string;

/// Pages of a list that are read. A list with more is not read at all.
const MOST_PAGES: usize = 50;

/// How the app's events and card callbacks are to arrive, and what it subscribes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppSettings {
    /// Scopes to ask for, of the tenant's token.
    pub scopes: Vec<String>,
    /// Events to subscribe to.
    pub events: Vec<String>,
    /// Callbacks to subscribe to.
    pub callbacks: Vec<String>,
    /// Whether events and callbacks are switched to the long connection, one of which must be open.
    pub long_connection: bool,
    /// Who may use the app, unless it stays as it is.
    pub availability: Option<Availability>,
    /// Whether the contact range is to follow the availability.
    pub contacts_follow: bool,
}

/// Who may use the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Everybody in the tenant.
    Everybody,
    /// These people, by open_id.
    People(Vec<String>),
}

impl AppSettings {
    fn body(&self) -> Value {
        let mut body = serde_json::Map::new();
        if !self.scopes.is_empty() {
            let scope = |name: &String| json!({"scope_name": name, "token_type": "tenant"});
            let scopes: Vec<Value> = self.scopes.iter().map(scope).collect();
            body.insert("scope".to_owned(), json!({ "add_scopes": scopes }));
        }
        if self.long_connection {
            let event = json!({"subscription_type": "websocket", "add_events": self.events});
            let callback = json!({"callback_type": "websocket", "add_callbacks": self.callbacks});
            body.insert("event".to_owned(), event);
            body.insert("callback".to_owned(), callback);
        }
        match &self.availability {
            None => {}
            Some(Availability::Everybody) => {
                body.insert("visibility".to_owned(), json!({"is_visible_to_all": true}));
            }
            Some(Availability::People(people)) => {
                let list =
                    json!({"is_visible_to_all": false, "visible_list": {"user_ids": people}});
                body.insert("visibility".to_owned(), list);
            }
        }
        if self.contacts_follow {
            let follow = json!({"contacts_range_type": "equal_to_availability"});
            body.insert("contacts".to_owned(), follow);
        }
        Value::Object(body)
    }
}

/// What the platform says of the app itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppInfo {
    /// How card callbacks arrive: `websocket`, `webhook`; `None` if the platform does not say.
    pub callbacks_by: Option<String>,
    /// The callbacks that it subscribes to; `None` if the platform does not say.
    pub callbacks: Option<Vec<String>>,
}

/// What the platform says of the app's versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The events of the published version; `None` if no version is known to be published.
    pub events: Option<Vec<String>>,
    /// Whether a version is under review.
    pub in_review: bool,
    /// The `event_key`s of the published bot menu; `None` if the platform does not say whether there is one.
    pub menu: Option<Vec<String>>,
}

/// Which people the app may look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactRange {
    /// Whether the range covers anybody.
    pub covers_somebody: bool,
}

/// A slash command as the platform keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlashCommand {
    /// Its id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// What it says.
    pub text: SlashText,
}

/// What the list of slash commands says about one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlashText {
    /// In any other language.
    pub default: String,
    /// By the platform's name of the language, e.g. `zh_cn`.
    pub languages: BTreeMap<String, String>,
    /// A token of the icon library.
    pub icon: String,
}

impl SlashText {
    fn body(&self) -> Value {
        json!({
            "description": {"default_value": self.default, "i18n": self.languages},
            "icon": {"icon_key": self.icon},
        })
    }
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// `oc_…`
    pub chat_id: String,
    /// Its name; may be empty.
    pub name: String,
}

fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    let items = value?.as_array()?;
    Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

impl Client {
    /// Changes the app's settings. Most of it takes effect with the next version.
    ///
    /// # Errors
    /// Code 210042 while no long connection is open, 210040 while a version is under review, 210041 while the bot ability
    /// is off.
    pub async fn configure_app(&self, settings: &AppSettings) -> Result<(), Error> {
        let mut url = self.url(&["application", "v7", "applications", self.app_id(), "config"]);
        url.query_pairs_mut().append_pair("user_id_type", "open_id");
        self.call("app_config", Method::PATCH, url, Some(settings.body())).await.map(drop)
    }

    /// Makes the app a bot. Takes effect with the next version.
    pub async fn enable_bot(&self) -> Result<(), Error> {
        let url = self.url(&["application", "v7", "applications", self.app_id(), "ability"]);
        let body = json!({"bot": {"enable": true}});
        self.call("app_ability", Method::PATCH, url, Some(body)).await.map(drop)
    }

    /// Submits a version. The tenant may review it: [`Client::versions`] tells.
    ///
    /// # Errors
    /// Code 210302 while a version is under review.
    pub async fn publish_app(&self, changelog: &str) -> Result<(), Error> {
        let url = self.url(&["application", "v7", "applications", self.app_id(), "publish"]);
        let body = json!({
            "changelog": changelog,
            "remark": "airgate",
            "mobile_default_ability": "bot",
            "pc_default_ability": "bot",
        });
        self.call("app_publish", Method::POST, url, Some(body)).await.map(drop)
    }

    /// Asks the tenant's administrators for every scope that is not granted. Nothing to ask for, and having asked
    /// before, are no failures.
    pub async fn apply_for_scopes(&self) -> Result<(), Error> {
        let url = self.url(&["application", "v6", "scopes", "apply"]);
        match self.call("scopes_apply", Method::POST, url, None).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.code(), Some(212_001..=212_004)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads what the platform says of the app itself. Needs a scope of its own.
    pub async fn app(&self) -> Result<AppInfo, Error> {
        let mut url = self.url(&["application", "v6", "applications", "me"]);
        url.query_pairs_mut().append_pair("lang", "zh_cn");
        let answer = self.call("app", Method::GET, url, None).await?;
        // Not documented, but seen.
        let info = answer.data().get("app").and_then(|app| app.get("callback_info"));
        let info = info.unwrap_or(&Value::Null);
        Ok(AppInfo {
            callbacks_by: string(info, "callback_type"),
            callbacks: texts(info.get("subscribed_callbacks")),
        })
    }

    /// Reads the app's versions. Fails with [`Disposition::NotPermitted`] without a scope of its own.
    ///
    /// [`Disposition::NotPermitted`]: super::Disposition::NotPermitted
    pub async fn versions(&self) -> Result<Versions, Error> {
        let path = ["application", "v6", "applications", self.app_id(), "app_versions"];
        let mut url = self.url(&path);
        url.query_pairs_mut().append_pair("lang", "zh_cn").append_pair("page_size", "20");
        let answer = self.call("app_versions", Method::GET, url, None).await?;
        let versions = answer.data().get("items").and_then(Value::as_array);
        let status = |version: &Value| version.get("status").and_then(Value::as_i64);
        let live = versions.into_iter().flatten().find(|version| {
            let is_published = string(version, "publish_time").is_some_and(|at| !at.is_empty());
            status(version) == Some(1) && is_published
        });
        let events = live.and_then(|version| version.get("event_infos")).and_then(Value::as_array);
        let menu = live.and_then(|version| version.pointer("/ability/bot/bot_menus"));
        let menu = menu.and_then(Value::as_array);
        Ok(Versions {
            menu: menu.map(|all| all.iter().filter_map(|one| string(one, "event_key")).collect()),
            events: events
                .map(|all| all.iter().filter_map(|one| string(one, "event_type")).collect()),
            in_review: versions.into_iter().flatten().any(|version| status(version) == Some(3)),
        })
    }

    /// Returns how many long connections of the app are open.
    pub async fn open_connections(&self) -> Result<u64, Error> {
        let url = self.url(&["event", "v1", "connection"]);
        let answer = self.call("event_connection", Method::GET, url, None).await?;
        let count = answer.data().get("online_instance_cnt").and_then(Value::as_u64);
        count.ok_or_else(|| answer.lacks("the answer has no count"))
    }

    /// Returns the platform's time, as its answers carry it.
    pub async fn server_time(&self) -> Result<Option<Timestamp>, Error> {
        let url = self.url(&["bot", "v3", "info"]);
        Ok(self.call("bot_info", Method::GET, url, None).await?.date)
    }

    /// Reads whom the app may look up.
    pub async fn contact_range(&self) -> Result<ContactRange, Error> {
        let mut url = self.url(&["contact", "v3", "scopes"]);
        url.query_pairs_mut().append_pair("user_id_type", "open_id");
        let answer = self.call("contact_scopes", Method::GET, url, None).await?;
        let data = answer.data();
        let lists = ["department_ids", "user_ids", "group_ids"];
        let some =
            |name: &str| data.get(name).and_then(Value::as_array).is_some_and(|it| !it.is_empty());
        Ok(ContactRange { covers_somebody: lists.into_iter().any(some) })
    }

    /// Returns every slash command.
    pub async fn slash_commands(&self) -> Result<Vec<SlashCommand>, Error> {
        let url = self.url(&["application", "v7", "app_slash_commands"]);
        let answer = self.call("slash_list", Method::GET, url, None).await?;
        let items = answer.data().get("items").and_then(Value::as_array);
        let mut commands = Vec::new();
        for item in items.into_iter().flatten() {
            let (Some(id), Some(name)) = (string(item, "command_id"), string(item, "command"))
            else {
                return Err(answer.lacks("a command has no id or no name"));
            };
            let description = item.get("description").unwrap_or(&Value::Null);
            let languages = description.get("i18n").and_then(Value::as_object);
            let word =
                |(key, word): (&String, &Value)| Some((key.clone(), word.as_str()?.to_owned()));
            commands.push(SlashCommand {
                id,
                name,
                text: SlashText {
                    default: string(description, "default_value").unwrap_or_default(),
                    languages: languages.into_iter().flatten().filter_map(word).collect(),
                    icon: item
                        .get("icon")
                        .and_then(|icon| string(icon, "icon_key"))
                        .unwrap_or_default(),
                },
            });
        }
        Ok(commands)
    }

    /// Adds a slash command.
    pub async fn create_slash_command(&self, name: &str, text: &SlashText) -> Result<(), Error> {
        let url = self.url(&["application", "v7", "app_slash_commands"]);
        let mut body = text.body();
        if let Some(body) = body.as_object_mut() {
            body.insert("command".to_owned(), name.into());
        }
        self.call("slash_create", Method::POST, url, Some(body)).await.map(drop)
    }

    /// Replaces what a slash command says.
    pub async fn update_slash_command(&self, id: &str, text: &SlashText) -> Result<(), Error> {
        check_id("slash_update", id)?;
        let url = self.url(&["application", "v7", "app_slash_commands", id]);
        self.call("slash_update", Method::PATCH, url, Some(text.body())).await.map(drop)
    }

    /// Removes a slash command.
    pub async fn delete_slash_command(&self, id: &str) -> Result<(), Error> {
        check_id("slash_delete", id)?;
        let url = self.url(&["application", "v7", "app_slash_commands", id]);
        self.call("slash_delete", Method::DELETE, url, None).await.map(drop)
    }

    /// Returns the groups that the bot is in.
    pub async fn groups(&self) -> Result<Vec<GroupInfo>, Error> {
        self.group_pages("chats", &["im", "v1", "chats"]).await
    }

    /// Returns the groups that the bot is in and those that are open to it ("Search for groups visible to a user or bot").
    pub async fn visible_groups(&self) -> Result<Vec<GroupInfo>, Error> {
        self.group_pages("chats_search", &["im", "v1", "chats", "search"]).await
    }

    async fn group_pages(
        &self,
        endpoint: &'static str,
        path: &[&str],
    ) -> Result<Vec<GroupInfo>, Error> {
        let mut groups = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.url(path);
            url.query_pairs_mut()
                .append_pair("page_size", "100")
                .extend_pairs(page.as_deref().map(|page| ("page_token", page)));
            let answer = self.call(endpoint, Method::GET, url, None).await?;
            let data = answer.data();
            for item in data.get("items").and_then(Value::as_array).into_iter().flatten() {
                if let Some(chat_id) = string(item, "chat_id") {
                    groups.push(GroupInfo {
                        chat_id,
                        name: string(item, "name").unwrap_or_default(),
                    });
                }
            }
            let has_more = data.get("has_more").and_then(Value::as_bool).unwrap_or(false);
            page = string(data, "page_token").filter(|_| has_more);
            if page.is_none() {
                return Ok(groups);
            }
        }
        Err(Error::Unsendable { endpoint, what: "there are too many groups" })
    }

    /// Joins a public group.
    ///
    /// # Errors
    /// Code 232008 if the group is not public, 232075 if its members are checked.
    pub async fn join_group(&self, chat_id: &str) -> Result<(), Error> {
        check_id("chat_join", chat_id)?;
        let url = self.url(&["im", "v1", "chats", chat_id, "members", "me_join"]);
        self.call("chat_join", Method::PATCH, url, None).await.map(drop)
    }
}
