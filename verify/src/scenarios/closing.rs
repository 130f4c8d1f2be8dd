//! The close, against everything.

use smd_lockfree::{MaskError, Outgoing, RecvError, RegisterError, SendError};

use super::{A, B, bus, contiguous, drain, looks, word};
use crate::model::{reached, thread};

/// A batch against the close: what was accepted is received, and the numbers agree.
pub fn batch_against_close(segment: usize, batch: usize, look: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let sender = bus.sender();
    let thread = thread::spawn(move || {
        let words: Vec<_> = (0..batch).map(|index| word(0, index)).collect();
        let messages: Vec<_> = words.iter().map(|word| Outgoing::new(A, word)).collect();
        match sender.send_batch(&messages) {
            Ok(sent) => {
                assert_eq!(sent.queued, batch);
                batch
            }
            Err(error) => {
                assert_eq!(error.error, SendError::Closed);
                assert_eq!(error.done, error.sent.queued);
                assert_eq!(error.sent.last.unwrap_or(0), error.done as u64);
                if error.done > 0 {
                    reached("closed in the middle");
                }
                error.done
            }
        }
    });
    let mut got = Vec::new();
    looks(&mut all, look, &mut got);
    let end = bus.close();
    let accepted = thread.join().expect("no panic") as u64;
    assert_eq!(end, accepted + 1, "the first number that is never given");
    drain(&mut all, &mut got);
    contiguous(&got, 1, accepted);
    assert_eq!(all.try_recv().err(), Some(RecvError::Closed));
}

/// Sends, a registration and a blocking receive against the close.
pub fn close_against_all(segment: usize, sends: usize, register: bool) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let sender = bus.sender();
    let send = move || {
        let mut accepted = 0;
        for index in 0..sends {
            match sender.send(A, &word(0, index)) {
                Ok(sent) => {
                    accepted += 1;
                    assert_eq!(sent.sequence(), Some(accepted));
                }
                Err(SendError::Closed) => reached("send refused"),
                Err(error) => panic!("{error:?}"),
            }
        }
        accepted
    };
    let sending = (sends > 0).then(|| thread::spawn(send));
    let registering = register.then(|| {
        let bus = bus.clone();
        thread::spawn(move || match bus.register(A) {
            Ok(mut late) => {
                let mut got = Vec::new();
                drain(&mut late, &mut got);
                let since = late.since();
                // What was not there yet is looked for after the close.
                Some((late, since, got))
            }
            Err(RegisterError::Closed) => {
                reached("registration refused");
                None
            }
            Err(error) => panic!("{error:?}"),
        })
    });
    let closing = thread::spawn(move || bus.close());
    let mut received = 0;
    loop {
        match all.recv_blocking() {
            Ok(message) => {
                received += 1;
                assert_eq!(message.sequence(), received);
            }
            Err(RecvError::Closed) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    let accepted = sending.map_or(0, |thread| thread.join().expect("no panic"));
    let end = closing.join().expect("no panic");
    assert_eq!((received, end), (accepted, accepted + 1));
    if let Some((mut late, since, mut got)) =
        registering.and_then(|thread| thread.join().expect("no panic"))
    {
        drain(&mut late, &mut got);
        contiguous(&got, since, accepted);
        assert_eq!(late.try_recv().err(), Some(RecvError::Closed));
    }
}

/// A change of mask and a departure against the close: each has its place in the order, or is
/// refused, and the interest is right at the end.
pub fn close_against_changes(segment: usize, before: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let sender = bus.sender();
    for index in 0..before {
        sender.send(A, &word(0, index)).expect("accepted");
    }
    let changes = thread::spawn(move || {
        let from = match all.set_mask(A.union(B)) {
            Ok(from) => Some(from),
            Err(MaskError::Closed) => {
                reached("change refused");
                None
            }
            Err(error) => panic!("{error:?}"),
        };
        let mut got = Vec::new();
        looks(&mut all, before, &mut got);
        contiguous(&got, 1, before as u64);
        (from, all.leave())
    });
    let end = bus.close();
    let (from, left) = changes.join().expect("no panic");
    assert_eq!(end, before as u64 + 1);
    assert_eq!(left, end, "nothing was sent meanwhile");
    assert!(from.is_none_or(|from| from == end));
    assert_eq!(sender.send(A, b"").err(), Some(SendError::Closed));
    assert!(bus.interest().is_empty(), "who left wants nothing");
}
