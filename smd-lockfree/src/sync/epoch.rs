//! Deferred freeing: memory that a pinned thread may still look at is freed after it has unpinned.
//!
//! One [`Domain`] per bus, so that a thread stopped while pinned for another library, or for
//! another bus, holds nothing of ours. The log never waits for an epoch in order to *reuse* memory
//! (frames are reused by count); the domain frees surplus frames, replaced registry snapshots and
//! departed records.
//!
//! In a model the domain is an eager stand-in: it frees an object at the moment when the last
//! thread that was pinned when the object was retired unpins. A real epoch frees later, never
//! sooner. The stand-in orders memory as far as every epoch must (who pins after an object was
//! retired sees that it was unlinked; the freeing sees every use), and not as far as a real one
//! does with its fences; so it allows every use-after-free that the real one allows, and more.
//! The real one would make models of a whole bus endless: two threads that do nothing but pin, look
//! and unpin beside one retirement are thousands of executions. It has that model for itself
//! ([`edges`]), on what ships, with the collector's own form for loom.

#[cfg(not(any(smd_loom, smd_shuttle)))]
pub(crate) use shipped::{Domain, Guard};
#[cfg(any(smd_loom, smd_shuttle))]
pub(crate) use stand_in::{Domain, Guard};

#[cfg(not(smd_shuttle))]
#[cfg_attr(smd_loom, allow(dead_code))]
mod shipped {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use crossbeam_epoch::{Collector, LocalHandle};

    struct Cached {
        id: u64,
        dead: Arc<AtomicBool>,
        handle: Rc<LocalHandle>,
        /// Dropped behind the handle, and so maybe the last of its collector: a handle that drops
        /// the last one itself frees its own record under a live reference to it, which is against
        /// the rules of aliasing (crossbeam issue 545; Miri refuses it).
        _collector: Collector,
    }

    #[cfg(not(smd_loom))]
    thread_local! {
        static HANDLES: RefCell<Vec<Cached>> = const { RefCell::new(Vec::new()) };
    }
    #[cfg(smd_loom)]
    loom::thread_local! {
        static HANDLES: RefCell<Vec<Cached>> = RefCell::new(Vec::new());
    }

    /// One reclamation domain: a collector of its own.
    #[derive(Debug)]
    pub(crate) struct Domain {
        id: u64,
        dead: Arc<AtomicBool>,
        collector: Collector,
    }

    /// While it lives, nothing that was reachable when it was made is freed.
    #[derive(Debug)]
    pub(crate) struct Guard(crossbeam_epoch::Guard);

    impl Domain {
        pub(crate) fn new() -> Self {
            static NEXT: AtomicU64 = AtomicU64::new(1);
            // RELAXED: only uniqueness matters.
            let id = NEXT.fetch_add(1, Ordering::Relaxed);
            Self { id, dead: Arc::new(AtomicBool::new(false)), collector: Collector::new() }
        }

        /// Pins this thread: about 5 ns after the first time on a thread.
        pub(crate) fn pin(&self) -> Guard {
            let handle = HANDLES.try_with(|handles| {
                let handles = handles.try_borrow().ok()?;
                handles.iter().find(|entry| entry.id == self.id).map(|entry| entry.handle.clone())
            });
            // The borrow has ended: pinning may collect, and what is freed may pin in turn.
            Guard(match handle {
                Ok(Some(handle)) => handle.pin(),
                Ok(None) => self.register().pin(),
                // A thread-local destructor may run after the cache is gone.
                Err(_) => self.collector.register().pin(),
            })
        }

        /// Whether this thread is pinned here.
        #[cfg(all(test, not(smd_loom)))]
        pub(crate) fn is_pinned(&self) -> bool {
            HANDLES.with_borrow(|handles| {
                handles.iter().any(|entry| entry.id == self.id && entry.handle.is_pinned())
            })
        }

        /// A handle for this thread, remembered.
        #[cold]
        fn register(&self) -> Rc<LocalHandle> {
            let handle = Rc::new(self.collector.register());
            let entry = Cached {
                id: self.id,
                dead: self.dead.clone(),
                handle: handle.clone(),
                _collector: self.collector.clone(),
            };
            let pruned = HANDLES.try_with(|handles| {
                let Ok(mut handles) = handles.try_borrow_mut() else { return Vec::new() };
                // RELAXED: a handle pruned late costs memory for a while, nothing else.
                let pruned = handles.extract_if(.., |e| e.dead.load(Ordering::Relaxed)).collect();
                handles.push(entry);
                pruned
            });
            // Outside of the borrow, for the same reason.
            drop(pruned);
            handle
        }
    }

