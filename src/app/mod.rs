//! Use cases. Each takes a transaction of the store (and, where needed, a client) and returns a typed outcome; nothing
//! here knows cards or HTTP.

pub mod access;
pub mod accounts;
pub mod alerts;
pub mod billing;
pub mod cloud;
pub mod configure;
pub mod create;
pub mod export;
pub mod me;
pub mod outcome;
pub mod policies;
pub mod projects;
pub mod quota;
pub mod refusal;
pub mod settings;
pub mod sync;
pub mod trouble;
pub mod users;

pub use refusal::Refusal;

use crate::store::{AllocateError, StoreError};

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The person is told why.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed; the person gets one fixed sentence.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AllocateError> for Error {
    fn from(error: AllocateError) -> Self {
        match error {
            AllocateError::Refused(refused) => Error::Refused(refused.into()),
            AllocateError::NoSuchUser => {
                Error::Refused(Refusal::NoSuchUser { name: String::new(), nearest: Vec::new() })
            }
            AllocateError::Store(error) => Error::Store(error),
        }
    }
}

/// Separates the two kinds of [`Error`], which callers treat differently.
pub trait SplitRefusal<T> {
    /// The value or the refusal, which the person is told; a failure of the store stays an error.
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

/// Cuts a list into pages: the items of `page` (from 1, clamped to what there is), that page, and how many there are.
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
