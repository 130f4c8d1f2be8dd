//! Messages that expire while they are owed.

use std::time::Duration;

use smd_lockfree::{
    Bus, Clock, FullReason, LagReason, ManualClock, Participant, SendError, Sender, Sent,
};

use super::{A, B, Ledger, builder, queued, word};
use crate::model::{reached, thread};

/// What messages live.
const SECOND: Duration = Duration::from_secs(1);

/// A bus on which messages expire, and a participant whose backlog is full.
struct Full {
    bus: Bus,
    hand: ManualClock,
    slow: Participant,
    sender: Sender,
}

impl Full {
    fn new(segment: usize, depth: usize) -> Full {
        let (clock, hand) = Clock::manual();
        let bus = builder(segment).clock(clock).time_to_live(Some(SECOND)).build();
        let bus = bus.expect("a small bus");
        let slow = bus.participant().mask(A).depth(depth as u32).register();
        let slow = slow.expect("registered");
        let sender = bus.sender();
        for index in 0..depth {
            queued(&sender, A, &word(0, index));
        }
        Full { bus, hand, slow, sender }
    }
}

/// Nodes of a spill are trimmed because they expired, while the participant takes them and the
/// sender counts its backlog.
pub fn trim_against_take(segment: usize, depth: usize, sends: usize, look: usize) {
    let Full { bus: _bus, hand, mut slow, sender } = Full::new(segment, depth);
    hand.advance(SECOND * 2);
    let thread = thread::spawn(move || {
        let mut accepted = 0;
        for index in 0..sends {
            match sender.send(A, &word(1, index)) {
                Ok(_) => accepted += 1,
                Err(SendError::Full(FullReason::Backlog)) => reached("refused"),
                Err(error) => panic!("{error:?}"),
            }
        }
        accepted
    });
    let mut ledger = Ledger::new(LagReason::Expired);
    for _ in 0..look {
        if ledger.look(&mut slow) {
            reached("a look while sending");
        }
    }
    let accepted: u64 = thread.join().expect("no panic");
    assert!(accepted >= sends.min(depth) as u64, "expired messages leave room");
    ledger.settle(&mut slow, depth as u64 + accepted);
    assert_eq!((ledger.lost, ledger.delivered), (depth as u64, accepted));
}

/// A sender waits for room, and what fills the backlog expires. Nobody announces an expiry: who waits
/// naps and tries again, which here is a yield. The registration beside it has to do with neither,
/// but for the tail, so that time passes at each point of the send.
pub fn room_by_expiry(segment: usize, depth: usize) {
    let Full { bus, hand, mut slow, sender } = Full::new(segment, depth);
    let thread = thread::spawn(move || {
        let sent = sender.send_wait(A, &word(1, 0), None);
        assert_eq!(sent, Ok(Sent::Queued(depth as u64 + 1)));
    });
    let other = bus.register(B).expect("registered");
    hand.advance(SECOND * 2);
    thread.join().expect("no panic");
    let mut ledger = Ledger::new(LagReason::Expired);
    ledger.settle(&mut slow, depth as u64 + 1);
    assert_eq!((ledger.lost, ledger.delivered), (depth as u64, 1));
    drop(other);
}
