//! T7: payloads from 0 to 384 bytes, from thread to thread and on one thread. A ring of fixed slots must have room for
//! the longest in each: one peer shows what that costs.

use super::flow::{Batch, Single};
use super::{Context, burst, stream};
use crate::peers::{DisruptorMp, Peer, Slot, SmdSized};
use crate::recorder::Contestant;
use crate::side::{Mode, Scenario, Side};

/// All sides.
pub fn contestants(context: &Context) -> Vec<Contestant> {
    let mut contestants = Vec::new();
    size::<0>(context, &mut contestants);
    size::<16>(context, &mut contestants);
    size::<64>(context, &mut contestants);
    size::<128>(context, &mut contestants);
    size::<256>(context, &mut contestants);
    size::<384>(context, &mut contestants);
    contestants
}

fn size<const L: usize>(context: &Context, contestants: &mut Vec<Contestant>) {
    let side = |name, mode| Side::new(Scenario::T7, name, mode, 1);
    let across = |name, mode| side(name, mode).variant(format!("{L} bytes"));
    let alone = |name, mode| side(name, mode).variant(format!("{L} bytes, one thread"));
    type Ours<const L: usize> = SmdSized<L>;
    type Fixed<const L: usize> = DisruptorMp<Slot<L>>;
    let (ours, fixed) = (Ours::<L>::NAME, Fixed::<L>::NAME);
    let (single, batch) = (Mode::Single, Mode::Batch);
    if context.cpus.is_some() {
        contestants.extend([
            stream::sized::<Ours<L>, Single>(context, across(ours, single), L, true),
            stream::sized::<Ours<L>, Batch>(context, across(ours, batch), L, true),
            stream::sized::<Fixed<L>, Single>(context, across(fixed, single), L, true),
            stream::sized::<Fixed<L>, Batch>(context, across(fixed, batch), L, true),
        ]);
    }
    contestants.extend([
        burst::sized::<Ours<L>, Single>(context, alone(ours, single), L, true),
        burst::sized::<Ours<L>, Batch>(context, alone(ours, batch), L, true),
        burst::sized::<Fixed<L>, Single>(context, alone(fixed, single), L, true),
        burst::sized::<Fixed<L>, Batch>(context, alone(fixed, batch), L, true),
    ]);
}
