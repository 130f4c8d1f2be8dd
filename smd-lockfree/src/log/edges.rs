//! The log's edges one by one, for who checks them: each a few threads on the shipped types, with
//! nothing around them that would order what the edge alone must order.
//!
//! The first of them, on the thread that the model begins with, is who writes. loom remembers only
//! the last access of a word when it looks for an order to turn around: of a thread that looks
//! once, and first, and another that loads the word before it exchanges it, it tries one order.

use std::ptr::NonNull;

use crate::error::LagReason;
use crate::hooks::{Part, mark};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::local::OwnerCell;

mod handed;

pub use handed::*;

use super::arena::Arena;
use super::frame::{Frame, segment_tag};
use super::spill::{Gap, Lost, Node, Spill};
use super::tail::{Held, Log};
use super::word::Head;
use crate::class::Class;

const UNITS: u32 = 4;

fn arena() -> Arc<Arena> {
    Arc::new(Arena::new(UNITS, 2))
}

fn log() -> Arc<Log> {
    Arc::new(Log::new(arena(), 16, 0))
}

fn head(len: usize) -> Head {
    Head::new(Class::INTERACTION, len, 0, false, false)
}

/// Seals the tail and installs another.
fn next_segment(log: &Log) {
    let held = log.acquire_tail();
    // SAFETY: held.
    let sealed = log.seal(unsafe { held.as_ref() });
    let _ = log.install(held, sealed, 0, true);
    log.release(held);
}

/// Takes a frame, writes into it and gives it back.
fn uses(arena: &Arc<Arena>) -> Part {
    let arena = arena.clone();
    Box::new(move || {
        let frame = arena.take();
        // SAFETY: just taken, private.
        unsafe {
            (*frame).slab().write_word(8, 1);
            arena.give(frame);
        }
    })
}

/// `arena.pool`: what one thread did with a frame is over before another clears it.
pub fn pool() -> Vec<Part> {
    let arena = arena();
    (0..2).map(|_| uses(&arena)).collect()
}

/// `arena.far`: who finds the far cells finds them empty, or with what was put into them since.
pub fn far() -> Vec<Part> {
    // Two near cells and one far one, which is looked at first once it is there: it was filled last.
    let arena = Arc::new(Arena::new(UNITS, 3));
    let frames = [(); 3].map(|()| Shared(NonNull::new(arena.take()).expect("a frame")));
    let takes = uses(&arena);
    let gives = move || {
        for frame in frames {
            // SAFETY: taken above, never published.
            unsafe { arena.give(frame.held().as_ptr()) };
        }
    };
    vec![Box::new(gives), takes]
}

/// `arena.over`: who frees a frame at once does so behind everybody's last look at frames.
pub fn over() -> Vec<Part> {
    // No cell to pool in: a frame is freed at once, or through the epoch, which the bytes tell.
    let arena = Arc::new(Arena::new(UNITS, 0));
    let frame = arena.take();
    // SAFETY: private.
    unsafe { (*frame).begin(segment_tag(1), 1, 1, 1, 0) };
    let kept = Shared(NonNull::new(frame).expect("just taken"));
    let before = arena.bytes();
    let looks = Arc::new(OwnerCell::new(0));
    let (ending, looking) = (arena.clone(), looks.clone());
    let bus = move || {
        // SAFETY: this thread's, until the bus is over.
        unsafe { looking.with(|looks| *looks += 1) };
        ending.end();
    };
    let keeper = move || {
        // SAFETY: the kept message's reference.
        unsafe { arena.release(kept.held().as_ptr()) };
        if arena.bytes() == before {
            // SAFETY: the bus is over, so nobody looks any more.
            unsafe { looks.with(|looks| *looks += 1) };
        }
    };
    vec![Box::new(bus), Box::new(keeper)]
}

/// `frame.last`: every use of a frame is over before its last user clears it.
pub fn last_reference() -> Vec<Part> {
    let arena = arena();
    let frame = arena.take();
    // SAFETY: private.
    unsafe { (*frame).begin(segment_tag(1), 2, 1, 1, 0) };
    let held = Shared(NonNull::new(frame).expect("just taken"));
    (0..2)
        .map(|_| {
            let (arena, held) = (arena.clone(), held);
            Box::new(move || {
                let frame = held.get();
                // SAFETY: one of the two references is this thread's.
                unsafe {
                    let _ = frame.records().word(8);
                    if Frame::release(frame) {
                        frame.clear();
                        arena.give(held.held().as_ptr());
                    }
                }
            }) as Part
        })
        .collect()
}

