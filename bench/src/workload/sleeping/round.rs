//! One round: what the two threads do, and how one sees what the other does.

use std::hint;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use hdrhistogram::Histogram;
use smd_lockfree::Clock;

use super::super::pace::{self, Pace, Pacer, Stops, Ways};
use super::super::pair;
use super::{Log, Sleeper};
use crate::machine;
use crate::peers::BURST;
use crate::recorder::{self, Measured};

/// Nanoseconds between two messages.
pub(super) const INTERVAL: u64 = 1_000_000;

/// The longest time in which nothing is sent.
pub(super) const IDLE: Duration = Duration::from_millis(200);

/// Messages at the begin of a round that are not counted: the receiver may not sleep yet.
pub(super) const WARM_UP: u64 = 2;

/// Messages of the shortest round.
pub(super) const LEAST: u64 = WARM_UP + 3;

/// Bursts of [`BURST`] messages in a round.
const BURSTS: u64 = 4;

/// In this time a receiver that has nothing left goes to sleep.
const SETTLE: Duration = Duration::from_millis(1);

/// What was sent and is not heard of for so long is lost.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Messages with which a receiver is woken that still waits for lost ones.
const POKES: u64 = 4;

/// How much of each is done in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Messages one by one.
    pub(super) paced: u64,
    /// How long nothing comes.
    pub(super) idle: Duration,
}

impl Plan {
    pub(super) fn new(span: Duration) -> Plan {
        Plan { paced: Pace::count(INTERVAL, span, LEAST), idle: (2 * span).min(IDLE) }
    }

    /// The last one of them ends the receiver, which until then can be observed.
    fn messages(self) -> u64 {
        self.paced + BURSTS * BURST as u64 + 1
    }
}

/// What both threads of a round see.
#[derive(Debug, Default)]
struct Shared {
    /// Messages that the receiver has heard.
    heard: CachePadded<AtomicU64>,
    /// The receiver has ended.
    ended: AtomicBool,
    /// Something is lost: the receiver ends at the next message.
    over: AtomicBool,
}

impl Shared {
    fn heard(&self) -> u64 {
        // RELAXED: a figure; nothing else is read for it.
        self.heard.load(Ordering::Relaxed)
    }

    fn has_ended(&self) -> bool {
        // RELAXED: as `heard`.
        self.ended.load(Ordering::Relaxed)
    }

    /// Spins until something is done.
    fn wait(&self, done: impl Fn(&Shared) -> bool) -> Result<(), String> {
        let since = Instant::now();
        while !done(self) {
            if self.has_ended() && !done(self) || since.elapsed() > PATIENCE {
                return Err(pair::ASK_THE_OTHER.to_owned());
            }
            hint::spin_loop();
        }
        Ok(())
    }
}

/// Says at the end of the receiving thread, however it ends, that it has ended.
struct Ends<'s>(&'s Shared);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        // RELAXED: as `Shared::heard`.
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

/// What the sending thread found.
#[derive(Debug)]
struct Observed {
    pace: Pace,
    stops: Stops,
    costs: Histogram<u64>,
    idle: Option<f64>,
    sleeps_per_burst: Option<f64>,
    wakes: Option<u64>,
}

