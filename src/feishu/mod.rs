//! The Feishu (飞书, Lark) Open Platform: what it sends, and what can be asked of it.
//!
//! Incoming: [`CallbackVerifier`] turns the bytes of one HTTP request into an [`Incoming`];
//! [`parse_payload`] does the same for a payload that arrived over a channel which needs no signature, as the
//! long connection of [`connection`] is.
//! Outgoing: [`Client`] for the REST API, [`CustomBot`] for a group's webhook. Every failed call is an
//! [`Error`] whose [`Disposition`] says what a delivery loop can do about it.
//!
//! This module knows nothing of accounts, quotas or cards of airgate; from the rest of the crate it uses the
//! clock alone.

mod address;
mod answer;
mod callback;
mod card_action;
mod client;
pub mod connection;
mod crypto;
mod error;
mod event;
mod http;
mod message;
mod token;
mod webhook;

#[cfg(test)]
mod tests;

pub use address::{BaseUrlError, WebhookUrlError, validate_base_url, validate_webhook_url};
pub use answer::{CallbackAnswer, Toast, ToastKind};
pub use callback::{CallbackKeys, CallbackVerifier, Malformed, Rejection, Unauthorized};
pub use card_action::CardAction;
pub use client::{
    BotInfo, ChatInfo, ChatStatus, Client, ClientConfig, Content, MessagePage, OwnMessagePage,
    Recipient, SentMessage,
};
pub use error::{
    Disposition, Error, PlatformError, REPLY_ENDPOINT, SEND_ENDPOINT, UPDATE_ENDPOINT,
    UPLOAD_ENDPOINT,
};
pub use event::{Event, EventKind, EventType, Incoming, parse_payload};
pub use message::{ChatKind, Mention, MessageReceived, OwnContent, OwnMessage, TextForBot};
pub use webhook::{CustomBot, WEBHOOK_BODY_LIMIT};
