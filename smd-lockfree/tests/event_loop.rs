//! Callbacks (G3): what they may do, what a panic in them does, the turn-taking of a loop, one wake
//! for a thousand of them.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, C, bus, eventually, expiring, flood, number, small, watched};
use smd_lockfree::{
    Bus, CallbackId, Class, Context, Event, EventLoop, LagReason, LoopError, Policy, RegisterError,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Adds a callback that reports each message as `name` and its text.
fn logs(
    events: &mut EventLoop,
    bus: &Bus,
    mask: Class,
    name: &'static str,
    log: &Sender<String>,
) -> CallbackId {
    let log = log.clone();
    let callback = move |event: Event<'_>, _: &mut Context<'_>| {
        let _ = log.send(match event {
            Event::Message(message) => format!("{name} {}", message.text().unwrap()),
            Event::Lagged(lag) => format!("{name} lost {}", lag.count),
        });
    };
    events.add(bus.participant().mask(mask), callback).unwrap()
}

fn said(log: &Receiver<String>) -> Vec<String> {
    log.try_iter().collect()
}

#[test]
fn g3_callbacks_take_turns_one_message_each_a_pass() {
    let bus = bus();
    let mut events = EventLoop::new(&bus);
    let (log, logged) = channel();
    logs(&mut events, &bus, A, "one", &log);
    logs(&mut events, &bus, A | B, "two", &log);
    logs(&mut events, &bus, B, "three", &log);
    assert_eq!(events.len(), 3);
    for (class, text) in [(A, "1"), (A, "2"), (B, "3")] {
        number(bus.send(class, text.as_bytes()));
    }
    assert_eq!(events.turn(), 3);
    let mut first = said(&logged);
    first.sort();
    assert_eq!(first, ["one 1", "three 3", "two 1"]);
    assert_eq!(events.turn(), 2);
    assert_eq!(events.turn(), 1);
    assert_eq!(said(&logged), ["one 2", "two 2", "two 3"]);
    assert_eq!((events.turn(), said(&logged).len()), (0, 0));
}

#[test]
fn g3_a_callback_is_told_what_it_lost() {
    let (bus, hand) = expiring();
    let mut events = EventLoop::new(&bus);
    let (log, logged) = channel();
    let lags = move |event: Event<'_>, _: &mut Context<'_>| {
        let _ = log.send(match event {
            Event::Message(message) => (message.sequence(), None),
            Event::Lagged(lag) => (lag.count, Some(lag.reason)),
        });
    };
    events.add(bus.participant().mask(A).policy(Policy::Lag).depth(1), lags).unwrap();
    for _ in 0..3 {
        number(bus.send(A, b"x"));
    }
    assert_eq!((events.turn(), events.turn(), events.turn()), (1, 1, 0));
    number(bus.send(A, b"x"));
    hand.advance(Duration::from_millis(11));
    assert_eq!(events.turn(), 1);
    let expected = [(2, Some(LagReason::Overflow)), (3, None), (1, Some(LagReason::Expired))];
    assert_eq!(logged.try_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn g3_what_a_callback_sends_reaches_its_loop_no_sooner_than_the_next_turn() {
    watched(|| {
        let bus = bus();
        let mut events = EventLoop::new(&bus);
        let (log, logged) = channel();
        let own = bus.clone();
        let echoes = move |event: Event<'_>, context: &mut Context<'_>| {
            let Event::Message(message) = event else { panic!("nothing is lost") };
            // Through a handle of its own, and through the one of the loop.
            number(own.send(B, message.bytes()));
            number(context.bus().send(B, message.bytes()));
        };
        events.add(bus.participant().mask(A), echoes).unwrap();
        // It comes after the other in the turn, and would see it at once.
        logs(&mut events, &bus, B, "later", &log);
        number(bus.send(A, b"1"));
        assert_eq!((events.turn(), said(&logged).len()), (1, 0));
        assert_eq!((events.turn(), said(&logged)), (1, vec!["later 1".to_owned()]));
        assert_eq!((events.turn(), said(&logged)), (1, vec!["later 1".to_owned()]));
        assert_eq!(events.turn(), 0);
    });
}

#[test]
fn g3_a_callback_may_change_its_mask_and_leave() {
    let bus = bus();
    let mut events = EventLoop::new(&bus);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let callback = move |event: Event<'_>, context: &mut Context<'_>| {
        let Event::Message(message) = event else { panic!("nothing is lost") };
        counted.fetch_add(1, Ordering::SeqCst);
        match message.bytes() {
            b"narrow" => assert_eq!(context.set_mask(B), Ok(4)),
            b"leave" => {
                context.leave();
            }
            other => panic!("{other:?} was given up"),
        }
        assert!(!message.bytes().is_empty(), "the message is still there");
    };
    events.add(bus.participant().mask(A), callback).unwrap();
    for text in ["narrow", "given up", "given up"] {
        number(bus.send(A, text.as_bytes()));
    }
    assert_eq!((events.turn(), events.turn()), (1, 0));
    assert_eq!(bus.interest(), B);
    number(bus.send(B, b"leave"));
    number(bus.send(B, b"too late"));
    assert_eq!((events.turn(), events.turn()), (1, 0));
    assert_eq!((count.load(Ordering::SeqCst), events.len()), (2, 0));
    assert_eq!((bus.interest(), bus.stats().participants), (Class::NONE, 0));
}

/// Adds a callback that removes all that are listed.
fn removes(events: &mut EventLoop, bus: &Bus, list: &Arc<Mutex<Vec<CallbackId>>>) -> CallbackId {
    let list = Arc::clone(list);
    let callback = move |_: Event<'_>, context: &mut Context<'_>| {
        list.lock().unwrap().drain(..).for_each(|victim| {
            context.remove(victim);
        });
    };
    events.add(bus.participant().mask(A), callback).unwrap()
}

#[test]
fn g3_a_callback_may_remove_others_and_itself() {
    // The victim stands before it in the turn, or after it.
    for victim_first in [true, false] {
        let bus = bus();
        let mut events = EventLoop::new(&bus);
        let (log, logged) = channel();
        let list = Arc::new(Mutex::new(Vec::new()));
        let mut ids = Vec::new();
        if !victim_first {
            ids.push(removes(&mut events, &bus, &list));
        }
        ids.push(logs(&mut events, &bus, A | B, "victim", &log));
        if victim_first {
            ids.push(removes(&mut events, &bus, &list));
        }
        *list.lock().unwrap() = ids;
        number(bus.send(A, b"1"));
        number(bus.send(A, b"2"));
        events.turn();
        assert_eq!((events.len(), bus.interest()), (0, Class::NONE), "both are gone");
        assert!(said(&logged).len() <= 1, "at most what came before its removal");
        assert_eq!(events.turn(), 0);
    }
}

#[test]
fn g3_a_callback_may_register_others() {
    watched(|| {
        let bus = bus();
        let mut events = EventLoop::new(&bus);
        let (log, logged) = channel();
        let own = bus.clone();
        let adds = move |_: Event<'_>, context: &mut Context<'_>| {
            let log = log.clone();
            let added = context.add(own.participant().mask(B), move |event, context| {
                if let Event::Message(message) = event {
                    let _ = log.send((context.id(), message.sequence()));
                }
            });
            assert_ne!(added.unwrap(), context.id());
            let bad = context.add(own.participant().mask(Class::NONE), |_, _| {});
            assert_eq!(bad.unwrap_err(), RegisterError::EmptyMask);
            // A participant beside the loop as well.
            assert_eq!(own.register(C).unwrap().since(), own.sequence());
            number(own.send(B, b"for the new one"));
        };
        events.add(bus.participant().mask(A), adds).unwrap();
        number(bus.send(A, b"1"));
        number(bus.send(A, b"2"));
        while events.turn() > 0 {}
        let seen: Vec<_> = logged.try_iter().collect();
        assert_eq!(events.len(), 3);
        // The first of the two has had both, the second what came after it was there.
        let mut numbers: Vec<_> = seen.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [3, 4, 4]);
    });
}

#[test]
fn g3_a_panic_is_contained_and_reported() {
    let bus = bus();
    let mut events = EventLoop::new(&bus);
    let (log, logged) = channel();
    let panics = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&panics);
    events.on_panic(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let log2 = log.clone();
    let callback = move |event: Event<'_>, _: &mut Context<'_>| {
        let Event::Message(message) = event else { panic!("nothing is lost") };
        assert!(message.bytes() != b"bad", "as the message says");
        let _ = log2.send("first good".to_owned());
    };
    events.add(bus.participant().mask(A), callback).unwrap();
    logs(&mut events, &bus, A, "other", &log);
    number(bus.send(A, b"bad"));
    number(bus.send(A, b"good"));
    assert_eq!(events.turn(), 2, "the others go on");
    assert_eq!(said(&logged), ["other bad"]);
    assert_eq!(panics.load(Ordering::SeqCst), 1);
    assert_eq!(events.turn(), 2, "the participant stays, the message counts as delivered");
    assert_eq!(said(&logged), ["first good", "other good"]);
    assert_eq!((events.len(), bus.stats().delivered), (2, 4));
}

#[test]
fn g3_a_callback_that_leaves_and_panics_has_left() {
    let bus = bus();
    let mut events = EventLoop::new(&bus);
    let leaves = |_: Event<'_>, context: &mut Context<'_>| {
        context.leave();
        panic!("it chose otherwise");
    };
    events.add(bus.participant().mask(A), leaves).unwrap();
    number(bus.send(A, b"x"));
    events.turn();
    assert_eq!((events.len(), bus.interest()), (0, Class::NONE));
}

#[test]
fn g3_a_panic_reporter_that_panics_is_contained_too() {
    let bus = bus();
    let mut events = EventLoop::new(&bus);
    events.on_panic(|_| panic!("in the reporter"));
    events.add(bus.participant().mask(A), |_, _| panic!("in the callback")).unwrap();
    number(bus.send(A, b"1"));
    number(bus.send(A, b"2"));
    assert_eq!((events.turn(), events.turn(), events.turn()), (1, 1, 0));
}

#[test]
fn g3_a_callback_may_drop_the_bus() {
    watched(|| {
        let bus = bus();
        let mut events = EventLoop::new(&bus);
        let handle = Arc::new(Mutex::new(Some(bus.clone())));
        let taken = Arc::clone(&handle);
        let drops = move |event: Event<'_>, _: &mut Context<'_>| {
            drop(taken.lock().unwrap().take());
            let Event::Message(message) = event else { panic!("nothing is lost") };
            assert_eq!(message.bytes(), b"x", "nothing is freed under it");
        };
        events.add(bus.participant().mask(A), drops).unwrap();
        number(bus.send(A, b"x"));
        drop(bus);
        assert_eq!(events.turn(), 1);
        // That was the last handle.
        assert_eq!(events.turn_timeout(None), Err(LoopError::Closed));
        assert_eq!(events.run(), Err(LoopError::Closed));
    });
}

#[test]
fn g3_a_callback_sees_its_whole_backlog_across_segments() {
    let bus = bus();
    let mut events = EventLoop::new(&bus);
    let sum = Arc::new(AtomicUsize::new(0));
    let added = Arc::clone(&sum);
    let adds = move |event: Event<'_>, _: &mut Context<'_>| {
        let Event::Message(message) = event else { panic!("nothing is lost") };
        added.fetch_add(message.sequence() as usize, Ordering::SeqCst);
    };
    events.add(bus.participant().mask(B), adds).unwrap();
    for _ in 0..300 {
        number(bus.send(B, &[1; 100]));
    }
    flood(&bus, A, 1_000);
    assert_eq!((0..).take_while(|_| events.turn() > 0).count(), 300);
    assert_eq!(sum.load(Ordering::SeqCst), 300 * 301 / 2);
}

#[test]
fn a_thousand_callbacks_cost_one_wake() {
    watched(|| {
        let bus = small().max_participants(2_000).build().unwrap();
        let mut events = EventLoop::new(&bus);
        let calls = Arc::new(AtomicUsize::new(0));
        for _ in 0..1_000 {
            let calls = Arc::clone(&calls);
            let count = move |_: Event<'_>, _: &mut Context<'_>| {
                calls.fetch_add(1, Ordering::SeqCst);
            };
            events.add(bus.participant().mask(A), count).unwrap();
        }
        let (turned, turns) = channel();
        let mut wakes = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..5 {
                    let mut served = 0;
                    while served < 1_000 {
                        served += events.turn_timeout(None).unwrap();
                    }
                    let _ = turned.send(served);
                }
            });
            for _ in 0..5 {
                // Time enough for the loop to fall asleep.
                std::thread::sleep(Duration::from_millis(20));
                let before = bus.stats().wakes;
                number(bus.send(A, b"x"));
                assert_eq!(turns.recv().unwrap(), 1_000);
                wakes.push(bus.stats().wakes - before);
            }
        });
        assert_eq!(calls.load(Ordering::SeqCst), 5_000);
        assert!(wakes.iter().all(|wakes| *wakes <= 1), "one wake a turn: {wakes:?}");
        assert!(wakes.contains(&1), "it was never asleep");
    });
}

