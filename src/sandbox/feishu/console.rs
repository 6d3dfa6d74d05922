//! The app's settings in the developer console: what is published, what waits for a version, and how the tenant treats it
//! (获取应用权限列表, 获取应用版本列表).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::core::Core;
use super::http::{ApiResponse, Call};

/// How events or card callbacks reach the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The platform calls the app.
    Webhook,
    /// Over the long connection.
    Websocket,
}

impl Delivery {
    /// The platform's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Websocket => "websocket",
        }
    }
}

/// When the tenant grants a scope that the app asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grants {
    /// With the version that asks for it.
    #[default]
    AtOnce,
    /// Once the app has asked the administrators (申请权限).
    OnApply,
    /// Not while the test lasts.
    Never,
}

/// What answers the application APIs of version 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConfigApi {
    /// As documented.
    #[default]
    Works,
    /// They are not there, as on Lark: 404 and a plain text.
    Missing,
    /// The app was not made in the developer console: 210043.
    NotConsoleApp,
}

/// How the tenant treats the app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantRules {
    /// When scopes are granted.
    pub grants: Grants,
    /// Whether a version stays under review instead of being published.
    pub reviews_versions: bool,
    /// What the application APIs answer.
    pub config_api: ConfigApi,
}

/// A slash command (斜杠指令).
#[derive(Clone, Debug, PartialEq)]
pub struct SlashCommand {
    /// Its id.
    pub id: String,
    /// Without the slash.
    pub name: String,
    /// `default_value` and `i18n`.
    pub description: Value,
    /// A token of the icon library.
    pub icon: String,
}

/// What waits for the next version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Scopes that are asked for.
    pub scopes: BTreeSet<String>,
    /// Events to subscribe to.
    pub events: BTreeSet<String>,
    /// Callbacks to subscribe to.
    pub callbacks: BTreeSet<String>,
    /// Another way for events.
    pub events_by: Option<Delivery>,
    /// Another way for callbacks.
    pub callbacks_by: Option<Delivery>,
    /// Another availability; inside, `None` is everybody.
    pub visible_to: Option<Option<BTreeSet<String>>>,
}

