//! Requests for quota: each by its number, with the numbers of a user's requests and of those that are pending.

use redb::ReadableTable;

use super::tables::{REQUESTS, REQUESTS_PENDING, USER_REQUESTS};
use super::view::{Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{QuotaRequest, UserKey};

impl<S: Source> View<S> {
    /// Returns a request.
    pub fn request(&self, id: u64) -> Result<Option<QuotaRequest>, StoreError> {
        self.get(REQUESTS, id)
    }

    /// Returns every pending request, oldest first. Those that cannot be read are left out: nobody can decide them.
    pub fn pending_requests(&self) -> Result<Vec<QuotaRequest>, StoreError> {
        let numbers = self
            .open(REQUESTS_PENDING)?
            .iter()?
            .map(|row| row.map(|(id, _)| id.value()))
            .collect::<Result<Vec<u64>, _>>()?;
        numbers.into_iter().filter_map(|id| self.get_or_skip(REQUESTS, id).transpose()).collect()
    }

    /// Returns the last `count` requests for a user, newest first.
    pub fn requests_of(
        &self,
        user: &UserKey,
        count: usize,
    ) -> Result<Vec<QuotaRequest>, StoreError> {
        let range = keys::of_numbered(user, 0)..=keys::of_numbered(user, u64::MAX);
        let numbers = self
            .open(USER_REQUESTS)?
            .range(range)?
            .rev()
            .take(count)
            .map(|row| row.map(|(key, _)| key.value().2))
            .collect::<Result<Vec<u64>, _>>()?;
        numbers.into_iter().filter_map(|id| self.request(id).transpose()).collect()
    }

    /// Returns the pending request for a user.
    pub fn pending_request_of(&self, user: &UserKey) -> Result<Option<QuotaRequest>, StoreError> {
        // Only the newest can be pending: the next one is refused until it is decided.
        let newest = self.requests_of(user, 1)?.pop();
        Ok(newest.filter(QuotaRequest::is_pending))
    }
}

impl WriteTx {
    /// Returns the number of a new request.
    pub fn next_request(&self) -> Result<u64, StoreError> {
        self.next_number("requests")
    }

    /// Writes a request.
    pub fn put_request(&self, request: &QuotaRequest) -> Result<(), StoreError> {
        self.put(REQUESTS, request.id, request)?;
        self.open(USER_REQUESTS)?.insert(keys::of_numbered(&request.user, request.id), ())?;
        let mut pending = self.open(REQUESTS_PENDING)?;
        if request.is_pending() {
            pending.insert(request.id, ())?;
        } else {
            pending.remove(request.id)?;
        }
        Ok(())
    }

    pub(super) fn move_requests(&self, from: &UserKey, to: &UserKey) -> Result<(), StoreError> {
        for request in self.requests_of(from, usize::MAX)? {
            self.open(USER_REQUESTS)?.remove(keys::of_numbered(from, request.id))?;
            self.put_request(&QuotaRequest { user: to.clone(), ..request })?;
        }
        Ok(())
    }
}
