//! No wake-up is lost: a lost one leaves a thread parked for ever, which the checkers report.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smd_lockfree::{Descriptor, Participant, RecvError, Sender};

use super::{A, B, Got, WIDE, bus, contiguous, drain, interested, looks, queued, word};
use crate::model::{thread, unparker};

/// How a participant waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Its thread sleeps.
    Blocking,
    /// Its thread sleeps, at most for longer than any clock counts: there is none in a model.
    Timeout,
    /// Its task sleeps.
    Async,
    /// Its poller sleeps: a word and a parked thread stand in for the descriptor.
    Descriptor,
}

/// A participant that waits in one form.
enum Sleeper {
    Plain(Form, Participant),
    Polled(Descriptor),
}

impl Form {
    /// Every one of them.
    pub const ALL: [Form; 4] = [Form::Blocking, Form::Timeout, Form::Async, Form::Descriptor];

    fn of(self, participant: Participant) -> Sleeper {
        match self {
            Form::Descriptor => Sleeper::Polled(participant.into_descriptor().expect("a word")),
            form => Sleeper::Plain(form, participant),
        }
    }
}

impl Sleeper {
    /// Waits for one message.
    fn next(&mut self) -> Got {
        match self {
            Sleeper::Plain(Form::Timeout, participant) => {
                participant.recv_timeout(Duration::MAX).expect("open").into()
            }
            Sleeper::Plain(Form::Async, participant) => {
                ready(participant.recv()).expect("open").into()
            }
            Sleeper::Plain(_, participant) => participant.recv_blocking().expect("open").into(),
            Sleeper::Polled(descriptor) => loop {
                match descriptor.try_recv() {
                    Ok(message) => return message.into(),
                    Err(RecvError::Empty) => {}
                    Err(error) => panic!("{error:?}"),
                }
                descriptor.__poll();
            },
        }
    }

    /// Nothing is left, and what stands for a descriptor says so.
    fn is_empty(mut self) {
        let participant: &mut Participant = match &mut self {
            Sleeper::Plain(_, participant) => participant,
            Sleeper::Polled(descriptor) => descriptor,
        };
        assert_eq!(participant.try_recv().err(), Some(RecvError::Empty));
        if let Sleeper::Polled(descriptor) = &self {
            assert!(!descriptor.__is_readable(), "readable, and nothing awaits");
        }
    }
}

/// Senders against a receiver that waits; before that, each sends `warm` messages, which are
/// received: so it knows its place in the log.
pub fn waiting(form: Form, segment: usize, senders: usize, warm: usize, each: usize) {
    let bus = bus(segment);
    let mut all = form.of(bus.register(A).expect("registered"));
    let warmed: Vec<Sender> = (0..senders).map(|_| bus.sender()).collect();
    let mut number = 0;
    for index in 0..warm {
        for (who, sender) in warmed.iter().enumerate() {
            queued(sender, A, &word(who, index));
            number += 1;
            assert_eq!(all.next().sequence, number);
        }
    }
    let threads: Vec<_> = warmed
        .into_iter()
        .enumerate()
        .map(|(who, sender)| {
            thread::spawn(move || {
                for index in 0..each {
                    queued(&sender, A, &word(who, warm + index));
                }
            })
        })
        .collect();
    for _ in 0..senders * each {
        number += 1;
        assert_eq!(all.next().sequence, number);
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    all.is_empty();
}

/// A descriptor is readable when something awaits that no look has found, and not for long after
/// the last was looked for.
pub fn readable(segment: usize, sends: usize, look: usize) {
    let bus = bus(segment);
    let all = bus.register(A).expect("registered");
    let mut all = all.into_descriptor().expect("a word");
    assert_eq!(all.try_recv().err(), Some(RecvError::Empty));
    assert!(!all.__is_readable(), "nothing was sent");
    let sender = bus.sender();
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(0, index));
        }
    });
    let mut got = Vec::new();
    looks(&mut all, look, &mut got);
    thread.join().expect("no panic");
    assert!(all.__is_readable() || got.len() == sends, "a message awaits, and nobody is told");
    drain(&mut all, &mut got);
    contiguous(&got, 1, sends as u64);
    assert!(!all.__is_readable(), "readable, and nothing awaits");
}

/// Waits for a future on this thread.
pub(super) fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        // A poll of its own waker each time: an older one must not count.
        let woken = Woken::new();
        let waker = woken.waker();
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
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
/// nothing of the hole itself, nor does anybody who sleeps.
pub fn behind_a_hole(form: Form, senders_of_holes: usize) {
    let bus = bus(WIDE);
    let keeper = bus.register(B).expect("registered");
    let mut receiver = form.of(bus.register(A).expect("registered"));
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
        queued(&sender, A, &word(7, 7));
    }));
    assert_eq!(receiver.next().word, word(7, 7));
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    receiver.is_empty();
    drop(keeper);
}

/// A sleeper has given its segment up; the window passes it before it comes back. Of the unwanted
/// messages in front it has seen `early`.
pub fn passed_asleep(segment: usize, early: usize, sends: usize) {
    let bus = bus(segment);
    let (keeper, sender) = interested(&bus, B);
    let mut receiver = bus.register(A).expect("registered");
    for index in 0..early {
        queued(&sender, B, &word(0, index));
    }
    assert_eq!(receiver.try_recv().err(), Some(RecvError::Empty));
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, B, &word(1, index));
        }
        queued(&sender, A, &word(2, 0));
    });
    let number = receiver.recv_blocking().expect("open").sequence();
    assert_eq!(number, (early + sends) as u64 + 1, "the next wanted one wakes it");
    thread.join().expect("no panic");
    assert_eq!(receiver.try_recv().err(), Some(RecvError::Empty));
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
