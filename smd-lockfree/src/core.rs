//! What every handle of one bus shares.
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `core.closed` | store of `closed` | its load | the closed log |
//! | `core.producers` | a handle's subtraction | the last one's | what went through the handle |

#![allow(unsafe_code)]

use std::cell::Cell;
use std::time::Duration;

use crate::class::Class;
use crate::clock::Clock;
use crate::error::{FullReason, SendError};
use crate::fork;
use crate::hooks::mark;
use crate::interest::Observers;
use crate::limits::Name;
use crate::log::tail::Log;
use crate::registry::Registry;
use crate::registry::record::Record;
use crate::retained::table::Table;
use crate::send::slots::SenderSlots;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::epoch::Domain;
use crate::trace::event;
use crate::wait::room::Room;
use crate::wait::waiter::Waiter;
use crate::wait::waiters::Waiters;

/// The choices of the builder.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) name: Name,
    pub(crate) depth: u32,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) segment_bytes: usize,
    pub(crate) max_segments: usize,
    pub(crate) retained_limit: usize,
    pub(crate) max_participants: usize,
    pub(crate) prewarm: usize,
}

/// So many free segments are kept at least, so that a burst finds what the last one left; see
/// [`Bus::trim`](crate::Bus::trim).
const POOL: usize = if cfg!(any(smd_loom, smd_shuttle)) { 2 } else { 1024 };

/// The bus behind its handles. Nothing in here runs user code while it holds anything.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) registry: Registry,
    pub(crate) waiters: Waiters,
    pub(crate) room: Room,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    /// Time to live in nanoseconds; `u64::MAX`: off.
    time_to_live: u64,
    closed: AtomicBool,
    forks: u32,
    /// Tells this bus from every other of the process.
    identity: u64,
    /// `Bus` and `Sender` handles: the last one gone closes the bus.
    pub(crate) producers: AtomicUsize,
    pub(crate) observers: Observers,
    pub(crate) retained: Table,
    pub(crate) slots: SenderSlots,
    pub(crate) departed: Departed,
}

/// Totals of participants that have left, so that the bus's figures never fall.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    pub(crate) delivered: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) lagged: AtomicU64,
}

impl Departed {
    /// Adds what a participant has counted since it was added last: at its departure, and when its
    /// last receive is over.
    pub(crate) fn add(&self, record: &Record) {
        let progress = &record.progress;
        for (at, (total, figure)) in [
            (&self.delivered, &progress.delivered),
            (&self.expired, &progress.expired),
            (&self.lagged, &progress.lagged),
        ]
        .into_iter()
        .enumerate()
        {
            // RELAXED (all): statistics; the maximum lets two who add at once add it once.
            let now = figure.load(Ordering::Relaxed);
            let before = record.added[at].fetch_max(now, Ordering::Relaxed);
            total.fetch_add(now.saturating_sub(before), Ordering::Relaxed);
        }
    }
}

