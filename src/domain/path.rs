//! Access paths (通道): the ways in which a user can spend, and how each of them stands.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ProjectName;

/// One of the ways in which a user can spend (docs/behaviour.md §1), in the order in which a cut closes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessPath {
    /// Every request signed in the user's name, which the policy `airgate-deny-all` refuses.
    Signed,
    /// Access keys.
    AccessKeys,
    /// Console login.
    Login,
    /// API keys of IAM.
    ApiKeys,
    /// 方舟: inference endpoints.
    Endpoints,
    /// 方舟: API keys of projects.
    ModelKeys,
    /// 方舟: the hidden endpoints behind calls by Model ID.
    PresetEndpoints,
    /// 方舟: batch inference and tuning jobs.
    Jobs,
}

impl AccessPath {
    /// Every path, in the order of a cut. A restore goes backwards.
    pub const ALL: [AccessPath; 8] = [
        AccessPath::Signed,
        AccessPath::AccessKeys,
        AccessPath::Login,
        AccessPath::ApiKeys,
        AccessPath::Endpoints,
        AccessPath::ModelKeys,
        AccessPath::PresetEndpoints,
        AccessPath::Jobs,
    ];

    /// Returns the word for it in metrics and in the text catalogue.
    pub fn word(self) -> &'static str {
        match self {
            AccessPath::Signed => "signed",
            AccessPath::AccessKeys => "access_keys",
            AccessPath::Login => "login",
            AccessPath::ApiKeys => "api_keys",
            AccessPath::Endpoints => "endpoints",
            AccessPath::ModelKeys => "model_keys",
            AccessPath::PresetEndpoints => "preset_endpoints",
            AccessPath::Jobs => "jobs",
        }
    }

    /// Returns whether it belongs to 方舟: it is then a matter of projects, and outlives the user.
    pub fn is_ark(self) -> bool {
        matches!(
            self,
            AccessPath::Endpoints
                | AccessPath::ModelKeys
                | AccessPath::PresetEndpoints
                | AccessPath::Jobs
        )
    }
}

/// A thing on a path that is open or closed by itself: a key, an endpoint, the login.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccessItem {
    /// The cloud's id of it (`AKLT…`, `ep-…`). Never a secret.
    pub id: String,
    /// Its name in the cloud; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The project it is in, for 方舟.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    /// What it was before it was closed, where a switch does not say it all: the limits of a preset endpoint, as the cloud
    /// wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl AccessItem {
    /// The id of console login, of which a user has one at most.
    pub const LOGIN: &str = "login";

    /// Creates an item that is known by its id alone.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), name: String::new(), project: None, before: None }
    }

    /// Sets its name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the project it is in.
    #[must_use]
    pub fn within(self, project: &ProjectName) -> Self {
        Self { project: Some(project.clone()), ..self }
    }

    /// Returns whether both are the same thing, whatever else is known about it.
    pub fn is_same(&self, other: &AccessItem) -> bool {
        self.id == other.id && self.project == other.project
    }
}

/// Items by path.
pub type PathItems = BTreeMap<AccessPath, Vec<AccessItem>>;

/// Adds those of `items` that are not there yet.
pub fn add_items(to: &mut PathItems, path: AccessPath, items: &[AccessItem]) {
    if items.is_empty() {
        return;
    }
    let known = to.entry(path).or_default();
    for item in items {
        if !known.iter().any(|known| known.is_same(item)) {
            known.push(item.clone());
        }
    }
}

/// How a path stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PathState {
    /// Something on it works.
    Open,
    /// Nothing on it works, as read back from the cloud.
    Closed,
    /// It could not be read or closed; it is tried again.
    Failing {
        /// Why, in words for people.
        reason: String,
    },
    /// airgate does not close it.
    NotCovered {
        /// Why.
        reason: NotCovered,
    },
}

impl PathState {
    /// Returns whether a cut that ended like this has closed what it closes on the path: whatever is open on it later was
    /// opened since. On a path that airgate leaves alone, nothing was closed.
    pub fn is_what_a_cut_left(&self) -> bool {
        use NotCovered::{LeftToPerson, NoSuchAction, SwitchedOff};
        match self {
            PathState::Closed => true,
            PathState::NotCovered { reason } => {
                !matches!(reason, SwitchedOff | NoSuchAction | LeftToPerson)
            }
            PathState::Open | PathState::Failing { .. } => false,
        }
    }
}

/// Why airgate does not close a path, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotCovered {
    /// The configuration leaves it alone.
    SwitchedOff,
    /// The account does not have this part of the API (`InvalidActionOrVersion`).
    NoSuchAction,
    /// `access.model_keys` is `report`: a person has to switch these keys off.
    LeftToPerson,
    /// Others use the project too.
    Shared,
    /// The cloud accepted limits of 0 and did not apply them: text by Model ID goes on.
    LimitsIgnored,
    /// Nothing can stop it, for instance a job that cannot be resumed.
    CannotStop,
}

/// How a path of a user stood when it was last read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathReport {
    /// How it stands.
    #[serde(flatten)]
    pub state: PathState,
    /// What works on it: what is open, or not covered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<AccessItem>,
    /// How many things on it are closed.
    #[serde(default)]
    pub closed: usize,
    /// When it was read.
    pub at: Timestamp,
}

impl PathReport {
    /// Returns whether the path keeps a cut from being confirmed: it is open, or could not be read or closed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, PathState::Open | PathState::Failing { .. })
    }

    /// Returns whether something on the path may work, including what airgate does not close. A path that the configuration
    /// leaves alone does not count.
    pub fn is_left_open(&self) -> bool {
        !matches!(
            self.state,
            PathState::Closed | PathState::NotCovered { reason: NotCovered::SwitchedOff }
        )
    }
}

