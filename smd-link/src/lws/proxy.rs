//! The proxy's side of one connection: a libwebsockets client is at the other end.
//!
//! ```text
//!            aa "_lws_smd"                       ad -> Message or Dropped
//!   Awaiting -------------> Registered --.       af b0 b1 5b ab -> Control
//!      | |                      ^        |
//!      | | aa, another name     `--------'       send -> 55
//!      | `----------------> Refused              takes nothing: ad -> Dropped
//!      |
//!      |  no aa in 3 s                           from everywhere, by a fault: an unknown type, a
//!      `----------------> ended <--------------- second aa, ae, ac, a frame that is none
//! ```
//!
//! A client that was once connected cannot come back after its connection is lost (section 5.10).
//! So a connection ends only for what the libwebsockets proxy ends it for. Where that one would be
//! harmed (section 4), this one drops the message, counts it, and says so.
//!
//! **What is sent together.** A client that registers gets its result and states 1, 6 and 5 at once
//! (section 3), then messages. One that names another stream gets the result 1 and nothing else:
//! the event [`Refused`](Event::Refused) comes first, then its frames are dropped; the client closes
//! the connection, as every libwebsockets client does, or the caller does when the output is
//! written. No time runs out (section 4.5).
//!
//! **Frames that come too early.** A client may not send before it has the result, and the
//! libwebsockets proxy closes if it sees that (section 4.2). Whether it sees it depends on what it
//! happens to read at once, so nobody relies on that close: here such frames are taken in their
//! order. Before `aa` there is no stream: `ad` and `ab` end the connection, `ae` and `ac` as ever,
//! and `af`, `b0`, `b1` and `5b` do nothing.
//!
//! **The time-out** that a client may set (`b0`) leads to state 14, once, and nothing else. The
//! policy of this stream has none: the value 0 changes nothing, neither starts one nor stops it
//! (`lws_ss_start_timeout` with `pol_smd`). If the queue is full, the state follows when it is not.

mod stream;
#[cfg(test)]
mod tests;

use super::fault::{Counts, DropReason, Fault, FaultReason, SendError};
use super::frames::kind;
use super::input::{Input, Taken};
use super::outbox::Outbox;
use super::{DEFAULT_QUEUE, FIRST_FRAME_TIMEOUT, after};
use smd_lockfree::{Class, Timestamp};
use stream::{Phase, Stream};

/// What came from the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// It has registered; from now on it is to be sent what meets its mask.
    Registered {
        /// What it wants; [`Class::NONE`] if it only sends. A libwebsockets client that sets no
        /// mask sends 0x1dcd6500 (section 3).
        mask: Class,
        /// Its process, as it says; 0 on Windows.
        pid: u32,
        /// The name of the stream: [`STREAM_NAME`](super::STREAM_NAME).
        name: &'a [u8],
    },
    /// It wants a stream that is not here, and is told so.
    Refused {
        /// Its process, as it says.
        pid: u32,
        /// The name: 1 to 31 bytes, none of them 0.
        name: &'a [u8],
    },
    /// A message.
    Message {
        /// At least one bit.
        class: Class,
        /// The header's timestamp in microseconds; libwebsockets clients leave it 0, and the proxy
        /// stamps.
        timestamp_us: u64,
        /// When the client wrote it, in microseconds of its monotonic clock.
        written_us: u64,
        /// Microseconds that it had waited at the client before that.
        waited_us: u32,
        /// At most [`MAX_PAYLOAD`](smd_lockfree::MAX_PAYLOAD) bytes.
        body: &'a [u8],
    },
    /// A message that was counted and dropped; the connection stays.
    Dropped {
        /// Why.
        why: DropReason,
        /// Where its frame begins in the stream.
        at: u64,
    },
    /// A frame without a message: obeyed if it sets the time-out, else without effect.
    Control {
        /// Its first byte.
        kind: u8,
        /// Where it begins in the stream.
        at: u64,
    },
}

/// The proxy's side of one connection. How it is driven is said at [`lws`](super).
///
/// ```
/// use smd_link::lws::proxy::{Event, Session};
/// use smd_lockfree::{Class, Timestamp};
///
/// let now = Timestamp::from_nanos(5_000_000_000);
/// let mut session = Session::new(now);
/// let mut input = &b"\xaa\0\x11\x01\0\0\x2e\x4c\0\0\0\x0e_lws_smd"[..];
/// let event = session.next(now, &mut input)?.expect("a whole frame");
/// let mask = Class::SYSTEM_STATE | Class::NETWORK | Class::METRICS;
/// assert_eq!(event, Event::Registered { mask, pid: 11852, name: b"_lws_smd" });
///
/// // The result, and states 1, 6 and 5, in one write.
/// assert_eq!(session.output().len(), 8 + 3 * 8);
/// let len = session.output().len();
/// session.written(len);
///
/// session.send(now, Class::NETWORK, 4_999_990, b"{}")?;
/// assert_eq!(session.output()[..3], [0x55, 0, 34]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    input: Input,
    stream: Stream,
}

