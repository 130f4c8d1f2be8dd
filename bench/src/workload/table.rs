//! The table of all that is measured: which scenarios there are, who takes part, and how much of a run's time each gets.

use super::flow::{Batch, Single};
use super::{
    Context, asleep, burst, joining, latency, many, memory, miss, sizes, sleeping, start, stream,
    stuck, uninterested, unwanted,
};
use crate::limits;
use crate::peers::{
    ArrayQueues, AsyncBroadcast, Batches, Blocks, CrossbeamChannels, DisruptorMp, DisruptorSp,
    KanalChannels, Multiqueue2, Multiqueue2Asleep, OneBus, OwnRing, OwnSlots, Peer, SegQueues,
    Shared, Smd, Tokio,
};
use crate::recorder::Contestant;
use crate::side::{Mode, Scenario, Side};

/// One scenario: what a run needs to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Which.
    pub scenario: Scenario,
    /// Processors without which it cannot run.
    pub processors: usize,
    /// Its share of the time of a quick run; 0 if it is not part of one.
    pub quick: u32,
    /// Its share of the time of a full run.
    pub full: u32,
    /// How many times longer than others its rounds are.
    pub stretch: u32,
    /// Its contestants. Peers open when their first round comes.
    pub contestants: fn(&Context) -> Vec<Contestant>,
}

/// All scenarios, in the order of the report.
pub fn all() -> Vec<Entry> {
    let entry = |scenario, processors, (quick, full), stretch, contestants| Entry {
        scenario,
        processors,
        quick,
        full,
        stretch,
        contestants,
    };
    vec![
        entry(Scenario::T1, 2, (16, 20), 1, t1),
        entry(Scenario::T2, 2, (18, 24), 1, t2),
        entry(Scenario::T2s, 1, (10, 10), 1, t2s),
        entry(Scenario::T3, 2, (10, 12), 2, t3),
        entry(Scenario::T4, 2, (6, 8), 1, t4),
        entry(Scenario::T4r, 2, (4, 6), 1, t4r),
        entry(Scenario::T5, 2, (6, 8), 2, sleeping::contestants),
        entry(Scenario::T6, 1, (3, 4), 1, t6),
        entry(Scenario::T7, 1, (0, 6), 1, sizes::contestants),
        entry(Scenario::T8, 2, (3, 4), 1, joining::contestants),
        entry(Scenario::T9, 2, (0, 4), 1, stuck::contestants),
        entry(Scenario::T10, 1, (2, 2), 1, memory::contestants),
        entry(Scenario::T11, 1, (2, 2), 1, start::contestants),
        entry(Scenario::Limit, 1, (6, 6), 1, limits::contestants),
    ]
}

/// The contenders of all scenarios, by name.
pub fn contenders(context: &Context) -> Vec<&'static str> {
    let mut names: Vec<_> = all()
        .iter()
        .flat_map(|entry| (entry.contestants)(context))
        .map(|contestant| contestant.side.contender)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What this build or this machine cannot measure: what it is, and why.
pub fn missing(context: &Context) -> Vec<String> {
    let mut missing = Vec::new();
    if cfg!(not(feature = "iceoryx2")) {
        missing.push("iceoryx2: built without the feature `iceoryx2`".to_owned());
    }
    if cfg!(not(feature = "lws")) {
        missing.push(
            "lws_smd: built without the feature `lws`, which wants libwebsockets-dev".to_owned(),
        );
    }
    if crate::machine::has_even_counter() == Some(false) {
        missing.push(
            "a counter that runs evenly: the processor has none, so each stamp asks the system, and costs what that costs"
                .to_owned(),
        );
    }
    if context.cpus.is_none() {
        for entry in all().iter().filter(|entry| entry.processors > 1) {
            missing.push(format!("{}: {}", entry.scenario.name(), super::ONE_PROCESSOR));
        }
        missing.push(format!("LIMIT, what crosses between two: {}", super::ONE_PROCESSOR));
    }
    missing
}

/// Calls `$with::<Peer>($arguments)` for all that send in batches; those behind `broadcast` see every message of
/// several senders.
macro_rules! each_peer {
    (all: $with:ident($($argument:expr),*)) => {
        each_peer!(several: $with($($argument),*));
        $with::<DisruptorSp>($($argument),*);
        $with::<OneBus>($($argument),*);
        $with::<OwnRing>($($argument),*);
        $with::<OwnSlots>($($argument),*);
    };
    (several: $with:ident($($argument:expr),*)) => {
        $with::<Smd>($($argument),*);
        $with::<Multiqueue2>($($argument),*);
        $with::<DisruptorMp>($($argument),*);
        $with::<AsyncBroadcast>($($argument),*);
        $with::<CrossbeamChannels>($($argument),*);
        $with::<ArrayQueues>($($argument),*);
        $with::<SegQueues>($($argument),*);
        $with::<KanalChannels>($($argument),*);
        #[cfg(feature = "iceoryx2")]
        $with::<crate::peers::Iceoryx2>($($argument),*);
    };
    (asleep: $with:ident($($argument:expr),*)) => {
        $with::<Smd>($($argument),*);
        $with::<Multiqueue2Asleep>($($argument),*);
        $with::<Tokio<true>>($($argument),*);
        $with::<AsyncBroadcast>($($argument),*);
        $with::<CrossbeamChannels>($($argument),*);
        $with::<KanalChannels>($($argument),*);
    };
}

type Contestants = Vec<Contestant>;

