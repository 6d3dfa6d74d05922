//! What airgate promises as a whole, across its modules.

mod crash;
mod faults;
mod main_job;
mod outside;
mod secrets;

pub use outside::Outside;
