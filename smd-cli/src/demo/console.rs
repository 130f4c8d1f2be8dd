//! What goes to the terminal: the live log's lines, the report, and notes on standard error.
//!
//! Colours appear only when standard output is a terminal, `NO_COLOR` is not set and `TERM` is not
//! `dumb`. With `--json` standard output carries the one object and nothing else.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Duration;

use super::report::Report;

/// Where and how the demo writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    json: bool,
    colours: bool,
}

/// The colours that the demo uses, as their ANSI numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Bold = 1,
    Dim = 2,
    Green = 32,
    Yellow = 33,
    Blue = 34,
    Cyan = 36,
}

impl Console {
    /// The console of a run that ends in JSON, or in text.
    pub(crate) fn new(json: bool) -> Console {
        Console { json, colours: !json && colours_wanted() }
    }

    /// Whether the live log is shown.
    pub(crate) fn shows_log(self) -> bool {
        !self.json
    }

    /// The text in a colour, or as it is.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
    }

    /// Writes a line to standard output.
    ///
    /// # Errors
    ///
    /// Those of the write; nobody reads any more, most likely.
    pub(crate) fn line(self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "{text}")
    }

    /// Says what is about to happen.
    pub(crate) fn banner(self, seconds: Duration, rate: u64) {
        if self.shows_log() {
            let typed = if io::stdin().is_terminal() { "; a typed line is sent" } else { "" };
            // A failure here shows again at the first line of the log, which acts on it.
            let _ = self.line(&format!(
                "smd demo: {} s, {rate} load messages a second{typed}; Ctrl-C ends it",
                seconds.as_secs_f64()
            ));
        }
    }

    /// Writes the report. A closed pipe is no error: nobody wants it any more.
    ///
    /// # Errors
    ///
    /// Any other failed write.
    pub(crate) fn report(self, report: &Report) -> io::Result<()> {
        let text = if self.json { report.to_json() } else { report.to_text(self) };
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// Says something about the run on standard error, which may be closed.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "smd: {text}");
}

fn colours_wanted() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal()
        && !set("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_where_they_are_not_wanted() {
        let plain = Console { json: false, colours: false };
        let bright = Console { json: false, colours: true };
        assert_eq!(plain.paint(Colour::Green, "text"), "text");
        assert_eq!(bright.paint(Colour::Green, "text"), "\x1b[32mtext\x1b[0m");
    }
}
