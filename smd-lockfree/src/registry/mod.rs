//! Who is registered, with which mask: an immutable snapshot, replaced whole.
//!
//! ```text
//!   registrar:  build -> exchange `current` -> raise `interest` -> touch the log -> N
//!                             |                      |                  |
//!   sender:          load under a pin  <--  version differs  <--  claim word differs
//! ```
//!
//! # Rules
//!
//! - **M1** A change builds a new snapshot from the current one and exchanges it; the loser builds
//!   again. The old snapshot, and a departed record, are freed through the epoch.
//! - **M2** `interest` holds the version and the union of the masks; it only moves to higher
//!   versions. It is raised before the touch, so who sees the touch sees the change.
//! - **M3** The touch of the log (rule S5 there) fixes the number N from which the change holds. Who is
//!   counted from before N until then tells the senders that wait for room when it is fixed.
//! - **M4** A mask that widens is written into the record, with a lower bound of N, before the
//!   snapshot is exchanged, so that no hand-over misses what it wants; N itself follows the touch.
//! - **M5** A departure sets `left`, and who sets it removes the record, touches, fences and sweeps
//!   the spill (rule H5 of the log). A receive looks at `left` before the log and behind it: what it
//!   found may stand behind the touch. The reference on the segment where the participant stands is
//!   given back by the participant itself.
//! - **M6** A refresh by a sender loads `interest` after the claim word, then the snapshot.
//! - **M7** A registration may have to look for another N (rule H7 of the log), and is handed over to
//!   meanwhile as if the first one held. Its generation is settled when its place is: before that
//!   nothing of its spill is trimmed, so nothing is told as lost that came before its N.
//! - **M8** What a bridge wants counts in `interest`, so that senders send, and not in what it tells
//!   the other side, so that two bridges never keep each other's interest alive.
//!
//! # Edges
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `registry.current` | exchange of `current` | load of `current` | the snapshot |
//! | `registry.interest` | exchange of `interest` | load of `interest` | the snapshot of that version |
//! | `registry.progress` | exchange that takes a node, behind the store of `current` | load of `taken`, before that of `current` | what is being read, to who counts |
//! | `registry.left` | exchange of `left` | its load | nothing but the fact |
//! | `registry.mask` | store of `generation` (and a fence) | its load (and a fence) | mask and numbers of one generation |
//! | `registry.placed` (fence) | `placed` stored, `missed` loaded | `missed` stored, `placed` loaded | rule H7 of the log |
//! | `registry.ids` | exchange of `words` | its load | the zeroed bitmap |
//! | `registry.given` | an identity's bit cleared | its bit set | what its last owner sent |

#![allow(unsafe_code)]

#[cfg(any(smd_loom, smd_shuttle))]
pub mod edges;
pub(crate) mod ids;
pub(crate) mod record;
pub(crate) mod snapshot;

use crate::hooks::mark;
use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::sync::epoch::{Domain, Guard};
use crate::sync::{Arc, CachePadded};

use ids::SenderIds;
use record::Record;
use snapshot::{Entry, Interests, Snapshot};

/// The registry of one bus.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Version (high 32 bits) and union of all masks.
    interest: CachePadded<AtomicU64>,
    current: AtomicPtr<Snapshot>,
    pub(crate) ids: Arc<SenderIds>,
}

/// Interest, as one load tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Interest(u64);

impl Interest {
    pub(crate) fn version(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline(always)]
    pub(crate) fn mask(self) -> u32 {
        self.0 as u32
    }
}

impl Registry {
    pub(crate) fn new() -> Registry {
        let empty = Box::new(Snapshot::new(0, Vec::new(), 0));
        Registry {
            interest: CachePadded::new(AtomicU64::new(0)),
            current: AtomicPtr::new(Box::into_raw(empty)),
            ids: Arc::new(SenderIds::default()),
        }
    }

    #[inline(always)]
    pub(crate) fn interest(&self) -> Interest {
        // EDGE registry.interest: Acquire here; Release in `raise`.
        Interest(self.interest.load(Ordering::Acquire))
    }