/// The console's page of the app.
#[derive(Clone, Debug)]
pub struct Console {
    /// The scopes that the published version asks for, and whether each is granted.
    pub scopes: BTreeMap<String, bool>,
    /// The events that the published version subscribes to; `None` while no version is published.
    pub events: Option<Vec<String>>,
    /// The callbacks that the published version subscribes to.
    pub callbacks: Vec<String>,
    /// How events arrive.
    pub events_by: Delivery,
    /// How card callbacks arrive.
    pub callbacks_by: Delivery,
    /// Who may use the app; `None`: everybody.
    pub visible_to: Option<BTreeSet<String>>,
    /// The contact range: `equal_to_availability`, `some` or `all`.
    pub contacts: String,
    /// The number of the published version, `1.0.N`.
    pub version: u32,
    /// What waits for the next version.
    pub draft: Draft,
    /// Whether the app is a bot.
    pub is_bot: bool,
    /// The `event_key`s of the bot menu's items.
    pub menu: Vec<String>,
    /// Whether a version is under review.
    pub in_review: bool,
    /// The slash commands.
    pub commands: Vec<SlashCommand>,
    /// How many times a slash command was written.
    pub command_writes: u32,
    /// Whether the administrators were asked for scopes since the last version.
    pub applied: bool,
    /// How the tenant treats the app.
    pub rules: TenantRules,
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Default for Console {
    /// An app that was set up as the platform's documents say.
    fn default() -> Self {
        let scopes = [
            "application:app_slash_command:read",
            "application:app_slash_command:write",
            "application:application.app_version:readonly",
            "application:application:patch",
            "application:application:self_manage",
            "contact:contact.base:readonly",
            "contact:user.base:readonly",
            "contact:user.id:readonly",
            "im:chat.members:bot_access",
            "im:chat:read",
            "im:message.group_at_msg:readonly",
            "im:message.group_msg",
            "im:message.p2p_msg:readonly",
            "im:message:readonly",
            "im:message:send_as_bot",
            "im:message:update",
            "im:resource",
        ];
        let events = [
            "application.bot.menu_v6",
            "contact.user.deleted_v3",
            "im.chat.access_event.bot_p2p_chat_entered_v1",
            "im.chat.disbanded_v1",
            "im.chat.member.bot.added_v1",
            "im.chat.member.bot.deleted_v1",
            "im.chat.member.user.added_v1",
            "im.chat.member.user.deleted_v1",
            "im.chat.member.user.withdrawn_v1",
            "im.message.receive_v1",
        ];
        Self {
            scopes: scopes.into_iter().map(|scope| (scope.to_owned(), true)).collect(),
            events: Some(events.map(str::to_owned).into()),
            callbacks: owned(&["card.action.trigger"]),
            events_by: Delivery::Webhook,
            callbacks_by: Delivery::Webhook,
            visible_to: None,
            contacts: "all".to_owned(),
            version: 1,
            draft: Draft::default(),
            is_bot: true,
            menu: Vec::new(),
            in_review: false,
            commands: Vec::new(),
            command_writes: 0,
            applied: false,
            rules: TenantRules::default(),
        }
    }
}

/// What every app made by QR code begins with, and airgate uses (docs/platforms/feishu.md §12.4).
const TEMPLATE_SCOPES: &[&str] = &[
    "application:app_slash_command:read",
    "application:app_slash_command:write",
    "application:application:self_manage",
    "application:bot.basic_info:read",
    "application:bot.menu:write",
    "contact:contact.base:readonly",
    "im:chat.members:bot_access",
    "im:chat:create",
    "im:chat:read",
    "im:chat:update",
    "im:message.group_at_msg.include_bot:readonly",
    "im:message.group_at_msg:readonly",
    "im:message.p2p_msg:readonly",
    "im:message.pins:read",
    "im:message.pins:write_only",
    "im:message.reactions:read",
    "im:message.reactions:write_only",
    "im:message:readonly",
    "im:message:send_as_bot",
    "im:message:update",
    "im:resource",
];
const TEMPLATE_EVENTS: &[&str] = &[
    "im.message.receive_v1",
    "im.message.reaction.created_v1",
    "im.message.reaction.deleted_v1",
    "im.chat.member.bot.added_v1",
    "im.chat.member.bot.deleted_v1",
];
/// Other scopes that the platform knows.
const OTHER_SCOPES: &[&str] = &[
    "application:application.app_version:readonly",
    "application:application:patch",
    "application:application.bot.operator_name:readonly",
    "admin:app.info:readonly",
    "contact:user.base:readonly",
    "contact:user.employee:readonly",
    "contact:user.id:readonly",
    "im:chat",
    "im:chat.members:read",
    "im:chat.members:write_only",
    "im:message.group_msg",
    "im:message.urgent",
];
/// Other events that the platform knows.
const OTHER_EVENTS: &[&str] = &[
    "application.bot.menu_v6",
    "contact.user.deleted_v3",
    "contact.user.updated_v3",
    "im.chat.access_event.bot_p2p_chat_entered_v1",
    "im.chat.disbanded_v1",
    "im.chat.member.user.added_v1",
    "im.chat.member.user.deleted_v1",
    "im.chat.member.user.withdrawn_v1",
];

/// Whether the platform knows a scope of this name.
pub(super) fn is_scope(name: &str) -> bool {
    TEMPLATE_SCOPES.contains(&name) || OTHER_SCOPES.contains(&name)
}

/// Whether the platform knows an event of this name.
pub(super) fn is_event(name: &str) -> bool {
    TEMPLATE_EVENTS.contains(&name) || OTHER_EVENTS.contains(&name)
}

/// Whether the platform knows a callback of this name.
pub(super) fn is_callback(name: &str) -> bool {
    matches!(name, "card.action.trigger" | "url.preview.get" | "profile.view.get")
}

impl Console {
    /// An app that was just made by QR code, in a tenant with these rules, by this person.
    pub(super) fn fresh(rules: TenantRules, scanner: &str) -> Self {
        let mut console = Self {
            scopes: TEMPLATE_SCOPES.iter().map(|scope| ((*scope).to_owned(), true)).collect(),
            events: Some(owned(TEMPLATE_EVENTS)),
            events_by: Delivery::Websocket,
            callbacks_by: Delivery::Websocket,
            visible_to: Some(BTreeSet::from([scanner.to_owned()])),
            contacts: "equal_to_availability".to_owned(),
            rules,
            ..Self::default()
        };
        if rules.grants == Grants::Never {
            console.scopes.values_mut().for_each(|granted| *granted = false);
        }
        console
    }

