//! The entries, and the copy of each one's last message that has left the window.
//!
//! While a retained message is in the window, it is found there. Before its segment leaves, the
//! retirer copies the newest of each entry into a small frame and hangs it into the entry; one
//! entry is replaced at a time. A registration holds the whole window *before* it reads the entries
//! and reads them *before* its touch, so what it does not find in one it finds in the other, and
//! nothing in an entry is newer than its N. The newest by number wins. If the list of entries changed
//! meanwhile, it does all of this again, for a later N: an entry is marked and cleared at one point
//! of the order too.
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `retained.list` | exchange of the list | its load | the entries |
//! | `retained.kept` | exchange of `kept` | its load | the copied message |
//! | `retained.forget` | exchange of `kept` by who clears | that of the retirer | `cleared` |

use std::ptr::NonNull;

use crate::hooks::mark;
use crate::log::frame::{Frame, chunk_tag};
use crate::log::handover::next_chunk_number;
use crate::log::tail::{Held, Log};
use crate::log::word::{EXTRA_BYTES, Extra, Head};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::sync::epoch::Domain;
use crate::sync::local::OwnerCell;
use crate::sync::slab::UNIT;

/// One retained class, or key within a class.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What a record names it by: of no other entry that is there; never 0.
    pub(crate) number: u32,
    pub(crate) class: u32,
    pub(crate) key: Option<Box<[u8]>>,
    /// Messages below this number are of an earlier entry.
    since: u64,
    pub(crate) cleared: AtomicBool,
    /// A frame with one copied record, referenced by this.
    kept: AtomicPtr<Frame>,
    /// Number of that record: the retirer's own note.
    kept_sequence: AtomicU64,
}

/// The entries at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    /// By number, ascending.
    entries: Vec<Arc<Entry>>,
    /// Grows with each change.
    pub(crate) version: u64,
}

impl List {
    /// The entries that a retained record is the state of: by its key, and by its classes.
    pub(crate) fn of(
        &self,
        head: Head,
        extra: Option<Extra>,
        sequence: u64,
    ) -> impl Iterator<Item = &Arc<Entry>> {
        let number = extra.map_or(0, |extra| extra.entry);
        let keyed = self.entries.binary_search_by_key(&number, |entry| entry.number).ok();
        let by_key = keyed.map(|at| &self.entries[at]).filter(|entry| sequence >= entry.since);
        let bits = head.bits();
        let by_class = self.entries.iter().filter(move |entry| {
            entry.key.is_none() && entry.class & bits != 0 && sequence >= entry.since
        });
        by_key.into_iter().chain(by_class)
    }

    pub(crate) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    fn classes(&self) -> u32 {
        self.entries.iter().fold(0, |bits, entry| bits | entry.class)
    }
}

/// All retained entries of one bus.
#[derive(Debug)]
pub(crate) struct Table {
    limit: usize,
    list: AtomicPtr<List>,
    next_number: AtomicU32,
    /// The retirer's scratch: unit and number of retained records in a segment.
    scratch: OwnerCell<Vec<(u32, u64)>>,
}

impl Table {
    pub(crate) fn new(limit: usize) -> Table {
        Table {
            limit,
            list: AtomicPtr::new(Box::into_raw(Box::default())),
            next_number: AtomicU32::new(1),
            scratch: OwnerCell::new(Vec::new()),
        }
    }

    /// The list as it is.
    pub(crate) fn list(&self, domain: &Domain) -> List {
        let _guard = domain.pin();
        // EDGE retained.list: Acquire here; Release in `replace`.
        // SAFETY: freed only through the epoch, and pinned.
        unsafe { (*self.list.load(Ordering::Acquire)).clone() }
    }

    /// The version of the list as it is.
    pub(crate) fn version(&self, domain: &Domain) -> u64 {
        let _guard = domain.pin();
        // EDGE retained.list: Acquire here; Release in `replace`.
        // SAFETY: as in `list`.
        unsafe { (*self.list.load(Ordering::Acquire)).version }
    }

    pub(crate) fn len(&self, domain: &Domain) -> usize {
        self.list(domain).entries.len()
    }

    pub(crate) fn classes(&self, domain: &Domain) -> u32 {
        self.list(domain).classes()
    }

