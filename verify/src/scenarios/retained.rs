//! State for late joiners.

use super::{B, bus, contiguous, drain, looks, queued, word};
use crate::model::{reached, thread};

/// A registration against sends of a retained class: the newest state before N, then all from N.
pub fn retained_against_registration(segment: usize, before: usize, sends: usize, look: usize) {
    let bus = bus(segment);
    let entry = bus.retain(B).expect("one entry");
    let sender = bus.sender();
    for index in 0..before {
        queued(&sender, B, &word(0, index));
    }
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, B, &word(0, before + index));
        }
    });
    let mut late = bus.register(B).expect("registered");
    let since = late.since();
    let mut got = Vec::new();
    looks(&mut late, look, &mut got);
    thread.join().expect("no panic");
    drain(&mut late, &mut got);
    if since > 1 {
        let state = got.remove(0);
        assert!(state.retained, "{state:?}");
        assert_eq!(state.sequence, since - 1, "the newest before N = {since}");
        assert_eq!(state.word, word(0, since as usize - 2));
    }
    assert!(got.iter().all(|got| !got.retained));
    contiguous(&got, since, (before + sends) as u64);
    if since > before as u64 + 1 && since <= (before + sends) as u64 {
        reached("registered between");
    }
    drop(entry);
}
