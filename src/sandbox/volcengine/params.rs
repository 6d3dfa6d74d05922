//! Parameters of a call from the query, a form or a JSON body, read with the types that the service demands.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Where the parameters came from.
#[derive(Clone, Debug)]
enum Source {
    /// Query or form: everything is text, lists are numbered from 1.
    Text(BTreeMap<String, String>),
    /// JSON body: real types.
    Json(Map<String, Value>),
}

/// The service whose error codes apply to a bad parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Iam,
    Billing,
    Ark,
}

/// The parameters of one call.
#[derive(Clone, Debug)]
pub(super) struct Params {
    source: Source,
    dialect: Dialect,
    /// The query of a call whose parameters stand in the body.
    query: BTreeMap<String, String>,
}

impl Params {
    pub(super) fn from_pairs(pairs: &[(String, String)], dialect: Dialect) -> Self {
        let source = Source::Text(pairs.iter().cloned().collect());
        Self { source, dialect, query: BTreeMap::new() }
    }

    fn from_fields(fields: Map<String, Value>, dialect: Dialect) -> Self {
        Self { source: Source::Json(fields), dialect, query: BTreeMap::new() }
    }

    /// The same parameters with the query beside them.
    pub(super) fn beside(mut self, query: &[(String, String)]) -> Self {
        self.query = query.iter().cloned().collect();
        self
    }

    /// A parameter of the query, for a call whose parameters otherwise stand in the body.
    pub(super) fn in_query(&self, name: &str) -> Option<String> {
        self.query.get(name).cloned()
    }

    /// The refusal of a missing parameter.
    pub(super) fn missing(&self, name: &str) -> Refusal {
        self.dialect.missing(name)
    }

    /// The refusal of a bad parameter.
    pub(super) fn invalid(&self, name: &str, why: &str) -> Refusal {
        self.dialect.invalid(name, why)
    }

