//! Stand-ins for the two platforms: real HTTP servers on loopback, behind `airgate demo` and the integration tests.
//! They share nothing with the clients of `crate::volcengine` and `crate::feishu`.

pub mod volcengine;
pub mod world;
