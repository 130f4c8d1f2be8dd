//! Teardown (G12): whatever the order in which the handles go, the last one frees everything, at
//! once, and nothing before is freed under anybody.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::counting::{Counting, bytes, count_this_thread};
use common::{A, B, C, Wakes, join, number, small, watched};
use smd_lockfree::{Bus, EventLoop, Kept, Participant, Policy, Sender};
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::task::Context;

#[global_allocator]
static COUNTING: Counting = Counting;

/// One test at a time: they count into the same place.
static TURN: Mutex<()> = Mutex::new(());

/// Something that is dropped when it is called.
type Drops = Box<dyn FnOnce() + Send>;

fn a_bus() -> Bus {
    small().build().unwrap()
}

/// A bus in full use, as the ways to drop each of its handles.
fn handles(bus: Bus) -> Vec<Drops> {
    let sender = bus.sender();
    let waits = join(&bus, B, Policy::Backpressure, 4);
    let mut keeper = join(&bus, A, Policy::Backpressure, 200);
    // One with a backlog that was handed over, one that has lost most of its own.
    let full = join(&bus, A, Policy::Backpressure, 150);
    let lags = join(&bus, A, Policy::Lag, 10);
    let mut events = EventLoop::new(&bus);
    events.add(bus.participant().mask(A | B), |_, _| {}).unwrap();
    let state = bus.retain_key(A, b"key").unwrap();
    let observer = bus.observe_interest(|_| {});
    number(state.send(b"state"));
    for _ in 0..100 {
        number(sender.send(A, &[1; 60]));
    }
    let kept = keeper.try_recv().unwrap().keep();
    let handle = waits.handle();
    vec![
        Box::new(move || drop(bus)),
        Box::new(move || drop((sender, observer))),
        Box::new(move || drop((full, lags))),
        Box::new(move || check_and_drop(kept)),
        Box::new(move || drop(events)),
        Box::new(move || drop((waits, keeper))),
        Box::new(move || drop((state, handle))),
    ]
}

fn check_and_drop(kept: Kept) {
    assert_eq!(kept.bytes(), b"state");
}

/// Calls with every order of the numbers below `count`.
fn every_order(count: usize, mut call: impl FnMut(&[usize])) {
    fn permute(order: &mut Vec<usize>, fixed: usize, call: &mut impl FnMut(&[usize])) {
        if fixed == order.len() {
            return call(order);
        }
        for next in fixed..order.len() {
            order.swap(fixed, next);
            permute(order, fixed + 1, call);
            order.swap(fixed, next);
        }
    }
    permute(&mut (0..count).collect(), 0, &mut call);
}

fn drop_in(order: &[usize], handles: Vec<Drops>) {
    let mut handles: Vec<Option<Drops>> = handles.into_iter().map(Some).collect();
    for next in order {
        handles[*next].take().unwrap()();
    }
}

/// Runs something often enough to have whatever a thread sets up once, then counts.
#[track_caller]
fn frees_everything(what: &str, mut run: impl FnMut()) {
    (0..3).for_each(|_| run());
    let before = bytes();
    run();
    assert_eq!(bytes() - before, 0, "bytes are left: {what}");
}

#[test]
fn g12_in_every_order_everything_is_freed() {
    watched(|| {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        count_this_thread(true);
        (0..3).for_each(|_| drop_in(&[0, 1, 2, 3, 4, 5, 6], handles(a_bus())));
        let mut orders = 0;
        every_order(7, |order| {
            let before = bytes();
            drop_in(order, handles(a_bus()));
            assert_eq!(bytes() - before, 0, "bytes are left by {order:?}");
            orders += 1;
        });
        assert_eq!(orders, 5_040);
        count_this_thread(false);
    });
}

#[test]
fn g12_a_draft_and_its_sender_may_be_the_last() {
    watched(|| {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        count_this_thread(true);
        for finish in 0..3 {
            frees_everything("an open draft", || {
                let bus = a_bus();
                let sender = bus.sender();
                let listener = bus.register(C).unwrap();
                let draft = sender.alloc(C, 100).unwrap().unwrap();
                drop_in(&[6, 5, 4, 3, 2, 1, 0], handles(bus));
                match finish {
                    0 => drop((listener, draft)),
                    1 => {
                        assert!(draft.send().unwrap().is_queued());
                        drop(listener);
                    }
                    _ => {
                        drop(listener);
                        assert!(!draft.send().unwrap().is_queued());
                    }
                }
            });
        }
        count_this_thread(false);
    });
}

