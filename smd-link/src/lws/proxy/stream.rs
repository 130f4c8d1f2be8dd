//! What a client's frames do to its stream, and what is sent on it.

use super::Event;
use crate::lws::fault::{Counts, DropReason, Fault, FaultReason, SendError};
use crate::lws::frames::{
    ConnState, CreateResult, StreamType, TimeoutUpdate, ToClient, ToProxy, kind,
};
use crate::lws::message::{self, Opened};
use crate::lws::outbox::{Outbox, PushError};
use crate::lws::{STREAM_NAME, State, after};
use core::time::Duration;
use smd_lockfree::wire::{Frame, MAX_MESSAGE};
use smd_lockfree::{Class, Timestamp};

/// All but the decoder, so that a frame can be lent while this changes.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) phase: Phase,
    /// When state 14 is due.
    pub(super) timer: Option<Timestamp>,
    /// State 14 waits for room.
    pub(super) owes_timeout: bool,
    pub(super) outbox: Outbox,
    pub(super) counts: Counts,
    pub(super) fault: Option<Fault>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Awaiting { until: Timestamp },
    Registered { mask: Class },
    Refused,
}

impl Stream {
    pub(super) fn running(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }

    pub(super) fn end(&mut self, fault: Fault) -> Fault {
        self.fault = Some(fault);
        fault
    }

    pub(super) fn frame<'f>(
        &mut self,
        now: Timestamp,
        frame: Frame<'f>,
    ) -> Result<Event<'f>, Fault> {
        let Frame { at, kind, .. } = frame;
        match ToProxy::decode(frame)? {
            ToProxy::StreamType(hello) => return self.hello(at, hello),
            ToProxy::TxPayload(payload) => {
                self.opened(at, kind)?;
                return Ok(match self.take(payload.message) {
                    Ok(Opened { class, timestamp_us, body }) => Event::Message {
                        class,
                        timestamp_us,
                        written_us: payload.time_us,
                        waited_us: payload.waited_us,
                        body,
                    },
                    Err(why) => Event::Dropped { why, at },
                });
            }
            // States 6 and 5 were sent with the result: nothing is left to answer (section 5.3).
            ToProxy::OnwardConnect => self.opened(at, kind)?,
            ToProxy::Destroying => return Err(Fault { at, why: FaultReason::Goodbye }),
            ToProxy::Metadata(_) => return Err(Fault { at, why: FaultReason::NotHere { kind } }),
            ToProxy::Timeout(update) => self.set_timer(now, update),
            ToProxy::TxCredit(_) | ToProxy::LengthHint(_) | ToProxy::Perf(_) => {}
        }
        Ok(self.control(at, kind))
    }

    /// A frame of more bytes than were kept.
    pub(super) fn too_long(
        &mut self,
        at: u64,
        kind: u8,
        len: usize,
    ) -> Result<Event<'static>, Fault> {
        match kind {
            kind::TX_PAYLOAD => {
                self.opened(at, kind)?;
                self.counts.dropped += 1;
                let why = match self.phase {
                    Phase::Refused => DropReason::Refused,
                    _ => message::too_long_frame(len),
                };
                Ok(Event::Dropped { why, at })
            }
            kind::PERF => Ok(self.control(at, kind)),
            // Metadata is all that is left.
            _ => Err(Fault { at, why: FaultReason::NotHere { kind } }),
        }
    }

    fn hello<'f>(&mut self, at: u64, hello: StreamType<'f>) -> Result<Event<'f>, Fault> {
        let Phase::Awaiting { .. } = self.phase else {
            return Err(Fault { at, why: FaultReason::Twice { kind: kind::STREAM_TYPE } });
        };
        let StreamType { pid, mask, name } = hello;
        let known = name == STREAM_NAME;
        // The queue is empty yet, and longer than this.
        self.answer(known).map_err(|error| Fault { at, why: FaultReason::Output(error) })?;
        if !known {
            self.phase = Phase::Refused;
            return Ok(Event::Refused { pid, name });
        }
        let mask = Class::from_bits(mask);
        self.phase = Phase::Registered { mask };
        Ok(Event::Registered { mask, pid, name })
    }

    /// Sections 5.1 and 5.2: the result, and without state 6 the client would not survive state 5.
    fn answer(&mut self, known: bool) -> Result<(), PushError> {
        let result = u8::from(!known);
        let result = CreateResult { result, client_buffer: 0, rideshares: &[] };
        self.outbox.push_frame(&ToClient::CreateResult(result))?;
        if known {
            for state in [State::CREATING, State::CONNECTING, State::CONNECTED] {
                self.outbox.push_frame(&ToClient::ConnState(ConnState::new(state)))?;
            }
        }
        Ok(())
    }

    /// For what needs a stream.
    fn opened(&self, at: u64, kind: u8) -> Result<(), Fault> {
        match self.phase {
            Phase::Awaiting { .. } => Err(Fault { at, why: FaultReason::TooEarly { kind } }),
            _ => Ok(()),
        }
    }

    fn take<'f>(&mut self, message: &'f [u8]) -> Result<Opened<'f>, DropReason> {
        let result = match self.phase {
            Phase::Refused => Err(DropReason::Refused),
            _ => message::open(message),
        };
        match result {
            Ok(_) => self.counts.received += 1,
            Err(_) => self.counts.dropped += 1,
        }
        result
    }

    fn control(&mut self, at: u64, kind: u8) -> Event<'static> {
        self.counts.control += 1;
        Event::Control { kind, at }
    }

    fn set_timer(&mut self, now: Timestamp, update: TimeoutUpdate) {
        let Phase::Registered { .. } = self.phase else { return };
        match update {
            TimeoutUpdate::Policy => {}
            TimeoutUpdate::Cancel => self.timer = None,
            TimeoutUpdate::Start(milliseconds) => {
                self.timer = Some(after(now, Duration::from_millis(milliseconds.into())));
            }
        }
    }

    /// Queues state 14 if it is due and there is room. One that waits stands for all that are due:
    /// the client can only count them.
    pub(super) fn pay_timeout(&mut self) {
        if self.owes_timeout {
            let state = ToClient::ConnState(ConnState::new(State::TIMEOUT));
            self.owes_timeout = self.outbox.push_frame(&state).is_err();
        }
    }

    pub(super) fn send(
        &mut self,
        now: Timestamp,
        class: Class,
        timestamp_us: u64,
        body: &[u8],
    ) -> Result<(), SendError> {
        if self.fault.is_some() {
            return Err(SendError::Ended);
        }
        let Phase::Registered { mask } = self.phase else { return Err(SendError::NotOpen) };
        let mut out = [0; MAX_MESSAGE];
        let message = message::pack(&mut out, class, timestamp_us, body)?;
        if !class.intersects(mask) {
            return Err(SendError::Unwanted { class, mask });
        }
        let frame = ToClient::RxPayload(message::payload(now.micros(), message));
        self.outbox.push_frame(&frame).map_err(SendError::Queue)
    }
}
