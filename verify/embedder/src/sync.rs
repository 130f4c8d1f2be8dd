//! The only door of this program to shared memory and threads, so that a model checker sees each
//! step. The checker is the one that the bus was compiled for.

#[cfg(smd_loom)]
pub use smd_lockfree::model::loom::{sync::*, thread};
#[cfg(smd_shuttle)]
pub use smd_lockfree::model::shuttle::{sync::*, thread};
#[cfg(not(any(smd_loom, smd_shuttle)))]
pub use std::{sync::*, thread};
