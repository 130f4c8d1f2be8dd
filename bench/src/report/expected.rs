//! What the peers reached in another program, and whether they reach it here.
//!
//! A wrapper that holds a peer back would make the bus look good. So each peer runs once more without stamps, and is
//! compared with what a separate program measured of it: two processors of the same kind of machine (a virtual machine,
//! AMD EPYC, family 25 model 17), 2026-11-22, rustc 1.95.0, fat LTO, 80-byte messages by value, room for 1024, the peers'
//! own best calls, versions as in this project's lock file, medians of one class of distance.

use crate::probe::Distance;
use crate::recorder::Class;
use crate::report::rows::{Row, UNSTAMPED};
use crate::side::{Mode, Scenario, Side};

/// A part of the name of the processors it measured: on others its figures say little.
pub const PROCESSOR: &str = "AMD EPYC";

/// Figures that differ by more than this part are marked.
pub const NEAR_ENOUGH: f64 = 0.2;

/// What one contender reached there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    scenario: Scenario,
    participants: u32,
    contender: &'static str,
    mode: Mode,
    class: Class,
    nanos: f64,
}

/// Why a peer's figure here is not what it was there, where that is known.
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// In which scenario.
    pub scenario: Scenario,
    /// Of whom.
    pub contender: &'static str,
    /// Why.
    pub why: &'static str,
}

/// The reasons that are known: the report shows each beside the figure it is about.
pub const REASONS: &[Reason] = &[];

/// A row beside what was expected of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison<'r> {
    /// Whose row.
    pub side: &'r Side,
    /// Where.
    pub class: Class,
    /// How many rounds.
    pub runs: usize,
    /// Nanoseconds here.
    pub here: f64,
    /// Nanoseconds there, if they are known.
    pub expected: Option<f64>,
}

impl Comparison<'_> {
    /// Here over there.
    pub fn ratio(&self) -> Option<f64> {
        self.expected.map(|expected| self.here / expected)
    }

    /// Whether it lies as near as it should.
    pub fn is_near(&self) -> bool {
        self.ratio().is_none_or(|ratio| (ratio - 1.0).abs() <= NEAR_ENOUGH)
    }
}

/// All rows that can be compared: unstamped ones, and those of the latency scenario, where messages carry a stamp there too.
pub fn comparisons(rows: &[Row]) -> Vec<Comparison<'_>> {
    rows.iter()
        .filter_map(|row| {
            let expected = figures().find(|known| known.is_of(row)).map(|known| known.nanos);
            let here = match row.side.scenario {
                Scenario::T4 if expected.is_some() => row.p50()?,
                _ if row.side.variant == UNSTAMPED => row.ns_median,
                _ => return None,
            };
            Some(Comparison { side: &row.side, class: row.class, runs: row.runs, here, expected })
        })
        .collect()
}

impl Expected {
    fn is_of(&self, row: &Row) -> bool {
        let side = &row.side;
        // Four senders share two processors: which they ran on plays no part there.
        let class = self.class == row.class || self.scenario == Scenario::T3;
        let variant = if self.scenario == Scenario::T4 { "" } else { UNSTAMPED };
        (side.scenario, side.participants, side.contender, side.mode)
            == (self.scenario, self.participants, self.contender, self.mode)
            && side.variant == variant
            && class
    }
}

fn figures() -> impl Iterator<Item = Expected> {
    let near_far =
        NEAR_FAR.iter().flat_map(|&(scenario, participants, contender, mode, near, far)| {
            [(Distance::Near, near), (Distance::Far, far)].into_iter().filter_map(
                move |(distance, nanos)| {
                    let class = Class::Pair(distance);
                    Some(Expected { scenario, participants, contender, mode, class, nanos: nanos? })
                },
            )
        });
    let fan_out = FAN_OUT.iter().flat_map(|&(contender, mode, near, far)| {
        [(Distance::Near, near), (Distance::Far, far)].map(|(distance, millions)| Expected {
            scenario: Scenario::T2,
            participants: 8,
            contender,
            mode,
            class: Class::Pair(distance),
            // Millions of deliveries in a second, eight of which are one message.
            nanos: 8.0 * 1e3 / millions,
        })
    });
    let alone = ALONE.iter().map(|&(scenario, participants, contender, mode, nanos)| Expected {
        scenario,
        participants,
        contender,
        mode,
        class: Class::Any,
        nanos,
    });
    near_far.chain(fan_out).chain(alone)
}

