//! One sender and one receiver on two pinned threads, as fast as they can, nothing lost. What counts is the time from
//! the first send to the last receipt.

use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use smd_lockfree::Clock;

use crate::machine;
use crate::payload::Tally;
use crate::peers::{BURST, Peer};
use crate::probe::{self, Line};
use crate::recorder::{Contestant, Measured};

/// The workload's name.
pub const NAME: &str = "one to one over two threads";

const CAPACITY: u32 = 1024;
const ATTEMPTS_A_LOOK: usize = 16;
const PATIENCE: Duration = Duration::from_secs(1);
const UNKNOWN: u64 = u64::MAX;

/// One peer's side, between the calling thread on `cpus.0` and another on `cpus.1`.
pub fn contestant<P: Peer>(clock: &Clock, cpus: (usize, usize)) -> Contestant
where
    P::Sender: 'static,
    P::Receiver: 'static,
{
    let (mut sender, mut receivers) = P::open(clock, 1, CAPACITY);
    let mut receiver = receivers.remove(0);
    let mut tally = Tally::default();
    let mut sent = 0;
    Contestant::new(NAME, P::NAME, move |span| {
        let before = sent;
        // The total is told after the last send; until then the receiver goes on.
        let total = CachePadded::new(AtomicU64::new(UNKNOWN));
        let (first_probe, second_probe) = (Line::new(), Line::new());
        let (time, handoff) = thread::scope(|scope| {
            let other = scope.spawn(|| {
                machine::pin(cpus.1);
                first_probe.pong()?;
                receive_until::<P>(&mut receiver, &mut tally, &total);
                let end = Instant::now();
                second_probe.pong()?;
                Ok::<Instant, String>(end)
            });
            let first = first_probe.ping(probe::SPAN)?;
            let start = Instant::now();
            send_for::<P>(&mut sender, &mut sent, span);
            // EDGE total: Release here; Acquire in `receive_until`.
            total.store(sent, Ordering::Release);
            let second = second_probe.ping(probe::SPAN)?;
            let end = other.join().map_err(|_| "the receiver panicked".to_owned())??;
            Ok::<_, String>((end.duration_since(start), (first, second)))
        })?;
        tally.check(sent)?;
        let messages = sent - before;
        Ok(Measured { messages, time, handoff: Some(handoff), ..Measured::default() })
    })
}

fn send_for<P: Peer>(sender: &mut P::Sender, sent: &mut u64, span: Duration) {
    let start = Instant::now();
    while start.elapsed() < span {
        for _ in 0..ATTEMPTS_A_LOOK {
            let accepted = P::send(sender, *sent, BURST);
            *sent += accepted as u64;
            if accepted < BURST {
                hint::spin_loop();
            }
        }
    }
}

/// Receives until the total is told and reached, or nothing came for a second: the check finds what is missing.
fn receive_until<P: Peer>(receiver: &mut P::Receiver, tally: &mut Tally, total: &AtomicU64) {
    let mut idle_since = None;
    loop {
        if P::drain(receiver, tally) > 0 {
            idle_since = None;
            continue;
        }
        // EDGE total: Acquire here; Release in `contestant`.
        let total = total.load(Ordering::Acquire);
        if tally.count() >= total {
            return;
        }
        if total != UNKNOWN && idle_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return;
        }
        hint::spin_loop();
    }
}
