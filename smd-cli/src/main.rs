//! The `smd` command.
//!
//! [`demo`] is a small service in one process that distributes this machine's real events over a bus. It is
//! also what runs without a verb. The verbs of [`link`] work between processes (Linux). Each verb has its own
//! module; this file only reads the arguments and turns the outcome into an exit code: 0 done, 1
//! failed, 2 bad arguments, 3 the time was over before what was asked for had come.

#![forbid(unsafe_code)]

mod demo;
#[cfg(target_os = "linux")]
mod link;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A lock-free bus for small system messages.
#[derive(Debug, Parser)]
#[command(name = "smd", version, about, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// The arguments of `demo`, which is what runs without a verb.
    #[command(flatten)]
    demo: demo::Options,
}

/// What `smd` can do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Distribute this machine's events for some seconds, then report (the default).
    Demo(demo::Options),
    /// Run a bus for other processes, of libwebsockets too, until it is told to end.
    #[cfg(target_os = "linux")]
    Proxy(link::proxy::Options),
    /// Show what a proxy distributes.
    #[cfg(target_os = "linux")]
    Listen(link::listen::Options),
    /// Send one message through a proxy.
    #[cfg(target_os = "linux")]
    Send(link::send::Options),
}

/// The time was over before what was asked for had come.
#[cfg(target_os = "linux")]
const LATE: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(target_os = "linux")]
    let linked = |outcome: Result<link::Outcome, _>| {
        outcome.map(|outcome| match outcome {
            link::Outcome::Done => ExitCode::SUCCESS,
            link::Outcome::Late => ExitCode::from(LATE),
        })
    };
    let outcome = match &arguments.verb {
        Some(Verb::Demo(options)) => demo::run(options).map(|()| ExitCode::SUCCESS),
        #[cfg(target_os = "linux")]
        Some(Verb::Proxy(options)) => linked(link::proxy::run(options)),
        #[cfg(target_os = "linux")]
        Some(Verb::Listen(options)) => linked(link::listen::run(options)),
        #[cfg(target_os = "linux")]
        Some(Verb::Send(options)) => linked(link::send::run(options)),
        None => demo::run(&arguments.demo).map(|()| ExitCode::SUCCESS),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // A closed stderr must not turn a failure into a panic.
            let _ = writeln!(std::io::stderr(), "smd: {error}");
            ExitCode::FAILURE
        }
    }
}
