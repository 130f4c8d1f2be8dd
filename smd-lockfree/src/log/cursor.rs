//! A participant's own way through the log: window, spill, and back (rules P1 to P5).

use std::cell::Cell;
use std::ptr::NonNull;

use crate::core::Core;
use crate::error::LagReason;
use crate::hooks::mark;
use crate::registry::record::{Filter, Record};
use crate::sync::atomic::Ordering;
use crate::sync::hint;
use crate::sync::slab::UNIT;

use super::backlog::Unpublished;
use super::frame::{Frame, segment_tag};
use super::spill::{Gap, Losses, Lost, Node, Spill};
use super::tail::{Held, Log, Next, Point};
use super::word::Head;

/// Where the cursor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In a segment of the window, or one that left it while the cursor stood there; referenced.
    Window,
    /// In a segment that a spill node handed over; referenced.
    Owed,
    /// In a chunk of a spill node; referenced.
    Chunk,
    /// Nowhere: no reference; the segment where it was is remembered (rule P5).
    Away,
}

/// The cursor of one participant; nobody else ever writes it.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(super) place: Place,
    pub(super) frame: Held,
    /// Number of the segment in `frame` (not for a chunk).
    number: u64,
    pub(super) unit: u32,
    /// First number not consumed; in a segment, the number of the record at `unit`.
    pub(super) sequence: u64,
    /// Index behind the last node taken.
    next_node: u64,
    /// Every record of this segment before `unit` was seen by this cursor.
    whole: bool,
    /// How many of the next wanted messages are over the depth (policy lag).
    over_depth: u64,
    /// Nodes were trimmed before the last one taken, perhaps after that was counted.
    trimmed: bool,
    /// Losses that were not reported yet.
    pub(crate) losses: Losses,
}

// SAFETY: the frame pointer is a counted reference, or is only used by rule F3.
unsafe impl Send for Cursor {}

/// A message that the cursor stands behind; valid until the cursor moves on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) frame: Held,
    pub(crate) head: Head,
    /// Byte offset of what follows the head and time.
    pub(crate) body: usize,
    pub(crate) sequence: u64,
    pub(crate) time: u64,
}

/// What a look found.
#[derive(Debug)]
pub(crate) enum Look {
    Found(Found),
    /// Losses must be reported before anything else.
    Lost,
    /// Nothing yet.
    Nothing,
    /// Retained state is due now.
    State,
    /// The log is closed, and all of it consumed.
    Closed,
}

/// What a cursor needs to know of its participant for one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) log: &'a Log,
    pub(crate) record: &'a Record,
    pub(crate) filter: Filter<'a>,
    /// Messages stamped before what this returns are expired; asked at most once.
    pub(crate) cutoff: &'a Cutoff<'a>,
    /// Retained state is due before the first wanted message with this number or a later one.
    pub(crate) state_at: u64,
    /// Messages with this number or a later one are left for another turn.
    pub(crate) until: u64,
}

impl<'a> View<'a> {
    /// All that is there: neither state nor a bound stops a look.
    pub(crate) fn whole(log: &'a Log, record: &'a Record, cutoff: &'a Cutoff<'a>) -> View<'a> {
        let filter = record.filter();
        View { log, record, filter, cutoff, state_at: u64::MAX, until: u64::MAX }
    }
}

/// The time before which messages are expired: the clock is read when the first message asks.
pub(crate) struct Cutoff<'a> {
    core: &'a Core,
    known: Cell<Option<u64>>,
}

impl<'a> Cutoff<'a> {
    pub(crate) fn new(core: &'a Core) -> Cutoff<'a> {
        Cutoff { core, known: Cell::new(None) }
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.known.get().unwrap_or_else(|| self.renew())
    }

    fn renew(&self) -> u64 {
        let cutoff = self.core.cutoff();
        self.known.set(Some(cutoff));
        cutoff
    }
}

impl std::fmt::Debug for Cutoff<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cutoff").field("known", &self.known).finish_non_exhaustive()
    }
}

impl Cursor {
    /// A cursor at a point of the order, whose reference it takes over.
    pub(crate) fn new(point: Point, record: &Record) -> Cursor {
        // SAFETY: held.
        let number = unsafe { point.frame.as_ref() }.number();
        // RELAXED: nothing at or before this segment was handed over for this participant that it
        // has not got; a trim of it sees `next_sequence`, stored next, or finds nothing to trim.
        record.progress.standing.fetch_max(number, Ordering::Relaxed);
        // RELAXED: see `Record::next_sequence`. The retirer has it by edge `registry.placed`.
        record.progress.next_sequence.store(point.sequence, Ordering::Relaxed);
        Cursor {
            place: Place::Window,
            frame: point.frame,
            number,
            unit: point.unit,
            sequence: point.sequence,
            next_node: 0,
            whole: point.unit == 0,
            over_depth: 0,
            trimmed: false,
            losses: Losses::default(),
        }
    }

