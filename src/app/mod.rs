//! Use cases. Each takes the store and the clients and returns a typed outcome; nothing here knows cards or HTTP.

pub mod outcome;
pub mod refusal;

pub use refusal::Refusal;
