//! The client's side of one connection: a libwebsockets proxy is at the other end.
//!
//! ```text
//!   (aa is queued)      56 result 0                 57 state 5
//!   AwaitingResult ------------------> Linked ----------------------> Connected -- send -> ad
//!      |      |                        |   ^       57 state 2, 3, 4      |
//!      |      | 56 result not 0        |   `-----------------------------'
//!      |      |                        `-- connect -> ab
//!      |      `-----> ended   <------- an unknown type, a second 56, a state that may not follow
//!      `-- no 56 in 3 s: ended
//! ```
//!
//! Nothing is written behind `aa` before the result, no message before the proxy says that the
//! stream is connected, and nothing at all on a stream that was refused: by that the libwebsockets
//! proxy would close, or crash (sections 4.2 and 4.5). Bodies over [`MAX_BODY`](super::MAX_BODY)
//! bytes are refused here, as they would stop that proxy for ever (section 4.6).
//!
//! **States.** Those of sections 2 and 5.4. State 1 after the result and state 5 while connected are
//! skipped, as the libwebsockets client does, and so are numbers that nobody knows. A known state
//! that may not follow the one before it ends the connection.
//!
//! **Pace.** The proxy forwards one message of a connection at a time, and drops what its queue of 40
//! does not hold without a word (section 4.9). Who must not lose puts numbers into the bodies.

mod stream;
#[cfg(test)]
mod tests;

use super::fault::{Counts, DropReason, Fault, FaultReason, SendError};
use super::frames::{StreamType, ToProxy, kind};
use super::input::{Input, Taken};
use super::outbox::Outbox;
use super::state::State;
use super::{DEFAULT_QUEUE, FIRST_FRAME_TIMEOUT, STREAM_NAME, after};
use core::time::Duration;
use smd_lockfree::{Class, Timestamp};
use stream::{Phase, Stream};

/// How long a client waits before it connects again.
pub const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// When to connect again, after a connection that ended or could not be made.
///
/// It is the same for every end, and for ever: the protocol has no answer that means "do not come
/// again", a stream that is refused now may be there after a restart of the proxy, and libwebsockets
/// clients do the same (section 5.1).
pub fn reconnect_at(ended: Timestamp) -> Timestamp {
    after(ended, RECONNECT_AFTER)
}

/// What came from the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The stream was made. Messages may come from now on, and be sent when it is connected.
    Created {
        /// Bytes of buffer that the proxy advises; 0 for 32768.
        client_buffer: u32,
        /// Names of further streams; `,(null)` from a libwebsockets proxy, and without a meaning.
        rideshares: &'a [u8],
    },
    /// A new state.
    State {
        /// The state.
        state: State,
        /// A number of its own.
        ordinal: u32,
    },
    /// A message.
    Message {
        /// At least one bit.
        class: Class,
        /// When the proxy made it, in microseconds of its monotonic clock.
        timestamp_us: u64,
        /// When the proxy wrote it, likewise.
        written_us: u64,
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
    /// A frame without a message that is harmless, or a state that says nothing new: skipped.
    Skipped {
        /// Its first byte.
        kind: u8,
        /// Where it begins in the stream.
        at: u64,
    },
}

/// The client's side of one connection. How it is driven is said at [`lws`](super).
///
/// ```
/// use smd_link::lws::client::{Event, Session};
/// use smd_lockfree::{Class, Timestamp};
///
/// let now = Timestamp::from_nanos(5_000_000_000);
/// let mut session = Session::new(now, 11852, Class::NETWORK);
/// assert_eq!(session.output(), b"\xaa\0\x11\x01\0\0\x2e\x4c\0\0\0\x04_lws_smd");
/// session.written(20);
/// session.send(now, Class::NETWORK, b"{}").expect_err("not yet");
///
/// let proxy = b"\x56\0\x05\0\0\0\0\0\x57\0\x05\x06\0\0\0\0\x57\0\x05\x05\0\0\0\0";
/// let mut input = &proxy[..];
/// while let Some(event) = session.next(now, &mut input)? {
///     println!("{event:?}");
/// }
/// assert!(session.is_connected());
/// session.send(now, Class::NETWORK, b"{}")?;
/// assert_eq!(session.output()[..3], [0xad, 0, 34]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    input: Input,
    stream: Stream,
}

impl Session {
    /// A connection that was made now, with a queue of [`DEFAULT_QUEUE`] bytes. `pid` is for
    /// information; a `mask` of [`Class::NONE`] is that of a client which only sends, and cannot be
    /// changed later.
    pub fn new(now: Timestamp, pid: u32, mask: Class) -> Session {
        Session::with_queue(now, pid, mask, DEFAULT_QUEUE)
    }

