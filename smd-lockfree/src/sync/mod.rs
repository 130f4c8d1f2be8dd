//! The only door to atomics, fences, threads, reclamation and record memory.
//!
//! Three sibling back ends offer the same names: the standard library (what ships), `loom`
//! (`--cfg smd_loom`) and `shuttle` (`--cfg smd_shuttle`). One line selects; nothing else in the
//! crate depends on the choice, so a model checks the code that ships. The shim renames, it never
//! changes a meaning: an ordering written in `log` is the ordering that the model sees.
//!
//! | what | ships as | in a model |
//! |---|---|---|
//! | [`atomic`], [`Arc`], [`thread`] | `std` | the checker's twins |
//! | [`epoch::Domain`] | `crossbeam-epoch`, one collector per bus | an eager stand-in that frees at the first legal moment |
//! | [`slab::Slab`] | one zeroed allocation | atomic heads, and a tracked cell for each unit of payload |
//! | [`canary::Canary`] | nothing | a mark in each frame: a look at a freed one panics |
//! | `wait::descriptor::Signal` | an event counter, or a pipe | a word, and the thread that polls it |
//! | [`asymmetric`] | a barrier for the compiler, and `membarrier` where the system has it | see the back ends |
//! | [`local::OwnerCell`] | an unsynchronised cell of one owner | the same |

#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[cfg(smd_loom)]
#[path = "loom.rs"]
mod backend;
#[cfg(smd_shuttle)]
#[path = "shuttle.rs"]
mod backend;
#[cfg(not(any(smd_loom, smd_shuttle)))]
#[path = "std.rs"]
mod backend;

pub(crate) mod canary;
pub(crate) mod epoch;
pub(crate) mod local;
#[cfg(all(unix, any(smd_loom, smd_shuttle)))]
pub(crate) mod signal;
pub(crate) mod slab;

pub(crate) use backend::{Arc, asymmetric, atomic, hint, thread};
pub(crate) use crossbeam_utils::CachePadded;
