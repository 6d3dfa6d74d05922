//! What is owed to the outside world, and who is woken to carry it out.

mod wakers;

pub use wakers::Wakers;
