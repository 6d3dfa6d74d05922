//! How access is cut and restored, and how it stays cut: every path by itself.

mod cut;
mod parts;
