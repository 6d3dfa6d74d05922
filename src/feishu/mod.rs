//! Client for the Feishu (飞书, Lark) Open Platform. The facts it relies on: `docs/platforms/feishu.md`.
//!
//! Incoming: [`CallbackVerifier`] turns the bytes of one HTTP request into an [`Incoming`]. [`parse_payload`]
//! does the same for a payload that needs no signature, such as one from the long connection in [`connection`].
//! Outgoing: [`Client`] for the REST API, [`CustomBot`] for a group's webhook. Every failed call is an
//! [`Error`] whose [`Disposition`] says how a delivery loop should react.
//!
//! This module knows nothing about airgate's accounts, quotas or cards; from the rest of the crate it uses only
//! the clock and the rules for addresses.

mod answer;
mod application;
mod callback;
mod card_action;
mod client;
pub mod connection;
mod crypto;
mod error;
mod event;
mod fields;
mod http;
mod members;
mod message;
mod registration;
mod rejection;
pub mod setup;
mod text;
mod token;
mod webhook;

#[cfg(test)]
mod tests;

pub use answer::{CallbackAnswer, CallbackToast, ToastKind};
pub use application::{
    AppInfo, AppSettings, Availability, ContactRange, GroupInfo, SlashCommand, SlashText, Versions,
};
pub use callback::{CallbackKeys, CallbackVerifier};
pub use card_action::CardAction;
pub use client::{
    AppScope, BotInfo, ChatInfo, ChatStatus, Client, ClientConfig, Content, MessagePage,
    OwnMessagePage, Recipient, SentMessage,
};
pub use error::{
    Disposition, Error, PlatformError, RECALL_ENDPOINT, REPLY_ENDPOINT, SEND_ENDPOINT,
    UPDATE_ENDPOINT, UPLOAD_ENDPOINT,
};
pub use event::{Event, EventKind, EventType, Incoming, parse_payload};
pub use members::ChatMember;
pub use message::{ChatKind, MessageReceived, OwnContent, OwnMessage, SentFile};
pub use registration::{NewApp, Poll, Registrar, Registration, addons};
pub use rejection::{Malformed, Rejection, Unauthorized};
pub use text::{Mention, Piece, TextForBot};
pub use webhook::{CustomBot, WEBHOOK_BODY_LIMIT};