/// `frame.refs`: who counts itself in by the tag of a life sees that life's words and memory.
pub fn new_life() -> Vec<Part> {
    let arena = arena();
    let frame = arena.take();
    // SAFETY: private.
    unsafe { (*frame).begin(segment_tag(1), 1, 1, 1, 0) };
    let held = Shared(NonNull::new(frame).expect("just taken"));
    let stale = arena.clone();
    let owner = move || {
        let frame = held.get();
        // SAFETY: the one reference.
        unsafe {
            assert!(Frame::release(frame), "nobody else knows its tag");
            frame.clear();
            frame.slab().write_word(8, 7);
            frame.begin(segment_tag(2), 1, 2, 5, 0);
        }
    };
    let acquirer = move || {
        let frame = held.get();
        let _guard = stale.domain.pin();
        for _ in 0..2 {
            if frame.acquire(segment_tag(2)) {
                assert_eq!((frame.number(), frame.base_sequence()), (2, 5), "words of a life");
                // SAFETY: held.
                assert_eq!(unsafe { frame.records().word(8) }, 7, "memory of a life");
                // SAFETY: acquired above.
                let last = unsafe { Frame::release(frame) };
                assert!(!last, "its owner has one more");
                return;
            }
            crate::sync::hint::again();
        }
    };
    let after = move || {
        // SAFETY: the owner's reference of the second life.
        unsafe { arena.release(held.held().as_ptr()) };
    };
    vec![Box::new(owner), Box::new(acquirer), Box::new(after)]
}

/// `log.end`: who sees END takes the claim word as final.
pub fn end() -> Vec<Part> {
    let log = log();
    let held = Shared(log.acquire_tail());
    let (sealer, reader) = (log.clone(), log.clone());
    vec![
        Box::new(move || _ = sealer.seal(held.get())),
        Box::new(move || {
            // SAFETY: held until all threads have ended.
            if unsafe { held.get().head(0) }.is_end_marker() {
                assert!(reader.load_claim(held.get()).is_sealed(), "END before the final claim");
            }
        }),
        Box::new(move || log.release(held.held())),
    ]
}

/// `log.complete`: who finds a segment complete may read all of it.
pub fn complete() -> Vec<Part> {
    let log = log();
    let held = Shared(log.acquire_tail());
    let sender = move || {
        let frame = held.get();
        // SAFETY: held until all threads have ended; claimed by nobody else.
        unsafe {
            frame.fill(0, 9, None, &[]);
            frame.add_to_union(1);
            frame.publish(0, head(0));
        }
    };
    let walker = move || {
        // SAFETY: as above.
        if unsafe { held.get().head(0) }.0 != 0 {
            held.get().set_complete();
        }
    };
    let counter = move || {
        if let Some(union) = held.get().complete_union() {
            assert_eq!(union, 1, "all union bits");
            // SAFETY: complete, so published.
            assert_eq!(unsafe { held.get().records().time(0) }, 9);
        }
    };
    let after = move || log.release(held.held());
    vec![Box::new(sender), Box::new(walker), Box::new(counter), Box::new(after)]
}

/// `log.install`: whoever swings the tail, who finds a successor there reads its words.
pub fn install() -> Vec<Part> {
    let log = log();
    let held = Shared(log.acquire_tail());
    let sealed = log.seal(held.get());
    let mut parts: Vec<Part> = Vec::new();
    for _ in 0..2 {
        let log = log.clone();
        parts.push(Box::new(move || _ = log.install(held.held(), sealed, 0, true)));
    }
    let reader = log.clone();
    parts.push(Box::new(move || assert_eq!(reader.next_sequence(), 1, "words of a successor")));
    parts.push(Box::new(move || log.release(held.held())));
    parts
}

/// `log.low`: who finds the window past a segment finds what was pushed of it.
pub fn low() -> Vec<Part> {
    let log = log();
    let first = Shared(log.acquire_low());
    next_segment(&log);
    let spill = Arc::new(Spill::new());
    let (retiring, pushing) = (log.clone(), spill.clone());
    let retirer = move || {
        assert!(pushing.has_room(&retiring.pin()));
        first.get().acquire_held();
        pushing.push(&node(first.held(), 1));
        let next = first.get().next().load(Ordering::Acquire);
        retiring.advance_low(first.held(), next);
    };
    let (reading, looking) = (log.clone(), spill.clone());
    let participant = move || {
        if reading.low_number(&reading.pin()) == 2 {
            assert!(!looking.is_empty(), "low has moved before the push");
        }
    };
    let after = move || {
        spill.sweep(&log);
        log.release(first.held());
    };
    vec![Box::new(retirer), Box::new(participant), Box::new(after)]
}

