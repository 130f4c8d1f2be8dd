//! Time under a model checker stands still: real time would make each execution another one, and
//! the exploration endless. A model that needs time to pass uses a manual clock.

/// The clock that always shows the same time.
#[derive(Debug)]
pub(super) struct System;

impl System {
    pub(super) fn shared() -> &'static System {
        &System
    }

    pub(super) fn now(&self) -> u64 {
        super::LOGICAL_START
    }
}
