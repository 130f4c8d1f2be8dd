//! A participant behind a file descriptor, the way a program with an I/O loop of its own would hold
//! one: `poll` says that something awaits, `drain` takes all of it, then `poll` again.

use std::error::Error;
use std::io;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use smd_lockfree::{Class, Descriptor, Policy};

use super::{Outcome, Profile, Running, Seat, is_the_end, spawn};
use crate::demo::Stage;
use crate::demo::latency::Latency;
use crate::demo::publisher::LINES;

/// Registers the participant and starts its thread.
///
/// # Errors
///
/// When the registration, the descriptor or the thread is refused.
pub(crate) fn start(stage: &Stage) -> Result<Running, Box<dyn Error>> {
    let mask = Class::NETWORK | Class::METRICS | LINES;
    let profile = Profile::new("watch", mask, Policy::Backpressure, "descriptor");
    let Seat { profile, participant, bus, mut latency } = Seat::take(stage, profile, None)?;
    let mut descriptor = participant.into_descriptor()?;
    Ok(spawn("watch", move || {
        while drain(&mut descriptor, &mut latency, bus.clock()) {
            // A failed poll cannot be mended here; what was counted so far is still reported.
            if wait(&descriptor).is_err() {
                break;
            }
        }
        vec![Outcome { profile, counts: descriptor.stats().into(), latency }]
    })?)
}

/// Takes what is there; false when nothing can follow.
fn drain(descriptor: &mut Descriptor, latency: &mut Latency, clock: &smd_lockfree::Clock) -> bool {
    loop {
        match descriptor.drain(|message| latency.measure(clock, &message)) {
            Ok(0) => return true,
            Err(error) if is_the_end(&error) => return false,
            // Messages, or a lag report before more of them.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Waits until something awaits.
fn wait(descriptor: &Descriptor) -> io::Result<()> {
    loop {
        match poll(&mut [PollFd::new(descriptor, PollFlags::IN)], None) {
            Err(Errno::INTR) => {}
            other => return other.map(drop).map_err(io::Error::from),
        }
    }
}
