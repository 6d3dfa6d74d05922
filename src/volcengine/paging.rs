//! Paged lists of IAM: users, projects.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::call::{Api, Call};
use super::client::AccountClient;
use super::error::Error;

/// Rows per page. The largest `Limit` is undocumented; the vendor's Terraform provider uses 100.
const PAGE: u64 = 100;
/// Bound for a list that never ends: 500,000 rows.
const MAX_PAGES: u64 = 5_000;

/// Reads a whole list into a map by row name, because a list that changes while it is paged can repeat a row. The offset
/// advances by the number of rows received, so a server with smaller pages loses none.
pub(super) async fn whole_list<T: DeserializeOwned>(
    account: &AccountClient,
    api: Api,
    action: &'static str,
    list: &'static str,
    name: impl Fn(&T) -> &str,
) -> Result<BTreeMap<String, T>, Error> {
    let mut found = BTreeMap::new();
    let mut offset: u64 = 0;
    for page in 0.. {
        let limits = [("Limit", PAGE.to_string()), ("Offset", offset.to_string())];
        let answer = account.call(&Call::get(api, action, limits)).await?;
        let mut fields: BTreeMap<String, Box<RawValue>> = answer.parse()?;
        let malformed = |error: serde_json::Error| {
            answer.unexpected(format!("{list} cannot be read: {error}")).with_source(error)
        };
        let mut field = |name: &str| fields.remove(name).filter(|value| value.get() != "null");
        let total = field("Total").and_then(|total| count(&total));
        let total = total.and_then(|total| u64::try_from(total).ok());
        let rows: Vec<T> = match (field(list), total) {
            (Some(rows), _) => serde_json::from_str(rows.get()).map_err(malformed)?,
            (None, Some(0)) => Vec::new(),
            // Read as an empty list, this would make every user look deleted.
            (None, _) => return Err(answer.unexpected(format!("the answer has no {list}"))),
        };
        if rows.is_empty() {
            if total.is_some_and(|total| total > offset) {
                return Err(answer.unexpected(format!("the answer counts {list} but lists none")));
            }
            break;
        }
        offset += rows.len() as u64;
        let mut has_new = false;
        for row in rows {
            match found.entry(name(&row).to_owned()) {
                Entry::Vacant(slot) => {
                    has_new = true;
                    slot.insert(row);
                }
                Entry::Occupied(mut known) => {
                    known.insert(row);
                }
            }
        }
        if total.is_some_and(|total| offset >= total) {
            break;
        }
        if !has_new || page + 1 == MAX_PAGES {
            return Err(answer.unexpected(format!("the pages of {list} do not end")));
        }
    }
    Ok(found)
}

/// Reads a count that is a JSON number or its text; `None` for anything else.
pub(super) fn count(value: &RawValue) -> Option<i64> {
    let json = value.get();
    let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    text.unwrap_or(json).trim().parse().ok()
}
