//! Each way to sleep loses nothing, and a loss is seen.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::round::{IDLE, LEAST, WARM_UP};
use super::*;
use crate::peers::Smd;
use crate::recorder::Measured;

const PLAN: Plan = Plan { paced: 6, idle: Duration::from_millis(5) };

fn valid<S: Sleeper>() -> Measured {
    round::<S>(&Clock::real(), (0, 1), PLAN)
        .unwrap_or_else(|error| panic!("{} {}: {error}", S::NAME, S::VARIANT))
}

fn also(measured: &Measured, name: &str) -> Option<f64> {
    measured.also.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

#[test]
fn every_way_to_sleep_is_valid() {
    let bare = [valid::<Unpark>(), valid::<Blocking<Smd>>()];
    let smd = [valid::<SmdBy<Call>>(), valid::<SmdBy<Timed>>(), valid::<SmdBy<Task>>()];
    for measured in bare.iter().chain(&smd) {
        assert_eq!(measured.messages, PLAN.paced - WARM_UP);
        assert_eq!(measured.latency.as_ref().map(Histogram::len), Some(measured.messages));
        assert!(also(measured, "sender ns").is_some_and(|cost| cost > 0.0));
    }
    for measured in smd {
        let wakes = also(&measured, "wakes per sleep").expect("the bus counts");
        assert!(wakes > 0.0 && wakes <= 1.5, "{wakes}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn every_way_to_sleep_of_linux_is_valid() {
    for measured in [valid::<Eventfd>(), valid::<SmdBy<Epoll>>()] {
        // A receiver that sleeps uses nothing at all; but another test may keep it from falling asleep.
        let idle = also(&measured, "idle cpu ns per s").expect("Linux counts");
        assert!(idle < 0.5e9, "{idle}");
        assert!(also(&measured, "sleeps per burst").is_some());
    }
}

/// Loses messages, or ends.
struct Broken<const ENDS: bool>;

impl<const ENDS: bool> Sleeper for Broken<ENDS> {
    const NAME: &'static str = "broken";
    type Sender = <Unpark as Sleeper>::Sender;
    type Receiver = <Unpark as Sleeper>::Receiver;

    fn open(clock: &Clock) -> Result<(Self::Sender, Self::Receiver), String> {
        Unpark::open(clock)
    }

    fn meet(sender: &mut Self::Sender, receiver: &Thread) {
        Unpark::meet(sender, receiver);
    }

    fn send(sender: &mut Self::Sender, clock: &Clock, n: u64) -> Result<(), String> {
        assert!(!ENDS || n < 3, "message {n} is too much for it");
        if n == 4 { Ok(()) } else { Unpark::send(sender, clock, n - u64::from(n > 4)) }
    }

    fn receive(receiver: &mut Self::Receiver, log: &mut Log<'_>) -> Result<(), String> {
        Unpark::receive(receiver, log)
    }
}

#[test]
fn a_receiver_of_lost_messages_does_not_sleep_for_ever() {
    let error = round::<Broken<false>>(&Clock::real(), (0, 1), PLAN).map(drop);
    let error = error.expect_err("one is lost");
    assert!(error.contains("messages arrived"), "{error}");
}

#[test]
fn a_sender_that_panics_is_told() {
    let error = round::<Broken<true>>(&Clock::real(), (0, 1), PLAN).map(drop);
    assert_eq!(error, Err("a thread panicked: message 3 is too much for it".to_owned()));
}

#[test]
fn a_round_does_as_much_as_its_time_allows() {
    let plan = Plan::new(Duration::from_millis(50));
    assert_eq!(plan, Plan { paced: 50, idle: Duration::from_millis(100) });
    assert_eq!(Plan::new(Duration::from_secs(1)).idle, IDLE);
    assert_eq!(Plan::new(Duration::ZERO).paced, LEAST);
}
