//! The one declaration of every configuration key. Reading, environment names, the example file and the table in
//! `docs/configuration.md` all come from it.

use super::Locale;

/// A key of the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The table it belongs to; empty for the root.
    pub section: &'static str,
    /// Its name in that table.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// What applies if it is not set.
    pub unset: Unset,
    /// What it means, with its unit.
    pub doc: &'static str,
}

/// A key together with the form of its value, which decides the type that the reader returns.
#[derive(Clone, Copy, Debug)]
pub struct Typed<F> {
    /// The declaration.
    pub key: Key,
    /// The form.
    pub form: F,
}

/// What a value looks like, as data. Bounds are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A text that must not be shown; can also come from the file that `NAME_file` names.
    Secret,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A path, relative to the folder of the configuration file.
    Path,
    /// `true` or `false`.
    Switch,
    /// A whole number from `min` to `max`.
    Number {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// A list of texts.
    Texts,
    /// A list of whole percents.
    Percents,
}

/// Form of a [`Kind::Text`].
#[derive(Clone, Copy, Debug)]
pub struct Text;
/// Form of a [`Kind::Secret`].
#[derive(Clone, Copy, Debug)]
pub struct Secret;
/// Form of a [`Kind::Choice`].
#[derive(Clone, Copy, Debug)]
pub struct Choice(pub &'static [&'static str]);
/// Form of a [`Kind::Path`].
#[derive(Clone, Copy, Debug)]
pub struct Path;
/// Form of a [`Kind::Switch`].
#[derive(Clone, Copy, Debug)]
pub struct Switch;
/// Form of a [`Kind::Number`]: smallest and largest.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub u32, pub u32);
/// Form of a [`Kind::Texts`].
#[derive(Clone, Copy, Debug)]
pub struct Texts;
/// Form of a [`Kind::Percents`].
#[derive(Clone, Copy, Debug)]
pub struct Percents;

/// Gives each form its kind, in a function that a constant can call.
macro_rules! kinds {
    ($($form:ident: |$self:ident| $kind:expr;)+) => {
        $(impl $form {
            /// Returns the form as data.
            pub const fn kind($self) -> Kind {
                $kind
            }
        })+
    };
}

kinds! {
    Text: |self| Kind::Text;
    Secret: |self| Kind::Secret;
    Choice: |self| Kind::Choice(self.0);
    Path: |self| Kind::Path;
    Switch: |self| Kind::Switch;
    Number: |self| Kind::Number { min: self.0, max: self.1 };
    Texts: |self| Kind::Texts;
    Percents: |self| Kind::Percents;
}

/// What applies if a key is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// Nothing: the key is required.
    Refused,
    /// The same in this `feishu.mode`; no other mode reads the key.
    RefusedIn(&'static str),
    /// This value, in TOML.
    Default(&'static str),
    /// The feature is off. Holds an example in TOML.
    Off(&'static str),
}

/// A table of the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its name; empty for the root.
    pub name: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Its keys, in the order they are shown.
    pub keys: &'static [Key],
}

/// The prefix of environment variables.
pub const ENV_PREFIX: &str = "AIRGATE__";

impl Key {
    /// Returns the path, like `feishu.app_id`.
    pub fn path(&self) -> String {
        if self.section.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}.{}", self.section, self.name)
        }
    }

    /// Returns the environment variable, like `AIRGATE__FEISHU__APP_ID`.
    pub fn env(&self) -> String {
        format!("{ENV_PREFIX}{}", self.path().replace('.', "__").to_ascii_uppercase())
    }

    /// Returns whether its value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

/// Declares sections with their keys, and each key as a constant of its own.
macro_rules! declare {
    ($($name:literal, $about:literal => {
        $($id:ident = $key:literal, $form:ident $(($($bound:expr),+))?, $unset:expr, $doc:expr;)+
    })+) => {
        $($(
            #[doc = concat!("`", $key, "` of section `", $name, "`.")]
            pub const $id: Typed<$form> = {
                let form = $form $(($($bound),+))?;
                let kind = form.kind();
                let key = Key { section: $name, name: $key, kind, unset: $unset, doc: $doc };
                Typed { key, form }
            };
        )+)+

        /// Every section with every key.
        pub static SECTIONS: &[Section] =
            &[$(Section { name: $name, doc: $about, keys: &[$($id.key),+] }),+];
    };
}

