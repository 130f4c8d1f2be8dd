//! An async participant that joins late: it is handed the state that it missed, then goes on live.
//!
//! Receiving is a future that needs no runtime; this executor is a loop that parks its thread.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use smd_lockfree::{Class, Policy};

use super::{Outcome, Profile, Running, Seat, is_the_end, spawn};
use crate::demo::Stage;

/// Registers the participant and starts its thread.
///
/// # Errors
///
/// When the registration or the thread is refused.
pub(crate) fn start(stage: &Stage) -> Result<Running, Box<dyn Error>> {
    let mask = Class::SYSTEM_STATE | Class::NETWORK | Class::METRICS;
    let profile = Profile::new("late", mask, Policy::Backpressure, "async");
    let seat = Seat::take(stage, profile, None)?;
    Ok(spawn("late", move || block_on(serve(seat)))?)
}

async fn serve(mut seat: Seat) -> Vec<Outcome> {
    loop {
        match seat.participant.recv().await {
            Ok(message) => seat.latency.measure(seat.bus.clock(), &message),
            Err(error) if is_the_end(&error) => return seat.leave(),
            Err(_) => {}
        }
    }
}

/// Runs a future on this thread, parked while it waits.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// Wakes by unparking; a wake that comes before the park lets that return at once.
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_waits_is_polled_again_when_woken() {
        let mut polls = 0;
        let value = block_on(std::future::poll_fn(|context| {
            polls += 1;
            if polls < 3 {
                let waker = context.waker().clone();
                thread::spawn(move || waker.wake());
                return Poll::Pending;
            }
            Poll::Ready(polls)
        }));
        assert_eq!(value, 3);
    }
}
