//! The waiting forms under the machinery that programs use (G11): tokio, smol and a hand-written
//! executor for futures; epoll, mio and tokio for the descriptor.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, block_on, bus, join, number, poll_once, rounds, watched};
use smd_lockfree::{Bus, Participant, Policy, RecvError};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// One suite for all executors: each runs a future to its end.
type Executor = fn(Pin<Box<dyn Future<Output = u64> + Send>>) -> u64;

const EXECUTORS: [(&str, Executor); 4] = [
    ("hand-written", |future| block_on(future)),
    ("smol", |future| smol::block_on(future)),
    ("smol, as a task", |future| smol::block_on(smol::spawn(future))),
    ("tokio", |future| tokio().block_on(async { tokio::spawn(future).await.unwrap() })),
];

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Receives until the bus is closed, and sums up what came.
async fn sum(mut participant: Participant) -> u64 {
    let mut sum = 0;
    loop {
        match participant.recv().await {
            Ok(message) => sum += message.decode::<u64>().unwrap(),
            Err(RecvError::Closed) => return sum,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Sends 1 to `count` from another thread, waiting for room, and closes; it may pause now and then,
/// so that the other side finds nothing.
fn feed(bus: Bus, count: u64, pauses: bool) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let sender = bus.sender();
        for value in 1..=count {
            if pauses && value % 64 == 0 {
                // Longer than the finest time-out of the runtime.
                std::thread::sleep(Duration::from_millis(3));
            }
            assert!(sender.send_wait(A, &value.to_le_bytes(), None).unwrap().is_queued());
        }
        bus.close();
    })
}

#[test]
fn a_future_receives_on_every_executor() {
    watched(|| {
        let count = rounds("SMD_ASYNC", 50_000) as u64;
        for (name, executor) in EXECUTORS {
            let bus = bus();
            let participant = join(&bus, A, Policy::Backpressure, 16);
            let feeding = feed(bus.clone(), count, false);
            let total = executor(Box::pin(sum(participant)));
            assert_eq!(total, count * (count + 1) / 2, "{name}");
            feeding.join().unwrap();
        }
    });
}

#[test]
fn a_send_that_waits_for_room_on_every_executor() {
    watched(|| {
        let count = rounds("SMD_ASYNC", 20_000) as u64;
        let executors: [(&str, Sends); 3] = [
            ("hand-written", |bus, count| block_on(send_all(bus, count))),
            ("smol", |bus, count| smol::block_on(send_all(bus, count))),
            ("tokio", |bus, count| tokio().block_on(send_all(bus, count))),
        ];
        for (name, send_all) in executors {
            let bus = bus();
            let mut participant = join(&bus, A, Policy::Backpressure, 4);
            std::thread::scope(|scope| {
                scope.spawn(|| send_all(&bus, count));
                for expected in 1..=count {
                    let message = participant.recv_blocking().unwrap();
                    assert_eq!(message.decode::<u64>(), Ok(expected), "{name}");
                }
            });
        }
    });
}

/// Runs `send_all` to its end.
type Sends = fn(&Bus, u64);

async fn send_all(bus: &Bus, count: u64) {
    let mut sender = bus.sender();
    for value in 1..=count {
        assert!(sender.send_async(A, &value.to_le_bytes()).await.unwrap().is_queued());
    }
}

#[test]
fn a_receive_that_loses_a_race_loses_no_message() {
    watched(|| {
        let count = rounds("SMD_ASYNC", 20_000) as u64;
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Backpressure, 16);
        let feeding = feed(bus.clone(), count, true);
        let cancelled = tokio().block_on(async {
            let (mut expected, mut cancelled) = (1, 0);
            loop {
                // Polled once, and dropped if nothing is there; or dropped by the timer.
                let limit = Duration::from_micros(expected % 2 * 50);
                match tokio::time::timeout(limit, participant.recv()).await {
                    Ok(Ok(message)) => {
                        assert_eq!(message.decode::<u64>(), Ok(expected));
                        expected += 1;
                    }
                    Ok(Err(RecvError::Closed)) => break assert_eq!(expected, count + 1),
                    Ok(Err(other)) => panic!("{other:?}"),
                    Err(_) => cancelled += 1,
                }
                if expected % 64 == 0 {
                    // Somewhere in the middle also without a runtime's help.
                    if let std::task::Poll::Ready(Ok(message)) = poll_once(participant.recv()) {
                        assert_eq!(message.decode::<u64>(), Ok(expected));
                        expected += 1;
                    }
                }
            }
            cancelled
        });
        assert!(cancelled > 0, "no receive was ever cancelled");
        feeding.join().unwrap();
    });
}

