//! `Debug` output.

use airgate::app::settings::NewSettings;
use airgate::clock::Clock;
use airgate::config::{Config, Events, environment};
use airgate::domain::{EVENT_WINDOW, SavedSettings};
use airgate::feishu::{self, CallbackKeys, CallbackVerifier, Content, CustomBot, parse_payload};
use airgate::store::AccountSecrets;
use airgate::volcengine::Credentials;
use serde_json::json;

use super::{APP_ID, Canaries, KEY, SECRET, SECRETS, clean};
use crate::bed::{ADMIN, TIMEOUT};

#[tokio::test(flavor = "multi_thread")]
async fn debug_output_shows_no_secret() {
    let canaries = Canaries::start().await;
    let config =
        Config::load(Some(canaries.home.config_path().as_path()), environment().take(0)).unwrap();
    let base = config.feishu.base_url.clone();
    let form = json!({"webhook_url": canaries.hook, "access_key": KEY, "secret_key": SECRET});
    let payload = canaries.feishu.envelope(
        "card.action.trigger",
        "1700000000000000",
        json!({
            "operator": {"open_id": ADMIN}, "token": "c-1",
            "action": {"tag": "button", "value": {"action": "account.save"}, "form_value": form},
        }),
    );
    let incoming =
        parse_payload(&payload, "2023-11-14T22:13:20Z".parse().unwrap(), EVENT_WINDOW).unwrap();
    let client = feishu::ClientConfig {
        base_url: base.clone(),
        app_id: APP_ID.to_owned(),
        app_secret: config.feishu.app_secret.clone(),
        timeout: TIMEOUT,
        upload_timeout: TIMEOUT,
    };
    let Events::Webhook(secrets) = &config.feishu.events else { panic!("not in webhook mode") };
    let keys = CallbackKeys {
        app_id: APP_ID.to_owned(),
        encrypt_key: secrets.encrypt_key.clone(),
        verification_token: secrets.verification_token.clone(),
    };
    let secrets = AccountSecrets {
        access_key_id: KEY.to_owned().into(),
        secret_key: SECRET.to_owned().into(),
    };
    let credentials =
        Credentials { access_key_id: KEY.to_owned(), secret_key: SECRET.to_owned().into() };
    let hook = airgate::address::webhook_url(&canaries.hook, &base).unwrap();
    let saved = SavedSettings {
        webhook_url: Some(Some(canaries.hook.clone())),
        ..SavedSettings::default()
    };
    let new = NewSettings { webhook_url: canaries.hook.clone(), ..NewSettings::default() };
    for shown in [
        format!("{config:#?}"),
        format!("{:?}", config.initial_settings()),
        format!("{saved:?} {new:?}"),
        format!("{secrets:?} {credentials:?}"),
        format!("{client:?} {keys:?}"),
        format!("{:?}", CallbackVerifier::new(keys.clone(), EVENT_WINDOW)),
        format!("{:?}", feishu::Client::new(client.clone(), Clock::system()).unwrap()),
        format!(
            "{:?}",
            CustomBot::new(hook, config.feishu.alert_webhook_secret.clone(), TIMEOUT).unwrap()
        ),
        format!("{incoming:?}"),
        format!("{:?}", Content::SecretCard(SECRET.to_owned().into())),
    ] {
        assert!(!shown.is_empty());
        clean("Debug", shown.as_bytes(), SECRETS);
    }
}
