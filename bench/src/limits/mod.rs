//! What the machine allows, measured in the same run as the contenders: what is near to it can hardly be better.
//!
//! | limit | what |
//! |---|---|
//! | `handoff` | one cache line, one way from one processor to the other |
//! | `own-ring` | messages through a ring written by hand, single and in batches |
//! | `unpark`, `eventfd` | from a stamp to a thread that was asleep; and what waking it costs |
//! | `clock-*` | one reading: of the bus's clock, of the counter behind it, of the system's clock |
//! | `cas`, `fence` | a locked instruction; a store that must be seen before the next load |
//! | `pause` | one turn of a spin loop |
//! | `malloc` | 128 bytes, taken and given back by the same thread |

mod costs;

use std::time::Duration;

use crate::peers::OwnRing;
use crate::recorder::{Contestant, Measured};
use crate::side::{Mode, Scenario, Side};
use crate::workload::flow::{Batch, Single};
use crate::workload::sleeping::{self, Sleeper};
use crate::workload::{Context, pair, stream};

/// All limits that this machine has: those of two processors only where there are two.
pub fn contestants(context: &Context) -> Vec<Contestant> {
    let mut contestants = costs::contestants(&context.clock);
    if let Some(cpus) = context.cpus {
        contestants.push(handoff(cpus));
        contestants.push(stream::contestant::<OwnRing, Single>(context, Scenario::Limit, 1));
        contestants.push(stream::contestant::<OwnRing, Batch>(context, Scenario::Limit, 1));
        contestants.push(wake::<sleeping::Unpark>(context, cpus));
        #[cfg(target_os = "linux")]
        contestants.push(wake::<sleeping::Eventfd>(context, cpus));
    }
    contestants
}

/// One way of a cache line: the probe itself, for a whole round.
fn handoff(cpus: (usize, usize)) -> Contestant {
    let side = Side::new(Scenario::Limit, "handoff", Mode::Single, 1);
    Contestant::new(side, move |span| {
        let half = (span / 2).max(Duration::from_micros(100));
        let pair::Pair { handoff, .. } = pair::run_for(half, cpus, || Ok(()), || Ok(()))?;
        let one_way = f64::midpoint(handoff.0, handoff.1);
        let time = 2 * half;
        Ok(Measured {
            messages: (time.as_nanos() as f64 / one_way) as u64,
            time,
            figure: Some(one_way),
            handoff: Some(handoff),
            ..Measured::default()
        })
    })
}

/// From the stamp to the woken thread; what it costs the one who wakes stands beside it.
fn wake<S: Sleeper>(context: &Context, cpus: (usize, usize)) -> Contestant {
    let side = Side::new(Scenario::Limit, S::NAME, Mode::Block, 1);
    sleeping::contestant_as::<S>(side, &context.clock, cpus)
}