    /// Replaces the list by what `change` makes of it, unless it says that it changed nothing.
    fn replace<R>(&self, domain: &Domain, change: impl Fn(&mut List) -> (R, bool)) -> R {
        let guard = domain.pin();
        loop {
            // EDGE retained.list: Acquire here; Release below.
            let old = self.list.load(Ordering::Acquire);
            // SAFETY: as in `list`.
            let mut list = unsafe { (*old).clone() };
            let (result, changed) = change(&mut list);
            if !changed {
                return result;
            }
            list.version += 1;
            let new = Box::into_raw(Box::new(list));
            // EDGE retained.list: Release here; Acquire above and in `list`.
            match self.list.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    // SAFETY: replaced, made by `Box::into_raw`.
                    unsafe { guard.retire(old, |old| drop(Box::from_raw(old))) };
                    return result;
                }
                // SAFETY: never published.
                Err(_) => drop(unsafe { Box::from_raw(new) }),
            }
        }
    }

    /// The entry of class and key: the one there is, or a new one. `Err`: the limit.
    pub(crate) fn add(
        &self,
        log: &Log,
        class: u32,
        key: Option<&[u8]>,
    ) -> Result<Arc<Entry>, usize> {
        let since = log.next_sequence();
        self.replace(&log.arena.domain, |list| {
            let same = |old: &&Arc<Entry>| {
                old.class == class && old.key.as_deref() == key && !old.is_cleared()
            };
            if let Some(old) = list.entries.iter().find(same) {
                return (Ok(old.clone()), false);
            }
            if list.entries.len() >= self.limit {
                return (Err(self.limit), false);
            }
            let (number, at) = self.number_for(list);
            let entry = Arc::new(Entry {
                number,
                class,
                key: key.map(Into::into),
                since,
                cleared: AtomicBool::new(false),
                kept: AtomicPtr::new(std::ptr::null_mut()),
                kept_sequence: AtomicU64::new(0),
            });
            list.entries.insert(at, entry.clone());
            (Ok(entry), true)
        })
    }

    /// Behind so many numbers.
    #[cfg(test)]
    pub(crate) fn skip_to(&self, number: u32) {
        self.next_number.store(number, Ordering::Relaxed);
    }

    /// A number that no entry of the list has, and its place there. After 2^32 of them they come again.
    fn number_for(&self, list: &List) -> (u32, usize) {
        loop {
            // RELAXED: that it differs from what is in the list is seen below; the exchange of the list
            // fails if that is another meanwhile.
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            let place = list.entries.binary_search_by_key(&number, |entry| entry.number);
            if let (1.., Err(at)) = (number, place) {
                return (number, at);
            }
        }
    }

    /// Removes an entry; `false`: it was removed before.
    pub(crate) fn remove(&self, log: &Log, entry: &Arc<Entry>) -> bool {
        let domain = &log.arena.domain;
        // RELAXED: carries nothing; to the retirer it goes by the exchange in `forget`.
        entry.cleared.store(true, Ordering::Relaxed);
        let removed = self.replace(domain, |list| {
            let before = list.entries.len();
            list.entries.retain(|other| !Arc::ptr_eq(other, entry));
            let removed = list.entries.len() < before;
            (removed, removed)
        });
        // Behind `cleared`: see there.
        entry.forget(log);
        removed
    }

    /// Copies what a segment holds of retained state before it leaves the window: the retirer
    /// alone.
    pub(crate) fn capture(&self, log: &Log, segment: Held) {
        let list = {
            let _guard = log.pin();
            // EDGE retained.list: as in `list`, without the copy when nothing is retained.
            // SAFETY: freed only through the epoch, and pinned.
            let list = unsafe { &*self.list.load(Ordering::Acquire) };
            if list.entries.is_empty() {
                return;
            }
            list.clone()
        };
        // SAFETY: the retirer holds the segment.
        let frame = unsafe { segment.as_ref() };
        if frame.complete_union().is_some_and(|union| union & list.classes() == 0) {
            return;
        }
        // SAFETY: the retirer alone (rule R1 of the log), and nothing in here is user code.
        unsafe {
            self.scratch.with(|scratch| {
                scratch.clear();
                walk(frame, u64::MAX, |unit, head, sequence| {
                    if head.is_retained() {
                        scratch.push((unit, sequence));
                    }
                });
                // From the newest on: an entry is copied once for a segment.
                for &(unit, sequence) in scratch.iter().rev() {
                    let head = frame.head(unit);
                    let extra = extra_of(frame, unit, head);
                    for entry in list.of(head, extra, sequence) {
                        entry.keep(log, frame, unit, sequence);
                    }
                }
            });
        }
    }

    /// The bus goes.
    pub(crate) fn clear(&mut self, log: &Log) {
        // RELAXED: exclusive.
        let list = self.list.swap(std::ptr::null_mut(), Ordering::Relaxed);
        if !list.is_null() {
            // SAFETY: made by `Box::into_raw`; nobody reads the list of a bus that is going.
            let list = unsafe { Box::from_raw(list) };
            list.entries.iter().for_each(|entry| entry.forget(log));
        }
    }
}

