//! Rounds that nobody measured: every side that a full run has, with figures that stand here.

use hdrhistogram::Histogram;

use crate::machine::Provenance;
use crate::probe::Distance;
use crate::recorder::{Class, Plan, Round, Stalls};
use crate::report::Report;
use crate::side::{Mode, Scenario, Side, Unit};

pub(super) const NEAR: Class = Class::Pair(Distance::Near);
pub(super) const FAR: Class = Class::Pair(Distance::Far);

/// A round that took that many nanoseconds a message.
pub(super) fn round(side: &Side, class: Option<Class>, turn: usize, nanos: f64) -> Round {
    Round {
        turn,
        side: side.clone(),
        class,
        messages: 100_000,
        figure: nanos,
        nanos,
        allocations: None,
        handoff: None,
        latency: None,
        corrected: None,
        stalls: Stalls::default(),
        also: Vec::new(),
    }
}

/// Five rounds around a figure, which is their median, and two below their worst.
pub(super) fn five(side: &Side, class: Class, nanos: f64) -> Vec<Round> {
    [1.0, 0.9, 1.1, 0.95, 1.5]
        .into_iter()
        .enumerate()
        .map(|(turn, part)| round(side, Some(class), turn, nanos * part))
        .collect()
}

/// The same with ways of messages around a median, with a tail.
pub(super) fn five_ways(side: &Side, class: Class, median: u64) -> Vec<Round> {
    let mut rounds = five(side, class, 10_000.0);
    for round in &mut rounds {
        round.messages = 4_000;
        round.latency = Some(ways(median));
    }
    rounds
}

/// Nanoseconds of 2000 messages: half are at the median or under it, one in a hundred takes ten times as long.
pub(super) fn ways(median: u64) -> Histogram<u64> {
    let mut ways = Histogram::new(3).expect("three digits are allowed");
    for n in 0..2_000_u64 {
        let nanos = match n {
            0..1_100 => median - median / 10 * (n % 2),
            1_100..1_900 => median + median * (n - 1_100) / 800,
            1_900..1_996 => median * (2 + (n - 1_900) / 12),
            _ => median * 40 * (n - 1_995),
        };
        ways.record(nanos).expect("it grows");
    }
    ways
}

/// The mode in which each contender is used, and its nanoseconds a message, near, one to one.
const ONE_TO_ONE: &[(&str, Mode, f64)] = &[
    ("smd", Mode::Single, 36.0),
    ("smd", Mode::Batch, 15.0),
    ("multiqueue2", Mode::Single, 48.0),
    ("multiqueue2", Mode::Block, 52.0),
    ("disruptor-mp", Mode::Single, 71.0),
    ("disruptor-mp", Mode::Batch, 17.0),
    ("disruptor-sp", Mode::Single, 41.0),
    ("disruptor-sp", Mode::Batch, 14.2),
    ("tokio-broadcast", Mode::Single, 190.0),
    ("async-broadcast", Mode::Single, 160.0),
    ("bus", Mode::Single, 170.0),
    ("crossbeam-channel", Mode::Single, 110.0),
    ("crossbeam-ArrayQueue", Mode::Single, 61.0),
    ("crossbeam-SegQueue", Mode::Single, 52.0),
    ("kanal", Mode::Single, 55.0),
    ("iceoryx2", Mode::Single, 420.0),
    ("lws_smd", Mode::Single, 1_300.0),
    ("own-ring", Mode::Single, 34.0),
    ("own-ring", Mode::Batch, 13.8),
    ("own-slotseq", Mode::Single, 36.0),
];

