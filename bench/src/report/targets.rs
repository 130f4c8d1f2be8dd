//! The targets, as one table. How they are judged is in [`judge`](super::judge).
//!
//! A ratio compares medians of one class of distance, and each side's best mode among those that the target allows.
//! An absolute figure is the minimum of the run.

use crate::probe::Distance;
use crate::recorder::Class;
use crate::report::contenders::{ANY_MODE, BATCH, ONE_BY_ONE, OURS};
use crate::side::{Mode, Scenario};

const ANY: Where = Where::In(&[Class::Any]);
const NEAR: Where = Where::In(&[Class::Pair(Distance::Near)]);
const FAR: Where = Where::In(&[Class::Pair(Distance::Far)]);
const NEAR_AND_FAR: Where = Where::In(&[Class::Pair(Distance::Near), Class::Pair(Distance::Far)]);

const SINGLE: &[Mode] = &[Mode::Single];

/// All of them, in the order of the report.
pub const TARGETS: &[Target] = &[
    // One thread sends and drains: processor time of a message, to 8 and to 16.
    COST.over("disruptor-mp", ANY_MODE, 1.0),
    COST.over("multiqueue2", ANY_MODE, 0.8),
    COST.over("tokio-broadcast", ANY_MODE, 0.35),
    // One to one, a call and a stamp for each message.
    ONE_TO_ONE.at(NEAR).over("multiqueue2", ONE_BY_ONE, 0.95),
    ONE_TO_ONE.at(FAR).over("multiqueue2", ONE_BY_ONE, 0.7),
    ONE_TO_ONE.over("disruptor-mp", SINGLE, 0.7),
    ONE_TO_ONE.over("tokio-broadcast", ONE_BY_ONE, 0.4),
    ONE_TO_ONE.over("bus", ONE_BY_ONE, 0.4),
    ONE_TO_ONE.over("crossbeam-channel", ONE_BY_ONE, 0.4),
    // One to one, in batches: against what the hardware allows.
    ONE_TO_ONE_BATCH.at(NEAR).over("disruptor-sp", BATCH, 1.25),
    ONE_TO_ONE_BATCH.at(FAR).over("disruptor-sp", BATCH, 1.1),
    // One to 8 and to 16 on another thread. Nobody can be asked for more than a bare ring does.
    FAN_OUT.or_of_bound(0.9, "own-ring").times("multiqueue2", ANY_MODE, 2.0),
    FAN_OUT.or_of_bound(0.9, "own-ring").times("disruptor-mp", ANY_MODE, 2.0),
    FAN_OUT.times("tokio-broadcast", ANY_MODE, 4.0),
    // Four senders, to 1 and to 4.
    FOUR_SENDERS.over("multiqueue2", ANY_MODE, 1.0),
    FOUR_SENDERS.over("disruptor-mp", ANY_MODE, 1.0),
    // One way, both sides spinning.
    ONE_WAY.over("own-slotseq", ANY_MODE, 1.2),
    ONE_WAY.over_all_peers(1.0).because(LONGER_PATH),
    // Receivers that sleep, in four forms.
    WAKE_SENDER.form("recv_blocking").over_any_form_of("unpark", 1.1),
    WAKE_SENDER.form("recv_timeout").over_any_form_of("unpark", 1.1),
    WAKE_SENDER.form("async").over_any_form_of("unpark", 1.1),
    WAKE_SENDER.form("descriptor").over_any_form_of("unpark", 1.1),
    WAKE_WAY.form("recv_blocking").over_any_form_of("unpark", 1.1),
    WAKE_WAY.form("recv_timeout").over_any_form_of("unpark", 1.1),
    WAKE_WAY.form("async").over_any_form_of("unpark", 1.1),
    WAKE_WAY.form("descriptor").over_any_form_of("unpark", 1.1),
    IDLE.form("recv_blocking").at_most(0.0),
    IDLE.form("recv_timeout").at_most(0.0),
    IDLE.form("async").at_most(0.0),
    IDLE.form("descriptor").at_most(0.0),
    WAKES.form("recv_blocking").at_most(1.0),
    WAKES.form("recv_timeout").at_most(1.0),
    WAKES.form("async").at_most(1.0),
    WAKES.form("descriptor").at_most(1.0),
    // What few or none want.
    UNINTERESTED.form("unwanted Sender::send").at_most(2.0),
    UNINTERESTED.form("unwanted Bus::send").at_most(2.0),
    UNINTERESTED.form("filter miss").at_most(1.5).because(HEAD_BY_HEAD),
    UNINTERESTED.form("1000 uninterested").over_own("1 uninterested", 1.05),
    // Beside a stuck participant.
    STUCK.form("beside a stuck one").times_own("alone", 0.95),
    // What this bus is modelled on.
    ONE_TO_ONE_BATCH.at(NEAR).measured(Measure::PerSecond).times("lws_smd", ANY_MODE, 30.0),
    ONE_TO_ONE.at(NEAR).measured(Measure::PerSecond).times("lws_smd", ANY_MODE, 15.0),
    // Its loop as its users run it; the row beside that has it pumped without a rest.
    ONE_WAY.at(NEAR).over_form("lws_smd", "loop in poll", 1.0 / 40.0).because(TWO_WAYS),
    // Memory, and the start.
    MEMORY.form("bytes per queued message").at_most(96.0),
    START.form("warm").at_most(1e6),
];