#[test]
fn a_loop_waits_with_a_time_out_and_can_be_woken_stopped_and_given_work() {
    watched(|| {
        let bus = bus();
        let mut events = EventLoop::new(&bus);
        assert_eq!(events.turn_timeout(None), Err(LoopError::Empty), "nothing could wake it");
        let (log, logged) = channel();
        let id = logs(&mut events, &bus, A, "one", &log);
        let start = Instant::now();
        assert_eq!(events.turn_timeout(Some(Duration::from_millis(20))), Ok(0));
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert_eq!(events.turn_timeout(Some(Duration::ZERO)), Ok(0));
        let handle = events.handle();
        std::thread::scope(|scope| {
            let events = &mut events;
            let running = scope.spawn(move || events.run());
            handle.wake();
            let (inside, done) = (bus.clone(), channel());
            let (tell, told) = done;
            handle.run(move |events| {
                let log = log.clone();
                logs(events, &inside, B, "two", &log);
                let _ = tell.send(events.len());
            });
            assert_eq!(told.recv().unwrap(), 2);
            number(bus.send(B, b"x"));
            assert_eq!(logged.recv().unwrap(), "two x");
            handle.remove(id);
            eventually("it was removed", || bus.interest() == B);
            handle.clone().stop();
            assert_eq!(running.join().unwrap(), Ok(()));
        });
        assert_eq!(events.len(), 1);
        assert!(!events.remove(id), "it has been removed");
        // It can go on after a stop.
        number(bus.send(B, b"y"));
        assert_eq!(events.turn_timeout(None), Ok(1));
        assert_eq!(logged.recv().unwrap(), "two y");
    });
}