#[test]
fn g12_each_handle_alone_frees_what_is_left() {
    watched(|| {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        count_this_thread(true);
        frees_everything("a bus that was never used", || drop(a_bus()));
        frees_everything("a bus used by this thread without a sender", || {
            let bus = a_bus();
            let _participant = bus.register(A).unwrap();
            for _ in 0..100 {
                number(bus.send(A, &[1; 100]));
            }
        });
        frees_everything("kept messages of many segments", || {
            let bus = a_bus();
            let mut participant = bus.register(A).unwrap();
            let mut kept = Vec::new();
            for _ in 0..200 {
                number(bus.send(A, &[1; 300]));
                kept.push(participant.try_recv().unwrap().keep());
            }
            drop((bus, participant));
            kept.reverse();
            assert!(kept.iter().all(|kept| kept.bytes() == [1; 300]));
        });
        frees_everything("a receive and a send that were dropped while they waited", || {
            let bus = a_bus();
            let mut participant = join(&bus, A, Policy::Backpressure, 1);
            let mut sender = bus.sender();
            let (_, waker) = Wakes::new();
            let mut context = Context::from_waker(&waker);
            assert!(pin!(participant.recv()).poll(&mut context).is_pending());
            number(bus.send(A, b"x"));
            assert!(pin!(sender.send_async(A, b"x")).poll(&mut context).is_pending());
        });
        frees_everything("participants that left by their handles", || {
            let bus = a_bus();
            let participants: Vec<Participant> =
                (0..50).map(|_| join(&bus, A, Policy::Lag, 1_000)).collect();
            for _ in 0..500 {
                number(bus.send(A, &[1; 100]));
            }
            assert!(participants.iter().all(|p| p.handle().leave().is_some()));
            drop(bus);
        });
        count_this_thread(false);
    });
}

#[cfg(unix)]
#[test]
fn g12_descriptors_are_closed() {
    let open = || std::fs::read_dir("/proc/self/fd").map(Iterator::count);
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(before) = open() else { return println!("skipped: no list of open files here") };
    for bus_first in [true, false] {
        let bus = a_bus();
        let descriptors: Vec<_> =
            (0..20).map(|_| bus.register(A).unwrap().into_descriptor().unwrap()).collect();
        number(bus.send(A, b"x"));
        assert!(open().unwrap() >= before + 20);
        if bus_first {
            drop(bus);
            drop(descriptors);
        } else {
            drop(descriptors);
            drop(bus);
        }
        assert_eq!(open().unwrap(), before);
    }
}

#[test]
fn g12_handles_dropped_at_the_same_time_by_several_threads() {
    watched(|| {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        count_this_thread(true);
        let barrier = Arc::new(Barrier::new(4));
        // Threads that stay, so that what a thread sets up once does not count.
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (give, take) = channel::<Vec<Drops>>();
                let barrier = Arc::clone(&barrier);
                let thread = std::thread::spawn(move || {
                    count_this_thread(true);
                    for drops in take {
                        barrier.wait();
                        drops.into_iter().for_each(|drops| drops());
                        barrier.wait();
                    }
                    count_this_thread(false);
                });
                (give, thread)
            })
            .collect();
        let (warm, rounds) = (200, common::rounds("SMD_TEARDOWNS", 20_000));
        let mut before = 0;
        for round in 0..warm + rounds {
            if round == warm {
                before = bytes();
            }
            let mut shares = [(); 3].map(|()| Vec::new());
            for (n, drops) in handles(a_bus()).into_iter().enumerate() {
                shares[(n * 5 + round) % 3].push(drops);
            }
            for ((give, _), share) in workers.iter().zip(shares) {
                give.send(share).unwrap();
            }
            barrier.wait();
            // They drop now, each its share.
            barrier.wait();
        }
        for (give, thread) in workers {
            drop(give);
            thread.join().unwrap();
        }
        // What the threads still hold of the last few buses has its own test below; one segment or
        // one record lost in each round would be more than this.
        let grown = bytes() - before;
        assert!(grown < 512 * 1024, "{grown} bytes are left after {rounds} rounds");
        count_this_thread(false);
    });
}

#[test]
fn g12_the_last_handle_frees_everything_though_threads_that_used_the_bus_live_on() {
    watched(|| {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        count_this_thread(true);
        let (give, take) = channel::<Bus>();
        let (done, wait) = channel::<()>();
        let user = std::thread::spawn(move || {
            count_this_thread(true);
            for bus in take {
                let mut participant = join(&bus, A, Policy::Lag, 100);
                for _ in 0..200 {
                    number(bus.send(A, &[1; 100]));
                }
                assert!(participant.try_recv().is_err());
                drop((participant, bus));
                // It has given up everything, and lives.
                let _ = done.send(());
            }
            count_this_thread(false);
        });
        let once = || {
            let bus = a_bus();
            give.send(bus.clone()).unwrap();
            wait.recv().unwrap();
            drop(bus);
        };
        // Enough for whatever a thread keeps for a few buses to be full, and for the channels.
        (0..200).for_each(|_| once());
        let before = bytes();
        let mut left = Vec::new();
        for _ in 0..62 {
            once();
            left.push(bytes() - before);
        }
        drop(give);
        user.join().unwrap();
        count_this_thread(false);
        // A channel takes a block of 31 places now and then, about 1.5 KB; it is no part of a bus.
        let spread = left.iter().max().unwrap() - left.iter().min().unwrap();
        assert!(spread < 4_096, "a thread holds on to buses that are gone: {left:?}");
    });
}

