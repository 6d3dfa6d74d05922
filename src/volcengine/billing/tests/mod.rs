//! Tests of adding up bills.

mod fold;