    /// First number not consumed.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Policy lag: what is over the depth now is to be dropped from the front.
    pub(crate) fn cut(&mut self, view: &View<'_>) {
        let depth = view.record.depth;
        let tail = view.log.next_sequence();
        self.over_depth = 0;
        self.trimmed = false;
        if tail - self.sequence.min(tail) > depth {
            let ignored = Unpublished::Ignored;
            let backlog = view.log.backlog(view.record, tail, view.cutoff.get(), ignored);
            self.over_depth = backlog.saturating_sub(depth);
        }
    }

    /// Whether messages are to be dropped.
    pub(crate) fn is_over_depth(&self) -> bool {
        self.over_depth > 0
    }

    /// Some of what was counted as over the depth may have been trimmed since: counts again.
    #[cold]
    fn cut_again(&mut self, view: &View<'_>) {
        mark("counted again behind a trim");
        self.publish(view.record);
        self.cut(view);
    }

    /// Takes over what was trimmed right before a node.
    fn take_gap(&mut self, node: &Node) {
        if node.index != self.next_node {
            self.losses.add_gap(&node.gap);
            // Only if there is something to report, so that a look that counts again ends with it.
            self.trimmed |= node.gap != Gap::default();
        }
        self.next_node = node.index + 1;
    }

    /// Publishes how far the participant is.
    #[inline(always)]
    pub(crate) fn publish(&self, record: &Record) {
        // RELAXED: see `Record::next_sequence`.
        record.progress.next_sequence.store(self.sequence, Ordering::Relaxed);
    }

    /// Goes on to the next wanted message.
    #[inline]
    pub(crate) fn look(&mut self, view: &View<'_>) -> Look {
        loop {
            if self.place == Place::Away {
                self.come_back(view);
            }
            // SAFETY: not away, so referenced; `unit` is at a record, or behind the last.
            let head = unsafe { self.frame.as_ref().head(self.unit) };
            if head.0 == 0 {
                if self.place == Place::Chunk {
                    self.end_chunk(view);
                    continue;
                }
                return self.stop(view);
            }
            if head.is_end() {
                match self.end_segment(view) {
                    None => continue,
                    Some(Look::Nothing) => return self.stop(view),
                    Some(_) if !self.losses.is_empty() => return Look::Lost,
                    Some(_) if self.sequence >= view.state_at => return Look::State,
                    Some(look) => return look,
                }
            }
            let at = self.unit;
            let (sequence, units, body) = if self.place == Place::Chunk {
                let body = at as usize * UNIT + UNIT;
                // SAFETY: published; in a chunk its number stands in a unit of its own.
                let sequence = unsafe { self.frame.as_ref().records().word(body) };
                (sequence, head.units() + 1, body + UNIT)
            } else {
                (self.sequence, head.units(), at as usize * UNIT + UNIT)
            };
            if sequence < self.sequence {
                // In a chunk, copied before this participant's progress was seen.
                self.unit += units;
                continue;
            }
            if head.bits() & view.filter.mask == 0 && self.is_in_segment() {
                self.step_over(head);
                continue;
            }
            if !view.filter.wants(head, sequence) {
                self.unit += units;
                self.sequence = sequence + 1;
                continue;
            }
            if sequence >= view.until || sequence >= view.state_at {
                // In a chunk: nothing before it is wanted.
                self.sequence = sequence;
                return self.stop(view);
            }
            // SAFETY: published.
            let time = unsafe { self.frame.as_ref().records().time(at) };
            let lost = Lost::one(sequence, head.bits());
            if time < view.cutoff.get() {
                self.losses.add(LagReason::Expired, lost);
            } else if self.over_depth > 0 {
                if self.trimmed {
                    self.cut_again(view);
                    continue;
                }
                self.over_depth -= 1;
                self.losses.add(LagReason::Overflow, lost);
            } else if !self.losses.is_empty() {
                return Look::Lost;
            } else {
                self.unit += units;
                self.sequence = sequence + 1;
                return Look::Found(Found { frame: self.frame, head, body, sequence, time });
            }
            self.unit += units;
            self.sequence = sequence + 1;
        }
    }

    #[inline(always)]
    pub(super) fn is_in_segment(&self) -> bool {
        matches!(self.place, Place::Window | Place::Owed)
    }

