//! Every peer, in every mode that it has: nothing lost, in order, the right bytes.

use super::*;
use crate::payload::Tally;

fn setup(clock: &Clock, senders: usize, receivers: usize) -> Setup<'_> {
    Setup { clock, senders, receivers, capacity: 64, stamped: true }
}

fn drain<P: Peer>(receiver: &mut P::Receiver, tally: &mut Tally) -> usize {
    P::drain(receiver, &mut |seen: &Seen<'_>| {
        assert_ne!(seen.stamp, 0, "{}", P::NAME);
        tally.absorb(seen.payload);
    })
}

fn delivers<P: Peer>(send: impl Fn(&mut P::Sender, u64, usize) -> usize) {
    let clock = Clock::real();
    let (mut senders, mut receivers) = P::open(&setup(&clock, 1, 3)).expect(P::NAME);
    let mut tallies = vec![Tally::default(); receivers.len()];
    let mut sent = 0;
    for _ in 0..10 {
        sent += send(&mut senders[0], sent, BURST) as u64;
        for (receiver, tally) in receivers.iter_mut().zip(&mut tallies) {
            while drain::<P>(receiver, tally) > 0 {}
        }
    }
    assert_eq!(sent, 10 * BURST as u64, "{}", P::NAME);
    for tally in &tallies {
        assert_eq!(tally.check(sent), Ok(()), "{}", P::NAME);
    }
}

#[test]
fn every_peer_delivers_everything_in_order() {
    delivers::<Smd>(Smd::send);
    delivers::<Smd>(Smd::send_batch);
}
