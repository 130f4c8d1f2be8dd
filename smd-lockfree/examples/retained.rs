//! State for late joiners: the last message of each key, handed over as part of registering.

use smd_lockfree::{Bus, Class, Participant, RecvError};

/// Receives everything that awaits and shows it.
fn show(who: &mut Participant) -> Result<Vec<String>, RecvError> {
    let mut lines = Vec::new();
    who.drain(|message| {
        let kind = if message.is_retained() { "state" } else { "live" };
        let text = String::from_utf8_lossy(message.bytes()).into_owned();
        lines.push(format!("{} {kind} {text}", message.sequence()));
    })?;
    println!("{} received {lines:?}", who.name());
    Ok(lines)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bus = Bus::new();

    // One entry for each interface, and one for the whole class of system states. A retained class
    // counts as wanted, so these are kept although nobody listens.
    let eth0 = bus.retain_key(Class::NETWORK, b"eth0")?;
    let wlan0 = bus.retain_key(Class::NETWORK, b"wlan0")?;
    let system = bus.retain(Class::SYSTEM_STATE)?;
    let sent = [
        eth0.send(b"eth0 down")?,
        wlan0.send(b"wlan0 up")?,
        system.send(b"initialized")?,
        eth0.send(b"eth0 up")?,
    ];
    assert!(sent.iter().all(|sent| sent.is_queued()));

    // Who comes later gets the newest of each entry, in the order of their numbers, then what is
    // live: no gap, no double.
    let mut late = bus.participant().name("late").mask(Class::NETWORK).register()?;
    assert!(eth0.send(b"eth0 down again")?.is_queued());
    let expected = ["2 state wlan0 up", "4 state eth0 up", "5 live eth0 down again"];
    assert_eq!(show(&mut late)?, expected);

    // Widening the mask hands over what is newly wanted, right before the first new message.
    let from = late.set_mask(Class::NETWORK | Class::SYSTEM_STATE)?;
    assert_eq!(from, 6);
    assert!(bus.send(Class::SYSTEM_STATE, b"operational")?.is_queued());
    assert_eq!(show(&mut late)?, ["3 state initialized", "6 live operational"]);

    // What was cleared is handed to nobody any more.
    assert!(wlan0.clear());
    let mut later = bus.participant().name("later").mask(Class::NETWORK).register()?;
    assert_eq!(show(&mut later)?, ["5 state eth0 down again"]);
    Ok(())
}
