//! What the test files share: a bus that is easily filled, a watchdog, a hand-written executor, an
//! allocator that counts.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part")]

pub(crate) mod counting;

use smd_lockfree::{
    Builder, Bus, Class, Clock, FullReason, Lag, ManualClock, Participant, Policy, RecvError,
    SendError, Sent,
};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

pub(crate) const A: Class = Class::USER0;
pub(crate) const B: Class = Class::USER1;
pub(crate) const C: Class = Class::USER2;

/// Longer than any test takes on a busy machine; who reaches it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The smallest segments, so that few messages fill many; nothing expires.
pub(crate) fn small() -> Builder {
    Bus::builder().segment_bytes(4096).max_segments(8).time_to_live(None)
}

/// A small bus.
pub(crate) fn bus() -> Bus {
    small().build().unwrap()
}

/// A small bus with a time to live of 10 ms, and the hand that moves its clock.
pub(crate) fn expiring() -> (Bus, ManualClock) {
    let (clock, hand) = Clock::manual();
    let builder = small().time_to_live(Some(Duration::from_millis(10)));
    (builder.clock(clock).build().unwrap(), hand)
}

/// A participant of this policy and depth.
pub(crate) fn join(bus: &Bus, mask: Class, policy: Policy, depth: u32) -> Participant {
    bus.participant().mask(mask).policy(policy).depth(depth).register().unwrap()
}

/// The number that a send got.
#[track_caller]
pub(crate) fn number(result: Result<Sent, SendError>) -> u64 {
    match result {
        Ok(Sent::Queued(number)) => number,
        other => panic!("not queued: {other:?}"),
    }
}

/// The number of a send beside which other threads send: one of them may have been stopped in the
/// middle of a send, and then the rest is refused as stalled until it goes on.
#[track_caller]
pub(crate) fn number_among_many(mut send: impl FnMut() -> Result<Sent, SendError>) -> u64 {
    loop {
        match send() {
            Err(SendError::Full(FullReason::Stalled)) => std::thread::yield_now(),
            other => return number(other),
        }
    }
}

/// The numbers of all messages that await; no report may be among them.
#[track_caller]
pub(crate) fn numbers(participant: &mut Participant) -> Vec<u64> {
    let (messages, reports) = everything(participant);
    assert_eq!(reports, [], "reports among the messages");
    messages
}

/// All that awaits: the numbers of the messages, and the reports.
#[track_caller]
pub(crate) fn everything(participant: &mut Participant) -> (Vec<u64>, Vec<Lag>) {
    let (mut messages, mut reports) = (Vec::new(), Vec::new());
    loop {
        match participant.try_recv() {
            Ok(message) => messages.push(message.sequence()),
            Err(RecvError::Lagged(lag)) => reports.push(lag),
            Err(RecvError::Empty | RecvError::Closed) => return (messages, reports),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Sends so much of a class that nobody in the test receives that whole segments fill and retire.
/// `listener` is there so that the messages are wanted, and takes them.
pub(crate) fn flood(bus: &Bus, class: Class, messages: usize) {
    let mut sink = join(bus, class, Policy::Lag, 16);
    for _ in 0..messages {
        number(bus.send(class, &[7; 64]));
    }
    assert_eq!(sink.drain(|_| {}).unwrap_err(), sink_lag(messages as u64, class, bus));
}

/// The report of a sink of depth 16 that let everything pass.
fn sink_lag(messages: u64, classes: Class, bus: &Bus) -> RecvError {
    let last = bus.sequence() - 1 - 16;
    let first = bus.sequence() - messages;
    let reason = smd_lockfree::LagReason::Overflow;
    RecvError::Lagged(Lag { count: messages - 16, classes, first, last, reason })
}

/// Fewer rounds where the code is not optimised; the environment variable `name` overrides both.
pub(crate) fn rounds(name: &str, optimised: usize) -> usize {
    let given = std::env::var(name).ok().and_then(|rounds| rounds.parse().ok());
    given.unwrap_or(if cfg!(debug_assertions) { optimised / 10 } else { optimised })
}

/// Runs a test in a thread of its own, so that one that hangs fails.
#[track_caller]
pub(crate) fn watched(body: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel();
    let runner = std::thread::spawn(move || {
        body();
        // After a time-out nobody listens; the test has failed by then.
        let _ = done.send(());
    });
    match wait.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("the test hangs"),
        _ => runner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

/// Polls once without caring about a wake-up.
pub(crate) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// An executor of one future: it parks until it is woken.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A waker that counts how often it was woken.
#[derive(Debug, Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Wakes>, Waker) {
        let wakes = Arc::new(Wakes::default());
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits until something that another thread brings about has happened.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < end, "never: {what}");
        std::thread::yield_now();
    }
}

/// Whether a descriptor is readable now.
#[cfg(unix)]
pub(crate) fn readable(descriptor: &impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::new(descriptor, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())).unwrap() > 0
}
