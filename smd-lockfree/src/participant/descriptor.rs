//! A participant with a descriptor, for epoll, mio, tokio, or any loop that polls descriptors.

use std::io;
use std::ops::{Deref, DerefMut};
#[cfg(not(any(smd_loom, smd_shuttle)))]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::sync::Arc;
use crate::wait::descriptor::Signal;

use super::Participant;

/// A participant whose descriptor is readable exactly while something awaits that no receive has
/// looked for yet.
///
/// When the descriptor is readable, receive until `Empty` (or drain until 0 are left and then
/// `try_recv` until `Empty`): only that arms it again, so that nobody pays a system call for each
/// message. Never read from the descriptor, and close it by dropping this.
///
/// All forms of [`Participant`] are there. With tokio, put it into an `AsyncFd`, receive until `Empty`
/// and then `clear_ready`.
///
/// ```
/// use rustix::event::{PollFd, PollFlags, Timespec, poll};
/// use smd_lockfree::{Bus, Class, Descriptor, RecvError};
///
/// let bus = Bus::new();
/// let mut part = bus.register(Class::INTERACTION)?.into_descriptor()?;
/// let readable = |part: &Descriptor| {
///     poll(&mut [PollFd::new(part, PollFlags::IN)], Some(&Timespec::default()))
/// };
/// assert_eq!(part.try_recv().map(|_| ()), Err(RecvError::Empty));
/// assert_eq!(readable(&part)?, 0);
/// bus.send(Class::INTERACTION, b"pressed")?;
/// assert_eq!(readable(&part)?, 1);
/// assert_eq!(part.try_recv()?.bytes(), b"pressed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Descriptor {
    participant: Participant,
    signal: Arc<Signal>,
}

impl Participant {
    /// Makes a descriptor for this participant: an event counter on Linux, a pipe elsewhere. It is
    /// readable at once if something awaits already.
    ///
    /// # Errors
    /// What the operating system says, usually that there are too many descriptors; the participant
    /// has left then.
    pub fn into_descriptor(mut self) -> io::Result<Descriptor> {
        let signal = Arc::new(Signal::new()?);
        self.signal = Some(signal.clone());
        self.restore_descriptor(false);
        Ok(Descriptor { participant: self, signal })
    }
}

impl Descriptor {
    /// Back to the participant; the descriptor is closed.
    pub fn into_participant(mut self) -> Participant {
        self.participant.signal = None;
        self.participant
    }
}

impl Deref for Descriptor {
    type Target = Participant;

    fn deref(&self) -> &Participant {
        &self.participant
    }
}

impl DerefMut for Descriptor {
    fn deref_mut(&mut self) -> &mut Participant {
        &mut self.participant
    }
}

/// What stands in for a poller in a model.
#[cfg(any(smd_loom, smd_shuttle))]
impl Descriptor {
    /// Whether the descriptor is readable.
    #[doc(hidden)]
    pub fn __is_readable(&self) -> bool {
        self.signal.is_readable()
    }

    /// Sleeps until the descriptor is readable; on the thread that made it.
    #[doc(hidden)]
    pub fn __poll(&self) {
        self.signal.poll();
    }
}

#[cfg(not(any(smd_loom, smd_shuttle)))]
impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

#[cfg(not(any(smd_loom, smd_shuttle)))]
impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.signal.as_fd().as_raw_fd()
    }
}
