//! A stand-in for the Feishu open platform, as strict as the documents say the real one is.

pub mod cards;
