//! The peers that can wait asleep, by their own blocking receive.

use std::marker::PhantomData;

use smd_lockfree::Clock;

use super::{Log, Sleeper};
use crate::peers::{Blocks, CAPACITY, Seen, Setup};

/// A peer's blocking calls.
#[derive(Debug)]
pub struct Blocking<P>(PhantomData<P>);

impl<P: Blocks> Sleeper for Blocking<P> {
    const NAME: &'static str = P::NAME;
    type Sender = P::Sender;
    type Receiver = P::Receiver;

    fn open(clock: &Clock) -> Result<(P::Sender, P::Receiver), String> {
        let setup = Setup { clock, senders: 1, receivers: 1, capacity: CAPACITY, stamped: true };
        let (mut senders, mut receivers) = P::open(&setup)?;
        senders
            .pop()
            .zip(receivers.pop())
            .ok_or_else(|| "it opened without a sender or a receiver".to_owned())
    }

    #[inline]
    fn send(sender: &mut P::Sender, _: &Clock, n: u64) -> Result<(), String> {
        P::send_blocking(sender, n);
        Ok(())
    }

    #[inline]
    fn receive(receiver: &mut P::Receiver, log: &mut Log<'_>) -> Result<(), String> {
        P::receive_blocking(receiver, &mut |seen: &Seen<'_>| log.message(seen.stamp, seen.payload));
        Ok(())
    }
}