    /// Whether one of these scopes is granted.
    pub(super) fn grants(&self, any_of: &[&str]) -> bool {
        any_of.iter().any(|scope| self.scopes.get(*scope) == Some(&true))
    }

    /// The draft becomes the published version.
    pub fn publish_draft(&mut self) {
        let draft = std::mem::take(&mut self.draft);
        for scope in draft.scopes {
            let granted = self.rules.grants == Grants::AtOnce;
            let known = self.scopes.entry(scope).or_insert(false);
            *known = *known || granted;
        }
        let events = self.events.get_or_insert_default();
        events.extend(draft.events);
        events.sort();
        events.dedup();
        self.callbacks.extend(draft.callbacks);
        self.callbacks.sort();
        self.callbacks.dedup();
        self.events_by = draft.events_by.unwrap_or(self.events_by);
        self.callbacks_by = draft.callbacks_by.unwrap_or(self.callbacks_by);
        if let Some(visible_to) = draft.visible_to {
            self.visible_to = visible_to;
        }
        self.version = self.version.saturating_add(1);
        self.in_review = false;
        self.applied = false;
    }
}

/// GET /application/v6/scopes.
pub(super) fn scopes(core: &Core) -> ApiResponse {
    let state = core.state.lock();
    let scopes: Vec<Value> = state
        .console
        .scopes
        .iter()
        .map(|(name, granted)| {
            json!({"scope_name": name, "grant_status": if *granted { 1 } else { 2 }, "scope_type": "tenant"})
        })
        .collect();
    ApiResponse::data(json!({ "scopes": scopes }))
}

/// GET /application/v6/applications/:app_id/app_versions.
pub(super) fn versions(core: &Core, call: &Call) -> Result<ApiResponse, ApiResponse> {
    if call.query("lang").is_none() {
        return Err(ApiResponse::refuse(99_992_402, "field validation failed: lang is required"));
    }
    if call.path.get(4) != Some(&core.config.app_id) {
        return Err(ApiResponse::refuse(210_504, "no permission for this app"));
    }
    let state = core.state.lock();
    let readers = [
        "application:application.app_version:readonly",
        "application:application:self_manage",
        "admin:app.info:readonly",
    ];
    if !state.console.grants(&readers) {
        return Err(ApiResponse::lacks_scope(&readers));
    }
    let console = &state.console;
    let number = |version: u32| format!("1.0.{}", version.saturating_sub(1));
    let (next, status) = (console.version.saturating_add(1), if console.in_review { 3 } else { 4 });
    let draft = json!({"version_id": format!("oav_{next}"), "version": number(next), "status": status,
                       "publish_time": null, "events": []});
    let menu: Vec<Value> = console.menu.iter().map(|key| json!({"event_key": key})).collect();
    let live = console.events.as_ref().map(|events| {
        let infos: Vec<Value> = events.iter().map(|name| json!({"event_type": name})).collect();
        json!({"version_id": format!("oav_{}", console.version), "version": number(console.version), "status": 1,
               "publish_time": "1767225600", "events": [], "event_infos": infos,
               "ability": {"bot": {"bot_menus": menu}}})
    });
    let items: Vec<Value> = [draft].into_iter().chain(live).collect();
    Ok(ApiResponse::data(json!({"items": items, "has_more": false})))
}
