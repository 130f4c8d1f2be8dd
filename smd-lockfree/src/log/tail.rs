//! The window's two ends: claiming at the tail, sealing, installing, touching, closing.

use std::ptr::NonNull;

use crate::error::FullReason;
use crate::hooks::mark;
use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering, fence};
use crate::sync::epoch::Guard;
use crate::sync::{Arc, CachePadded, hint};

use super::arena::Arena;
use super::frame::{Frame, segment_tag};
use super::word::Claim;

/// The log of one bus.
#[derive(Debug)]
pub(crate) struct Log {
    pub(super) tail: CachePadded<AtomicPtr<Frame>>,
    pub(super) low: CachePadded<AtomicPtr<Frame>>,
    pub(super) retiring: CachePadded<AtomicBool>,
    pub(crate) arena: Arc<Arena>,
    pub(super) max_segments: u64,
}

/// A counted reference on a segment; given back by [`Log::release`] (rule F2).
pub(crate) type Held = NonNull<Frame>;

/// Why a claim was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    Full(FullReason),
    Closed,
}

/// What a sender asks before each try to claim (rules S1, L1).
pub(crate) trait Gate {
    /// The claim word was loaded anew: look whether the registry changed.
    fn changed(&mut self);
    /// May `first..first + count` be claimed? Says how many of them may.
    fn admit(&mut self, first: u64, count: u64, now: u64) -> Result<u64, FullReason>;
}

/// Where a sender appends: a reference on one segment, and what it last saw there.
#[derive(Debug)]
pub(crate) struct Appender {
    pub(crate) frame: Held,
    pub(crate) base_sequence: u64,
    base_time: u64,
    capacity: u32,
    /// The claim word as this sender last saw or left it.
    guess: Claim,
    /// Class bits that this sender knows to be in the segment's union.
    pub(crate) union: u32,
    /// A successor was installed by this sender: it owes a try to retire.
    pub(crate) installed: bool,
}

// SAFETY: the pointer is a counted reference; frames are shared memory by protocol.
unsafe impl Send for Appender {}

/// Room that was claimed and must be filled and published at once (rule S2).
#[derive(Clone, Copy, Debug)]
#[must_use = "a claimed record that is not published stops every reader"]
pub(crate) struct Claimed {
    pub(crate) unit: u32,
    pub(crate) sequence: u64,
    /// Nanoseconds, systemwide.
    pub(crate) time: u64,
}

/// A point of the order (rule S5), with a reference on its segment.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) frame: Held,
    pub(crate) unit: u32,
    pub(crate) sequence: u64,
}

impl Log {
    pub(crate) fn new(arena: Arc<Arena>, max_segments: u64, now: u64) -> Log {
        let first = arena.take();
        // SAFETY: just taken, so private. One reference: the window's.
        unsafe { (*first).begin(segment_tag(1), 1, 1, 1, now) };
        Log {
            tail: CachePadded::new(AtomicPtr::new(first)),
            low: CachePadded::new(AtomicPtr::new(first)),
            retiring: CachePadded::new(AtomicBool::new(false)),
            arena,
            max_segments,
        }
    }

    pub(crate) fn pin(&self) -> Guard {
        self.arena.domain.pin()
    }

    /// Gives a reference back.
    pub(crate) fn release(&self, held: Held) {
        // SAFETY: `Held` is a counted reference, and it is consumed here by convention.
        unsafe { self.arena.release(held.as_ptr()) };
    }

    /// Acquires the segment that an end of the window points to (rule F3).
    fn acquire_end(&self, end: &AtomicPtr<Frame>) -> Held {
        let _guard = self.pin();
        loop {
            // EDGE log.install / log.low: Acquire here; Release in `install` and `advance_low`.
            let frame = end.load(Ordering::Acquire);
            // SAFETY: a frame in `tail` or `low` was alive at the load; the pin keeps it from being
            // freed.
            if unsafe { (*frame).acquire_any() } {
                // EDGE log.install / log.low: as above.
                if end.load(Ordering::Acquire) == frame {
                    // SAFETY: not null: both ends always point to a segment.
                    return unsafe { NonNull::new_unchecked(frame) };
                }
                mark("stale segment given back");
                // SAFETY: acquired just above.
                unsafe { self.arena.release(frame) };
            } else {
                mark("stale segment in the pool");
            }
            hint::again();
        }
    }

    pub(crate) fn acquire_tail(&self) -> Held {
        self.acquire_end(&self.tail)
    }

    pub(crate) fn acquire_low(&self) -> Held {
        self.acquire_end(&self.low)
    }

