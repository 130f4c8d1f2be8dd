//! Typed or piped lines from standard input, each sent as a message of user class 24.
//!
//! A line is bytes: it need not be UTF-8. One over the limit is refused by the bus, counted, and
//! named on standard error. When a participant is full the reader waits for room, so a file
//! piped in arrives whole. The end of the input ends this producer and nothing else.

use std::io::{self, ErrorKind, Read};

use smd_lockfree::SendError;

use super::splitter::{Line, Splitter};
use crate::demo::console::note;
use crate::demo::publisher::{LINES, Publisher};

/// Bytes of one read at most.
const READ: usize = 4096;

/// Sends lines until the input ends or the bus is closed.
pub(crate) fn run(publisher: &Publisher) {
    if in_background() {
        note("no typed lines: this is a background job, which may not read the terminal");
        return;
    }
    let (mut splitter, mut buffer) = (Splitter::default(), [0; READ]);
    let mut input = io::stdin().lock();
    while !publisher.bus().is_closed() {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => splitter.push(&buffer[..count], |line| send(publisher, line)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                note(format_args!("no more lines: {error}"));
                break;
            }
        }
    }
    splitter.finish(|line| send(publisher, line));
}

fn send(publisher: &Publisher, line: Line<'_>) {
    match publisher.send_wait(LINES, line.bytes) {
        Ok(_) | Err(SendError::Closed) => {}
        Err(SendError::TooLong { max, .. }) => {
            note(format_args!("a line of {} bytes is refused: the limit is {max}", line.length));
        }
        Err(error) => note(format_args!("a line is refused: {error}")),
    }
}

/// Whether standard input is a terminal that this process may not read: the read would stop every
/// thread of it.
#[cfg(unix)]
fn in_background() -> bool {
    let foreground = rustix::termios::tcgetpgrp(io::stdin());
    foreground.is_ok_and(|group| group != rustix::process::getpgrp())
}

#[cfg(not(unix))]
fn in_background() -> bool {
    false
}
