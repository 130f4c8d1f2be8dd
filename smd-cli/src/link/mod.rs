//! The verbs that work between processes: [`proxy`], [`listen`], [`send`].

pub(crate) mod listen;
pub(crate) mod proxy;
pub(crate) mod send;

use clap::Args;
use smd_link::Address;

/// Where the proxy is.
#[derive(Debug, Args)]
pub(crate) struct Socket {
    /// Where the proxy listens: @NAME (abstract), tcp:PORT (loopback), or a path. The default is that of
    /// libwebsockets.
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::default())]
    socket: Address,
}

/// How a verb ended that did not fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Done,
    /// The time was over before what was asked for had come.
    Late,
}
