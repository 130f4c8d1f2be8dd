//! `smd listen`: shows what a proxy distributes.

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use smd_link::client::{Link, Lost, Notice};
use smd_lockfree::{Bus, Class, Message, Origin, RecvError};

use super::{Outcome, Socket};

/// The arguments of `smd listen`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    at: Socket,

    /// A class: a name, a bit number, a mask such as 0x1000000, or several joined by |; all by default.
    #[arg(long, value_name = "CLASS")]
    class: Vec<Class>,

    /// One JSON object a line.
    #[arg(long)]
    json: bool,

    /// End after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// End after so many seconds; with --count the exit code is 3 if fewer had come.
    #[arg(long, value_name = "N", value_parser = crate::demo::parse_seconds,
          allow_negative_numbers = true)]
    seconds: Option<Duration>,
}

pub(crate) fn run(options: &Options) -> Result<Outcome, Box<dyn Error>> {
    let end = options.seconds.map(|seconds| Instant::now() + seconds);
    let classes = options.class.iter().fold(Class::NONE, |all, class| all | *class);
    let classes = if classes.is_empty() { Class::ALL } else { classes };
    let bus = Bus::new();
    let mut messages = bus.participant().name("listen").mask(classes).depth(65_536).register()?;
    let closing = bus.clone();
    // At Ctrl-C, and when the system asks it to end: also if it does so at "connected".
    ctrlc::set_handler(move || {
        closing.close();
    })?;
    let link = Link::builder(&bus).address(options.at.socket.clone()).receive(classes);
    let link = link.notices(tell).build()?.spawn()?;
    let mut left = options.count;
    let outcome = loop {
        if left == Some(0) {
            break Outcome::Done;
        }
        let received = match end {
            None => messages.recv_blocking(),
            Some(end) => messages.recv_timeout(end.saturating_duration_since(Instant::now())),
        };
        match received {
            Ok(message) => match show(&message, options.json) {
                Ok(()) => {}
                // Nobody reads any more.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break Outcome::Done,
                Err(error) => return Err(error.into()),
            },
            Err(RecvError::Timeout) if left.is_some() => break Outcome::Late,
            Err(RecvError::Lagged(lag)) => {
                let _ = writeln!(
                    io::stderr(),
                    "smd: {} messages lost here ({:?})",
                    lag.count,
                    lag.reason
                );
                continue;
            }
            Err(_) => break Outcome::Done,
        }
        left = left.map(|left| left - 1);
    };
    link.stop()?;
    Ok(outcome)
}

/// One line.
fn show(message: &Message<'_>, json: bool) -> io::Result<()> {
    let stamp = match message.origin() {
        Origin::Peer { timestamp, .. } if timestamp.nanos() > 0 => timestamp,
        _ => message.timestamp(),
    };
    let micros = stamp.micros();
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let class = message.class();
    // In one write: a line is whole, or not there.
    let line = if json {
        let mut object = json!({
            "time": format!("{seconds}.{micros:06}"),
            "class": class.to_string(),
            "bits": class.bits(),
        });
        object["payload"] = match message.text() {
            Ok(text) => json!(text),
            Err(_) => json!(null),
        };
        if message.text().is_err() {
            object["bytes"] = json!(message.bytes());
        }
        format!("{object}\n")
    } else {
        match message.text() {
            Ok(text) if !text.chars().any(char::is_control) => {
                format!("{seconds}.{micros:06} {class} {text}\n")
            }
            _ => format!("{seconds}.{micros:06} {class} {}\n", message.bytes().escape_ascii()),
        }
    };
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

/// What befalls the link, on standard error.
fn tell(notice: &Notice) {
    let text = match notice {
        // It is tried again each second: once is enough.
        Notice::Lost(Lost::Connect(error)) => format!("waiting for the proxy: {error}"),
        notice => notice.to_string(),
    };
    let _ = writeln!(io::stderr(), "smd: {text}");
}