/// How the paths of a user stand, as far as they have been read.
pub type PathReports = BTreeMap<AccessPath, PathReport>;

/// Which endpoints and keys of 方舟 a cut closes (`access.models`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Models {
    /// None.
    Off,
    /// What the user made, and everything in projects that no other user is linked to.
    #[default]
    Own,
    /// Everything in the user's linked projects.
    Linked,
}

/// What a cut does with API keys of 方舟 (`access.model_keys`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModelKeys {
    /// Lists them for a person to switch off.
    #[default]
    Report,
    /// Gives each a new secret (`Regen`). The old one does not come back.
    Rotate,
    /// Switches each off and on again by these calls, which no document describes.
    Disable {
        /// Switches a key off (`access.model_key_disable`).
        disable: KeySwitch,
        /// Switches it on again (`access.model_key_enable`).
        enable: KeySwitch,
    },
}

/// A call of 方舟 that switches an API key, as configured: the action and a body in which `$id` and `$project` are filled
/// in (`UpdateApiKey {"Id": $id, "Status": "Inactive"}`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySwitch {
    action: String,
    body: String,
}

impl KeySwitch {
    /// Returns the action.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Returns the body for a key. `None` if it is no JSON object, which [`KeySwitch::from_str`](std::str::FromStr) rules
    /// out.
    pub fn body(&self, id: i64, project: &ProjectName) -> Option<serde_json::Value> {
        fill(&self.body, id, project.as_str())
    }
}

/// Why a text is no [`KeySwitch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an action and a JSON object with $id; for instance UpdateApiKey {{\"Id\": $id, \"Status\": \"Inactive\"}}"
)]
pub struct InvalidKeySwitch;

impl std::str::FromStr for KeySwitch {
    type Err = InvalidKeySwitch;

    fn from_str(text: &str) -> Result<Self, InvalidKeySwitch> {
        let (action, body) = text.trim().split_once(' ').ok_or(InvalidKeySwitch)?;
        let is_action = !action.is_empty() && action.chars().all(|c| c.is_ascii_alphanumeric());
        if !is_action || !body.contains("$id") || fill(body, 1, "default").is_none() {
            return Err(InvalidKeySwitch);
        }
        Ok(Self { action: action.to_owned(), body: body.trim().to_owned() })
    }
}

fn fill(body: &str, id: i64, project: &str) -> Option<serde_json::Value> {
    let quoted = serde_json::to_string(project).ok()?;
    let escaped = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let text = body.replace("$id", &id.to_string()).replace("$project", escaped);
    serde_json::from_str(&text).ok().filter(serde_json::Value::is_object)
}

/// What a cut closes (`[access]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRules {
    /// Whether `airgate-deny-all` is attached (`access.deny_all`).
    pub deny_all: bool,
    /// Which endpoints and keys of 方舟 are closed (`access.models`).
    pub models: Models,
    /// What happens to API keys of 方舟 (`access.model_keys`).
    pub model_keys: ModelKeys,
    /// Whether batch and tuning jobs are stopped (`access.stop_jobs`).
    pub stop_jobs: bool,
}

impl Default for AccessRules {
    fn default() -> Self {
        Self {
            deny_all: true,
            models: Models::Own,
            model_keys: ModelKeys::Report,
            stop_jobs: false,
        }
    }
}

impl AccessRules {
    /// Returns whether a cut is configured to close this path. Keys that are only reported are not closed.
    pub fn closes(&self, path: AccessPath) -> bool {
        let models = self.models != Models::Off;
        match path {
            AccessPath::Signed => self.deny_all,
            AccessPath::AccessKeys | AccessPath::Login | AccessPath::ApiKeys => true,
            AccessPath::Endpoints | AccessPath::PresetEndpoints => models,
            AccessPath::ModelKeys => models && self.model_keys != ModelKeys::Report,
            AccessPath::Jobs => models && self.stop_jobs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_call_is_an_action_and_an_object() {
        let project: ProjectName = "team-a".parse().unwrap();
        let switch: KeySwitch =
            r#"UpdateApiKey {"Id": $id, "Status": "Inactive", "ProjectName": "$project"}"#
                .parse()
                .unwrap();
        assert_eq!(switch.action(), "UpdateApiKey");
        assert_eq!(
            switch.body(42, &project).unwrap(),
            serde_json::json!({"Id": 42, "Status": "Inactive", "ProjectName": "team-a"})
        );
        for wrong in [
            "",
            "UpdateApiKey",
            "UpdateApiKey {}",
            r#"UpdateApiKey {"Id": 1}"#,
            "UpdateApiKey [$id]",
            r#"Update?Key {"Id": $id}"#,
            r#"UpdateApiKey {"Id": $id"#,
        ] {
            assert_eq!(wrong.parse::<KeySwitch>(), Err(InvalidKeySwitch), "{wrong}");
        }
    }

    /// `airgate check` splits there into what is wrong and how to fix it.
    #[test]
    fn what_is_wrong_with_a_call_ends_before_its_example() {
        let message = InvalidKeySwitch.to_string();
        let (wrong, fix) = message.split_once("; ").unwrap();
        assert_eq!(wrong, "must be an action and a JSON object with $id");
        assert!(fix.contains(r#"{"Id": $id, "Status": "Inactive"}"#), "{fix}");
    }

    #[test]
    fn the_words_of_the_paths_are_those_that_are_stored() {
        for path in AccessPath::ALL {
            assert_eq!(serde_json::to_value(path).unwrap(), path.word());
        }
    }
}
