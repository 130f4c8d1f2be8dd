//! G11, idle costs nothing: a waiting participant is woken for what it wants, once, and no wake-up
//! is lost.
//!
//! `idle_cpu.rs` measures the CPU, `wakeups.rs` counts hand-offs, `waiting_forms.rs` tries executors.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, C, Wakes, block_on, bus, expiring, flood, join, number, numbers, watched};
use smd_lockfree::{FullReason, Outgoing, Participant, Policy, RecvError, SendError};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

#[test]
fn g11_a_sleeper_is_woken_once_however_many_messages_come() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let (wakes, waker) = Wakes::new();
    for round in 1..=10 {
        {
            let mut receive = pin!(participant.recv());
            assert!(receive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            for _ in 0..100 {
                number(bus.send(A, b"x"));
            }
            assert_eq!(wakes.count(), round);
            assert!(receive.poll(&mut Context::from_waker(&waker)).is_ready());
        }
        assert_eq!(numbers(&mut participant).len(), 99);
        assert_eq!(participant.stats().wakes, round as u64);
    }
    assert_eq!(bus.stats().wakes, 10);
}

#[test]
fn g11_a_sleeper_is_not_woken_for_what_it_does_not_want() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut receive = pin!(participant.recv());
    assert!(receive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    flood(&bus, B, 3_000);
    assert_eq!(wakes.count(), 0, "it sleeps through whole segments");
    number(bus.send(A | B, b"x"));
    assert_eq!(wakes.count(), 1);
    let Poll::Ready(Ok(message)) = receive.poll(&mut Context::from_waker(&waker)) else {
        panic!("it was woken for nothing");
    };
    assert_eq!(message.sequence(), 3_001);
}

#[test]
fn g11_each_sleeper_is_woken_for_its_own_class() {
    let bus = bus();
    let mut participants = [A, B, A | C].map(|mask| bus.register(mask).unwrap());
    let wakers = [(); 3].map(|()| Wakes::new());
    let mut waits: Vec<_> = participants.iter_mut().map(|p| Box::pin(p.recv())).collect();
    for (wait, (_, waker)) in waits.iter_mut().zip(&wakers) {
        assert!(wait.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    let count = || [0, 1, 2].map(|n: usize| wakers[n].0.count());
    number(bus.send(B, b"x"));
    assert_eq!(count(), [0, 1, 0]);
    number(bus.send(C, b"x"));
    assert_eq!(count(), [0, 1, 1]);
    number(bus.send(A, b"x"));
    assert_eq!(count(), [1, 1, 1]);
}

#[test]
fn g11_a_receive_that_is_dropped_loses_nothing() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let (wakes, waker) = Wakes::new();
    for expected in 1..=50 {
        // Dropped before a message comes, and after.
        assert!(pin!(participant.recv()).poll(&mut Context::from_waker(&waker)).is_pending());
        {
            let mut receive = pin!(participant.recv());
            assert!(receive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            number(bus.send(A, b"x"));
        }
        {
            let _never_polled = participant.recv();
        }
        assert_eq!(block_on(participant.recv()).unwrap().sequence(), expected);
        assert!(participant.try_recv().is_err());
    }
    assert!(wakes.count() <= 50);
}

#[test]
fn g11_the_last_waker_counts() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let ((old, old_waker), (new, new_waker)) = (Wakes::new(), Wakes::new());
    let mut receive = pin!(participant.recv());
    assert!(receive.as_mut().poll(&mut Context::from_waker(&old_waker)).is_pending());
    assert!(receive.as_mut().poll(&mut Context::from_waker(&new_waker)).is_pending());
    number(bus.send(A, b"x"));
    assert_eq!(new.count(), 1, "the task has moved");
    assert!(old.count() <= 1);
    assert!(receive.poll(&mut Context::from_waker(&new_waker)).is_ready());
}

#[test]
fn g11_waiting_with_a_time_out_ends_at_it_or_with_a_message() {
    watched(|| {
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        let wait = Duration::from_millis(20);
        let start = Instant::now();
        assert_eq!(participant.recv_timeout(wait).unwrap_err(), RecvError::Timeout);
        assert!(start.elapsed() >= wait);
        assert_eq!(participant.recv_timeout(Duration::ZERO).unwrap_err(), RecvError::Timeout);
        number(bus.send(A, b"1"));
        assert_eq!(participant.recv_timeout(Duration::ZERO).unwrap().sequence(), 1);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| participant.recv_timeout(Duration::MAX).unwrap().sequence());
            number(bus.send(A, b"2"));
            assert_eq!(waits.join().unwrap(), 2);
        });
    });
}

#[test]
fn g11_every_form_gives_what_is_there_before_it_waits() {
    watched(|| {
        let forms: [fn(&mut Participant) -> u64; 5] = [
            |p| p.try_recv().unwrap().sequence(),
            |p| p.recv_blocking().unwrap().sequence(),
            |p| p.recv_timeout(Duration::from_secs(60)).unwrap().sequence(),
            |p| p.recv_spinning().unwrap().sequence(),
            |p| block_on(p.recv()).unwrap().sequence(),
        ];
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        for (expected, form) in (1..).zip(forms) {
            assert_eq!(number(bus.send(A, b"x")), expected);
            assert_eq!(form(&mut participant), expected);
        }
        assert_eq!(participant.stats().wakes, 0, "nobody slept");
    });
}

