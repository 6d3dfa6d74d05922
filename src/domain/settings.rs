//! Settings that can be changed from chat at run time.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ApprovalRules, ChatId, DigestKind, OpenId, Thresholds};

/// The settings in force. `Debug` hides the webhook's address: anyone who knows it can post.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The thresholds of users without their own.
    pub thresholds: Thresholds,
    /// Time from one cycle's start to the next.
    pub interval: Duration,
    /// The group that alerts go to.
    pub alert_chat: Option<ChatId>,
    /// The custom bot's address that alerts also go to.
    pub webhook_url: Option<String>,
    /// Mobile numbers of the people that alerts mention.
    pub mobiles: Vec<String>,
    /// People that alerts mention as well. Set in chat only.
    pub people: Vec<OpenId>,
    /// The rules of section `[approval]`, which chat cannot change.
    pub approval: ApprovalRules,
    /// Whether users' owners are told of warnings, cuts, restores and changes of quota.
    pub notify_owners: bool,
    /// Which digest is sent; `None` = none. Set in chat only.
    pub digest: Option<DigestKind>,
}

/// The settings saved by `/config`. A value that is set takes precedence over the configuration file. `Debug` hides the
/// webhook's address.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSettings {
    /// The thresholds of users without their own.
    #[serde(default)]
    pub thresholds: Option<Thresholds>,
    /// The time between cycles, in seconds.
    #[serde(default)]
    pub interval_seconds: Option<u64>,
    /// `Some(None)`: saved as "none".
    #[serde(default, with = "nested")]
    pub alert_chat: Option<Option<ChatId>>,
    /// `Some(None)`: saved as "none".
    #[serde(default, with = "nested")]
    pub webhook_url: Option<Option<String>>,
    /// Mobile numbers.
    #[serde(default)]
    pub mobiles: Option<Vec<String>>,
    /// People that alerts mention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<OpenId>,
    /// Which digest is sent; `None` = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestKind>,
    /// When it was saved.
    #[serde(default)]
    pub updated: Option<Timestamp>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("thresholds", &self.thresholds)
            .field("interval", &self.interval)
            .field("alert_chat", &self.alert_chat)
            .field("webhook_url", &self.webhook_url.as_ref().map(|_| "…"))
            .field("mobiles", &self.mobiles)
            .field("people", &self.people)
            .field("approval", &self.approval)
            .field("notify_owners", &self.notify_owners)
            .field("digest", &self.digest)
            .finish()
    }
}

impl fmt::Debug for SavedSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedSettings")
            .field("thresholds", &self.thresholds)
            .field("interval_seconds", &self.interval_seconds)
            .field("alert_chat", &self.alert_chat)
            .field("webhook_url", &self.webhook_url.as_ref().map(|url| url.as_ref().map(|_| "…")))
            .field("mobiles", &self.mobiles)
            .field("people", &self.people)
            .field("digest", &self.digest)
            .field("updated", &self.updated)
            .finish()
    }
}

impl SavedSettings {
    /// The shortest interval between cycles that chat may set, in seconds.
    pub const SHORTEST_INTERVAL: u64 = 60;
    /// The longest one, as in the configuration: a year.
    pub const LONGEST_INTERVAL: u64 = 365 * 24 * 3600;

    /// Returns the settings in force: the saved values, or the configured ones if nothing was saved.
    pub fn or_configured(&self, configured: &Settings) -> Settings {
        Settings {
            thresholds: self.thresholds.clone().unwrap_or_else(|| configured.thresholds.clone()),
            interval: self.interval_seconds.map_or(configured.interval, Duration::from_secs),
            alert_chat: self.alert_chat.clone().unwrap_or_else(|| configured.alert_chat.clone()),
            webhook_url: self.webhook_url.clone().unwrap_or_else(|| configured.webhook_url.clone()),
            mobiles: self.mobiles.clone().unwrap_or_else(|| configured.mobiles.clone()),
            people: self.people.clone(),
            approval: configured.approval,
            notify_owners: configured.notify_owners,
            digest: self.digest,
        }
    }
}

/// `Option<Option<T>>` as absent, `null` or a value.
mod nested {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<T: Serialize, S: Serializer>(
        value: &Option<Option<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        // Wrapped in a list: "not saved" is an empty one, "saved as none" holds a null.
        value.as_ref().map_or_else(Vec::new, |inner| vec![inner]).serialize(serializer)
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Ok(Vec::<Option<T>>::deserialize(deserializer)?.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_none_overrides_a_configured_value_and_survives_a_round_trip() {
        let configured = Settings {
            thresholds: Thresholds::default(),
            interval: Duration::from_secs(3600),
            alert_chat: Some(ChatId::new("oc_1").unwrap()),
            webhook_url: Some("https://open.feishu.cn/x".to_owned()),
            mobiles: vec!["138".to_owned()],
            people: Vec::new(),
            approval: ApprovalRules::default(),
            notify_owners: true,
            digest: None,
        };
        let saved = SavedSettings { alert_chat: Some(None), ..SavedSettings::default() };
        let read: SavedSettings =
            serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
        assert_eq!(read, saved);
        let settings = read.or_configured(&configured);
        assert_eq!(settings.alert_chat, None);
        assert_eq!(settings.webhook_url, configured.webhook_url);
        assert_eq!(
            serde_json::from_str::<SavedSettings>("{}").unwrap().or_configured(&configured),
            configured
        );
    }
}