type NearFar = (Scenario, u32, &'static str, Mode, Option<f64>, Option<f64>);

/// Nanoseconds a message one to one, and of one way (p50): near and far.
#[rustfmt::skip]
const NEAR_FAR: &[NearFar] = &[
    (Scenario::T1, 1, "disruptor-sp",         Mode::Single, Some(28.6),  Some(129.0)),
    (Scenario::T1, 1, "disruptor-sp",         Mode::Batch,  Some(13.6),  Some(51.8)),
    (Scenario::T1, 1, "disruptor-mp",         Mode::Single, Some(60.6),  Some(258.0)),
    (Scenario::T1, 1, "disruptor-mp",         Mode::Batch,  Some(15.2),  Some(53.6)),
    (Scenario::T1, 1, "multiqueue2",          Mode::Single, Some(43.7),  None),
    (Scenario::T1, 1, "kanal",                Mode::Single, Some(36.6),  None),
    (Scenario::T1, 1, "crossbeam-SegQueue",   Mode::Single, Some(38.2),  Some(95.0)),
    (Scenario::T1, 1, "crossbeam-ArrayQueue", Mode::Single, Some(48.0),  None),
    (Scenario::T1, 1, "iceoryx2",             Mode::Single, Some(350.0), Some(1040.0)),
    (Scenario::T1, 1, "own-ring",             Mode::Single, Some(23.5),  Some(107.0)),
    (Scenario::T1, 1, "own-ring",             Mode::Batch,  Some(13.7),  Some(53.1)),
    (Scenario::T1, 1, "own-slotseq",          Mode::Single, Some(26.0),  Some(92.0)),
    (Scenario::T4, 1, "own-slotseq",          Mode::Single, Some(90.0),  Some(282.0)),
    (Scenario::T4, 1, "own-ring",             Mode::Single, Some(106.0), Some(265.0)),
    (Scenario::T4, 1, "disruptor-sp",         Mode::Single, Some(106.0), Some(285.0)),
    (Scenario::T4, 1, "disruptor-mp",         Mode::Single, Some(112.0), Some(288.0)),
    (Scenario::T4, 1, "multiqueue2",          Mode::Single, Some(132.0), Some(466.0)),
    (Scenario::T4, 1, "crossbeam-SegQueue",   Mode::Single, Some(160.0), Some(546.0)),
    (Scenario::T4, 1, "crossbeam-ArrayQueue", Mode::Single, Some(174.0), Some(568.0)),
    (Scenario::T4, 1, "tokio-broadcast",      Mode::Single, Some(198.0), Some(826.0)),
    (Scenario::T4, 1, "crossbeam-channel",    Mode::Single, Some(203.0), Some(601.0)),
    (Scenario::T4, 1, "kanal",                Mode::Single, Some(216.0), Some(1257.0)),
    (Scenario::T4, 1, "bus",                  Mode::Single, Some(230.0), Some(726.0)),
];

/// Millions of deliveries in a second by 8 participants on one thread: near and far.
#[rustfmt::skip]
const FAN_OUT: &[(&str, Mode, f64, f64)] = &[
    ("own-ring",        Mode::Batch,  504.0, 158.0),
    ("own-ring",        Mode::Single, 407.0, 70.0),
    ("disruptor-sp",    Mode::Batch,  359.0, 154.0),
    ("disruptor-sp",    Mode::Single, 318.0, 55.0),
    ("multiqueue2",     Mode::Single, 165.0, 42.0),
    ("disruptor-mp",    Mode::Batch,  82.0,  80.0),
    ("disruptor-mp",    Mode::Single, 77.0,  30.0),
    ("tokio-broadcast", Mode::Single, 48.0,  29.0),
    ("bus",             Mode::Single, 37.0,  24.0),
];

/// Nanoseconds a message where the distance plays no part: processor time on one thread, and four senders to one.
#[rustfmt::skip]
const ALONE: &[(Scenario, u32, &str, Mode, f64)] = &[
    (Scenario::T2s, 8, "own-ring",             Mode::Single, 17.0),
    (Scenario::T2s, 8, "own-ring",             Mode::Batch,  18.0),
    (Scenario::T2s, 8, "own-slotseq",          Mode::Single, 23.0),
    (Scenario::T2s, 8, "disruptor-sp",         Mode::Single, 20.0),
    (Scenario::T2s, 8, "disruptor-sp",         Mode::Batch,  20.0),
    (Scenario::T2s, 8, "disruptor-mp",         Mode::Single, 28.0),
    (Scenario::T2s, 8, "disruptor-mp",         Mode::Batch,  25.0),
    (Scenario::T2s, 8, "multiqueue2",          Mode::Single, 31.0),
    (Scenario::T2s, 8, "async-broadcast",      Mode::Single, 96.0),
    (Scenario::T2s, 8, "crossbeam-ArrayQueue", Mode::Single, 99.0),
    (Scenario::T2s, 8, "bus",                  Mode::Single, 104.0),
    (Scenario::T2s, 8, "tokio-broadcast",      Mode::Single, 104.0),
    (Scenario::T2s, 8, "kanal",                Mode::Single, 116.0),
    (Scenario::T2s, 8, "crossbeam-channel",    Mode::Single, 281.0),
    (Scenario::T2s, 8, "iceoryx2",             Mode::Single, 1090.0),
    (Scenario::T3,  1, "crossbeam-ArrayQueue", Mode::Single, 39.0),
    (Scenario::T3,  1, "crossbeam-SegQueue",   Mode::Single, 42.0),
    (Scenario::T3,  1, "multiqueue2",          Mode::Block,  60.0),
    (Scenario::T3,  1, "multiqueue2",          Mode::Single, 190.0),
    (Scenario::T3,  1, "disruptor-mp",         Mode::Single, 98.0),
    (Scenario::T3,  1, "async-broadcast",      Mode::Single, 129.0),
    (Scenario::T3,  1, "tokio-broadcast",      Mode::Single, 132.0),
];
