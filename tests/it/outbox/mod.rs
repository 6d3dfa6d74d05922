//! What the bot sends: alerts, replies and updates; each once, in order, even if the answer to a send is lost.

mod alerts;
mod incidents;
mod order;
mod persistent;
mod unclear;
