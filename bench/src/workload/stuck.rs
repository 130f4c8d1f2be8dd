//! T9: one participant that never receives, beside four that are fast: what it costs them. It may lose its oldest
//! messages (policy lag), so that it stops nobody; its backlog is full all the time.

use std::cell::RefCell;
use std::rc::Rc;

use smd_lockfree::{Bus, Participant, Policy};

use super::flow::{Batch, Single, Way};
use super::{Context, stream};
use crate::payload::LEN;
use crate::peers::{CAPACITY, CLASS, Smd};
use crate::recorder::Contestant;
use crate::side::{Scenario, Side};

/// Participants that receive.
pub const FAST: u32 = 4;

/// The variant without the stuck one, and with it.
pub const ALONE: &str = "alone";
/// See [`ALONE`].
pub const BESIDE: &str = "beside a stuck one";

/// All sides.
pub fn contestants(context: &Context) -> Vec<Contestant> {
    vec![
        side::<Single>(context, false),
        side::<Single>(context, true),
        side::<Batch>(context, false),
        side::<Batch>(context, true),
    ]
}

fn side<W: Way<Smd>>(context: &Context, with_stuck: bool) -> Contestant {
    let side = Side::new(Scenario::T9, "smd", W::MODE, FAST).variant(if with_stuck {
        BESIDE
    } else {
        ALONE
    });
    let clock = context.clock.clone();
    let stuck: Rc<RefCell<Option<Participant>>> = Rc::default();
    let kept = Rc::clone(&stuck);
    let open = move || {
        let text = |error: &dyn std::error::Error| error.to_string();
        let bus = Bus::builder().clock(clock.clone()).depth(CAPACITY);
        let bus = bus.build().map_err(|error| text(&error))?;
        if with_stuck {
            let stuck = bus.participant().mask(CLASS).policy(Policy::Lag).register();
            kept.replace(Some(stuck.map_err(|error| text(&error))?));
        }
        let sender = bus.sender();
        for _ in 0..CAPACITY {
            // Full from the begin; without the stuck one nobody wants these.
            sender.send(CLASS, &[0; LEN]).map_err(|error| text(&error))?;
        }
        let fast: Result<Vec<_>, _> = (0..FAST).map(|_| bus.register(CLASS)).collect();
        Ok((vec![sender.into()], fast.map_err(|error| text(&error))?))
    };
    stream::opened::<Smd, W>(context, side, LEN, open).checked(move |measured| {
        let Some(stuck) = &*stuck.borrow() else { return Ok(()) };
        let backlog = stuck.stats().depth_now;
        measured.also.push(("messages that wait for the stuck one", backlog as f64));
        // Its oldest are dropped some at a time, so it is not always quite full; and what a pause let expire waits no
        // more, so it may have what came since only.
        if backlog < (u64::from(CAPACITY) / 2).min(measured.messages) {
            return Err(format!("the stuck participant has a backlog of {backlog} only"));
        }
        Ok(())
    })
}
