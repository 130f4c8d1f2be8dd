//! The senders behind `Bus::send`: one for each thread that sends, kept by the bus.
//!
//! A thread remembers its slot of each bus; the slot itself belongs to the bus, so that dropping
//! the last handle frees everything, whichever threads are still alive. A slot whose thread has
//! ended serves the next thread.
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `send.slot` | store of `owner` | exchange of `owner` | the slot's state and flag |
//! | `send.slots` | exchange of `first` | its load | the node and its slot |
//! | `send.thread` | flag cleared by the thread that ends | flag loaded by who checks a slot | the states of its slots |

use crate::core::Core;
use crate::log::tail::Log;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::sync::local::OwnerCell;

use super::state::SendState;

#[cfg(all(test, not(any(smd_loom, smd_shuttle))))]
mod tests;

/// Nobody's; any taker makes it its own.
const FREE: u32 = 0;
/// A handle's, or a taker's that is about to say whose it is: nobody else touches it.
const HELD: u32 = 1;
/// A thread's, which never gives it up: whoever finds that the thread has ended takes it over.
const KEPT: u32 = 2;
/// A thread's, and somebody looks whether that has ended; who looks alone goes on from here.
const CHECKED: u32 = 3;

/// Counters of one sender: written by its owner alone, read by statistics.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) unwanted: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl Counters {
    /// Adds to a counter that only its owner writes.
    #[inline(always)]
    pub(crate) fn add(counter: &AtomicU64, more: u64) {
        // RELAXED: one writer; statistics.
        counter.store(counter.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }
}

/// Whether a thread is alive; shared by it and its slots of all buses.
#[derive(Debug)]
pub(crate) struct ThreadFlag(AtomicU32);

#[cfg_attr(any(smd_loom, smd_shuttle), allow(dead_code, reason = "for thread-locals"))]
impl ThreadFlag {
    pub(crate) fn new() -> ThreadFlag {
        ThreadFlag(AtomicU32::new(1))
    }

    /// The thread ends: its slots may serve others.
    pub(crate) fn end(&self) {
        // EDGE send.thread: Release here; Acquire in `has_ended`. Carries the slots' states.
        self.0.store(0, Ordering::Release);
    }

    fn has_ended(&self) -> bool {
        // EDGE send.thread: Acquire here; Release in `end`.
        self.0.load(Ordering::Acquire) == 0
    }
}

/// A sender that a thread, or a `Sender`, owns.
#[derive(Debug)]
pub(crate) struct Slot {
    owner: AtomicU32,
    /// A counted reference on the owning thread's flag, changed by who holds or checks the slot;
    /// null unless a thread owns it, or did.
    thread: AtomicPtr<ThreadFlag>,
    pub(crate) counters: Counters,
    state: OwnerCell<Option<SendState>>,
}

impl Slot {
    /// Runs `f` with the slot's state, which is made on first use.
    ///
    /// # Safety
    /// The caller owns the slot, the bus is alive, and `f` runs no user code.
    #[inline(always)]
    pub(crate) unsafe fn with<R>(
        &self,
        core: &Core,
        id: u32,
        f: impl FnOnce(&mut SendState) -> R,
    ) -> R {
        // SAFETY: the owner alone, by the caller's promise; `f` does not come back here.
        unsafe {
            self.state.with(|state| {
                let state = state.get_or_insert_with(|| SendState::new(&core.log, id));
                state.id = id;
                f(state)
            })
        }
    }

    /// Lets somebody else have the slot, with the place in the log that it holds.
    pub(crate) fn abandon(&self) {
        // EDGE send.slot: Release here; Acquire in `Slot::acquire`.
        self.owner.store(FREE, Ordering::Release);
    }

