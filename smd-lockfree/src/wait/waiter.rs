//! One sleeper: its state word, and the slot that says how to wake it.

use std::task::Waker;

use crate::hooks::mark;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};
use crate::sync::thread::{self, Thread};

const IDLE: u64 = 0;
const WAITING: u64 = 1 << 32;
const NOTIFIED: u64 = 2 << 32;
/// With WAITING: behind a hole, so whoever publishes may be the one to hear of.
const HOLE: u64 = 4 << 32;

/// How a sleeper is woken.
#[derive(Debug)]
pub(crate) enum Target {
    Thread(Thread),
    Waker(Waker),
    #[cfg(unix)]
    Descriptor(Arc<super::descriptor::Signal>),
    /// An empty box, to be filled when it is needed.
    #[cfg_attr(any(smd_loom, smd_shuttle), allow(dead_code, reason = "see `Waiter::arm`"))]
    Nobody,
}

impl Target {
    fn wake(&self) {
        match self {
            Target::Thread(thread) => thread.unpark(),
            Target::Waker(waker) => waker.wake_by_ref(),
            #[cfg(unix)]
            Target::Descriptor(signal) => signal.raise(),
            Target::Nobody => {}
        }
    }
}

/// One sleeper; shared by the callbacks of one event loop.
#[derive(Debug)]
pub(crate) struct Waiter {
    state: AtomicU64,
    target: AtomicPtr<Target>,
    /// Boxes for the next arming, while a waker has the other in its hands.
    spares: [AtomicPtr<Target>; 2],
    wakes: AtomicU64,
    /// The sleeper has gone.
    ended: AtomicBool,
    /// Several participants of one thread use it; none of them ends it.
    shared: bool,
}

impl Waiter {
    pub(crate) fn new() -> Waiter {
        Waiter::made(false)
    }

    /// For the participants of one event loop, which sleeps as a thread.
    pub(crate) fn shared() -> Waiter {
        Waiter::made(true)
    }

    fn made(shared: bool) -> Waiter {
        Waiter {
            ended: AtomicBool::new(false),
            shared,
            state: AtomicU64::new(IDLE),
            target: AtomicPtr::new(std::ptr::null_mut()),
            spares: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            wakes: AtomicU64::new(0),
        }
    }

    /// How often it was woken.
    pub(crate) fn wakes(&self) -> u64 {
        // RELAXED: statistics.
        self.wakes.load(Ordering::Relaxed)
    }

    /// Says how to wake: before each [`Waiter::announce`]. `reuse` keeps what is in the slot if it
    /// would wake the same.
    ///
    /// It ends with this sleeper's own target in the slot, whatever a waker of an earlier sleep
    /// puts back meanwhile.
    fn arm(&self, reuse: impl FnOnce(&Target) -> bool, make: impl FnOnce() -> Target) {
        // EDGE wait.target: Acquire here; Release where it is put back.
        let mut old = self.target.swap(std::ptr::null_mut(), Ordering::Acquire);
        for spare in &self.spares {
            if old.is_null() {
                // EDGE wait.target: as above.
                old = spare.swap(std::ptr::null_mut(), Ordering::Acquire);
            }
        }
        let target = if old.is_null() {
            // All boxes at once, so that none is allocated later, when a waker is slow to put one
            // back. In a model they would only be more to explore.
            #[cfg(not(any(smd_loom, smd_shuttle)))]
            for spare in &self.spares {
                Self::store([spare], Box::new(Target::Nobody));
            }
            Box::new(make())
        } else {
            // SAFETY: taken out of the slot, so ours.
            let mut old = unsafe { Box::from_raw(old) };
            if !reuse(&old) {
                *old = make();
            }
            old
        };
        // EDGE wait.target: Release: the target; Acquire: the box that was put back meanwhile.
        let late = self.target.swap(Box::into_raw(target), Ordering::AcqRel);
        if !late.is_null() {
            // SAFETY: taken out of the slot, so ours.
            Self::store(&self.spares, unsafe { Box::from_raw(late) });
        }
    }

    /// Puts a waker's box back. The sleeper may have armed itself anew: then it is a spare.
    fn put_back(&self, target: Box<Target>) {
        Self::store([&self.target, &self.spares[0], &self.spares[1]], target);
        // FENCE wait.end: the box put back against `ended`: one of the two sides finds it.
        fence(Ordering::SeqCst);
        // RELAXED: ordered by the fence.
        if self.ended.load(Ordering::Relaxed) {
            self.empty();
        }
    }

