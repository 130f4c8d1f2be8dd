//! Each way in which a participant of the bus can sleep.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use smd_lockfree::{Bus, Clock, Message, Participant, Sender, Sent};

use super::{Log, Sleeper};
use crate::payload::{LEN, fill};
use crate::peers::{CLASS, Peer, Smd};

/// One way to sleep.
pub trait Way: 'static {
    /// Its name.
    const NAME: &'static str;
    /// What the receiving thread holds.
    type Receiver: Send;

    /// From a participant.
    ///
    /// # Errors
    /// What the system says.
    fn enter(participant: Participant) -> Result<Self::Receiver, String>;

    /// Sleeps until something is there; may receive it.
    ///
    /// # Errors
    /// What the bus or the system says.
    fn sleep(receiver: &mut Self::Receiver, log: &mut Log<'_>) -> Result<(), String>;

    /// The participant in it.
    fn participant(receiver: &mut Self::Receiver) -> &mut Participant;
}

/// The bus, with a participant that sleeps in this way.
#[derive(Debug)]
pub struct SmdBy<W>(PhantomData<W>);

/// The sending half.
#[derive(Debug)]
pub struct Half {
    sender: Sender,
    bus: Bus,
}

impl<W: Way> Sleeper for SmdBy<W> {
    const NAME: &'static str = Smd::NAME;
    const VARIANT: &'static str = W::NAME;
    type Sender = Half;
    type Receiver = W::Receiver;

    fn open(clock: &Clock) -> Result<(Half, W::Receiver), String> {
        let bus = Bus::builder().clock(clock.clone()).build().map_err(text)?;
        let receiver = W::enter(bus.register(CLASS).map_err(text)?)?;
        Ok((Half { sender: bus.sender(), bus }, receiver))
    }

    #[inline]
    fn send(half: &mut Half, _: &Clock, n: u64) -> Result<(), String> {
        let mut payload = [0; LEN];
        fill(&mut payload, n);
        match half.sender.send(CLASS, &payload) {
            Ok(Sent::Queued(_)) => Ok(()),
            other => Err(format!("message {n}: {other:?}")),
        }
    }

    #[inline]
    fn receive(receiver: &mut W::Receiver, log: &mut Log<'_>) -> Result<(), String> {
        let drained = W::participant(receiver).drain(|message| show(&message, log));
        if drained.map_err(text)? == 0 {
            log.waits += 1;
            W::sleep(receiver, log)?;
        }
        Ok(())
    }

    fn wakes(half: &Half) -> Option<u64> {
        Some(half.bus.stats().wakes)
    }
}

/// `Participant::recv_blocking`.
#[derive(Debug)]
pub struct Call;

impl Way for Call {
    const NAME: &'static str = "recv_blocking";
    type Receiver = Participant;

    fn enter(participant: Participant) -> Result<Participant, String> {
        Ok(participant)
    }

    #[inline]
    fn sleep(participant: &mut Participant, log: &mut Log<'_>) -> Result<(), String> {
        show(&participant.recv_blocking().map_err(text)?, log);
        Ok(())
    }

    fn participant(participant: &mut Participant) -> &mut Participant {
        participant
    }
}

/// `Participant::recv_timeout`, with a time that is not reached.
#[derive(Debug)]
pub struct Timed;

impl Way for Timed {
    const NAME: &'static str = "recv_timeout";
    type Receiver = Participant;

    fn enter(participant: Participant) -> Result<Participant, String> {
        Ok(participant)
    }

    #[inline]
    fn sleep(participant: &mut Participant, log: &mut Log<'_>) -> Result<(), String> {
        show(&participant.recv_timeout(Duration::from_secs(60)).map_err(text)?, log);
        Ok(())
    }

    fn participant(participant: &mut Participant) -> &mut Participant {
        participant
    }
}

/// `Participant::recv`, on an executor that parks its thread.
#[derive(Debug)]
pub struct Task;

/// A participant, and what wakes the thread that received with it last.
pub struct Tasked {
    participant: Participant,
    waker: Option<Waker>,
}

impl fmt::Debug for Tasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasked").field("participant", &self.participant).finish_non_exhaustive()
    }
}

impl Way for Task {
    const NAME: &'static str = "async";
    type Receiver = Tasked;

    fn enter(participant: Participant) -> Result<Tasked, String> {
        Ok(Tasked { participant, waker: None })
    }

    #[inline]
    fn sleep(Tasked { participant, waker }: &mut Tasked, log: &mut Log<'_>) -> Result<(), String> {
        let waker = waker.get_or_insert_with(|| Arc::new(Unparks(thread::current())).into());
        show(&block_on(participant.recv(), waker).map_err(text)?, log);
        Ok(())
    }

    fn participant(tasked: &mut Tasked) -> &mut Participant {
        &mut tasked.participant
    }
}

struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor: one future, on this thread, which `waker` unparks.
fn block_on<F: Future>(future: F, waker: &Waker) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A descriptor in an epoll.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct Epoll;

#[cfg(target_os = "linux")]
mod epoll {
    use smd_lockfree::{Descriptor, Participant, RecvError};

    use super::super::alone::Alone;
    use super::{Epoll, Log, Way, show, text};

    /// A participant with a descriptor, and the epoll in which it is alone.
    #[derive(Debug)]
    pub struct Polled {
        descriptor: Descriptor,
        epoll: Alone,
    }

    impl Way for Epoll {
        const NAME: &'static str = "descriptor";
        type Receiver = Polled;

        fn enter(participant: Participant) -> Result<Polled, String> {
            let descriptor = participant.into_descriptor().map_err(text)?;
            let epoll = Alone::new(&descriptor)?;
            Ok(Polled { descriptor, epoll })
        }

        #[inline]
        fn sleep(polled: &mut Polled, log: &mut Log<'_>) -> Result<(), String> {
            // The drain before found nothing and armed the descriptor; what comes is left for the next.
            polled.epoll.wait()?;
            match polled.descriptor.try_recv() {
                Ok(message) => show(&message, log),
                Err(RecvError::Empty) => (),
                Err(error) => return Err(error.to_string()),
            }
            Ok(())
        }

        fn participant(polled: &mut Polled) -> &mut Participant {
            &mut polled.descriptor
        }
    }
}

#[inline]
fn show(message: &Message<'_>, log: &mut Log<'_>) {
    log.message(message.timestamp().nanos(), message.bytes());
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}