/// All rounds of a run on a machine that is near for most of the time.
pub(super) fn rounds() -> Vec<Round> {
    let mut rounds = Vec::new();
    for &(contender, mode, nanos) in ONE_TO_ONE {
        let side = |scenario, participants| Side::new(scenario, contender, mode, participants);
        for (class, times) in [(NEAR, 1.0), (FAR, 3.4)] {
            rounds.extend(five(&side(Scenario::T1, 1), class, nanos * times));
            let unstamped = side(Scenario::T1, 1).variant("unstamped");
            rounds.extend(five(&unstamped, class, nanos * times * 0.8));
            if contender != "lws_smd" {
                for to in [1, 2, 4, 8, 16] {
                    let nanos =
                        nanos * times * (0.8 + 0.2 * f64::from(to).powf(0.4 + nanos / 400.0));
                    rounds.extend(five(&side(Scenario::T2, to), class, nanos));
                }
            }
            if mode == Mode::Single {
                let median = (nanos.min(900.0) * times * 0.9) as u64 + 60;
                rounds.extend(five_ways(&side(Scenario::T4, 1), class, median));
                if contender == "lws_smd" {
                    let in_poll = side(Scenario::T4, 1).variant("loop in poll");
                    rounds.extend(five_ways(&in_poll, class, 12 * median));
                }
            }
        }
        rounds.push(round(&side(Scenario::T1, 1), None, 9, nanos * 2.0));
        if contender != "lws_smd" {
            for to in [1, 8, 16, 64] {
                let nanos = nanos / 6.0 + f64::from(to) * nanos / 40.0;
                rounds.extend(five(&side(Scenario::T2s, to), Class::Any, nanos));
            }
            for to in [1, 4] {
                rounds.extend(five(&side(Scenario::T3, to), Class::Any, nanos * 2.0));
            }
        }
    }
    rounds.extend(sleepers());
    rounds.extend(alone());
    rounds[3].stalls = Stalls { count: 2, nanos: 900_000, longest: 700_000 };
    rounds
}

fn sleepers() -> Vec<Round> {
    let ours = ["recv_blocking", "recv_timeout", "async", "descriptor"].map(|form| ("smd", form));
    let others = [("tokio-broadcast", ""), ("bus", ""), ("unpark", ""), ("eventfd", "")];
    let mut rounds = Vec::new();
    for (contender, form) in ours.into_iter().chain(others) {
        let side = Side::new(Scenario::T5, contender, Mode::Block, 1).variant(form);
        for mut round in five_ways(&side, NEAR, 48_000) {
            round.also =
                vec![("sender ns", 21_000.0), ("idle cpu ns per s", 0.0), ("wakes per sleep", 1.0)];
            rounds.push(round);
        }
    }
    rounds
}

fn alone() -> Vec<Round> {
    let ours =
        |scenario, variant: &str| Side::new(scenario, "smd", Mode::Single, 1).variant(variant);
    let mut rounds = Vec::new();
    let mut add = |side: Side, figure| rounds.extend(five(&side, Class::Any, figure));
    for (variant, nanos) in [
        ("unwanted Sender::send", 1.6),
        ("unwanted Bus::send", 1.9),
        ("filter miss", 1.4),
        ("1 uninterested", 28.0),
        ("1000 uninterested", 28.1),
    ] {
        add(ours(Scenario::T6, variant), nanos);
    }
    for variant in ["0 bytes", "64 bytes", "384 bytes"] {
        add(ours(Scenario::T7, variant), 40.0);
    }
    add(ours(Scenario::T9, "alone"), 40.0);
    add(ours(Scenario::T9, "beside a stuck one"), 41.0);
    add(ours(Scenario::T10, "bytes per queued message").unit(Unit::Bytes), 88.0);
    add(ours(Scenario::T10, "resident after a burst").unit(Unit::Bytes), 33.0 * 1024.0 * 1024.0);
    add(ours(Scenario::T11, "warm"), 310_000.0);
    add(ours(Scenario::T11, "clock"), 620_000.0);
    for (limit, nanos) in [("clock read", 11.3), ("futex wake", 9_400.0), ("allocation", 12.6)] {
        add(Side::new(Scenario::Limit, "machine", Mode::Single, 1).variant(limit), nanos);
    }
    rounds
}

/// A report of such rounds, from a machine that there is not.
pub(super) fn report(rounds: Vec<Round>) -> Report {
    let plan = Plan { turns: 5, warm_up: 1, millis: 25, seed: 7 };
    Report::new(provenance(), [plan.into()], vec!["T8: it was not asked for".to_owned()], rounds)
}

fn provenance() -> Provenance {
    Provenance {
        date: "2026-01-01 00:00 UTC".to_owned(),
        command: "cargo bench".to_owned(),
        commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        processor: "a processor".to_owned(),
        processors: 2,
        virtual_machine: true,
        system: "linux".to_owned(),
        load: "0.00 0.00 0.00".to_owned(),
        compiler: "rustc".to_owned(),
        versions: vec![("multiqueue2".to_owned(), "0.2.1".to_owned())],
    }
}
