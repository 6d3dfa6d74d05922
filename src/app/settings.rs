//! Global settings: the values in force and where they come from, and saving new ones.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::{Error, Refusal};
use crate::address::{self, Url};
use crate::domain::{ChatId, DigestKind, DigestLog, OpenId, SavedSettings, Settings, contact};
use crate::store::{Source, StoreError, View, WriteTx};

/// The most people that alerts mention by mobile number, and the most that are chosen.
const MAX_MOBILES: usize = 20;
/// How many people the form offers: each takes about 50 bytes of the card.
const MAX_OFFERED: usize = 100;

impl fmt::Debug for NewSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSettings")
            .field("thresholds", &self.thresholds)
            .field("interval_seconds", &self.interval_seconds)
            .field("webhook_url", &(!self.webhook_url.is_empty()).then_some("…"))
            .field("mobiles", &self.mobiles)
            .field("people", &self.people)
            .field("alert_chat_id", &self.alert_chat_id)
            .field("digest", &self.digest)
            .finish()
    }
}

/// What the settings card shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsView {
    /// The settings in force.
    pub settings: Settings,
    /// The settings saved in chat: a value that is set here is in force, the others come from the configuration.
    pub saved: SavedSettings,
    /// The host of the webhook's address; the rest of the address is secret.
    pub webhook_host: Option<String>,
    /// The name of the alert chat, if it is known.
    pub chat_name: Option<String>,
    /// People to choose from, those that are mentioned first; with their names, as far as they are known.
    pub people: Vec<(OpenId, Option<String>)>,
}

impl SettingsView {
    /// Creates the view: `saved` takes precedence over what is configured.
    pub fn new(saved: SavedSettings, configured: &Settings) -> Self {
        let settings = saved.or_configured(configured);
        let webhook_host = settings.webhook_url.as_deref().map(address::webhook_host);
        Self { settings, saved, webhook_host, chat_name: None, people: Vec::new() }
    }
}

/// What a person typed into the form, with every field. `Debug` does not show the webhook's address.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewSettings {
    /// `50,80,90`; empty = the configuration's.
    pub thresholds: String,
    /// Seconds; empty = the configuration's.
    pub interval_seconds: String,
    /// Empty = unchanged (the address is never shown), `-` = none.
    pub webhook_url: String,
    /// Separated by commas; empty or `-` = none.
    pub mobiles: String,
    /// The open_ids of those who were chosen; `None` if the form does not show them.
    pub people: Option<Vec<String>>,
    /// Empty or `-` = none.
    pub alert_chat_id: String,
    /// `off`, `week` or `month`; empty = unchanged.
    pub digest: String,
}

/// Returns the settings in force: what was saved in chat, or the configured value if nothing was saved.
pub fn settings_in_force<S: crate::store::Source>(
    tx: &View<S>,
    configured: &Settings,
) -> Result<Settings, StoreError> {
    Ok(tx.saved_settings()?.or_configured(configured))
}

/// Reads what the settings card shows.
pub fn view<S: Source>(tx: &View<S>, configured: &Settings) -> Result<SettingsView, StoreError> {
    let view = SettingsView::new(tx.saved_settings()?, configured);
    let chat_name = match &view.settings.alert_chat {
        Some(chat) => tx.chat_name(chat)?,
        None => None,
    };
    // Only people whom Feishu knows: it refuses a whole card for one whom it does not.
    let mut known = tx.known_people()?;
    let mentioned = view.settings.people.iter();
    let mut people: Vec<_> = mentioned.filter_map(|person| known.remove_entry(person)).collect();
    let mut others: Vec<_> = known.into_iter().collect();
    others.sort_by(|a, b| (a.1.is_none(), &a.1, &a.0).cmp(&(b.1.is_none(), &b.1, &b.0)));
    people.extend(others);
    people.truncate(MAX_OFFERED);
    Ok(SettingsView { chat_name, people, ..view })
}

/// Saves settings. A value that is already in force keeps its source.
///
/// # Errors
/// A refusal if any value is bad; nothing is saved then.
pub fn save(
    tx: &WriteTx,
    configured: &Settings,
    base_url: &Url,
    new: &NewSettings,
    now: Timestamp,
) -> Result<SettingsView, Error> {
    let mut saved = tx.saved_settings()?;
    let in_force = saved.or_configured(configured);
    saved.thresholds = match new.thresholds.trim() {
        "" => None,
        text => {
            let wanted = text.parse().map_err(Refusal::from)?;
            if wanted == in_force.thresholds { saved.thresholds } else { Some(wanted) }
        }
    };
    saved.interval_seconds = match new.interval_seconds.trim() {
        "" => None,
        text => {
            // The configuration may set a shorter interval; submitting the form unchanged keeps it.
            let same = text.parse().ok().map(Duration::from_secs) == Some(in_force.interval);
            if same { saved.interval_seconds } else { Some(interval(text)?) }
        }
    };
    let webhook_url = match new.webhook_url.trim() {
        "" => in_force.webhook_url.clone(),
        none if is_none(none) => None,
        text => Some(address::webhook_url(text, base_url).map_err(Refusal::BadWebhook)?.into()),
    };
    if webhook_url != in_force.webhook_url {
        saved.webhook_url = Some(webhook_url);
    }
    saved.mobiles = match new.mobiles.trim() {
        "" => None,
        text => {
            let wanted = mobiles(text)?;
            if wanted == in_force.mobiles { saved.mobiles } else { Some(wanted) }
        }
    };
    if let Some(chosen) = &new.people {
        saved.people = people(chosen)?;
    }
    saved.alert_chat = match new.alert_chat_id.trim() {
        "" => None,
        text => {
            let wanted = if is_none(text) { None } else { Some(chat(text)?) };
            if wanted == in_force.alert_chat { saved.alert_chat } else { Some(wanted) }
        }
    };
    let digest = match new.digest.trim() {
        "" => in_force.digest,
        "off" => None,
        word => Some(DigestKind::from_word(word).ok_or(Refusal::BadField("digest"))?),
    };
    if digest != in_force.digest {
        saved.digest = digest;
        // What was due before is not sent.
        let log = tx.digest_log()?;
        tx.put_digest_log(&DigestLog { since: Some(now), ..log })?;
    }
    saved.updated = Some(now);
    tx.put_saved_settings(&saved)?;
    Ok(SettingsView::new(saved, configured))
}

