//! What is accepted, what is refused, and the wording of the refusals.

mod mode;
mod refused;

pub(crate) use refused::REFUSED;

use std::fs;

use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::documents::{Optional, example};
use super::keys::{Kind, SECTIONS, Unset};
use super::*;

const HEX_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The variables of the keys that are required.
fn required() -> Vec<(String, String)> {
    env(&[
        ("AIRGATE__FEISHU__APP_ID", "cli_1"),
        ("AIRGATE__FEISHU__APP_SECRET", "seen-1"),
        ("AIRGATE__FEISHU__VERIFICATION_TOKEN", "seen-2"),
        ("AIRGATE__FEISHU__ADMINS", "ou_1"),
        ("AIRGATE__SECURITY__MASTER_KEY", HEX_KEY),
    ])
}

fn env(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, file).unwrap();
    Config::load(Some(&path), env(variables))
}

/// Loads `file` together with the required variables that it does not give itself.
fn load_with_required(file: &str) -> Result<Config, ConfigError> {
    let given: toml::Table = toml::from_str(file).unwrap();
    let mut variables = required();
    for (section, keys) in &given {
        for key in keys.as_table().into_iter().flat_map(|keys| keys.keys()) {
            let name = format!("AIRGATE__{section}__{}", key.trim_end_matches("_file"));
            variables.retain(|(variable, _)| *variable != name.to_ascii_uppercase());
        }
    }
    let variables: Vec<_> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    load(file, &variables)
}

/// The secrets of webhook mode.
fn callbacks(config: &Config) -> &CallbackSecrets {
    match &config.feishu.events {
        Events::Webhook(secrets) => secrets,
        Events::Websocket => panic!("not in webhook mode"),
    }
}

fn lines(result: Result<Config, ConfigError>) -> Vec<String> {
    result.unwrap_err().to_string().lines().map(str::to_owned).collect()
}

#[test]
fn the_required_keys_alone_give_the_documented_defaults() {
    let mut variables = required();
    variables.retain(|(name, _)| name != "AIRGATE__FEISHU__VERIFICATION_TOKEN");
    let config = Config::load(None, variables).unwrap();
    assert_eq!(config.locale, Locale::ZhCn);
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.feishu.base_url.as_str(), "https://open.feishu.cn/");
    assert_eq!(config.feishu.app_id, "cli_1");
    assert_eq!(config.feishu.app_secret.expose_secret(), "seen-1");
    assert!(matches!(config.feishu.events, Events::Websocket));
    assert!(config.warnings().is_empty());
    assert_eq!(config.feishu.admins, [OpenId::new("ou_1").unwrap()]);
    assert!(config.feishu.viewers.is_empty());
    assert_eq!(config.volcengine.iam_endpoint.as_str(), "https://iam.volcengineapi.com/");
    assert_eq!(config.volcengine.billing_endpoint.as_str(), "https://billing.volcengineapi.com/");
    assert_eq!(config.volcengine.region, "cn-beijing");
    assert_eq!(config.volcengine.qps.get(), 4);
    assert_eq!(config.store.path, Path::new("data/airgate.redb"));
    assert_eq!(config.store.backup_dir, None);
    assert_eq!(config.store.backup_keep.get(), 7);
    assert_eq!(config.store.backup_interval, Duration::from_secs(24 * 3600));
    assert_eq!(
        config.volcengine.ark_endpoint.as_str(),
        "https://ark.cn-beijing.volcengineapi.com/"
    );
    assert_eq!(config.volcengine.ark_qps.get(), 2);
    assert_eq!(config.access.link_policies, LinkPolicies::default());
    assert_eq!(config.access.rules, AccessRules::default());
    assert_eq!(config.security.master_key.expose()[31], 0x1f);
    assert!(config.monitor.enabled);
    assert_eq!(config.monitor.bill_source, BillSource::Split);
    assert_eq!(config.monitor.amount_field, AmountField::Payable);
    assert_eq!(config.monitor.estimate, EstimateUse::Warn);
    assert_eq!(config.monitor.concurrency.get(), 4);
    assert_eq!(
        config.initial_settings(),
        Settings {
            thresholds: Thresholds::default(),
            interval: Duration::from_secs(3600),
            alert_chat: None,
            webhook_url: None,
            mobiles: vec![],
            people: Vec::new(),
            approval: Default::default(),
            notify_owners: true,
            digest: None,
        }
    );
}