    /// The snapshot, lent for as long as the guard lives.
    pub(crate) fn snapshot<'g>(&self, _guard: &'g Guard) -> &'g Snapshot {
        // EDGE registry.current: Acquire here; Release in `update`.
        // SAFETY: freed only through the epoch after it was replaced, and the guard is pinned.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    /// Who wants what, raised first (rule M2): it is not behind what is told of it here.
    pub(crate) fn interests(&self, domain: &Domain) -> Interests {
        let guard = domain.pin();
        let snapshot = self.snapshot(&guard);
        let interests = snapshot.interests();
        self.raise(snapshot.version, interests.all);
        interests
    }

    /// Replaces the snapshot by what `change` makes of it (rule M1) and raises the interest (M2).
    fn update<E>(
        &self,
        domain: &Domain,
        change: impl Fn(&Snapshot) -> Result<Snapshot, E>,
    ) -> Result<(), E> {
        let guard = domain.pin();
        loop {
            // EDGE registry.current: Acquire here; Release below.
            let old = self.current.load(Ordering::Acquire);
            // SAFETY: loaded under the guard.
            let new = change(unsafe { &*old })?;
            let (version, mask) = (new.version, new.interests().all);
            let new = Box::into_raw(Box::new(new));
            // EDGE registry.current: Release here; Acquire in `snapshot` and above.
            if self.current.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_err()
            {
                mark("registry changed meanwhile");
                // SAFETY: never published.
                drop(unsafe { Box::from_raw(new) });
                continue;
            }
            self.raise(version, mask);
            // SAFETY: replaced, so unreachable for who pins later; made by `Box::into_raw`.
            unsafe { guard.retire(old, |old| drop(Box::from_raw(old))) };
            return Ok(());
        }
    }

    fn raise(&self, version: u32, mask: u32) {
        // EDGE registry.interest: Acquire (a higher version seen here is carried on by the touch).
        let mut seen = self.interest.load(Ordering::Acquire);
        while version.wrapping_sub((seen >> 32) as u32) as i32 > 0 {
            // EDGE registry.interest: Release here; Acquire in `interest`.
            match self.interest.compare_exchange_weak(
                seen,
                u64::from(version) << 32 | u64::from(mask),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
    }

    /// Adds a record. `Err`: there are `max` already.
    pub(crate) fn add(&self, domain: &Domain, record: &Arc<Record>, max: usize) -> Result<(), ()> {
        let entry = Entry::new(record.clone(), record.mask());
        let added = self.update(domain, |old| {
            if old.entries().len() >= max {
                return Err(());
            }
            let mut entries = old.entries().to_vec();
            entries.push(entry);
            Ok(Snapshot::new(old.version.wrapping_add(1), entries, old.retained))
        });
        if added.is_err() {
            // SAFETY: the reference that `Entry::new` made; no snapshot lists it.
            drop(unsafe { Arc::from_raw(entry.pointer()) });
        }
        added
    }

    /// Changes the mask of a record. `Err`: it is not registered.
    pub(crate) fn change(
        &self,
        domain: &Domain,
        record: &Arc<Record>,
        mask: u32,
    ) -> Result<(), ()> {
        let wanted = Arc::as_ptr(record);
        self.update(domain, |old| {
            let mut entries = old.entries().to_vec();
            let entry = entries.iter_mut().find(|entry| entry.pointer() == wanted).ok_or(())?;
            entry.mask = mask;
            Ok(Snapshot::new(old.version.wrapping_add(1), entries, old.retained))
        })
    }

    /// Removes a record; its memory goes after the grace period (rule M5). `Err`: it is gone.
    pub(crate) fn remove(&self, domain: &Domain, record: &Arc<Record>) -> Result<(), ()> {
        // Not through a reference: this pointer frees the whole allocation, counts included.
        let wanted = Arc::as_ptr(record);
        self.update(domain, |old| {
            let mut entries = old.entries().to_vec();
            let at = entries.iter().position(|entry| entry.pointer() == wanted).ok_or(())?;
            entries.swap_remove(at);
            Ok(Snapshot::new(old.version.wrapping_add(1), entries, old.retained))
        })?;
        // SAFETY: the registry's reference, made by `Entry::new`; no later snapshot lists the
        // record, and only one call removed it.
        unsafe {
            domain
                .pin()
                .retire(wanted.cast_mut(), |record| drop(Arc::from_raw(record.cast_const())));
        }
        Ok(())
    }

    /// Sets which classes the bus itself wants, by what `change` makes of the set.
    pub(crate) fn set_retained(&self, domain: &Domain, change: impl Fn(u32) -> u32) {
        let Ok(()) = self.update::<std::convert::Infallible>(domain, |old| {
            let entries = old.entries().to_vec();
            Ok(Snapshot::new(old.version.wrapping_add(1), entries, change(old.retained)))
        });
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // RELAXED: exclusive.
        let snapshot = self.current.load(Ordering::Relaxed);
        // SAFETY: the last snapshot; nobody is pinned for a bus that is going.
        let snapshot = unsafe { Box::from_raw(snapshot) };
        for entry in snapshot.entries() {
            // SAFETY: the registry's reference of a record that never departed.
            drop(unsafe { Arc::from_raw(entry.pointer()) });
        }
    }
}
