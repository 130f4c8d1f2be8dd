//! Two participants in one epoll, as file descriptors. Linux only.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("epoll is Linux's; elsewhere give the descriptor to poll or kqueue");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use rustix::buffer::spare_capacity;
    use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
    use smd_lockfree::{Bus, Class, RecvError};

    let bus = Bus::new();
    let network = bus.participant().name("network").mask(Class::NETWORK).register()?;
    let metrics = bus.participant().name("metrics").mask(Class::METRICS).register()?;
    let mut waiting = [network.into_descriptor()?, metrics.into_descriptor()?];

    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    for (at, descriptor) in waiting.iter().enumerate() {
        epoll::add(&epoll, descriptor, EventData::new_u64(at as u64), EventFlags::IN)?;
    }

    // The sender pays for waking a sleeper once, however many messages it sends.
    #[allow(clippy::disallowed_methods)]
    let sending = std::thread::spawn(move || {
        for value in 0..100_u64 {
            let class = if value % 4 == 0 { Class::METRICS } else { Class::NETWORK };
            assert!(bus.send_value(class, &value).is_ok());
        }
        // `bus` is the last handle: its end closes the bus, which wakes everybody.
    });

    let mut received = [0, 0];
    let mut ends = 0;
    let mut events = Vec::with_capacity(waiting.len());
    while ends < waiting.len() {
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let at = event.data.u64() as usize;
            // Until `Empty`: only that makes the descriptor unreadable again.
            let end = loop {
                match waiting[at].try_recv() {
                    Ok(_) => received[at] += 1,
                    Err(end) => break end,
                }
            };
            if end == RecvError::Closed {
                epoll::delete(&epoll, &waiting[at])?;
                ends += 1;
            }
        }
    }
    sending.join().expect("all were accepted");
    println!("network {}, metrics {}", received[0], received[1]);
    assert_eq!(received, [75, 25]);
    Ok(())
}
