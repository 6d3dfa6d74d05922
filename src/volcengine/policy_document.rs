//! The document of a policy, compared by what it says (docs/platforms/ark.md §B.2).

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

/// The document of a policy. Two are equal if they say the same: neither space, nor the order of statements and names, nor
/// whether a single name stands in a list makes a difference.
#[derive(Clone, Debug)]
pub struct PolicyDocument {
    text: String,
    canonical: String,
}

/// Why a text is no [`PolicyDocument`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not the document of a policy")]
pub struct InvalidPolicyDocument;

impl PolicyDocument {
    /// Returns the document that denies `actions` on everything.
    pub fn deny(actions: &[&str]) -> Self {
        Self::of(json!({"Statement": [{"Effect": "Deny", "Action": actions, "Resource": ["*"]}]}))
    }

    /// Returns the document that denies everything. A Deny beats every Allow, whatever it is granted by.
    pub fn deny_all() -> Self {
        Self::deny(&["*"])
    }

    /// Returns the document as JSON.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn of(value: Value) -> Self {
        Self { text: value.to_string(), canonical: canonical(&value) }
    }
}

impl FromStr for PolicyDocument {
    type Err = InvalidPolicyDocument;

    fn from_str(text: &str) -> Result<Self, InvalidPolicyDocument> {
        let value: Value = serde_json::from_str(text).map_err(|_| InvalidPolicyDocument)?;
        if value.get("Statement").is_none() {
            return Err(InvalidPolicyDocument);
        }
        Ok(Self { text: text.to_owned(), canonical: canonical(&value) })
    }
}

impl PartialEq for PolicyDocument {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for PolicyDocument {}

impl fmt::Display for PolicyDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns the one form of all documents that say the same. A `Version` says nothing about what is denied.
fn canonical(document: &Value) -> String {
    let empty = Map::new();
    let fields = document.as_object().unwrap_or(&empty);
    object(fields.iter().filter(|(name, _)| *name != "Version"))
}

fn object<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let mut parts: Vec<String> = fields
        .filter(|(_, value)| !is_empty(value))
        .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), set(value)))
        .collect();
    parts.sort();
    format!("{{{}}}", parts.join(","))
}

/// Returns a value as the set of its items: in documents, lists are sets, and one item may stand for a list of one.
fn set(value: &Value) -> String {
    let one = std::slice::from_ref(value);
    let items = value.as_array().map_or(one, Vec::as_slice);
    let mut items: Vec<String> = items
        .iter()
        .map(|item| match item {
            Value::Object(fields) => object(fields.iter()),
            Value::Array(_) => set(item),
            other => other.to_string(),
        })
        .collect();
    items.sort();
    items.dedup();
    format!("[{}]", items.join(","))
}

/// A field without a value is as good as absent.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn documents_are_equal_if_they_say_the_same() {
        for same in [
            r#"{"Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"]}]}"#,
            r#" { "Statement" : [ { "Resource":["*"], "Action":["*"], "Effect":"Deny" } ] } "#,
            r#"{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#,
            r#"{"Statement":{"Effect":"Deny","Action":["*","*"],"Resource":["*"]}}"#,
            r#"{"Version":"1","Statement":[{"Sid":"","Condition":{},"Effect":"Deny","Action":["*"],"Resource":["*"]}]}"#,
        ] {
            assert_eq!(
                same.parse::<PolicyDocument>().unwrap(),
                PolicyDocument::deny_all(),
                "{same}"
            );
        }
        for other in [
            r#"{"Statement":[{"Effect":"Allow","Action":["*"],"Resource":["*"]}]}"#,
            r#"{"Statement":[{"Effect":"Deny","Action":["ark:*"],"Resource":["*"]}]}"#,
            r#"{"Statement":[{"Effect":"Deny","Action":[],"Resource":["*"]}]}"#,
            r#"{"Statement":[{"Effect":"Deny","NotAction":["*"],"Resource":["*"]}]}"#,
            r#"{"Statement":[{"Effect":"Deny","Action":["*"],"Resource":["trn:x"]}]}"#,
            r#"{"Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],"Condition":{"IpAddress":{"volc:SourceIp":["10.0.0.0/8"]}}}]}"#,
            r#"{"Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"]},{"Effect":"Allow","Action":["*"],"Resource":["*"]}]}"#,
            r#"{"Statement":[]}"#,
        ] {
            assert_ne!(
                other.parse::<PolicyDocument>().unwrap(),
                PolicyDocument::deny_all(),
                "{other}"
            );
        }
        for broken in ["", "{}", "[]", "Deny", "{\"Statement\""] {
            assert_eq!(broken.parse::<PolicyDocument>(), Err(InvalidPolicyDocument), "{broken}");
        }
    }

    #[test]
    fn the_document_is_sent_as_the_vendor_writes_it() {
        let text = PolicyDocument::deny_all().as_str().parse::<Value>().unwrap();
        let statement = json!({"Effect": "Deny", "Action": ["*"], "Resource": ["*"]});
        assert_eq!(text, json!({ "Statement": [statement] }));
    }

    proptest! {
        #[test]
        fn the_order_of_names_makes_no_difference(
            names in prop::collection::btree_set("[a-z]{1,4}:[A-Z*]{1,4}", 1..8)
                .prop_flat_map(|names| {
                    let names: Vec<String> = names.into_iter().collect();
                    (Just(names.clone()), Just(names).prop_shuffle())
                }),
        ) {
            let of = |names: &[String]| {
                PolicyDocument::deny(&names.iter().map(String::as_str).collect::<Vec<_>>())
            };
            prop_assert_eq!(of(&names.0), of(&names.1));
            if names.0.len() > 1 {
                prop_assert_ne!(of(&names.0), of(&names.0[1..]));
            }
        }
    }
}
