//! The live log: waits blocking, wants all that the demo publishes on purpose, and holds senders
//! back when it is full.
//!
//! It prints each message but those of the load, of which it says once a second how many came. A
//! flood of others is thinned to what a person can read. Payloads are shown escaped: what somebody
//! pipes in must not drive the terminal. When standard output is closed nobody is left to serve, so
//! the run ends.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use smd_lockfree::{Class, Message, Participant, Policy, Timestamp};

use super::rate_limit::RateLimit;
use super::{Profile, Running, Seat, spawn};
use crate::demo::Stage;
use crate::demo::console::{Colour, Console};
use crate::demo::producers::load_counter;
use crate::demo::publisher::{LINES, LOAD};
use crate::demo::stop::Stop;

/// Lines a second at most.
const LINES_PER_SECOND: u32 = 40;

/// Registers the log and starts its thread.
///
/// # Errors
///
/// When the registration or the thread is refused.
pub(crate) fn start(stage: &Stage) -> Result<Running, Box<dyn Error>> {
    let mask = Class::SYSTEM_STATE | Class::NETWORK | Class::METRICS | LINES | LOAD;
    let profile = Profile::new("log", mask, Policy::Backpressure, "blocking");
    let seat = Seat::take(stage, profile, None)?;
    let mut log = Log {
        console: stage.console,
        stop: stage.stop.clone(),
        shown: stage.console.shows_log(),
        started: stage.bus.clock().now(),
        limit: RateLimit::new(LINES_PER_SECOND),
        load: LoadSummary::default(),
    };
    let serve = move || {
        let outcome = seat.serve(Participant::recv_blocking, |message| log.take(message));
        log.finish();
        outcome
    };
    Ok(spawn("log", serve)?)
}

#[derive(Debug)]
struct Log {
    console: Console,
    stop: Stop,
    shown: bool,
    started: Timestamp,
    limit: RateLimit,
    load: LoadSummary,
}

impl Log {
    fn take(&mut self, message: &Message<'_>) {
        if !self.shown {
            return;
        }
        let elapsed = message.timestamp().saturating_since(self.started);
        if message.class().intersects(LOAD) {
            if let Some(text) = self.load.add(elapsed, message.bytes()) {
                self.print(elapsed, message, &text);
            }
        } else if let Some(held_back) = self.limit.ask(elapsed) {
            self.say_held_back(held_back);
            self.print(elapsed, message, &escaped(message.bytes()));
        }
    }

    /// Says what is still to be said.
    fn finish(&mut self) {
        let held_back = self.limit.take_held_back();
        self.say_held_back(held_back);
    }

    fn print(&mut self, elapsed: Duration, message: &Message<'_>, text: &str) {
        let class = format!("{:<12}", message.class().to_string());
        let seconds = format!("{:8.3}", elapsed.as_secs_f64());
        let (seconds, class) = (
            self.console.paint(Colour::Dim, &seconds),
            self.console.paint(colour(message), &class),
        );
        self.line(&format!("{seconds}  {:>8}  {class}  {text}", message.sequence()));
    }

    fn say_held_back(&mut self, count: u64) {
        if count > 0 {
            let text = format!("          {count} more are not shown");
            self.line(&self.console.paint(Colour::Yellow, &text));
        }
    }

    fn line(&mut self, text: &str) {
        if self.shown && self.console.line(text).is_err() {
            // From here on it only takes its messages, so that nobody is held back.
            self.shown = false;
            self.stop.ask();
        }
    }
}

/// What the load came to in the second that runs.
#[derive(Debug, Default)]
struct LoadSummary {
    second: u64,
    count: u64,
}

impl LoadSummary {
    /// Counts a message; a text when it is the first of a new second.
    fn add(&mut self, elapsed: Duration, payload: &[u8]) -> Option<String> {
        let over = elapsed.as_secs() != self.second;
        let text = over.then(|| {
            let counter = load_counter(payload).unwrap_or_default();
            format!("{} messages since the last line; its counter is {counter}", self.count)
        });
        if over {
            (self.second, self.count) = (elapsed.as_secs(), 0);
        }
        self.count += 1;
        text
    }
}

/// Bytes as text on one line: what is not UTF-8 or does not print is escaped.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn colour(message: &Message<'_>) -> Colour {
    match message.class() {
        Class::SYSTEM_STATE => Colour::Green,
        Class::NETWORK => Colour::Cyan,
        Class::METRICS => Colour::Blue,
        LINES => Colour::Yellow,
        _ => Colour::Dim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_drive_a_terminal_is_escaped() {
        assert_eq!(escaped("plain, \u{e9}t\u{e9}".as_bytes()), "plain, \u{e9}t\u{e9}");
        assert_eq!(escaped(b"\x1b[31m\x07\t"), "\\u{1b}[31m\\u{7}\\t");
        assert_eq!(escaped(b"a\xff\xc3"), "a\\xff\\xc3");
        assert_eq!(escaped("\u{9b}".as_bytes()), "\\u{9b}");
    }

    #[test]
    fn the_load_is_summed_up_once_a_second() {
        let mut load = LoadSummary::default();
        let mut add = |milliseconds, counter: u64| {
            load.add(Duration::from_millis(milliseconds), &counter.to_le_bytes())
        };
        assert_eq!([add(0, 0), add(999, 1)], [None, None]);
        let text = add(1000, 2).unwrap();
        assert_eq!(text, "2 messages since the last line; its counter is 2");
        assert_eq!(add(1001, 3), None);
    }
}
