//! What is compared: scenarios, contenders, and how they are used.

use serde::Serialize;

/// What is done in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Scenario {
    /// One sender and one receiver on two threads, as fast as they can.
    T1,
    /// One sender, one thread that polls several participants.
    T2,
    /// One thread sends 32 and drains all participants: processor time.
    T2s,
    /// Four senders to one and to four participants.
    T3,
    /// One way latency, both sides spinning, paced.
    T4,
    /// Round trip latency, both sides spinning.
    T4r,
    /// Receivers that sleep: latency, what a wake-up costs the sender, time used while idle.
    T5,
    /// Sends that few or none want, and messages that a participant steps over.
    T6,
    /// Payloads from 0 to 384 bytes.
    T7,
    /// Registering and leaving while messages flow.
    T8,
    /// One participant that is stuck beside fast ones.
    T9,
    /// Memory: bytes per queued message, resident size.
    T10,
    /// From the first `Bus::new` to the first delivery.
    T11,
    /// What the machine allows, without any bus.
    Limit,
}

impl Scenario {
    /// All, in the order of the report.
    pub const ALL: [Scenario; 14] = [
        Scenario::T1,
        Scenario::T2,
        Scenario::T2s,
        Scenario::T3,
        Scenario::T4,
        Scenario::T4r,
        Scenario::T5,
        Scenario::T6,
        Scenario::T7,
        Scenario::T8,
        Scenario::T9,
        Scenario::T10,
        Scenario::T11,
        Scenario::Limit,
    ];

    /// The name in tables, files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::T1 => "T1",
            Scenario::T2 => "T2",
            Scenario::T2s => "T2S",
            Scenario::T3 => "T3",
            Scenario::T4 => "T4",
            Scenario::T4r => "T4R",
            Scenario::T5 => "T5",
            Scenario::T6 => "T6",
            Scenario::T7 => "T7",
            Scenario::T8 => "T8",
            Scenario::T9 => "T9",
            Scenario::T10 => "T10",
            Scenario::T11 => "T11",
            Scenario::Limit => "LIMIT",
        }
    }
}

/// How a contender is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One call and one stamp for each message.
    Single,
    /// One call and one stamp for 32 messages.
    Batch,
    /// As single, with blocking calls.
    Block,
}

impl Mode {
    /// The name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Single => "single",
            Mode::Batch => "batch",
            Mode::Block => "block",
        }
    }
}

/// What the figure of a side counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Nanoseconds per message.
    #[default]
    Nanos,
    /// Bytes.
    Bytes,
}

/// One row of the report: who did what, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Side {
    /// What was done.
    pub scenario: Scenario,
    /// Who did it: the bus is `smd`, a limit of the machine has a name of its own.
    pub contender: &'static str,
    /// How it was used.
    pub mode: Mode,
    /// Participants that receive every message.
    pub participants: u32,
    /// What tells apart two sides that are equal in all else: `1000 uninterested`, `unstamped`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// What the figure counts.
    pub unit: Unit,
}

impl Side {
    /// A side that counts nanoseconds and has no variant.
    pub fn new(scenario: Scenario, contender: &'static str, mode: Mode, participants: u32) -> Side {
        Side { scenario, contender, mode, participants, variant: String::new(), unit: Unit::Nanos }
    }

    /// The same in a variant.
    #[must_use]
    pub fn variant(self, variant: impl Into<String>) -> Side {
        Side { variant: variant.into(), ..self }
    }

    /// The same, counting something else.
    #[must_use]
    pub fn unit(self, unit: Unit) -> Side {
        Side { unit, ..self }
    }

    /// For messages to a person.
    pub fn label(&self) -> String {
        let Side { scenario, contender, mode, participants, variant, .. } = self;
        let variant = if variant.is_empty() { String::new() } else { format!(", {variant}") };
        format!("{} {contender} {} to {participants}{variant}", scenario.name(), mode.name())
    }
}