    /// # Errors
    /// Where the body is not a JSON object.
    pub(super) fn from_json(body: &[u8], dialect: Dialect) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self::from_fields(fields, dialect)),
            _ => Err(dialect.invalid("body", "must be a JSON object")),
        }
    }

    /// Name and value of every parameter; passwords are masked.
    pub(super) fn shown(&self) -> BTreeMap<String, String> {
        let hide = |name: &str, value: String| match name {
            "Password" => "***".to_owned(),
            _ => value,
        };
        match &self.source {
            Source::Text(pairs) => pairs
                .iter()
                .map(|(name, value)| (name.clone(), hide(name, value.clone())))
                .collect(),
            Source::Json(fields) => fields
                .iter()
                .map(|(name, value)| {
                    let text = match value {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    (name.clone(), hide(name, text))
                })
                .collect(),
        }
    }

    /// A JSON value that is present and not null.
    fn json<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
        fields.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match &self.source {
            Source::Text(pairs) => Ok(pairs.get(name).cloned()),
            Source::Json(fields) => match Self::json(fields, name) {
                None => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.clone())),
                Some(_) => Err(self.dialect.invalid(name, "must be a string")),
            },
        }
    }

    /// Required, non-empty text.
    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| self.dialect.missing(name))
    }

    pub(super) fn int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let invalid = || self.dialect.invalid(name, "must be an integer");
        match &self.source {
            Source::Text(pairs) => {
                pairs.get(name).map(|text| text.parse().map_err(|_| invalid())).transpose()
            }
            Source::Json(fields) => {
                Self::json(fields, name).map(|value| value.as_i64().ok_or_else(invalid)).transpose()
            }
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let invalid = || self.dialect.invalid(name, "must be true or false");
        match &self.source {
            Source::Text(pairs) => {
                pairs.get(name).map(|text| text.parse().map_err(|_| invalid())).transpose()
            }
            Source::Json(fields) => Self::json(fields, name)
                .map(|value| value.as_bool().ok_or_else(invalid))
                .transpose(),
        }
    }

    /// A list of texts; empty if it is absent.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let invalid = || self.dialect.invalid(name, "must be a list of strings");
        match &self.source {
            Source::Text(pairs) if pairs.contains_key(name) => Err(invalid()),
            Source::Text(pairs) => {
                Ok((1..).map_while(|n: u32| pairs.get(&format!("{name}.{n}")).cloned()).collect())
            }
            Source::Json(fields) => match Self::json(fields, name) {
                None => Ok(Vec::new()),
                Some(Value::Array(items)) => items
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned).ok_or_else(invalid))
                    .collect(),
                Some(_) => Err(invalid()),
            },
        }
    }

    /// A list of integers; empty if it is absent.
    pub(super) fn ints(&self, name: &str) -> Result<Vec<i64>, Refusal> {
        let invalid = || self.dialect.invalid(name, "must be a list of integers");
        match &self.source {
            Source::Text(_) => {
                self.texts(name)?.iter().map(|text| text.parse().map_err(|_| invalid())).collect()
            }
            Source::Json(fields) => match Self::json(fields, name) {
                None => Ok(Vec::new()),
                Some(Value::Array(items)) => {
                    items.iter().map(|item| item.as_i64().ok_or_else(invalid)).collect()
                }
                Some(_) => Err(invalid()),
            },
        }
    }

    /// An object of a JSON body.
    pub(super) fn object(&self, name: &str) -> Result<Option<Params>, Refusal> {
        match &self.source {
            Source::Text(_) => Ok(None),
            Source::Json(fields) => match Self::json(fields, name) {
                None => Ok(None),
                Some(Value::Object(fields)) => {
                    Ok(Some(Self::from_fields(fields.clone(), self.dialect)))
                }
                Some(_) => Err(self.dialect.invalid(name, "must be an object")),
            },
        }
    }

    /// A list of objects of a JSON body; empty if it is absent.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Params>, Refusal> {
        let invalid = || self.dialect.invalid(name, "must be a list of objects");
        match &self.source {
            Source::Text(_) => Ok(Vec::new()),
            Source::Json(fields) => match Self::json(fields, name) {
                None => Ok(Vec::new()),
                Some(Value::Array(items)) => items
                    .iter()
                    .map(|item| {
                        let fields = item.as_object().ok_or_else(invalid)?;
                        Ok(Self::from_fields(fields.clone(), self.dialect))
                    })
                    .collect(),
                Some(_) => Err(invalid()),
            },
        }
    }

    /// An integer, or one written as text.
    pub(super) fn int_or_text(&self, name: &str) -> Result<Option<i64>, Refusal> {
        if let Ok(Some(text)) = self.text(name) {
            let number = text.parse().map_err(|_| self.invalid(name, "must be a number"))?;
            return Ok(Some(number));
        }
        self.int(name)
    }

    /// Refuses every field that is not one of `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        let Source::Json(fields) = &self.source else {
            return Ok(());
        };
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(self.dialect.invalid(name, "is not known")),
            None => Ok(()),
        }
    }

    /// `Offset` (0 by default) and `Limit` (`default`, or refused if there is none), at most `most` rows.
    pub(super) fn page(&self, default: Option<usize>, most: usize) -> Result<Page, Refusal> {
        let limit = match self.int("Limit")? {
            None => default.ok_or_else(|| self.dialect.missing("Limit"))?,
            Some(limit) => {
                usize::try_from(limit).ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(
                    || self.dialect.invalid("Limit", &format!("must be from 1 to {most}")),
                )?
            }
        };
        let offset = usize::try_from(self.int("Offset")?.unwrap_or(0))
            .map_err(|_| self.dialect.invalid("Offset", "must not be negative"))?;
        Ok(Page { offset, limit })
    }
}

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) offset: usize,
    pub(super) limit: usize,
}

impl Dialect {
    pub(super) fn missing(self, name: &str) -> Refusal {
        match self {
            Self::Iam => Refusal::new(
                400,
                "ParameterNotFound",
                format!("The parameter '{name}' is not found."),
            ),
            Self::Billing => Refusal::new(
                400,
                "MissingParameter",
                format!("The required parameter {name} is missing."),
            ),
            Self::Ark => Refusal::new(
                400,
                &format!("MissingParameter.{name}"),
                format!("The required parameter {name} is missing."),
            ),
        }
    }

    pub(super) fn invalid(self, name: &str, why: &str) -> Refusal {
        let code = match (self, name) {
            (Self::Ark, _) => &format!("InvalidParameter.{name}"),
            (Self::Billing, _) => "RequestInvalid",
            (Self::Iam, "Limit") => "InvalidLimit",
            (Self::Iam, "Offset") => "InvalidOffset",
            (Self::Iam, _) => "InvalidParameter",
        };
        Refusal::new(400, code, format!("The parameter '{name}' is invalid: {why}."))
    }
}
