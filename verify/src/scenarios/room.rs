//! Backpressure: exactly the depth, and who waits for room is told of it.

use smd_lockfree::{FullReason, Participant, RecvError, SendError, Sender, Sent};

use super::{A, bus, contiguous, drain, interested, looks, queued, waiting, word};
use crate::model::sync::Arc;
use crate::model::sync::atomic::{AtomicUsize, Ordering};
use crate::model::{reached, thread};

/// Senders at a full backlog against the participant that drains it. Where they are `warm`, it is
/// they who filled it, so that they know their place in the log.
pub fn full_against_drain(
    segment: usize,
    depth: usize,
    senders: usize,
    sends: usize,
    look: usize,
    warm: bool,
) {
    let bus = bus(segment);
    let slow = bus.participant().mask(A).depth(depth as u32).register();
    let mut slow = slow.expect("registered");
    let own = bus.sender();
    let others: Vec<_> = (0..senders).map(|_| bus.sender()).collect();
    for index in 0..depth {
        let filler = if warm { &others[index % senders] } else { &own };
        queued(filler, A, &word(0, index));
    }
    if !warm {
        assert_eq!(own.send(A, b""), Err(SendError::Full(FullReason::Backlog)));
    }
    let received = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = others
        .into_iter()
        .enumerate()
        .map(|(who, sender)| {
            let received = received.clone();
            thread::spawn(move || {
                let mut accepted = 0;
                for index in 0..sends {
                    let room = received.load(Ordering::Acquire);
                    match sender.send(A, &word(1 + who, index)) {
                        Ok(Sent::Queued(_)) => {
                            reached("accepted");
                            accepted += 1;
                        }
                        Err(SendError::Full(FullReason::Backlog)) => {
                            reached("refused");
                            assert!(
                                senders > 1 || room <= accepted,
                                "{room} were received, {accepted} accepted, and there was no room"
                            );
                        }
                        other => panic!("{other:?}"),
                    }
                }
                accepted
            })
        })
        .collect();
    let mut got = Vec::new();
    for _ in 0..look {
        looks(&mut slow, 1, &mut got);
        received.store(got.len(), Ordering::Release);
    }
    let accepted: usize = threads.into_iter().map(|t| t.join().expect("no panic")).sum();
    assert!(accepted <= got.len(), "{accepted} accepted for {} received", got.len());
    drain(&mut slow, &mut got);
    contiguous(&got, 1, (depth + accepted) as u64);
    // All is received: there is room for exactly the depth.
    for index in 0..depth {
        queued(&own, A, &word(0, index));
    }
    assert_eq!(own.send(A, b""), Err(SendError::Full(FullReason::Backlog)));
}

/// A departure overtakes a receive: a sender finds room, and ends the participant as soon as one of
/// its messages was queued. Room is made by delivery alone, so that as many were delivered before.
pub fn room_against_departure(
    segment: usize,
    depth: usize,
    sends: usize,
    look: usize,
    form: Receive,
) {
    let bus = bus(segment);
    let slow = bus.participant().mask(A).depth(depth as u32).register();
    let mut slow = slow.expect("registered");
    let handle = slow.handle();
    let sender = bus.sender();
    for index in 0..depth {
        queued(&sender, A, &word(0, index));
    }
    let thread = thread::spawn(move || {
        let mut accepted = 0;
        for index in 0..sends {
            match sender.send(A, &word(1, index)) {
                Ok(sent) => {
                    assert_eq!(sent.sequence(), Some(depth as u64 + accepted + 1));
                    accepted += 1;
                }
                Err(SendError::Full(FullReason::Backlog)) => reached("refused"),
                Err(error) => panic!("{error:?}"),
            }
        }
        if accepted > 0 {
            reached("accepted");
            handle.leave().expect("once");
        }
        accepted
    });
    let mut delivered = 0;
    for _ in 0..look {
        match form.receive(&mut slow, &mut delivered) {
            Ok(()) | Err(RecvError::Empty) => {}
            Err(RecvError::Left) => reached("left while receiving"),
            Err(error) => panic!("{error:?}"),
        }
    }
    let accepted = thread.join().expect("no panic");
    assert!(accepted <= delivered, "{accepted} accepted, and only {delivered} delivered");
}

/// How a participant receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receive {
    /// One message.
    One,
    /// What is there.
    Drain,
}

