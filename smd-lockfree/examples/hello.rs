//! The bus in a few lines: register, send, receive.

use smd_lockfree::{Bus, Class, Sent, smd_format};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bus = Bus::new();

    // Nobody listens yet: nothing is stamped, copied or stored, and that is no error.
    assert_eq!(bus.send(Class::NETWORK, b"too early")?, Sent::Unwanted);

    let mut routes = bus.register(Class::NETWORK)?;
    let mut log = bus.participant().name("log").mask(Class::NETWORK | Class::METRICS).register()?;

    assert_eq!(smd_format!(bus, Class::NETWORK, r#"{{"rt":"{}"}}"#, "add")?, Sent::Queued(1));
    assert_eq!(bus.send_value(Class::METRICS, &42_u64)?, Sent::Queued(2));

    // Each participant receives what it wants, in the one order, in its own time.
    assert_eq!(log.try_recv()?.text()?, r#"{"rt":"add"}"#);
    assert_eq!(log.try_recv()?.decode::<u64>()?, 42);

    let message = routes.recv_blocking()?;
    println!("{} {} {}", message.sequence(), message.class(), message.text()?);
    Ok(())
}
