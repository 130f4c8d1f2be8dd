//! The producers: each runs in a thread of its own and publishes one kind of event through a
//! [`Publisher`] until the run ends.
//!
//! Those that need the kernel's files (`/proc`, `/sys`) work on Linux only; where the files are
//! missing they say so once and publish nothing.

mod interfaces;
mod lines;
mod load;
mod metrics;
mod network;
mod routes;
mod splitter;
mod system_state;

pub(crate) use load::counter as load_counter;

use std::io;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use super::console::note;
use super::publisher::Publisher;
use super::stop::Stop;
use super::{Stage, spawn};

/// How often the network's files are read.
const NETWORK_PERIOD: Duration = Duration::from_millis(500);

/// How often the load, memory and pressure files are read.
const METRICS_PERIOD: Duration = Duration::from_secs(1);

/// Starts all producers, with a load of `rate` messages a second; returns the threads that end with
/// the run.
///
/// The reader of standard input is not among them: it may sit in a read for good, so it ends with
/// its input or with the process.
///
/// # Errors
///
/// When the system refuses a thread.
pub(crate) fn start(stage: &Stage, rate: u64) -> io::Result<Vec<JoinHandle<()>>> {
    let lines = Publisher::new(stage);
    spawn("lines", move || lines::run(&lines))?;

    let mut threads = vec![
        producer(stage, "system state", |publisher, stop| {
            system_state::run(publisher, stop, NETWORK_PERIOD);
        })?,
        producer(stage, "network", |publisher, stop| {
            if has_files("network events", &["/proc/net/route", "/sys/class/net"]) {
                network::run(publisher, stop, NETWORK_PERIOD);
            }
        })?,
        producer(stage, "metrics", |publisher, stop| {
            if has_files("metrics", &["/proc/loadavg"]) {
                metrics::run(publisher, stop, METRICS_PERIOD);
            }
        })?,
    ];
    if rate > 0 {
        threads.push(producer(stage, "load", move |publisher, stop| {
            load::run(publisher, stop, rate);
        })?);
    }
    Ok(threads)
}

/// Starts a producer's thread.
fn producer(
    stage: &Stage,
    name: &'static str,
    body: impl FnOnce(&Publisher, &Stop) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let (publisher, stop) = (Publisher::new(stage), stage.stop.clone());
    spawn(name, move || body(&publisher, &stop))
}

/// Whether the kernel offers these files; says so when not.
fn has_files(what: &str, files: &[&str]) -> bool {
    let missing = files.iter().find(|file| !Path::new(file).exists());
    if let Some(file) = missing {
        note(format_args!("no {what}: this system has no {file}"));
    }
    missing.is_none()
}
