//! Paged lists of 方舟, each of one project (docs/platforms/ark.md §A.1).

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::domain::ProjectName;
use crate::volcengine::call::{Api, Call};
use crate::volcengine::client::AccountClient;
use crate::volcengine::envelope::ApiResponse;
use crate::volcengine::error::{Error, ErrorKind};
use crate::volcengine::paging::count;

/// Rows per page, the largest that is allowed.
const PAGE: u64 = 100;
/// Bound for a list that never ends: 20,000 rows.
const MAX_PAGES: u64 = 200;
/// Max reads of a list that changes while it is paged.
const MAX_READS: u32 = 3;

/// A row of a list.
pub(super) trait Row: DeserializeOwned {
    /// Returns what identifies the row; empty if the API sent nothing.
    fn id(&self) -> String;

    /// Returns the project that the row says it is in; empty if it says none.
    fn project(&self) -> &str;
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "Items")]
    items: Option<Box<RawValue>>,
    #[serde(rename = "TotalCount")]
    total: Option<Box<RawValue>>,
}

/// What one pass over the pages of a list gave.
enum Pass<T> {
    Whole(Vec<T>),
    /// Something came or went meanwhile, so that a row may be missing.
    Changed(Error),
}

impl AccountClient {
    /// Reads a whole list of one project; `filter` holds the other parameters. Rows that say that they are in another project
    /// are left out, because an ignored parameter must not make somebody else's thing look like one of this project.
    ///
    /// # Errors
    /// All or nothing: a failure on any page fails the read, and so does a list that is not whole in three reads. A response
    /// without a list is an error, never an empty list.
    pub(super) async fn ark_list<T: Row>(
        &self,
        action: &'static str,
        project: &ProjectName,
        filter: &Value,
    ) -> Result<Vec<T>, Error> {
        let mut reads = 1;
        let rows = loop {
            match self.ark_pages(action, project, filter).await? {
                Pass::Whole(rows) => break rows,
                Pass::Changed(error) if reads == MAX_READS => return Err(error),
                Pass::Changed(error) => {
                    reads += 1;
                    tracing::warn!(%error, "reading the list again");
                }
            }
        };
        let all = rows.len();
        let is_here = |row: &T| ["", project.as_str()].contains(&row.project().trim());
        let rows: Vec<T> = rows.into_iter().filter(is_here).collect();
        if rows.len() < all {
            let others = all - rows.len();
            tracing::warn!(action, %project, others, "rows of other projects are left out");
        }
        Ok(rows)
    }

    async fn ark_pages<T: Row>(
        &self,
        action: &'static str,
        project: &ProjectName,
        filter: &Value,
    ) -> Result<Pass<T>, Error> {
        let mut rows: Vec<T> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut received: u64 = 0;
        let mut first_total = None;
        for page in 1..=MAX_PAGES {
            let body = page_request(project, filter, page);
            let answer = self.call(&Call::post(Api::Ark, action, body)).await?;
            let (items, total) = read_page::<T>(&answer)?;
            if page == 1 {
                first_total = total;
            } else if total.is_some() && first_total.is_some() && total != first_total {
                return Ok(Pass::Changed(answer.unexpected("the list changed while it was read")));
            }
            let (is_empty, mut has_new) = (items.is_empty(), false);
            received += items.len() as u64;
            for item in items {
                let id = item.id();
                match known.get(&id).and_then(|place| rows.get_mut(*place)) {
                    Some(row) => *row = item,
                    None => {
                        has_new = true;
                        if !id.is_empty() {
                            known.insert(id, rows.len());
                        }
                        rows.push(item);
                    }
                }
            }
            // A count below the number of rows counts something else: only an empty page ends such a list.
            let is_counted = total.is_some_and(|total| total == received);
            if is_empty || is_counted {
                let missing = total.is_some_and(|total| total > rows.len() as u64);
                // On a single page, a row that is there twice hides no other.
                if missing && (is_empty || page > 1) {
                    return Ok(Pass::Changed(answer.unexpected(format!(
                        "the answer counts {} rows but lists {}",
                        total.unwrap_or_default(),
                        rows.len()
                    ))));
                }
                return Ok(Pass::Whole(rows));
            }
            if !has_new {
                return Err(answer.unexpected("the pages of the list do not end"));
            }
        }
        Err(Error::new(action, ErrorKind::Unexpected, "the pages of the list do not end"))
    }
}

fn page_request(project: &ProjectName, filter: &Value, page: u64) -> Value {
    let mut body = json!({
        "ProjectName": project.as_str(),
        "PageNumber": page,
        "PageSize": PAGE,
    });
    if let (Some(fields), Some(more)) = (body.as_object_mut(), filter.as_object()) {
        fields.extend(more.clone());
    }
    body
}

/// Reads the rows of a page and how many there are in all, if the answer says it in a usable form.
fn read_page<T: Row>(answer: &ApiResponse) -> Result<(Vec<T>, Option<u64>), Error> {
    let page: Page = answer.parse()?;
    let total = page.total.as_deref().and_then(count).and_then(|total| u64::try_from(total).ok());
    let items = match (page.items, total) {
        // A parser's error may quote the response, which lists API keys.
        (Some(items), _) => serde_json::from_str(items.get()).map_err(|error| {
            answer.unexpected(format!("the rows cannot be read, at character {}", error.column()))
        })?,
        (None, Some(0)) => Vec::new(),
        // Read as an empty list, this would make everything look closed.
        (None, _) => return Err(answer.unexpected("the answer has no list")),
    };
    Ok((items, total))
}