#[test]
fn many_tasks_of_one_thread_wait_for_each_other() {
    watched(|| {
        let bus = bus();
        let (a, b) = (bus.register(A).unwrap(), bus.register(B).unwrap());
        let count = rounds("SMD_ASYNC", 20_000) as u64;
        let task = |mut own: Participant, to, bus: Bus| async move {
            loop {
                let ball: u64 = own.recv().await.unwrap().decode().unwrap();
                if ball < count {
                    number(bus.send_value(to, &(ball + 1)));
                }
                if ball + 2 > count {
                    return ball;
                }
            }
        };
        let last = tokio().block_on(async {
            let one = tokio::spawn(task(a, B, bus.clone()));
            let two = tokio::spawn(task(b, A, bus.clone()));
            number(bus.send_value(A, &1_u64));
            one.await.unwrap().max(two.await.unwrap())
        });
        assert_eq!(last, count);
    });
}

#[cfg(feature = "stream")]
#[test]
fn a_stream_gives_kept_messages_on_every_executor() {
    use futures_core::Stream;
    async fn collect(participant: Participant) -> u64 {
        let mut messages = participant.into_stream();
        let mut kept = Vec::new();
        loop {
            let next = std::future::poll_fn(|cx| Pin::new(&mut messages).poll_next(cx)).await;
            match next {
                Some(Ok(message)) => kept.push(message),
                None | Some(Err(RecvError::Closed)) => break,
                Some(Err(other)) => panic!("{other:?}"),
            }
        }
        kept.iter().map(|kept| kept.decode::<u64>().unwrap()).sum()
    }
    watched(|| {
        for (name, executor) in EXECUTORS {
            let bus = bus();
            let participant = join(&bus, A, Policy::Backpressure, 16);
            let feeding = feed(bus.clone(), 1_000, false);
            assert_eq!(executor(Box::pin(collect(participant))), 1_000 * 1_001 / 2, "{name}");
            feeding.join().unwrap();
        }
    });
}

#[cfg(unix)]
mod descriptor {
    use super::*;
    use smd_lockfree::Descriptor;
    use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

    const COUNT: u64 = 3_000;

