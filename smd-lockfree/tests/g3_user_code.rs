//! G3, user code is never held, nor holds: formatters, serializers, closures of drain, wakers and
//! observers may do anything with the bus, and a panic in them breaks nothing.
//!
//! `event_loop.rs` says the same of callbacks.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, Wakes, block_on, bus, join, number, numbers, watched};
use smd_lockfree::{
    Bus, Class, Kept, Payload, PayloadError, Policy, RecvError, SendError, Sent, smd_format,
};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Does something to a bus while it is formatted or encoded.
struct Busy<F: Fn()>(F);

impl<F: Fn()> fmt::Display for Busy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)();
        f.write_str("busy")
    }
}

impl<F: Fn()> Payload for Busy<F> {
    fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
        (self.0)();
        b"busy".encode(out)
    }

    fn decode(_: &[u8]) -> Result<Self, PayloadError> {
        Err(PayloadError::Invalid("it is never received"))
    }
}

/// Registers, sends, changes a mask, leaves, looks: each of which would hang under a lock of ours.
fn everything_on(bus: &Bus) {
    let mut other = bus.register(B).unwrap();
    number(bus.send(B, b"from inside"));
    other.set_mask(A | B).unwrap();
    assert!(other.try_recv().is_ok());
    let _ = (bus.stats(), bus.interest(), bus.dump().to_string());
    other.leave();
}

#[test]
fn g3_formatters_and_serializers_run_before_the_claim() {
    watched(|| {
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        let sender = bus.sender();
        let inner = || {
            everything_on(&bus);
            number(bus.send(A, b"inner"));
        };
        // What is sent while the outer message is made comes before it.
        assert_eq!(number(smd_format!(bus, A, "{}", Busy(inner))), 3);
        assert_eq!(number(smd_format!(sender, A, "{}", Busy(inner))), 6);
        assert_eq!(number(bus.send_value(A, &Busy(inner))), 9);
        assert_eq!(number(sender.send_value(A, &Busy(inner))), 12);
        let mut texts = Vec::new();
        participant.drain(|message| texts.push(message.text().unwrap().to_owned())).unwrap();
        assert_eq!(texts, ["inner", "busy"].repeat(4));
    });
}

#[test]
fn g3_a_panic_while_formatting_costs_no_number_and_delays_nobody() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let panics = || panic!("in the formatter");
    assert!(catch_unwind(AssertUnwindSafe(|| smd_format!(bus, A, "{}", Busy(panics)))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| bus.send_value(A, &Busy(panics)))).is_err());
    assert_eq!(number(bus.send(A, b"next")), 1);
    assert_eq!(numbers(&mut participant), [1]);
}

#[test]
fn g3_a_formatter_that_fails_sends_nothing() {
    struct Fails;
    impl fmt::Display for Fails {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half a")?;
            Err(fmt::Error)
        }
    }
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    assert_eq!(smd_format!(bus, A, "{}", Fails), Err(SendError::Format));
    assert_eq!(number(bus.send(A, b"whole")), 1);
    assert_eq!(numbers(&mut participant), [1]);
}

#[test]
fn g3_a_closure_of_drain_may_use_the_bus() {
    watched(|| {
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        let handle = participant.handle();
        number(bus.send(A, b"1"));
        number(bus.send(A, b"2"));
        let mut kept: Vec<Kept> = Vec::new();
        let result = participant.drain(|message| {
            everything_on(&bus);
            kept.push(message.keep());
            if message.bytes() == b"1" {
                // It unregisters the participant that it was called for.
                assert!(handle.leave().is_some());
            }
            // And the message is there all the same.
            assert_eq!(message.bytes().len(), 1);
        });
        // Whether this drain stops at the departure, and how it says so, is its own affair.
        assert!(matches!(result, Ok(1..=2) | Err(RecvError::Left)), "{result:?}");
        assert_eq!(kept[0].bytes(), b"1");
        assert_eq!(participant.try_recv().unwrap_err(), RecvError::Left);
    });
}

#[test]
fn g3_a_closure_of_drain_that_panics_has_had_its_message() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    for _ in 0..3 {
        number(bus.send(A, b"x"));
    }
    let mut calls = 0;
    let result = catch_unwind(AssertUnwindSafe(|| {
        participant.drain(|_| {
            calls += 1;
            assert!(calls < 2, "the second one");
        })
    }));
    assert!(result.is_err());
    assert_eq!(calls, 2);
    assert_eq!(numbers(&mut participant), [3], "the message counts as delivered");
    assert_eq!(participant.stats().delivered, 3);
}

