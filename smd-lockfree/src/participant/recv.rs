//! Receiving as a future, on any executor.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::error::RecvError;
use crate::message::Message;

use super::{Participant, Ready};

/// The future of [`Participant::recv`]. Cancel safe: dropped before it is ready, it has received
/// nothing.
///
/// ```
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop {
/// #         if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
/// #             return output;
/// #         }
/// #     }
/// # }
/// use smd_lockfree::{Bus, Class};
///
/// let bus = Bus::new();
/// let mut all = bus.register(Class::ALL)?;
/// bus.send(Class::USER0, b"hello")?;
/// block_on(async {
///     assert_eq!(all.recv().await?.bytes(), b"hello");
///     Ok::<(), smd_lockfree::RecvError>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Recv<'p> {
    participant: Option<&'p mut Participant>,
}

impl<'p> Recv<'p> {
    pub(crate) fn new(participant: &'p mut Participant) -> Recv<'p> {
        Recv { participant: Some(participant) }
    }
}

impl Participant {
    /// A receive for a task: registers its waker where there is nothing.
    pub(crate) fn poll_advance(&mut self, waker: &Waker) -> Poll<Result<Ready, RecvError>> {
        self.record.waiter.stop();
        loop {
            match self.advance(u64::MAX) {
                Err(RecvError::Empty) => {}
                other => return Poll::Ready(other),
            }
            if self.prepare(|waiter| waiter.arm_waker(waker)) {
                return Poll::Pending;
            }
        }
    }
}

impl<'p> Future for Recv<'p> {
    type Output = Result<Message<'p>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(participant) = self.participant.as_mut() else {
            panic!("a finished receive was polled again");
        };
        let Poll::Ready(ready) = participant.poll_advance(context.waker()) else {
            return Poll::Pending;
        };
        participant.restore_descriptor(ready.is_ok());
        Poll::Ready(match (ready, self.participant.take()) {
            (Ok(ready), Some(participant)) => Ok(participant.message(ready)),
            (Err(error), _) => Err(error),
            (Ok(_), None) => unreachable!("the participant was there just now"),
        })
    }
}

impl Drop for Recv<'_> {
    fn drop(&mut self) {
        if let Some(participant) = &mut self.participant {
            participant.record.waiter.stop();
            participant.restore_descriptor(false);
        }
    }
}

impl fmt::Debug for Recv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").field("participant", &self.participant).finish()
    }
}
