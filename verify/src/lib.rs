//! What checks `smd-lockfree`, and is part of no program that uses it.
//!
//! * [`mod@reference`] says what one thread must observe of a bus, in the plainest code that can say
//!   it, and drives a real bus beside it.
//! * [`history`] records what several threads did and saw on a real bus, and accepts it or says which
//!   guarantee it breaks.
//! * `model` and `scenarios`, under the cfgs of the model checkers: concurrency, on the code that
//!   ships.

#[cfg(not(any(smd_loom, smd_shuttle)))]
pub mod history;
#[cfg(any(smd_loom, smd_shuttle))]
pub mod model;
#[cfg(not(any(smd_loom, smd_shuttle)))]
mod port;
#[cfg(not(any(smd_loom, smd_shuttle)))]
pub mod reference;
#[cfg(any(smd_loom, smd_shuttle))]
pub mod scenarios;
