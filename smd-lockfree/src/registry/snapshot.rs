//! An immutable picture of who is registered, indexed by class.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};

use super::record::Record;

/// One registered participant. The snapshot's pointer is one counted reference of the registry,
/// shared by all snapshots that list the record and given back through the epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    record: *const Record,
    pub(crate) mask: u32,
}

impl Entry {
    pub(super) fn new(record: Arc<Record>, mask: u32) -> Entry {
        Entry { record: Arc::into_raw(record), mask }
    }

    pub(super) fn pointer(&self) -> *const Record {
        self.record
    }

    pub(crate) fn record(&self) -> &Record {
        // SAFETY: listed in a snapshot, which is only lent under a pin: the registry's reference
        // is given back through the epoch after the record left the last snapshot.
        unsafe { &*self.record }
    }
}

/// Who wants what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Interests {
    /// The union of all masks, and what is retained: what decides whether a message is wanted.
    pub(crate) all: u32,
    /// The same without bridges: what they tell the other side.
    pub(crate) local: u32,
}

/// Classes whose limits are kept. A model has few, because each is a word to look at; for any other
/// class the limit stays 0, which is always right (rule L1), and each sender counts for itself.
const LIMITS: usize = if cfg!(smd_loom) { 4 } else { 32 };

/// What the registry was at one version.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) version: u32,
    entries: Box<[Entry]>,
    /// Entries of class c: `index[offsets[c]..offsets[c + 1]]`.
    index: Box<[u32]>,
    offsets: [u32; 33],
    /// Classes that the bus itself wants, because they are retained.
    pub(crate) retained: u32,
    /// Rule L1 of the log: no backpressure participant of the class is full before this number.
    limits: [AtomicU64; LIMITS],
}

impl Snapshot {
    pub(super) fn new(version: u32, entries: Vec<Entry>, retained: u32) -> Snapshot {
        let mut offsets = [0; 33];
        let mut index = Vec::new();
        for (class, offset) in offsets.iter_mut().take(32).enumerate() {
            *offset = index.len() as u32;
            let of_class = entries.iter().enumerate().filter(|(_, e)| e.mask >> class & 1 == 1);
            index.extend(of_class.map(|(at, _)| at as u32));
        }
        offsets[32] = index.len() as u32;
        Snapshot {
            version,
            entries: entries.into(),
            index: index.into(),
            offsets,
            retained,
            limits: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Who wants what. Cost: a look at each participant.
    pub(crate) fn interests(&self) -> Interests {
        let nobody = Interests { all: self.retained, local: self.retained };
        self.entries.iter().fold(nobody, |seen, entry| Interests {
            all: seen.all | entry.mask,
            local: seen.local | if entry.record().bridge { 0 } else { entry.mask },
        })
    }

    /// The entries of one class.
    pub(crate) fn of_class(&self, class: u32) -> impl Iterator<Item = &Entry> {
        let range =
            self.offsets[class as usize] as usize..self.offsets[class as usize + 1] as usize;
        self.index[range].iter().map(|&at| &self.entries[at as usize])
    }

    /// Calls `f` once for each participant that wants a class of `classes`.
    pub(crate) fn each_of(&self, classes: u32, mut f: impl FnMut(&Record)) {
        let mut left = classes;
        while left != 0 {
            let class = left.trailing_zeros();
            left &= left - 1;
            for entry in self.of_class(class) {
                // In several of the lists: at the first of them.
                if (entry.mask & classes).trailing_zeros() == class {
                    f(entry.record());
                }
            }
        }
    }

    pub(crate) fn limit(&self, class: u32) -> u64 {
        // RELAXED: only grows, and any value that it ever had is right (rule L1).
        self.limits.get(class as usize).map_or(0, |limit| limit.load(Ordering::Relaxed))
    }

    pub(crate) fn raise_limit(&self, class: u32, limit: u64) {
        // RELAXED: see `limit`.
        if let Some(known) = self.limits.get(class as usize) {
            known.fetch_max(limit, Ordering::Relaxed);
        }
    }
}

// SAFETY: the entries point to `Record`s, which are `Send + Sync`, and stand for counted
// references.
unsafe impl Send for Snapshot {}
// SAFETY: as above; only the limits change, and they are atomic.
unsafe impl Sync for Snapshot {}
