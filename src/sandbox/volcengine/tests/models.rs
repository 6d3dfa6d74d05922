//! Calls of models, what they open, and the usage that they leave.

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::domain::beijing_day;
use crate::sandbox::world::{ArkBilling, BillRow, EndpointStatus, Model, ShownIn, UsageShape};

const ARK: &str = "2024-01-01";

/// What a call of a model answers: HTTP status and code, `ok` if it works.
type Answered = (u16, &'static str);

const CLOSED: Answered = (400, "InvalidEndpoint.ClosedEndpoint");
const UNKNOWN_KEY: Answered = (401, "AuthenticationError");
const NOT_ALLOWED: Answered = (403, "AccessDenied");
const NOT_FOUND: Answered = (404, "InvalidEndpointOrModel.NotFound");
const OK: Answered = (200, "ok");

fn call(cloud: &FakeCloud, key: &str, model: &str) -> Answered {
    cloud.call_model(key, model).map_or_else(|refused| (refused.http, refused.code), |_| OK)
}

/// Two projects; `team-a` has an endpoint and a key, both made by alice.
async fn fixture() -> (Fixture, String, String) {
    let mut world = world();
    world.rules.ark.calls_per_second = None;
    let account = world.account_mut("main").unwrap();
    account.add_project("team-a", "甲组");
    account.add_user("alice");
    let endpoint = account.add_endpoint("team-a", "chat", Some("alice")).id.clone();
    let key = account.add_ark_key("team-a", "key", Some("alice")).text().to_owned();
    (Fixture::new(world).await, endpoint, key)
}

fn account<T>(fixture: &Fixture, change: impl FnOnce(&mut FakeAccount) -> T) -> T {
    fixture.cloud.update(|world| change(world.account_mut("main").unwrap()))
}

#[tokio::test]
async fn a_key_opens_its_project_whatever_becomes_of_its_user() {
    let (fixture, endpoint, key) = fixture().await;
    let (cloud, model) = (&fixture.cloud, Model::TEXT.id());
    let (other, bot) = account(&fixture, |account| {
        account.users.clear();
        let other = account.add_endpoint("default", "other", None).id.clone();
        (other, account.add_bot(&endpoint).id.clone())
    });
    assert_eq!(call(cloud, &key, &endpoint), OK);
    assert_eq!(call(cloud, &key, &bot), OK);
    assert_eq!(call(cloud, &key, &other), NOT_FOUND);
    assert_eq!(call(cloud, &key, "doubao-none"), NOT_FOUND);
    assert_eq!(call(cloud, "", &endpoint), UNKNOWN_KEY);
    // The first call by Model ID makes the preset endpoint; the second one finds it.
    assert_eq!([call(cloud, &key, &model), call(cloud, &key, &model)], [OK, OK]);
    let presets = account(&fixture, |account| account.ark.presets.clone());
    let preset = presets.keys().next().unwrap();
    assert!(presets.len() == 1 && preset.starts_with("ep-m-"), "{presets:?}");
    assert_eq!(call(cloud, &key, preset), OK);
    cloud.update(|world| world.rules.ark.model_ids_work = false);
    let disabled = (404, "InvalidEndpointOrModel.ModelIDAccessDisabled");
    assert_eq!(call(cloud, &key, &model), disabled);

    account(&fixture, |account| {
        account.ark.endpoints.get_mut(&endpoint).unwrap().status.put(EndpointStatus::Stopped);
    });
    assert_eq!([call(cloud, &key, &endpoint), call(cloud, &key, &bot)], [CLOSED, CLOSED]);
    account(&fixture, |account| {
        let key = account.ark.keys.values_mut().next().unwrap();
        key.allowed = Some(vec![preset.clone()]);
    });
    assert_eq!(call(cloud, &key, preset), OK);
    account(&fixture, |account| account.ark.keys.values_mut().next().unwrap().on.put(false));
    assert_eq!(call(cloud, &key, preset), UNKNOWN_KEY);
}

#[tokio::test]
async fn a_temporary_key_opens_its_endpoint_until_it_expires_or_the_endpoint_stops() {
    let (fixture, one, _) = fixture().await;
    let cloud = &fixture.cloud;
    let (two, secret, access_key) = account(&fixture, |account| {
        let two = account.add_endpoint("team-a", "second", Some("alice")).id.clone();
        let alice = account.users.get_mut("alice").unwrap();
        let scope = PolicyScope::Project("team-a".to_owned());
        alice.attach("ArkFullAccess", PolicyKind::System, scope);
        let id = alice.add_key(KeyStatus::Active);
        (two, alice.keys[0].secret.clone(), id)
    });
    let body = json!({"DurationSeconds": 3_600, "ResourceType": "endpoint", "ResourceIds": [one]});
    let mut request = Request::new(Method::POST, "ark", ARK, "GetApiKey");
    request.body = body.to_string();
    request.content_type = Some("application/json");
    request.access_key = access_key;
    request.secret = secrecy::ExposeSecret::expose_secret(&secret).to_owned();
    // The policy counts in its project only.
    assert_eq!(fixture.send(&request).await.refusal(), (403, "AccessDenied".to_owned()));
    request.body = json!({"DurationSeconds": 3_600, "ResourceType": "endpoint",
        "ResourceIds": [one], "ProjectName": "team-a"})
    .to_string();
    let made = fixture.send(&request).await.result();
    assert_eq!(made["ExpiredTime"], now().as_second() + 3_600);
    let key = made["ApiKey"].as_str().unwrap();
    assert_eq!(call(cloud, key, &one), OK);
    assert_eq!(call(cloud, key, &two), NOT_ALLOWED);
    assert_eq!(call(cloud, key, &Model::TEXT.id()), NOT_FOUND, "no Model IDs");

    account(&fixture, |account| {
        account.users.get_mut("alice").unwrap().keys[0].status = KeyStatus::Inactive;
    });
    assert_eq!(call(cloud, key, &one), OK, "it outlives the access key");
    cloud.update(|world| world.rules.ark.temporary_keys_end_with_their_maker = true);
    assert_eq!(call(cloud, key, &one), UNKNOWN_KEY);
    cloud.update(|world| world.rules.ark.temporary_keys_end_with_their_maker = false);
    account(&fixture, |account| {
        account.ark.endpoints.get_mut(&one).unwrap().status.put(EndpointStatus::Stopped);
    });
    assert_eq!(call(cloud, key, &one), CLOSED);
    fixture.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(call(cloud, key, &one), UNKNOWN_KEY);
}

#[tokio::test]
async fn models_are_called_over_http_with_a_bearer_key() {
    let (fixture, endpoint, key) = fixture().await;
    let iam_key = account(&fixture, |account| {
        let alice = account.users.get_mut("alice").unwrap();
        alice.add_api_key("iam", KeyStatus::Active);
        secrecy::ExposeSecret::expose_secret(&alice.api_keys[0].secret).to_owned()
    });
    let post = async |path: &str, key: &str, body: Value| {
        let url = format!("{}/api/v3/{path}", fixture.cloud.url());
        let sent = fixture.http.post(url).bearer_auth(key).body(body.to_string()).send();
        let response = sent.await.unwrap();
        let status = response.status().as_u16();
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        (status, body["error"]["code"].as_str().unwrap_or("ok").to_owned(), body)
    };
    let chat = "chat/completions";
    let (image, video) = (Model::IMAGE.id(), Model::VIDEO.id());
    let embedding = Model::EMBEDDING.id();
    for (path, key, model, status, code) in [
        (chat, &key, &endpoint, 200, "ok"),
        ("embeddings", &key, &embedding, 200, "ok"),
        ("images/generations", &key, &image, 200, "ok"),
        ("contents/generations/tasks", &key, &video, 200, "ok"),
        (chat, &key, &image, 400, "InvalidParameter"),
        ("bots/chat/completions", &key, &endpoint, 400, "InvalidParameter"),
        ("completions", &key, &endpoint, 404, "InvalidAction"),
        (chat, &iam_key, &endpoint, 401, "AuthenticationError"),
        (chat, &endpoint, &endpoint, 401, "AuthenticationError"),
    ] {
        let (answered, found, _) = post(path, key, json!({"model": model})).await;
        assert_eq!((answered, &*found), (status, code), "{path} {model}");
    }
    let (status, code, _) = post(chat, &key, json!({"messages": []})).await;
    assert_eq!((status, &*code), (400, "MissingParameter.model"));
    let (_, _, body) = post(chat, &key, json!({"model": endpoint})).await;
    assert_eq!(body["usage"]["total_tokens"], 1_540);
    assert_eq!(fixture.cloud.count(chat), 6);
}

/// The request for alice's usage by hour.
fn by_hour(day: &str) -> Value {
    json!({"StartTime": day, "EndTime": day, "QueryInterval": "Hour", "ProjectName": "team-a",
        "Filters": [{"Key": "ModelEndpoint", "Values": []}, {"Key": "ApikeyID", "Values": []}]})
}

#[tokio::test]
async fn calls_become_usage_after_some_minutes() {
    let (fixture, endpoint, key) = fixture().await;
    let sid = account(&fixture, |account| {
        account.ark.keys.values().next().map(|key| key.sid.clone()).unwrap()
    });
    let usage = async || {
        fixture.post("ark", ARK, "GetInferenceUsage", by_hour("2026-11-23")).await.result()
    };
    call(&fixture.cloud, &key, &endpoint);
    call(&fixture.cloud, &key, &endpoint);
    assert_eq!(usage().await["DataCount"], 0);
    fixture.clock.advance(SignedDuration::from_mins(10));
    let shown = usage().await;
    let names: Vec<&str> =
        shown["Fields"].as_array().unwrap().iter().map(|f| f["Name"].as_str().unwrap()).collect();
    assert_eq!(
        names[..6],
        ["AccountID", "Day", "Hour", "ModelEndpoint", "ApikeyID", "InputTokens"]
    );
    let row = json!([[
        "2100000001",
        "2026-11-23",
        "09",
        endpoint,
        sid,
        "2400",
        "400",
        "680",
        "3080",
        "2",
        "0"
    ]]);
    assert_eq!(shown["Data"], row);

    let shape = |shape| fixture.cloud.update(|world| world.rules.ark.usage_shape = shape);
    shape(UsageShape::Records);
    assert_eq!(usage().await["Records"], row);
    shape(UsageShape::Objects);
    assert_eq!(usage().await["Data"][0]["TotalTokens"], "3080");
    shape(UsageShape::Totals);
    assert_eq!(usage().await["TotalTokens"], 3_080);
    shape(UsageShape::CountOnly);
    assert_eq!(usage().await, json!({"DataCount": 1}));
}

#[tokio::test]
async fn a_call_is_billed_if_it_has_a_price() {
    let (fixture, endpoint, key) = fixture().await;
    let price: rust_decimal::Decimal = "0.05".parse().unwrap();
    fixture.cloud.update(|world| world.rules.ark.call_price = Some(price));
    call(&fixture.cloud, &key, &endpoint);
    call(&fixture.cloud, &key, &endpoint);
    let billed = account(&fixture, |account| account.payable("team-a", period("2026-11")));
    assert_eq!(billed.to_string(), "0.10");
}

#[tokio::test]
async fn calls_are_billed_per_model_within_minutes_and_per_project_the_next_morning() {
    let (fixture, endpoint, key) = fixture().await;
    let price = |text: &str| text.parse::<rust_decimal::Decimal>().unwrap();
    let billing = ArkBilling::priced(price("10"), price("1"), price("100"));
    fixture.cloud.update(|world| world.rules.ark.billing = Some(billing));
    call(&fixture.cloud, &key, &endpoint);
    call(&fixture.cloud, &key, &endpoint);
    let today = beijing_day(fixture.clock.now());
    let list = |action: &'static str, group: u8| {
        let body = json!({"BillPeriod": "2026-11", "GroupPeriod": group, "Limit": 300, "Offset": 0,
            "NeedRecordNum": 1, "ExpenseDate": today.to_string()});
        let fixture = &fixture;
        async move { fixture.bills(action, body).await.result()["List"].as_array().unwrap().clone() }
    };
    assert_eq!(list("ListBillDetail", 2).await.len(), 0, "the period of five minutes is not over");
    fixture.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(list("ListBillDetail", 2).await.len(), 0, "they come ten minutes later");
    let visible = |shown_in, change: &dyn Fn(&mut BillRow)| {
        account(&fixture, |account| {
            let rows = account.bill_rows_mut(period("2026-11"));
            let mut from = Vec::new();
            for row in rows.iter_mut().filter(|row| row.shown_in == shown_in) {
                from.push(row.visible_from.unwrap().to_string());
                change(row);
            }
            from
        })
    };
    let now = |row: &mut BillRow| row.visible_from = Some(fixture.clock.now());
    assert_eq!(visible(ShownIn::Detail, &now), ["2026-11-23T01:45:00Z"; 3]);
    let rows: Vec<Value> = list("ListBillDetail", 2).await;
    assert_eq!(rows.len(), 3, "{rows:?}");
    let of = |rows: &[Value], column: &str| -> Vec<String> {
        rows.iter().map(|row| row[column].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(&rows, "ConfigName"), ["Doubao-Seed-2.0-pro"; 3]);
    assert_eq!(of(&rows, "Project"), ["-"; 3]);
    let code = "Doubao_Seed_2.0_pro_infer_input_cn-beijing_realtime";
    assert_eq!(of(&rows, "ChargeItemCode")[0], code);
    let amounts = of(&rows, "PayableAmount").into_iter();
    let amounts: Vec<rust_decimal::Decimal> = amounts.map(|text| price(&text)).collect();
    assert_eq!(amounts, [price("20"), price("0.4"), price("68")]);
    // Grouped rows come an hour later, split rows the next morning.
    assert_eq!(list("ListBillDetail", 1).await.len(), 0);
    let hour_ago = |row: &mut BillRow| {
        row.visible_from = Some(fixture.clock.now() - SignedDuration::from_hours(1));
    };
    visible(ShownIn::Detail, &hour_ago);
    assert_eq!(list("ListBillDetail", 1).await.len(), 3);
    assert_eq!(list("ListSplitBillDetail", 2).await.len(), 0);
    assert_eq!(visible(ShownIn::Split, &now), ["2026-11-24T01:00:00Z"; 3]);
    let split = list("ListSplitBillDetail", 2).await;
    assert_eq!(of(&split, "Project"), ["team-a"; 3]);
    assert_eq!(of(&split, "SplitItemID"), [endpoint.as_str(); 3]);
    assert_eq!(of(&split, "PayableAmount"), of(&rows, "PayableAmount"));
    assert_eq!(list("ListBillDetail", 2).await.len(), 3, "nothing is billed twice");
}