    /// Takes the slot for `thread`, or for a handle, if it is free or its thread has ended.
    fn acquire(&self, thread: Option<&Arc<ThreadFlag>>) -> bool {
        // EDGE send.slot: Acquire here; Release in `abandon` and `give_up`.
        let free = self.owner.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed);
        if free.is_ok() {
            self.keep_for(thread);
            return true;
        }
        // EDGE send.slot: Acquire here; Release in `keep_for` and below. The flag stays until we
        // are done: only who holds or checks the slot replaces it, and that is us.
        let checked =
            self.owner.compare_exchange(KEPT, CHECKED, Ordering::Acquire, Ordering::Relaxed);
        if checked.is_err() {
            return false;
        }
        // RELAXED: ordered by the exchange of `owner`.
        let flag = self.thread.load(Ordering::Relaxed);
        // SAFETY: the slot's counted reference, see above.
        if !unsafe { (*flag).has_ended() } {
            // EDGE send.slot: Release: our look at the flag, before another replaces it.
            self.owner.store(KEPT, Ordering::Release);
            return false;
        }
        self.keep_for(thread);
        true
    }

    /// Whose the slot is from now on, for who holds or checks it.
    fn keep_for(&self, thread: Option<&Arc<ThreadFlag>>) {
        self.set_thread(thread);
        let owner = if thread.is_some() { KEPT } else { HELD };
        // EDGE send.slot: Release: the thread's flag; Acquire in `acquire`.
        self.owner.store(owner, Ordering::Release);
    }

    /// Replaces the flag of the owning thread.
    fn set_thread(&self, flag: Option<&Arc<ThreadFlag>>) {
        #[cfg(test)]
        crate::hooks::reached(crate::hooks::Place::SlotTaken);
        let new = flag.map_or(std::ptr::null(), |flag| Arc::into_raw(flag.clone()));
        // RELAXED: ordered by the words of `owner` around it.
        let old = self.thread.swap(new.cast_mut(), Ordering::Relaxed);
        if !old.is_null() {
            // SAFETY: the slot's counted reference.
            drop(unsafe { Arc::from_raw(old.cast_const()) });
        }
    }

    /// Gives the slot up: its place in the log goes back, the slot serves somebody else.
    ///
    /// # Safety
    /// The caller owns the slot and does not use it afterwards; the bus is alive.
    pub(crate) unsafe fn give_up(&self, core: &Core) {
        // SAFETY: the owner alone.
        unsafe {
            self.state.with(|state| {
                if let Some(mut state) = state.take() {
                    state.release(&core.log);
                }
            });
        }
        // EDGE send.slot: Release here; Acquire in `Slot::acquire`.
        self.owner.store(FREE, Ordering::Release);
    }
}

struct Node {
    slot: Arc<Slot>,
    next: *mut Node,
}

/// All slots of one bus: a list that only grows.
#[derive(Debug)]
pub(crate) struct SenderSlots {
    first: AtomicPtr<Node>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.slot.fmt(f)
    }
}

impl SenderSlots {
    pub(crate) fn new() -> SenderSlots {
        SenderSlots { first: AtomicPtr::new(std::ptr::null_mut()) }
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        // EDGE send.slots: Acquire here; Release in `take`.
        let mut node = self.first.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: nodes are freed with the list only.
            let this = unsafe { node.as_ref() }?;
            node = this.next;
            Some(this)
        })
    }

    /// A slot of the caller's own: one that was given up, or a new one.
    pub(crate) fn take(&self, thread: Option<&Arc<ThreadFlag>>) -> Arc<Slot> {
        for node in self.nodes() {
            if node.slot.acquire(thread) {
                return node.slot.clone();
            }
        }
        let slot = Arc::new(Slot {
            owner: AtomicU32::new(HELD),
            thread: AtomicPtr::new(std::ptr::null_mut()),
            counters: Counters::default(),
            state: OwnerCell::new(None),
        });
        slot.keep_for(thread);
        let node = Box::into_raw(Box::new(Node { slot: slot.clone(), next: std::ptr::null_mut() }));
        // RELAXED: the exchange decides.
        let mut first = self.first.load(Ordering::Relaxed);
        loop {
            // SAFETY: not published yet.
            unsafe { (*node).next = first };
            // EDGE send.slots: Release here; Acquire in `nodes`.
            match self.first.compare_exchange_weak(first, node, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return slot,
                Err(actual) => first = actual,
            }
        }
    }

    /// Sums of all counters: sent, unwanted, refused; and how many slots are owned.
    pub(crate) fn totals(&self) -> (u64, u64, u64, u64) {
        self.nodes().fold((0, 0, 0, 0), |sum, node| {
            let counters = &node.slot.counters;
            // RELAXED (all): statistics.
            (
                sum.0 + counters.sent.load(Ordering::Relaxed),
                sum.1 + counters.unwanted.load(Ordering::Relaxed),
                sum.2 + counters.refused.load(Ordering::Relaxed),
                sum.3 + u64::from(node.slot.owner.load(Ordering::Relaxed) != FREE),
            )
        })
    }

    /// The bus goes: every slot gives its segment back. Exclusive: no handle of the bus is left, so
    /// no thread can be in a send.
    pub(crate) fn clear(&mut self, log: &Log) {
        // RELAXED: exclusive.
        let mut node = self.first.swap(std::ptr::null_mut(), Ordering::Relaxed);
        while !node.is_null() {
            // SAFETY: made by `Box::into_raw`, unlinked above.
            let this = unsafe { Box::from_raw(node) };
            node = this.next;
            // EDGE send.slot: Acquire: whoever gave it up.
            this.slot.owner.swap(FREE, Ordering::AcqRel);
            this.slot.set_thread(None);
            // SAFETY: a send needs a handle of the bus, and there is none.
            unsafe {
                this.slot.state.with(|state| {
                    if let Some(mut state) = state.take() {
                        state.release(log);
                    }
                });
            }
        }
    }
}

// SAFETY: the list owns its nodes; slots are shared by protocol.
unsafe impl Send for SenderSlots {}
// SAFETY: as above.
unsafe impl Sync for SenderSlots {}
