//! Use cases. Each takes a transaction of the store, and a client if it needs one, and returns a typed outcome. Nothing here
//! knows cards or HTTP.

pub mod access;
pub mod accounts;
pub mod alerts;
pub mod approvals;
pub mod batch_refusal;
pub mod batches;
pub mod billed_projects;
pub mod billing;
pub mod cloud;
pub mod configure;
pub mod consequence;
pub mod create;
pub mod days;
pub mod digest;
pub mod export;
pub mod group_roles;
pub mod import;
pub mod listing;
pub mod me;
pub mod outcome;
pub mod people;
pub mod policies;
pub mod projects;
pub mod quota;
pub mod refusal;
pub mod requests;
pub mod rest;
pub mod settings;
pub mod sheet;
pub mod steps;
pub mod sync;
pub mod temporary;
pub mod trouble;
pub mod undo;
pub mod users;

pub use refusal::{CreateField, CreateRefusal, Refusal};

use crate::store::StoreError;

/// Why a use case did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The person is told why.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed; the person gets a fixed sentence.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// Returns the refusal; a failure of the store is passed on.
    pub fn refusal(self) -> Result<Refusal, StoreError> {
        match self {
            Error::Refused(refusal) => Ok(refusal),
            Error::Store(error) => Err(error),
        }
    }
}

impl From<CreateRefusal> for Error {
    fn from(refusal: CreateRefusal) -> Self {
        Error::Refused(Refusal::Create(refusal))
    }
}

impl From<batch_refusal::BatchRefusal> for Error {
    fn from(refusal: batch_refusal::BatchRefusal) -> Self {
        Error::Refused(Refusal::Batch(refusal))
    }
}

impl From<people::PeopleRefusal> for Error {
    fn from(refusal: people::PeopleRefusal) -> Self {
        Error::Refused(Refusal::People(refusal))
    }
}

/// Separates the two kinds of [`Error`], which callers handle differently.
pub trait SplitRefusal<T> {
    /// Returns the value or the refusal, which the person is told; a failure of the store stays an error.
    fn split_refusal(self) -> Result<Result<T, Refusal>, StoreError>;
}

impl<T> SplitRefusal<T> for Result<T, Error> {
    fn split_refusal(self) -> Result<Result<T, Refusal>, StoreError> {
        match self {
            Ok(value) => Ok(Ok(value)),
            Err(Error::Refused(refusal)) => Ok(Err(refusal)),
            Err(Error::Store(error)) => Err(error),
        }
    }
}

/// Splits a list into pages. Returns the items of `page` (from 1, clamped to the last one), the number of that page,
/// and the number of pages.
fn paginate<T>(items: Vec<T>, page: usize, size: usize) -> (Vec<T>, usize, usize) {
    let pages = items.len().div_ceil(size).max(1);
    let page = page.clamp(1, pages);
    (items.into_iter().skip((page - 1) * size).take(size).collect(), page, pages)
}

#[cfg(test)]
mod tests {
    use super::paginate;

    #[test]
    fn pages_are_clamped() {
        assert_eq!(paginate(vec![1, 2, 3], 1, 2), (vec![1, 2], 1, 2));
        assert_eq!(paginate(vec![1, 2, 3], 9, 2), (vec![3], 2, 2));
        assert_eq!(paginate(vec![1, 2, 3], 0, 2), (vec![1, 2], 1, 2));
        assert_eq!(paginate(Vec::<i32>::new(), 5, 2), (vec![], 1, 1));
    }
}
