//! The one declaration of every configuration key. Reading, environment names, the example file and the table in
//! `docs/configuration.md` all come from it.

/// A key of the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The table it stands in; empty for the root.
    pub section: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// What holds where it is not given.
    pub unset: Unset,
    /// What it means, with its unit.
    pub doc: &'static str,
}

/// What a value looks like. Bounds are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A text that must not be seen; may stand in a file of its own that `NAME_file` names.
    Secret,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A path, relative to the folder of the configuration file.
    Path,
    /// `true` or `false`.
    Switch,
    /// A whole number from `min` to `max`.
    Number {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// A list of texts.
    Texts,
    /// A list of whole percents.
    Percents,
}

/// What holds where a key is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// Nothing does: it must be given.
    Refused,
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

/// What environment names begin with.
pub const ENV_PREFIX: &str = "AIRGATE__";

impl Key {
    /// `feishu.app_id`
    pub fn path(&self) -> String {
        if self.section.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}.{}", self.section, self.name)
        }
    }

    /// `AIRGATE__FEISHU__APP_ID`
    pub fn env(&self) -> String {
        format!("{ENV_PREFIX}{}", self.path().replace('.', "__").to_ascii_uppercase())
    }

    /// Whether its value must not be seen.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

/// Declares sections with their keys, and each key as a constant of its own.
macro_rules! declare {
    ($($name:literal, $about:literal => {
        $($id:ident = $key:literal, $kind:expr, $unset:expr, $doc:expr;)+
    })+) => {
        $($(
            #[doc = concat!("`", $key, "` of section `", $name, "`.")]
            pub const $id: Key =
                Key { section: $name, name: $key, kind: $kind, unset: $unset, doc: $doc };
        )+)+

        /// Every section with every key.
        pub static SECTIONS: &[Section] =
            &[$(Section { name: $name, doc: $about, keys: &[$($id),+] }),+];
    };
}

use Kind::{Choice, Number, Path, Percents, Secret, Switch, Text, Texts};
use Unset::{Default, Off, Refused};

