//! Registrations, departures and changes of masks, each at one point of the order.

use smd_lockfree::{RecvError, SendError, Sent};

use super::{A, B, bus, contiguous, drain, interested, looks, queued, word};
use crate::model::sync::Arc;
use crate::model::sync::atomic::{AtomicBool, Ordering};
use crate::model::{reached, thread};

/// A registration against a send: exact from `since` on; `after` messages that are sent after it
/// are received.
pub fn register_against_send(
    segment: usize,
    before: usize,
    sends: usize,
    after: usize,
    look: usize,
) {
    let bus = bus(segment);
    let (keeper, sender) = interested(&bus, A);
    let own = bus.sender();
    for index in 0..before {
        queued(&sender, A, &word(0, index));
    }
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(0, before + index));
        }
    });
    let mut late = bus.register(A).expect("registered");
    let since = late.since();
    for index in 0..after {
        let number = queued(&own, A, &word(1, index));
        assert!(number >= since, "sent after the registration returned");
    }
    let mut got = Vec::new();
    looks(&mut late, look, &mut got);
    thread.join().expect("no panic");
    drain(&mut late, &mut got);
    let all = (before + sends + after) as u64;
    contiguous(&got, since, all);
    if since == before as u64 + 1 {
        reached("registered first");
    } else if since <= all - after as u64 {
        reached("registered between");
    }
    drop(keeper);
}

/// A registration with depth 1 against a sender that knows the registry before it.
pub fn register_against_limit(segment: usize, sends: usize) {
    let bus = bus(segment);
    let (keeper, sender) = interested(&bus, A);
    queued(&sender, A, &word(0, 0));
    let thread = thread::spawn(move || {
        let sent: Vec<_> = (0..sends).map(|index| sender.send(A, &word(0, index))).collect();
        sent
    });
    let late = bus.participant().mask(A).depth(1).register().expect("registered");
    let since = late.since();
    let sent = thread.join().expect("no panic");
    let mut owed = 0;
    for sent in sent {
        match sent {
            Ok(sent) => owed += usize::from(sent.sequence().expect("wanted") >= since),
            Err(SendError::Full(_)) => reached("refused"),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(owed <= 1, "{owed} messages wait for a participant of depth 1");
    drop((late, keeper));
}

/// A departure against sends that hand segments over to who departs.
pub fn leave_against_send(segment: usize, before: usize, sends: usize) {
    let bus = bus(segment);
    let frame = bus.stats().memory_bytes;
    let (keeper, sender) = interested(&bus, A);
    let slow = bus.register(A).expect("registered");
    for index in 0..before {
        queued(&sender, A, &word(0, index));
    }
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(0, before + index));
        }
    });
    let handle = slow.handle();
    let left = slow.leave();
    assert!(left > before as u64);
    thread.join().expect("no panic");
    // The record still exists; what it was owed does not.
    let stats = bus.stats();
    let frames = stats.segments_live + stats.segments_pooled;
    // One more where the keeper stands, and it may stand outside the window.
    assert!(stats.memory_bytes <= frame * (frames + 1), "not swept: {stats:?}");
    assert!(!handle.is_registered());
    drop((handle, keeper));
}

/// A departure asked for from elsewhere, while the participant receives and is handed segments:
/// what it had not received may be gone, in order. `early` messages were received before that.
/// Where `exact`, nothing from N on is received. Without sends the departure is this thread's.
pub fn leave_against_receive(
    segment: usize,
    before: usize,
    early: usize,
    sends: usize,
    look: usize,
    exact: bool,
) {
    let bus = bus(segment);
    let (keeper, sender) = interested(&bus, A);
    let mut slow = bus.register(A).expect("registered");
    let handle = slow.handle();
    for index in 0..before {
        queued(&sender, A, &word(0, index));
    }
    let mut last = 0;
    for number in 1..=early {
        last = slow.try_recv().expect("sent").sequence();
        assert_eq!(last, number as u64);
    }
    let receiver = thread::spawn(move || {
        for _ in 0..look {
            match slow.try_recv() {
                Ok(message) => {
                    assert!(message.sequence() > last, "in order");
                    last = message.sequence();
                }
                Err(RecvError::Left) => reached("left while receiving"),
                Err(RecvError::Empty) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        (slow, last)
    });
    let leave = move || handle.leave().expect("once");
    let (leaver, own) = match sends {
        0 => (None, Some(leave())),
        _ => (Some(thread::spawn(leave)), None),
    };
    for index in 0..sends {
        queued(&sender, A, &word(0, before + index));
    }
    let (slow, last) = receiver.join().expect("no panic");
    let left = leaver.map(|thread| thread.join().expect("no panic")).or(own).expect("one left");
    assert!(left > before as u64 && left <= (before + sends) as u64 + 1);
    assert!(
        !exact || last < left,
        "message {last} was received, but the departure held from {left}"
    );
    drop((slow, keeper));
}

/// A mask that widens, against sends of the class that is new in it.
pub fn widen_against_send(segment: usize, before: usize, sends: usize, look: usize) {
    let bus = bus(segment);
    let (keeper, sender) = interested(&bus, B);
    let mut wider = bus.register(A).expect("registered");
    for index in 0..before {
        queued(&sender, B, &word(0, index));
    }
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, B, &word(0, before + index));
        }
    });
    let from = wider.set_mask(A.union(B)).expect("open");
    let mut got = Vec::new();
    looks(&mut wider, look, &mut got);
    thread.join().expect("no panic");
    drain(&mut wider, &mut got);
    let all = (before + sends) as u64;
    contiguous(&got, from, all);
    if from > before as u64 + 1 && from <= all {
        reached("widened between");
    }
    drop(keeper);
}