    /// Puts a box into the first of the cells that is empty.
    fn store<'c>(cells: impl IntoIterator<Item = &'c AtomicPtr<Target>>, target: Box<Target>) {
        let target = Box::into_raw(target);
        let stored = cells.into_iter().any(|cell| {
            // EDGE wait.target: Release here; Acquire where it is taken. RELAXED on failure.
            cell.compare_exchange(
                std::ptr::null_mut(),
                target,
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
        });
        if !stored {
            // SAFETY: not stored, so still ours.
            let target = unsafe { Box::from_raw(target) };
            // A waker is user code, also where it is dropped.
            crate::contain::call(|| drop(target));
        }
    }

    pub(crate) fn arm_thread(&self) {
        let me = thread::current();
        let id = me.id();
        self.arm(
            |target| matches!(target, Target::Thread(thread) if thread.id() == id),
            || Target::Thread(me),
        );
    }

    pub(crate) fn arm_waker(&self, waker: &Waker) {
        self.arm(
            |target| matches!(target, Target::Waker(old) if old.will_wake(waker)),
            || Target::Waker(waker.clone()),
        );
    }

    #[cfg(unix)]
    pub(crate) fn arm_descriptor(&self, signal: &Arc<super::descriptor::Signal>) {
        self.arm(
            |target| matches!(target, Target::Descriptor(old) if Arc::ptr_eq(old, signal)),
            || Target::Descriptor(signal.clone()),
        );
    }

    /// IDLE to WAITING for `mask` (rule W2): before the waiters word is exchanged.
    pub(super) fn announce(&self, mask: u32, hole: bool) {
        let hole = if hole { HOLE } else { 0 };
        // RELAXED: published by the exchange of `waiters`, or by the fence of the room.
        self.state.store(WAITING | hole | u64::from(mask), Ordering::Relaxed);
    }

    /// Whether it sleeps behind a hole, which a sender may close whose messages it excludes.
    pub(super) fn is_behind_hole(&self) -> bool {
        // RELAXED: ordered by the announcement that the caller has seen in `waiters`.
        self.state.load(Ordering::Relaxed) & HOLE != 0
    }

    /// Whether nobody has notified it yet.
    pub(crate) fn is_waiting(&self) -> bool {
        // EDGE wait.state: Acquire here; Release in `notify`.
        let state = self.state.load(Ordering::Acquire);
        state & WAITING != 0
    }

    /// Back to IDLE, whoever was first.
    pub(crate) fn stop(&self) {
        // EDGE wait.state: Acquire here; Release in `notify`.
        self.state.swap(IDLE, Ordering::Acquire);
    }

    /// WAITING to NOTIFIED if its mask meets `classes`. `true`: the caller must [`Waiter::wake`].
    pub(super) fn notify(&self, classes: u32) -> bool {
        // RELAXED: the exchange decides.
        let mut state = self.state.load(Ordering::Relaxed);
        while state & WAITING != 0 && state as u32 & classes != 0 {
            // EDGE wait.state: Release here; Acquire in `is_waiting` and `stop`.
            match self.state.compare_exchange_weak(
                state,
                NOTIFIED,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(actual) => state = actual,
            }
        }
        false
    }

    /// The mask announced, if it is waiting.
    pub(super) fn waiting_mask(&self) -> u32 {
        // RELAXED: seen only to keep bits in `waiters`, whose exchange fails if it grew meanwhile.
        let state = self.state.load(Ordering::Relaxed);
        if state & WAITING != 0 { state as u32 } else { 0 }
    }

    /// Wakes the sleeper; after a successful [`Waiter::notify`], and unpinned: a waker is user code.
    pub(super) fn wake(&self) {
        // RELAXED: statistics.
        self.wakes.fetch_add(1, Ordering::Relaxed);
        // EDGE wait.target: Acquire here; Release where it was put.
        let target = self.target.swap(std::ptr::null_mut(), Ordering::Acquire);
        if target.is_null() {
            // The sleeper took it out: it is awake, and looks before it sleeps again.
            return;
        }
        // SAFETY: taken out of the slot, so ours.
        let target = unsafe { Box::from_raw(target) };
        mark("woken");
        // A waker is user code: its panic must not keep others from being woken. The panic hook
        // has told of it.
        crate::contain::call(|| target.wake());
        self.put_back(target);
    }

    /// The sleeper goes. Nothing stays in the slot, also not what a waker has in its hands: the
    /// last reference on this may go in a reclamation, where no user code may run, and so no waker
    /// may be dropped.
    pub(crate) fn end(&self) {
        self.stop();
        if self.shared {
            return;
        }
        // RELAXED: the fence orders it.
        self.ended.store(true, Ordering::Relaxed);
        // FENCE wait.end: see `put_back`.
        fence(Ordering::SeqCst);
        self.empty();
    }

    /// Drops what lies in the slot.
    fn empty(&self) {
        for cell in [&self.target, &self.spares[0], &self.spares[1]] {
            // EDGE wait.target: Acquire here; Release where it was put.
            let target = cell.swap(std::ptr::null_mut(), Ordering::Acquire);
            if !target.is_null() {
                // SAFETY: taken out of the slot, so ours.
                drop(unsafe { Box::from_raw(target) });
            }
        }
    }

    /// Notifies and wakes whatever it waits for: at departure and close.
    pub(crate) fn rouse(&self) {
        if self.notify(u32::MAX) {
            self.wake();
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // RELAXED: exclusive.
        for cell in [&self.target, &self.spares[0], &self.spares[1]] {
            let target = cell.load(Ordering::Relaxed);
            if !target.is_null() {
                // SAFETY: in the slot, so nobody else's.
                drop(unsafe { Box::from_raw(target) });
            }
        }
    }
}