#[test]
fn g3_a_waker_may_use_the_bus() {
    struct Uses(Mutex<Option<Bus>>, AtomicUsize);
    impl Wake for Uses {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Ordering::SeqCst);
            // Taken, so that the handle is dropped here too.
            let bus = self.0.lock().unwrap().take();
            if let Some(bus) = bus {
                everything_on(&bus);
                number(bus.send(A, b"from the waker"));
            }
        }
    }
    watched(|| {
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        let uses = Arc::new(Uses(Mutex::new(Some(bus.clone())), AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&uses));
        {
            let mut receive = pin!(participant.recv());
            assert!(receive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            number(bus.send(A, b"wakes it"));
            assert_eq!(uses.1.load(Ordering::SeqCst), 1);
            let Poll::Ready(Ok(message)) = receive.poll(&mut Context::from_waker(&waker)) else {
                panic!("it was woken for nothing");
            };
            assert_eq!(message.bytes(), b"wakes it");
        }
        assert_eq!(participant.try_recv().unwrap().bytes(), b"from the waker");
    });
}

/// Panics when it is woken.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("in the waker");
    }
}

#[test]
fn g3_a_waker_that_panics_breaks_nothing() {
    watched(|| {
        let bus = bus();
        let mut participants = [bus.register(A).unwrap(), bus.register(A).unwrap()];
        let waker = Waker::from(Arc::new(Panics));
        for participant in &mut participants {
            let mut receive = pin!(participant.recv());
            assert!(receive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        // Whether the sender sees the panic is not promised; that the message is sent is.
        let _ = catch_unwind(AssertUnwindSafe(|| bus.send(A, b"1")));
        let _ = catch_unwind(AssertUnwindSafe(|| bus.send(A, b"2")));
        for participant in &mut participants {
            assert_eq!(block_on(participant.recv()).unwrap().sequence(), 1);
            assert_eq!(participant.recv_blocking().unwrap().sequence(), 2);
        }
        assert_eq!(number(bus.send(A, b"3")), 3);
    });
}

#[test]
fn g3_an_observer_of_interest_may_use_the_bus() {
    watched(|| {
        let bus = bus();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (inside, log) = (bus.clone(), Arc::clone(&told));
        let once = AtomicUsize::new(0);
        let observer = bus.observe_interest(move |interest| {
            log.lock().unwrap().push(interest);
            if once.fetch_add(1, Ordering::SeqCst) == 0 {
                // It changes the interest while it is told of a change.
                let participant = inside.register(A | B).unwrap();
                assert!(inside.wants(B));
                number(inside.send(B, b"x"));
                drop(participant);
            }
        });
        let participant = bus.register(A).unwrap();
        participant.leave();
        assert_eq!(bus.interest(), Class::NONE);
        let told = told.lock().unwrap();
        assert!(told.contains(&A), "{told:?}");
        assert_eq!(told.last(), Some(&Class::NONE), "the last call says how it is now");
        drop(observer);
    });
}

#[test]
fn g3_an_observer_that_blocks_keeps_no_other_change_from_the_others() {
    watched(|| {
        let bus = bus();
        let (entered, enter) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Mutex::new(released);
        let slow = bus.observe_interest(move |interest| {
            entered.send(interest).unwrap();
            let _ = released.lock().unwrap().recv();
        });
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let prompt = bus.observe_interest(move |interest| log.lock().unwrap().push(interest));
        std::thread::scope(|scope| {
            let first = scope.spawn(|| bus.register(A).unwrap());
            assert_eq!(enter.recv().unwrap(), A);
            let second = bus.register(B).unwrap();
            drop(bus.register(Class::METRICS).unwrap());
            assert_eq!(*told.lock().unwrap(), [A | B, A | B | Class::METRICS, A | B]);
            // What happened meanwhile is told once, as what it came to.
            release.send(()).unwrap();
            assert_eq!(enter.recv().unwrap(), A | B);
            release.send(()).unwrap();
            drop(release);
            drop((first.join().unwrap(), second));
        });
        assert_eq!(enter.try_iter().last(), Some(Class::NONE));
        drop((slow, prompt));
    });
}

#[test]
fn g3_an_observer_that_panics_breaks_nothing() {
    let bus = bus();
    let observer = bus.observe_interest(|_| panic!("in the observer"));
    let registered = catch_unwind(AssertUnwindSafe(|| bus.register(A)));
    drop(observer);
    // Registered or not, the bus goes on.
    let mut participant = join(&bus, A, Policy::Lag, 4);
    let sent = number(bus.send(A, b"x"));
    assert_eq!(numbers(&mut participant), [sent]);
    drop((registered, participant));
    assert_eq!(bus.send(B, b"x"), Ok(Sent::Unwanted));
}

/// A waker that stops in its wake, and says whether a send was in progress where it was dropped.
struct Stops {
    reached: std::sync::mpsc::SyncSender<()>,
    go: Mutex<std::sync::mpsc::Receiver<()>>,
    dropped: std::sync::mpsc::Sender<bool>,
}

thread_local! {
    static IN_SEND: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Wake for Stops {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let _ = self.reached.send(());
        let _ = self.go.lock().unwrap().recv();
    }
}

impl Drop for Stops {
    fn drop(&mut self) {
        let _ = self.dropped.send(IN_SEND.get());
    }
}

#[test]
fn g3_a_waker_is_not_dropped_inside_a_send() {
    use std::sync::mpsc;
    let bus = bus();
    let _other = join(&bus, B, Policy::Lag, 1);
    let mut part = join(&bus, A, Policy::Backpressure, 8);
    let (reached, reaches) = mpsc::sync_channel(1);
    let (go, goes) = mpsc::channel();
    let (dropped, drops) = mpsc::channel();
    let other = bus.clone();
    let waking = {
        let waker = Waker::from(Arc::new(Stops { reached, go: Mutex::new(goes), dropped }));
        let mut receive = pin!(part.recv());
        assert!(receive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let waking = std::thread::spawn(move || drop(number(other.send(A, b"x"))));
        // The waker is in that thread's hands when its participant goes.
        reaches.recv_timeout(Duration::from_secs(5)).unwrap();
        waking
    };
    drop(part);
    go.send(()).unwrap();
    waking.join().unwrap();
    let sender = bus.sender();
    for _ in 0..10_000 {
        IN_SEND.set(true);
        number(sender.send(B, &[0; 64]));
        IN_SEND.set(false);
    }
    let inside = drops.recv_timeout(Duration::from_secs(5));
    assert_eq!(inside, Ok(false), "user code ran inside a send");
}

/// A panic in one waker once went through the sender and left the others asleep.
#[test]
fn g3_a_waker_that_panics_keeps_nobody_else_asleep() {
    watched(|| {
        let bus = bus();
        let panics = Waker::from(Arc::new(Panics));
        let (wakes, counts) = Wakes::new();
        // One that panics, one that counts, one that panics: in whatever order they are called.
        let mut participants: Vec<_> = (0..3).map(|_| bus.register(A).unwrap()).collect();
        let wakers = [&panics, &counts, &panics];
        let mut waits: Vec<_> = participants.iter_mut().map(|p| Box::pin(p.recv())).collect();
        for (wait, waker) in waits.iter_mut().zip(wakers) {
            assert!(wait.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        assert_eq!(number(bus.send(A, b"1")), 1, "the sender hears nothing of it");
        assert_eq!(wakes.count(), 1);
        drop(waits);
        assert!(participants.iter_mut().all(|participant| numbers(participant) == [1]));
    });
}

/// The same of senders that wait for room: the receive that makes it goes on.
#[test]
fn g3_a_waker_of_a_send_that_panics_stops_no_receive() {
    watched(|| {
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Backpressure, 1);
        number(bus.send(A, b"1"));
        let (wakes, counts) = Wakes::new();
        let panics = Waker::from(Arc::new(Panics));
        let mut senders = [bus.sender(), bus.sender(), bus.sender()];
        let mut waits: Vec<_> =
            senders.iter_mut().map(|sender| Box::pin(sender.send_async(A, b"2"))).collect();
        for (wait, waker) in waits.iter_mut().zip([&panics, &counts, &panics]) {
            assert!(wait.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        assert_eq!(participant.try_recv().unwrap().sequence(), 1);
        assert_eq!(wakes.count(), 1);
        let polled = waits[1].as_mut().poll(&mut Context::from_waker(&counts));
        assert_eq!(polled, Poll::Ready(Ok(Sent::Queued(2))));
    });
}