impl Entry {
    /// Makes a copy of the record at `unit` the state of this entry, unless it has a newer one.
    fn keep(&self, log: &Log, frame: &Frame, unit: u32, sequence: u64) {
        // RELAXED: the retirer's own note.
        if self.kept_sequence.load(Ordering::Relaxed) >= sequence {
            return;
        }
        self.kept_sequence.store(sequence, Ordering::Relaxed);
        // SAFETY: held by the caller; the record is published.
        let (head, time) = unsafe { (frame.head(unit), frame.records().time(unit)) };
        let len = head.len() + if head.has_extra() { EXTRA_BYTES } else { 0 };
        // SAFETY: the record is published and its frame held.
        let bytes = unsafe { frame.records().bytes(unit as usize * UNIT + UNIT, len) };
        let copy = log.arena.take_small();
        // SAFETY: just taken, private; the largest record fits a small frame.
        unsafe {
            (*copy).begin_chunk(chunk_tag(next_chunk_number()), sequence);
            (*copy).slab().write_word(8, time);
            (*copy).slab().write_word(UNIT, sequence);
            (*copy).slab().write(2 * UNIT, bytes);
            (*copy).publish(0, head);
        }
        // EDGE retained.kept: Release here; Acquire in `read`.
        // EDGE retained.forget: Acquire here; Release in `forget`. Of this exchange and that of who
        // clears the later one finds the earlier: that one the copy, or this one `cleared`.
        let old = self.kept.swap(copy, Ordering::AcqRel);
        mark("state kept");
        if !old.is_null() {
            // SAFETY: the entry's reference on the older copy.
            unsafe { log.arena.release(old) };
        }
        if self.is_cleared() {
            self.forget(log);
        }
    }

    /// Gives the copy up.
    fn forget(&self, log: &Log) {
        // EDGE retained.kept: Acquire here; Release in `keep`.
        // EDGE retained.forget: Release here; Acquire in `keep`. Carries `cleared`.
        let kept = self.kept.swap(std::ptr::null_mut(), Ordering::AcqRel);
        if !kept.is_null() {
            // SAFETY: the entry's reference.
            unsafe { log.arena.release(kept) };
        }
    }

    /// Acquires the copy, if there is one: a frame with one record of a chunk's form.
    pub(crate) fn read(&self, log: &Log) -> Option<Held> {
        let _guard = log.pin();
        loop {
            // EDGE retained.kept: Acquire here; Release in `keep`.
            let kept = NonNull::new(self.kept.load(Ordering::Acquire))?;
            // SAFETY: referenced at the load, and pinned.
            if unsafe { kept.as_ref() }.acquire_any() {
                // EDGE retained.kept: as above.
                if self.kept.load(Ordering::Acquire) == kept.as_ptr() {
                    return Some(kept);
                }
                log.release(kept);
            }
            crate::sync::hint::again();
        }
    }
}

/// Walks the published records of a held segment below number `until`; `false` at a hole.
pub(crate) fn walk(frame: &Frame, until: u64, mut f: impl FnMut(u32, Head, u64)) -> bool {
    let mut unit = 0;
    let mut sequence = frame.base_sequence();
    while sequence < until {
        // SAFETY: the caller holds the segment; the walk goes from record to record.
        let head = unsafe { frame.head(unit) };
        if head.0 == 0 {
            return false;
        }
        if head.is_end() {
            return true;
        }
        f(unit, head, sequence);
        unit += head.units();
        sequence += 1;
    }
    true
}

/// The extra part of a published record in a held segment.
pub(crate) fn extra_of(frame: &Frame, unit: u32, head: Head) -> Option<Extra> {
    // SAFETY: the callers hold the segment and saw the record published, with this head.
    head.has_extra().then(|| unsafe { frame.records().extra(unit as usize * UNIT + UNIT) })
}
