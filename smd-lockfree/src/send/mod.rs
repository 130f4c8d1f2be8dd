//! Sending: the gate of limits, the claim, the copy, the publication, the wake-up.

#![allow(unsafe_code)]

pub(crate) mod gate;
pub(crate) mod slots;
pub(crate) mod state;