#[test]
fn a_callback_may_stop_its_loop() {
    watched(|| {
        let bus = bus();
        let mut events = EventLoop::new(&bus);
        events.add(bus.participant().mask(A), |_, context| context.stop()).unwrap();
        number(bus.send(A, b"x"));
        assert_eq!(events.run(), Ok(()));
    });
}

#[test]
fn g8_a_message_stays_what_it_is_while_its_callback_narrows_the_mask() {
    let bus = bus();
    let other = bus.clone();
    let mut events = EventLoop::new(&bus);
    let (tell, told) = channel();
    let lagging = bus.participant().mask(A | B).policy(Policy::Lag).depth(4);
    let _ = events
        .add(lagging, move |event, context| {
            let Event::Message(message) = event else { return };
            if message.sequence() != 1 {
                return;
            }
            let fill = || (0..400).for_each(|_| drop(number(other.send(A, &[7; 300]))));
            fill();
            context.set_mask(A).unwrap();
            fill();
            tell.send((message.bytes().to_vec(), message.keep().bytes().to_vec())).unwrap();
        })
        .unwrap();
    number(bus.send(A, &[1; 300]));
    assert_eq!(events.turn(), 1);
    let (lent, kept) = told.recv().unwrap();
    assert!(lent == [1; 300] && kept == [1; 300], "the message changed under its borrow");
}

#[test]
fn g3_a_panic_whose_payload_panics_when_dropped_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the drop of a panic's payload");
        }
    }
    let bus = bus();
    let _observer = bus.observe_interest(|_| std::panic::panic_any(Bomb));
    let mut events = EventLoop::new(&bus);
    let _ = events.add(bus.participant().mask(A), |_, _| std::panic::panic_any(Bomb)).unwrap();
    number(bus.send(A, b"1"));
    number(bus.send(A, b"2"));
    assert_eq!((events.turn(), events.turn(), events.len()), (1, 1, 1));
}
