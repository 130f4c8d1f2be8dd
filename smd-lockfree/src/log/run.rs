//! A cursor's run: messages in a row, by their heads and stamps alone.
//!
//! ```text
//!   front --- a record? --> end_of_few (or the horizon) --> run --> what stopped it: look
//! ```

use crate::registry::record::Record;

use super::cursor::{Cursor, Place};
use super::frame::{At, Records};
use super::tail::Held;
use super::word::Head;

/// A message that a run delivers; valid until the cursor moves on.
#[derive(Clone, Copy)]
pub(crate) struct Met<'f> {
    pub(crate) frame: Held,
    pub(crate) at: At<'f>,
    pub(crate) head: Head,
    pub(crate) sequence: u64,
    pub(crate) time: u64,
}

/// What a run goes by: a [`View`] of which nothing else matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course<'a> {
    pub(crate) record: &'a Record,
    pub(crate) mask: u32,
    /// Messages stamped before this are expired.
    pub(crate) cutoff: u64,
    /// Messages with this number or a later one are left for another turn.
    pub(crate) bound: u64,
}

impl Cursor {
    /// What lies in front, without a step.
    #[inline(always)]
    pub(crate) fn front(&self) -> Front {
        if !self.is_in_segment() {
            return Front::Other;
        }
        // SAFETY: in a segment, so referenced, and at a record or behind the last.
        match unsafe { self.frame.as_ref().head(self.unit) } {
            Head(0) if self.losses.is_empty() => Front::Nothing,
            Head(0) | Head::END => Front::Other,
            _ => Front::Record,
        }
    }

    /// Whether [`Cursor::run`] may be called: nothing but heads and stamps decides what is delivered.
    #[inline(always)]
    pub(crate) fn may_run(&self, record: &Record) -> bool {
        let plain = record.is_plain(self.sequence);
        self.is_in_segment() && plain && !self.is_over_depth() && self.losses.is_empty()
    }

    /// Delivers wanted messages in a row, as many as `max`, without a look at anything but heads and
    /// stamps; how many is added to `delivered`, also when `f` panics. Stops where [`Cursor::look`]
    /// has to decide: at a hole, an end, an expired message, a bound, and when the participant has
    /// left.
    ///
    /// It goes by stretches of equal heads: inside one, class, length and step are known, so that the
    /// address of the next record does not wait for the head of this one.
    #[inline(always)]
    pub(crate) fn run<'r>(
        &'r mut self,
        course: &Course<'_>,
        max: u64,
        delivered: &mut u64,
        mut f: impl FnMut(Met<'r>),
    ) {
        debug_assert!(self.may_run(course.record), "the place decides what is referenced");
        let Course { record, mask, cutoff, bound } = *course;
        let mask = u64::from(mask) << 32;
        let frame = self.frame;
        // SAFETY: in a segment, by `may_run`, so referenced; and not given up in here.
        let records = unsafe { frame.as_ref() }.records();
        let mut left = max;
        while left > 0 && self.sequence < bound {
            // SAFETY: at a record, or behind the last.
            let at = unsafe { records.at(self.unit) };
            // SAFETY: as above.
            let head = unsafe { at.head() };
            if head.0 == 0 || head.is_end() {
                return;
            }
            let most = bound - self.sequence;
            if head.0 & mask == 0 {
                let (at, passed) = step_over(at, head, most);
                self.unit = records.unit(at);
                self.sequence += passed;
                continue;
            }
            let most = most.min(left);
            let stretch = Stretch { frame, records, at, head, most, cutoff, record };
            let first = self.sequence;
            if !stretch.deliver(self, delivered, &mut f) {
                return;
            }
            left -= self.sequence - first;
        }
    }

    /// From an unwanted record of a segment, which has this head, to the next that has another one.
    pub(super) fn step_over(&mut self, head: Head) {
        debug_assert!(self.is_in_segment(), "a record of a chunk has a number of its own");
        // SAFETY: in a segment, so referenced.
        let records = unsafe { self.frame.as_ref() }.records();
        // SAFETY: at a published record.
        let (at, passed) = step_over(unsafe { records.at(self.unit) }, head, u64::MAX);
        self.unit = records.unit(at);
        self.sequence += passed;
    }

    /// The number behind the last published record, if fewer than a handful are there: without a look
    /// at the claim word, whose line the senders write.
    pub(crate) fn end_of_few(&self, few: usize) -> Option<u64> {
        if self.place != Place::Window {
            return None;
        }
        // SAFETY: referenced.
        let records = unsafe { self.frame.as_ref() }.records();
        let mut unit = self.unit;
        for more in 0..few as u64 {
            // SAFETY: at a record, or behind the last.
            match unsafe { records.head(unit) } {
                Head(0) => return Some(self.sequence + more),
                head if head.is_end() => return None,
                head => unit += head.units(),
            }
        }
        None
    }
}

/// Steps over records with this head, at most so many: where the next one lies, and how many it were.
#[inline(always)]
fn step_over<'f>(mut at: At<'f>, head: Head, most: u64) -> (At<'f>, u64) {
    let step = head.units() as usize;
    let mut passed = 0;
    loop {
        // SAFETY: behind a published record there is another, or the place for one.
        at = unsafe { at.further(step) };
        passed += 1;
        // SAFETY: as above.
        if passed == most || unsafe { at.head() } != head {
            return (at, passed);
        }
    }
}

/// Wanted records with equal heads in a row, at most `most`.
#[derive(Clone, Copy)]
struct Stretch<'f, 'r> {
    frame: Held,
    records: Records<'f>,
    at: At<'f>,
    head: Head,
    most: u64,
    cutoff: u64,
    record: &'r Record,
}

impl<'f> Stretch<'f, '_> {
    /// Delivers them; `false`: one is expired, or the participant has left.
    ///
    /// A function of its own, so that what the loop needs, and nothing else, is in registers.
    #[inline(never)]
    fn deliver(
        &self,
        cursor: &mut Cursor,
        delivered: &mut u64,
        f: &mut impl FnMut(Met<'f>),
    ) -> bool {
        let Stretch { frame, records, at, head, most, cutoff, record } = *self;
        let step = head.units() as usize;
        let first = cursor.sequence;
        let mut way = Way { cursor, delivered, records, at, left: most, most };
        loop {
            let at = way.at;
            // SAFETY: published.
            let time = unsafe { at.time() };
            if time < cutoff || record.has_left() {
                return false;
            }
            let sequence = first + (most - way.left);
            // Before `f`: it may panic.
            // SAFETY: behind a published record there is another, or the place for one.
            way.at = unsafe { at.further(step) };
            way.left -= 1;
            f(Met { frame, at, head, sequence, time });
            // SAFETY: at a record, or behind the last.
            if way.left == 0 || unsafe { way.at.head() } != head {
                return true;
            }
        }
    }
}

/// How far a stretch is, in registers: the cursor learns of it at the end, also when a closure panics.
struct Way<'c, 'f> {
    cursor: &'c mut Cursor,
    delivered: &'c mut u64,
    records: Records<'f>,
    at: At<'f>,
    left: u64,
    most: u64,
}

impl Drop for Way<'_, '_> {
    #[inline(always)]
    fn drop(&mut self) {
        let met = self.most - self.left;
        self.cursor.unit = self.records.unit(self.at);
        self.cursor.sequence += met;
        *self.delivered += met;
    }
}

/// What [`Cursor::front`] saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Front {
    /// A published record of a segment.
    Record,
    /// Nothing yet, in a segment, and no losses to report.
    Nothing,
    /// What [`Cursor::look`] has to decide.
    Other,
}
