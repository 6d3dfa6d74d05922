//! The table in an answer about usage, in each shape that was seen (docs/platforms/ark.md §C.2). Columns go by their name,
//! never by their place.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::volcengine::paging::count;

/// A table of texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// The columns that any row has.
    columns: BTreeSet<String>,
    rows: Vec<Cells>,
}

/// A row, by column.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cells(BTreeMap<String, String>);

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Fields")]
    fields: Option<Vec<Value>>,
    #[serde(rename = "Data")]
    data: Option<Vec<Value>>,
    #[serde(rename = "Records")]
    records: Option<Vec<Value>>,
    #[serde(rename = "DataCount")]
    count: Option<Box<RawValue>>,
}

impl Table {
    /// Reads a `Result`.
    ///
    /// # Errors
    /// Says why it is not a table. A table without rows is one only if the answer says that there are none: it has an empty
    /// list, or names its columns and counts 0 rows.
    pub(super) fn of(result: &str) -> Result<Self, String> {
        let answer: Answer = serde_json::from_str(result).map_err(|error| error.to_string())?;
        let counted = answer.count.as_deref().and_then(count);
        let fields = answer.fields.unwrap_or_default();
        let fields: Vec<String> =
            fields.iter().map(name_of).collect::<Option<_>>().ok_or("a column has no name")?;
        let rows = match answer.data.or(answer.records) {
            Some(rows) => rows,
            None if counted == Some(0) && !fields.is_empty() => Vec::new(),
            None => return Err("there is no list of rows".into()),
        };
        if counted.is_some_and(|counted| counted > rows.len() as i64) {
            return Err(format!(
                "there are {} rows of {}",
                rows.len(),
                counted.unwrap_or_default()
            ));
        }
        let mut table = Self { columns: fields.iter().cloned().collect(), rows: Vec::new() };
        for row in rows {
            let cells = match row {
                Value::Array(values) if values.len() == fields.len() => {
                    fields.iter().cloned().zip(values.iter().map(text)).collect()
                }
                Value::Object(object) => cells_of(&object),
                _ => return Err("a row does not fit its columns".into()),
            };
            let row = Cells(cells);
            table.columns.extend(row.0.keys().cloned());
            table.rows.push(row);
        }
        Ok(table)
    }

    /// Returns whether there is such a column; `name` is in lower case.
    pub(super) fn has(&self, name: &str) -> bool {
        self.columns.contains(name)
    }

    pub(super) fn rows(&self) -> &[Cells] {
        &self.rows
    }
}

impl Cells {
    /// Returns a cell, trimmed; empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }
}

fn cells_of(object: &Map<String, Value>) -> BTreeMap<String, String> {
    object.iter().map(|(name, value)| (plain(name), text(value))).collect()
}

/// Returns the name of a column: a text, or an object with one.
fn name_of(field: &Value) -> Option<String> {
    let name = match field {
        Value::String(name) => name,
        other => ["Name", "FieldName"].iter().find_map(|key| other.get(key)?.as_str())?,
    };
    Some(plain(name))
}

/// Returns a name in lower case without separators: the vendor spells `ApikeyID` in two ways.
fn plain(name: &str) -> String {
    let letters = name.trim().chars().filter(|c| !['_', '-', ' '].contains(c));
    letters.flat_map(char::to_lowercase).collect()
}

/// Returns a cell as text. What is neither text nor number keeps its JSON, which no amount is read from.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
