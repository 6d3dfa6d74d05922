//! The HTTP API of Volcengine (火山引擎): signing, the envelope and its errors, IAM, projects, billing.
//!
//! A [`Client`] knows where the cloud is; an [`Account`] is the cloud as one access key sees it and has one method per
//! action. Nothing here knows an airgate type above [`crate::domain`].

mod billing;
mod client;
mod endpoint;
mod envelope;
mod error;
mod iam;
mod pace;
mod paging;
mod policies;
mod projects;
mod sign;
#[cfg(test)]
mod tests;
mod users;

pub use billing::{Balance, BillReading};
pub use client::{
    Account, Api, Call, Client, ClientConfig, Credentials, Input, Repeat, RetryPolicy,
};
pub use envelope::{Answer, open as open_answer};
pub use error::{Error, ErrorKind, TransportFault};
pub use iam::{AccessKey, IamUser, KeyStatus, LoginAccess};
pub use projects::Project;
pub use users::{NewAccessKey, NewIamUser};
