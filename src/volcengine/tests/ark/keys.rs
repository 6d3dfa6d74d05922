//! API keys: whose they are, and that no secret leaks.

use super::*;
use crate::domain::KeySwitch;

const NEW_SECRET: &str = "39271f1c-1a2b-4c3d-8e9f-0a1b2c3ddab0";

/// Serves the keys 1 (of user 10000) and 2 (of user 20000), which say whose they are if `named`. Obeys the filter if
/// `obeyed`, and refuses numbers in it unless `numbers`.
async fn keys(named: bool, obeyed: bool, numbers: bool) -> Fake {
    Fake::start(move |seen| {
        assert_eq!(seen.action(), "ListApiKeys");
        let filter = &seen.body["Filter"];
        let wanted = match &filter["UserId"] {
            Value::Null => None,
            Value::Number(_) if !numbers => return Reply::Error(400, "InvalidParameter.Filter"),
            Value::String(text) => Some(text.clone()),
            number => Some(number.to_string()),
        };
        let rows: Vec<Value> = [(1, 10_000), (2, 20_000)]
            .into_iter()
            .filter(|(_, user)| {
                !obeyed || wanted.as_ref().is_none_or(|wanted| *wanted == user.to_string())
            })
            .map(|(id, user)| {
                let user = if named { json!(user) } else { Value::Null };
                json!({"Id": id, "Name": "k", "Key": "392****dab0", "Status": "Active", "UserId": user})
            })
            .collect();
        Reply::Result(json!({"TotalCount": rows.len(), "Items": rows}))
    })
    .await
}

fn ids(keys: &[ArkKey]) -> Vec<i64> {
    keys.iter().map(|key| key.id).collect()
}

#[tokio::test]
async fn keys_of_everybody_are_asked_for_as_such() {
    let fake = always(json!({"TotalCount": 1, "Items": [
        {"Id": 123_456, "Name": "alice-key", "SID": "apikey-20260901101112-a1b2c", "Key": "392****dab0",
         "Status": "Active", "ProjectName": "team-a", "UserId": 0}]}))
    .await;
    let keys = fake.account().ark_keys(&team(), KeysOf::Everybody).await.unwrap();
    assert_eq!(fake.seen()[0].body["Filter"], json!({"AllowAll": true}));
    assert_eq!(
        keys,
        [ArkKey {
            id: 123_456,
            sid: "apikey-20260901101112-a1b2c".into(),
            name: "alice-key".into(),
            user_id: "0".into(),
            state: ArkKeyState::On,
            fingerprint: "392****dab0".into(),
        }]
    );
}

#[tokio::test]
async fn a_colleagues_key_never_counts_as_the_users() {
    for (named, obeyed, numbers, calls) in [
        (true, true, true, 1),
        (true, false, true, 1),
        (true, true, false, 2),
        (false, true, true, 2),
    ] {
        let fake = keys(named, obeyed, numbers).await;
        let keys = fake.account().ark_keys(&team(), KeysOf::User("10000")).await.unwrap();
        assert_eq!(ids(&keys), [1], "{named} {obeyed} {numbers}");
        assert_eq!(fake.calls(), calls, "{named} {obeyed} {numbers}");
    }
    // Nothing says whose they are.
    let fake = keys(false, false, true).await;
    let error = fake.account().ark_keys(&team(), KeysOf::User("10000")).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unexpected);
    // An id that is no number is sent as text.
    let fake = keys(true, true, false).await;
    assert!(fake.account().ark_keys(&team(), KeysOf::User("u-1")).await.unwrap().is_empty());
    assert_eq!(fake.seen()[0].body["Filter"], json!({"UserId": "u-1"}));
}

#[tokio::test]
async fn odd_keys_hide_no_other() {
    let fake = always(json!({"TotalCount": 3, "Items": [
        {"Id": "17", "Status": 7}, {"Id": "x"}, {"Name": [], "Key": NEW_SECRET},
    ]}))
    .await;
    let keys = fake.account().ark_keys(&team(), KeysOf::Everybody).await.unwrap();
    assert_eq!(ids(&keys), [17, 0, 0]);
    assert!(keys.iter().all(|key| matches!(key.state, ArkKeyState::Other(_))));
    assert!(!format!("{keys:?}").contains(NEW_SECRET));
}

#[tokio::test]
async fn a_new_secret_is_asked_for_once_and_never_kept() {
    let fake = always(json!({"Id": 42, "ApiKey": NEW_SECRET})).await;
    fake.account().regenerate_ark_key(42).await.unwrap();
    assert_eq!(fake.seen()[0].action(), "UpdateApiKey");
    assert_eq!(fake.seen()[0].body, json!({"Id": 42, "Regen": true}));

    let whole = json!({"ResponseMetadata": {}, "Result": {"ApiKey": NEW_SECRET}}).to_string();
    for (status, body) in [
        (500, whole.clone()),
        (500, format!("oops {NEW_SECRET}")),
        (403, format!("<html>{NEW_SECRET}")),
        (200, whole[..whole.len() - 2].to_owned()),
        (200, format!(r#"{{"ResponseMetadata":"{NEW_SECRET}"}}"#)),
        (200, format!("\"{NEW_SECRET}\"")),
        (200, format!(r#"{{"errorcode":"","HTTPCode":500,"message":"{NEW_SECRET}"}}"#)),
    ] {
        let answer = body.clone();
        let fake = Fake::start(move |_| Reply::Raw(status, answer.clone())).await;
        let error = fake.account().regenerate_ark_key(42).await.unwrap_err();
        let text = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(!text.contains(NEW_SECRET), "{text}");
        // A second secret would make the first one unknown to everybody.
        assert_eq!(fake.calls(), 1, "{body}");
    }
}

#[tokio::test]
async fn a_configured_switch_is_sent_as_written_and_counted_under_one_name() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _here = metrics::set_default_local_recorder(&recorder);
    let fake = Fake::start(|seen| match seen.n {
        0 => Reply::Result(json!({"ApiKey": NEW_SECRET})),
        1 => Reply::Error(404, "InvalidActionOrVersion"),
        _ => Reply::Raw(503, String::new()),
    })
    .await;
    let account = fake.account();
    let switch: KeySwitch =
        r#"SetKeyState {"Id": $id, "Status": "Inactive", "ProjectName": "$project"}"#.parse().unwrap();
    account.switch_ark_key(&switch, 42, &team()).await.unwrap();
    let seen = fake.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.action()), ("POST", "SetKeyState"));
    assert_eq!(seen.body, json!({"Id": 42, "Status": "Inactive", "ProjectName": "team-a"}));

    let error = account.switch_ark_key(&switch, 42, &team()).await.unwrap_err();
    assert!(error.is_no_such_action());
    // It might be a call that turns a key over.
    account.switch_ark_key(&switch, 42, &team()).await.unwrap_err();
    assert_eq!(fake.calls(), 3);
    let text = recorder.handle().render();
    assert!(text.contains(r#"action="ModelKeySwitch",outcome="ok""#), "{text}");
    assert!(!text.contains("SetKeyState"), "{text}");
}