    /// The number of the segment `low`, or a later one: `low` was at most that under the pin in
    /// `_guard`, which keeps the frame in memory.
    ///
    /// Between the two looks at `low` the frame may have come round: left the window, and come into it
    /// again. What is read then is the number of one of these segments, or of a chunk between them,
    /// which is higher than any ([`NO_SEGMENT`](super::frame::NO_SEGMENT)); never one below the first look.
    pub(crate) fn low_number(&self, _guard: &Guard) -> u64 {
        loop {
            // EDGE log.low: Acquire here; Release in `advance_low`.
            let frame = self.low.load(Ordering::Acquire);
            // SAFETY: alive at the load, and pinned.
            let number = unsafe { (*frame).number() };
            // Keeps the second look behind the number.
            fence(Ordering::Acquire);
            // EDGE log.low: as above.
            if self.low.load(Ordering::Acquire) == frame {
                return number;
            }
        }
    }

    /// Acquires the successor of a held segment, or `None` when the window has passed it or it is
    /// not there (rule F3).
    pub(crate) fn acquire_next(&self, held: Held, guard: &Guard) -> Next {
        // SAFETY: held.
        let frame = unsafe { held.as_ref() };
        let number = frame.number() + 1;
        // EDGE log.install: Acquire here; Release in `install`.
        let next = frame.next().load(Ordering::Acquire);
        let Some(next) = NonNull::new(next) else { return Next::Missing };
        if self.low_number(guard) > number {
            return Next::Passed;
        }
        // SAFETY: `low` was at most `number` under this pin, so the successor was in the window then, or
        // came into it later, and stays in memory.
        if unsafe { next.as_ref() }.acquire(segment_tag(number)) {
            Next::Held(next)
        } else {
            Next::Passed
        }
    }

    /// Acquires segment `number` through a remembered pointer, unless the window has passed it.
    pub(crate) fn acquire_again(&self, frame: Held, number: u64, guard: &Guard) -> bool {
        if self.low_number(guard) > number {
            return false;
        }
        // SAFETY: `low` was at most `number` under this pin, so the frame led that life then and stays
        // in memory.
        unsafe { frame.as_ref() }.acquire(segment_tag(number))
    }

    /// The claim word, with everything that touchers published before.
    pub(crate) fn load_claim(&self, frame: &Frame) -> Claim {
        // EDGE log.touch: Acquire here; Release in `touch` and `close`.
        Claim(frame.claim().load(Ordering::Acquire))
    }

    /// Seals a segment; what it holds is then final.
    pub(super) fn seal(&self, frame: &Frame) -> Claim {
        // EDGE log.touch: Acquire half; who seals looks at what touchers did. Release: END carries
        // the word to readers by `log.end`.
        let before = frame.claim().fetch_or(Claim::SEALED, Ordering::AcqRel);
        if before & Claim::SEALED == 0 {
            mark("segment full");
        }
        let sealed = Claim(before | Claim::SEALED);
        frame.mark_end(sealed);
        sealed
    }