/// Puts the people to mention back to what was saved before, because `refused` cannot be mentioned. Returns false if others
/// have been saved in the meantime.
pub fn take_back_mobiles(
    tx: &WriteTx,
    refused: &[String],
    before: Option<Vec<String>>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut saved = tx.saved_settings()?;
    if saved.mobiles.as_deref() != Some(refused) {
        return Ok(false);
    }
    saved.mobiles = before;
    saved.updated = Some(now);
    tx.put_saved_settings(&saved)?;
    Ok(true)
}

/// Makes a chat the one that alerts go to.
pub fn set_alert_chat(
    tx: &WriteTx,
    configured: &Settings,
    chat: &ChatId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut saved = tx.saved_settings()?;
    if saved.or_configured(configured).alert_chat.as_ref() != Some(chat) {
        saved.alert_chat = Some(Some(chat.clone()));
        saved.updated = Some(now);
        tx.put_saved_settings(&saved)?;
    }
    Ok(())
}

/// Returns whether a text means "none". An empty field does not: it means "as in the configuration file".
fn is_none(text: &str) -> bool {
    matches!(text, "-" | "－" | "无")
}

fn interval(text: &str) -> Result<u64, Refusal> {
    let allowed = SavedSettings::SHORTEST_INTERVAL..=SavedSettings::LONGEST_INTERVAL;
    text.parse()
        .ok()
        .filter(|seconds| allowed.contains(seconds))
        .ok_or_else(|| Refusal::BadInterval(text.to_owned()))
}

fn mobiles(text: &str) -> Result<Vec<String>, Refusal> {
    let mut mobiles: Vec<String> = Vec::new();
    let separates = |c: char| c.is_whitespace() || matches!(c, ',' | '，' | '、' | ';' | '；');
    for part in text.split(separates).filter(|part| !part.is_empty() && !is_none(part)) {
        let mobile = contact::phone(part)?;
        if !mobiles.contains(&mobile) {
            mobiles.push(mobile);
        }
    }
    if mobiles.len() > MAX_MOBILES {
        return Err(Refusal::TooManyMobiles(MAX_MOBILES));
    }
    Ok(mobiles)
}

fn people(chosen: &[String]) -> Result<Vec<OpenId>, Refusal> {
    let mut people: Vec<OpenId> = Vec::new();
    for id in chosen {
        let person = OpenId::new(id.as_str()).ok().filter(|id| id.as_str().starts_with("ou_"));
        let person = person.ok_or_else(|| Refusal::BadPerson(id.clone()))?;
        if !people.contains(&person) {
            people.push(person);
        }
    }
    if people.len() > MAX_MOBILES {
        return Err(Refusal::TooManyMobiles(MAX_MOBILES));
    }
    Ok(people)
}

fn chat(text: &str) -> Result<ChatId, Refusal> {
    let refusal = || Refusal::BadChat(text.to_owned());
    let chat = ChatId::new(text).map_err(|_| refusal())?;
    // Otherwise, an id of another kind would be noticed only when an alert cannot be delivered.
    if text.starts_with("oc_") { Ok(chat) } else { Err(refusal()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_from_a_minute_to_a_year_are_accepted() {
        assert_eq!(interval("60"), Ok(60));
        assert_eq!(interval("31536000"), Ok(31_536_000));
        let max = crate::config::keys::INTERVAL_SECONDS.key.kind;
        assert!(matches!(max, crate::config::keys::Kind::Number { max: 31_536_000, .. }));
        for bad in ["59", "31536001", "-60", "1.5", "1h", "99999999999999999999"] {
            assert_eq!(interval(bad), Err(Refusal::BadInterval(bad.to_owned())));
        }
    }

    #[test]
    fn mobiles_are_split_and_counted_once() {
        let found = mobiles("13800000001，+8613800000002 13800000001;").unwrap();
        assert_eq!(found, ["13800000001", "+8613800000002"]);
        assert_eq!(mobiles(" - "), Ok(vec![]));
        assert_eq!(mobiles("1380000000x"), Err(Refusal::BadMobile("1380000000x".to_owned())));
        let many: Vec<String> = (0..21).map(|i| format!("1380000{i:04}")).collect();
        assert_eq!(mobiles(&many.join(",")), Err(Refusal::TooManyMobiles(20)));
    }

    #[test]
    fn only_a_chat_id_is_accepted_as_a_chat() {
        assert!(chat("oc_1").is_ok());
        for bad in ["ou_1", "oc 1", "告警群"] {
            assert_eq!(chat(bad), Err(Refusal::BadChat(bad.to_owned())));
        }
    }
}