    /// Nothing more may be delivered now: reports, state, or nothing.
    #[cold]
    fn stop(&self, view: &View<'_>) -> Look {
        if !self.losses.is_empty() {
            Look::Lost
        } else if self.sequence >= view.state_at {
            Look::State
        } else {
            Look::Nothing
        }
    }

    /// At END: to the next segment or node; `Some` where there is nothing more to see now.
    #[cold]
    fn end_segment(&mut self, view: &View<'_>) -> Option<Look> {
        if self.place != Place::Window {
            self.finish_node(view);
            return None;
        }
        // SAFETY: held.
        let frame = unsafe { self.frame.as_ref() };
        if self.whole && frame.complete_union().is_none() {
            frame.set_complete();
        }
        self.publish(view.record);
        self.drop_consumed(view);
        let guard = view.log.pin();
        match view.log.acquire_next(self.frame, &guard) {
            Next::Held(next) => {
                let number = self.number + 1;
                if !self.stand(view, number, &guard) {
                    view.log.release(next);
                    self.pass(view);
                    return None;
                }
                view.log.release(self.frame);
                self.enter(next, number, Place::Window, view);
                view.cutoff.core.room.calm();
                None
            }
            Next::Passed => {
                self.pass(view);
                None
            }
            Next::Missing if view.log.load_claim(frame).is_closed() => Some(Look::Closed),
            Next::Missing => Some(Look::Nothing),
        }
    }

    /// Announces that the cursor stands in window segment `number`; `false` if the window has
    /// passed it (rule P3).
    fn stand(&self, view: &View<'_>, number: u64, guard: &crate::sync::epoch::Guard) -> bool {
        // EDGE spill.standing: Release here; Acquire in `Handover`. Carries `next_sequence`.
        view.record.progress.standing.fetch_max(number, Ordering::Release);
        // FENCE spill.stand: our store of `standing` and load of `low` against the retirer's store
        // of `low` and load of `standing`.
        Spill::fence();
        view.log.low_number(guard) <= number
    }

    /// Begins to read a segment from its first record, or from the first not consumed.
    fn enter(&mut self, frame: Held, number: u64, place: Place, view: &View<'_>) {
        // SAFETY: the caller passes a reference on.
        let life = unsafe { frame.as_ref() };
        self.place = place;
        self.frame = frame;
        self.number = number;
        self.unit = 0;
        self.whole = true;
        let consumed = self.sequence;
        self.sequence = life.base_sequence();
        if let Some(union) = life.complete_union()
            && union & view.filter.mask == 0
        {
            // Nothing in here is wanted: over it whole.
            let claim = view.log.load_claim(life);
            self.unit = claim.units();
            self.sequence += claim.messages();
        }
        while self.sequence < consumed {
            // SAFETY: held, and at a record: everything below `consumed` was published.
            let head = unsafe { life.head(self.unit) };
            if head.0 == 0 || head.is_end() {
                break;
            }
            self.unit += head.units();
            self.sequence += 1;
        }
        self.sequence = self.sequence.max(consumed);
    }

    /// The window has passed the segment: gives it up and goes on in the spill, or at `low`.
    fn pass(&mut self, view: &View<'_>) {
        mark("passed by the window");
        self.publish(view.record);
        view.log.release(self.frame);
        self.place = Place::Away;
        self.take_owed(view);
    }

    /// Rule P4.
    fn take_owed(&mut self, view: &View<'_>) {
        let record = view.record;
        loop {
            // Pinned from the look at the ring on: what `take_node` shows to counters was in the ring
            // under this pin, or is withdrawn before it ends.
            let guard = view.log.pin();
            // The ring before the cell: what is dropped from the ring is in the cell before.
            let first = record.spill.first();
            match self.take_stood(view, first.as_ref()) {
                Stood::Entered => return,
                Stood::Changed => {
                    hint::again();
                    continue;
                }
                Stood::Later => {}
            }
            if let Some(first) = first {
                self.take_node(view, &first);
                if self.place != Place::Away {
                    return;
                }
                continue;
            }
            drop(guard);
            let low = view.log.acquire_low();
            // SAFETY: held.
            let number = unsafe { low.as_ref() }.number();
            // First the look, which `low` makes complete: what was put into ring or cell below it. So
            // the cursor never seems to stand before what is still there.
            if record.spill.is_empty()
                && !self.has_stood(record)
                && self.stand(view, number, &view.log.pin())
            {
                mark("back in the window");
                self.enter(low, number, Place::Window, view);
                return;
            }
            view.log.release(low);
            hint::again();
        }
    }