    /// Drains until there is nothing: what each form does when it was told of something.
    fn drained(descriptor: &mut Descriptor, sum: &mut u64) -> bool {
        loop {
            match descriptor.try_recv() {
                Ok(message) => *sum += message.decode::<u64>().unwrap(),
                Err(RecvError::Empty) => return false,
                Err(RecvError::Closed) => return true,
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    fn fed() -> (Descriptor, std::thread::JoinHandle<()>) {
        let bus = bus();
        let descriptor = join(&bus, A, Policy::Backpressure, 8).into_descriptor().unwrap();
        (descriptor, feed(bus, COUNT, false))
    }

    fn complete(sum: u64, feeding: std::thread::JoinHandle<()>) {
        assert_eq!(sum, COUNT * (COUNT + 1) / 2);
        feeding.join().unwrap();
    }

    /// Level triggered and edge triggered: either way nothing is overslept.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_descriptor_in_epoll() {
        use rustix::event::epoll;
        watched(|| {
            for flags in [epoll::EventFlags::IN, epoll::EventFlags::IN | epoll::EventFlags::ET] {
                let (mut descriptor, feeding) = fed();
                let poll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
                let data = epoll::EventData::new_u64(7);
                epoll::add(&poll, &descriptor, data, flags).unwrap();
                let mut sum = 0;
                let mut events = [epoll::Event { flags, data }; 4];
                loop {
                    let count = epoll::wait(&poll, &mut events, None).unwrap();
                    assert_eq!(count, 1);
                    if drained(&mut descriptor, &mut sum) {
                        break;
                    }
                }
                complete(sum, feeding);
            }
        });
    }

    #[test]
    fn a_descriptor_in_mio() {
        watched(|| {
            let (mut descriptor, feeding) = fed();
            let mut poll = mio::Poll::new().unwrap();
            let raw = descriptor.as_raw_fd();
            let mut source = mio::unix::SourceFd(&raw);
            poll.registry().register(&mut source, mio::Token(1), mio::Interest::READABLE).unwrap();
            let mut events = mio::Events::with_capacity(4);
            let mut sum = 0;
            loop {
                poll.poll(&mut events, None).unwrap();
                assert!(events.iter().all(|event| event.is_readable()));
                if drained(&mut descriptor, &mut sum) {
                    break;
                }
            }
            complete(sum, feeding);
        });
    }

    #[test]
    fn a_descriptor_in_tokio() {
        use tokio::io::{Interest, unix::AsyncFd};
        watched(|| {
            let (descriptor, feeding) = fed();
            let sum = tokio().block_on(async {
                // SAFETY: a `Descriptor` owns its file descriptor, always gives the same one, and
                // stays in the `AsyncFd` until that is dropped.
                let registered =
                    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
                let mut descriptor = registered.unwrap();
                let mut sum = 0;
                loop {
                    let mut guard = descriptor.readable_mut().await.unwrap();
                    if drained(guard.get_inner_mut(), &mut sum) {
                        return sum;
                    }
                    guard.clear_ready();
                }
            });
            complete(sum, feeding);
        });
    }

    #[test]
    fn a_descriptor_serves_the_other_forms_as_well() {
        watched(|| {
            let bus = bus();
            let mut descriptor = bus.register(A).unwrap().into_descriptor().unwrap();
            for expected in (1..).step_by(4).take(50) {
                for _ in 0..4 {
                    number(bus.send(A, b"x"));
                }
                assert_eq!(descriptor.recv_blocking().unwrap().sequence(), expected);
                assert_eq!(block_on(descriptor.recv()).unwrap().sequence(), expected + 1);
                let limit = Duration::from_secs(100);
                assert_eq!(descriptor.recv_timeout(limit).unwrap().sequence(), expected + 2);
                assert_eq!(descriptor.drain(|_| {}), Ok(1));
                assert_eq!(descriptor.try_recv().unwrap_err(), RecvError::Empty);
                assert!(!common::readable(&descriptor));
                // Waiting in another form in between does not spoil it.
                let limit = Duration::from_micros(100);
                assert_eq!(descriptor.recv_timeout(limit).unwrap_err(), RecvError::Timeout);
                assert!(poll_once(descriptor.recv()).is_pending());
                assert!(!common::readable(&descriptor));
            }
            number(bus.send(A, b"x"));
            assert!(common::readable(&descriptor));
        });
    }

    #[test]
    fn a_descriptor_belongs_to_its_participant() {
        let bus = bus();
        let descriptor = bus.register(A).unwrap().into_descriptor().unwrap();
        // What somebody else makes of a duplicate is his own affair and must not disturb.
        let raw = descriptor.as_raw_fd();
        // SAFETY: the duplicate is a descriptor of our own, open and owned by nobody else.
        let duplicate = unsafe { OwnedFd::from_raw_fd(libc::dup(raw)) };
        assert_ne!(duplicate.as_raw_fd(), raw);
        number(bus.send(A, b"x"));
        assert!(common::readable(&duplicate) && common::readable(&descriptor));
        drop(descriptor);
        assert_eq!(bus.stats().participants, 0);
        drop(bus);
        // SAFETY: `into_raw_fd` gave up the ownership, so this closes it once.
        assert_eq!(unsafe { libc::close(duplicate.into_raw_fd()) }, 0);
    }
}
