//! Tests of what a bill adds up to.

mod fold;