    fn has_stood(&self, record: &Record) -> bool {
        // EDGE spill.stood: Acquire here; Release in `Handover::leave_stood`.
        !record.progress.stood.load(Ordering::Acquire).is_null()
    }

    /// Takes the segment that was left in the cell (rule H6), unless the `first` node of the ring, which
    /// was looked at before, comes before it.
    fn take_stood(&mut self, view: &View<'_>, first: Option<&Node>) -> Stood {
        let progress = &view.record.progress;
        // EDGE spill.stood: Acquire here; Release in `Handover::leave_stood`.
        let Some(frame) = NonNull::new(progress.stood.load(Ordering::Acquire)) else {
            return Stood::Later;
        };
        // SAFETY: referenced by the cell at the load, and the caller is pinned.
        let life = unsafe { frame.as_ref() };
        if !life.acquire_any() {
            return Stood::Changed;
        }
        let number = life.number();
        let end = life.base_sequence() + view.log.load_claim(life).messages();
        let consumed = end <= self.sequence;
        if !consumed {
            if first.is_some_and(|node| node.first_segment <= number) {
                view.log.release(frame);
                return Stood::Later;
            }
            // RELAXED: published by the exchange below.
            progress.current_tag.store(segment_tag(number), Ordering::Relaxed);
            progress.current.store(frame.as_ptr(), Ordering::Relaxed);
        }
        // EDGE spill.stood: AcqRel: who counts and finds the cell empty finds `current`.
        let taken = progress.stood.compare_exchange(
            frame.as_ptr(),
            std::ptr::null_mut(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        // The cell's reference, or the one taken here: one of them is enough.
        view.log.release(frame);
        if taken.is_err() {
            // RELAXED: as in `take_node`.
            progress.current.store(std::ptr::null_mut(), Ordering::Relaxed);
            mark("the cell changed under its taker");
            return Stood::Changed;
        }
        if consumed {
            view.log.release(frame);
            return Stood::Later;
        }
        if number == self.number {
            self.place = Place::Owed;
            self.frame = frame;
        } else {
            self.enter(frame, number, Place::Owed, view);
        }
        Stood::Entered
    }

    /// Takes the first node of the spill, unless somebody trims it meanwhile. The caller has been
    /// pinned since it looked at the ring.
    fn take_node(&mut self, view: &View<'_>, node: &Node) {
        let record = view.record;
        // EDGE registry.progress: published by the exchange in `take`: a counter that does not
        // find the node in the ring finds it here.
        record.progress.current_tag.store(node.tag, Ordering::Relaxed);
        record.progress.current.store(node.frame.as_ptr(), Ordering::Relaxed);
        if !record.spill.take(node.index) {
            // RELAXED: trimmed or swept, and freed only after our pin: who pins then sees this.
            record.progress.current.store(std::ptr::null_mut(), Ordering::Relaxed);
            mark("node trimmed under its taker");
            return;
        }
        self.take_gap(node);
        // EDGE spill.standing: Release here; Acquire in `Handover`. Carries `next_sequence` and that
        // the node was taken.
        record.progress.standing.fetch_max(node.first_segment, Ordering::Release);
        if node.chunk {
            self.place = Place::Chunk;
            self.frame = node.frame;
            self.unit = 0;
            // The place in the segment before is forgotten.
            self.number = 0;
            return;
        }
        // SAFETY: the node's reference is ours now.
        let number = unsafe { node.frame.as_ref() }.number();
        if number == self.number {
            // The segment where the cursor was: at the same place.
            self.place = Place::Owed;
            self.frame = node.frame;
        } else {
            self.enter(node.frame, number, Place::Owed, view);
        }
    }

    /// Drops the nodes in front that were consumed through the window.
    pub(crate) fn drop_consumed(&mut self, view: &View<'_>) {
        let record = view.record;
        if self.has_stood(record) {
            self.drop_stood(view);
        }
        while !record.spill.is_empty() {
            let _guard = view.log.pin();
            let Some(node) = record.spill.first() else { return };
            if node.chunk || node.end > self.sequence {
                return;
            }
            if record.spill.take(node.index) {
                self.take_gap(&node);
                view.log.release(node.frame);
            }
        }
    }

    /// Gives back what lies in the cell, at the end of the segment that it is.
    fn drop_stood(&self, view: &View<'_>) {
        // EDGE spill.stood: Acquire here; Release in `Handover::leave_stood`.
        let stood = view.record.progress.stood.swap(std::ptr::null_mut(), Ordering::AcqRel);
        if let Some(stood) = NonNull::new(stood) {
            view.log.release(stood);
        }
    }

    /// At the end of an open chunk: closes it and goes on, unless the retirer appended meanwhile.
    #[cold]
    fn end_chunk(&mut self, view: &View<'_>) {
        // SAFETY: held, and `unit` is in bounds: appends keep a unit for the end.
        let head = unsafe { self.frame.as_ref().slab().memory().head(self.unit) };
        // EDGE log.chunk: Acquire on failure; Release in the retirer's append. RELAXED on success:
        // nothing is carried, the retirer only learns that the chunk is over.
        let closed =
            head.compare_exchange(0, Head::END.0, Ordering::Relaxed, Ordering::Acquire).is_ok();
        if closed {
            mark("chunk closed");
            #[cfg(test)]
            crate::hooks::reached(crate::hooks::Place::ChunkClosed);
            self.finish_node(view);
        } else {
            mark("copy appended under its reader");
        }
    }

    /// A node is consumed: gives it back and goes on.
    fn finish_node(&mut self, view: &View<'_>) {
        self.publish(view.record);
        // RELAXED: a counter that still sees it finds it released, or consumed.
        view.record.progress.current.store(std::ptr::null_mut(), Ordering::Relaxed);
        view.log.release(self.frame);
        self.place = Place::Away;
        self.take_owed(view);
    }

    /// The number behind the last message that is there now; cheap where the cursor stands in the
    /// tail.
    #[inline(always)]
    pub(crate) fn horizon(&self, log: &Log) -> u64 {
        if self.place == Place::Window {
            // SAFETY: referenced.
            let frame = unsafe { self.frame.as_ref() };
            let claim = log.load_claim(frame);
            if !claim.is_sealed() {
                return frame.base_sequence() + claim.messages();
            }
        }
        log.next_sequence()
    }

    /// Gives the reference up before a sleep (rule P5).
    pub(crate) fn go_away(&mut self, log: &Log) {
        if self.place == Place::Window {
            log.release(self.frame);
            self.place = Place::Away;
        }
    }

    /// Ends [`Cursor::go_away`] without a look.
    #[cfg(unix)]
    pub(crate) fn attach(&mut self, view: &View<'_>) {
        if self.place == Place::Away {
            self.come_back(view);
        }
    }

    /// Comes back from [`Cursor::go_away`].
    fn come_back(&mut self, view: &View<'_>) {
        let guard = view.log.pin();
        if view.log.acquire_again(self.frame, self.number, &guard) {
            self.place = Place::Window;
        } else {
            drop(guard);
            self.take_owed(view);
        }
    }

    /// Whether something awaits that a look would find, for who is about to sleep: a published
    /// record, a hole, the end of a segment with a successor, a passed window (rule W2).
    pub(crate) fn awaits(&self, log: &Log) -> Awaits {
        if self.place != Place::Window {
            return Awaits::Something;
        }
        // SAFETY: referenced.
        let frame: &Frame = unsafe { self.frame.as_ref() };
        // SAFETY: referenced, in bounds.
        let head = unsafe { frame.head(self.unit) };
        if head.0 != 0 && !head.is_end() {
            return Awaits::Something;
        }
        let claim = log.load_claim(frame);
        if head.0 == 0 {
            return if claim.units() > self.unit || claim.is_sealed() {
                // Sealed or closed, END not stored yet: as with a claim that is not published. Who
                // stores it wakes everybody.
                Awaits::Hole
            } else {
                Awaits::Nothing
            };
        }
        // EDGE log.install: Acquire here; Release in `install`.
        let next = frame.next().load(Ordering::Acquire);
        match next.is_null() {
            false => Awaits::Something,
            true if claim.is_closed() => Awaits::End,
            true => Awaits::Hole,
        }
    }

    /// Gives everything up: the registration is over.
    pub(crate) fn retire(&mut self, view: &View<'_>) {
        // RELAXED: as in `finish_node`.
        view.record.progress.current.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.drop_stood(view);
        if self.place != Place::Away {
            view.log.release(self.frame);
            self.place = Place::Away;
        }
        self.frame = NonNull::dangling();
    }
}

/// What became of what lies in a participant's cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stood {
    /// The cursor is in it.
    Entered,
    /// Nothing that comes before the ring.
    Later,
    /// Replaced meanwhile: ring and cell are to be looked at again.
    Changed,
}

/// What [`Cursor::awaits`] saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Awaits {
    Something,
    /// The end of the closed log: a look tells it, and nothing will come.
    End,
    /// A record that was claimed and is not published, or an end without a successor yet.
    Hole,
    Nothing,
}
