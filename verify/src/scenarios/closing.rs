//! The close, against everything.

use smd_lockfree::{Outgoing, RecvError, RegisterError, SendError};

use super::{A, bus, contiguous, drain, looks, word};
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

/// Who sees the bus closed finds its end behind what was accepted.
pub fn closed_at_its_end(segment: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let other = bus.clone();
    let thread = thread::spawn(move || {
        if other.is_closed() {
            reached("seen closed");
            assert_eq!(all.try_recv().err(), Some(RecvError::Closed), "closed, and no end of it");
        }
    });
    bus.close();
    thread.join().expect("no panic");
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
