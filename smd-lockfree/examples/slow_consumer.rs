//! What happens to a participant that does not keep up: backpressure, lag, and expiry.

use std::time::Duration;

use smd_lockfree::{Bus, Class, Clock, FullReason, LagReason, Policy, RecvError, SendError, Sent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A clock that only moves by hand, so that nothing here depends on the machine's speed.
    let (clock, hand) = Clock::manual();
    let bus = Bus::builder().clock(clock).time_to_live(Some(Duration::from_secs(2))).build()?;

    // One refuses senders when it is full, the other loses its oldest messages.
    let strict = bus.participant().name("strict").mask(Class::METRICS).depth(4);
    let loose = bus.participant().name("loose").mask(Class::ALL).depth(4).policy(Policy::Lag);
    let (mut strict, mut loose) = (strict.register()?, loose.register()?);

    for value in 0..4_u64 {
        assert!(bus.send_value(Class::METRICS, &value)?.is_queued());
    }
    // Refused, with the payload still in the caller's hands.
    let refused = bus.send_value(Class::METRICS, &4_u64);
    assert_eq!(refused, Err(SendError::Full(FullReason::Backlog)));
    // Senders of other classes notice nothing.
    assert_eq!(bus.send(Class::NETWORK, b"up")?, Sent::Queued(5));

    // A loss is reported where the messages would have been, before what follows them.
    let Err(RecvError::Lagged(lag)) = loose.try_recv() else { return Err("no report".into()) };
    println!("{} lost {} of {}: {:?}", loose.name(), lag.count, lag.classes, lag.reason);
    assert_eq!((lag.first, lag.last, lag.reason), (1, 1, LagReason::Overflow));
    assert_eq!(loose.try_recv()?.sequence(), 2);

    // A message that is older than the time to live is never delivered late. It also ends the
    // backpressure: what has expired fills no backlog.
    hand.advance(Duration::from_secs(3));
    assert_eq!(bus.send_value(Class::METRICS, &5_u64)?, Sent::Queued(6));
    let Err(RecvError::Lagged(lag)) = strict.try_recv() else { return Err("no report".into()) };
    println!("{} lost {} of {}: {:?}", strict.name(), lag.count, lag.classes, lag.reason);
    assert_eq!((lag.count, lag.reason), (4, LagReason::Expired));
    assert_eq!(strict.try_recv()?.decode::<u64>()?, 5);

    let (strict, loose) = (strict.stats(), loose.stats());
    assert_eq!((strict.delivered, strict.expired), (1, 4));
    assert_eq!((loose.delivered, loose.lagged), (1, 1));
    print!("{}", bus.dump());
    Ok(())
}