#[test]
fn a_full_file_is_read() {
    let config = load(
        &format!(
            r#"
            locale = "en_us"
            [server]
            listen = "0.0.0.0:9000"
            [feishu]
            mode = "websocket"
            base_url = "https://open.larksuite.com/"
            app_id = "cli_1"
            app_secret = "s"
            encrypt_key = "e"
            verification_token = "t"
            admins = ["ou_1", "ou_2", "ou_1"]
            viewers = ["ou_3"]
            alert_chat_id = "oc_1"
            alert_webhook_url = "https://open.larksuite.com/open-apis/bot/v2/hook/x"
            alert_webhook_secret = "w"
            alert_mobiles = ["13800138000", "+4915112345678"]
            [volcengine]
            iam_endpoint = "http://127.0.0.1:1"
            billing_endpoint = "http://127.0.0.1:2"
            region = "cn-shanghai"
            qps = 10
            ark_endpoint = "http://127.0.0.1:3"
            ark_qps = 5
            [store]
            path = "/var/lib/airgate.redb"
            backup_dir = "backups"
            backup_keep = 1
            backup_interval_hours = 1
            [access]
            project_policies = ["ArkFullAccess", "TOSFullAccess"]
            global_policies = ["ArkGlobalInitAccess"]
            deny_all = false
            models = "linked"
            model_keys = "disable"
            model_key_disable = 'UpdateApiKey {{"Id": $id, "Disabled": true}}'
            model_key_enable = 'UpdateApiKey {{"Id": $id, "Disabled": false}}'
            stop_jobs = true
            [security]
            master_key = "{HEX_KEY}"
            [monitor]
            enabled = false
            interval_seconds = 1
            alert_thresholds = [100, 60]
            bill_source = "detail"
            amount_field = "original"
            estimate = "cut"
            concurrency = 64
            "#
        ),
        &[],
    )
    .unwrap();
    assert_eq!(config.locale, Locale::EnUs);
    assert!(matches!(config.feishu.events, Events::Websocket));
    assert_eq!(config.feishu.base_url.as_str(), "https://open.larksuite.com/");
    assert_eq!(config.feishu.admins.len(), 2, "a repeated id counts once");
    assert_eq!(config.store.path, Path::new("/var/lib/airgate.redb"));
    assert!(config.store.backup_dir.unwrap().ends_with("backups"));
    assert_eq!(config.volcengine.ark_endpoint.as_str(), "http://127.0.0.1:3/");
    assert_eq!(config.volcengine.ark_qps.get(), 5);
    assert_eq!(config.access.link_policies.project, ["ArkFullAccess", "TOSFullAccess"]);
    assert_eq!(config.access.link_policies.global, ["ArkGlobalInitAccess"]);
    let disable = r#"UpdateApiKey {"Id": $id, "Disabled": true}"#.parse().unwrap();
    let enable = r#"UpdateApiKey {"Id": $id, "Disabled": false}"#.parse().unwrap();
    assert_eq!(
        config.access.rules,
        AccessRules {
            deny_all: false,
            models: Models::Linked,
            model_keys: ModelKeys::Disable { disable, enable },
            stop_jobs: true,
        }
    );
    assert_eq!(config.monitor.thresholds.percents(), [60, 100]);
    assert_eq!(config.monitor.bill_source, BillSource::Detail);
    assert_eq!(config.monitor.amount_field, AmountField::Original);
    assert_eq!(config.monitor.estimate, EstimateUse::Cut);
    assert_eq!(config.feishu.alert_mobiles, ["13800138000", "+4915112345678"]);
}

