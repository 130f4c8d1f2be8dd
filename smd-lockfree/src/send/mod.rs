//! Sending: the gate of limits, the claim, the copy, the publication, the wake-up.

#![allow(unsafe_code)]

#[cfg(any(smd_loom, smd_shuttle))]
pub mod edges;
pub(crate) mod gate;
pub(crate) mod items;
pub(crate) mod slots;
pub(crate) mod state;