/// `log.retire`: one retirer's notes are the next one's.
pub fn retirers() -> Vec<Part> {
    let log = log();
    (0..2).for_each(|_| next_segment(&log));
    let notes = Arc::new(OwnerCell::new(0));
    let retire = |more: bool| {
        let (log, notes) = (log.clone(), notes.clone());
        move || {
            if more {
                next_segment(&log);
            }
            // SAFETY: the retirer alone (rule R1).
            let note = |_: Held| unsafe { notes.with(|notes| *notes += 1) };
            log.retire(|_| (), note, 0);
        }
    };
    let (first, second) = (retire(false), retire(true));
    let after = move || {
        log.retire(|_| (), |_| (), 0);
        assert_eq!(log.window(), 2, "all but the last two are retired");
    };
    vec![Box::new(first), Box::new(second), Box::new(after)]
}

/// Rule R4: what is retired has a successor, and the tail is past it.
pub fn tail_stays() -> Vec<Part> {
    let log = log();
    next_segment(&log);
    let (installing, retiring) = (log.clone(), log.clone());
    let retire = |log: &Log| {
        let is_passed = |held: Held| {
            // SAFETY: lent by the retirer, which holds it.
            let next = unsafe { held.as_ref() }.next().load(Ordering::Acquire);
            assert!(!next.is_null(), "the tail is retired");
        };
        log.retire(|_| (), is_passed, 0);
    };
    vec![
        Box::new(move || next_segment(&installing)),
        Box::new(move || retire(&retiring)),
        Box::new(move || retire(&log)),
    ]
}

/// Rule F3: who acquires an end of the window gets what stood there, and no later life of its frame.
pub fn window_end() -> Vec<Part> {
    let log = log();
    (0..2).for_each(|_| next_segment(&log));
    let moving = log.clone();
    vec![
        Box::new(move || {
            moving.retire(|_| (), |_| (), 0);
            // In the frame of the segment that was retired.
            next_segment(&moving);
        }),
        Box::new(move || {
            let low = log.acquire_low();
            // SAFETY: held.
            let number = unsafe { low.as_ref() }.number();
            assert!(number <= log.low_number(&log.pin()), "another life of the frame at `low`");
            log.release(low);
        }),
    ]
}

/// Rule F4: who looks at a surplus frame, without a reference, finds it in memory.
pub fn surplus() -> Vec<Part> {
    // No cell to pool it in: a frame whose last reference goes is freed.
    let log = Arc::new(Log::new(Arc::new(Arena::new(UNITS, 0)), 16, 0));
    (0..2).for_each(|_| next_segment(&log));
    let retiring = log.clone();
    vec![
        Box::new(move || retiring.retire(|_| (), |_| (), 0)),
        Box::new(move || {
            let low = log.acquire_low();
            log.release(low);
        }),
    ]
}

/// A node over a segment; its lists are told apart by `tag`.
fn node(frame: Held, tag: u32) -> Node {
    Node {
        index: 0,
        frame,
        tag,
        chunk: false,
        first_segment: u64::from(tag),
        end: u64::from(tag) + 1,
        generation: 0,
        wanted: Lost::one(u64::from(tag), 1),
        last_time: 0,
        gap: Gap::default(),
    }
}

/// A spill with `nodes` nodes of one frame, which is freed when all is over.
fn spill(nodes: u32) -> (Arc<Arena>, Arc<Spill>, Shared) {
    let arena = arena();
    let frame = arena.take();
    let held = Shared(NonNull::new(frame).expect("just taken"));
    let spill = Arc::new(Spill::new());
    for tag in 1..=nodes {
        assert!(spill.has_room(&arena.domain.pin()));
        spill.push(&node(held.held(), tag));
    }
    (arena, spill, held)
}

fn bury(arena: Arc<Arena>, held: Shared) -> Part {
    // SAFETY: all threads that knew the frame have ended.
    Box::new(move || unsafe { arena.give(held.held().as_ptr()) })
}

