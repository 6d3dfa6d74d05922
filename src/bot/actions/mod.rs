//! Actions of the cards. An action lives in one file that reads its fields, carries it out and shows it; `table.rs` has
//! a row for each.
//!
//! A new action needs a type that implements `Action` (and `Change`, if it changes something), a row in the table, a
//! template that names its word, and texts. The compiler or `tests.rs` reports whichever of these is missing.

mod access;
mod accounts;
mod action;
mod alerts;
mod batch;
mod billing;
mod configure;
mod consequence;
mod create;
mod digest;
mod fields;
mod monitor;
mod projects;
mod quota;
mod requests;
mod settings;
mod steps;
mod table;
mod users;

#[cfg(test)]
mod tests;

pub use table::{ACTIONS, Chat, Form, Op, Request, Row};

pub(super) use access::confirm_access;
pub(super) use accounts::AccountsOpen;
pub(super) use action::{Action, ClickContext, ClickOutcome, Opened};
pub(super) use alerts::AlertsList;
pub(super) use billing::BillingOpen;
pub(super) use digest::ReportOpen;
pub(super) use fields::{form_values, value_of};
pub(super) use projects::ProjectsOpen;
pub(super) use quota::{QuotaOpen, Wanted, allocate};
pub(super) use requests::{RequestsList, me_card};
pub(super) use settings::ConfigOpen;
pub(super) use table::{Changing, Does, Reading, Wake};
pub(super) use users::{UserOpen, UsersList};