#[test]
fn g12_a_thread_that_ends_leaves_nothing_behind() {
    watched(|| {
        let bus = a_bus();
        let mut participant = join(&bus, A, Policy::Backpressure, 1_000);
        for _ in 0..50 {
            let (bus, sender): (Bus, Sender) = (bus.clone(), bus.sender());
            std::thread::spawn(move || {
                number(bus.send(A, b"straight"));
                number(sender.send(A, b"sender"));
            })
            .join()
            .unwrap();
        }
        assert_eq!(participant.drain(|_| {}), Ok(100));
        let stats = bus.stats();
        assert!(stats.senders <= 2, "{} senders are left of threads that ended", stats.senders);
        drop(bus);
        assert!(participant.bus().is_closed());
    });
}

/// A frame once held a reference on what it came from: where the pools overflowed, frames that
/// waited for their epoch kept each other alive for ever.
#[test]
fn g12_frames_beyond_what_the_pools_keep_are_freed_too() {
    watched(|| {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        count_this_thread(true);
        // More state, each piece in a small frame of its own, than free small frames are kept.
        let state = |bus: &Bus| -> Vec<_> {
            let keys: Vec<_> =
                (0..200_u8).map(|key| bus.retain_key(A, &[key, 1]).unwrap()).collect();
            for entry in &keys {
                number(entry.send(b"state"));
            }
            let mut sink = join(bus, C, Policy::Lag, 1);
            for _ in 0..300 {
                number(bus.send(C, &[1; 100]));
            }
            assert!(sink.try_recv().is_err());
            keys
        };
        frees_everything("state that goes with its bus", || {
            let bus = a_bus();
            let keys = state(&bus);
            assert!(bus.stats().memory_bytes > 200 * 1024);
            drop((bus, keys));
        });
        frees_everything("state that was cleared before", || {
            let bus = a_bus();
            assert!(state(&bus).iter().all(|entry| entry.clear()));
            bus.trim();
            drop(bus);
        });
        // More segments, each held by a kept message, than free ones are kept.
        for bus_first in [true, false] {
            frees_everything("kept messages of more segments than are pooled", || {
                let bus = a_bus();
                let mut participant = join(&bus, A, Policy::Backpressure, 100);
                let mut kept = Vec::new();
                for n in 0..1_200 * 10 {
                    number(bus.send(A, &[1; 384]));
                    let message = participant.try_recv().unwrap();
                    if n % 10 == 0 {
                        kept.push(message.keep());
                    }
                }
                drop(participant);
                if bus_first {
                    drop(bus);
                    drop(kept);
                } else {
                    drop(kept);
                    drop(bus);
                }
            });
        }
        count_this_thread(false);
    });
}

/// A kept message once held all free segments of a bus that was gone, until it went itself.
#[test]
fn g12_a_kept_message_that_outlives_its_bus_holds_its_own_segment() {
    watched(|| {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        count_this_thread(true);
        let burst = || {
            let bus = a_bus();
            let mut participant = join(&bus, A, Policy::Backpressure, 2_000);
            (0..2_000).for_each(|_| drop(number(bus.send(A, &[1; 384]))));
            let first = participant.try_recv().unwrap().keep();
            let mut last = None;
            participant.drain(|message| last = Some(message.keep())).unwrap();
            assert!(bus.stats().memory_bytes > 800_000, "the burst is pooled");
            (first, last.unwrap())
        };
        (0..3).for_each(|_| drop(burst()));
        let before = bytes();
        let (first, last) = burst();
        // Two segments of 4 KiB; the thread's reclamation handle of the bus stays a while.
        assert!(bytes() - before < 32 * 1024, "{} bytes with two kept", bytes() - before);
        let two = bytes();
        drop(first);
        assert!(two - bytes() >= 4096, "its segment was not freed");
        drop(last);
        assert_eq!(bytes() - before, 0);
        count_this_thread(false);
    });
}

/// A thread once remembered a reclamation handle of each bus that it had used, until it had eight.
#[test]
fn g12_a_thread_forgets_the_buses_that_are_gone_at_its_next_one() {
    watched(|| {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        count_this_thread(true);
        // The bus ends on this thread, after the other one has used it: what is left is the other's.
        let (give, take) = channel::<Bus>();
        let (back, got) = channel::<Bus>();
        let user = std::thread::spawn(move || {
            count_this_thread(true);
            for bus in take {
                drop(bus.register(A).unwrap());
                let _ = back.send(bus);
            }
            count_this_thread(false);
        });
        let mut left = Vec::new();
        let mut before = 0;
        for round in 0..30 {
            give.send(a_bus()).unwrap();
            let bus = got.recv().unwrap();
            drop(bus);
            match round {
                // The first ones fill what a thread and a channel set up once.
                0..=4 => before = bytes(),
                _ => left.push(bytes() - before),
            }
        }
        drop(give);
        user.join().unwrap();
        count_this_thread(false);
        // One handle is some two kilobytes, and one is remembered.
        assert!(left.iter().all(|bytes| bytes.abs() < 2_048), "{left:?}");
    });
}
