//! What a callback may do to its loop while it runs.

#![allow(unsafe_code)]

use std::fmt;

use crate::bus::Bus;
use crate::class::Class;
use crate::error::{MaskError, RegisterError};
use crate::log::tail::Held;
use crate::participant::{Participant, Registration};
use crate::sender::Sender;
use crate::stats::ParticipantStats;

use super::{CallbackId, Event, EventLoop};

/// The callback's view of its loop and its own participant.
pub struct Context<'a> {
    events: &'a mut EventLoop,
    id: CallbackId,
    own: &'a mut Participant,
    left: bool,
    /// The message that the callback was given lies here; the cursor's reference.
    lent: Option<Held>,
    /// A reference of the callback's own, from a change of the mask on, which moves the cursor.
    held: Option<Held>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        events: &'a mut EventLoop,
        id: CallbackId,
        own: &'a mut Participant,
        lent: Option<Held>,
    ) -> Context<'a> {
        Context { events, id, own, left: false, lent, held: None }
    }

    pub(super) fn has_left(&self) -> bool {
        self.left
    }

    /// This callback.
    pub fn id(&self) -> CallbackId {
        self.id
    }

    /// A handle of the bus.
    pub fn bus(&self) -> Bus {
        self.own.bus()
    }

    /// A sender of this callback's participant.
    pub fn sender(&self) -> Sender {
        self.own.sender()
    }

    /// Figures of this callback's participant.
    pub fn stats(&self) -> ParticipantStats {
        self.own.stats()
    }

    /// Changes this callback's mask; see [`Participant::set_mask`].
    ///
    /// # Errors
    /// As there.
    pub fn set_mask(&mut self, mask: Class) -> Result<u64, MaskError> {
        if let Some(frame) = self.lent.take() {
            // SAFETY: the cursor holds the frame: it has not moved since it found the message.
            unsafe { frame.as_ref() }.acquire_held();
            self.held = Some(frame);
        }
        self.own.set_mask(mask)
    }

    /// Removes this callback: what was still owed to it is settled now. Returns the number from
    /// which that holds.
    pub fn leave(&mut self) -> u64 {
        self.left = true;
        self.own.depart()
    }

    /// Removes a callback, this one included; `false` if it is not there.
    pub fn remove(&mut self, id: CallbackId) -> bool {
        if id == self.id {
            let there = !self.left;
            self.leave();
            return there;
        }
        let slot = self
            .events
            .served
            .iter_mut()
            .find(|served| served.as_ref().is_some_and(|served| served.id == id));
        // Its place stays until the pass is over.
        slot.map(Option::take).is_some()
    }

    /// Adds a callback, which is served from the next turn on.
    ///
    /// # Errors
    /// As for [`Registration::register`].
    pub fn add(
        &mut self,
        registration: Registration<'_>,
        callback: impl FnMut(Event<'_>, &mut Context<'_>) + Send + 'static,
    ) -> Result<CallbackId, RegisterError> {
        self.events.add(registration, callback)
    }

    /// Ends [`EventLoop::run`] after this turn.
    pub fn stop(&mut self) {
        self.events.shared.stop();
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        if let Some(frame) = self.held.take() {
            self.own.core.log.release(frame);
        }
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("id", &self.id).finish_non_exhaustive()
    }
}