const COST_IS: &str = "the rest is a drain's fixed cost, the crossing of segments, and a head to look at for each record, which the \
     others do not have: bench/NOTES.md";
const A_SEND_TOO: &str = "a bare unpark sends nothing; here a message is stamped, claimed, written and published as well, by a thread \
     and in memory that have rested as long as the sleeper: beside the word that unpark writes, five lines come back from the \
     sleeper's processor (the segment's references, the record, the announcement, the sleeper's state, who it is): bench/NOTES.md";
const LONGER_PATH: &str = "length of path: some 150 instructions to send and as many to receive, for classes, lengths and limits that the \
     peer does not have; a hint to write took half of the difference on a Xeon and is not kept: bench/NOTES.md";
const HEAD_BY_HEAD: &str = "a record's length leads to the next one's head, so a load, a shift and an add wait for each other: 4 to 5 \
     cycles and no branch that could go wrong";
const TWO_WAYS: &str =
    "a line goes to the sender, and back with the message: twice its way is the least";

const COST: Target = Target::new(Scenario::T2s, "processor time", Measure::Figure, ANY)
    .to(&[8, 16])
    .because(COST_IS);
const ONE_TO_ONE: Target =
    Target::new(Scenario::T1, "one to one", Measure::Figure, NEAR_AND_FAR).by(SINGLE);
const ONE_TO_ONE_BATCH: Target =
    Target::new(Scenario::T1, "one to one", Measure::Figure, NEAR_AND_FAR).by(BATCH);
const FAN_OUT: Target =
    Target::new(Scenario::T2, "deliveries a second", Measure::Deliveries, NEAR_AND_FAR)
        .to(&[8, 16]);
const FOUR_SENDERS: Target =
    Target::new(Scenario::T3, "four senders", Measure::Figure, Where::Seen).to(&[1, 4]);
const ONE_WAY: Target = Target::new(Scenario::T4, "one way, p50", Measure::Way, NEAR_AND_FAR);
const WAKE_SENDER: Target = Target::new(
    Scenario::T5,
    "cost of a wake-up to the sender",
    Measure::Also("sender ns"),
    Where::Seen,
)
.because(A_SEND_TOO);
const WAKE_WAY: Target =
    Target::new(Scenario::T5, "one way to a sleeper, p50", Measure::Way, Where::Seen)
        .because(A_SEND_TOO);
const IDLE: Target = Target::new(
    Scenario::T5,
    "processor time while idle, a second",
    Measure::Also("idle cpu ns per s"),
    Where::Seen,
);
const WAKES: Target = Target::new(
    Scenario::T5,
    "wake-ups for one sleep",
    Measure::Also("wakes per sleep"),
    Where::Seen,
);
const UNINTERESTED: Target = Target::new(Scenario::T6, "", Measure::Figure, ANY);
const STUCK: Target = Target::new(Scenario::T9, "rate", Measure::PerSecond, Where::Seen);
const MEMORY: Target = Target::new(Scenario::T10, "", Measure::Figure, Where::Seen);
const START: Target = Target::new(Scenario::T11, "first delivery", Measure::Figure, Where::Seen);