    /// As [`new`](Session::new), with a queue of so many bytes: see [`Outbox::new`].
    pub fn with_queue(now: Timestamp, pid: u32, mask: Class, bytes: usize) -> Session {
        let mut outbox = Outbox::new(bytes);
        let hello = StreamType { pid, mask: mask.bits(), name: STREAM_NAME };
        // The queue is empty yet, and longer than this.
        let pushed = outbox.push_frame(&ToProxy::StreamType(hello));
        let fault = pushed.err().map(|error| Fault { at: 0, why: FaultReason::Output(error) });
        let stream = Stream {
            phase: Phase::AwaitingResult { until: after(now, FIRST_FRAME_TIMEOUT) },
            last: State::CREATING,
            outbox,
            counts: Counts::default(),
            fault,
        };
        Session { input: Input::new(), stream }
    }

    /// Takes `input` up to and including the next whole frame, and says what it was. `None`: all of
    /// `input` was taken, and more is needed. Allocates nothing. The time is not used: nothing that
    /// comes from a proxy starts a clock.
    ///
    /// # Errors
    ///
    /// A [`Fault`], and the same one at each later call, without taking more.
    #[allow(clippy::should_implement_trait)] // not an iterator: it lends, and wants input
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        _now: Timestamp,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'s>>, Fault> {
        self.stream.running()?;
        let result = match self.input.next(input, kind::to_client) {
            Ok(None) => return Ok(None),
            Ok(Some(Taken::Frame(frame))) => self.stream.frame(frame),
            Ok(Some(Taken::TooLong { at, kind, len })) => self.stream.too_long(at, kind, len),
            Err(error) => Err(error.into()),
        };
        match result {
            Ok(event) => Ok(Some(event)),
            Err(fault) => Err(self.stream.end(fault)),
        }
    }

    /// Queues a message for the proxy, stamped as written now. It costs two copies of the body and
    /// no allocation. The proxy makes the message's own timestamp.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the message is not queued, and counted as refused.
    pub fn send(&mut self, now: Timestamp, class: Class, body: &[u8]) -> Result<(), SendError> {
        let result = self.stream.send(now, class, body);
        self.stream.counts.note(result)
    }

    /// Asks the proxy for a connected stream (`ab`), once for each time that there is none. A
    /// libwebsockets proxy connects this stream without being asked; it is of use after state 2, 3
    /// or 4. What was queued before such a state is still written: the proxy takes it (section 4.2).
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`] before the result, [`SendError::Ended`] after a fault,
    /// [`SendError::Queue`] without room.
    pub fn connect(&mut self) -> Result<(), SendError> {
        let stream = &mut self.stream;
        match stream.phase {
            _ if stream.fault.is_some() => Err(SendError::Ended),
            Phase::AwaitingResult { .. } => Err(SendError::NotOpen),
            Phase::Connected | Phase::Linked { asked: true } => Ok(()),
            Phase::Linked { asked: false } => {
                stream.outbox.push_frame(&ToProxy::OnwardConnect).map_err(SendError::Queue)?;
                stream.phase = Phase::Linked { asked: true };
                Ok(())
            }
        }
    }

    /// When [`tick`](Session::tick) must be called at the latest.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.stream.phase {
            Phase::AwaitingResult { until } if self.stream.fault.is_none() => Some(until),
            _ => None,
        }
    }

    /// Does what is due now.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if the proxy's result did not come in 3 s, or there was a fault before.
    pub fn tick(&mut self, now: Timestamp) -> Result<(), Fault> {
        self.stream.running()?;
        if let Phase::AwaitingResult { until } = self.stream.phase
            && now >= until
        {
            let why = FaultReason::Silent { after: FIRST_FRAME_TIMEOUT };
            return Err(self.stream.end(Fault { at: self.input.position(), why }));
        }
        Ok(())
    }

    /// The proxy has closed its side; it does so when it exits, without a word (section 3).
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

    /// What is to be written now, in one call of the system. After a fault it need not be.
    pub fn output(&self) -> &[u8] {
        self.stream.outbox.output()
    }

    /// The first `len` bytes of the output were written.
    pub fn written(&mut self, len: usize) {
        self.stream.outbox.written(len);
    }

    /// The proxy has read everything that was written (section 4.8).
    pub fn peer_read_all(&mut self) {
        self.stream.outbox.peer_read_all();
    }

    /// The queue, to look at.
    pub fn outbox(&self) -> &Outbox {
        &self.stream.outbox
    }

    /// Whether messages may be sent.
    pub fn is_connected(&self) -> bool {
        self.stream.fault.is_none() && self.stream.phase == Phase::Connected
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.stream.counts
    }
}