impl Receive {
    /// Receives; how many were delivered is added to `delivered`.
    fn receive(self, slow: &mut Participant, delivered: &mut u64) -> Result<(), RecvError> {
        match self {
            Receive::One => slow.try_recv().map(|_| *delivered += 1),
            Receive::Drain => slow.drain(|_| *delivered += 1).map(|_| ()),
        }
    }
}

/// How room comes about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// The participant receives.
    Drain,
    /// It leaves.
    Leave,
    /// It changes its mask.
    Narrow,
    /// The bus is closed.
    Close,
}

/// A sender that waits for room, blocking or as a future.
pub fn wait_for_room(segment: usize, depth: usize, how: Room, is_async: bool) {
    let bus = bus(segment);
    let slow = bus.participant().mask(A).depth(depth as u32).register();
    let mut slow = slow.expect("registered");
    let sender = bus.sender();
    for index in 0..depth {
        queued(&sender, A, &word(0, index));
    }
    let thread = thread::spawn(move || waits(sender, is_async));
    let mut left = None;
    match how {
        Room::Drain => assert_eq!(slow.try_recv().expect("there").sequence(), 1),
        Room::Leave => left = Some(slow.handle().leave().expect("once")),
        Room::Narrow => {
            slow.set_mask(super::B).expect("open");
        }
        Room::Close => {
            bus.close();
        }
    }
    let sent = thread.join().expect("no panic");
    match how {
        Room::Drain => assert_eq!(sent, Ok(Sent::Queued(depth as u64 + 1))),
        Room::Close => assert_eq!(sent, Err(SendError::Closed)),
        Room::Leave | Room::Narrow => {
            assert!(matches!(sent, Ok(Sent::Queued(_) | Sent::Unwanted)), "{sent:?}");
        }
    }
    assert_eq!(left.is_some(), how == Room::Leave);
}

/// Waits for room in one of two forms.
fn waits(mut sender: Sender, is_async: bool) -> Result<Sent, SendError> {
    if is_async {
        waiting::ready(sender.send_async(A, &word(1, 0)))
    } else {
        sender.send_wait(A, &word(1, 0), None)
    }
}

/// A sender waits for room behind a message that is not published yet, and turns out to be of a class
/// that the participant does not want.
pub fn wait_behind_a_hole(segment: usize, is_async: bool) {
    let bus = bus(segment);
    let narrow = bus.participant().mask(A).depth(1).register().expect("registered");
    let (_other, other) = interested(&bus, super::B);
    let sender = bus.sender();
    let thread = thread::spawn(move || queued(&other, super::B, &word(0, 0)));
    let sent = waits(sender, is_async);
    assert!(matches!(sent, Ok(Sent::Queued(1 | 2))), "{sent:?}");
    thread.join().expect("no panic");
    drop(narrow);
}

/// A sender waits for room that a registration in progress denies: until its N is known it counts from
/// before that.
pub fn wait_for_a_registration(segment: usize, is_async: bool) {
    let bus = bus(segment);
    let (_other, sender) = interested(&bus, A);
    let thread = thread::spawn(move || {
        let first = sender.send(A, &word(0, 0));
        assert_eq!(first, Ok(Sent::Queued(1)));
        waits(sender, is_async)
    });
    let narrow = bus.participant().mask(A).depth(1).register();
    let mut narrow = narrow.expect("registered");
    if narrow.since() == 1 {
        assert_eq!(narrow.recv_blocking().expect("open").sequence(), 1);
    }
    let sent = thread.join().expect("no panic");
    assert_eq!(sent, Ok(Sent::Queued(2)));
}

/// A sender waits for room and its participant sleeps for messages.
pub fn both_wait(segment: usize, sends: usize) {
    let bus = bus(segment);
    let slow = bus.participant().mask(A).depth(1).register();
    let mut slow = slow.expect("registered");
    let sender = bus.sender();
    let thread = thread::spawn(move || {
        for index in 0..sends {
            let sent = sender.send_wait(A, &word(0, index), None);
            assert_eq!(sent, Ok(Sent::Queued(index as u64 + 1)));
        }
    });
    for number in 1..=sends as u64 {
        assert_eq!(slow.recv_blocking().expect("open").sequence(), number);
    }
    thread.join().expect("no panic");
}
