//! What outlives what.

use smd_lockfree::{Kept, RecvError};

use super::{A, asleep, builder, bus, contiguous, drain, interested, looks, queued, word};
use crate::model::{reached, thread};

/// Kept messages outlive participant, sender and bus, which go on different threads: one in a segment
/// that leaves the window, and one in a segment that the window has until the bus goes.
pub fn kept_outlives(segment: usize, sends: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let sender = bus.sender();
    queued(&sender, A, &word(3, 4));
    let kept = all.try_recv().expect("sent").keep();
    let other = kept.clone();
    let reader = thread::spawn(move || {
        assert_eq!(kept.bytes(), word(3, 4));
        drop(kept);
    });
    let writer = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(0, index));
        }
    });
    drop(all.try_recv().map(|message| {
        reached("received while sending");
        message.keep()
    }));
    drop(other);
    // `all` goes last here: the sends above must stay wanted.
    writer.join().expect("no panic");
    let mut last = None;
    while let Ok(message) = all.try_recv() {
        last = Some(message.keep());
    }
    drop(all);
    drop(bus);
    if let Some(last) = last {
        reached("kept in the window");
        assert_eq!(last.bytes(), word(0, sends - 1));
    }
    reader.join().expect("no panic");
}

/// More frames come back from a backlog than the pool takes: they are freed while the window moves.
pub fn surplus_frames(segment: usize, before: usize, sends: usize, look: usize) {
    // As few cells as segments that a window may have.
    let bus = builder(segment).max_segments(smd_lockfree::MIN_MAX_SEGMENTS).build();
    let bus = bus.expect("a small bus");
    let mut slow = bus.register(A).expect("registered");
    let sender = bus.sender();
    for index in 0..before {
        queued(&sender, A, &word(0, index));
    }
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(1, index));
        }
    });
    let mut got = Vec::new();
    looks(&mut slow, look, &mut got);
    if got.len() > before {
        reached("caught up while sending");
    }
    thread.join().expect("no panic");
    drain(&mut slow, &mut got);
    contiguous(&got, 1, (before + sends) as u64);
}

/// Bus, sender and participant go at the same time; a receiver that sleeps is woken by that.
pub fn drop_in_any_order(segment: usize, sends: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let sender = bus.sender();
    let receiver = thread::spawn(move || {
        let mut received = 0;
        loop {
            match all.recv_blocking() {
                Ok(message) => {
                    received += 1;
                    assert_eq!(message.sequence(), received);
                }
                Err(RecvError::Closed) => return received,
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    let writer = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(0, index));
        }
    });
    drop(bus);
    let received = receiver.join().expect("no panic");
    assert_eq!(received, sends as u64, "the end comes behind all that was sent");
    writer.join().expect("no panic");
}

/// Everything is dropped on a thread of its own, with messages still owed.
pub fn drop_with_debts(segment: usize, before: usize) {
    let bus = bus(segment);
    let all = bus.register(A).expect("registered");
    let sender = bus.sender();
    for index in 0..before {
        queued(&sender, A, &word(0, index));
    }
    let participant = thread::spawn(move || drop(all));
    let sending = thread::spawn(move || {
        // Accepted or, where the participant has gone, unwanted.
        let _ = sender.send(A, &word(0, before)).expect("open");
    });
    drop(bus);
    participant.join().expect("no panic");
    sending.join().expect("no panic");
}

/// Kept messages are the last that hold a segment, and go on several threads, while a sender retires
/// it and uses again what is free.
pub fn last_reference(segment: usize, keepers: usize, sends: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let (mut other, sender) = interested(&bus, A);
    queued(&sender, A, &word(3, 4));
    let kept = all.try_recv().expect("sent").keep();
    all.leave();
    asleep(&mut other);
    let read = |kept: Kept| {
        move || {
            assert_eq!(kept.bytes(), word(3, 4), "kept memory is not used again");
            drop(kept);
        }
    };
    let threads: Vec<_> = (1..keepers).map(|_| thread::spawn(read(kept.clone()))).collect();
    let writer = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(0, index));
        }
    });
    read(kept)();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    writer.join().expect("no panic");
    assert_eq!(bus.sequence(), sends as u64 + 2);
    drop(other);
}

/// Two buses in one process: one thread carries messages from the first to the second. Each has its
/// own order, its own sleepers and its own end.
pub fn two_buses(segment: usize, sends: usize) {
    let (first, second) = (bus(segment), bus(segment));
    let mut inner = first.register(A).expect("registered");
    let mut outer = second.register(A).expect("registered");
    // The orders are not the same.
    queued(&second.sender(), A, &word(9, 9));
    let carried = second.sender();
    let carrier = thread::spawn(move || {
        let mut received = 0;
        loop {
            match inner.recv_blocking() {
                Ok(message) => {
                    received += 1;
                    assert_eq!(message.sequence(), received);
                    assert_eq!(queued(&carried, A, message.bytes()), received + 1);
                }
                Err(RecvError::Closed) => return received,
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    let sender = first.sender();
    for index in 0..sends {
        queued(&sender, A, &word(1, index));
    }
    drop((first, sender));
    assert_eq!(outer.recv_blocking().expect("open").bytes(), word(9, 9));
    for index in 0..sends {
        let message = outer.recv_blocking().expect("open");
        assert_eq!((message.sequence(), message.bytes()), (index as u64 + 2, &word(1, index)[..]));
    }
    assert_eq!(carrier.join().expect("no panic"), sends as u64);
    assert!(!second.is_closed(), "the end of the one is not the end of the other");
    assert_eq!(second.close(), sends as u64 + 2);
}