    impl Domain {
        /// Frees what was retired, where nobody is pinned any more: a few rounds move the epoch past
        /// all of it, so that it is freed now and not when some thread collects.
        pub(crate) fn collect(&self) {
            for _ in 0..4 {
                self.pin().0.flush();
            }
        }
    }

    impl Drop for Domain {
        fn drop(&mut self) {
            // RELAXED: see `pin`.
            self.dead.store(true, Ordering::Relaxed);
            self.collect();
            let own: Result<Vec<_>, _> = HANDLES.try_with(|handles| {
                let Ok(mut handles) = handles.try_borrow_mut() else { return Vec::new() };
                handles.extract_if(.., |entry| entry.id == self.id).collect()
            });
            drop(own);
        }
    }

    impl Guard {
        /// Frees `object` with `free` once every thread that is pinned now has unpinned.
        ///
        /// # Safety
        /// `object` is no longer reachable for a thread that pins from now on, is retired once,
        /// and `free` may run on any thread.
        pub(crate) unsafe fn retire<T: 'static>(&self, object: *mut T, free: unsafe fn(*mut T)) {
            // SAFETY: the closure owns the object (the caller retires it once); it runs when no
            // guard that could have seen it is left.
            unsafe { self.0.defer_unchecked(move || free(object)) };
            // Retiring is rare here: hand the bag over at once, so that any thread's collection
            // can free it and no thread keeps it to itself.
            self.0.flush();
        }
    }
}

#[cfg(any(smd_loom, smd_shuttle))]
mod stand_in {
    // Not the checker's `Arc`: a clone of that would be a switch for each pin.
    use std::sync::{Arc, Mutex};

    use super::super::atomic::{AtomicU64, Ordering};
    use super::super::thread;

    #[cfg(smd_loom)]
    use loom::thread::ThreadId;
    #[cfg(smd_shuttle)]
    use shuttle::thread::ThreadId;

    struct Retired {
        pinned_then: Vec<u64>,
        free: Box<dyn FnOnce()>,
    }

    #[derive(Default)]
    struct State {
        next: u64,
        pinned: Vec<u64>,
        retired: Vec<Retired>,
        /// How often something was retired, and what of that each thread has seen.
        retires: u64,
        seen: Vec<(ThreadId, u64)>,
    }

    // SAFETY: model threads run one at a time; what is freed was handed over by `retire`, whose
    // contract says that any thread may free it.
    unsafe impl Send for State {}

    /// The mutex is the checkers' blind spot, so it is never held where they may switch threads;
    /// the two atomics are the edges that a real epoch gives, and no more.
    struct Inner {
        state: Mutex<State>,
        /// EDGE epoch.pin: Release in `retire` and before the freeing, Acquire in a later `pin`.
        /// Carries the unlinking, and what those did who were pinned until then.
        retires: AtomicU64,
        /// EDGE epoch.unpin: Release where a guard goes, Acquire before the freeing. Carries uses.
        unpins: AtomicU64,
    }

    /// The eager stand-in (see the module's head).
    #[derive(Clone)]
    pub(crate) struct Domain(Arc<Inner>);

