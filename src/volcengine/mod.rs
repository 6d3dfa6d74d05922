//! Client for the HTTP API of Volcengine (火山引擎): signing, the envelope and its errors, IAM, projects, billing, 方舟. The
//! facts it relies on: `docs/platforms/volcengine.md` and `docs/platforms/ark.md`.
//!
//! A [`Client`] holds the endpoints; an [`AccountClient`] calls the API with one access key and has one method per action.
//! Nothing here depends on an airgate type above [`crate::domain`].

mod ark;
mod billing;
mod call;
mod client;
mod endpoint;
mod envelope;
mod error;
mod iam;
mod iam_keys;
mod identity;
mod paging;
mod policies;
mod policy_document;
mod projects;
mod rate_limit;
mod sign;
#[cfg(test)]
mod tests;
mod users;

pub use ark::{
    ArkEndpoint, ArkJob, ArkKey, ArkKeyState, Creator, EndpointStatus, InvalidPresetLimits,
    JobKind, JobPhase, KeysOf, PresetEndpoint, PresetLimits, UsageRow, UsedBy,
};
pub use billing::{BillReading, DaysRead, ItemsRead};
pub use call::{Api, Call, Input, Query, Retry};
pub use client::{AccountClient, Client, ClientConfig, Credentials, RetryPolicy};
pub use envelope::{ApiResponse, open as open_response};
pub use error::{Error, ErrorKind, TransportFault};
pub use iam::{AccessKey, IamUser, KeyStatus, LoginAccess};
pub use iam_keys::IamApiKey;
pub use policy_document::{InvalidPolicyDocument, PolicyDocument};
pub use projects::Project;
pub use users::{NewAccessKey, NewIamUser};