impl Session {
    /// A connection that was accepted now, with a queue of [`DEFAULT_QUEUE`] bytes.
    pub fn new(now: Timestamp) -> Session {
        Session::with_queue(now, DEFAULT_QUEUE)
    }

    /// As [`new`](Session::new), with a queue of so many bytes: see [`Outbox::new`].
    pub fn with_queue(now: Timestamp, bytes: usize) -> Session {
        let stream = Stream {
            phase: Phase::Awaiting { until: after(now, FIRST_FRAME_TIMEOUT) },
            timer: None,
            owes_timeout: false,
            outbox: Outbox::new(bytes),
            counts: Counts::default(),
            fault: None,
        };
        Session { input: Input::new(), stream }
    }

    /// Takes `input` up to and including the next whole frame, and says what it was. `None`: all of
    /// `input` was taken, and more is needed. Allocates nothing.
    ///
    /// # Errors
    ///
    /// A [`Fault`], and the same one at each later call, without taking more.
    #[allow(clippy::should_implement_trait)] // not an iterator: it lends, and wants input
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        now: Timestamp,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'s>>, Fault> {
        self.stream.running()?;
        let result = match self.input.next(input, kind::to_proxy) {
            Ok(None) => return Ok(None),
            Ok(Some(Taken::Frame(frame))) => self.stream.frame(now, frame),
            Ok(Some(Taken::TooLong { at, kind, len })) => self.stream.too_long(at, kind, len),
            Err(error) => Err(error.into()),
        };
        match result {
            Ok(event) => Ok(Some(event)),
            Err(fault) => Err(self.stream.end(fault)),
        }
    }

    /// Queues a message for the client, stamped as written now. It costs two copies of the body and
    /// no allocation.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the message is not queued, and counted as refused.
    pub fn send(
        &mut self,
        now: Timestamp,
        class: Class,
        timestamp_us: u64,
        body: &[u8],
    ) -> Result<(), SendError> {
        let result = self.stream.send(now, class, timestamp_us, body);
        self.stream.counts.note(result)
    }

    /// When [`tick`](Session::tick) must be called at the latest.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.stream.phase {
            _ if self.stream.fault.is_some() => None,
            Phase::Awaiting { until } => Some(until),
            _ => self.stream.timer,
        }
    }

    /// Does what is due now.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if the client's first frame did not come in 3 s, or there was a fault before.
    pub fn tick(&mut self, now: Timestamp) -> Result<(), Fault> {
        let stream = &mut self.stream;
        stream.running()?;
        if let Phase::Awaiting { until } = stream.phase
            && now >= until
        {
            let why = FaultReason::Silent { after: FIRST_FRAME_TIMEOUT };
            return Err(stream.end(Fault { at: self.input.position(), why }));
        }
        if stream.timer.is_some_and(|due| now >= due) {
            stream.timer = None;
            stream.owes_timeout = true;
            stream.pay_timeout();
        }
        Ok(())
    }

    /// The client has closed its side.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if that was inside a frame, or there was one before.
    pub fn finish(&mut self) -> Result<(), Fault> {
        self.stream.running()?;
        match self.input.missing() {
            None => Ok(()),
            Some(need) => {
                let fault = Fault { at: self.input.position(), why: FaultReason::Cut { need } };
                Err(self.stream.end(fault))
            }
        }
    }

    /// What is to be written now, in one call of the system; after a fault too, before the close.
    pub fn output(&self) -> &[u8] {
        self.stream.outbox.output()
    }

    /// The first `len` bytes of the output were written.
    pub fn written(&mut self, len: usize) {
        self.stream.outbox.written(len);
        self.stream.pay_timeout();
    }

    /// The client has read everything that was written (sections 4.8 and 5.8).
    pub fn peer_read_all(&mut self) {
        self.stream.outbox.peer_read_all();
    }

    /// The queue, to look at.
    pub fn outbox(&self) -> &Outbox {
        &self.stream.outbox
    }

    /// What the client wants; `None` if it is not registered.
    pub fn mask(&self) -> Option<Class> {
        match self.stream.phase {
            Phase::Registered { mask } => Some(mask),
            _ => None,
        }
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.stream.counts
    }
}
