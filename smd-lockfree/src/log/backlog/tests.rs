#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;

use super::Unpublished;
use crate::hooks::{self, Place};
use crate::log::frame::NO_SEGMENT;
use crate::log::handover::Handover;
use crate::log::tail::{Held, Log};
use crate::registry::snapshot::Snapshot;
use crate::{Bus, Class, Policy};

/// Number of the tail segment.
fn tail(log: &Log) -> u64 {
    let held = log.acquire_tail();
    // SAFETY: held.
    let number = unsafe { held.as_ref() }.number();
    log.release(held);
    number
}

/// A segment moves from the ring into the cell, and from there to its participant, while somebody
/// counts: it was once seen in neither, since the cell was looked at first.
#[test]
fn g5_a_segment_that_moves_while_it_is_counted_is_counted() {
    let bus = Bus::builder().segment_bytes(4096).time_to_live(None).build().expect("the limits");
    let mut part = bus.register(Class::USER0).expect("registers");
    let core = bus.core().clone();
    let send_up_to = |segment| {
        while tail(&core.log) < segment {
            bus.send(Class::USER0, &[1; 300]).expect("accepted").sequence().expect("wanted");
        }
    };
    send_up_to(2);
    let first_of_two = bus.sequence() - 1;
    while part.record.next_sequence() < first_of_two {
        part.try_recv().expect("all of the first segment");
    }
    part.go_away();
    send_up_to(6);
    let record = part.record.clone();
    assert_eq!(record.spill.range(), 0..1, "the second segment lies in the ring");
    core.log.retiring.store(true, Ordering::Relaxed);
    send_up_to(9);
    core.log.retiring.store(false, Ordering::Relaxed);
    // The participant came to the second segment just before that left the window, and has not looked
    // again since; the retirer will.
    let segment = record.spill.first().expect("a node").frame;
    // SAFETY: the node's reference.
    unsafe { segment.as_ref() }.acquire_held();
    record.progress.standing.fetch_max(2, Ordering::Relaxed);

    let owed = bus.sequence() - first_of_two;
    let (reached, reaches) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let counting = (core.clone(), record.clone());
    let counter = thread::spawn(move || {
        let (goes, (core, record)) = (Rc::new(goes), counting);
        let then = goes.clone();
        let next = reached.clone();
        hooks::at_next(Place::CellSeen, move || {
            reached.send(()).expect("the test waits");
            then.recv().expect("the test goes on");
            hooks::at_next(Place::CurrentSeen, move || {
                next.send(()).expect("the test waits");
                then.recv().expect("the test goes on");
            });
        });
        core.log.backlog(&record, u64::MAX, 0, Unpublished::Wanted)
    });
    reaches.recv().expect("the cell is empty");
    let log = &core.log;
    let guard = log.pin();
    // SAFETY: nobody else retires here (rule R1).
    unsafe {
        record.open_chunk.with(|open| {
            let (record, guard) = (&record, &guard);
            Handover { log, segment, record, open, guard, cutoff: 0 }.look_again();
        });
    }
    drop(guard);
    log.release(segment);
    let lend = |lend: &mut dyn FnMut(&Snapshot)| lend(core.registry.snapshot(&log.pin()));
    let mut counter = Some(counter);
    let mut counted = 0;
    let at = |segment: Held| {
        // SAFETY: lent by the retirer, who holds it.
        if unsafe { segment.as_ref() }.number() != 4 {
            return;
        }
        assert_eq!(record.spill.range().start, 1, "the second segment is not in the ring any more");
        go.send(()).expect("the counter waits");
        reaches.recv().expect("nothing is being read");
        part.try_recv().expect("it lies in the cell");
        go.send(()).expect("the counter waits");
        counted = counter.take().expect("once").join().expect("no panic");
    };
    log.retire(lend, at, 0);
    assert!((owed - 1..=owed).contains(&counted), "{counted} are counted of {owed}");
    assert_eq!(record.next_sequence(), first_of_two + 1, "it was received meanwhile");
}

/// The number that a reader without a reference may find in a frame that became a chunk: not below
/// that of the window.
#[test]
fn g5_a_copy_is_beyond_every_segment() {
    let bus = Bus::builder().segment_bytes(4096).time_to_live(None).build().expect("the limits");
    let part = bus.register(Class::USER0).expect("registers");
    let _other = bus.participant().mask(Class::USER1).policy(Policy::Lag).depth(1).register();
    for number in 0..200_u32 {
        let class = if number % 20 == 0 { Class::USER0 } else { Class::USER1 };
        let _ = bus.send(class, &[1; 200]).expect("accepted");
    }
    let node = part.record.spill.first().expect("handed over");
    assert!(node.chunk, "little of each segment is wanted");
    // SAFETY: in the ring, and nobody receives.
    assert_eq!(unsafe { node.frame.as_ref() }.number(), NO_SEGMENT);
}
