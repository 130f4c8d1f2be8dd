//! What is done.

pub mod latency;
pub mod pace;
pub mod pair;
