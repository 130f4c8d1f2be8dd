//! `smd demo`: a small real service in one process.
//!
//! ```text
//!   producers (a thread each)            the bus               participants (a thread each)
//!
//!   network       NETWORK      \                        / log         blocking, backpressure
//!   metrics       METRICS       \                      /  count ...   callbacks in an event loop
//!   system state  SYSTEM_STATE   >--- Publisher ---->-<   latency     spinning or timed, lag
//!   lines         USER0         /      (counts)        \  watch       a descriptor and poll
//!   load          USER1        /                        \ slow        64 deep, lag
//!                                                        \ late       async, joins at half time
//! ```
//!
//! The end comes in the order that loses nothing: the producers stop and are joined, the bus is
//! closed, the participants take what was accepted before that and are joined, the counts are read.

mod console;
mod latency;
mod participants;
mod producers;
mod publisher;
mod report;
mod stop;

use std::error::Error;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clap::Args;
use smd_lockfree::Bus;

use console::Console;
use publisher::Ledger;
use report::Report;
use stop::Stop;

/// The longest run that can be asked for, in seconds: 365 days.
const LONGEST_SECONDS: f64 = 365.0 * 86_400.0;

/// The highest load that can be asked for, in messages a second.
const HIGHEST_RATE: u64 = 1_000_000_000;

/// The arguments of `smd demo`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long to run, in seconds; fractions are allowed. Ctrl-C ends it sooner.
    #[arg(long, value_name = "N", default_value = "10", value_parser = parse_seconds,
          allow_negative_numbers = true)]
    seconds: Duration,

    /// Messages a second from the load generator; 0 switches it off.
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u64).range(..=HIGHEST_RATE),
          allow_negative_numbers = true)]
    rate: u64,

    /// Print one JSON object at the end and nothing else on standard output.
    #[arg(long)]
    json: bool,
}

/// What every producer and participant is given.
#[derive(Clone, Debug)]
struct Stage {
    bus: Bus,
    ledger: Arc<Ledger>,
    stop: Stop,
    console: Console,
}

/// Runs the service, then prints the report.
///
/// # Errors
///
/// When a thread, a registration or the signal handler is refused, or when the report cannot be
/// written. A closed pipe on standard output is no error: it ends the run.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let stage = Stage {
        bus: Bus::builder().name("demo").build()?,
        ledger: Arc::default(),
        stop: Stop::default(),
        console: Console::new(options.json),
    };
    end_on_signal(&stage.stop)?;
    stage.console.banner(options.seconds, options.rate);

    let mut crew = participants::start(&stage)?;
    let started = Instant::now();
    let producers = producers::start(&stage, options.rate)?;

    // Half-way a participant joins late, to be handed the state that it missed.
    stage.stop.wait(options.seconds / 2);
    crew.push(participants::late::start(&stage)?);
    stage.stop.wait(options.seconds.saturating_sub(started.elapsed()));
    stage.stop.ask();
    let ran = started.elapsed();

    for producer in producers {
        join(producer)?;
    }
    stage.bus.close();
    let mut outcomes = Vec::new();
    for participant in crew {
        outcomes.extend(join(participant)?);
    }

    let report = Report::new(ran, options.rate, &stage.ledger, &outcomes);
    Ok(stage.console.report(&report)?)
}

/// Makes Ctrl-C, and a request to terminate, end the run with its report. A second one ends the
/// process at once, so that nothing which hangs (a stopped terminal, say) can hold it.
fn end_on_signal(stop: &Stop) -> Result<(), ctrlc::Error> {
    let stop = stop.clone();
    ctrlc::set_handler(move || {
        if stop.ask_by_hand() {
            std::process::exit(130);
        }
    })
}

/// Waits for a thread; its panic becomes an error here.
fn join<T>(thread: JoinHandle<T>) -> Result<T, Box<dyn Error>> {
    let name = thread.thread().name().unwrap_or("unnamed").to_owned();
    thread.join().map_err(|_| format!("the thread `{name}` panicked").into())
}

/// Starts a thread with a name that shows in debuggers and `top -H`.
fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    thread::Builder::new().name(format!("smd {name}")).spawn(body)
}

/// Reads the argument of `--seconds`.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if seconds > 0.0 && seconds <= LONGEST_SECONDS {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("must be more than 0 and at most {LONGEST_SECONDS}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_be_fractions() {
        assert_eq!(parse_seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_seconds("10"), Ok(Duration::from_secs(10)));
    }

    #[test]
    fn seconds_out_of_range_are_refused() {
        for text in ["0", "-1", "nan", "inf", "1e99", "", "ten", "1s"] {
            assert!(parse_seconds(text).is_err(), "{text:?}");
        }
    }
}