/// What is wanted of the bus in one scenario.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The scenario.
    pub scenario: Scenario,
    /// What is compared, for people.
    pub what: &'static str,
    /// What is compared.
    pub measure: Measure,
    /// In which classes of distance.
    pub classes: Where,
    /// With how many participants, each by itself; none: however many there are.
    pub participants: &'static [u32],
    /// The modes of the bus among which the best counts.
    pub modes: &'static [Mode],
    /// The variant of the bus's side.
    pub form: &'static str,
    /// How far.
    pub bar: Bar,
    /// A part of what that limit of the machine reaches is enough, too.
    pub bound: Option<(f64, &'static str)>,
    /// What is known of why it is missed where it is: shown then, and only then.
    pub because: &'static str,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The figure of the side: time by message, or bytes.
    Figure,
    /// Messages in a second.
    PerSecond,
    /// Receipts in a second by all participants.
    Deliveries,
    /// The median way of a message.
    Way,
    /// Something else that rounds measured, by name.
    Also(&'static str),
}

/// Classes in which a target is judged.
#[derive(Clone, Copy, Debug)]
pub enum Where {
    /// In these, and it is open where one was not seen.
    In(&'static [Class]),
    /// In all that the run saw.
    Seen,
}

/// How far.
#[derive(Clone, Copy, Debug)]
pub enum Bar {
    /// Not more than this.
    AtMost(f64),
    /// Not more than this part of a rival's.
    Over(Rival, f64),
    /// Not less than this many times a rival's.
    Times(Rival, f64),
    /// Not more than this part of the best peer's, whoever that is.
    OverAllPeers(f64),
}

/// With whom the bus is compared.
#[derive(Clone, Copy, Debug)]
pub struct Rival {
    /// Who.
    pub contender: &'static str,
    /// Among these modes its best counts.
    pub modes: &'static [Mode],
    /// In this variant; `None` in whichever there is.
    pub form: Option<&'static str>,
}

impl Target {
    const fn new(
        scenario: Scenario,
        what: &'static str,
        measure: Measure,
        classes: Where,
    ) -> Target {
        Target {
            scenario,
            what,
            measure,
            classes,
            participants: &[],
            modes: ANY_MODE,
            form: "",
            bar: Bar::AtMost(0.0),
            bound: None,
            because: "",
        }
    }

    const fn to(self, participants: &'static [u32]) -> Target {
        Target { participants, ..self }
    }

    const fn by(self, modes: &'static [Mode]) -> Target {
        Target { modes, ..self }
    }

    const fn at(self, classes: Where) -> Target {
        Target { classes, ..self }
    }

    const fn measured(self, measure: Measure) -> Target {
        Target { measure, ..self }
    }

    const fn form(self, form: &'static str) -> Target {
        Target { form, ..self }
    }

    const fn or_of_bound(self, part: f64, bound: &'static str) -> Target {
        Target { bound: Some((part, bound)), ..self }
    }

    const fn because(self, because: &'static str) -> Target {
        Target { because, ..self }
    }

    const fn at_most(self, most: f64) -> Target {
        Target { bar: Bar::AtMost(most), ..self }
    }

    const fn over(self, contender: &'static str, modes: &'static [Mode], most: f64) -> Target {
        Target { bar: Bar::Over(Rival { contender, modes, form: Some("") }, most), ..self }
    }

    const fn over_form(self, contender: &'static str, form: &'static str, most: f64) -> Target {
        let rival = Rival { contender, modes: ANY_MODE, form: Some(form) };
        Target { bar: Bar::Over(rival, most), ..self }
    }

    const fn over_any_form_of(self, contender: &'static str, most: f64) -> Target {
        let rival = Rival { contender, modes: ANY_MODE, form: None };
        Target { bar: Bar::Over(rival, most), ..self }
    }

    const fn over_own(self, form: &'static str, most: f64) -> Target {
        Target { bar: Bar::Over(Rival::ours(form), most), ..self }
    }

    const fn over_all_peers(self, most: f64) -> Target {
        Target { bar: Bar::OverAllPeers(most), ..self }
    }

    const fn times(self, contender: &'static str, modes: &'static [Mode], least: f64) -> Target {
        Target { bar: Bar::Times(Rival { contender, modes, form: Some("") }, least), ..self }
    }

    const fn times_own(self, form: &'static str, least: f64) -> Target {
        Target { bar: Bar::Times(Rival::ours(form), least), ..self }
    }
}

impl Rival {
    const fn ours(form: &'static str) -> Rival {
        Rival { contender: OURS, modes: ANY_MODE, form: Some(form) }
    }
}