/// `spill.push`: who finds a node in the ring finds all of it.
pub fn push() -> Vec<Part> {
    let (arena, spill, held) = spill(1);
    assert!(spill.take(0), "so that there is a ring");
    let reading = spill.clone();
    let reader = move || {
        let range = reading.range();
        if !range.is_empty() {
            let node = reading.peek(range.start).expect("a node that was pushed");
            assert_eq!((node.tag, node.first_segment), (2, 2), "a node that was pushed is whole");
        }
    };
    let retirer = move || _ = spill.push(&node(held.held(), 2));
    vec![Box::new(retirer), Box::new(reader), bury(arena, held)]
}

/// `spill.take`: who finds a node trimmed finds its losses in the one that follows.
pub fn trim() -> Vec<Part> {
    let (arena, spill, held) = spill(2);
    let trimming = spill.clone();
    let retirer = move || {
        let node = trimming.peek(0).expect("the first");
        assert!(trimming.trim(&node, Some(LagReason::Overflow)));
    };
    let taker = move || {
        if spill.range().start == 1 {
            let node = spill.peek(1).expect("the second");
            assert!(node.gap != Gap::default(), "what was trimmed is in the node that follows");
        }
    };
    vec![Box::new(retirer), Box::new(taker), bury(arena, held)]
}

/// Rule H2, with its losses: a node is taken while it is trimmed; either it is had, or the one that
/// follows tells of it.
pub fn trim_against_take() -> Vec<Part> {
    let (arena, spill, held) = spill(2);
    let had = Arc::new(AtomicUsize::new(0));
    let (trimming, taking, taken) = (spill.clone(), spill.clone(), had.clone());
    let retirer = move || {
        if trimming.range().start == 0 {
            let node = trimming.peek(0).expect("the first");
            trimming.trim(&node, Some(LagReason::Overflow));
        }
    };
    let taker = move || {
        if taking.take(0) {
            taken.store(1, Ordering::Relaxed);
        } else {
            mark("node trimmed under its taker");
        }
    };
    let after = move || {
        assert_eq!(spill.range().start, 1, "one of them got it");
        let told = spill.peek(1).expect("the second").gap != Gap::default();
        assert_eq!(told, had.load(Ordering::Relaxed) == 0, "a node is had, or told of, once");
        // SAFETY: all threads that knew the frame have ended.
        unsafe { arena.give(held.held().as_ptr()) };
    };
    vec![Box::new(retirer), Box::new(taker), Box::new(after)]
}

/// `spill.ring`: who finds a larger ring finds in it what was in the smaller.
pub fn ring() -> Vec<Part> {
    let (arena, spill, held) = spill(4);
    let (growing, domain) = (spill.clone(), arena.clone());
    let retirer = move || {
        assert!(growing.has_room(&domain.domain.pin()));
        growing.push(&node(held.held(), 5));
    };
    let pinning = arena.clone();
    let reader = move || {
        let _guard = pinning.domain.pin();
        for index in spill.range() {
            let node = spill.peek(index).expect("a node of the range");
            assert_eq!(u64::from(node.tag), index + 1, "another ring, the same nodes");
        }
    };
    vec![Box::new(retirer), Box::new(reader), bury(arena, held)]
}

/// Rule H2: of two who want a node one gets it.
pub fn takers() -> Vec<Part> {
    let (arena, spill, held) = spill(1);
    let taken = Arc::new(AtomicUsize::new(0));
    let mut parts: Vec<Part> = Vec::new();
    for _ in 0..2 {
        let (spill, taken) = (spill.clone(), taken.clone());
        parts.push(Box::new(move || {
            if spill.range().start == 0 && spill.take(0) {
                taken.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    parts.push(Box::new(move || {
        assert_eq!(taken.load(Ordering::Relaxed), 1, "a node is taken once");
        // SAFETY: all threads that knew the frame have ended.
        unsafe { arena.give(held.held().as_ptr()) };
    }));
    parts
}

/// A frame that all threads of a model know.
#[derive(Clone, Copy)]
struct Shared(Held);

// SAFETY: frames are shared memory by protocol.
unsafe impl Send for Shared {}

impl Shared {
    fn held(self) -> Held {
        self.0
    }

    fn get(&self) -> &Frame {
        // SAFETY: it is freed after the threads have ended.
        unsafe { self.0.as_ref() }
    }
}

impl Head {
    fn is_end_marker(self) -> bool {
        self.0 != 0 && self.is_end()
    }
}