/// A mask that narrows, against sends of the class that is given up.
pub fn narrow_against_send(segment: usize, before: usize, sends: usize, look: usize) {
    let bus = bus(segment);
    let (keeper, sender) = interested(&bus, B);
    let mut narrower = bus.register(A.union(B)).expect("registered");
    for index in 0..before {
        queued(&sender, B, &word(0, index));
    }
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, B, &word(0, before + index));
        }
    });
    let mut got = Vec::new();
    looks(&mut narrower, look, &mut got);
    let received = got.len() as u64;
    contiguous(&got, 1, received);
    narrower.set_mask(A).expect("open");
    drain(&mut narrower, &mut got);
    thread.join().expect("no panic");
    drain(&mut narrower, &mut got);
    assert_eq!(got.len() as u64, received, "a class that was given up");
    drop(keeper);
}

/// Registrations and departures against each other: no change is lost.
pub fn changes_against_changes(others: usize) {
    let bus = bus(super::WIDE);
    let threads: Vec<_> = (0..others)
        .map(|who| {
            let bus = bus.clone();
            thread::spawn(move || {
                let class = if who == 0 { A } else { B };
                let participant = bus.register(class).expect("registered");
                if who == 0 {
                    participant.leave();
                    None
                } else {
                    Some(participant)
                }
            })
        })
        .collect();
    let staying: Vec<_> = threads.into_iter().map(|t| t.join().expect("no panic")).collect();
    let interest = if others > 1 { B.bits() } else { 0 };
    assert_eq!(bus.interest().bits(), interest, "interest is the union of the masks");
    assert_eq!(bus.stats().participants as usize, others - 1);
    drop(staying);
    assert_eq!(bus.interest().bits(), 0);
}

/// The last who wants a class leaves, or gives it up, while a sender allocates: who has heard of it
/// allocates nothing any more, and what was allocated before finds a reader or is unwanted.
pub fn interest_against_alloc(allocs: usize, leaves: bool) {
    let bus = bus(super::WIDE);
    let mut only = bus.register(A).expect("registered");
    let sender = bus.sender();
    let gone = Arc::new(AtomicBool::new(false));
    let told = gone.clone();
    let thread = thread::spawn(move || {
        let mut is_refused = false;
        let mut last = 0;
        for _ in 0..allocs {
            let is_gone = told.load(Ordering::Acquire);
            let Some(draft) = sender.alloc(A, 2).expect("open") else {
                is_refused = true;
                reached("refused at allocation");
                continue;
            };
            assert!(!is_gone && !is_refused, "allocated, and nobody wants it any more");
            match draft.send().expect("open") {
                Sent::Queued(number) => {
                    reached("sent");
                    last = number;
                }
                Sent::Unwanted => {
                    reached("unwanted when it was sent");
                    is_refused = true;
                }
            }
        }
        last
    });
    if leaves {
        only.handle().leave().expect("once");
    } else {
        only.set_mask(B).expect("open");
    }
    gone.store(true, Ordering::Release);
    let last = thread.join().expect("no panic");
    assert!(!bus.wants(A), "the interest shrinks");
    assert_eq!(bus.sequence(), last + 1, "what is not wanted takes no number");
    let end = if leaves { RecvError::Left } else { RecvError::Empty };
    assert_eq!(only.try_recv().err(), Some(end), "all of it is settled");
}
