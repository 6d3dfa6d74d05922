//! At least one refusal of every key, word for word.

use super::super::keys::SECTIONS;
use super::{lines, load_with_required};

/// (TOML, the only problem it causes)
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("locale = \"fr\"", "locale must be \"zh_cn\" or \"en_us\" (`fr`)"),
    ("locale = 1", "locale must be \"zh_cn\" or \"en_us\", not a number"),
    (
        "[server]\nlisten = \":8080\"",
        "server.listen must be an IP address and a port like 127.0.0.1:8080 (`:8080`)",
    ),
    ("[server]\nlisten = 8080", "server.listen must be a string in quotes, not a number"),
    (
        "[feishu]\nmode = \"\"",
        "feishu.mode is empty: set it in the configuration file or with AIRGATE__FEISHU__MODE",
    ),
    (
        "[feishu]\nbase_url = \"http://open.feishu.cn\"",
        "feishu.base_url must begin with https:// (http:// only for a loopback host) (`http://open.feishu.cn`)",
    ),
    (
        "[feishu]\nbase_url = \"https://a/b\"",
        "feishu.base_url must be only scheme, host and port (`https://a/…`)",
    ),
    ("[feishu]\napp_id = \"a b\"", "feishu.app_id must be a name without spaces (`a b`)"),
    ("[feishu]\napp_secret = 12345", "feishu.app_secret must be a string in quotes, not a number"),
    (
        "[feishu]\napp_secret = \" hidden\"",
        "feishu.app_secret begins or ends with white space: remove it",
    ),
    (
        "[feishu]\napp_secret = \"\"",
        "feishu.app_secret is empty: set it in the configuration file or with AIRGATE__FEISHU__APP_SECRET, or name a file that \
         holds it with app_secret_file",
    ),
    (
        "[feishu]\nencrypt_key = \"hidden\\t\"",
        "feishu.encrypt_key begins or ends with white space: remove it",
    ),
    (
        "[feishu]\nencrypt_key_file = [1]",
        "feishu.encrypt_key_file must be a path in quotes, not a list",
    ),
    (
        "[feishu]\nverification_token = true",
        "feishu.verification_token must be a string in quotes, not true or false",
    ),
    (
        "[feishu]\nadmins = []",
        "feishu.admins is empty: there would be no administrator; add your open_id (ou_...)",
    ),
    (
        "[feishu]\nadmins = \"ou_1\"",
        "feishu.admins must be a list of strings like [\"a\", \"b\"], not a string",
    ),
    (
        "[feishu]\nadmins = [\"ou_1\", \"ou 2\"]",
        "feishu.admins contains `ou 2`: it contains a character that is not allowed: ' '",
    ),
    (
        "[feishu]\nadmins = [\"ou_1\", \"13800000000\"]",
        "feishu.admins contains `13800000000`: an open_id begins with ou_",
    ),
    ("[feishu]\nviewers = [\"\"]", "feishu.viewers contains ``: it is empty"),
    (
        "[feishu]\nviewers = [1]",
        "feishu.viewers must be a list of strings like [\"a\", \"b\"], but contains a number",
    ),
    (
        "[feishu]\nadmin_chat_id = \"ou_1\"",
        "feishu.admin_chat_id is not a chat_id: a chat_id begins with oc_ (`ou_1`)",
    ),
    (
        "[feishu]\nviewer_chat_id = \"ou_1\"",
        "feishu.viewer_chat_id is not a chat_id: a chat_id begins with oc_ (`ou_1`)",
    ),
    (
        "[feishu]\nnotify_owners = \"yes\"",
        "feishu.notify_owners must be true or false, not a string",
    ),
    (
        "[feishu]\nalert_chat_id = \"oc 1\"",
        "feishu.alert_chat_id is not a chat_id (oc_...): it contains a character that is not allowed: ' ' (`oc 1`)",
    ),
    (
        "[feishu]\nalert_webhook_url = \"https://feishu.cn.evil.example/hidden\"",
        "feishu.alert_webhook_url must be on a Feishu or Lark host (feishu.cn, larksuite.com or a subdomain), on the host of \
         feishu.base_url, or on a loopback host",
    ),
    (
        "[feishu]\nalert_webhook_url = \"http://open.feishu.cn/hidden\"",
        "feishu.alert_webhook_url must begin with https:// (http:// only for a loopback host)",
    ),
    (
        "[feishu]\nalert_webhook_secret = \"hidden \"",
        "feishu.alert_webhook_secret begins or ends with white space: remove it",
    ),
    (
        "[feishu]\nalert_mobiles = [\"Tom\"]",
        "feishu.alert_mobiles contains `Tom`: a mobile number is 5 to 20 digits, with + and a country code outside China",
    ),
    (
        "[volcengine]\niam_endpoint = \"iam.volcengineapi.com\"",
        "volcengine.iam_endpoint is not an address like https://host (`iam.volcengineapi.com`)",
    ),
    (
        "[volcengine]\nbilling_endpoint = \"http://10.0.0.1\"",
        "volcengine.billing_endpoint must begin with https:// (http:// only for a loopback host) (`http://10.0.0.1`)",
    ),
    (
        "[volcengine]\nregion = \"cn beijing\"",
        "volcengine.region must be a name without spaces (`cn beijing`)",
    ),
    (
        "[volcengine]\nark_endpoint = \"http://ark.cn-beijing.volcengineapi.com\"",
        "volcengine.ark_endpoint must begin with https:// (http:// only for a loopback host) \
         (`http://ark.cn-beijing.volcengineapi.com`)",
    ),
    (
        "[volcengine]\nark_qps = 0",
        "volcengine.ark_qps must be a whole number from 1 to 1000, not 0",
    ),
    ("[volcengine]\nqps = 0", "volcengine.qps must be a whole number from 1 to 1000, not 0"),
    ("[volcengine]\nqps = 1001", "volcengine.qps must be a whole number from 1 to 1000, not 1001"),
    (
        "[volcengine]\nqps = 2.5",
        "volcengine.qps must be a whole number from 1 to 1000, not a fraction",
    ),
    (
        "[store]\npath = \"\"",
        "store.path is empty: set it in the configuration file or with AIRGATE__STORE__PATH",
    ),
    ("[store]\nbackup_dir = 1", "store.backup_dir must be a string in quotes, not a number"),
    (
        "[store]\nbackup_url = \"s3://AKLThidden:hidden@ops/x?region=a\"",
        "store.backup_url must not contain a user name, password or #fragment: keys belong in store.backup_access_key_id and \
         store.backup_secret_access_key",
    ),
    (
        "[store]\nbackup_url = \"s3://ops/x\"",
        "store.backup_url needs region=…, the one that requests are signed for",
    ),
    (
        "[store]\nbackup_url = \"s3://ops/x?region=a\"\nbackup_secret_access_key = \"hidden\"",
        "store.backup_access_key_id is missing: store.backup_url needs it; set it with AIRGATE__STORE__BACKUP_ACCESS_KEY_ID",
    ),
    (
        "[store]\nbackup_secret_access_key = \" hidden\"",
        "store.backup_secret_access_key begins or ends with white space: remove it",
    ),
    ("[store]\nbackup_keep = 0", "store.backup_keep must be a whole number from 1 to 10000, not 0"),
    (
        "[store]\nbackup_interval_hours = 0",
        "store.backup_interval_hours must be a whole number from 1 to 8760, not 0",
    ),
    (
        "[access]\nproject_policies = [\"A B\"]",
        "access.project_policies contains `A B`: must be a name without spaces",
    ),
    (
        "[access]\nproject_policies = [\"airgate-deny-all\"]",
        "access.project_policies contains `airgate-deny-all`: is the policy that cuts access: it cannot be granted",
    ),
    (
        "[access]\nglobal_policies = \"ArkGlobalInitAccess\"",
        "access.global_policies must be a list of strings like [\"a\", \"b\"], not a string",
    ),
    (
        "[access]\nglobal_policies = [\"airgate-deny-all-2\"]",
        "access.global_policies contains `airgate-deny-all-2`: is the policy that cuts access: it cannot be granted",
    ),
    ("[access]\ndeny_all = \"yes\"", "access.deny_all must be true or false, not a string"),
    ("[access]\nmodels = \"all\"", "access.models must be \"off\", \"own\" or \"linked\" (`all`)"),
    (
        "[access]\nmodel_keys = \"delete\"",
        "access.model_keys must be \"report\", \"rotate\" or \"disable\" (`delete`)",
    ),
    (
        "[access]\nmodel_keys = \"disable\"\nmodel_key_enable = 'UpdateApiKey {\"Id\": $id}'",
        "access.model_key_disable is missing: access.model_keys = \"disable\" needs it; set it in the configuration file or \
         with AIRGATE__ACCESS__MODEL_KEY_DISABLE",
    ),
    (
        "[access]\nmodel_keys = \"disable\"\nmodel_key_disable = 'UpdateApiKey {\"Id\": $id}'\nmodel_key_enable = ''",
        "access.model_key_enable is missing: access.model_keys = \"disable\" needs it; set it in the configuration file or \
         with AIRGATE__ACCESS__MODEL_KEY_ENABLE",
    ),
    (
        "[access]\nmodel_keys = \"disable\"\nmodel_key_disable = 'UpdateApiKey'\nmodel_key_enable = 'UpdateApiKey {\"Id\": $id}'",
        "access.model_key_disable must be an action and a JSON object with $id; for instance UpdateApiKey {\"Id\": $id, \
         \"Status\": \"Inactive\"} (`UpdateApiKey`)",
    ),
    ("[access]\nstop_jobs = 1", "access.stop_jobs must be true or false, not a number"),
    // A key of an earlier version, whatever its value.
    (
        "[access]\ndetach_policies = false",
        "access.detach_policies no longer exists: remove it; access.deny_all, which is on by default, has taken its place",
    ),
    (
        "[approval]\nsecond_from = 50000",
        "approval.second_from needs a second administrator to confirm: add one to feishu.admins, set feishu.admin_chat_id, or set it to 0",
    ),
    (
        "[approval]\nrequest_limit = -1",
        "approval.request_limit must be a whole number from 0 to 4000000000, not -1",
    ),
    (
        "[security]\nmaster_key = \"c2hvcnQ=\"",
        "security.master_key is 5 bytes long, not 32: use 32 bytes, generated with `openssl rand -base64 32`",
    ),
    (
        "[security]\nmaster_key = \"hidden password\"",
        "security.master_key is neither base64 nor hex: use 32 bytes, generated with `openssl rand -base64 32`",
    ),
    ("[monitor]\nenabled = 1", "monitor.enabled must be true or false, not a number"),
    (
        "[monitor]\ninterval_seconds = 0",
        "monitor.interval_seconds must be a whole number from 1 to 31536000, not 0",
    ),
    (
        "[monitor]\ninterval_seconds = -5",
        "monitor.interval_seconds must be a whole number from 1 to 31536000, not -5",
    ),
    (
        "[monitor]\nalert_thresholds = []",
        "monitor.alert_thresholds is refused: give at least one threshold, like [50, 80, 90]",
    ),
    (
        "[monitor]\nalert_thresholds = [501]",
        "monitor.alert_thresholds is refused: `501` is not a whole percent from 1 to 500, like [50, 80, 90]",
    ),
    (
        "[monitor]\nalert_thresholds = [0.5]",
        "monitor.alert_thresholds must be a list of whole percents like [50, 80, 90], but contains a fraction",
    ),
    (
        "[monitor]\nbill_source = \"Split\"",
        "monitor.bill_source must be \"split\" or \"detail\" (`Split`)",
    ),
    (
        "[monitor]\namount_field = \"net\"",
        "monitor.amount_field must be \"payable\", \"discount\" or \"original\" (`net`)",
    ),
    (
        "[monitor]\nestimate = \"on\"",
        "monitor.estimate must be \"off\", \"show\", \"warn\" or \"cut\" (`on`)",
    ),
    (
        "[monitor]\nforecast_days = 366",
        "monitor.forecast_days must be a whole number from 0 to 365, not 366",
    ),
    (
        "[monitor]\nbalance_days = -1",
        "monitor.balance_days must be a whole number from 0 to 365, not -1",
    ),
    (
        "[monitor]\nconcurrency = 0",
        "monitor.concurrency must be a whole number from 1 to 64, not 0",
    ),
    // Names
    ("server = 1", "server must be a table: write [server] and its keys below it"),
    ("[sever]\nlisten = \"x\"", "sever is not a known section: did you mean server?"),
    ("listen = \"127.0.0.1:1\"", "listen is not a known key: did you mean server.listen?"),
    ("[store]\npath_file = \"x\"", "store.path_file is not a known key: did you mean store.path?"),
    (
        "[store]\n\"a\\nb\" = 1",
        "`store.a\\nb` is not a known key: remove it; config.example.toml lists all keys",
    ),
];

#[test]
fn every_key_is_refused_by_name_with_a_fix() {
    for (file, line) in REFUSED {
        let told = lines(load_with_required(file));
        assert_eq!(told, [*line], "{file}");
        assert!(!told[0].contains("hidden"), "{file} shows a secret");
    }
    for key in SECTIONS.iter().flat_map(|section| section.keys) {
        let told = |line: &str| {
            line.strip_prefix(key.path().as_str()).is_some_and(|rest| rest.starts_with(' '))
        };
        assert!(
            REFUSED.iter().any(|(_, line)| told(line)),
            "no refusal of {} is tested",
            key.path()
        );
    }
}
