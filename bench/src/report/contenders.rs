//! Who is who among the contenders, and which of a contender's modes counts.

use crate::recorder::Class;
use crate::report::rows::Row;
use crate::side::{Mode, Scenario};

/// The bus.
pub const OURS: &str = "smd";

/// What a user would pick instead.
pub const PEERS: &[&str] = &[
    "multiqueue2",
    "disruptor-mp",
    "disruptor-sp",
    "tokio-broadcast",
    "async-broadcast",
    "bus",
    "crossbeam-channel",
    "crossbeam-ArrayQueue",
    "crossbeam-SegQueue",
    "kanal",
    "iceoryx2",
    "lws_smd",
];

/// What a contender is to the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The bus itself.
    Ours,
    /// What a user would pick instead.
    Peer,
    /// Written by hand, without what makes a bus: what the machine allows.
    Bound,
}

impl Role {
    /// By name: whoever is neither the bus nor a peer is a limit of the machine.
    pub fn of(contender: &str) -> Role {
        match contender {
            OURS => Role::Ours,
            name if PEERS.contains(&name) => Role::Peer,
            _ => Role::Bound,
        }
    }
}

/// Every mode.
pub const ANY_MODE: &[Mode] = &[Mode::Single, Mode::Batch, Mode::Block];
/// One call and one stamp for each message, whatever happens when there is no room.
pub const ONE_BY_ONE: &[Mode] = &[Mode::Single, Mode::Block];

/// One call and one stamp for 32 messages.
pub const BATCH: &[Mode] = &[Mode::Batch];

/// The modes whose work is that of a mode: one by one, or in batches.
pub fn alike(mode: Mode) -> &'static [Mode] {
    if mode == Mode::Batch { BATCH } else { ONE_BY_ONE }
}

/// The packages whose versions belong beside the figures: what was measured, and what it was measured with.
pub const PACKAGES: &[&str] = &[
    "smd-lockfree",
    "multiqueue2",
    "disruptor",
    "tokio",
    "async-broadcast",
    "bus",
    "crossbeam-channel",
    "crossbeam-queue",
    "arc-swap",
    "kanal",
    "iceoryx2",
    "quanta",
    "hdrhistogram",
];

/// Rows of a scenario and class that do the same work.
#[derive(Clone, Copy, Debug)]
pub struct Work<'r> {
    rows: &'r [Row],
    scenario: Scenario,
    class: Class,
    participants: Option<u32>,
    variant: Option<&'r str>,
    modes: &'r [Mode],
}

impl<'r> Work<'r> {
    /// The stamped rows of a scenario in one class of distance.
    pub fn new(rows: &'r [Row], scenario: Scenario, class: Class) -> Work<'r> {
        Work { rows, scenario, class, participants: None, variant: None, modes: ANY_MODE }
    }

    /// Only with that many participants.
    #[must_use]
    pub fn to(self, participants: Option<u32>) -> Work<'r> {
        Work { participants, ..self }
    }

    /// Only that variant.
    #[must_use]
    pub fn variant(self, variant: Option<&'r str>) -> Work<'r> {
        Work { variant, ..self }
    }

    /// Only in those modes.
    #[must_use]
    pub fn by(self, modes: &'r [Mode]) -> Work<'r> {
        Work { modes, ..self }
    }

    /// The rows.
    pub fn rows(self) -> impl Iterator<Item = &'r Row> {
        self.rows.iter().filter(move |row| {
            let side = &row.side;
            side.scenario == self.scenario
                && row.class == self.class
                && row.is_stamped()
                && self.modes.contains(&side.mode)
                && self.participants.is_none_or(|participants| side.participants == participants)
                && self.variant.is_none_or(|variant| side.variant == variant)
        })
    }

    /// A contender's row in its best mode: the one of the least cost. One of too few rounds is not passed
    /// over, so that nobody is called the best, or beaten, by leaving something out.
    pub fn best(
        self,
        contender: &str,
        cost: impl Fn(&Row) -> Option<f64>,
    ) -> Option<(&'r Row, f64)> {
        self.cheapest(|row| row.side.contender == contender, cost)
    }

    /// The best row of all contenders in a role.
    pub fn best_of(self, role: Role, cost: impl Fn(&Row) -> Option<f64>) -> Option<(&'r Row, f64)> {
        self.cheapest(|row| Role::of(row.side.contender) == role, cost)
    }

    fn cheapest(
        self,
        counts: impl Fn(&Row) -> bool,
        cost: impl Fn(&Row) -> Option<f64>,
    ) -> Option<(&'r Row, f64)> {
        self.rows()
            .filter(|row| counts(row))
            .filter_map(|row| Some((row, cost(row)?)))
            .min_by(|one, other| one.1.total_cmp(&other.1))
    }
}
