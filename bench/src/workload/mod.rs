//! What is done.

pub mod fresh;
pub mod joining;
pub mod latency;
pub mod memory;
pub mod miss;
pub mod pace;
pub mod pair;
pub mod sleeping;
pub mod start;
pub mod uninterested;
pub mod unwanted;