#[test]
fn g11_a_report_comes_through_every_form() {
    watched(|| {
        let forms: [fn(&mut Participant) -> RecvError; 5] = [
            |p| p.try_recv().unwrap_err(),
            |p| p.recv_blocking().unwrap_err(),
            |p| p.recv_timeout(Duration::from_secs(60)).unwrap_err(),
            |p| p.recv_spinning().unwrap_err(),
            |p| block_on(p.recv()).unwrap_err(),
        ];
        let (bus, hand) = expiring();
        let mut participant = join(&bus, A, Policy::Lag, 4);
        for form in forms {
            number(bus.send(A, b"x"));
            hand.advance(Duration::from_millis(11));
            assert!(matches!(form(&mut participant), RecvError::Lagged(lag) if lag.count == 1));
        }
    });
}

#[cfg(unix)]
#[test]
fn g11_a_descriptor_is_readable_exactly_while_something_awaits() {
    use common::readable;
    let bus = bus();
    let mut descriptor = bus.register(A).unwrap().into_descriptor().unwrap();
    for _ in 0..5 {
        // It may be so before the first look; after it there is nothing.
        assert_eq!(descriptor.try_recv().unwrap_err(), RecvError::Empty);
        assert!(!readable(&descriptor));
        assert!(bus.send(B | C, b"not for it").is_ok());
        assert!(!readable(&descriptor));
        number(bus.send(A, b"1"));
        assert!(readable(&descriptor));
        number(bus.send(A, b"2"));
        assert!(descriptor.try_recv().is_ok());
        assert!(readable(&descriptor), "one is left");
        assert!(descriptor.try_recv().is_ok());
        assert_eq!(descriptor.try_recv().unwrap_err(), RecvError::Empty);
        assert!(!readable(&descriptor));
        flood(&bus, B, 500);
        assert!(!readable(&descriptor));
    }
    bus.close();
    assert!(readable(&descriptor), "the close awaits");
    assert_eq!(descriptor.try_recv().unwrap_err(), RecvError::Closed);
    assert!(readable(&descriptor), "and stays");
}

#[cfg(unix)]
#[test]
fn g11_a_drain_that_finds_nothing_leaves_the_descriptor_unreadable() {
    use common::readable;
    let bus = bus();
    let mut descriptor = bus.register(A).unwrap().into_descriptor().unwrap();
    for _ in 0..5 {
        number(bus.send(A, b"x"));
        assert!(readable(&descriptor));
        assert_eq!(descriptor.drain(|_| {}), Ok(1));
        // Else a loop that polls and drains would never sleep again.
        assert_eq!(descriptor.drain(|_| {}), Ok(0));
        assert!(!readable(&descriptor));
    }
}

#[cfg(unix)]
#[test]
fn g11_a_descriptor_made_late_tells_of_what_came_before() {
    use common::readable;
    let bus = bus();
    let state = bus.retain(B).unwrap();
    let participant = bus.register(A).unwrap();
    number(bus.send(A, b"1"));
    let mut descriptor = participant.into_descriptor().unwrap();
    assert!(readable(&descriptor));
    assert_eq!(numbers(&mut descriptor), [1]);
    number(state.send(b"2"));
    assert!(!readable(&descriptor));
    // State that a wider mask brings awaits as well.
    descriptor.set_mask(A | B).unwrap();
    assert!(readable(&descriptor));
    assert_eq!(numbers(&mut descriptor), [2]);
    assert!(!readable(&descriptor));
    assert!(descriptor.handle().leave().is_some());
    assert!(readable(&descriptor), "Left awaits");
}

#[test]
fn g11_no_wake_up_is_lost_between_looking_and_sleeping() {
    watched(|| {
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        let total = common::rounds("SMD_RACES", 50_000) as u64;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let sender = bus.sender();
                for n in 0..total {
                    // Sometimes at once, sometimes while it falls asleep, sometimes after.
                    (0..n % 97).for_each(|_| std::hint::spin_loop());
                    number(sender.send_wait(A, b"x", None));
                }
            });
            for expected in 1..=total {
                assert_eq!(participant.recv_blocking().unwrap().sequence(), expected);
            }
        });
    });
}

#[cfg(unix)]
#[test]
fn g11_a_descriptor_tells_what_awaits_by_the_mask_of_now() {
    use common::readable;
    let bus = bus();
    let mut descriptor = join(&bus, A, Policy::Backpressure, 8).into_descriptor().unwrap();
    assert_eq!(descriptor.try_recv().map(|_| ()), Err(RecvError::Empty));
    descriptor.set_mask(A | B).unwrap();
    assert!(!readable(&descriptor), "nothing awaits");
    number(bus.send(B, b"x"));
    assert!(readable(&descriptor), "a message of the new class");
    assert_eq!(descriptor.try_recv().unwrap().bytes(), b"x");
}