    /// Sees to it that a sealed segment has a successor and that the tail is past it (rule S3).
    /// `true`: this call installed it. At the cap only a `forced` call installs (rule S6).
    pub(super) fn install(
        &self,
        held: Held,
        sealed: Claim,
        now: u64,
        forced: bool,
    ) -> Result<bool, FullReason> {
        // SAFETY: held.
        let frame = unsafe { held.as_ref() };
        let mut installed = false;
        // EDGE log.install: Acquire here; Release below.
        let mut next = frame.next().load(Ordering::Acquire);
        if next.is_null() {
            let number = frame.number() + 1;
            if !forced && self.is_beyond_cap(number) {
                return Err(FullReason::Stalled);
            }
            let spare = self.arena.take();
            let base_sequence = frame.base_sequence() + sealed.messages();
            // A clock at the end of its nanoseconds stays there.
            let base_time = now.max(frame.base_time().saturating_add(sealed.time()));
            // SAFETY: just taken, so private. One reference: the window's.
            unsafe {
                (*spare).begin(segment_tag(number), 1, number, base_sequence, base_time);
            }
            // EDGE log.install: Release here; Acquire in `acquire_next`, `install`. Carries the
            // successor's words.
            match frame.next().compare_exchange(
                std::ptr::null_mut(),
                spare,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    next = spare;
                    installed = true;
                }
                Err(winner) => {
                    mark("installed by the loser");
                    // A stale acquirer of `tail` may have counted itself in: release, do not reset.
                    // SAFETY: our one reference.
                    unsafe { self.arena.release(spare) };
                    next = winner;
                }
            }
        }
        // EDGE log.install: Release here; Acquire in `acquire_end`. The held reference keeps the
        // expected address from standing for a later segment. RELAXED on failure: somebody did it.
        let _ =
            self.tail.compare_exchange(held.as_ptr(), next, Ordering::Release, Ordering::Relaxed);
        Ok(installed)
    }

    /// Whether segment `number` is more than the window may hold (rule S6).
    fn is_beyond_cap(&self, number: u64) -> bool {
        number.saturating_sub(self.low_number(&self.pin())) >= self.max_segments
    }

    /// Ends the window's hold on segment `low`: the retirer alone (rule R3).
    pub(super) fn advance_low(&self, held: Held, next: *mut Frame) {
        // EDGE log.low: Release here; Acquire in `low_number`, `acquire_end`. Carries every push to
        // every spill that this segment needed.
        self.low.store(next, Ordering::Release);
        // The window's own reference.
        self.release(held);
    }

    /// A new sender's place: the tail.
    pub(crate) fn appender(&self) -> Appender {
        let frame = self.acquire_tail();
        // SAFETY: held.
        let life = unsafe { frame.as_ref() };
        Appender {
            frame,
            base_sequence: life.base_sequence(),
            base_time: life.base_time(),
            capacity: life.capacity(),
            // Nothing known: the first try fails on purpose and loads the word.
            guess: Claim(Claim::SEALED | Claim::CLOSED),
            union: 0,
            installed: false,
        }
    }

    /// Claims room for one message, if nothing has changed since this sender's last claim: what every
    /// other case needs is left to [`Log::claim`], which then tries anew.
    #[inline(always)]
    pub(crate) fn claim_next(
        &self,
        at: &mut Appender,
        limit: u64,
        now: u64,
        units: u32,
    ) -> Option<Claimed> {
        let word = at.guess;
        let time = word.time_at(now.saturating_sub(at.base_time))?;
        let first = at.base_sequence + word.messages();
        if first >= limit || !word.fits(units, at.capacity) {
            return None;
        }
        let claimed = word.claimed(units, 1, time);
        // SAFETY: held.
        let frame = unsafe { at.frame.as_ref() };
        // RELAXED on success: as in `claim`; on failure `claim` loads the word.
        let done =
            frame.claim().compare_exchange(word.0, claimed.0, Ordering::Relaxed, Ordering::Relaxed);
        done.ok()?;
        at.guess = claimed;
        let time = at.base_time.saturating_add(time);
        Some(Claimed { unit: word.units(), sequence: first, time })
    }

    /// Claims room for up to `count` messages in one piece (rule S1).
    ///
    /// `units(n)` says how many units the first n of them take. Returns the claim and how many
    /// messages it covers: as many as the gate admits and the segment holds.
    #[inline(always)]
    pub(crate) fn claim<G: Gate>(
        &self,
        at: &mut Appender,
        gate: &mut G,
        now: u64,
        count: u64,
        units: impl Fn(u64, u32) -> (u64, u32),
    ) -> Result<(Claimed, u64), Refused> {
        loop {
            let word = at.guess;
            let room = (at.capacity).saturating_sub(word.units());
            let (fit, taken) = units(count, room);
            let time = word.time_at(now.saturating_sub(at.base_time));
            let (Some(time), true) = (time, fit > 0 && word.fits(taken, at.capacity)) else {
                self.renew(at, gate, now)?;
                continue;
            };
            let first = at.base_sequence + word.messages();
            let admitted = match gate.admit(first, fit, now) {
                Ok(admitted) => admitted,
                Err(reason) => {
                    // Full by what this sender knew: is it so, and is the log open?
                    // SAFETY: held.
                    let actual = self.load_claim(unsafe { at.frame.as_ref() });
                    if actual == word {
                        return Err(Refused::Full(reason));
                    }
                    at.guess = actual;
                    gate.changed();
                    continue;
                }
            };
            let (fit, taken) = if admitted < fit { units(admitted, room) } else { (fit, taken) };
            let claimed = word.claimed(taken, fit, time);
            // SAFETY: held.
            let frame = unsafe { at.frame.as_ref() };
            // RELAXED on success: `guess` was loaded with Acquire, or left here by this sender, and
            // the word is unchanged; what the claim itself carries is published by the head.
            // EDGE log.touch on failure: Acquire here; Release in `touch`, `close`.
            match frame.claim().compare_exchange(
                word.0,
                claimed.0,
                Ordering::Relaxed,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    at.guess = claimed;
                    let time = at.base_time.saturating_add(time);
                    return Ok((Claimed { unit: word.units(), sequence: first, time }, fit));
                }
                Err(actual) => {
                    at.guess = Claim(actual);
                    gate.changed();
                }
            }
        }
    }

    /// Brings an appender up to date: the word as it is, or the next segment.
    #[cold]
    fn renew<G: Gate>(&self, at: &mut Appender, gate: &mut G, now: u64) -> Result<(), Refused> {
        // SAFETY: held.
        let frame = unsafe { at.frame.as_ref() };
        let actual = self.load_claim(frame);
        if actual != at.guess && !actual.is_sealed() {
            // A change of the registry may have installed a tail above the cap: not for messages.
            if self.is_beyond_cap(frame.number()) {
                return Err(Refused::Full(FullReason::Stalled));
            }
            at.guess = actual;
            gate.changed();
            return Ok(());
        }
        let sealed = self.seal(frame);
        if sealed.is_closed() {
            return Err(Refused::Closed);
        }
        at.installed |= self.install(at.frame, sealed, now, false).map_err(Refused::Full)?;
        let installed = at.installed;
        let next = self.appender();
        self.release(at.frame);
        *at = next;
        at.installed = installed;
        // SAFETY: held.
        let frame = unsafe { at.frame.as_ref() };
        if self.is_beyond_cap(frame.number()) {
            return Err(Refused::Full(FullReason::Stalled));
        }
        at.guess = self.load_claim(frame);
        gate.changed();
        Ok(())
    }

    /// Changes the claim word of the open tail by `change`; installs a tail where it is sealed.
    fn change_tail(
        &self,
        now: u64,
        change: impl Fn(Claim) -> Option<Claim>,
    ) -> Result<Point, Refused> {
        loop {
            let held = self.acquire_tail();
            // SAFETY: held.
            let frame = unsafe { held.as_ref() };
            let word = self.load_claim(frame);
            if word.is_closed() {
                self.release(held);
                return Err(Refused::Closed);
            }
            if !word.is_sealed()
                && let Some(changed) = change(word)
            {
                // EDGE log.touch: Release here; Acquire in `load_claim` and in a failed claim.
                // Carries the registry and the interest that the toucher stored before.
                let done = frame.claim().compare_exchange(
                    word.0,
                    changed.0,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                if done.is_ok() {
                    let sequence = frame.base_sequence() + word.messages();
                    return Ok(Point { frame: held, unit: word.units(), sequence });
                }
                self.release(held);
                continue;
            }
            let sealed = self.seal(frame);
            if !sealed.is_closed() {
                // A change of the registry is never refused for want of room: forced.
                let _ = self.install(held, sealed, now, true);
            }
            self.release(held);
        }
    }

    /// Fixes a point of the order (rule S5): claims from there on have seen what was published
    /// before the call. The caller gets a reference on the point's segment.
    pub(crate) fn touch(&self, now: u64) -> Result<Point, Refused> {
        self.change_tail(now, Claim::touched)
    }

    /// Ends the log; the first number that will never be given, or `None` if it was closed before.
    pub(crate) fn close(&self, now: u64) -> Option<u64> {
        let point = self.change_tail(now, |word| Some(word.closed())).ok()?;
        // SAFETY: held.
        let frame = unsafe { point.frame.as_ref() };
        frame.mark_end(self.load_claim(frame));
        self.release(point.frame);
        Some(point.sequence)
    }

    /// The number that the next message would get.
    pub(crate) fn next_sequence(&self) -> u64 {
        let _guard = self.pin();
        loop {
            // EDGE log.install: Acquire here; Release in `install`.
            let tail = self.tail.load(Ordering::Acquire);
            // SAFETY: alive at the load, and pinned: its words can be looked at, and are believed
            // only if the frame was the tail before and after.
            let frame = unsafe { &*tail };
            let base = frame.base_sequence();
            let messages = self.load_claim(frame).messages();
            // Keeps the second look behind the two words.
            fence(Ordering::Acquire);
            // EDGE log.install: as above.
            if self.tail.load(Ordering::Acquire) == tail && frame.base_sequence() == base {
                return base + messages;
            }
        }
    }

    /// Number of segments in the window, for statistics and the wish to retire.
    pub(crate) fn window(&self) -> u64 {
        let held = self.acquire_tail();
        // SAFETY: held.
        let tail = unsafe { held.as_ref() }.number();
        let low = self.low_number(&self.pin());
        self.release(held);
        (tail + 1).saturating_sub(low)
    }
}

/// What comes after a held segment.
#[derive(Debug)]
pub(crate) enum Next {
    /// The successor, acquired.
    Held(Held),
    /// The window has passed it.
    Passed,
    /// Not installed yet, or the log ends here.
    Missing,
}

impl Drop for Log {
    fn drop(&mut self) {
        // RELAXED (all): exclusive.
        let mut frame = self.low.load(Ordering::Relaxed);
        while !frame.is_null() {
            // SAFETY: the window's reference keeps each of them.
            let next = unsafe { (*frame).next() }.load(Ordering::Relaxed);
            // SAFETY: the window's reference, given back once; kept messages may hold others.
            unsafe { self.arena.release(frame) };
            frame = next;
        }
        self.arena.end();
    }
}
