//! Which sender slot of which bus this thread uses for `Bus::send`.

#![allow(unsafe_code)]

use crate::class::Class;
use crate::core::Core;
use crate::error::SendError;
use crate::log::word::Extra;
use crate::send::slots::{Counters, Slot};
use crate::send::state::Parts;
use crate::sender::Sent;
use crate::sync::Arc;

#[cfg(not(any(smd_loom, smd_shuttle)))]
pub(crate) use kept::with;

#[cfg(not(any(smd_loom, smd_shuttle)))]
mod kept {
    use std::cell::{Cell, RefCell};

    use super::{Arc, Core, Slot, borrowed};
    use crate::send::slots::ThreadFlag;

    /// A thread forgets what it remembers when that is more than this: it is remembered anew.
    const FORGET_AT: usize = 64;

    /// What this thread remembers. A slot belongs to its bus, which may be gone: the pointer is used
    /// only for a bus of the same identity that is alive.
    struct Remembered {
        flag: Arc<ThreadFlag>,
        slots: Vec<(u64, *const Slot)>,
    }

    impl Drop for Remembered {
        fn drop(&mut self) {
            // Before somebody else can have the slot.
            LAST.set(NOBODY);
            self.flag.end();
        }
    }

    /// No bus has this identity.
    const NOBODY: (u64, *const Slot) = (0, std::ptr::null());

    thread_local! {
        static SLOTS: RefCell<Option<Remembered>> = const { RefCell::new(None) };
        /// The one used last: a look at it has no destructor to register and no borrow to count.
        static LAST: Cell<(u64, *const Slot)> = const { Cell::new(NOBODY) };
    }

    /// Runs `f` with this thread's slot of the bus; `f` runs no user code.
    #[inline]
    pub(crate) fn with<R>(core: &Arc<Core>, f: impl FnOnce(&Slot) -> R) -> R {
        let (identity, slot) = LAST.get();
        if identity == core.identity() {
            // SAFETY: as in `search`.
            return f(unsafe { &*slot });
        }
        search(core, f)
    }

    #[cold]
    fn search<R>(core: &Arc<Core>, f: impl FnOnce(&Slot) -> R) -> R {
        let mut f = Some(f);
        let kept = SLOTS.try_with(|remembered| {
            let mut remembered = remembered.try_borrow_mut().ok()?;
            let remembered = remembered.get_or_insert_with(|| Remembered {
                flag: Arc::new(ThreadFlag::new()),
                // Once for a thread, so that a bus more or less changes nothing.
                slots: Vec::with_capacity(FORGET_AT),
            });
            let f = f.take()?;
            let known = remembered.slots.iter().find(|known| known.0 == core.identity());
            let slot = match known {
                Some(&(_, slot)) => slot,
                None => remember(remembered, core),
            };
            LAST.set((core.identity(), slot));
            // SAFETY: the slot lives as long as its bus, whose core the caller holds, and is this
            // thread's own.
            Some(f(unsafe { &*slot }))
        });
        match (kept, f) {
            (Ok(Some(result)), _) => result,
            // In a thread-local destructor, after this thread's memory of slots is gone.
            (_, Some(f)) => borrowed(core, f),
            // `f` was taken, so it ran and its result was returned above.
            (_, None) => unreachable!("a slot was used and gave no result"),
        }
    }

    #[cold]
    fn remember(remembered: &mut Remembered, core: &Arc<Core>) -> *const Slot {
        if remembered.slots.len() >= FORGET_AT {
            // Buses that are gone, and some that are not: with a new flag those slots are others'.
            LAST.set(NOBODY);
            remembered.flag.end();
            remembered.flag = Arc::new(ThreadFlag::new());
            remembered.slots.clear();
        }
        let slot = Arc::as_ptr(&core.slots.take(Some(&remembered.flag)));
        remembered.slots.push((core.identity(), slot));
        slot
    }
}

#[cfg(any(smd_loom, smd_shuttle))]
pub(crate) fn with<R>(core: &Arc<Core>, f: impl FnOnce(&Slot) -> R) -> R {
    borrowed(core, f)
}

/// A slot for one call.
fn borrowed<R>(core: &Arc<Core>, f: impl FnOnce(&Slot) -> R) -> R {
    let slot = core.slots.take(None);
    let result = f(&slot);
    slot.abandon();
    result
}

/// Puts one message into the order through this thread's own sender.
#[inline]
pub(crate) fn put(
    core: &Arc<Core>,
    class: Class,
    payload: &[u8],
    extra: Option<&Extra>,
) -> Result<Sent, SendError> {
    if !core.admit(class, payload.len())? {
        with(core, |slot| Counters::add(&slot.counters.unwanted, 1));
        return Ok(Sent::Unwanted);
    }
    append(core, Parts { class, payload, extra, hole: None })
}

/// The wanted half of [`put`]: apart, so that the other half costs its caller nothing.
#[inline(never)]
fn append(core: &Arc<Core>, parts: Parts<'_>) -> Result<Sent, SendError> {
    let appended = with(core, |slot| {
        // SAFETY: the slot is this thread's own for the call; appending runs no user code.
        let appended = unsafe { slot.with(core, 0, |state| state.append(core, parts)) };
        let counter = if appended.is_ok() { &slot.counters.sent } else { &slot.counters.refused };
        Counters::add(counter, 1);
        appended
    });
    let sequence = appended.inspect_err(|error| core.refused(error))?;
    core.published(parts.class.bits(), 0);
    Ok(Sent::Queued(sequence))
}
