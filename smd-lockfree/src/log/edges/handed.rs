//! What the window passes: a cursor against the retirer, and against who counts its backlog.

use crate::bus::Bus;
use crate::class::Class;
use crate::clock::Clock;
use crate::core::Core;
use crate::error::FullReason;
use crate::hooks::{Part, marked};
use crate::log::backlog::Unpublished;
use crate::log::cursor::{Cursor, Cutoff, Look, Place, View};
use crate::log::handover::Handover;
use crate::log::tail::Gate;
use crate::participant::Policy;
use crate::registry::edges::record_with;
use crate::registry::record::Record;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::sync::local::OwnerCell;
use crate::wait::waiter::Waiter;

use super::{Shared, head};

/// A bus whose segments hold one message of [`send`] each.
pub(crate) fn bus() -> Bus {
    bus_of(64)
}

fn bus_of(segment_bytes: usize) -> Bus {
    let builder = Bus::builder().segment_bytes(segment_bytes).max_segments(32).depth(32);
    builder.time_to_live(None).clock(Clock::manual().0).build().expect("a small bus")
}

const PAYLOAD: [u8; 2] = [1, 2];

fn send(bus: &Bus, count: usize) {
    let sender = bus.sender();
    for _ in 0..count {
        let sent = sender.send(Class::INTERACTION, &PAYLOAD).expect("accepted");
        assert!(sent.sequence().is_some(), "wanted");
    }
}

/// The same, while another thread is at retiring.
fn send_unretired(bus: &Bus, count: usize) {
    unretired(bus, || send(bus, count));
}

fn unretired(bus: &Bus, send: impl FnOnce()) {
    let retiring = &bus.core().log.retiring;
    retiring.store(true, Ordering::Relaxed);
    send();
    retiring.store(false, Ordering::Relaxed);
}

/// A participant from inside: its record and its cursor.
struct Reader {
    core: Arc<Core>,
    record: Arc<Record>,
    cursor: Cursor,
    /// First number that was neither found nor reported.
    next: u64,
    /// How many were.
    settled: u64,
}

impl Reader {
    fn register(bus: &Bus, depth: u64, policy: Policy) -> Reader {
        let core = bus.core().clone();
        let record = record_with(1, Arc::new(Waiter::new()), depth, policy);
        core.registry.add(core.domain(), &record, 8).expect("there is room");
        let point = core.log.touch(0).expect("open");
        record.set_mask(1, 1, point.sequence, true);
        let next = point.sequence;
        let cursor = Cursor::new(point, &record);
        assert!(record.place(), "nothing is retired yet");
        Reader { core, record, cursor, next, settled: 0 }
    }

    fn with<R>(&mut self, f: impl FnOnce(&mut Cursor, &View<'_>) -> R) -> R {
        let cutoff = Cutoff::new(&self.core);
        let view = View::whole(&self.core.log, &self.record, &cutoff);
        f(&mut self.cursor, &view)
    }

    /// One look; `false`: nothing there. Each number is found or reported, once and in order.
    fn look(&mut self) -> bool {
        let (first, last, count) = match self.with(|cursor, view| cursor.look(view)) {
            Look::Found(found) => (found.sequence, found.sequence, 1),
            Look::Lost => {
                let (_, lost) = self.cursor.losses.take().expect("a look said so");
                (lost.first, lost.last, lost.count)
            }
            _ => return false,
        };
        assert!(first >= self.next, "each number is settled once: {first} after {}", self.next - 1);
        self.next = last + 1;
        self.settled += count;
        true
    }

    /// As a receive does when it is over.
    fn receive(&mut self) {
        assert!(self.look(), "something is there");
        self.cursor.publish(&self.record);
    }

    /// Receives all there is: of `sent`, all of which it wants, it then has lost none untold.
    fn settle(&mut self, sent: u64) {
        while self.look() {}
        assert_eq!(self.settled, sent, "each number is settled");
    }

    /// As before a sleep.
    fn go_away(&mut self) {
        self.cursor.go_away(&self.core.log);
    }

    fn has_stood(&self) -> bool {
        !self.record.progress.stood.load(Ordering::Acquire).is_null()
    }

    /// For two parts that use it one after the other.
    fn shared(self) -> Arc<OwnerCell<Reader>> {
        Arc::new(OwnerCell::new(self))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.core.depart(&self.record);
        self.with(|cursor, view| cursor.retire(view));
    }
}

/// The reader's one look against `other`; then `after`, with the reader.
fn against(
    reader: Reader,
    other: impl FnOnce() + Send + 'static,
    after: impl FnOnce(&mut Reader) + Send + 'static,
) -> [Part; 3] {
    let reader = reader.shared();
    let looking = reader.clone();
    // SAFETY: this thread's, until it has ended.
    let participant = move || unsafe { looking.with(|reader| _ = reader.look()) };
    // SAFETY: the other threads have ended.
    let after = move || unsafe { reader.with(after) };
    [Box::new(participant), Box::new(other), Box::new(after)]
}

/// A count of `owed` messages while the reader takes the first of them.
fn counted(bus: &Bus, reader: Reader, owed: u64) -> Vec<Part> {
    let (core, record) = (bus.core().clone(), reader.record.clone());
    let counter = move || {
        let counted = core.log.backlog(&record, u64::MAX, 0, Unpublished::Wanted);
        assert!(counted >= owed, "less is counted than is owed: {counted} of {owed}");
    };
    against(reader, counter, |_| ()).into()
}

/// `spill.stood`: who counts finds a segment in its cell, or finds it with who took it out.
pub fn counted_in_its_cell() -> Vec<Part> {
    let bus = bus();
    let mut reader = Reader::register(&bus, 16, Policy::Backpressure);
    reader.go_away();
    send(&bus, 3);
    assert!(reader.has_stood(), "the first segment lies in the cell");
    counted(&bus, reader, 3)
}

/// `registry.progress`: who counts finds a node in the ring, or finds it with who took it out.
pub fn counted_in_its_ring() -> Vec<Part> {
    let bus = bus();
    let mut reader = Reader::register(&bus, 16, Policy::Backpressure);
    send(&bus, 1);
    reader.receive();
    reader.go_away();
    send(&bus, 3);
    assert_eq!(reader.record.spill.range(), 0..1, "the second segment lies in the ring");
    counted(&bus, reader, 3)
}

/// Claims what is there.
struct Open;

impl Gate for Open {
    fn changed(&mut self) {}

