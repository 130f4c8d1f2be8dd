//! Sending several messages in one call.

#![allow(unsafe_code)]

use std::fmt;

use crate::class::Class;
use crate::error::{FullReason, SendError};
use crate::send::items::Items;
use crate::send::slots::Counters;

use super::Sender;

/// One message of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Its classes.
    pub class: Class,
    /// Its payload: 0 to [`MAX_PAYLOAD`](crate::MAX_PAYLOAD) bytes.
    pub payload: &'a [u8],
}

impl<'a> Outgoing<'a> {
    /// A message of `class` with `payload`.
    pub fn new(class: Class, payload: &'a [u8]) -> Outgoing<'a> {
        Outgoing { class, payload }
    }
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BatchSent {
    /// Messages that are in the order.
    pub queued: usize,
    /// Messages that nobody wants.
    pub unwanted: usize,
    /// Number of the first that is in the order.
    pub first: Option<u64>,
    /// Number of the last that is in the order.
    pub last: Option<u64>,
}

/// A batch that was accepted in part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchError {
    /// Why the message at index `done` was refused.
    pub error: SendError,
    /// The first so many messages were handled: queued or unwanted.
    pub done: usize,
    /// What became of those.
    pub sent: BatchSent,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of the batch was refused: {}", self.done, self.error)
    }
}

impl std::error::Error for BatchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Sender {
    /// Sends what a batch is made of.
    #[inline]
    pub(super) fn send_items(&self, items: impl Items) -> Result<BatchSent, BatchError> {
        let core = &*self.core;
        let mut sent = BatchSent::default();
        let mut done = 0;
        let mut classes = 0;
        let mut now = 0;
        let mut retried = false;
        // After a refusal: only messages of the same classes together, so that the refusal is of
        // the message that is refused.
        let mut alike = false;
        let outcome = loop {
            // A run of wanted messages from `done` on.
            let (run, stop) = items.run(core, done, alike);
            if run.count > 0 {
                if now == 0 {
                    now = core.now();
                }
                let wanted = done..done + run.count;
                // SAFETY: this handle owns the slot and is not `Sync`; appending runs no user code.
                let appended = unsafe {
                    self.slot.with(core, self.id.get(), |s| {
                        s.append_run(core, items, wanted.clone(), run, now)
                    })
                };
                match appended {
                    Ok((count, first)) => {
                        // Of no other: who is woken finds something.
                        classes |= items.classes(done..done + count);
                        sent.queued += count;
                        sent.first.get_or_insert(first);
                        sent.last = Some(first + count as u64 - 1);
                        done += count;
                        retried = false;
                        alike = false;
                        continue;
                    }
                    Err(SendError::Full(FullReason::Stalled)) if !retried => {
                        retried = true;
                        core.retire(now);
                        continue;
                    }
                    Err(SendError::Full(FullReason::Backlog))
                        if !alike && !items.are_alike(wanted) =>
                    {
                        alike = true;
                        continue;
                    }
                    Err(error) => break Err(error),
                }
            }
            match stop {
                None => break Ok(()),
                Some(Ok(_)) => {
                    sent.unwanted += 1;
                    done += 1;
                }
                Some(Err(error)) => break Err(error),
            }
        };
        let counters = &self.slot.counters;
        Counters::add(&counters.sent, sent.queued as u64);
        Counters::add(&counters.unwanted, sent.unwanted as u64);
        if classes != 0 {
            core.published(classes, self.id.get());
        }
        outcome.map(|()| sent).map_err(|error| {
            Counters::add(&counters.refused, 1);
            BatchError { error, done, sent }
        })
    }
}
