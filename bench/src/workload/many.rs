//! T3: four senders to one and to four receivers, each on a thread of its own, nothing lost.
//!
//! On two processors these are more threads than can run at once. So none has a place of its own, and who finds no
//! room, or no message, backs off as far as giving up its processor. Probes before and after tell the distance of the
//! processors, as for two threads; what the host stops meanwhile cannot be told from what the system's scheduler does.

use std::sync::Barrier;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crossbeam_utils::Backoff;

use super::Context;
use super::ending::Ending;
use super::flow::{Flow, Inbox, Way};
use super::{pair, stream};
use crate::payload::{SOURCES, first_of};
use crate::peers::{BURST, Blocks, CAPACITY, Peer, Setup};
use crate::probe;
use crate::recorder::{Contestant, Measured, panicked};
use crate::side::{Mode, Scenario, Side};

/// Threads that send.
pub const SENDERS: usize = SOURCES;

/// Messages between two looks at the clock, with calls that wait.
const MESSAGES: u64 = 64;

/// One side, with calls that do not wait.
pub fn contestant<P: Peer, W: Way<P>>(context: &Context, receivers: u32) -> Contestant {
    contest::<P>(
        context,
        Side::new(Scenario::T3, P::NAME, W::MODE, receivers),
        |sender, source, sent, ending, span| {
            let mut ends = ending.sender();
            *sent += send_for::<P, W>(sender, first_of(source) + *sent, span);
            ends.sent = *sent;
            Ok(())
        },
        |inbox, ending| {
            let backoff = Backoff::new();
            // Not `drain_alone`, which stays away from the senders' lines and keeps its processor: others want it.
            ending.receive_polling(
                std::slice::from_mut(inbox),
                Inbox::drain,
                || backoff.reset(),
                || backoff.snooze(),
            )
        },
    )
}

/// One side, with calls that wait.
pub fn asleep<P: Blocks>(context: &Context, receivers: u32) -> Contestant {
    contest::<P>(
        context,
        Side::new(Scenario::T3, P::NAME, Mode::Block, receivers),
        move |sender, source, sent, ending, span| {
            let mut send = |sent: &mut u64| {
                P::send_blocking(sender, first_of(source) + *sent);
                *sent += 1;
            };
            let start = Instant::now();
            while start.elapsed() < span {
                for _ in 0..MESSAGES {
                    send(sent);
                }
            }
            let count = *sent;
            ending.sender_to_sleepers_ended(count, receivers as usize, || send(sent))
        },
        |inbox, ending| ending.receive_asleep(inbox),
    )
}

/// Sends until the time is over; returns how many messages that were.
fn send_for<P: Peer, W: Way<P>>(sender: &mut P::Sender, first: u64, span: Duration) -> u64 {
    let backoff = Backoff::new();
    let start = Instant::now();
    let mut next = first;
    while start.elapsed() < span {
        let accepted = W::send(sender, next, BURST);
        next += accepted as u64;
        if accepted == 0 {
            backoff.snooze();
        } else {
            backoff.reset();
        }
    }
    next += u64::from(stream::finish::<P, W>(sender, next));
    next - first
}

fn contest<P: Peer>(
    context: &Context,
    side: Side,
    send: impl Fn(&mut P::Sender, usize, &mut u64, &Ending, Duration) -> Result<(), String>
    + Sync
    + 'static,
    receive: impl Fn(&mut Inbox<P>, &Ending) -> Instant + Sync + 'static,
) -> Contestant {
    let Context { clock, cpus, .. } = context.clone();
    let receivers = side.participants as usize;
    let mut flow = None;
    Contestant::new(side, move |span| {
        let flow = match &mut flow {
            Some(flow) => flow,
            none => {
                let capacity = CAPACITY;
                let setup =
                    Setup { clock: &clock, senders: SENDERS, receivers, capacity, stamped: true };
                let (senders, receivers) = P::open(&setup)?;
                none.insert(Flow::<P>::new(senders, receivers))
            }
        };
        let cpus = cpus.ok_or(super::ONE_PROCESSOR)?;
        let before = flow.sent();
        let distance = |which: fn((f64, f64)) -> f64| {
            pair::run_for(probe::SPAN / 2, cpus, || Ok(()), || Ok(()))
                .map(|pair| which(pair.handoff))
        };
        let first = distance(|(_, after)| after)?;
        let time = round(flow, span, &send, &receive)?;
        let second = distance(|(before, _)| before)?;
        let messages = flow.check_since(&before)?;
        Ok(Measured { messages, time, handoff: Some((first, second)), ..Measured::default() })
    })
}

/// The time from the first sender's begin to the last receiver's end.
fn round<P: Peer>(
    flow: &mut Flow<P>,
    span: Duration,
    send: &(impl Fn(&mut P::Sender, usize, &mut u64, &Ending, Duration) -> Result<(), String> + Sync),
    receive: &(impl Fn(&mut Inbox<P>, &Ending) -> Instant + Sync),
) -> Result<Duration, String> {
    let Flow { senders, receivers } = flow;
    let ending = &Ending::of(senders.len());
    let receivers = receivers
        .iter_mut()
        .map(|inbox| -> Work<'_> { Box::new(move || Ok(receive(inbox, ending))) })
        .collect();
    let senders = senders
        .iter_mut()
        .enumerate()
        .map(|(source, (sender, sent))| -> Work<'_> {
            Box::new(move || {
                let start = Instant::now();
                send(sender, source, sent, ending, span).map(|()| start)
            })
        })
        .collect();
    all_at_once(senders, receivers)
}

/// What a thread does: a sender returns when it began, a receiver when it had ended.
type Work<'w> = Box<dyn FnOnce() -> Result<Instant, String> + Send + 'w>;

/// Runs each on a thread of its own, all from one moment on: the time from the first begin to the last end.
fn all_at_once<'w>(senders: Vec<Work<'w>>, receivers: Vec<Work<'w>>) -> Result<Duration, String> {
    let barrier = &Barrier::new(senders.len() + receivers.len());
    thread::scope(|scope| {
        let spawn = |work: Work<'w>| {
            scope.spawn(move || {
                barrier.wait();
                work()
            })
        };
        let receivers: Vec<_> = receivers.into_iter().map(spawn).collect();
        let senders: Vec<_> = senders.into_iter().map(spawn).collect();
        // All are joined before the first error is returned.
        let starts: Vec<_> = senders.into_iter().map(ScopedJoinHandle::join).collect();
        let ends: Vec<_> = receivers.into_iter().map(ScopedJoinHandle::join).collect();
        let (mut first, mut last) = (None, None);
        for end in ends {
            last = last.max(Some(end.map_err(|panic| panicked(&*panic))??));
        }
        for start in starts {
            let start = start.map_err(|panic| panicked(&*panic))??;
            first = Some(first.map_or(start, |first: Instant| first.min(start)));
        }
        first
            .zip(last)
            .map(|(first, last)| last - first)
            .ok_or_else(|| "nobody was there".to_owned())
    })
}
