//! A participant seen from elsewhere.

use std::fmt;

use crate::core::Core;
use crate::registry::record::Record;
use crate::stats::ParticipantStats;
use crate::sync::Arc;

/// Ends a registration, or reads its figures, from another thread or from a callback.
///
/// ```
/// use smd_lockfree::{Bus, Class, RecvError};
///
/// let bus = Bus::new();
/// let mut part = bus.register(Class::ALL)?;
/// let handle = part.handle();
/// let ended = std::thread::spawn(move || handle.leave());
/// assert_eq!(part.recv_blocking().map(|_| ()), Err(RecvError::Left));
/// assert_eq!(ended.join().unwrap(), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ParticipantHandle {
    core: Arc<Core>,
    record: Arc<Record>,
}

impl ParticipantHandle {
    pub(crate) fn new(core: &Arc<Core>, record: &Arc<Record>) -> ParticipantHandle {
        ParticipantHandle { core: core.clone(), record: record.clone() }
    }

    /// The participant's name.
    pub fn name(&self) -> &str {
        self.record.name.as_str()
    }

    /// Ends the registration: settles at once what was owed, wakes the participant, whose receives
    /// then return `Left`. Returns the number from which it holds, or `None` if it had ended.
    pub fn leave(&self) -> Option<u64> {
        self.core.depart(&self.record)
    }

    /// Whether the registration has not ended.
    pub fn is_registered(&self) -> bool {
        !self.record.has_left()
    }

    /// Figures; counts the backlog for it, which costs more the longer that is.
    pub fn stats(&self) -> ParticipantStats {
        crate::dump::participant_stats(&self.core, &self.record)
    }
}

impl fmt::Debug for ParticipantHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParticipantHandle")
            .field("name", &self.record.name)
            .field("registered", &self.is_registered())
            .finish()
    }
}