#[test]
fn the_environment_overrides_the_file_key_by_key() {
    let mut variables = required();
    variables.extend(env(&[
        ("AIRGATE__LOCALE", "en_us"),
        ("AIRGATE__FEISHU__VIEWERS", " ou_5 , ou_6 ,"),
        ("AIRGATE__ACCESS__PROJECT_POLICIES", r#"["A", "B"]"#),
        ("AIRGATE__ACCESS__DENY_ALL", "false"),
        ("AIRGATE__MONITOR__ALERT_THRESHOLDS", "90,70"),
        ("AIRGATE__MONITOR__INTERVAL_SECONDS", "60"),
        ("AIRGATE__FEISHU__ALERT_CHAT_ID", ""),
        // Not keys: they control the command line.
        ("AIRGATE_CONFIG", "x"),
        ("AIRGATE_LOG_FORMAT", "json"),
        ("AIRGATE_NEW_MASTER_KEY", "x"),
        ("PATH", "/bin"),
    ]));
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.toml");
    let file = "locale = \"zh_cn\"\n[feishu]\nviewers = [\"ou_4\"]\nalert_chat_id = \"oc_1\"\n[monitor]\nconcurrency = 2\n";
    fs::write(&path, file).unwrap();
    let config = Config::load(Some(&path), variables).unwrap();
    assert_eq!(config.locale, Locale::EnUs);
    assert_eq!(config.feishu.viewers, ["ou_5", "ou_6"].map(|id| OpenId::new(id).unwrap()));
    assert_eq!(config.access.link_policies.project, ["A", "B"]);
    assert!(!config.access.rules.deny_all);
    assert_eq!(config.monitor.thresholds.percents(), [70, 90]);
    assert_eq!(config.monitor.interval, Duration::from_secs(60));
    assert_eq!(
        config.monitor.concurrency.get(),
        2,
        "keys that the environment does not set keep the file's value"
    );
    assert_eq!(config.feishu.alert_chat, None, "an empty variable unsets an optional key");
    assert_eq!(config.store.path, folder.path().join("data/airgate.redb"));
}

#[test]
fn secrets_come_from_files_beside_the_configuration() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("secret", "from-file\n");
    write("token", "windows\r\n");
    write("key", HEX_KEY);
    write("empty", "\n");
    write("two-lines", "a\n\n");
    write(
        "config.toml",
        "[feishu]\napp_id = \"cli_1\"\napp_secret_file = \"secret\"\nencrypt_key = \"in-toml\"\n\
         verification_token = \"in-toml\"\nadmins = [\"ou_1\"]\n[security]\nmaster_key_file = \"key\"\n",
    );
    let path = folder.path().join("config.toml");
    let load = |variables: &[(&str, &str)]| Config::load(Some(&path), env(variables));

    // A file named in the environment takes precedence over a value in the configuration file.
    let config = load(&[("AIRGATE__FEISHU__VERIFICATION_TOKEN_FILE", "token")]).unwrap();
    assert_eq!(config.feishu.app_secret.expose_secret(), "from-file");
    assert_eq!(callbacks(&config).verification_token.expose_secret(), "windows");
    assert_eq!(config.security.master_key.expose()[1], 1);
    // So does a value in the environment over a file named in the configuration file.
    let config = load(&[("AIRGATE__FEISHU__APP_SECRET", "from-env")]).unwrap();
    assert_eq!(config.feishu.app_secret.expose_secret(), "from-env");

    let refused = |name: &str, value: &str| lines(load(&[(name, value)]));
    let subject = "feishu.app_secret_file (AIRGATE__FEISHU__APP_SECRET_FILE)";
    let variable = "AIRGATE__FEISHU__APP_SECRET_FILE";
    assert_eq!(
        refused(variable, "empty"),
        [format!("{subject} names an empty file: put the secret into `empty`")]
    );
    assert_eq!(
        refused(variable, "two-lines"),
        [format!("{subject} begins or ends with white space: remove it")]
    );
    assert_eq!(
        refused(variable, "none"),
        [format!(
            "{subject} names `none`, which cannot be read: No such file or directory (os error 2)"
        )]
    );
    assert_eq!(
        refused(variable, ""),
        [format!("{subject} is empty: name the file that holds the secret")]
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_value() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), format!("\u{FEFF}{text}\r\n")).unwrap();
    };
    write("secret", "from-file");
    write("key", HEX_KEY);
    write(
        "config.toml",
        "[feishu]\napp_id = \"cli_1\"\napp_secret_file = \"secret\"\nadmins = [\"ou_1\"]\n\
         [security]\nmaster_key_file = \"key\"",
    );
    let path = folder.path().join("config.toml");
    let token = env(&[("AIRGATE__FEISHU__VERIFICATION_TOKEN", "\u{FEFF}token")]);
    let config = Config::load(Some(&path), token).unwrap();
    assert_eq!(config.feishu.app_secret.expose_secret(), "from-file");
    assert_eq!(callbacks(&config).verification_token.expose_secret(), "token");
    assert_eq!(config.security.master_key.expose()[31], 0x1f);
}

