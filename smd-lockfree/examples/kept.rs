//! Holding on to messages: kept ones are references, not copies, and outlive everything.

#![allow(clippy::disallowed_methods)]

use std::thread;

use smd_lockfree::{Bus, Class, Kept, OwnedMessage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bus = Bus::new();
    let mut all = bus.register(Class::ALL)?;
    for name in ["first", "second", "third"] {
        assert!(bus.send(Class::USER0, name.as_bytes())?.is_queued());
    }

    // A received message borrows the participant: it must be gone before the next receive.
    assert_eq!(all.try_recv()?.bytes(), b"first");

    // Keeping takes a reference on the segment of memory that the message lies in, and so holds
    // that whole segment. A copy holds nothing but its own bytes: better for long storage.
    let kept: Kept = all.try_recv()?.keep();
    let copied: OwnedMessage = all.try_recv()?.to_owned_message();

    // Another thread may read it while this one ends the participant and the bus.
    let reader = thread::spawn({
        let kept = kept.clone();
        move || kept.text().map(str::len)
    });
    drop((all, bus));
    assert_eq!(reader.join().expect("reading does not panic")?, "second".len());

    for (sequence, text) in [(kept.sequence(), kept.text()?), (copied.sequence(), copied.text()?)] {
        println!("{sequence} {text}");
    }
    assert_eq!((kept.sequence(), copied.sequence()), (2, 3));
    Ok(())
}