pub(super) fn round<S: Sleeper>(
    clock: &Clock,
    cpus: (usize, usize),
    plan: Plan,
) -> Result<Measured, String> {
    let (mut sender, mut receiver) = S::open(clock)?;
    let shared = &Shared::default();
    let (tell, told) = mpsc::channel();
    let pair = pair::run(
        cpus,
        move || {
            let (thread, number): (Thread, Option<u32>) =
                told.recv().map_err(|_| pair::ASK_THE_OTHER)?;
            S::meet(&mut sender, &thread);
            let mut sent = 0;
            let whole = || send_all::<S>(&mut sender, &mut sent, clock, plan, number, shared);
            let outcome = panic::catch_unwind(AssertUnwindSafe(whole));
            let outcome = outcome.unwrap_or_else(|panic| Err(recorder::panicked(&*panic)));
            if outcome.is_err() {
                // The receiver may sleep for ever: it is woken, and sees that it is over.
                // RELAXED: as `Shared::heard`.
                shared.over.store(true, Ordering::Relaxed);
                let poke = |n| S::send(&mut sender, clock, n);
                let pokes = || (sent..sent + POKES).try_for_each(poke);
                // What is told is why it is over, and not how this goes.
                let _ = panic::catch_unwind(AssertUnwindSafe(pokes));
                thread.unpark();
            }
            outcome
        },
        move || {
            let _ends = Ends(shared);
            // If nobody takes it, the other thread has ended, and tells why.
            let _ = tell.send((thread::current(), machine::thread_id()));
            let mut log = Log::new(clock);
            log.arrivals.reserve((plan.messages() + POKES) as usize);
            // RELAXED: as `Shared::heard`.
            while log.heard < plan.messages() && !shared.over.load(Ordering::Relaxed) {
                S::receive(&mut receiver, &mut log)?;
                // RELAXED: as `Shared::heard`.
                shared.heard.store(log.heard, Ordering::Relaxed);
            }
            log.check(plan.messages())?;
            Ok((log.arrivals, log.waits))
        },
    )?;
    let (observed, (arrivals, waits)) = (pair.first, pair.second);
    // One more: a descriptor is armed when it is made, before anybody waits for it.
    if let Some(wakes) = observed.wakes.filter(|&wakes| wakes > waits + 1) {
        return Err(format!("it was woken {wakes} times, and slept at most {waits} times"));
    }
    let counted = &arrivals[WARM_UP as usize..plan.paced as usize];
    let time = Duration::from_nanos(INTERVAL * counted.len() as u64);
    let ways = Ways::of(observed.pace, WARM_UP, counted, &observed.stops);
    let mut measured = ways.measured(&observed.stops, time, pair.handoff);
    // At this pace nothing waits for what was late before it, and of so few messages no thousandth is worth a figure.
    let useful =
        |name: &str| ["p50 quiet ns", "p99 quiet ns", "disturbed messages"].contains(&name);
    measured.also.retain(|(name, _)| useful(name));
    let costs = &observed.costs;
    let also = [
        ("sender ns", Some(costs.value_at_quantile(0.5) as f64)),
        ("sender mean ns", Some(costs.mean())),
        ("idle cpu ns per s", observed.idle),
        ("sleeps per burst", observed.sleeps_per_burst),
        ("wakes per sleep", observed.wakes.map(|wakes| wakes as f64 / waits.max(1) as f64)),
    ];
    measured.also.extend(also.into_iter().filter_map(|(name, value)| Some((name, value?))));
    Ok(measured)
}

/// The sending thread's part: one by one, nothing, bursts, and the last message.
fn send_all<S: Sleeper>(
    sender: &mut S::Sender,
    sent: &mut u64,
    clock: &Clock,
    plan: Plan,
    receiver: Option<u32>,
    shared: &Shared,
) -> Result<Observed, String> {
    let mut pacer = Pacer::new(clock, SETTLE, INTERVAL);
    let mut costs = pace::empty();
    for n in 0..plan.paced {
        let before = pacer.wait(n);
        S::send(sender, clock, n)?;
        *sent += 1;
        let after = clock.now().nanos();
        // A wake-up may take as long as a stop of the host: it is a cost, and no gap.
        pacer.watch.skip(after);
        if n >= WARM_UP {
            costs.saturating_record(after.saturating_sub(before));
        }
    }
    let settle = |sent: u64| {
        shared.wait(|shared| shared.heard() >= sent)?;
        thread::sleep(SETTLE);
        Ok::<(), String>(())
    };
    settle(plan.paced)?;
    let idle = receiver.and_then(|receiver| idle(receiver, plan.idle));

    let sleeps = || receiver.and_then(machine::sleeps_of);
    let before = sleeps();
    for _ in 0..BURSTS {
        for _ in 0..BURST {
            S::send(sender, clock, *sent)?;
            *sent += 1;
        }
        settle(*sent)?;
    }
    let slept = before.zip(sleeps()).map(|(before, after)| after - before);
    S::send(sender, clock, *sent)?;
    *sent += 1;
    shared.wait(Shared::has_ended)?;
    Ok(Observed {
        pace: pacer.pace,
        stops: Stops::of([pacer.watch]),
        costs,
        idle,
        sleeps_per_burst: slept.map(|slept| slept as f64 / BURSTS as f64),
        wakes: S::wakes(sender),
    })
}

/// Processor time that a thread uses while nothing comes, in nanoseconds a second.
fn idle(thread: u32, span: Duration) -> Option<f64> {
    let before = machine::thread_time_of(thread)?;
    let since = Instant::now();
    thread::sleep(span);
    let used = machine::thread_time_of(thread)?.saturating_sub(before);
    Some(used.as_nanos() as f64 / since.elapsed().as_secs_f64())
}
