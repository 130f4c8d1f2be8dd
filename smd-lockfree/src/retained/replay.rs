//! What a registration, or a widening, is handed of retained state: gathered around its touch.

use std::sync::Arc as StdArc;

use crate::core::Core;
use crate::log::frame::Frame;
use crate::log::tail::{Held, Log, Next};
use crate::log::word::{EXTRA_BYTES, Extra, Head};
use crate::message::Meta;
use crate::sync::slab::UNIT;

use super::table::{List, extra_of, walk};

/// One retained message.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) meta: Meta,
    pub(crate) bytes: StdArc<[u8]>,
    /// Classes of the entries that it is the state of.
    entries: u32,
}

impl State {
    /// The mask is narrowed to `mask`: whether an entry is left whose state it is. A class that
    /// was given up and comes back is handed its state anew.
    pub(crate) fn narrow(&mut self, mask: u32) -> bool {
        self.entries &= mask;
        self.entries != 0
    }
}

/// What a participant wanted before its mask changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    /// The old mask, and since when each class counts.
    pub(crate) wanted: (u32, [u64; 32]),
    /// Classes of it that stay: what waits of the others is settled by the change.
    pub(crate) stays: u32,
    /// What it wanted below this number it has.
    pub(crate) consumed: u64,
}

impl Before {
    fn covers(&self, class: u32, sequence: u64) -> bool {
        let (mask, since) = &self.wanted;
        let mask = if sequence < self.consumed { *mask } else { *mask & self.stays };
        (0..32).any(|c| class & mask & 1 << c != 0 && sequence >= since[c])
    }
}

/// State being gathered: the window is held until every record below N is published.
#[derive(Debug)]
pub(crate) struct Replay {
    /// N: the state goes right before the first message with this number or a later one.
    pub(crate) at: u64,
    classes: u32,
    list: List,
    /// Newest so far, by position in the list.
    newest: Vec<Option<State>>,
    held: Vec<Held>,
    /// What the participant has, or will get live.
    before: Option<Before>,
    ready: Option<Vec<State>>,
}

// SAFETY: the frames in `held` are counted references.
unsafe impl Send for Replay {}

/// State being gathered around a touch, by the list of entries as it was before.
#[derive(Debug)]
pub(crate) struct Gathering {
    version: u64,
    /// `None`: nothing of the classes was retained.
    pub(crate) replay: Option<Replay>,
}

impl Gathering {
    /// Before the touch: see [`Replay::begin`].
    pub(crate) fn begin(core: &Core, classes: u32, before: Option<Before>) -> Gathering {
        let list = core.retained.list(core.domain());
        Gathering { version: list.version, replay: Replay::begin(core, list, classes, before) }
    }

    /// Sets N. `false`: state may have been missed, or an entry was marked or cleared meanwhile;
    /// release this and begin again.
    #[must_use = "state may be missing, or be of an entry that is gone"]
    pub(crate) fn set_point(&mut self, core: &Core, at: u64) -> bool {
        // After the touch: a change that is not seen here has its touch behind ours.
        core.retained.version(core.domain()) == self.version
            && self.replay.as_mut().is_none_or(|held| held.set_point(&core.log, at))
    }

    /// Gives up what is held.
    pub(crate) fn release(&mut self, log: &Log) {
        if let Some(replay) = &mut self.replay {
            replay.release(log);
        }
    }
}

impl Replay {
    /// Holds the window and reads the entries: before the touch. `None`: nothing of `classes` is
    /// retained.
    fn begin(core: &Core, list: List, classes: u32, before: Option<Before>) -> Option<Replay> {
        if !list.entries().iter().any(|entry| entry.class & classes != 0) {
            return None;
        }
        let log = &core.log;
        let held = loop {
            let mut held = vec![log.acquire_low()];
            if hold_on(log, &mut held) {
                break held;
            }
            held.into_iter().for_each(|segment| log.release(segment));
        };
        let newest = list.entries().iter().map(|entry| {
            if entry.class & classes == 0 {
                return None;
            }
            let copy = entry.read(log)?;
            // SAFETY: just acquired; it has one published record, of a chunk's form.
            let state = unsafe {
                let frame = copy.as_ref();
                let sequence = frame.records().word(UNIT);
                state_at(frame, 0, frame.head(0), sequence, 2 * UNIT)
            };
            log.release(copy);
            Some(state)
        });
        let newest = newest.collect();
        Some(Replay { at: u64::MAX, classes, list, newest, held, before, ready: None })
    }

