//! Where a proxy listens and its peers connect.

use core::fmt;
use core::str::FromStr;
#[cfg(target_os = "linux")]
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};

/// Most bytes of an abstract name or of a path: what a socket address of Linux holds beside one
/// byte of 0.
pub const MAX_ADDRESS: usize = 107;

/// The abstract name where libwebsockets' proxy listens unless it is told otherwise, and its clients
/// connect (section 1 of `LWS-PROXY.md`).
pub const DEFAULT_NAME: &str = "proxy.ss.lws";

/// Where a proxy listens.
///
/// ```
/// use smd_link::Address;
///
/// let name: Address = "@proxy.ss.lws".parse()?;
/// assert_eq!(name, Address::default());
/// let path: Address = "/run/smd/bus".parse()?;
/// assert_eq!(path.to_string(), "/run/smd/bus");
/// let tcp: Address = "tcp:7681".parse()?;
/// assert_eq!(tcp, Address::tcp(7681));
/// # Ok::<(), smd_link::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address(pub(crate) Kind);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Abstract(String),
    Path(PathBuf),
    /// A port of the loopback address.
    Tcp(u16),
}

/// Why something is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing, or nothing behind the `@`.
    Empty,
    /// Longer than a socket address holds.
    TooLong {
        /// Bytes.
        len: usize,
        /// The most: [`MAX_ADDRESS`].
        max: usize,
    },
    /// A byte of 0 ends a path, and would end a name in most programs.
    Zero {
        /// Its place.
        at: usize,
    },
    /// Behind `tcp:` stands no port: 0 to 65535.
    Port,
}

impl Address {
    /// An abstract name, without the `@`. It is there as long as somebody listens, and needs no file. It has
    /// no permissions of its own: the proxy asks the policy's mode for each who connects.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn name(name: &str) -> Result<Address, AddressError> {
        check(name.as_bytes())?;
        Ok(Address(Kind::Abstract(name.to_owned())))
    }

    /// A file; its directory must exist.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn path(path: impl Into<PathBuf>) -> Result<Address, AddressError> {
        let path = path.into();
        check(path.as_os_str().as_encoded_bytes())?;
        Ok(Address(Kind::Path(path)))
    }

    /// A port of the loopback address; 0 lets the system choose one. The system does not say who
    /// connects, so to the policy every peer there is `nobody` (uid and gid 65534), whom it must let
    /// in: `mode 0666`, or that owner or group.
    pub fn tcp(port: u16) -> Address {
        Address(Kind::Tcp(port))
    }

    /// The file, if it is one.
    pub fn as_path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The port, if it is one.
    pub fn port(&self) -> Option<u16> {
        match self.0 {
            Kind::Tcp(port) => Some(port),
            _ => None,
        }
    }
}

/// The address of libwebsockets' proxy: [`DEFAULT_NAME`].
impl Default for Address {
    fn default() -> Address {
        Address(Kind::Abstract(DEFAULT_NAME.to_owned()))
    }
}

#[cfg(target_os = "linux")]
pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

fn check(bytes: &[u8]) -> Result<(), AddressError> {
    if bytes.is_empty() {
        return Err(AddressError::Empty);
    }
    if bytes.len() > MAX_ADDRESS {
        return Err(AddressError::TooLong { len: bytes.len(), max: MAX_ADDRESS });
    }
    match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => Err(AddressError::Zero { at }),
        None => Ok(()),
    }
}

/// `@NAME`, `tcp:PORT`, or a path.
impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        if let Some(name) = text.strip_prefix('@') {
            return Address::name(name);
        }
        if let Some(port) = text.strip_prefix("tcp:") {
            return port.parse().map(Address::tcp).map_err(|_| AddressError::Port);
        }
        Address::path(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Abstract(name) => write!(f, "@{name}"),
            Kind::Path(path) => write!(f, "{}", path.display()),
            Kind::Tcp(port) => write!(f, "tcp:{port}"),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressError::Empty => f.write_str("an empty address: @NAME, tcp:PORT or a path"),
            AddressError::TooLong { len, max } => {
                write!(f, "an address of {len} bytes is over the limit of {max}")
            }
            AddressError::Zero { at } => write!(f, "a byte of 0 at {at} in an address"),
            AddressError::Port => f.write_str("behind tcp: a port from 0 to 65535 must stand"),
        }
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_addresses_name_the_limit() {
        let long = "n".repeat(108);
        for (text, error) in [
            ("", AddressError::Empty),
            ("@", AddressError::Empty),
            ("@a\0b", AddressError::Zero { at: 1 }),
            ("tcp:", AddressError::Port),
            ("tcp:65536", AddressError::Port),
            ("tcp:x", AddressError::Port),
            (&long, AddressError::TooLong { len: 108, max: 107 }),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
        let error = format!("@{long}").parse::<Address>().unwrap_err();
        assert_eq!(error.to_string(), "an address of 108 bytes is over the limit of 107");
    }

    #[test]
    fn what_is_printed_is_read_again() {
        let long = format!("@{}", "n".repeat(107));
        for text in ["@proxy.ss.lws", "@with space", "tcp:0", "tcp:65535", "/run/x", "x", &long] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!(Address::default().to_string(), "@proxy.ss.lws");
    }
}
