//! Memory is bounded by the backlogs and a number of segments, whatever flows past (G5): ten million
//! messages pass a stuck participant, a forgotten sender, kept messages and a listener of a rare
//! class that sleeps.
//!
//! The only test of its file: it counts what the process allocates. `SMD_MEMORY` sets the number of
//! messages.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::counting::{Counting, bytes, count_this_thread};
use common::{A, B, C, join, number, rounds, watched};
use smd_lockfree::{Bus, Kept, Policy, RecvError};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

#[global_allocator]
static COUNTING: Counting = Counting;

const SEGMENT: usize = 4096;
const MAX_SEGMENTS: usize = 8;
/// Free segments that may lie in the pool while messages flow: far fewer than the 1,024 that it has
/// room for, since it only ever has what was in use at once.
const POOLED: usize = 64;
/// Small frames that the pool has room for.
const SMALL_POOLED: usize = 64;
/// What the formula does not name: the bus itself, records of participants and senders, snapshots
/// of the registry that wait for their epoch, headers.
const BOOKKEEPING: usize = 128 * 1024;

/// What was registered and kept; the documented bound follows from it.
struct Load {
    participants: usize,
    senders: usize,
    kept: usize,
    /// The depths of those who have a backlog.
    depths: &'static [usize],
    pooled: usize,
}

impl Load {
    /// The window, one segment for each participant, each sender and each kept message, the
    /// hand-over, a ring for each backlog that was handed over, and the pools.
    ///
    /// The hand-over takes four times the bytes of the backlogs here, and not eight: nobody is handed
    /// references and copies in turn.
    fn bound(&self) -> u64 {
        let segments = MAX_SEGMENTS + self.participants + self.senders + self.kept + self.pooled;
        // A record: a head, a time, the payload, in whole units.
        let backlog: usize = self.depths.iter().map(|depth| depth * (16 + PAYLOAD)).sum();
        let handed = 4 * backlog + self.depths.len() * SEGMENT;
        let rings: usize = self.depths.iter().map(|depth| ring(*depth)).sum();
        (segments * SEGMENT + handed + rings + SMALL_POOLED * 1024 + BOOKKEEPING) as u64
    }
}

/// Most bytes of a ring: slots of 144 bytes for the nodes that a depth can need.
fn ring(depth: usize) -> usize {
    let by_bytes = 8 * (depth * (384 + 64)).div_ceil(SEGMENT) + 32;
    by_bytes.min(2 * depth + 32).next_power_of_two() * 144
}

const PAYLOAD: usize = 64;
const STUCK_DEPTH: usize = 500;
const FULL_DEPTH: usize = 300;

#[test]
fn g5_memory_stays_under_the_formula_whatever_flows_past() {
    watched(|| {
        let messages = rounds("SMD_MEMORY", 10_000_000) as u64;
        count_this_thread(true);
        let before = bytes();
        let bus = Bus::builder()
            .segment_bytes(SEGMENT)
            .max_segments(MAX_SEGMENTS)
            .time_to_live(None)
            .build()
            .unwrap();

        // One that never receives again, while it still holds a message.
        let mut stuck = join(&bus, A, Policy::Lag, STUCK_DEPTH as u32);
        number(bus.send(A, &[1; 64]));
        let held = stuck.try_recv().unwrap();

        // Senders that are never used again, one of them out of reach.
        let idle = bus.sender();
        number(idle.send(A, b"once"));
        let forgotten = bus.sender();
        number(forgotten.send(A, b"once"));
        std::mem::forget(forgotten);

        // A listener of a rare class, asleep.
        let mut rare = join(&bus, B, Policy::Backpressure, 10);
        number(bus.send(B, b"rare"));
        assert!(rare.try_recv().is_ok());
        assert!(pin!(rare.recv()).poll(&mut Context::from_waker(Waker::noop())).is_pending());

        // One that is full and stays so.
        let mut full = join(&bus, C, Policy::Backpressure, FULL_DEPTH as u32);
        while bus.send(C, &[3; 64]).is_ok() {}

        // One that keeps a message of now and then.
        let mut keeper = join(&bus, A, Policy::Backpressure, 100);
        let mut kept: Vec<Kept> = Vec::with_capacity(100);

        // Three senders here and the one that this thread has for sends straight through the bus.
        let depths = &[STUCK_DEPTH, FULL_DEPTH, 100, 10];
        let bound = Load { participants: 4, senders: 4, kept: 100, depths, pooled: POOLED };
        let bound = bound.bound();
        let sender = bus.sender();
        let payload = [7; PAYLOAD];
        let (mut most_said, mut most_real) = (0, 0);
        let first = bus.sequence();
        for n in 0..messages {
            number(sender.send(A, &payload));
            let message = keeper.try_recv().unwrap();
            if kept.len() < kept.capacity() && n % 1_000 == 0 {
                kept.push(message.keep());
            }
            if n % 10_000 == 0 {
                let said = bus.stats().memory_bytes;
                most_said = most_said.max(said);
                most_real = most_real.max((bytes() - before) as u64);
                assert!(said <= bound, "{said} bytes after {n} messages, bound {bound}");
            }
        }
        // What it says is what it takes, as far as the allocator knows.
        assert!(most_real <= bound, "{most_real} bytes allocated, bound {bound}");
        assert!(most_said * 2 + BOOKKEEPING as u64 >= most_real, "said {most_said} of {most_real}");

        // And nobody has lost what was promised to him.
        assert_eq!(held.bytes(), [1; 64]);
        let last = first + messages - 1;
        let lost = stuck.drain(|_| {}).unwrap_err();
        assert!(matches!(lost, RecvError::Lagged(lag) if lag.last == last - STUCK_DEPTH as u64));
        assert_eq!(stuck.drain(|_| {}), Ok(STUCK_DEPTH));
        assert_eq!(full.drain(|_| {}), Ok(FULL_DEPTH));
        assert_eq!(rare.try_recv().unwrap_err(), RecvError::Empty);
        assert!(kept.iter().all(|kept| kept.bytes() == payload));
        assert_eq!(number(idle.send(B, b"still there")), last + 1);
        assert_eq!(rare.try_recv().unwrap().sequence(), last + 1);

        // It comes down again, and to the formula without a pool when that is trimmed.
        drop((kept, stuck, full));
        for _ in 0..20_000 {
            number(sender.send(A, &payload));
            assert!(keeper.try_recv().is_ok());
        }
        let depths = &[100, 10];
        let load = |pooled| Load { participants: 2, senders: 4, kept: 0, depths, pooled }.bound();
        let (rest, least) = (bus.stats(), load(0));
        // What was kept and handed over lies in the pool now.
        let most = load(rest.segments_pooled as usize);
        assert!(rest.segments_pooled < 1024 && rest.memory_bytes <= most, "{rest:?}, bound {most}");
        bus.trim();
        let rest = bus.stats();
        assert!(rest.segments_pooled == 0 && rest.memory_bytes <= least, "{rest:?}, bound {least}");
    });
}