declare! {
    "", "" => {
        LOCALE = "locale", Choice(&["zh_cn", "en_us"]), Default("\"zh_cn\""),
            "Language of cards and messages.";
    }
    "server", "HTTP: callbacks (webhook mode), health and metrics." => {
        LISTEN = "listen", Text, Default("\"127.0.0.1:8080\""),
            "Socket address to listen on, IP and port. TLS is the reverse proxy's matter.";
    }
    "feishu", "The Feishu (or Lark) app that airgate speaks through." => {
        MODE = "mode", Choice(&["webhook", "websocket"]), Default("\"webhook\""),
            "How events arrive: `webhook` (Feishu calls /feishu/event and /feishu/card, needs a public https address) or \
             `websocket` (long connection, needs none).";
        BASE_URL = "base_url", Text, Default("\"https://open.feishu.cn\""),
            "Address of the open platform; Lark: https://open.larksuite.com. `http://` only for loopback hosts.";
        APP_ID = "app_id", Text, Refused,
            "App ID (`cli_...`), from the developer console: Credentials & Basic Info.";
        APP_SECRET = "app_secret", Secret, Refused,
            "App Secret, from the same page.";
        ENCRYPT_KEY = "encrypt_key", Secret, Off("\"the app's encrypt key\""),
            "Encrypt Key, from the console: Events & Callbacks, Encryption Strategy. In webhook mode set it: without it callbacks \
             come in the clear, their signature proves nothing, and only the verification token protects them. Not used in websocket mode.";
        VERIFICATION_TOKEN = "verification_token", Secret, Refused,
            "Verification Token, from the same page as the Encrypt Key.";
        ADMINS = "admins", Texts, Default("[]"),
            "open_ids (`ou_...`, as this app sees them) of those who may do everything. At least one.";
        VIEWERS = "viewers", Texts, Default("[]"),
            "open_ids of those who may use every read command.";
        ALERT_CHAT_ID = "alert_chat_id", Text, Off("\"oc_0123456789abcdef0123456789abcdef\""),
            "chat_id of the group that alerts go to; the bot must be in it. For a new store: what /config saves takes precedence.";
        ALERT_WEBHOOK_URL = "alert_webhook_url", Secret,
            Off("\"https://open.feishu.cn/open-apis/bot/v2/hook/00000000-0000-0000-0000-000000000000\""),
            "Address of a group's custom bot that alerts also go to: https on a Feishu or Lark host or the host of base_url, or \
             http on a loopback host. Whoever knows it can post, so it counts as a secret. For a new store.";
        ALERT_WEBHOOK_SECRET = "alert_webhook_secret", Secret, Off("\"the custom bot's signing secret\""),
            "Signing secret of that custom bot (its security setting \"signature verification\").";
        ALERT_MOBILES = "alert_mobiles", Texts, Default("[]"),
            "Mobile numbers of the people that alerts mention, abroad with country code (`+...`). For a new store.";
    }
    "volcengine", "The Volcengine API. Access keys are not here: `airgate account add`, or /accounts in chat." => {
        IAM_ENDPOINT = "iam_endpoint", Text, Default("\"https://iam.volcengineapi.com\""),
            "Where IAM and project calls go. `http://` only for loopback hosts.";
        BILLING_ENDPOINT = "billing_endpoint", Text, Default("\"https://billing.volcengineapi.com\""),
            "Where billing calls go. `http://` only for loopback hosts.";
        REGION = "region", Text, Default("\"cn-beijing\""),
            "Region that requests are signed for.";
        QPS = "qps", Number { min: 1, max: 1000 }, Default("4"),
            "Calls a second per main account, IAM and billing together. Volcengine refuses more than 5 on bills, and the console \
             counts too.";
    }
    "store", "Where state is kept: one file." => {
        STORE_PATH = "path", Path, Default("\"data/airgate.redb\""),
            "The store's file; made where it is not there, with mode 0600.";
        BACKUP_DIR = "backup_dir", Path, Off("\"data/backups\""),
            "Folder for the backups that the running service makes, at start and then by the interval. Not set: none are made.";
        BACKUP_KEEP = "backup_keep", Number { min: 1, max: 10_000 }, Default("7"),
            "How many backups are kept; older ones are removed.";
        BACKUP_INTERVAL_HOURS = "backup_interval_hours", Number { min: 1, max: 8760 }, Default("24"),
            "Hours between backups.";
    }
    "access", "What airgate grants to IAM users and takes from them." => {
        PROJECT_POLICIES = "project_policies", Texts, Default("[]"),
            "IAM policies attached to a user within each project that is linked to it, e.g. [\"ArkFullAccess\", \"TOSFullAccess\"].";
        DETACH_POLICIES = "detach_policies", Switch, Default("false"),
            "Whether disabling a user also detaches all its policies (enabling attaches them again), not only its keys and login.";
    }
    "security", "Encryption of what is stored." => {
        MASTER_KEY = "master_key", Secret, Refused,
            "32 bytes in base64 or hex that encrypt the account secrets in the store. Make one with `openssl rand -base64 32` and keep \
             it apart from the backups: neither is of use without the other. Changed by `airgate rekey`.";
    }
    "monitor", "Reading of bills, alerts and automatic disabling." => {
        MONITOR_ENABLED = "enabled", Switch, Default("true"),
            "Whether cycles run on their own. Off: only `/monitor run` starts one.";
        INTERVAL_SECONDS = "interval_seconds", Number { min: 1, max: 31_536_000 }, Default("3600"),
            "Seconds from one cycle's start to the next. For a new store.";
        ALERT_THRESHOLDS = "alert_thresholds", Percents, Default("[50, 80, 90]"),
            "Percents of quota at which an alert is given, for users without their own: up to 10, each 1 to 500. For a new store.";
        BILL_SOURCE = "bill_source", Choice(&["split", "detail"]), Default("\"split\""),
            "List that spending is read from: `split` (ListSplitBillDetail, the only one that attributes model calls to projects; must \
             be switched on in the billing console) or `detail` (ListBillDetail).";
        AMOUNT_FIELD = "amount_field", Choice(&["payable", "discount", "original"]), Default("\"payable\""),
            "Amount of a bill row that counts: `payable`, `discount` (after discount, before vouchers) or `original`.";
        CONCURRENCY = "concurrency", Number { min: 1, max: 64 }, Default("4"),
            "Accounts that are read at the same time.";
    }
}
