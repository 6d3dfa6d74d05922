//! Client for the HTTP API of Volcengine (火山引擎): signing, the envelope and its errors, IAM, projects, billing. The
//! facts it relies on: `docs/platforms/volcengine.md`.
//!
//! A [`Client`] holds the endpoints; an [`AccountClient`] calls the API with one access key and has one method per action.
//! Nothing here depends on an airgate type above [`crate::domain`].

mod billing;
mod client;
mod endpoint;
mod envelope;
mod error;
mod iam;
mod identity;
mod paging;
mod policies;
mod projects;
mod rate_limit;
mod sign;
#[cfg(test)]
mod tests;
mod users;

pub use billing::{BillReading, DaysRead};
pub use client::{
    AccountClient, Api, Call, Client, ClientConfig, Credentials, Input, Retry, RetryPolicy,
};
pub use envelope::{ApiResponse, open as open_response};
pub use error::{Error, ErrorKind, TransportFault};
pub use iam::{AccessKey, IamUser, KeyStatus, LoginAccess};
pub use projects::Project;
pub use users::{NewAccessKey, NewIamUser};
