//! A small service: producers on threads of their own, callbacks on one event loop.
//!
//! ```text
//!   link thread  -- NETWORK --> manager (callback) -- SYSTEM_STATE --> main
//!   meter thread -- METRICS --> counter (callback), which sees the other two as well
//! ```

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use smd_lockfree::{Bus, Class, Event, EventLoop};

fn main() -> Result<(), Box<dyn Error>> {
    let bus = Bus::builder().name("service").time_to_live(None).build()?;
    let mut ready = bus.register(Class::SYSTEM_STATE)?;
    let mut events = EventLoop::new(&bus);

    // One part reacts to another part's message with a message of its own.
    let manager = bus.participant().name("manager").mask(Class::NETWORK);
    events.add(manager, |event, context| {
        if matches!(event, Event::Message(message) if message.bytes() == b"link up") {
            let sent = context.sender().send(Class::SYSTEM_STATE, b"operational");
            assert!(sent.is_ok_and(|sent| sent.is_queued()));
        }
    })?;

    let (seen, sees) = mpsc::channel();
    events.add(bus.participant().name("counter").mask(Class::ALL), move |event, _| {
        if let Event::Message(message) = event {
            seen.send(message.class().to_string()).expect("main counts until the loop has gone");
        }
    })?;

    thread::scope(|scope| {
        // Takes the loop with it: `run` ends when the bus is closed and everything was served.
        scope.spawn(move || println!("the loop ended: {:?}", events.run()));
        scope.spawn(|| bus.send(Class::NETWORK, b"link up").expect("nobody is full"));
        let meter = scope.spawn(|| {
            let sender = bus.sender();
            (0..1000_u64).all(|value| sender.send_value(Class::METRICS, &value).is_ok())
        });

        let state = ready.recv_timeout(Duration::from_secs(2)).expect("the manager answers");
        println!("the system is {}", state.text().unwrap_or("in disorder"));
        assert!(meter.join().is_ok_and(|all_sent| all_sent));
        bus.close();
    });

    let mut counts = BTreeMap::new();
    sees.iter().for_each(|class| *counts.entry(class).or_insert(0) += 1);
    println!("{counts:?}");
    assert_eq!(counts.values().sum::<u32>(), 1002);
    Ok(())
}
