//! Long connections (使用长连接接收事件): discovery, the WebSocket on the same listener, pushes, and what can go wrong with
//! them. Strict: a client that sends what the real platform would not understand is disconnected and recorded.

mod handshake;
pub(super) mod hub;
mod push;
mod session;
#[cfg(test)]
mod tests;
mod wire;

pub(super) use self::handshake::{PATH, discover, upgrade};
pub use self::hub::{Connections, Overview, Times, UpgradeRefusal};
