//! The forms of one call of the bus, and their results in the words of a history.

use super::event::{Delivery, Got, Outcome};
use super::worker::{Form, Take};
use smd_lockfree::{
    Bus, Class, FullReason, Message, Participant, RecvError, SendError, Sender, Sent, smd_format,
};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Digits of a payload that no other message carries.
const DIGITS: usize = 16;

/// A waker that remembers that it was woken.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Flag>) {
        self.0.store(true, Ordering::Release);
    }
}

pub(super) fn outcome(result: Result<Sent, SendError>) -> Outcome {
    match result {
        Ok(Sent::Queued(number)) => Outcome::Queued(number),
        Ok(Sent::Unwanted) => Outcome::Unwanted,
        Err(error) => refusal(error),
    }
}

pub(super) fn refusal(error: SendError) -> Outcome {
    match error {
        SendError::Full(FullReason::Backlog) => Outcome::Full,
        SendError::Full(_) => Outcome::Stalled,
        SendError::Closed => Outcome::Closed,
        other => panic!("a send that is in order was refused: {other:?}"),
    }
}

/// A payload of at least 16 bytes that says which message it belongs to in each of them.
pub(super) fn bytes_of(payload: u64, len: usize) -> Vec<u8> {
    let mut bytes = format!("{payload:016x}").into_bytes();
    bytes.resize(len.max(DIGITS), filler(payload));
    bytes
}

fn filler(payload: u64) -> u8 {
    b'g' + (payload % 19) as u8
}

/// The number in a payload; 0, which no message has, if any byte is wrong.
fn payload_of(bytes: &[u8]) -> u64 {
    let digits = bytes.get(..DIGITS).and_then(|digits| str::from_utf8(digits).ok());
    let payload = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
    let whole = bytes.iter().skip(DIGITS).all(|byte| *byte == filler(payload));
    if whole { payload } else { 0 }
}

fn got(message: &Message<'_>) -> Got {
    let delivery = Delivery {
        number: message.sequence(),
        class: message.class(),
        nanos: message.timestamp().nanos(),
        payload: payload_of(message.bytes()),
    };
    if message.is_retained() { Got::State(delivery) } else { Got::Message(delivery) }
}

fn nothing(error: RecvError) -> Got {
    match error {
        RecvError::Empty | RecvError::Timeout => Got::Empty,
        RecvError::Lagged(lag) => Got::Lag(lag),
        RecvError::Left => Got::Left,
        RecvError::Closed => Got::Closed,
        other => panic!("a receive that is in order was refused: {other:?}"),
    }
}

fn one(result: Result<Message<'_>, RecvError>) -> Got {
    match result {
        Ok(message) => got(&message),
        Err(error) => nothing(error),
    }
}

/// Receives; each thing that comes is shown to `see`.
pub(super) fn receive(port: &mut Participant, form: Take, mut see: impl FnMut(Got)) {
    match form {
        Take::Drain(max) => match port.drain_up_to(max, |message| see(got(&message))) {
            Ok(0) => see(Got::Empty),
            Ok(_) => {}
            Err(error) => see(nothing(error)),
        },
        Take::Try => see(one(port.try_recv())),
        Take::Timeout => see(one(port.recv_timeout(Duration::from_micros(50)))),
        Take::Blocking => see(one(port.recv_blocking())),
        Take::Spinning => see(one(port.recv_spinning())),
        Take::Poll => match pin!(port.recv()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => see(one(result)),
            Poll::Pending => see(Got::Empty),
        },
    }
}

pub(super) fn send_by_bus(
    bus: &Bus,
    form: Form,
    class: Class,
    bytes: &[u8],
) -> Result<Sent, SendError> {
    match form {
        Form::Value => bus.send_value(class, &bytes.to_vec()),
        Form::Format => smd_format!(bus, class, "{}", str::from_utf8(bytes).unwrap_or_default()),
        _ => bus.send(class, bytes),
    }
}

pub(super) fn send_by_sender(
    sender: &mut Sender,
    form: Form,
    class: Class,
    bytes: &[u8],
) -> Result<Sent, SendError> {
    match form {
        Form::Value => sender.send_value(class, &bytes.to_vec()),
        Form::Format => {
            smd_format!(sender, class, "{}", str::from_utf8(bytes).unwrap_or_default())
        }
        Form::Wait => sender.send_wait(class, bytes, Some(Duration::from_micros(100))),
        Form::Poll => {
            let send = pin!(sender.send_async(class, bytes));
            let flag = Arc::new(Flag::default());
            match send.poll(&mut Context::from_waker(&Waker::from(Arc::clone(&flag)))) {
                Poll::Ready(result) => result,
                // It waits for room, or for the end of a stall, and is given up. Behind a stall it
                // asks at once to be polled again.
                Poll::Pending if flag.0.load(Ordering::Acquire) => {
                    Err(SendError::Full(FullReason::Stalled))
                }
                Poll::Pending => Err(SendError::Full(FullReason::Backlog)),
            }
        }
        _ => sender.send(class, bytes),
    }
}
