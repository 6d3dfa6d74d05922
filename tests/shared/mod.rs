//! What every test program shares: the stand-ins with a configuration that knows them ([`environment`]), users and
//! quotas to begin with ([`samples`]), the binary as a child process ([`process`]), what people read on cards
//! ([`cards`]), the texts they should read there ([`text`]), and waiting ([`wait`]).

// Each test program uses only part of it.
#![allow(dead_code)]

pub mod cards;
pub mod configuration;
pub mod environment;
pub mod process;
pub mod s3;
pub mod samples;
pub mod text;
pub mod wait;