#[test]
fn a_mode_demands_only_the_keys_that_it_uses() {
    let mut variables = required();
    variables.retain(|(name, _)| name != "AIRGATE__FEISHU__VERIFICATION_TOKEN");
    let webhook = variables.iter().cloned().chain(env(&[("AIRGATE__FEISHU__MODE", "webhook")]));
    let told = lines(Config::load(None, webhook));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("feishu.verification_token is missing"), "{told:?}");
    // As deployments pass what they do not use.
    variables.extend(env(&[("AIRGATE__FEISHU__VERIFICATION_TOKEN", "")]));
    let config = Config::load(None, variables.clone()).unwrap();
    assert!(matches!(config.feishu.events, Events::Websocket) && config.warnings().is_empty());
    variables.extend(env(&[("AIRGATE__FEISHU__MODE", "websocket")]));
    assert!(Config::load(None, variables).is_ok());
}

#[test]
fn a_secret_given_twice_in_one_place_is_refused() {
    assert_eq!(
        lines(load_with_required("[feishu]\napp_secret = \"a\"\napp_secret_file = \"b\"")),
        ["feishu.app_secret and feishu.app_secret_file are both given: keep one of them"]
    );
    let mut variables = required();
    variables.extend(env(&[("AIRGATE__SECURITY__MASTER_KEY_FILE", "b")]));
    assert_eq!(
        lines(Config::load(None, variables)),
        ["security.master_key (AIRGATE__SECURITY__MASTER_KEY) and security.master_key_file \
         (AIRGATE__SECURITY__MASTER_KEY_FILE) are both given: keep one of them"]
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    assert_eq!(
        lines(load(
            "colour = 1\n[feishu]\nmode = \"carrier pigeon\"\napp_idd = \"x\"\n[monitor]\nconcurrency = 65",
            &[("AIRGATE__VOLCENGINE__QPS", "many"), ("AIRGATE__FEISHU__APPID", "x")],
        )),
        [
            "colour is not a known key: remove it; config.example.toml lists all keys",
            "feishu.app_idd is not a known key: did you mean feishu.app_id?",
            "AIRGATE__FEISHU__APPID is not a known key: did you mean AIRGATE__FEISHU__APP_ID?",
            "feishu.mode must be \"websocket\" or \"webhook\" (`carrier pigeon`)",
            "feishu.app_id is missing: set it in the configuration file or with AIRGATE__FEISHU__APP_ID",
            "feishu.app_secret is missing: set it in the configuration file or with AIRGATE__FEISHU__APP_SECRET, or name a \
             file that holds it with app_secret_file",
            "feishu.admins is empty: there would be no administrator; add your open_id (ou_...)",
            "volcengine.qps (AIRGATE__VOLCENGINE__QPS) must be a whole number from 1 to 1000, not `many`",
            "security.master_key is missing: set it in the configuration file or with AIRGATE__SECURITY__MASTER_KEY, or name \
             a file that holds it with master_key_file",
            "monitor.concurrency must be a whole number from 1 to 64, not 65",
        ]
    );
}

#[test]
fn unusable_files_are_one_line() {
    let told = lines(load("a = 1\n[feishu\napp_id = 2", &[("AIRGATE__LOCAL", "x")]));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("config.toml:2 is not valid TOML: "), "{told:?}");
    assert_eq!(told[1], "AIRGATE__LOCAL is not a known key: did you mean AIRGATE__LOCALE?");

    let told = lines(Config::load(Some(Path::new("/nonexistent/config.toml")), required()));
    assert_eq!(
        told,
        [
            "/nonexistent/config.toml cannot be read: No such file or directory (os error 2) (--config or AIRGATE_CONFIG \
          names it)"
        ]
    );
    let folder = TempDir::new().unwrap();
    let told = lines(Config::load(Some(folder.path()), required()));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(" cannot be read: "), "{told:?}");
}

