//! No wake-up is lost: a lost one leaves a thread parked for ever, which the checkers report.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use smd_lockfree::Participant;

use super::{A, B, WIDE, bus, contiguous, drain, interested, queued, word};
use crate::model::{reached, thread, unparker};

/// Senders against a receiver that blocks.
pub fn blocking(segment: usize, senders: usize, each: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let threads: Vec<_> = (0..senders)
        .map(|who| {
            let sender = bus.sender();
            thread::spawn(move || {
                for index in 0..each {
                    queued(&sender, A, &word(who, index));
                }
            })
        })
        .collect();
    for number in 1..=(senders * each) as u64 {
        assert_eq!(all.recv_blocking().expect("open").sequence(), number);
    }
    if all.stats().wakes > 0 {
        reached("woken");
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

/// One sender against a receiver that awaits; each poll comes with another waker.
pub fn awaiting(segment: usize, sends: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let sender = bus.sender();
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(0, index));
        }
    });
    for number in 1..=sends as u64 {
        assert_eq!(next(&mut all), number);
    }
    if all.stats().wakes > 0 {
        reached("woken");
    }
    thread.join().expect("no panic");
}

/// Awaits one message on this thread; its number.
fn next(participant: &mut Participant) -> u64 {
    let mut receive = pin!(participant.recv());
    loop {
        // A poll of its own waker each time: an older one must not count.
        let woken = Woken::new();
        let waker = woken.waker();
        match receive.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(message) => return message.expect("open").sequence(),
            Poll::Pending => woken.wait(),
        }
    }
}

/// Waits until *this* waker was woken.
struct Woken(std::sync::Arc<Flag>);

struct Flag {
    woken: std::sync::atomic::AtomicBool,
    unpark: std::task::Waker,
}

impl std::task::Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        // Of the checker, not of what is checked: the unpark orders it.
        self.woken.store(true, std::sync::atomic::Ordering::SeqCst);
        self.unpark.wake_by_ref();
    }
}

impl Woken {
    fn new() -> Woken {
        let woken = std::sync::atomic::AtomicBool::new(false);
        Woken(std::sync::Arc::new(Flag { woken, unpark: unparker() }))
    }

    fn waker(&self) -> std::task::Waker {
        std::task::Waker::from(self.0.clone())
    }

    fn wait(&self) {
        while !self.0.woken.load(std::sync::atomic::Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// A hole stands in front of who is about to sleep: it wants what comes behind the hole, and
/// nothing of the hole itself.
pub fn behind_a_hole(senders_of_holes: usize) {
    let bus = bus(WIDE);
    let keeper = bus.register(B).expect("registered");
    let mut receiver = bus.register(A).expect("registered");
    let mut threads: Vec<_> = (0..senders_of_holes)
        .map(|who| {
            let sender = bus.sender();
            thread::spawn(move || {
                queued(&sender, B, &word(who, 0));
            })
        })
        .collect();
    let sender = bus.sender();
    threads.push(thread::spawn(move || {
        queued(&sender, A, b"");
    }));
    assert_eq!(receiver.recv_blocking().expect("open").bytes(), b"");
    if receiver.stats().wakes > 0 {
        reached("woken");
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    drop(keeper);
}

/// A sleeper has given its segment up; the window passes it before it comes back.
pub fn passed_asleep(segment: usize, sends: usize) {
    let bus = bus(segment);
    let (keeper, sender) = interested(&bus, B);
    let mut receiver = bus.register(A).expect("registered");
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, B, &word(0, index));
        }
        queued(&sender, A, &word(1, 0));
        queued(&sender, A, &word(1, 1));
    });
    let first = receiver.recv_blocking().expect("open").sequence();
    assert_eq!(first, sends as u64 + 1);
    thread.join().expect("no panic");
    let mut got = Vec::new();
    drain(&mut receiver, &mut got);
    contiguous(&got, first + 1, first + 1);
    drop(keeper);
}

/// Two participants sleep for different classes; each is woken by its own.
pub fn two_sleepers() {
    let bus = bus(WIDE);
    let mut one = bus.register(A).expect("registered");
    let mut two = bus.register(B).expect("registered");
    let sender = bus.sender();
    let first = thread::spawn(move || one.recv_blocking().expect("open").sequence());
    let second = thread::spawn(move || two.recv_blocking().expect("open").sequence());
    queued(&sender, A, b"");
    queued(&sender, B, b"");
    assert_eq!(first.join().expect("no panic"), 1);
    assert_eq!(second.join().expect("no panic"), 2);
}
