//! Built-in stand-ins for the two platforms, for `airgate demo` and the integration tests. They are real servers on
//! loopback and share nothing with the clients: a stand-in that reuses the client's code cannot catch its mistakes.

pub mod demo_page;
pub mod fault;
pub mod feishu;
mod listener;
pub mod volcengine;
pub mod world;
