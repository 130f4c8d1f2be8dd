//! What is done in a round, and the table of all that is measured.
//!
//! | | |
//! |---|---|
//! | T1, T2 | [`stream`], [`asleep`] |
//! | T2S | [`burst`], and `original` with the feature `lws` |
//! | T3 | [`many`] |
//! | T4, T4R | [`latency`] |
//! | T5 | [`sleeping`] |
//! | T6 | [`unwanted`], [`miss`], [`uninterested`] |
//! | T7 | [`sizes`] |
//! | T8 | [`joining`] |
//! | T9 | [`stuck`] |
//! | T10 | [`memory`] |
//! | T11 | [`start`] |
//! | LIMIT | [`limits`](crate::limits) |

pub mod asleep;
pub mod burst;
mod ending;
pub mod flow;
pub mod fresh;
pub mod joining;
pub mod latency;
pub mod many;
pub mod memory;
pub mod miss;
#[cfg(feature = "lws")]
pub mod original;
pub mod pace;
pub mod pair;
pub mod sizes;
pub mod sleeping;
pub mod start;
pub mod stream;
pub mod stuck;
mod table;
#[cfg(test)]
mod tests;
pub mod uninterested;
pub mod unwanted;

pub use table::{Entry, all, contenders, missing};

use smd_lockfree::Clock;

/// The variant of a peer whose messages carry no stamp.
pub const UNSTAMPED: &str = "unstamped";

/// What a scenario says that wants two processors and has one.
pub const ONE_PROCESSOR: &str = "it needs two processors, and this process may use one";

/// What all scenarios get.
#[derive(Clone, Debug)]
pub struct Context {
    /// The one clock that stamps all messages.
    pub clock: Clock,
    /// Two processors for pairs of threads, where there are two.
    pub cpus: Option<(usize, usize)>,
    /// Whether variants for cross-checks take part too.
    pub full: bool,
}

impl Context {
    /// With the real clock, on this machine.
    pub fn new(full: bool) -> Context {
        Context { clock: Clock::real(), cpus: pair::processors(), full }
    }
}