/// A key of an earlier version, which is refused with what has taken its place.
#[derive(Clone, Copy, Debug)]
pub struct Retired {
    /// The table it belonged to.
    pub section: &'static str,
    /// Its name in that table.
    pub name: &'static str,
    /// What to do, as the end of the line that refuses it.
    pub hint: &'static str,
}

/// Every key that existed once.
pub static RETIRED: &[Retired] = &[Retired {
    section: "access",
    name: "detach_policies",
    hint: "remove it; access.deny_all, which is on by default, has taken its place",
}];

use Unset::{Default, Off, Refused, RefusedIn};

declare! {
    "", "" => {
        LOCALE = "locale", Choice(Locale::WORDS), Default("\"zh_cn\""),
            "Language of cards and messages.";
    }
    "server", "The HTTP server: callbacks (webhook mode), health and metrics." => {
        LISTEN = "listen", Text, Default("\"127.0.0.1:8080\""),
            "Socket address to listen on: IP and port. Terminate TLS in a reverse proxy.";
    }
    "feishu", "The Feishu (or Lark) app that airgate runs as." => {
        MODE = "mode", Choice(&["websocket", "webhook"]), Default("\"websocket\""),
            "How events arrive: `websocket` (a long connection that airgate opens; needs no public address, no Encrypt Key and no \
             Verification Token) or `webhook` (Feishu calls /feishu/event and /feishu/card; needs a public https address). A file \
             without this key that sets `verification_token` or `encrypt_key` is read as `webhook`, with a warning.";
        BASE_URL = "base_url", Text, Default("\"https://open.feishu.cn\""),
            "Address of the open platform; for Lark https://open.larksuite.com. `http://` only for loopback hosts.";
        APP_ID = "app_id", Text, Refused,
            "App ID (`cli_...`), from the developer console: Credentials & Basic Info.";
        APP_SECRET = "app_secret", Secret, Refused,
            "App Secret, from the same page.";
        ENCRYPT_KEY = "encrypt_key", Secret, Off("\"the app's encrypt key\""),
            "Encrypt Key, from the console: Events & Callbacks, Encryption Strategy. Set it in webhook mode: without it, callbacks \
             arrive unencrypted, their signature proves nothing, and only the verification token protects them. Not used in \
             websocket mode.";
        VERIFICATION_TOKEN = "verification_token", Secret, RefusedIn("webhook"),
            "Verification Token, from the same page as the Encrypt Key. Not used in websocket mode.";
        ADMINS = "admins", Texts, Default("[]"),
            "open_ids (`ou_...`, as seen by this app) of the administrators, who may do everything. At least one.";
        VIEWERS = "viewers", Texts, Default("[]"),
            "open_ids of people who may use every read-only command.";
        ADMIN_CHAT_ID = "admin_chat_id", Text, Off("\"oc_0123456789abcdef0123456789abcdef\""),
            "chat_id of a group whose members are administrators, too; the bot must be a member. It is read at the start and every 10 \
             minutes; while it cannot be read, its last known members count, for 24 h. A group with people of several tenants gives \
             nobody a role.";
        VIEWER_CHAT_ID = "viewer_chat_id", Text, Off("\"oc_0123456789abcdef0123456789abcdef\""),
            "The same for viewers.";
        NOTIFY_OWNERS = "notify_owners", Switch, Default("true"),
            "Whether the owner of a user is told in a direct message of warnings, of cut and restored access, and of changes of the \
             quota.";
        ALERT_CHAT_ID = "alert_chat_id", Text, Off("\"oc_0123456789abcdef0123456789abcdef\""),
            "chat_id of the group that receives alerts; the bot must be a member. Applies to a new store: what /config saves takes \
             precedence.";
        ALERT_WEBHOOK_URL = "alert_webhook_url", Secret,
            Off("\"https://open.feishu.cn/open-apis/bot/v2/hook/00000000-0000-0000-0000-000000000000\""),
            "Address of a group's custom bot that also receives alerts: https on a Feishu or Lark host or the host of base_url, or \
             http on a loopback host. Anyone who knows it can post to the group, so it is treated as a secret. Applies to a new store.";
        ALERT_WEBHOOK_SECRET = "alert_webhook_secret", Secret, Off("\"the custom bot's signing secret\""),
            "Signing secret of that custom bot (its security setting \"signature verification\").";
        ALERT_MOBILES = "alert_mobiles", Texts, Default("[]"),
            "Mobile numbers of the people that alerts mention; with country code (`+...`) outside China. Applies to a new store.";
    }
    "volcengine", "The Volcengine API. Access keys are not configured here: use `airgate account add`, or /accounts in chat." => {
        IAM_ENDPOINT = "iam_endpoint", Text, Default("\"https://iam.volcengineapi.com\""),
            "Address for IAM and project calls. `http://` only for loopback hosts.";
        BILLING_ENDPOINT = "billing_endpoint", Text, Default("\"https://billing.volcengineapi.com\""),
            "Address for billing calls. `http://` only for loopback hosts.";
        ARK_ENDPOINT = "ark_endpoint", Text, Default("\"https://ark.cn-beijing.volcengineapi.com\""),
            "Address for 方舟 (Ark) calls, which are always signed for cn-beijing. `http://` only for loopback hosts.";
        REGION = "region", Text, Default("\"cn-beijing\""),
            "Region that IAM and billing requests are signed for.";
        QPS = "qps", Number(1, 1000), Default("4"),
            "Maximum calls per second per main account, IAM and billing together. Volcengine refuses more than 5 on bills, and \
             its console draws on the same 5.";
        ARK_QPS = "ark_qps", Number(1, 1000), Default("2"),
            "Maximum calls per second per main account to 方舟, beside those of `qps`. Volcengine publishes no limit.";
    }
    "store", "Where state is kept: a single file." => {
        STORE_PATH = "path", Path, Default("\"data/airgate.redb\""),
            "The store's file; created with mode 0600 if it does not exist.";
        BACKUP_DIR = "backup_dir", Path, Off("\"data/backups\""),
            "Folder for the backups that the running service makes, at the interval below and across restarts. Not set: no backups, \
             unless backup_url is set.";
        BACKUP_URL = "backup_url", Text,
            Off("\"s3://my-backups/airgate?endpoint=https://tos-s3-cn-beijing.volces.com&region=cn-beijing\""),
            "Bucket of an S3-compatible service (Volcengine TOS, MinIO, Amazon S3) that backups are copied to: \
             `s3://BUCKET/FOLDER?endpoint=https://HOST&region=REGION`. For MinIO behind a host name, add `&style=path`. `http://` only for \
             loopback hosts. Give every service a folder of its own.";
        BACKUP_ACCESS_KEY_ID = "backup_access_key_id", Secret, Off("\"AKLT...\""),
            "Access key of the bucket: of a user who may list, read, write and delete in this folder, and nothing else. Needed for \
             backup_url.";
        BACKUP_SECRET_ACCESS_KEY = "backup_secret_access_key", Secret, Off("\"the secret of that key\""),
            "Its secret. Needed for backup_url.";
        BACKUP_KEEP = "backup_keep", Number(1, 10_000), Default("7"),
            "How many backups to keep, in the folder and in the bucket; older ones are removed.";
        BACKUP_INTERVAL_HOURS = "backup_interval_hours", Number(1, 8760), Default("24"),
            "Hours between backups.";
    }
    "access", "What airgate grants to IAM users, and what it closes when it disables one." => {
        PROJECT_POLICIES = "project_policies", Texts, Default("[]"),
            "IAM policies to attach to a user within each project linked to them, e.g. [\"ArkFullAccess\", \"TOSFullAccess\"].";
        GLOBAL_POLICIES = "global_policies", Texts, Default("[]"),
            "IAM policies to attach to a user in the whole account with the first linked project, and to detach with the last, e.g. \
             [\"ArkGlobalInitAccess\"], without which the 方舟 console of a project user is incomplete.";
        DENY_ALL = "deny_all", Switch, Default("true"),
            "Whether disabling a user attaches the policy `airgate-deny-all`, which refuses every request signed in the user's name. \
             airgate creates it once per main account.";
        MODELS = "models", Choice(&["off", "own", "linked"]), Default("\"own\""),
            "What disabling a user closes at 方舟: `off` (nothing: model calls go on), `own` (what the user made, and everything in \
             projects that no other user is linked to) or `linked` (everything in all of their linked projects, also what colleagues \
             made there).";
        MODEL_KEYS = "model_keys", Choice(&["report", "rotate", "disable"]), Default("\"report\""),
            "What disabling a user does with API keys of 方舟: `report` (lists them on the card for a person to switch off), `rotate` \
             (gives each a new secret; the old one never works again) or `disable` (switches them off and on again by the two calls \
             below).";
        MODEL_KEY_DISABLE = "model_key_disable", Text,
            Off("'UpdateApiKey {\"Id\": $id, \"Status\": \"Inactive\"}'"),
            "Needed for `model_keys = \"disable\"`: the 方舟 action and JSON body that switch an API key off, with `$id` for the key's id \
             and `$project` for its project. No document describes the call. It is believed only if the list of keys shows the change.";
        MODEL_KEY_ENABLE = "model_key_enable", Text,
            Off("'UpdateApiKey {\"Id\": $id, \"Status\": \"Active\"}'"),
            "The same, to switch it on again.";
        STOP_JOBS = "stop_jobs", Switch, Default("false"),
            "Whether disabling a user also stops batch and tuning jobs at 方舟 that can be resumed. What they have used is billed either \
             way.";
    }
    "approval", "Who must agree before quota is allocated." => {
        SECOND_FROM = "second_from", Number(0, 4_000_000_000), Default("0"),
            "Allocations by one administrator to one user within 24 h that add up to this many 元 or more wait until another \
             administrator confirms them. Needs a second administrator. 0: never.";
        REQUEST_LIMIT = "request_limit", Number(0, 4_000_000_000), Default("0"),
            "The largest amount, in 元, that an owner may ask for in one request. 0: no limit.";
    }
    "security", "Encryption of stored secrets." => {
        MASTER_KEY = "master_key", Secret, Refused,
            "32 bytes in base64 or hex that encrypt the account secrets in the store. Generate them with `openssl rand -base64 32` \
             and keep them apart from the backups: neither is of any use without the other. `airgate rekey` changes the key.";
    }
    "monitor", "Reading bills, alerting and disabling users automatically." => {
        MONITOR_ENABLED = "enabled", Switch, Default("true"),
            "Whether cycles run on a schedule. If false, only `/monitor run` starts one.";
        INTERVAL_SECONDS = "interval_seconds", Number(1, 31_536_000), Default("3600"),
            "Seconds from the start of one cycle to the start of the next. Applies to a new store.";
        ALERT_THRESHOLDS = "alert_thresholds", Percents, Default("[50, 80, 90]"),
            "Percentages of the quota at which to alert, for users without thresholds of their own: up to 10, each from 1 to 500. \
             Applies to a new store.";
        BILL_SOURCE = "bill_source", Choice(&["split", "detail"]), Default("\"split\""),
            "Bill to read spending from: `split` (ListSplitBillDetail, the only one that attributes model calls to projects; must be \
             enabled in the billing console) or `detail` (ListBillDetail).";
        AMOUNT_FIELD = "amount_field", Choice(&["payable", "discount", "original"]), Default("\"payable\""),
            "Amount of a bill row that counts: `payable`, `discount` (after discount, before vouchers) or `original`.";
        ESTIMATE = "estimate", Choice(&["off", "show", "warn", "cut"]), Default("\"warn\""),
            "What is done with the estimate of what the bill does not hold yet (bills come one to two days late): `off` (nothing is \
             estimated), `show` (on cards only), `warn` (thresholds count bill and estimate) or `cut` (disabling a user does, too).";
        FORECAST_DAYS = "forecast_days", Number(0, 365), Default("3"),
            "Warn once if, at the rate of the last 7 complete days, a quota or month limit will be used up within this many days. \
             0: never.";
        BALANCE_DAYS = "balance_days", Number(0, 365), Default("7"),
            "Warn once if, at that rate, the balance of a main account lasts less than this many days. 0: never.";
        CONCURRENCY = "concurrency", Number(1, 64), Default("4"),
            "Maximum number of accounts read at the same time.";
    }
}
