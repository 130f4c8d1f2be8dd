//! Receiving as a stream of kept messages.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::error::RecvError;
use crate::message::Kept;

use super::Participant;

/// A stream of kept messages and lag reports, from [`Participant::into_stream`]. It ends when the
/// participant has left or the bus is closed and drained; in a forked child behind the error that says
/// so.
///
/// ```
/// use std::pin::Pin;
/// use std::task::{Context, Poll, Waker};
/// use futures_core::Stream;
/// use smd_lockfree::{Bus, Class};
///
/// let bus = Bus::new();
/// let mut messages = bus.register(Class::ALL)?.into_stream();
/// bus.send(Class::USER0, b"hello")?;
/// bus.close();
/// // An executor does this; `StreamExt::next` of `futures` is the usual way to ask.
/// let mut next = || {
///     let mut context = Context::from_waker(Waker::noop());
///     Pin::new(&mut messages).poll_next(&mut context)
/// };
/// assert!(matches!(next(), Poll::Ready(Some(Ok(kept))) if kept.bytes() == b"hello"));
/// assert!(matches!(next(), Poll::Ready(None)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Messages {
    participant: Participant,
    ended: bool,
}

impl Participant {
    /// Turns the participant into a stream. Each item is kept, which costs a refcount; see
    /// [`Message::keep`](crate::Message::keep) for what it holds.
    pub fn into_stream(self) -> Messages {
        Messages { participant: self, ended: false }
    }
}

impl Messages {
    /// The participant behind it.
    pub fn participant(&mut self) -> &mut Participant {
        &mut self.participant
    }

    /// Back to the participant.
    pub fn into_participant(self) -> Participant {
        self.participant
    }
}

impl Stream for Messages {
    type Item = Result<Kept, RecvError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        match this.participant.poll_advance(context.waker()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(ready)) => Poll::Ready(Some(Ok(this.participant.message(ready).keep()))),
            Poll::Ready(Err(RecvError::Left | RecvError::Closed)) => {
                this.ended = true;
                Poll::Ready(None)
            }
            Poll::Ready(Err(error)) => {
                this.ended = error == RecvError::Forked;
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

impl FusedStream for Messages {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}
