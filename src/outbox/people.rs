//! Resolves mobile numbers to people. Done at delivery, so that raising an alert never waits for Feishu.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use crate::domain::OpenId;
use crate::feishu;

/// Looks people up and caches who was found.
pub struct People {
    feishu: feishu::Client,
    known: Mutex<HashMap<String, String>>,
    /// People that Feishu has refused in a card since the start.
    refused: Mutex<HashSet<String>>,
}

impl People {
    /// Creates an empty cache.
    pub fn new(feishu: feishu::Client) -> Self {
        Self { feishu, known: Mutex::default(), refused: Mutex::default() }
    }

    /// Returns the open_ids behind `mobiles`, without numbers that belong to nobody. If the look-up fails, those not cached are
    /// left out as well: an alert without a mention is better than none.
    pub async fn behind(&self, mobiles: &[String]) -> Vec<String> {
        let unknown: Vec<String> = {
            let known = self.known.lock();
            mobiles.iter().filter(|mobile| !known.contains_key(*mobile)).cloned().collect()
        };
        if !unknown.is_empty() {
            match self.feishu.open_ids_by_mobile(&unknown).await {
                Ok(found) => {
                    let mut known = self.known.lock();
                    for (mobile, open_id) in found {
                        match open_id {
                            Some(open_id) => {
                                known.insert(mobile, open_id);
                            }
                            None => tracing::warn!("one of the alert_mobiles belongs to nobody"),
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "people to mention could not be looked up"),
            }
        }
        let (known, refused) = (self.known.lock(), self.refused.lock());
        let found = mobiles.iter().filter_map(|mobile| known.get(mobile));
        found.filter(|open_id| !refused.contains(*open_id)).cloned().collect()
    }

    /// Returns those of `people` that Feishu has not refused.
    pub fn not_refused(&self, people: &[OpenId]) -> Vec<String> {
        let refused = self.refused.lock();
        let ids = people.iter().map(|person| person.as_str().to_owned());
        ids.filter(|id| !refused.contains(id)).collect()
    }

    /// Returns those of `mobiles` that nobody was found for when they were looked up last.
    pub fn not_found(&self, mobiles: &[String]) -> Vec<String> {
        let known = self.known.lock();
        mobiles.iter().filter(|mobile| !known.contains_key(*mobile)).cloned().collect()
    }

    /// Never returns these people again.
    pub fn forget(&self, open_ids: &[String]) {
        self.refused.lock().extend(open_ids.iter().cloned());
    }
}