fn t1(context: &Context) -> Contestants {
    fn both<P: Batches>(context: &Context, to: &mut Contestants) {
        one_to_one::<P>(context, to, true);
        // The bus itself cannot leave the stamp out.
        if context.full && P::NAME != Smd::NAME {
            one_to_one::<P>(context, to, false);
        }
    }
    fn one_to_one<P: Batches>(context: &Context, to: &mut Contestants, stamped: bool) {
        let of = if stamped {
            [stream::contestant::<P, Single>, stream::contestant::<P, Batch>]
        } else {
            [stream::unstamped::<P, Single>, stream::unstamped::<P, Batch>]
        };
        to.extend(of.map(|contestant| contestant(context, Scenario::T1, 1)));
    }
    fn shared<P: Batches>(context: &Context, to: &mut Contestants) {
        let side = |mode| Side::new(Scenario::T1, P::NAME, mode, 1).variant(Shared::NAME);
        let len = crate::payload::LEN;
        to.push(stream::sized::<P, Single>(context, side(Mode::Single), len, true));
        to.push(stream::sized::<P, Batch>(context, side(Mode::Batch), len, true));
    }
    fn blocking<P: Blocks>(context: &Context, to: &mut Contestants) {
        to.push(asleep::contestant::<P>(context));
    }
    let mut to = Vec::new();
    each_peer!(all: both(context, &mut to));
    both::<Tokio<true>>(context, &mut to);
    each_peer!(asleep: blocking(context, &mut to));
    blocking::<OneBus>(context, &mut to);
    #[cfg(feature = "lws")]
    {
        both::<crate::peers::LwsSmd>(context, &mut to);
        blocking::<crate::peers::LwsSmd>(context, &mut to);
    }
    shared::<Multiqueue2<Shared>>(context, &mut to);
    shared::<DisruptorSp<Shared>>(context, &mut to);
    shared::<DisruptorMp<Shared>>(context, &mut to);
    shared::<Tokio<true, Shared>>(context, &mut to);
    to
}

/// How many participants one thread polls.
const POLLED: [u32; 5] = [1, 2, 4, 8, 16];

fn t2(context: &Context) -> Contestants {
    fn fan_out<P: Batches>(context: &Context, to: &mut Contestants) {
        for participants in POLLED {
            to.push(stream::contestant::<P, Single>(context, Scenario::T2, participants));
            to.push(stream::contestant::<P, Batch>(context, Scenario::T2, participants));
        }
        if context.full && P::NAME != Smd::NAME {
            to.push(stream::unstamped::<P, Single>(context, Scenario::T2, 8));
            to.push(stream::unstamped::<P, Batch>(context, Scenario::T2, 8));
        }
    }
    let mut to = Vec::new();
    each_peer!(all: fan_out(context, &mut to));
    fan_out::<Tokio<true>>(context, &mut to);
    to
}

/// How many participants the sending thread drains.
const DRAINED: [u32; 4] = [1, 8, 16, 64];

fn t2s(context: &Context) -> Contestants {
    fn burst<P: Batches>(context: &Context, to: &mut Contestants) {
        for participants in DRAINED {
            to.push(burst::contestant::<P, Single>(context, participants));
            to.push(burst::contestant::<P, Batch>(context, participants));
        }
        if context.full && P::NAME != Smd::NAME {
            to.push(burst::unstamped::<P, Single>(context, 8));
            to.push(burst::unstamped::<P, Batch>(context, 8));
        }
    }
    let mut to = Vec::new();
    each_peer!(all: burst(context, &mut to));
    // Nothing can be lost here: it needs no credits.
    burst::<Tokio<false>>(context, &mut to);
    #[cfg(feature = "lws")]
    to.extend([1, 8].map(|participants| super::original::contestant(context, participants)));
    to
}

fn t3(context: &Context) -> Contestants {
    fn several<P: Batches>(context: &Context, to: &mut Contestants) {
        for receivers in [1, 4] {
            to.push(many::contestant::<P, Single>(context, receivers));
            to.push(many::contestant::<P, Batch>(context, receivers));
        }
    }
    fn blocking<P: Blocks>(context: &Context, to: &mut Contestants) {
        to.extend([1, 4].map(|receivers| many::asleep::<P>(context, receivers)));
    }
    let mut to = Vec::new();
    each_peer!(several: several(context, &mut to));
    several::<Tokio<true>>(context, &mut to);
    each_peer!(asleep: blocking(context, &mut to));
    to
}

fn t6(context: &Context) -> Contestants {
    let mut to = unwanted::contestants(context);
    to.extend(miss::contestants(context));
    to.extend(uninterested::contestants(context));
    to
}

fn t4(context: &Context) -> Contestants {
    fn one_way<P: Peer>(context: &Context, to: &mut Contestants) {
        to.extend(context.cpus.map(|cpus| latency::one_way::<P>(&context.clock, cpus)));
    }
    let mut to = Vec::new();
    each_peer!(all: one_way(context, &mut to));
    // With credits: the host stops a receiver for longer than the channel has room, now and then.
    one_way::<Tokio<true>>(context, &mut to);
    #[cfg(feature = "lws")]
    {
        use crate::peers::{LwsSmd, LwsSmdInPoll};
        one_way::<LwsSmd>(context, &mut to);
        let others = to.len();
        one_way::<LwsSmdInPoll>(context, &mut to);
        for contestant in &mut to[others..] {
            contestant.side = contestant.side.clone().variant(LwsSmdInPoll::VARIANT);
        }
    }
    to
}

fn t4r(context: &Context) -> Contestants {
    fn round_trip<P: Peer>(context: &Context, to: &mut Contestants) {
        to.extend(context.cpus.map(|cpus| latency::round_trip::<P>(&context.clock, cpus)));
    }
    let mut to = Vec::new();
    each_peer!(all: round_trip(context, &mut to));
    round_trip::<Tokio<true>>(context, &mut to);
    #[cfg(feature = "lws")]
    round_trip::<crate::peers::LwsSmd>(context, &mut to);
    to
}