impl Core {
    pub(crate) fn new(config: Config, clock: Clock) -> Core {
        let units = (config.segment_bytes / crate::sync::slab::UNIT) as u32;
        // In a model with a low cap that is few, so that frames are really freed.
        let cells = config.max_segments.max(POOL);
        let arena = Arc::new(crate::log::arena::Arena::new(units, cells));
        arena.prewarm(config.prewarm);
        let now = clock.now().nanos();
        // Here and not at the first send that needs it: it may take the system some milliseconds.
        crate::sync::asymmetric::is_available();
        Core {
            registry: Registry::new(),
            waiters: Waiters::new(),
            room: Room::new(),
            log: Log::new(arena, config.max_segments as u64, now),
            clock,
            time_to_live: config
                .time_to_live
                .map_or(u64::MAX, |ttl| u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX)),
            retained: Table::new(config.retained_limit),
            config,
            closed: AtomicBool::new(false),
            forks: fork::generation(),
            identity: identity(),
            producers: AtomicUsize::new(1),
            observers: Observers::new(),
            slots: SenderSlots::new(),
            departed: Departed::default(),
        }
    }

    #[cfg_attr(any(smd_loom, smd_shuttle), expect(dead_code, reason = "for thread-locals"))]
    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.log.arena.domain
    }

    /// Whether this process is a forked child of the one that made the bus.
    #[inline(always)]
    pub(crate) fn is_forked(&self) -> bool {
        self.forks != fork::generation()
    }

    pub(crate) fn is_closed(&self) -> bool {
        // EDGE core.closed: Acquire here; Release in `close`.
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now().nanos()
    }

    /// Messages stamped before this are expired at `now`.
    #[inline(always)]
    pub(crate) fn cutoff_at(&self, now: u64) -> u64 {
        now.saturating_sub(self.time_to_live)
    }

    /// The same, without a look at the clock when nothing ever expires.
    #[inline(always)]
    pub(crate) fn cutoff(&self) -> u64 {
        if self.time_to_live == u64::MAX { 0 } else { self.cutoff_at(self.now()) }
    }

    /// Shortens the window if that is due.
    pub(crate) fn retire(&self, now: u64) {
        self.log.retire(
            |lend| {
                let guard = self.log.pin();
                lend(self.registry.snapshot(&guard));
            },
            |segment| self.retained.capture(&self.log, segment),
            self.cutoff_at(now),
        );
    }

    /// Wakes who sleeps for what `sender` has just published. Runs wakers.
    #[inline(always)]
    pub(crate) fn published(&self, classes: u32, sender: u32) {
        if self.waiters.sleep_for(classes) {
            self.wake(classes, sender);
        }
    }

    #[cold]
    fn wake(&self, classes: u32, sender: u32) {
        if self.waiters.wake(classes, sender, &self.registry, self.domain()) {
            // A sender that waits for room may have been refused for what was just published.
            self.room.freed(u32::MAX, self.domain());
        }
    }

    /// The try of a sender before it sleeps for want of room: what makes room afterwards wakes it (rule
    /// W5).
    pub(crate) fn try_for_room<T>(
        &self,
        waiter: &Waiter,
        send: &impl Fn(Option<&Cell<bool>>) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        self.room.announce(waiter);
        let hole = Cell::new(false);
        match send(Some(&hole)) {
            Err(SendError::Full(_)) if hole.get() => {
                mark("no room behind a hole");
                // Nobody makes room where what it was refused for turns out to be wanted by others:
                // it hears of whatever is published.
                self.waiters.announce_for_room();
                send(None)
            }
            outcome => outcome,
        }
    }

    /// Wakes everybody, sleepers and senders that wait for room.
    pub(crate) fn rouse_all(&self) {
        let _ = self.waiters.wake(u32::MAX, 0, &self.registry, self.domain());
        self.room.freed(u32::MAX, self.domain());
    }

    /// Closes the bus; the first number that will never be given.
    pub(crate) fn close(&self) -> u64 {
        let closed = self.log.close(self.now());
        // EDGE core.closed: Release here; Acquire in `is_closed`. Who sees it finds the log's end.
        self.closed.store(true, Ordering::Release);
        match closed {
            Some(sequence) => {
                event!(self, "closed", at = sequence);
                // FENCE wait.park: the closed log against the sleepers' announcements.
                crate::sync::atomic::fence(Ordering::SeqCst);
                self.rouse_all();
                sequence
            }
            None => self.log.next_sequence(),
        }
    }

    /// The number from which a change of the registry holds that was published before: after the
    /// close, the first that will never be given.
    pub(crate) fn change_point(&self) -> u64 {
        match self.log.touch(self.now()) {
            Ok(point) => {
                self.log.release(point.frame);
                point.sequence
            }
            Err(_) => self.log.next_sequence(),
        }
    }

    /// Ends a registration (rule M5 of the registry). `None`: it had ended before. Otherwise the
    /// number from which it holds.
    pub(crate) fn depart(&self, record: &Arc<Record>) -> Option<u64> {
        // Before all else, so that a receive in progress that finds a number behind the touch, or is
        // handed over no more, sees it.
        // EDGE registry.left: Release here; Acquire in `Record::has_left`.
        if record.left.swap(true, Ordering::AcqRel) {
            return None;
        }
        #[cfg(test)]
        crate::hooks::reached(crate::hooks::Place::Leaving);
        self.registry.remove(self.domain(), record).ok()?;
        let sequence = self.change_point();
        self.departed.add(record);
        // FENCE spill.left: `left` against the ring (rule H5 of the log).
        crate::log::spill::Spill::fence();
        record.spill.sweep(&self.log);
        // EDGE spill.stood: Acquire here; Release in `Handover::leave_stood`.
        let stood = record.progress.stood.swap(std::ptr::null_mut(), Ordering::AcqRel);
        if let Some(stood) = std::ptr::NonNull::new(stood) {
            self.log.release(stood);
        }
        mark("left");
        record.waiter.rouse();
        // Of all classes: its mask may just be changing.
        self.room.freed(u32::MAX, self.domain());
        event!(self, "participant left", name = record.name.as_str(), at = sequence);
        self.observers.changed(&self.registry, self.domain());
        Some(sequence)
    }

    /// What a send asks first: is it allowed at all, and does anybody want it?
    #[inline(always)]
    pub(crate) fn admit(&self, class: Class, len: usize) -> Result<bool, SendError> {
        SendError::check_len(len)?;
        if class.is_empty() {
            return Err(SendError::EmptyClass);
        }
        if self.registry.interest().mask() & class.bits() == 0 {
            return if self.is_closed() { Err(SendError::Closed) } else { Ok(false) };
        }
        if self.is_forked() {
            return Err(SendError::Forked);
        }
        Ok(true)
    }

    /// A send was refused. A subscriber of events is user code, and may send in turn: nothing of the
    /// sender is borrowed any more.
    #[cold]
    pub(crate) fn refused(&self, error: &SendError) {
        if *error == SendError::Full(FullReason::Stalled) {
            event!(self, "the cap of live segments is reached");
        }
    }

    /// A handle that may send was dropped.
    pub(crate) fn producer_gone(&self) {
        // EDGE core.producers: AcqRel: the last to go closes after all the others are done.
        let last = self.producers.fetch_sub(1, Ordering::AcqRel) == 1;
        if last && !self.is_closed() && !self.is_forked() {
            self.close();
        }
    }
}

/// A number that no other bus of this process has.
#[allow(clippy::disallowed_types)]
fn identity() -> u64 {
    // Not a modelled word: it orders nothing.
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    // RELAXED: only uniqueness matters.
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

impl Drop for Core {
    fn drop(&mut self) {
        self.slots.clear(&self.log);
        self.retained.clear(&self.log);
    }
}
