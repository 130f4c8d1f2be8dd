//! Idle costs nothing (G11): twenty participants that wait use no CPU.
//!
//! The only test of its file, since it measures the whole process.

#![cfg(unix)]
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, block_on, bus, number};
use rustix::time::{ClockId, clock_gettime};
use smd_lockfree::{EventLoop, Participant, RecvError};
use std::time::Duration;

/// CPU time that this process has used.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Waits in one of the forms that sleep, until the bus is closed, and says how often it was woken
/// for nothing.
fn wait(mut participant: Participant, form: usize) -> u64 {
    let mut messages = 0;
    let end = match form {
        0 => loop {
            match participant.recv_blocking() {
                Ok(_) => messages += 1,
                Err(error) => break error,
            }
        },
        1 => loop {
            match participant.recv_timeout(Duration::from_secs(100)) {
                Ok(_) => messages += 1,
                Err(error) => break error,
            }
        },
        2 => loop {
            match block_on(participant.recv()) {
                Ok(_) => messages += 1,
                Err(error) => break error,
            }
        },
        _ => {
            let mut descriptor = participant.into_descriptor().unwrap();
            loop {
                match descriptor.try_recv() {
                    Ok(_) => messages += 1,
                    Err(RecvError::Empty) => {
                        let mut polled =
                            [rustix::event::PollFd::new(&descriptor, rustix::event::PollFlags::IN)];
                        rustix::event::poll(&mut polled, None).unwrap();
                    }
                    Err(error) => break error,
                }
            }
        }
    };
    assert_eq!(end, RecvError::Closed);
    messages
}

#[test]
fn g11_twenty_waiting_participants_use_no_cpu() {
    let bus = bus();
    let participants: Vec<_> = (0..20).map(|_| bus.register(A).unwrap()).collect();
    let mut events = EventLoop::new(&bus);
    events.add(bus.participant().mask(A), |_, _| {}).unwrap();
    std::thread::scope(|scope| {
        let waits: Vec<_> = participants
            .into_iter()
            .enumerate()
            .map(|(n, participant)| scope.spawn(move || wait(participant, n % 4)))
            .collect();
        scope.spawn(move || events.run());
        // All of them have had one message, so all are about to sleep again.
        number(bus.send(A, b"x"));
        common::eventually("all have had it", || bus.stats().delivered == 21);
        std::thread::sleep(Duration::from_millis(200));
        let (before, wakes) = (cpu(), bus.stats().wakes);
        std::thread::sleep(Duration::from_secs(2));
        let used = cpu() - before;
        // What they do not want does not wake them either.
        assert!(!bus.send(B, b"x").unwrap().is_queued());
        assert_eq!(bus.stats().wakes, wakes);
        bus.close();
        let messages: u64 = waits.into_iter().map(|wait| wait.join().unwrap()).sum();
        assert_eq!(messages, 20);
        assert!(used < Duration::from_millis(10), "{used:?} of CPU in 2 s");
    });
}
