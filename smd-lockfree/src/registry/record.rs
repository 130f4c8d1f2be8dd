//! What the bus knows of one participant: shared between it, senders, the retirer and wakers.

use crate::limits::Name;
use crate::log::frame::Frame;
use crate::log::handover::OpenChunk;
use crate::log::spill::Spill;
use crate::log::word::Head;
use crate::participant::Policy;
use crate::registry::ids::SenderId;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::local::OwnerCell;
use crate::sync::{Arc, CachePadded};
use crate::wait::waiter::Waiter;

/// No generation: see [`Record::generation`].
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// What the participant writes as it goes; others only read it.
#[derive(Debug)]
pub(crate) struct Progress {
    /// First number that it has not consumed; grows.
    pub(crate) next_sequence: AtomicU64,
    /// Highest number of a segment that it stands in or has stood in; grows.
    pub(crate) standing: AtomicU64,
    /// The spill node that it reads now, for who counts its backlog.
    pub(crate) current: AtomicPtr<Frame>,
    pub(crate) current_tag: AtomicU32,
    /// The segment where it stands, when the window has passed that: one counted reference.
    pub(crate) stood: AtomicPtr<Frame>,
    pub(crate) delivered: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) lagged: AtomicU64,
}

/// The choices of a registration.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    pub(crate) name: Name,
    pub(crate) depth: u64,
    pub(crate) policy: Policy,
    pub(crate) mask: u32,
    pub(crate) exclude_own: bool,
    pub(crate) retained: bool,
    pub(crate) bridge: bool,
}

/// The record of one registration.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) depth: u64,
    pub(crate) policy: Policy,
    /// The identity of senders made from this participant.
    pub(crate) sender: Arc<SenderId>,
    exclude_own: bool,
    /// Whether it takes retained state.
    pub(crate) retained: bool,
    /// Whether it forwards to elsewhere, and wants nothing itself.
    pub(crate) bridge: bool,
    mask: AtomicU32,
    /// First number from which each class counts; all 0 until the first widening.
    since: [AtomicU64; 32],
    since_max: AtomicU64,
    generation: AtomicU64,
    pub(crate) left: AtomicBool,
    /// The registration has its N and its place: it is handed over to.
    placed: AtomicBool,
    /// Something was retired that it might have wanted before it was placed.
    missed: AtomicBool,
    pub(crate) progress: CachePadded<Progress>,
    pub(crate) spill: Spill,
    pub(crate) waiter: Arc<Waiter>,
    pub(crate) depth_max: AtomicU64,
    /// What of its figures is in the totals of those who have left.
    pub(crate) added: [AtomicU64; 3],
    /// The retirer's note of the chunk that is open for this participant.
    pub(crate) open_chunk: OwnerCell<OpenChunk>,
}

/// Which messages a participant wants: its mask, since when, and whether its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'r> {
    pub(crate) mask: u32,
    since_max: u64,
    /// The sender to leave out; 0: none.
    exclude: u32,
    record: &'r Record,
}

impl Record {
    pub(crate) fn new(choices: Choices, sender: Arc<SenderId>, waiter: Arc<Waiter>) -> Record {
        Record {
            name: choices.name,
            depth: choices.depth,
            policy: choices.policy,
            sender,
            exclude_own: choices.exclude_own,
            retained: choices.retained,
            bridge: choices.bridge,
            mask: AtomicU32::new(choices.mask),
            since: std::array::from_fn(|_| AtomicU64::new(0)),
            since_max: AtomicU64::new(0),
            // Odd until the registration's N is known.
            generation: AtomicU64::new(1),
            left: AtomicBool::new(false),
            placed: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            progress: CachePadded::new(Progress {
                next_sequence: AtomicU64::new(0),
                standing: AtomicU64::new(0),
                current: AtomicPtr::new(std::ptr::null_mut()),
                current_tag: AtomicU32::new(0),
                stood: AtomicPtr::new(std::ptr::null_mut()),
                delivered: AtomicU64::new(0),
                expired: AtomicU64::new(0),
                lagged: AtomicU64::new(0),
            }),
            spill: Spill::new(),
            waiter,
            depth_max: AtomicU64::new(0),
            added: std::array::from_fn(|_| AtomicU64::new(0)),
            open_chunk: OwnerCell::new(OpenChunk::default()),
        }
    }

    /// A lower bound of the number from which the registration will hold.
    pub(crate) fn start_at(&self, sequence: u64) {
        // RELAXED: not registered yet.
        self.progress.next_sequence.store(sequence, Ordering::Relaxed);
    }

    // RELAXED (mask, since, `since_max`, generation): the participant changes them itself, between two touches
    // or before one; who counts meanwhile counts with the old or the new mask, and a count made by
    // a sender that saw the touch sees them by edge `log.touch`.

    pub(crate) fn mask(&self) -> u32 {
        self.mask.load(Ordering::Relaxed)
    }

    /// Which mask, and since when its classes count; [`UNKNOWN`] while that is being changed.
    pub(crate) fn generation(&self) -> u64 {
        // EDGE registry.mask: Acquire here; Release in `set_mask`. Carries mask and numbers.
        let generation = self.generation.load(Ordering::Acquire);
        if generation % 2 == 1 { UNKNOWN } else { generation }
    }

    /// `generation` again, if the mask is still of it; else [`UNKNOWN`].
    pub(crate) fn same_generation(&self, generation: u64) -> u64 {
        // FENCE registry.mask: what was read of the mask before, against the stores of `set_mask`
        // behind its own fence.
        fence(Ordering::Acquire);
        // RELAXED: ordered by the fence.
        if self.generation.load(Ordering::Relaxed) == generation { generation } else { UNKNOWN }
    }