#[test]
fn bad_variables_are_named() {
    for (name, value, line) in [
        (
            "AIRGATE__MONITOR__ENABLED",
            "yes",
            "monitor.enabled (AIRGATE__MONITOR__ENABLED) must be true or false, not `yes`",
        ),
        (
            "AIRGATE__FEISHU__VIEWERS",
            "[\"ou_1\"",
            "feishu.viewers (AIRGATE__FEISHU__VIEWERS) must be a list of strings like [\"a\", \"b\"], not `[\"ou_1\"`",
        ),
        (
            "AIRGATE__MONITOR__ALERT_THRESHOLDS",
            "50,high",
            "monitor.alert_thresholds (AIRGATE__MONITOR__ALERT_THRESHOLDS) is refused: `high` is not a whole percent from 1 \
             to 500, like [50, 80, 90]",
        ),
        (
            "AIRGATE__FEISHU__ENCRYPT_KEY",
            "\u{fffd}hidden",
            "feishu.encrypt_key (AIRGATE__FEISHU__ENCRYPT_KEY) is not UTF-8 text",
        ),
        (
            "AIRGATE__feishu__mode",
            "webhook",
            "AIRGATE__feishu__mode is not a known key: did you mean AIRGATE__FEISHU__MODE?",
        ),
        (
            "AIRGATE__ACCESS__DETACH_POLICIES",
            "true",
            "AIRGATE__ACCESS__DETACH_POLICIES no longer exists: remove it; access.deny_all, which is on by default, has taken its place",
        ),
    ] {
        let mut variables = required();
        variables.extend(env(&[(name, value)]));
        assert_eq!(lines(Config::load(None, variables)), [line]);
    }
}

#[test]
fn a_webhook_on_the_host_of_base_url_is_accepted() {
    let file = "[feishu]\nbase_url = \"https://feishu.corp.example\"\n\
                alert_webhook_url = \"https://feishu.corp.example/hook/x\"\n";
    let settings = load_with_required(file).unwrap().initial_settings();
    assert_eq!(settings.webhook_url.as_deref(), Some("https://feishu.corp.example/hook/x"));
}

#[test]
fn debug_shows_no_secret() {
    let file = "[feishu]\nencrypt_key = \"seen-3\"\nalert_webhook_secret = \"seen-4\"\n\
                alert_webhook_url = \"https://open.feishu.cn/open-apis/bot/v2/hook/seen-5\"\n";
    let shown = format!("{:?}", load_with_required(file).unwrap());
    assert!(!shown.contains("seen-"), "{shown}");
    assert!(!shown.contains("[0, 1, 2"), "{shown}");
}

#[test]
fn unencrypted_callbacks_give_a_warning() {
    let warnings = |file: &str| load_with_required(file).unwrap().warnings();
    let webhook = "[feishu]\nmode = \"webhook\"\n";
    assert_eq!(warnings(webhook).len(), 1);
    assert!(warnings(webhook)[0].starts_with("feishu.encrypt_key is not set: "));
    assert!(warnings(&format!("{webhook}encrypt_key = \"e\"")).is_empty());
    assert!(warnings("[feishu]\nmode = \"websocket\"").is_empty());
}

#[test]
fn an_administrator_who_is_nobody_gives_a_warning() {
    let warnings = |admins: &str| {
        let file = format!("[feishu]\nmode = \"websocket\"\nadmins = {admins}");
        load_with_required(&file).unwrap().warnings()
    };
    assert!(warnings("[\"ou_unknown\"]")[0].starts_with("feishu.admins holds only"));
    assert!(warnings("[\"ou_unknown\", \"ou_1\"]").is_empty());
}

#[cfg(unix)]
#[test]
fn a_file_with_secrets_that_others_can_read_is_noticed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let exposed = |text: &str, mode| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        exposes_secrets(&path)
    };
    let secret = "[feishu]\napp_secret = \"s\"\n";
    assert!(exposed(secret, 0o644));
    assert!(exposed(secret, 0o640));
    assert!(!exposed(secret, 0o600));
    assert!(!exposed("[feishu]\napp_secret_file = \"s\"\napp_secret = \"\"\n", 0o644));
    assert!(!exposed("not TOML", 0o644));
}

#[test]
fn a_cut_that_leaves_model_calls_alone_gives_a_warning() {
    let warnings = |access: &str| {
        let file = format!("[feishu]\nmode = \"websocket\"\n[access]\n{access}");
        load_with_required(&file).unwrap().warnings()
    };
    assert!(warnings("").is_empty());
    assert!(warnings("model_keys = \"rotate\"\nstop_jobs = true").is_empty());
    assert_eq!(warnings("models = \"off\"").len(), 1);
    assert!(warnings("models = \"off\"")[0].starts_with("access.models is "));
    assert_eq!(warnings("models = \"off\"\nstop_jobs = true").len(), 2);
}

