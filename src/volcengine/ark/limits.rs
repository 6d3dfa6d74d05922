//! The limits of a preset endpoint, kept as the cloud wrote them (docs/platforms/ark.md §A.3).

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::volcengine::paging::count;

/// What image and video creation is limited by.
const CONTENT: [&str; 2] = ["ConcurrentRequests", "CreateTaskRpm"];
/// What text is limited by.
const TEXT: [&str; 2] = ["Rpm", "Tpm"];

/// The limits of a preset endpoint: of image and video creation, and of text. Each is kept as the cloud wrote it, so that
/// [`AccountClient::set_preset_limits`](crate::volcengine::AccountClient::set_preset_limits) puts it back exactly. The text
/// form ([`fmt::Display`], [`FromStr`]) is what a store keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresetLimits {
    /// `ContentGeneration`; `None` if the endpoint has no limits of its own.
    content: Option<String>,
    /// `RateLimit`; the same.
    text: Option<String>,
}

/// Why a text is no [`PresetLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not the limits of an endpoint as they were saved")]
pub struct InvalidPresetLimits;

#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(rename = "Id")]
    id: Option<Box<RawValue>>,
    #[serde(rename = "ContentGeneration")]
    content: Option<Box<RawValue>>,
    #[serde(rename = "RateLimit")]
    text: Option<Box<RawValue>>,
}

impl Fields {
    /// Returns whether these are the fields of an endpoint, as far as can be told.
    pub(super) fn is_endpoint(&self) -> bool {
        self.id.is_some() || self.content.is_some() || self.text.is_some()
    }

    /// Returns the limits, and whether both kinds are there.
    pub(super) fn limits(&self) -> Result<(PresetLimits, bool), InvalidPresetLimits> {
        let limits = PresetLimits {
            content: object(self.content.as_deref())?,
            text: object(self.text.as_deref())?,
        };
        let both = limits.content.is_some() && limits.text.is_some();
        Ok((limits, both))
    }
}

/// Returns the text of an object. Null and the empty object are no limits; anything else is not understood.
fn object(value: Option<&RawValue>) -> Result<Option<String>, InvalidPresetLimits> {
    let Some(value) = value else { return Ok(None) };
    let fields: Map<String, Value> =
        serde_json::from_str(value.get()).map_err(|_| InvalidPresetLimits)?;
    Ok((!fields.is_empty()).then(|| value.get().to_owned()))
}

impl PresetLimits {
    /// Returns the limits that let no call through, if the cloud applies them.
    pub fn zero() -> Self {
        let zeros = |names: [&str; 2]| {
            Some(
                Value::from(Map::from_iter(names.map(|name| (name.to_owned(), json!(0)))))
                    .to_string(),
            )
        };
        Self { content: zeros(CONTENT), text: zeros(TEXT) }
    }

    /// Returns whether image and video creation is certainly limited to nothing.
    pub fn content_is_zero(&self) -> bool {
        is_zero(self.content.as_deref(), CONTENT)
    }

    /// Returns whether text is certainly limited to nothing.
    pub fn text_is_zero(&self) -> bool {
        is_zero(self.text.as_deref(), TEXT)
    }

    /// Returns whether both kinds are certainly limited to nothing.
    pub fn is_zero(&self) -> bool {
        self.content_is_zero() && self.text_is_zero()
    }

    /// Returns the parameter `ContentGeneration` that sets these limits, in the forms to try.
    pub(super) fn content_parameter(&self) -> [Value; 2] {
        parameter(self.content.as_deref(), CONTENT, json!({"CreateTaskRpm": -1}))
    }

    /// Returns the parameter `RateLimit` that sets these limits, in the forms to try. That -1 lifts these as well is a guess.
    pub(super) fn text_parameter(&self) -> [Value; 2] {
        parameter(self.text.as_deref(), TEXT, json!({"Rpm": -1, "Tpm": -1}))
    }
}

/// Returns whether all of `names` are there and 0.
fn is_zero(limits: Option<&str>, names: [&str; 2]) -> bool {
    let Some(limits) = limits else { return false };
    let Ok(fields) =
        serde_json::from_str::<std::collections::BTreeMap<String, Box<RawValue>>>(limits)
    else {
        return false;
    };
    names.iter().all(|name| fields.get(*name).and_then(|value| count(value)) == Some(0))
}

