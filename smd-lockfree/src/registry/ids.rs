//! Identities of senders, for participants that exclude their own sends.
//!
//! An identity lives as long as its participant or a sender made from it: a number in a record
//! never means two senders at once.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Words of 64 identities.
const WORDS: usize = if cfg!(any(smd_loom, smd_shuttle)) { 1 } else { 2048 };

/// The identities in use: a bitmap, allocated with the first of them.
#[derive(Debug, Default)]
pub(crate) struct SenderIds {
    words: AtomicPtr<Box<[AtomicU64]>>,
}

impl SenderIds {
    fn words(&self) -> &[AtomicU64] {
        // EDGE registry.ids: Acquire here; Release below. Carries the zeroed words.
        let words = self.words.load(Ordering::Acquire);
        if !words.is_null() {
            // SAFETY: allocated once, freed with this.
            return unsafe { &*words };
        }
        let fresh: Box<[AtomicU64]> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let fresh = Box::into_raw(Box::new(fresh));
        // EDGE registry.ids: see above.
        match self.words.compare_exchange(
            std::ptr::null_mut(),
            fresh,
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            // SAFETY: stored just now, freed with this.
            Ok(_) => unsafe { &*fresh },
            Err(winner) => {
                // SAFETY: never published.
                drop(unsafe { Box::from_raw(fresh) });
                // SAFETY: published by the winner, freed with this.
                unsafe { &*winner }
            }
        }
    }

    /// A free identity, or `None` when all are in use.
    fn take(&self) -> Option<u32> {
        for (at, word) in self.words().iter().enumerate() {
            // RELAXED: the exchange decides.
            let mut bits = word.load(Ordering::Relaxed);
            loop {
                let free = (!bits).trailing_zeros();
                if free == 64 {
                    break;
                }
                // EDGE registry.given: Acquire here; Release in `give`. RELAXED on failure.
                match word.compare_exchange_weak(
                    bits,
                    bits | 1 << free,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => return Some(at as u32 * 64 + free + 1),
                    Err(actual) => bits = actual,
                }
            }
        }
        None
    }

    fn give(&self, id: u32) {
        let id = id as usize - 1;
        // EDGE registry.given: Release here; Acquire in `take`. Carries what was sent with it: nothing
        // of that is taken for a send of its next owner.
        self.words()[id / 64].fetch_and(!(1 << (id % 64)), Ordering::Release);
    }
}

impl Drop for SenderIds {
    fn drop(&mut self) {
        // RELAXED: exclusive.
        let words = self.words.load(Ordering::Relaxed);
        if !words.is_null() {
            // SAFETY: made by `Box::into_raw`, freed once.
            drop(unsafe { Box::from_raw(words) });
        }
    }
}

/// Who sends: 0 is nobody in particular.
#[derive(Debug)]
pub(crate) struct SenderId {
    id: u32,
    ids: Option<Arc<SenderIds>>,
}

impl SenderId {
    /// The identity of those who need none.
    pub(crate) fn nobody() -> SenderId {
        SenderId { id: 0, ids: None }
    }

    /// A fresh identity, or `None` when all are in use.
    pub(crate) fn fresh(ids: &Arc<SenderIds>) -> Option<SenderId> {
        Some(SenderId { id: ids.take()?, ids: Some(ids.clone()) })
    }

    pub(crate) fn get(&self) -> u32 {
        self.id
    }
}

impl Drop for SenderId {
    fn drop(&mut self) {
        if let Some(ids) = &self.ids {
            ids.give(self.id);
        }
    }
}
