//! Figures: summed up when they are asked for, so that the hot path shares nothing for them.

/// Figures of a bus, from [`Bus::stats`](crate::Bus::stats): since it was built where nothing else is
/// said. Read while others go on, so two figures may be of two moments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct BusStats {
    /// Messages accepted into the order.
    pub sent: u64,
    /// Sends that nobody wanted.
    pub unwanted: u64,
    /// Sends that came to the log and were refused there: full, stalled or closed. Not those that
    /// were refused before, for an empty class or too long a payload.
    pub refused: u64,
    /// Deliveries, of all participants: one message to three of them counts three.
    pub delivered: u64,
    /// Messages that expired before a participant received them.
    pub expired: u64,
    /// Messages lost to participants with policy lag.
    pub lagged: u64,
    /// Sleepers woken.
    pub wakes: u64,
    /// Participants registered now.
    pub participants: u64,
    /// Senders now, with one for each thread that used `Bus::send`.
    pub senders: u64,
    /// Segments in the window now.
    pub segments_live: u64,
    /// Free segments and small frames in the pool now; see [`Bus::trim`](crate::Bus::trim).
    pub segments_pooled: u64,
    /// Memory of all segments and small frames, free ones too, and of the rings, in bytes; see
    /// [memory](crate#memory).
    pub memory_bytes: u64,
    /// Retained entries now.
    pub retained: u64,
}

/// Figures of a participant, from [`Participant::stats`](crate::Participant::stats).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ParticipantStats {
    /// Messages received.
    pub delivered: u64,
    /// Messages that expired before they were received.
    pub expired: u64,
    /// Messages lost because the backlog was full (policy lag).
    pub lagged: u64,
    /// How often it was woken; callbacks of one event loop are woken together.
    pub wakes: u64,
    /// Its backlog now, in messages, counted for this call: the cost grows with the backlog.
    pub depth_now: u64,
    /// The highest backlog that anybody counted: a full sender, a hand-over, a drain, this call.
    pub depth_max: u64,
}

/// Figures of a sender, from [`Sender::stats`](crate::Sender::stats).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct SenderStats {
    /// Messages accepted.
    pub sent: u64,
    /// Sends that nobody wanted.
    pub unwanted: u64,
    /// Sends refused.
    pub refused: u64,
}