/// Returns the saved limits in two forms: with -1 for what is missing, in case the cloud leaves alone what is not sent; and as
/// they were saved, or `none` if there were none, in case it refuses that.
fn parameter(saved: Option<&str>, names: [&str; 2], none: Value) -> [Value; 2] {
    let plain = saved.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(none);
    let mut whole = plain.clone();
    if let Some(fields) = whole.as_object_mut() {
        for name in names {
            fields.entry(name).or_insert_with(|| json!(-1));
        }
    }
    [whole, plain]
}

impl fmt::Display for PresetLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".into());
        write!(
            f,
            r#"{{"ContentGeneration":{},"RateLimit":{}}}"#,
            part(&self.content),
            part(&self.text)
        )
    }
}

impl FromStr for PresetLimits {
    type Err = InvalidPresetLimits;

    fn from_str(text: &str) -> Result<Self, InvalidPresetLimits> {
        let fields: Fields = serde_json::from_str(text).map_err(|_| InvalidPresetLimits)?;
        Ok(fields.limits()?.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(text: &str) -> PresetLimits {
        text.parse().unwrap()
    }

    #[test]
    fn only_limits_that_are_certainly_zero_count_as_zero() {
        for (json, content, text) in [
            (
                r#"{"ContentGeneration":{"ConcurrentRequests":0,"CreateTaskRpm":0},"RateLimit":{"Rpm":0,"Tpm":0}}"#,
                true,
                true,
            ),
            (
                r#"{"ContentGeneration":{"ConcurrentRequests":"0","CreateTaskRpm":0,"X":7}}"#,
                true,
                false,
            ),
            (
                r#"{"ContentGeneration":{"ConcurrentRequests":0},"RateLimit":{"Rpm":0}}"#,
                false,
                false,
            ),
            (
                r#"{"ContentGeneration":{"ConcurrentRequests":5,"CreateTaskRpm":0},"RateLimit":{"Rpm":0,"Tpm":1}}"#,
                false,
                false,
            ),
            (
                r#"{"ContentGeneration":{"ConcurrentRequests":null,"CreateTaskRpm":-1}}"#,
                false,
                false,
            ),
            (r#"{"ContentGeneration":{},"RateLimit":null}"#, false, false),
            ("{}", false, false),
        ] {
            let limits = limits(json);
            assert_eq!(
                (limits.content_is_zero(), limits.text_is_zero()),
                (content, text),
                "{json}"
            );
        }
        assert!(PresetLimits::zero().is_zero());
        for broken in [r#"{"RateLimit":7}"#, r#"{"ContentGeneration":[]}"#, "", "[]"] {
            assert!(broken.parse::<PresetLimits>().is_err(), "{broken}");
        }
    }

    #[test]
    fn what_was_not_limited_is_not_limited_again() {
        let lifted = json!({"ConcurrentRequests": -1, "CreateTaskRpm": -1});
        let none = limits("{}");
        assert_eq!(none.content_parameter(), [lifted, json!({"CreateTaskRpm": -1})]);
        let lifted = json!({"Rpm": -1, "Tpm": -1});
        assert_eq!(none.text_parameter(), [lifted.clone(), lifted]);
        let half = limits(r#"{"RateLimit":{"Rpm":600}}"#);
        assert_eq!(half.text_parameter(), [json!({"Rpm": 600, "Tpm": -1}), json!({"Rpm": 600})]);
        let zero = PresetLimits::zero();
        let zeros = json!({"ConcurrentRequests": 0, "CreateTaskRpm": 0});
        assert_eq!(zero.content_parameter(), [zeros.clone(), zeros]);
        let zeros = json!({"Rpm": 0, "Tpm": 0});
        assert_eq!(zero.text_parameter(), [zeros.clone(), zeros]);
    }

    proptest! {
        #[test]
        fn limits_come_back_from_a_store_as_the_cloud_wrote_them(
            content in prop::option::of((any::<i64>(), "[a-z]{0,5}")),
            text in prop::option::of((any::<u32>(), any::<u32>())),
        ) {
            let content = content.map(|(n, word)| json!({"CreateTaskRpm": n, "More": {"x": word}}));
            let text = text.map(|(rpm, tpm)| json!({"Rpm": rpm, "Tpm": tpm}));
            let cloud = json!({"ContentGeneration": content, "RateLimit": text}).to_string();
            let saved = limits(&cloud);
            prop_assert_eq!(&limits(&saved.to_string()), &saved);
            if let Some(content) = content {
                let [_, plain] = saved.content_parameter();
                prop_assert_eq!(plain, content);
            }
            if let Some(text) = text {
                prop_assert_eq!(saved.text_parameter(), [text.clone(), text]);
            }
        }
    }
}