    fn admit(&mut self, _first: u64, count: u64, _now: u64) -> Result<u64, FullReason> {
        Ok(count)
    }
}

/// `spill.stood`: who takes a segment out of its cell finds all of it.
pub fn stood() -> Vec<Part> {
    let bus = bus();
    let mut reader = Reader::register(&bus, 16, Policy::Backpressure);
    reader.go_away();
    send(&bus, 1);
    let core = bus.core().clone();
    let mut sender = core.log.appender();
    let claimed = core.log.claim(&mut sender, &mut Open, 0, 1, |_, _| (1, 2));
    let (claimed, _) = claimed.expect("open");
    send(&bus, 2);
    // It is in the first segment, out of its cell, and has looked into the second (rule P4).
    reader.receive();
    reader.record.progress.standing.fetch_max(2, Ordering::Relaxed);
    assert!(!reader.has_stood());
    let retirer = move || {
        let sender = sender;
        // SAFETY: the appender holds the segment; claimed above.
        unsafe {
            let frame = sender.frame.as_ref();
            frame.fill(claimed.unit, claimed.time, None, &PAYLOAD);
            frame.add_to_union(1);
            frame.publish(claimed.unit, head(PAYLOAD.len()));
        }
        core.retire(0);
        core.log.release(sender.frame);
    };
    let reader = reader.shared();
    let looking = reader.clone();
    let participant = move || {
        // SAFETY: this thread's, until it has ended.
        let is_whole =
            unsafe { looking.with(|reader| reader.look() || reader.cursor.place != Place::Owed) };
        assert!(is_whole, "a hole in what was handed over");
    };
    // SAFETY: the threads have ended.
    let after = move || unsafe { reader.with(|reader| while reader.look() {}) };
    vec![Box::new(retirer), Box::new(participant), Box::new(after)]
}

/// `spill.stand`: of a segment that a participant went into nothing is trimmed.
pub fn stand() -> Vec<Part> {
    let bus = bus();
    let mut reader = Reader::register(&bus, 1, Policy::Lag);
    send(&bus, 1);
    reader.receive();
    send(&bus, 2);
    // Three more to retire, of which the first is over the depth then.
    send_unretired(&bus, 3);
    let core = bus.core().clone();
    let retirer = move || core.retire(0);
    against(reader, retirer, |reader| reader.settle(6)).into()
}

/// `spill.standing`: who finds a participant in a segment finds consumed what it has behind it.
pub fn standing() -> Vec<Part> {
    const NOT_FREE: &str = "the cell is not free";
    let bus = bus();
    let mut reader = Reader::register(&bus, 16, Policy::Backpressure);
    send(&bus, 1);
    assert!(reader.look());
    // The first segment goes into the cell, and then the second, if the participant stands there.
    send_unretired(&bus, 3);
    let core = bus.core().clone();
    let retirer = move || {
        let before = marked(NOT_FREE);
        core.retire(0);
        assert_eq!(marked(NOT_FREE), before, "where it stands is in its cell (rule H6)");
    };
    let [participant, retirer, after] = against(reader, retirer, |_| ());
    vec![retirer, participant, after]
}

/// Rule H6: a participant that stops where its segment was just handed over keeps nothing behind
/// that from being trimmed.
/// `received`: it has received a message there; else it stopped in the middle of a receive.
fn stuck(
    bus: &Bus,
    reader: Reader,
    received: bool,
    send: impl Fn(usize) + Send + 'static,
) -> Vec<Part> {
    let core = bus.core().clone();
    let retirer = move || core.retire(0);
    against(reader, retirer, move |reader| {
        if received {
            reader.cursor.publish(&reader.record);
        }
        send(6);
        let waits = reader.record.spill.range().count();
        assert!(waits <= 3, "{waits} nodes wait for one message");
    })
    .into()
}

/// A bus whose segments hold two messages of [`send`] each.
fn bus_of_two() -> Bus {
    bus_of(80)
}

/// It crosses into the segment, which is handed over by reference.
pub fn stuck_in_a_segment() -> Vec<Part> {
    let bus = bus_of_two();
    let mut reader = Reader::register(&bus, 1, Policy::Lag);
    send(&bus, 2);
    (0..2).for_each(|_| reader.receive());
    send(&bus, 3);
    send_unretired(&bus, 2);
    stuck(&bus.clone(), reader, true, move |segments| send(&bus, 2 * segments))
}

/// It crosses into the segment, which is handed over as a copy.
pub fn stuck_in_a_copied_segment() -> Vec<Part> {
    let bus = bus_of(128);
    let mut reader = Reader::register(&bus, 1, Policy::Lag);
    // Interested in what fills the segments, and handed nothing: it excludes what it sends.
    let other = bus.participant().mask(Class::NETWORK).exclude_own(true).register();
    let other = other.expect("there is room");
    let sender = other.sender();
    let send = move |segments| {
        for _ in 0..segments {
            sender.send(Class::INTERACTION, &[]).expect("accepted");
            sender.send(Class::NETWORK, &[0; 80]).expect("accepted");
        }
    };
    send(1);
    reader.receive();
    send(2);
    unretired(&bus, || send(1));
    stuck(&bus, reader, false, move |segments| {
        // Three copies to a node.
        send(3 * segments);
        let _ = &other;
    })
}

/// It comes back to the window, which moves on meanwhile, and goes to its ring again.
pub fn stuck_on_the_way_back() -> Vec<Part> {
    let bus = bus_of_two();
    let mut reader = Reader::register(&bus, 1, Policy::Lag);
    send(&bus, 2);
    (0..2).for_each(|_| reader.receive());
    reader.go_away();
    send(&bus, 3);
    send_unretired(&bus, 4);
    stuck(&bus.clone(), reader, true, move |segments| send(&bus, 2 * segments))
}

/// Rule P4: the segment that lies in the cell comes before what lies in the ring.
///
/// The participant came back to the window just before its second segment left it, and has not looked
/// again since. The retirer looks again, and goes on so far that the segment, which lies in the cell
/// then, is dropped from the ring.
pub fn overtaken_on_the_way_back() -> Vec<Part> {
    let bus = bus();
    let mut reader = Reader::register(&bus, 16, Policy::Backpressure);
    send(&bus, 1);
    reader.receive();
    reader.go_away();
    send(&bus, 3);
    let spill = &reader.record.spill;
    assert_eq!(spill.range(), 0..1, "the second segment lies in the ring");
    send_unretired(&bus, 3);
    let segment = Shared(spill.first().expect("a node").frame);
    segment.get().acquire_held();
    reader.record.progress.standing.fetch_max(2, Ordering::Relaxed);
    let (core, record) = (reader.core.clone(), reader.record.clone());
    let retirer = move || {
        let (log, segment) = (&core.log, segment.held());
        let guard = log.pin();
        // SAFETY: who retires is this thread (rule R1).
        unsafe {
            record.open_chunk.with(|open| {
                let (record, guard) = (&record, &guard);
                Handover { log, segment, record, open, guard, cutoff: 0 }.look_again();
            });
        }
        drop(guard);
        log.release(segment);
        core.retire(0);
    };
    let [participant, retirer, after] = against(reader, retirer, |reader| reader.settle(7));
    vec![retirer, participant, after]
}
