//! State for late joiners: the last message of a class, or of a key within a class.

#![allow(unsafe_code)]

#[cfg(any(smd_loom, smd_shuttle))]
pub mod edges;
pub(crate) mod replay;
pub(crate) mod table;

use crate::class::Class;
use crate::core::Core;
use crate::error::{RetainError, SendError};
use crate::log::word::Extra;
use crate::sender::{Sender, Sent};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::thread_slots;

use table::Entry;

/// A retained entry: from [`Bus::retain`](crate::Bus::retain) or
/// [`Bus::retain_key`](crate::Bus::retain_key). The entry stays when its handles are dropped, until
/// it is cleared. Clones are the same entry; none of them keeps the bus open.
///
/// An entry has no state before the first message after it was made. It takes 1 KiB once its last
/// message has left the window.
///
/// ```
/// use smd_lockfree::{Bus, Class};
///
/// let bus = Bus::new();
/// let link = bus.retain_key(Class::NETWORK, b"eth0")?;
/// link.send(b"down")?;
/// link.send(b"up")?;
/// let mut late = bus.register(Class::NETWORK)?;
/// let state = late.try_recv()?;
/// assert!(state.is_retained());
/// assert_eq!(state.bytes(), b"up");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Retained {
    core: Arc<Core>,
    entry: Arc<Entry>,
}

impl Retained {
    pub(crate) fn new(
        core: &Arc<Core>,
        class: Class,
        key: Option<&[u8]>,
    ) -> Result<Retained, RetainError> {
        RetainError::check_class(class)?;
        if let Some(key) = key {
            RetainError::check_key(key)?;
        }
        if core.is_forked() {
            return Err(RetainError::Forked);
        }
        if core.is_closed() {
            return Err(RetainError::Closed);
        }
        let entry = core
            .retained
            .add(&core.log, class.bits(), key)
            .map_err(|max| RetainError::TooMany { max })?;
        Self::raise(core);
        let point = core.log.touch(core.now()).map_err(|_| RetainError::Closed)?;
        core.log.release(point.frame);
        core.observers.changed(&core.registry, core.domain());
        Ok(Retained { core: core.clone(), entry })
    }

    /// Brings the registry's set of retained classes in line with the table.
    fn raise(core: &Core) {
        core.registry.set_retained(core.domain(), |_| core.retained.classes(core.domain()));
    }

    /// Its class.
    pub fn class(&self) -> Class {
        Class::from_bits(self.entry.class)
    }

    /// Its key; empty for a whole class.
    pub fn key(&self) -> &[u8] {
        self.entry.key.as_deref().unwrap_or_default()
    }

    /// Sends the new state, as an ordinary message, from this thread.
    ///
    /// # Errors
    /// As for [`Bus::send`](crate::Bus::send); `NotRetained` after [`Retained::clear`]. Until then it
    /// is never unwanted: the bus wants it.
    pub fn send(&self, payload: &[u8]) -> Result<Sent, SendError> {
        self.check()?;
        thread_slots::put(&self.core, self.class(), payload, self.extra().as_ref())
    }

    /// Sends the new state, and where a backlog is full sleeps until there is room, as
    /// [`Sender::send_wait`] does.
    ///
    /// # Errors
    /// As for [`Retained::send`].
    pub fn send_wait(
        &self,
        payload: &[u8],
        timeout: Option<std::time::Duration>,
    ) -> Result<Sent, SendError> {
        let sender = Sender::new(&self.core, Arc::new(crate::registry::ids::SenderId::nobody()));
        let extra = self.extra();
        sender.wait_for_room(self.class(), timeout, |hole| {
            self.check()?;
            sender.put(self.class(), payload, extra.as_ref(), hole)
        })
    }

    fn check(&self) -> Result<(), SendError> {
        if self.entry.is_cleared() { Err(SendError::NotRetained) } else { Ok(()) }
    }

    fn extra(&self) -> Option<Extra> {
        self.entry.key.is_some().then(|| Extra { entry: self.entry.number, ..Extra::default() })
    }

    /// Removes the entry: what it kept is handed to nobody any more. `false`: it was removed
    /// before. To say that a state is over to those who listen, send that first.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class, RecvError, SendError};
    ///
    /// let bus = Bus::new();
    /// let link = bus.retain_key(Class::NETWORK, b"eth0")?;
    /// link.send(b"up")?;
    /// assert!(link.clear() && !link.clear());
    /// assert_eq!(link.send(b"down"), Err(SendError::NotRetained));
    /// let mut late = bus.register(Class::NETWORK)?;
    /// assert_eq!(late.try_recv().map(|_| ()), Err(RecvError::Empty));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear(&self) -> bool {
        let core = &self.core;
        if !core.retained.remove(&core.log, &self.entry) {
            return false;
        }
        Self::raise(core);
        if let Ok(point) = core.log.touch(core.now()) {
            core.log.release(point.frame);
        }
        core.observers.changed(&core.registry, core.domain());
        true
    }
}

impl Entry {
    pub(crate) fn is_cleared(&self) -> bool {
        // RELAXED: nothing but the fact; `keep` has it by its exchange.
        self.cleared.load(Ordering::Relaxed)
    }
}
