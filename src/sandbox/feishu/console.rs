//! The app's settings in the developer console, as far as the API shows them: scopes and subscriptions
//! (获取应用权限列表, 获取应用版本列表).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::core::Core;
use super::http::{ApiResponse, Call};

/// The console's page of the app.
#[derive(Clone, Debug)]
pub struct Console {
    /// The scopes that the published version asks for, and whether each is granted.
    pub scopes: BTreeMap<String, bool>,
    /// The events that the published version subscribes to; `None` while no version is published.
    pub events: Option<Vec<String>>,
}

impl Default for Console {
    /// An app that was set up as the platform's documents say.
    fn default() -> Self {
        let scopes = [
            "application:application.app_version:readonly",
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
            "im.chat.access_event.bot_p2p_chat_entered_v1",
            "im.chat.disbanded_v1",
            "im.chat.member.bot.added_v1",
            "im.chat.member.bot.deleted_v1",
            "im.message.receive_v1",
        ];
        Self {
            scopes: scopes.into_iter().map(|scope| (scope.to_owned(), true)).collect(),
            events: Some(events.map(str::to_owned).into()),
        }
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
    let readers =
        ["application:application.app_version:readonly", "application:application:self_manage"];
    if !readers.iter().any(|scope| state.console.scopes.get(*scope) == Some(&true)) {
        let msg = format!("Access denied. One of the following scopes is required: {readers:?}");
        return Err(ApiResponse::refuse(99_991_672, msg));
    }
    let draft = json!({"version_id": "oav_2", "version": "1.0.1", "status": 4, "publish_time": null, "events": []});
    let live = state.console.events.as_ref().map(|events| {
        let infos: Vec<Value> = events.iter().map(|name| json!({"event_type": name})).collect();
        json!({"version_id": "oav_1", "version": "1.0.0", "status": 1, "publish_time": "1767225600",
               "events": [], "event_infos": infos})
    });
    let items: Vec<Value> = [draft].into_iter().chain(live).collect();
    Ok(ApiResponse::data(json!({"items": items, "has_more": false})))
}
