//! The device flow, as strict as docs/platforms/feishu.md §12.8 wants it.

use std::io::Write;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::SignedDuration;

use super::*;

const BEGIN: &[(&str, &str)] = &[
    ("action", "begin"),
    ("archetype", "PersonalAgent"),
    ("auth_method", "client_secret"),
    ("request_user_info", "open_id"),
];

struct Accounts {
    feishu: FakeFeishu,
    clock: Clock,
    client: reqwest::Client,
}

async fn accounts(rules: RegistrationRules) -> Accounts {
    let Platform { feishu, clock, client, .. } = platform().await;
    feishu.expect_registration(rules);
    Accounts { feishu, clock, client }
}

impl Accounts {
    async fn post(&self, host: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let form = reqwest::Url::parse_with_params("http://form/", fields).unwrap();
        let request = self
            .client
            .post(format!("{host}/oauth/v1/app/registration"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.query().unwrap().to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn begin(&self) -> (String, String) {
        let (status, answer) = self.post(self.feishu.url(), BEGIN).await;
        assert_eq!(status, 200, "{answer}");
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("device_code"), text("verification_uri_complete"))
    }

    async fn poll_at(&self, host: &str, code: &str) -> (u16, Value) {
        self.post(host, &[("action", "poll"), ("device_code", code)]).await
    }

    async fn poll(&self, code: &str) -> (u16, Value) {
        self.clock.advance(SignedDuration::from_secs(30));
        self.poll_at(self.feishu.url(), code).await
    }

    fn approve(&self, link: &str) -> Result<Launcher, String> {
        self.feishu.scan(link, ALICE, Decision::Approve { name: None })
    }
}

fn addons(json: &Value) -> String {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(json.to_string().as_bytes()).unwrap();
    URL_SAFE_NO_PAD.encode(packer.finish().unwrap())
}

#[tokio::test]
async fn the_secret_is_given_once_to_who_waits_for_it() {
    let accounts = accounts(RegistrationRules::default()).await;
    let (code, link) = accounts.begin().await;
    assert_eq!(accounts.poll(&code).await.1["error"], "authorization_pending");
    let (status, early) = accounts.poll_at(accounts.feishu.url(), &code).await;
    assert_eq!((status, &early["error"]), (400, &json!("slow_down")));
    let page = accounts.approve(&format!("{link}&name=airgate")).unwrap();
    assert_eq!(page.name, "airgate");
    assert!(accounts.approve(&link).is_err(), "one scan per code");
    let (status, done) = accounts.poll(&code).await;
    assert_eq!(
        (status, &done["client_id"], &done["client_secret"]),
        (200, &json!("cli_app"), &json!("app-secret"))
    );
    assert_eq!(done["user_info"]["open_id"], ALICE);
    assert_eq!(accounts.poll(&code).await.1["error"], "invalid_grant");
    assert_eq!(accounts.feishu.read(|state| state.registration().apps().len()), 1);
}

#[tokio::test]
async fn bad_requests_and_ends_are_http_400() {
    let accounts = accounts(RegistrationRules::default()).await;
    let url = accounts.feishu.url().to_owned();
    for left_out in 1..4 {
        let fields: Vec<_> =
            BEGIN.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, it)| *it).collect();
        assert_eq!(accounts.post(&url, &fields).await.0, 400);
    }
    let json = accounts
        .client
        .post(format!("{url}/oauth/v1/app/registration"))
        .json(&json!({"action": "begin"}));
    assert_eq!(json.send().await.unwrap().status(), 400);
    assert_eq!(accounts.poll("v1:none").await.1["error"], "invalid_grant");
    let (code, link) = accounts.begin().await;
    accounts.feishu.scan(&link, ALICE, Decision::Refuse).unwrap();
    assert_eq!(accounts.poll(&code).await.1["error"], "access_denied");
    let (code, link) = accounts.begin().await;
    accounts.clock.advance(SignedDuration::from_secs(601));
    assert_eq!(accounts.poll(&code).await.1["error"], "expired_token");
    assert!(accounts.approve(&link).unwrap_err().contains("expired"));
}

#[tokio::test]
async fn the_secret_of_a_lark_tenant_comes_from_the_other_host() {
    let rules = RegistrationRules { lark: true, lark_names_client: false, ..Default::default() };
    let accounts = accounts(rules).await;
    let (code, link) = accounts.begin().await;
    accounts.approve(&link).unwrap();
    let (status, first) = accounts.poll(&code).await;
    assert_eq!(
        (status, &first["client_secret"], &first["user_info"]["tenant_brand"]),
        (200, &Value::Null, &json!("lark"))
    );
    let (status, done) = accounts.poll_at(&accounts.feishu.lark_accounts_url(), &code).await;
    assert_eq!((status, &done["client_secret"]), (200, &json!("app-secret")), "{done}");
}

#[tokio::test]
async fn addons_are_dropped_whole_or_name_by_name() {
    let scopes = |names: Value| json!({"scopes": {"tenant": names}});
    for (packed, kept) in [
        (addons(&scopes(json!(["contact:user.base:readonly", "no:such:scope"]))), 1),
        (addons(&scopes(json!(["contact:user.base:readonly", 7]))), 0),
        (addons(&json!({"scopes": {"tenant": ["contact:user.base:readonly"]}, "extra": 1})), 0),
        (addons(&json!({"scopes": {"tenant": ["contact:user.base:readonly"], "bot": []}})), 0),
        (addons(&json!({})), 0),
        ("not-gzip".to_owned(), 0),
    ] {
        let accounts = accounts(RegistrationRules::default()).await;
        let (_, link) = accounts.begin().await;
        let page = accounts.approve(&format!("{link}&addons={packed}")).unwrap();
        assert_eq!(page.scopes.len(), kept, "{packed}");
        let granted =
            accounts.feishu.read(|state| state.console().grants(&["contact:user.base:readonly"]));
        assert_eq!(granted, kept == 1);
    }
    let accounts = accounts(RegistrationRules { addons_work: false, ..Default::default() }).await;
    let (_, link) = accounts.begin().await;
    let packed = addons(&scopes(json!(["contact:user.base:readonly"])));
    assert!(accounts.approve(&format!("{link}&addons={packed}")).unwrap().scopes.is_empty());
}
