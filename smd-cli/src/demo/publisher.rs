//! What the producers publish through: a `Sender` that counts, by class, how its sends ended.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use smd_lockfree::{Bus, Class, Outgoing, Retained, SendError, Sender, Sent};

use super::Stage;

/// The classes that the demo publishes, in the order of its report.
pub(crate) const CLASSES: [Class; 6] =
    [Class::SYSTEM_STATE, Class::NETWORK, Class::METRICS, LINES, LOAD, SELF_REPORT];

/// Lines from standard input.
pub(crate) const LINES: Class = Class::USER0;

/// The load generator's messages.
pub(crate) const LOAD: Class = Class::USER1;

/// What the load generator would say about itself. No participant wants this class, so nothing is
/// ever formatted or allocated for it: it costs one load, and shows as unwanted.
pub(crate) const SELF_REPORT: Class = Class::USER2;

/// How long an event or a state waits for room on the bus; the load does not wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a state waits before it is tried again.
const RETRY: Duration = Duration::from_millis(2);

/// How the sends of one class ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Accepted by the bus, with a number in its order.
    pub(crate) sent: u64,
    /// Nobody wanted the class.
    pub(crate) unwanted: u64,
    /// Full, too long or closed.
    pub(crate) refused: u64,
}

#[derive(Debug, Default)]
struct Row {
    sent: AtomicU64,
    unwanted: AtomicU64,
    refused: AtomicU64,
}

/// The counts of all publishers, a row for each class bit.
#[derive(Debug, Default)]
pub(crate) struct Ledger([Row; 32]);

impl Ledger {
    /// What was counted for a class of one bit.
    pub(crate) fn counts(&self, class: Class) -> Counts {
        let row = self.row(class);
        // RELAXED: statistics; the report reads them after joining the threads that wrote them.
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts { sent: read(&row.sent), unwanted: read(&row.unwanted), refused: read(&row.refused) }
    }

    fn add(&self, class: Class, counts: Counts) {
        let row = self.row(class);
        // RELAXED: statistics; see `counts`.
        row.sent.fetch_add(counts.sent, Ordering::Relaxed);
        row.unwanted.fetch_add(counts.unwanted, Ordering::Relaxed);
        row.refused.fetch_add(counts.refused, Ordering::Relaxed);
    }

    fn row(&self, class: Class) -> &Row {
        // The low five bits of the bit's number; an empty class would find row 0.
        &self.0[(class.bits().trailing_zeros() % 32) as usize]
    }
}

/// One producer's way onto the bus.
#[derive(Debug)]
pub(crate) struct Publisher {
    bus: Bus,
    sender: Sender,
    ledger: Arc<Ledger>,
}

impl Publisher {
    /// A publisher that counts in the stage's ledger.
    pub(crate) fn new(stage: &Stage) -> Publisher {
        Publisher {
            bus: stage.bus.clone(),
            sender: stage.bus.sender(),
            ledger: Arc::clone(&stage.ledger),
        }
    }

    /// The bus, for what only it can do.
    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// The bus's, already counted; so are those of the methods below.
    pub(crate) fn send(&self, class: Class, payload: &[u8]) -> Result<Sent, SendError> {
        self.count(class, self.sender.send(class, payload))
    }

    /// Sends bytes, waiting for room as long as [`PATIENCE`].
    pub(crate) fn send_wait(&self, class: Class, payload: &[u8]) -> Result<Sent, SendError> {
        self.count(class, self.sender.send_wait(class, payload, Some(PATIENCE)))
    }

    /// Sends text that is formatted only when somebody wants it.
    pub(crate) fn send_fmt(
        &self,
        class: Class,
        text: fmt::Arguments<'_>,
    ) -> Result<Sent, SendError> {
        self.count(class, self.sender.send_fmt(class, text))
    }

    /// Sends bytes and keeps them as the state that late joiners are handed. State matters more
    /// than the moment, so a full participant is given as long as [`PATIENCE`] to make room.
    pub(crate) fn send_state(&self, state: &Retained, payload: &[u8]) -> Result<Sent, SendError> {
        let started = Instant::now();
        let mut outcome = state.send(payload);
        while matches!(outcome, Err(SendError::Full(_))) && started.elapsed() < PATIENCE {
            thread::sleep(RETRY);
            outcome = state.send(payload);
        }
        self.count(state.class(), outcome)
    }

    /// Sends several messages of one class with one claim. What a full participant turned away is
    /// counted as refused, together with the rest of the batch that was not tried any more.
    pub(crate) fn send_batch(&self, class: Class, messages: &[Outgoing<'_>]) {
        let (done, sent) = match self.sender.send_batch(messages) {
            Ok(sent) => (messages.len(), sent),
            Err(error) => (error.done, error.sent),
        };
        let counts = Counts {
            sent: sent.queued as u64,
            unwanted: sent.unwanted as u64,
            refused: (messages.len() - done) as u64,
        };
        self.ledger.add(class, counts);
    }

    fn count(&self, class: Class, outcome: Result<Sent, SendError>) -> Result<Sent, SendError> {
        let one = match outcome {
            Ok(Sent::Queued(_)) => Counts { sent: 1, ..Counts::default() },
            Ok(Sent::Unwanted) => Counts { unwanted: 1, ..Counts::default() },
            Err(_) => Counts { refused: 1, ..Counts::default() },
        };
        self.ledger.add(class, one);
        outcome
    }
}
