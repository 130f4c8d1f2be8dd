//! Receiving and sending as futures, here under tokio; no executor is assumed.

use std::time::Duration;

use smd_lockfree::{Bus, Class, RecvError};

const COUNT: u64 = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A small depth, so that the sender has to wait for room now and then.
    let bus = Bus::builder().depth(16).build()?;
    let mut metrics = bus.register(Class::METRICS)?;
    let mut buttons = bus.register(Class::INTERACTION)?;

    let sum = tokio::spawn(async move {
        let mut sum = 0;
        loop {
            match metrics.recv().await {
                // The message borrows the bus's memory: `keep` it to carry it across an `await`.
                Ok(message) => sum += message.decode::<u64>().unwrap_or(0),
                Err(RecvError::Lagged(lag)) => println!("lost {} messages", lag.count),
                // The bus was closed, and everything accepted before has been received.
                Err(_) => return sum,
            }
        }
    });

    // A receive that is cancelled has received nothing: the next one finds it all.
    let nothing = tokio::time::timeout(Duration::from_millis(5), buttons.recv()).await;
    assert!(nothing.is_err());
    assert!(bus.send(Class::INTERACTION, b"pressed")?.is_queued());
    assert_eq!(buttons.recv().await?.bytes(), b"pressed");

    // The time-out is the executor's: no future of the bus could wake itself when what fills a backlog
    // expires.
    let mut sender = bus.sender();
    for value in 1..=COUNT {
        let payload = value.to_le_bytes();
        let sending = sender.send_async(Class::METRICS, &payload);
        assert!(tokio::time::timeout(Duration::from_secs(2), sending).await??.is_queued());
    }
    bus.close();

    let sum = sum.await?;
    println!("the sum is {sum}");
    assert_eq!(sum, COUNT * (COUNT + 1) / 2);
    Ok(())
}
