//! Ground floor: plain types and rules of quota and spending. No I/O, no async, no clock of its own.

pub mod bill;
pub mod money;
pub mod period;

pub use bill::{AmountField, BillSource};
pub use money::{AmountError, Money};
pub use period::BillPeriod;
