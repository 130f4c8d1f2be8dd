//! The `smd` command.
//!
//! One verb so far: [`demo`], a small service in one process that distributes this machine's real
//! events over a bus. It is also what runs without a verb. Each verb has its own module; this file
//! only reads the arguments and turns the outcome into an exit code: 0 done, 1 failed, 2 bad
//! arguments.

#![forbid(unsafe_code)]

mod demo;

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
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = match arguments.verb {
        Some(Verb::Demo(options)) => options,
        None => arguments.demo,
    };
    match demo::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr must not turn a failure into a panic.
            let _ = writeln!(std::io::stderr(), "smd: {error}");
            ExitCode::FAILURE
        }
    }
}
