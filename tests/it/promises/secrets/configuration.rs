//! What is said about a configuration that is wrong.

use super::{APP_SECRET, Canaries, FRAGMENTS, HOOK, MASTER_KEY, SECRET, SECRETS, clean};
use crate::shared::process::run;

#[tokio::test(flavor = "multi_thread")]
async fn problems_of_a_configuration_are_reported_without_its_secrets() {
    let canaries = Canaries::start().await;
    let good = canaries.configuration().to_toml();
    let line = |name: &str, text: &str| {
        let start = good.find(&format!("\n{name} = ")).unwrap() + 1;
        let end = start + good[start..].find('\n').unwrap();
        format!("{}{text}{}", &good[..start], &good[end..])
    };
    let hook = &canaries.hook;
    for (what, text) in [
        ("a list", line("app_secret", &format!("app_secret = [\"{APP_SECRET}\"]"))),
        ("a table", line("app_secret", &format!("app_secret = {{ value = \"{APP_SECRET}\" }}"))),
        ("a key in a key", line("app_secret", &format!("app_secret.value = \"{APP_SECRET}\""))),
        ("misspelled", line("app_secret", &format!("app_secrt = \"{APP_SECRET}\""))),
        (
            "twice",
            line(
                "app_secret",
                &format!("app_secret = \"{APP_SECRET}\"\napp_secret = \"{APP_SECRET}\""),
            ),
        ),
        ("no quotes", line("app_secret", &format!("app_secret = {APP_SECRET}"))),
        ("no end", line("app_secret", &format!("app_secret = \"{APP_SECRET}"))),
        ("no equals sign", line("app_secret", &format!("app_secret \"{APP_SECRET}\""))),
        ("a colon", line("app_secret", &format!("app_secret: {APP_SECRET}"))),
        ("a bad escape", line("app_secret", &format!("app_secret = \"\\q{APP_SECRET}\""))),
        ("blanks", line("app_secret", &format!("app_secret = \" {APP_SECRET}\""))),
        (
            "both",
            line("app_secret", &format!("app_secret = \"{APP_SECRET}\"\napp_secret_file = \"x\"")),
        ),
        ("a short key", line("master_key", &format!("master_key = \"{}\"", &MASTER_KEY[..62]))),
        ("a long key", line("master_key", &format!("master_key = \"{MASTER_KEY}00\""))),
        ("a key that is a number", line("master_key", "master_key = 0xca9a7e57ca9a7e5")),
        (
            "another host",
            line(
                "alert_webhook_url",
                &format!("alert_webhook_url = \"https://evil.example/{HOOK}\""),
            ),
        ),
        ("no address", line("alert_webhook_url", &format!("alert_webhook_url = \"{HOOK}\""))),
        (
            "with a user",
            line(
                "alert_webhook_url",
                &format!("alert_webhook_url = \"{}\"", hook.replace("//", "//a:b@")),
            ),
        ),
        (
            "a password in an address",
            line("base_url", &format!("base_url = \"https://bot:{APP_SECRET}@open.feishu.cn\"")),
        ),
        (
            "a token in an address",
            line("iam_endpoint", &format!("iam_endpoint = \"https://iam.example/?key={SECRET}\"")),
        ),
        ("the webhook for the chat", line("alert_chat_id", &format!("alert_chat_id = \"{hook}\""))),
        ("a section misspelled", good.replace("[security]", "[secrity]")),
    ] {
        std::fs::write(canaries.home.config_path(), text).unwrap();
        for command in [&["check", "--offline"][..], &["serve"], &["account", "list"]] {
            let output = canaries.run(command, "");
            assert_ne!(output.code, 0, "{what}: {output:?}");
            // Part of a key is secret as well.
            clean(what, output.all().as_bytes(), [&MASTER_KEY[..62], "ca9a7e57ca9a7e5"]);
        }
    }
    canaries.home.configure(&canaries.configuration());
    // From the environment, under the right name and under wrong ones.
    for (name, value) in [
        ("FEISHU__APP_SECRT", APP_SECRET),
        ("FEISHU__APP_SECRET", &format!("{APP_SECRET} ")),
        ("FEISHU__APP_SECRET_FILE", APP_SECRET),
        ("SECURITY__MASTER_KEY", &MASTER_KEY[..62]),
        ("FEISHU__ALERT_WEBHOOK_URL", &format!("https://evil.example/{HOOK}")),
    ] {
        let mut command = canaries.home.command(&["check", "--offline"]);
        command.env(format!("AIRGATE__{name}"), value).env("RUST_LOG", "trace");
        let output = run(command, "");
        assert_ne!(output.code, 0, "{name}: {output:?}");
        if name != "FEISHU__APP_SECRET_FILE" {
            let all = SECRETS.into_iter().chain(FRAGMENTS).chain([&MASTER_KEY[..62]]);
            clean(name, output.all().as_bytes(), all);
        }
    }
}