    impl std::fmt::Debug for Domain {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Domain(stand-in)")
        }
    }

    /// While it lives, nothing that was reachable when it was made is freed.
    #[derive(Debug)]
    pub(crate) struct Guard {
        domain: Domain,
        id: u64,
    }

    impl Domain {
        /// Nothing to do: what nobody is pinned for is freed already.
        pub(crate) fn collect(&self) {}

        pub(crate) fn new() -> Self {
            Self(Arc::new(Inner {
                state: Mutex::default(),
                retires: AtomicU64::new(0),
                unpins: AtomicU64::new(0),
            }))
        }

        fn state(&self) -> std::sync::MutexGuard<'_, State> {
            self.0.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        pub(crate) fn pin(&self) -> Guard {
            let me = thread::current().id();
            let (id, is_new) = {
                let mut state = self.state();
                state.next += 1;
                let id = state.next;
                state.pinned.push(id);
                let retires = state.retires;
                let is_new = match state.seen.iter_mut().find(|(thread, _)| *thread == me) {
                    Some((_, seen)) => std::mem::replace(seen, retires) != retires,
                    None => {
                        state.seen.push((me, retires));
                        retires != 0
                    }
                };
                (id, is_new)
            };
            if is_new {
                // EDGE epoch.pin: see above. An addition reads the newest value.
                self.0.retires.fetch_add(0, Ordering::Acquire);
            }
            Guard { domain: self.clone(), id }
        }
    }

    impl Guard {
        /// # Safety
        /// As in the shipped form.
        pub(crate) unsafe fn retire<T: 'static>(&self, object: *mut T, free: unsafe fn(*mut T)) {
            // EDGE epoch.pin: see above; before anybody can pin after it.
            self.domain.0.retires.fetch_add(1, Ordering::Release);
            let mut state = self.domain.state();
            state.retires += 1;
            let pinned_then = state.pinned.clone();
            // SAFETY: the caller retires the object once; it is freed when nobody who was pinned
            // at this moment is left.
            let free = Box::new(move || unsafe { free(object) });
            state.retired.push(Retired { pinned_then, free });
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            let holds = {
                let mut state = self.domain.state();
                let holds = state.retired.iter().any(|entry| entry.pinned_then.contains(&self.id));
                if !holds {
                    state.pinned.retain(|id| *id != self.id);
                }
                holds
            };
            if !holds {
                return;
            }
            // EDGE epoch.unpin: see above; both ends in one.
            self.domain.0.unpins.fetch_add(1, Ordering::AcqRel);
            let mut due = Vec::new();
            {
                let mut state = self.domain.state();
                state.pinned.retain(|id| *id != self.id);
                let mut at = 0;
                while at < state.retired.len() {
                    let entry = &mut state.retired[at];
                    entry.pinned_then.retain(|id| *id != self.id);
                    if entry.pinned_then.is_empty() {
                        due.push(state.retired.swap_remove(at).free);
                    } else {
                        at += 1;
                    }
                }
            }
            if due.is_empty() {
                return;
            }
            // EDGE epoch.pin: see above.
            self.domain.0.retires.fetch_add(1, Ordering::Release);
            self.domain.state().retires += 1;
            for free in due {
                free();
            }
        }
    }
}

/// A model of the shipped domain and its collector.
#[cfg(smd_loom)]
pub mod edges {
    use std::ptr::null_mut;

    use loom::cell::UnsafeCell;

    use super::super::Arc;
    use super::super::atomic::{AtomicPtr, Ordering};
    use super::shipped::Domain;
    use crate::hooks::{Part, mark};

    type Object = UnsafeCell<u64>;

    fn free(object: *mut Object) {
        mark("freed by the collector");
        // SAFETY: made by `Box::into_raw`, and freed once.
        let object = unsafe { Box::from_raw(object) };
        // SAFETY: none but loom's own: a use that is not ordered before this fails the model.
        object.with_mut(|value| unsafe { *value = 0 });
    }

    /// What was unlinked and retired, against somebody who is pinned and may have found it.
    pub fn retire_against_pin() -> Vec<Part> {
        let domain = Arc::new(Domain::new());
        let place = Arc::new(AtomicPtr::new(Box::into_raw(Box::new(Object::new(7)))));
        let (own, found) = (domain.clone(), place.clone());
        vec![
            Box::new(move || {
                {
                    let guard = domain.pin();
                    let object = place.swap(null_mut(), Ordering::AcqRel);
                    // SAFETY: unlinked, and retired once.
                    unsafe { guard.retire(object, |object| free(object)) };
                }
                domain.collect();
            }),
            Box::new(move || {
                let _guard = own.pin();
                let object = found.load(Ordering::Acquire);
                if !object.is_null() {
                    mark("found while it was retired");
                    // SAFETY: found under the pin, so it is not freed before the guard goes.
                    let value = unsafe { (*object).with(|value| *value) };
                    assert_eq!(value, 7, "a freed object was used");
                }
            }),
        ]
    }
}
