//! `smd send`: sends one message through a proxy.

use std::error::Error;
use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use smd_link::client::{Link, Notice};
use smd_link::lws::MAX_BODY;
use smd_lockfree::{Bus, Class};

use super::{Outcome, Socket};

/// How long a proxy may take to let somebody in.
const PATIENCE: Duration = Duration::from_secs(5);

/// The arguments of `smd send`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    at: Socket,

    /// The classes: a name, a bit number, a mask such as 0x1000000, or several joined by |.
    class: Class,

    /// The payload, 0 to 368 bytes; - reads it from standard input.
    payload: String,
}

pub(crate) fn run(options: &Options) -> Result<Outcome, Box<dyn Error>> {
    if options.class.is_empty() {
        return Err("no class: at least one bit must be set".into());
    }
    let payload = match options.payload.as_str() {
        "-" => {
            let mut payload = Vec::new();
            // One byte more than fits, so that what is too long is known to be.
            std::io::stdin().take(MAX_BODY as u64 + 1).read_to_end(&mut payload)?;
            payload
        }
        text => text.as_bytes().to_vec(),
    };
    if payload.len() > MAX_BODY {
        return Err(format!("a payload of over {MAX_BODY} bytes, which no peer is sent").into());
    }
    let bus = Bus::new();
    let (tell, told) = mpsc::channel();
    let link = Link::builder(&bus).address(options.at.socket.clone()).forward(options.class);
    let link = link.notices(move |notice| {
        let is_connected = matches!(notice, Notice::Connected);
        let _ = tell.send(if is_connected { Ok(()) } else { Err(notice.to_string()) });
    });
    let link = link.build()?.spawn()?;
    match told.recv_timeout(PATIENCE) {
        Ok(Ok(())) => {}
        Ok(Err(text)) => return Err(format!("{}: {text}", options.at.socket).into()),
        Err(_) => return Err(format!("{}: no answer in {PATIENCE:?}", options.at.socket).into()),
    }
    bus.send(options.class, &payload)?;
    // It sends what is queued before it ends.
    link.stop()?;
    match told.try_iter().find_map(Result::err) {
        Some(text) => Err(format!("{}: {text}", options.at.socket).into()),
        None => Ok(Outcome::Done),
    }
}
