//! What a proxy's frames do to the stream, and what is sent on it.

use super::Event;
use crate::lws::State;
use crate::lws::fault::{Counts, DropReason, Fault, FaultReason, SendError};
use crate::lws::frames::{ConnState, CreateResult, FrameErrorReason, ToClient, ToProxy, kind};
use crate::lws::input::MAX_FRAME_BODY;
use crate::lws::message::{self, Opened};
use crate::lws::outbox::Outbox;
use smd_lockfree::wire::{Frame, MAX_MESSAGE};
use smd_lockfree::{Class, Timestamp};

/// All but the decoder, so that a frame can be lent while this changes.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) phase: Phase,
    /// The last state that counts.
    pub(super) last: State,
    pub(super) outbox: Outbox,
    pub(super) counts: Counts,
    pub(super) fault: Option<Fault>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    AwaitingResult { until: Timestamp },
    Linked { asked: bool },
    Connected,
}

impl Stream {
    pub(super) fn running(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }

    pub(super) fn end(&mut self, fault: Fault) -> Fault {
        self.fault = Some(fault);
        fault
    }

    pub(super) fn frame<'f>(&mut self, frame: Frame<'f>) -> Result<Event<'f>, Fault> {
        let Frame { at, kind, .. } = frame;
        match ToClient::decode(frame)? {
            ToClient::CreateResult(result) => self.result(at, result),
            ToClient::RxPayload(payload) => {
                self.created(at, kind)?;
                Ok(match message::open(payload.message) {
                    Ok(Opened { class, timestamp_us, body }) => {
                        self.counts.received += 1;
                        Event::Message { class, timestamp_us, written_us: payload.time_us, body }
                    }
                    Err(why) => self.dropped(at, why),
                })
            }
            ToClient::ConnState(told) => {
                self.created(at, kind)?;
                self.state(at, told)
            }
            ToClient::TxCredit(_) | ToClient::Metadata(_) | ToClient::Perf(_) => {
                Ok(self.skip(at, kind))
            }
        }
    }

    /// A frame of more bytes than were kept.
    pub(super) fn too_long(
        &mut self,
        at: u64,
        kind: u8,
        len: usize,
    ) -> Result<Event<'static>, Fault> {
        match kind {
            kind::RX_PAYLOAD => {
                self.created(at, kind)?;
                Ok(self.dropped(at, message::too_long_frame(len)))
            }
            kind::CREATE_RESULT => {
                let (min, max) = (5, MAX_FRAME_BODY);
                let why = FrameErrorReason::Length { len, min, max };
                Err(Fault { at, why: FaultReason::Frame { kind, why } })
            }
            _ => Ok(self.skip(at, kind)),
        }
    }

    fn result<'f>(&mut self, at: u64, result: CreateResult<'f>) -> Result<Event<'f>, Fault> {
        let Phase::AwaitingResult { .. } = self.phase else {
            return Err(Fault { at, why: FaultReason::Twice { kind: kind::CREATE_RESULT } });
        };
        let CreateResult { result, client_buffer, rideshares } = result;
        if result != 0 {
            return Err(Fault { at, why: FaultReason::Refused { result } });
        }
        self.phase = Phase::Linked { asked: false };
        Ok(Event::Created { client_buffer, rideshares })
    }

    fn state(&mut self, at: u64, told: ConnState) -> Result<Event<'static>, Fault> {
        let ConnState { state, ordinal, .. } = told;
        if state.is_user() {
            return Ok(Event::State { state, ordinal });
        }
        // The result has said already that the stream was made.
        let again =
            state == State::CREATING || state == State::CONNECTED && self.phase == Phase::Connected;
        if again || !state.is_known() {
            return Ok(self.skip(at, kind::CONN_STATE));
        }
        if !state.may_follow(Some(self.last)) {
            let why = FaultReason::Transition { from: self.last, to: state };
            return Err(Fault { at, why });
        }
        self.last = state;
        self.phase = match state {
            State::CONNECTED => Phase::Connected,
            State::DISCONNECTED | State::UNREACHABLE | State::AUTH_FAILED | State::DESTROYING => {
                Phase::Linked { asked: false }
            }
            _ => self.phase,
        };
        Ok(Event::State { state, ordinal })
    }

    /// For what may not come before the result.
    fn created(&self, at: u64, kind: u8) -> Result<(), Fault> {
        match self.phase {
            Phase::AwaitingResult { .. } => Err(Fault { at, why: FaultReason::TooEarly { kind } }),
            _ => Ok(()),
        }
    }

    fn dropped(&mut self, at: u64, why: DropReason) -> Event<'static> {
        self.counts.dropped += 1;
        Event::Dropped { why, at }
    }

    fn skip(&mut self, at: u64, kind: u8) -> Event<'static> {
        self.counts.control += 1;
        Event::Skipped { kind, at }
    }

    pub(super) fn send(
        &mut self,
        now: Timestamp,
        class: Class,
        body: &[u8],
    ) -> Result<(), SendError> {
        if self.fault.is_some() {
            return Err(SendError::Ended);
        }
        let Phase::Connected = self.phase else { return Err(SendError::NotOpen) };
        let mut out = [0; MAX_MESSAGE];
        let message = message::pack(&mut out, class, 0, body)?;
        let frame = ToProxy::TxPayload(message::payload(now.micros(), message));
        self.outbox.push_frame(&frame).map_err(SendError::Queue)
    }
}