#[test]
fn the_example_file_lacks_nothing_but_the_required_values() {
    let text = example(Optional::Commented);
    let is_required = |key: &&keys::Key| matches!(key.unset, Unset::Refused);
    let keys = || SECTIONS.iter().flat_map(|section| section.keys);
    let told = lines(load(&text, &[]));
    let expected: Vec<String> = keys()
        .filter(|key| is_required(key) || key.path() == "feishu.admins")
        .map(|key| format!("{} is empty: ", key.path()))
        .collect();
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (line, start) in told.iter().zip(&expected) {
        assert!(line.starts_with(start), "{line}");
    }

    // With those it loads as the defaults, and the values shown for the optional keys are valid.
    let variables = required();
    let variables: Vec<_> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let from_example = load(&text, &variables).unwrap();
    let defaults = load("", &variables).unwrap();
    assert_eq!(from_example.initial_settings(), defaults.initial_settings());
    let full = load(&example(Optional::Given), &variables).unwrap();
    assert!(full.store.backup_dir.is_some());
    assert!(matches!(full.feishu.events, Events::Websocket), "{:?}", full.feishu.events);
}

proptest::proptest! {
    /// Whatever a variable contains, the result is a configuration or one line per problem.
    #[test]
    fn any_variable_gives_a_configuration_or_one_line_per_problem(name in "(\\PC|\n){0,12}", value in "(\\PC|\\pC){0,80}") {
        let mut cases = vec![(format!("AIRGATE__{name}"), value.clone())];
        for key in SECTIONS.iter().flat_map(|section| section.keys) {
            cases.push((key.env(), value.clone()));
        }
        for case in cases {
            let mut variables = required();
            variables.retain(|(name, _)| *name != case.0);
            variables.push(case);
            if let Err(problems) = Config::load(None, variables) {
                let told = problems.to_string();
                assert_eq!(told.lines().count(), problems.problems().len(), "{told}");
                assert!(told.lines().all(|line| line.chars().count() < 1100 && !line.contains('\u{2028}')));
            }
        }
    }
}

proptest::proptest! {
    /// A file of arbitrary lines: no panic, one bounded line per problem, and no secret value in it.
    #[test]
    fn any_file_gives_a_configuration_or_bounded_problems_without_secrets(
        lines in proptest::collection::vec(
            "\\[[a-z.]{0,12}\\]|[a-z_]{1,20} = (true|7|[0-9]{1,30}|\\[\\]|\"ou_1\"|1979-05-27|\\{a = 1\\})|\\PC{0,30}", 0..12),
        secret in proptest::sample::select(vec!["app_secret", "encrypt_key", "verification_token"]),
        value in proptest::sample::select(vec![
            "\"s3cr3t-v4lue\"", "s3cr3t-v4lue", "[\"s3cr3t-v4lue\"]", "\"s3cr3t-v4lue", "{ a = \"s3cr3t-v4lue\" }",
        ]),
        at in 0_usize..12,
    ) {
        let mut lines = lines;
        lines.insert(at.min(lines.len()), format!("[feishu]\n{secret} = {value}"));
        if let Err(problems) = Config::parse(&lines.join("\n"), Path::new("/nowhere"), []) {
            let told = problems.to_string();
            assert_eq!(told.lines().count(), problems.problems().len(), "{told}");
            assert!(told.lines().all(|line| line.chars().count() < 1100), "{told}");
            assert!(!told.contains("s3cr3t"), "{told}");
        }
    }
}

#[test]
fn every_declared_choice_is_known_to_its_type() {
    for section in SECTIONS {
        for key in section.keys {
            let Kind::Choice(words) = key.kind else { continue };
            for word in words {
                let mut variables = required();
                variables.push((key.env(), (*word).to_owned()));
                for switch in ["DISABLE", "ENABLE"] {
                    let call = "UpdateApiKey {\"Id\": $id}".to_owned();
                    variables.push((format!("AIRGATE__ACCESS__MODEL_KEY_{switch}"), call));
                }
                assert!(Config::load(None, variables).is_ok(), "{} = {word}", key.path());
            }
        }
    }
}