    /// Sets N, and holds what was installed up to there since. `false`: the window has moved on
    /// meanwhile past what is held, so that state may have been missed; begin again.
    #[must_use = "without the segments up to N state may be missing"]
    fn set_point(&mut self, log: &Log, at: u64) -> bool {
        self.at = at;
        let whole = hold_on(log, &mut self.held);
        if whole {
            // Usually there is no hole: then nothing stays held.
            self.ready = self.gather(log);
        }
        whole
    }

    /// Classes that the participant has given up again: their state is not handed over.
    pub(crate) fn narrow(&mut self, mask: u32) {
        self.classes &= mask;
        for (entry, newest) in self.list.entries().iter().zip(&mut self.newest) {
            if entry.class & mask == 0 {
                *newest = None;
            }
        }
        if let Some(states) = &mut self.ready {
            states.retain_mut(|state| state.narrow(mask));
        }
    }

    /// The state, in the order of its numbers; `None` while a record below N is not published.
    pub(crate) fn finish(&mut self, log: &Log) -> Option<Vec<State>> {
        self.ready.take().or_else(|| self.gather(log))
    }

    fn gather(&mut self, log: &Log) -> Option<Vec<State>> {
        while let Some(&segment) = self.held.first() {
            // SAFETY: held.
            let frame = unsafe { segment.as_ref() };
            // First see that there is no hole, so that no segment is taken over in part.
            if !walk(frame, self.at, |_, _, _| ()) {
                return None;
            }
            let (list, newest, classes) = (&self.list, &mut self.newest, self.classes);
            walk(frame, self.at, |unit, head, sequence| {
                if !head.is_retained() || head.bits() & classes == 0 {
                    return;
                }
                for entry in list.of(head, extra_of(frame, unit, head), sequence) {
                    let at = list.entries().partition_point(|e| e.number < entry.number);
                    if entry.class & classes != 0
                        && newest[at].as_ref().is_none_or(|old| old.meta.sequence < sequence)
                    {
                        let body = unit as usize * UNIT + UNIT;
                        // SAFETY: held, and the walk saw the record published.
                        newest[at] = Some(unsafe { state_at(frame, unit, head, sequence, body) });
                    }
                }
            });
            log.release(segment);
            self.held.remove(0);
        }
        let mut states = Vec::new();
        for (entry, newest) in self.list.entries().iter().zip(self.newest.drain(..)) {
            states.extend(newest.map(|state| State { entries: entry.class, ..state }));
        }
        states.sort_by_key(|state| state.meta.sequence);
        states.dedup_by(|later, first| {
            let same = later.meta.sequence == first.meta.sequence;
            if same {
                first.entries |= later.entries;
            }
            same
        });
        if let Some(before) = &self.before {
            states.retain(|state| !before.covers(state.meta.class.bits(), state.meta.sequence));
        }
        Some(states)
    }

    /// Whether every class that it was gathered for was given up again.
    pub(crate) fn is_over(&self) -> bool {
        self.classes == 0
    }

    /// Gives up what is held.
    pub(crate) fn release(&mut self, log: &Log) {
        self.held.drain(..).for_each(|segment| log.release(segment));
    }
}

/// Acquires hand over hand up to the tail; `false`: the window passed what came next.
fn hold_on(log: &Log, held: &mut Vec<Held>) -> bool {
    while let Some(&last) = held.last() {
        let guard = log.pin();
        match log.acquire_next(last, &guard) {
            Next::Held(next) => held.push(next),
            Next::Missing => return true,
            Next::Passed => return false,
        }
    }
    false
}

/// Copies a published record.
///
/// # Safety
/// The frame is held, the record published, and its body begins at `body`.
unsafe fn state_at(frame: &Frame, unit: u32, head: Head, sequence: u64, body: usize) -> State {
    // SAFETY: the caller's promise.
    unsafe {
        let (extra, body) = if head.has_extra() {
            (frame.records().extra(body), body + EXTRA_BYTES)
        } else {
            (Extra::default(), body)
        };
        State {
            meta: Meta::new(head.class(), sequence, frame.records().time(unit), extra, true),
            bytes: frame.records().bytes(body, head.len()).into(),
            entries: 0,
        }
    }
}
