//! What the machine allows, measured in the same run as the contenders: what is near to it can hardly be better.
//!
//! ```text
//!   handoff       one cache line, from one processor to the other
//!   own-ring      messages in a ring written by hand, single and in batches
//!   clock         what a stamp costs: the bus's clock, the counter behind it, the system's
//!   cas, fence    one locked instruction; a store that all must see before the next load
//!   pause         what a spin loop waits
//!   malloc-128    memory for a message, and back
//!   unpark        waking a thread through a futex: what it costs, and how long it takes
//!   eventfd       the same through an event counter and epoll
//! ```

mod costs;

use smd_lockfree::Clock;

use crate::peers::OwnRing;
use crate::recorder::{Contestant, Measured};
use crate::side::{Mode, Scenario, Side};
use crate::workload::sleeping::{self, Sleeper, Unpark};
use crate::workload::{handing, pair};

/// The limits of one thread.
pub fn of_one_thread(clock: &Clock) -> Vec<Contestant> {
    costs::contestants(clock)
}

/// The limits of two threads.
pub fn of_two_threads(clock: &Clock, cpus: (usize, usize)) -> Vec<Contestant> {
    let mut contestants = vec![handoff(cpus), wake::<Unpark>(clock, cpus)];
    #[cfg(target_os = "linux")]
    contestants.push(wake::<sleeping::Eventfd>(clock, cpus));
    contestants
}

fn side(name: &'static str) -> Side {
    Side::new(Scenario::Limit, name, Mode::Single, 1)
}

/// One way of a cache line: the probe itself, for a whole round.
fn handoff(cpus: (usize, usize)) -> Contestant {
    Contestant::new(side("handoff"), move |span| {
        let pair = pair::run_for(span / 2, cpus, || Ok(()), || Ok(()))?;
        let (before, after) = pair.handoff;
        // As many ways as fit into the time at that distance.
        let ways = span.as_nanos() as f64 / f64::midpoint(before, after);
        Ok(Measured {
            messages: ways as u64,
            time: span,
            figure: Some(f64::midpoint(before, after)),
            handoff: Some(pair.handoff),
            ..Measured::default()
        })
    })
}

/// From the wake-up to the woken thread; what it costs the one who wakes stands beside it.
fn wake<S: Sleeper>(clock: &Clock, cpus: (usize, usize)) -> Contestant {
    let side = Side::new(Scenario::Limit, S::NAME, Mode::Block, 1);
    sleeping::contestant_as::<S>(side, clock, cpus)
}
