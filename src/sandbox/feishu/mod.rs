//! A stand-in for the Feishu open platform: a real HTTP server on loopback, as strict as the documents say the real one
//! is, and the people who chat through it. `airgate demo` and the integration tests run against it.

mod api;
pub mod cards;
mod click;
pub mod connection;
mod console;
mod core;
mod fault;
mod form;
mod handle;
mod http;
mod launcher;
mod people;
mod phone;
mod quirks;
mod registration;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod wire;

pub use self::click::{ClickResult, ShownToast};
pub use self::console::{ConfigApi, Console, Delivery, Draft, Grants, SlashCommand, TenantRules};
pub use self::core::{Change, FeishuConfig};
pub use self::fault::{Fault, FaultRule, Faults};
pub use self::form::{ClickAction, NoSuchComponent};
pub use self::handle::FakeFeishu;
pub use self::people::Sealed;
pub use self::quirks::{Quirks, Unticked};
pub use self::registration::{Decision, Launcher, Registration, RegistrationRules};
pub use self::state::{
    Chat, ChatKind, Message, Person, Request, Sender, SentEvent, State, UploadedFile,
};