#[cfg(feature = "stream")]
#[test]
fn g11_a_task_that_waits_hears_of_a_class_that_was_added_meanwhile() {
    use futures_core::Stream;
    let bus = bus();
    let mut messages = join(&bus, A, Policy::Backpressure, 8).into_stream();
    let (wakes, waker) = Wakes::new();
    let mut context = Context::from_waker(&waker);
    assert!(std::pin::Pin::new(&mut messages).poll_next(&mut context).is_pending());
    messages.participant().set_mask(A | B).unwrap();
    number(bus.send(B, b"x"));
    assert!(wakes.count() > 0, "nobody told the task");
    assert!(std::pin::Pin::new(&mut messages).poll_next(&mut context).is_ready());
}

/// Polls its participant again, with another waker, in the middle of its own wake-up.
struct PollsAgain {
    participant: Mutex<Option<Participant>>,
    next: Waker,
    polled: AtomicUsize,
}

impl Wake for PollsAgain {
    fn wake(self: Arc<Self>) {
        let mut participant = self.participant.lock().unwrap();
        let Some(participant) = participant.as_mut() else { return };
        let mut context = Context::from_waker(&self.next);
        loop {
            match pin!(participant.recv()).poll(&mut context) {
                Poll::Ready(Ok(_)) => self.polled.fetch_add(1, Ordering::SeqCst),
                Poll::Ready(Err(_)) => return,
                Poll::Pending => break,
            };
        }
        // A future that is dropped takes its announcement back: this one waits on.
        let mut waits = Box::pin(participant.recv());
        assert!(waits.as_mut().poll(&mut context).is_pending());
        std::mem::forget(waits);
    }
}

/// A waker that was registered while an earlier one was still being called was once replaced by it
/// when that call ended, and never heard of anything.
#[test]
fn g11_a_waker_registered_while_another_is_called_is_the_one_that_counts() {
    watched(|| {
        let bus = bus();
        let (wakes, next) = Wakes::new();
        let mut participant = bus.register(A).unwrap();
        let first = Arc::new(PollsAgain {
            participant: Mutex::new(None),
            next,
            polled: AtomicUsize::new(0),
        });
        {
            let waker = Waker::from(Arc::clone(&first));
            let mut waits = Box::pin(participant.recv());
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            std::mem::forget(waits);
        }
        *first.participant.lock().unwrap() = Some(participant);
        number(bus.send(A, b"1"));
        assert_eq!(first.polled.load(Ordering::SeqCst), 1, "received inside the wake-up");
        assert_eq!(wakes.count(), 0);
        number(bus.send(A, b"2"));
        assert_eq!(wakes.count(), 1, "the later waker");
        let mut participant = first.participant.lock().unwrap().take().unwrap();
        assert_eq!(numbers(&mut participant), [2]);
    });
}

/// A descriptor made anew, after one that was given up, once kept the old one as what to wake.
#[cfg(unix)]
#[test]
fn g11_a_descriptor_made_anew_is_the_one_that_is_signalled() {
    use common::readable;
    let bus = bus();
    let mut descriptor = bus.register(A).unwrap().into_descriptor().unwrap();
    for sent in 1..=4 {
        assert_eq!(descriptor.try_recv().unwrap_err(), RecvError::Empty);
        assert!(!readable(&descriptor), "armed, round {sent}");
        // Given up while it is armed, and made again: the old one is closed.
        descriptor = descriptor.into_participant().into_descriptor().unwrap();
        assert_eq!(descriptor.try_recv().unwrap_err(), RecvError::Empty);
        assert!(!readable(&descriptor), "armed anew, round {sent}");
        number(bus.send(A, b"x"));
        assert!(readable(&descriptor), "round {sent}");
        assert_eq!(numbers(&mut descriptor), [sent]);
    }
}

#[cfg(unix)]
#[test]
fn g11_a_new_descriptor_is_readable_only_if_something_awaits() {
    use common::readable;
    let bus = bus();
    let descriptor = bus.register(A).unwrap().into_descriptor().unwrap();
    assert!(!readable(&descriptor), "nothing was sent");
    number(bus.send(B | A, b"x"));
    assert!(readable(&descriptor));
    let behind = bus.register(A).unwrap();
    number(bus.send(A, b"y"));
    assert!(readable(&behind.into_descriptor().unwrap()), "it waits already");
}

#[test]
fn g11_a_batch_wakes_nobody_for_what_was_refused() {
    let bus = bus();
    let _full = join(&bus, B, Policy::Backpressure, 1);
    let mut asleep = bus.register(A).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut receive = pin!(asleep.recv());
    assert!(receive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let batch = [Outgoing::new(B, b"1"), Outgoing::new(A | B, b"2")];
    let refused = bus.sender().send_batch(&batch).unwrap_err();
    assert_eq!((refused.done, refused.error), (1, SendError::Full(FullReason::Backlog)));
    assert_eq!(wakes.count(), 0, "nothing for it was accepted");
}
