//! What is done.

pub mod joining;
pub mod latency;
pub mod miss;
pub mod pace;
pub mod pair;
pub mod sleeping;
pub mod uninterested;
pub mod unwanted;
