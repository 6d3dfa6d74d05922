//! The app's settings by API, and slash commands.

use super::*;

const CONFIG: &str = "/application/v7/applications/cli_app/config";
const PUBLISH: &str = "/application/v7/applications/cli_app/publish";
const SLASH: &str = "/application/v7/app_slash_commands";

fn version() -> Value {
    json!({"changelog": "x", "remark": "x", "mobile_default_ability": "bot", "pc_default_ability": "bot"})
}

#[tokio::test]
async fn settings_take_effect_with_the_next_version() {
    let platform = platform().await;
    platform.feishu.set_console(|console| {
        console.events = Some(Vec::new());
        console.scopes.remove("im:message.urgent");
        console.rules.grants = Grants::OnApply;
    });
    let body = json!({"scope": {"add_scopes": [{"scope_name": "im:message.urgent", "token_type": "tenant"}]},
        "event": {"subscription_type": "webhook", "request_url": "https://x", "add_events": ["im.message.receive_v1"]},
        "visibility": {"is_visible_to_all": false, "visible_list": {"user_ids": [ALICE]}}});
    assert_eq!(platform.call("PATCH", CONFIG, Some(body)).await.0, 200);
    assert!(platform.feishu.read(|state| state.console().events.as_ref().unwrap().is_empty()));
    let (status, published) = platform.call("POST", PUBLISH, Some(version())).await;
    assert_eq!((status, &published["data"]["version"]), (200, &json!("1.0.1")));
    let (_, scopes) = platform.call("GET", "/application/v6/scopes", None).await;
    let urgent = |scopes: &Value| {
        let all = scopes["data"]["scopes"].as_array().unwrap();
        all.iter().find(|one| one["scope_name"] == "im:message.urgent").unwrap()["grant_status"]
            .clone()
    };
    assert_eq!(urgent(&scopes), 2);
    assert_eq!(platform.call("POST", "/application/v6/scopes/apply", None).await.0, 200);
    assert_eq!(urgent(&platform.call("GET", "/application/v6/scopes", None).await.1), 1);
    assert_eq!(
        platform.call("POST", "/application/v6/scopes/apply", None).await.1["code"],
        212_002
    );
}

#[tokio::test]
async fn every_refusal_of_the_settings_has_its_code() {
    let platform = platform().await;
    let websocket = json!({"event": {"subscription_type": "websocket"}});
    for (path, body, code) in [
        (CONFIG, websocket.clone(), 210_042),
        (CONFIG, json!({"event": {"add_events": []}}), 99_992_402),
        (CONFIG, json!({"extra": {}}), 99_992_402),
        (
            CONFIG,
            json!({"scope": {"add_scopes": [{"scope_name": "no:such", "token_type": "tenant"}]}}),
            210_031,
        ),
        ("/application/v7/applications/cli_other/config", json!({}), 210_036),
    ] {
        assert_eq!(platform.call("PATCH", path, Some(body)).await.1["code"], code, "{path}");
    }
    let ability = "/application/v7/applications/cli_app/ability";
    platform.feishu.set_console(|console| console.is_bot = false);
    assert_eq!(platform.call("PATCH", CONFIG, Some(json!({}))).await.1["code"], 210_041);
    assert_eq!(
        platform.call("PATCH", ability, Some(json!({"bot": {}}))).await.1["code"],
        99_992_402
    );
    let on = json!({"bot": {"enable": true}});
    assert_eq!(platform.call("PATCH", ability, Some(on)).await.1["code"], 0);
    platform.feishu.set_console(|console| console.rules.reviews_versions = true);
    assert_eq!(platform.call("POST", PUBLISH, Some(version())).await.0, 200);
    assert_eq!(platform.call("POST", PUBLISH, Some(version())).await.1["code"], 210_302);
    assert_eq!(platform.call("PATCH", CONFIG, Some(json!({}))).await.1["code"], 210_040);
    platform.feishu.set_console(|console| console.rules.config_api = ConfigApi::NotConsoleApp);
    assert_eq!(platform.call("PATCH", CONFIG, Some(json!({}))).await.1["code"], 210_043);
    platform.feishu.set_console(|console| console.rules.config_api = ConfigApi::Missing);
    let (status, text) = platform.text("PATCH", CONFIG, Some(json!({}))).await.unwrap();
    assert_eq!((status, text.as_str()), (404, "404 page not found"));
    platform.feishu.set_console(|console| {
        console.rules.config_api = ConfigApi::Works;
        console.scopes.remove("application:application:patch");
    });
    assert_eq!(platform.call("PATCH", CONFIG, Some(json!({}))).await.1["code"], 99_991_672);
}

#[tokio::test]
async fn slash_commands_are_kept_and_refused() {
    let platform = platform().await;
    let (_, empty) = platform.call("GET", SLASH, None).await;
    assert_eq!(empty["data"], json!({}));
    let body = json!({"command": "users", "description": {"default_value": "List", "i18n": {"zh_cn": "用户"}}});
    let (_, made) = platform.call("POST", SLASH, Some(body.clone())).await;
    let id = made["data"]["command_id"].as_str().unwrap().to_owned();
    let (_, twice) = platform.call("POST", SLASH, Some(body)).await;
    assert_eq!(twice["code"], 40_000_000);
    assert!(twice["msg"].as_str().unwrap().contains("already exists"));
    let slash = json!({"command": "/users", "description": {"default_value": "x"}});
    assert_eq!(platform.call("POST", SLASH, Some(slash)).await.1["code"], 40_000_000);
    let one = format!("{SLASH}/{id}");
    let icon = json!({"icon": {"icon_key": "nonsense"}});
    assert_eq!(platform.call("PATCH", &one, Some(icon)).await.1["code"], 40_000_031);
    assert_eq!(platform.call("DELETE", &one, None).await.0, 200);
    assert_eq!(platform.call("DELETE", &one, None).await.1["code"], 40_000_000);
}

#[tokio::test]
async fn a_bot_joins_public_groups_only() {
    let platform = platform().await;
    platform.feishu.set_console(|console| {
        console.scopes.insert("im:chat.members:write_only".to_owned(), true);
    });
    platform.feishu.add_public_group("oc_public", "Everybody");
    let (_, found) = platform.call("GET", "/im/v1/chats/search?page_size=100", None).await;
    let found = found["data"]["items"].as_array().unwrap().len();
    assert_eq!(found, 2);
    for (chat, code) in [("oc_public", 0), (GROUP, 232_008), ("oc_none", 232_006)] {
        let path = format!("/im/v1/chats/{chat}/members/me_join");
        assert_eq!(platform.call("PATCH", &path, None).await.1["code"], code);
    }
}