    /// Changes the mask; classes in `added` count from `since` on. First with a lower bound of the
    /// number, then, `settled`, with the number: nothing is counted for good in between.
    pub(crate) fn set_mask(&self, mask: u32, added: u32, since: u64, settled: bool) {
        // RELAXED: the participant alone writes it.
        let generation = self.generation.load(Ordering::Relaxed);
        // RELAXED: behind the fence stand the stores that it announces.
        self.generation.store(generation | 1, Ordering::Relaxed);
        // FENCE registry.mask: see `same_generation`.
        fence(Ordering::Release);
        for bit in (0..32).filter(|bit| added >> bit & 1 == 1) {
            self.since[bit as usize].store(since, Ordering::Relaxed);
        }
        if added != 0 {
            self.since_max.fetch_max(since, Ordering::Relaxed);
        }
        self.mask.store(mask, Ordering::Relaxed);
        if settled {
            self.settle();
        }
    }

    /// From now on what is wanted is counted for good.
    pub(crate) fn settle(&self) {
        // RELAXED: the participant alone writes it.
        let generation = self.generation.load(Ordering::Relaxed);
        // EDGE registry.mask: Release here; Acquire in `generation`.
        self.generation.store((generation | 1) + 1, Ordering::Release);
    }

    /// What it wants: the mask, and since when each class counts.
    pub(crate) fn wanted(&self) -> (u32, [u64; 32]) {
        // RELAXED: as above.
        let since = std::array::from_fn(|class: usize| self.since[class].load(Ordering::Relaxed));
        (self.mask(), since)
    }

    /// Whether it wants nothing of this sender.
    pub(crate) fn excludes(&self, sender: u32) -> bool {
        self.exclude_own && sender != 0 && sender == self.sender.get()
    }

    /// Whether the mask alone says what it wants at `sequence` and later.
    #[inline(always)]
    pub(crate) fn is_plain(&self, sequence: u64) -> bool {
        !self.exclude_own && sequence >= self.since_max.load(Ordering::Relaxed)
    }

    pub(crate) fn filter(&self) -> Filter<'_> {
        Filter {
            mask: self.mask(),
            since_max: self.since_max.load(Ordering::Relaxed),
            exclude: if self.exclude_own { self.sender.get() } else { 0 },
            record: self,
        }
    }

    /// The registration begins to look for its N, perhaps again: until it is placed, nothing is
    /// handed over to it.
    pub(crate) fn unplace(&self) {
        // RELAXED (both): only this registration places; `place` publishes, and its fence orders.
        self.placed.store(false, Ordering::Relaxed);
        self.missed.store(false, Ordering::Relaxed);
    }

    /// The registration has its N and a reference on the segment there. `false`: something of that
    /// segment, or a later one, may have been retired meanwhile; look for another N.
    #[must_use = "what was retired meanwhile is gone"]
    pub(crate) fn place(&self) -> bool {
        // EDGE registry.placed: Release here; Acquire in `is_placed`. Carries N and the place.
        self.placed.store(true, Ordering::Release);
        // FENCE registry.placed: `placed` stored and `missed` loaded, against the retirer's
        // `missed` stored and `placed` loaded.
        fence(Ordering::SeqCst);
        // RELAXED: ordered by the fence.
        !self.missed.load(Ordering::Relaxed)
    }

    /// Whether the retirer hands over to it; if not, it has been told that it missed something.
    pub(crate) fn is_placed(&self) -> bool {
        // EDGE registry.placed: Acquire here; Release in `place`.
        if self.placed.load(Ordering::Acquire) {
            return true;
        }
        // RELAXED: ordered by the fence.
        self.missed.store(true, Ordering::Relaxed);
        // FENCE registry.placed: see `place`.
        fence(Ordering::SeqCst);
        // EDGE registry.placed: as above.
        self.placed.load(Ordering::Acquire)
    }

    pub(crate) fn has_left(&self) -> bool {
        // EDGE registry.left: Acquire here; Release in `Core::depart`.
        self.left.load(Ordering::Acquire)
    }

    /// Remembers the highest backlog that somebody counted.
    pub(crate) fn saw_depth(&self, backlog: u64) {
        // Under policy lag what is over the depth is lost already, only not reported yet.
        let backlog = backlog.min(self.depth);
        // RELAXED: statistics.
        if backlog > self.depth_max.load(Ordering::Relaxed) {
            self.depth_max.fetch_max(backlog, Ordering::Relaxed);
        }
    }

    pub(crate) fn next_sequence(&self) -> u64 {
        // RELAXED: it only grows, and carries nothing. By an older number more is counted and handed
        // over, never less; a node or a frame is let go by exchanges of their own.
        // FENCE wait.room: who waits for room loads it behind a fence.
        self.progress.next_sequence.load(Ordering::Relaxed)
    }
}

impl Filter<'_> {
    /// Whether the participant wants message `sequence`.
    #[inline(always)]
    pub(crate) fn wants(&self, head: Head, sequence: u64) -> bool {
        let bits = head.bits() & self.mask;
        bits != 0
            && (sequence >= self.since_max || self.wants_since(bits, sequence))
            && (self.exclude == 0 || head.sender() != self.exclude)
    }

    #[cold]
    fn wants_since(&self, mut bits: u32, sequence: u64) -> bool {
        while bits != 0 {
            let bit = bits.trailing_zeros() as usize;
            // RELAXED: see `Record::set_mask`.
            if sequence >= self.record.since[bit].load(Ordering::Relaxed) {
                return true;
            }
            bits &= bits - 1;
        }
        false
    }

    /// Whether everything at `sequence` and later with these classes is wanted.
    pub(crate) fn covers(&self, union: u32, sequence: u64) -> bool {
        union & !self.mask == 0 && sequence >= self.since_max && self.exclude == 0
    }
}
