//! Fields of any type, and who made a thing.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::volcengine::iam::text;

/// The tag with the creator of an endpoint or job (docs/platforms/ark.md §A.2).
const CREATED_BY: &str = "sys:ark:createdBy";

/// The IAM user that made a thing, by the tag `sys:ark:createdBy` = `IAMUser/<id>/<name>`. The main account itself has the
/// id `0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Creator {
    /// The cloud's id of the user; may be empty.
    pub user_id: String,
    /// The username at that time; may be empty.
    pub username: String,
}

impl Creator {
    fn of_tag(value: &str) -> Option<Self> {
        let mut parts = value.trim().splitn(3, '/');
        if parts.next()? != "IAMUser" {
            return None;
        }
        let mut part = || parts.next().unwrap_or_default().trim().to_owned();
        let (user_id, username) = (part(), part());
        (!user_id.is_empty() || !username.is_empty()).then_some(Self { user_id, username })
    }
}

/// Reads the creator from the list of tags; `None` if the tags do not say it.
pub(super) fn creator<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Creator>, D::Error> {
    let tags = Value::deserialize(deserializer)?;
    let mut tags = tags.as_array().into_iter().flatten();
    Ok(tags.find_map(|tag| {
        (tag.get("Key")?.as_str()? == CREATED_BY)
            .then(|| Creator::of_tag(tag.get("Value")?.as_str()?))?
    }))
}

/// Reads a truth as a boolean, a number or their text; `None` for anything else.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match text(deserializer)?.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    })
}

/// Reads an integer or its text; 0 for anything else.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(text(deserializer)?.trim().parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Row {
        #[serde(rename = "Tags", default, deserialize_with = "creator")]
        creator: Option<Creator>,
        #[serde(rename = "Flag", default, deserialize_with = "flag")]
        flag: Option<bool>,
        #[serde(rename = "Id", default, deserialize_with = "integer")]
        id: i64,
    }

    #[test]
    fn the_creator_is_read_from_its_tag_only() {
        let by = |id: &str, name: &str| {
            Some(Creator { user_id: id.to_owned(), username: name.to_owned() })
        };
        for (tags, creator) in [
            (
                r#"[{"Key":"sys:ark:createdBy","Value":"IAMUser/10000/alice"}]"#,
                by("10000", "alice"),
            ),
            (
                r#"[{"Key":"team","Value":"IAMUser/1/eve"},7,null,{"Key":"sys:ark:createdBy","Value":"IAMUser/2/bob"}]"#,
                by("2", "bob"),
            ),
            // The main account.
            (r#"[{"Key":"sys:ark:createdBy","Value":"IAMUser/0/"}]"#, by("0", "")),
            (r#"[{"Key":"sys:ark:createdBy","Value":"IAMUser//alice"}]"#, by("", "alice")),
            (r#"[{"Key":"sys:ark:createdBy","Value":"IAMUser/7"}]"#, by("7", "")),
            (r#"[{"Key":"sys:ark:createdBy","Value":"Role/7/ops"}]"#, None),
            (r#"[{"Key":"sys:ark:createdBy","Value":"IAMUser//"}]"#, None),
            (r#"[{"Key":"sys:ark:createdBy","Value":""}]"#, None),
            (r#"[{"Key":"sys:ark:createdBy","Value":7}]"#, None),
            (r#"[{"Key":"sys:ark:createdBy"}]"#, None),
            (r#"{"sys:ark:createdBy":"IAMUser/1/a"}"#, None),
            ("[]", None),
            ("null", None),
            (r#""x""#, None),
        ] {
            let row: Row = serde_json::from_str(&format!(r#"{{"Tags":{tags}}}"#)).unwrap();
            assert_eq!(row.creator, creator, "{tags}");
        }
        assert_eq!(serde_json::from_str::<Row>("{}").unwrap().creator, None);
    }

    #[test]
    fn flags_and_integers_are_read_from_whatever_type() {
        for (json, flag, id) in [
            ("true", Some(true), 0),
            ("false", Some(false), 0),
            (r#""True""#, Some(true), 0),
            (r#""no""#, None, 0),
            ("1", Some(true), 1),
            (r#"" 0 ""#, Some(false), 0),
            (r#""123456""#, None, 123_456),
            ("null", None, 0),
            ("[]", None, 0),
            ("1.5", None, 0),
        ] {
            let row: Row =
                serde_json::from_str(&format!(r#"{{"Flag":{json},"Id":{json}}}"#)).unwrap();
            assert_eq!((row.flag, row.id), (flag, id), "{json}");
        }
    }
}
