//! Why a proxy does not listen.

use core::fmt;
use std::io;
use std::path::PathBuf;

use crate::address::Address;

/// Why nothing listens.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListenError {
    /// Somebody else listens there.
    InUse(Address),
    /// The file is there and no socket: it is left alone.
    NoSocket(PathBuf),
    /// What the system says.
    System(io::Error),
}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> ListenError {
        ListenError::System(error)
    }
}

impl From<rustix::io::Errno> for ListenError {
    fn from(error: rustix::io::Errno) -> ListenError {
        ListenError::System(error.into())
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::InUse(address) => write!(f, "somebody listens at {address} already"),
            ListenError::NoSocket(path) => write!(f, "{} is there and no socket", path.display()),
            ListenError::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ListenError::System(error) => Some(error),
            _ => None,
        }
    }
}
