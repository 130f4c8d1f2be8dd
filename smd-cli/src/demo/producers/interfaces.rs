//! The machine's interfaces and addresses. Links come from `/sys/class/net`, addresses from
//! `/proc/net/if_inet6` and `/proc/net/fib_trie` (which has the IPv4 ones, without an interface);
//! the parsers are pure functions over those texts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    /// Where it is, if the kernel's file says so.
    pub(crate) interface: Option<String>,
}

impl Address {
    /// Whether other machines can reach it, beyond the link that it is on.
    pub(crate) fn is_global(&self) -> bool {
        match self.ip {
            IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
            IpAddr::V6(ip) => {
                !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified()
            }
        }
    }
}

/// Reads the links: name and state, in the words of the kernel (`up`, `down`, `unknown`, ...).
pub(crate) fn links() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir("/sys/class/net") else { return BTreeMap::new() };
    let link = |entry: fs::DirEntry| {
        // A file without a state (`bonding_masters`) is not an interface.
        let state = fs::read_to_string(entry.path().join("operstate")).ok()?;
        Some((entry.file_name().into_string().ok()?, state.trim().to_owned()))
    };
    entries.flatten().filter_map(link).collect()
}

/// Reads the addresses.
pub(crate) fn addresses() -> BTreeSet<Address> {
    let read = |name| fs::read_to_string(name).unwrap_or_default();
    parse(&read("/proc/net/fib_trie"), &read("/proc/net/if_inet6"))
}

/// Parses both texts; what is not an address is passed over.
fn parse(fib_trie: &str, if_inet6: &str) -> BTreeSet<Address> {
    let old = ipv4(fib_trie).into_iter().map(|ip| Address { ip: ip.into(), interface: None });
    old.chain(if_inet6.lines().filter_map(ipv6)).collect()
}

/// Finds in `/proc/net/fib_trie` the hosts that are this machine: a leaf `|-- address` with a line
/// `/32 host LOCAL` below it.
fn ipv4(fib_trie: &str) -> BTreeSet<Ipv4Addr> {
    let (mut leaf, mut found) = (None::<Ipv4Addr>, BTreeSet::new());
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf);
        }
    }
    found
}

/// `IFA_F_TENTATIVE` of Linux's `if_addr.h`: not known to be unique yet, so not in use.
const TENTATIVE: u32 = 0x40;

/// A line of `/proc/net/if_inet6`: address, interface's number, prefix, scope, flags, interface; all
/// but the last in hexadecimal.
fn ipv6(line: &str) -> Option<Address> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [address, _, _, _, flags, interface] = fields[..] else { return None };
    if u32::from_str_radix(flags, 16).ok()? & TENTATIVE != 0 {
        return None;
    }
    Some(Address { ip: ipv6_address(address)?.into(), interface: Some(interface.to_owned()) })
}

/// Parses 32 hexadecimal digits.
pub(crate) fn ipv6_address(digits: &str) -> Option<Ipv6Addr> {
    let whole = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    whole.then(|| u128::from_str_radix(digits, 16).ok()).flatten().map(Ipv6Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIB_TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
Local:
     +-- 192.0.2.0/24 2 0 2
        +-- 192.0.2.0/30 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.2
              /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
";

    const IF_INET6: &str = "\
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fd000000000000000000000000000002 04 40 00 82     eth0
fd000000000000000000000000000003 04 40 00 c2     eth0
00000000000000000000000000000001 01 80 10 80       lo
";

    fn address(ip: &str, interface: Option<&str>) -> Address {
        Address { ip: ip.parse().unwrap(), interface: interface.map(str::to_owned) }
    }

    #[test]
    fn addresses_are_found_once_and_without_the_tentative() {
        let expected = [
            address("127.0.0.1", None),
            address("192.0.2.2", None),
            address("::1", Some("lo")),
            address("fd00::2", Some("eth0")),
            address("fe80::fc:ff:fe00:1", Some("eth0")),
        ];
        assert_eq!(parse(FIB_TRIE, IF_INET6), BTreeSet::from(expected));
    }

    #[test]
    fn only_some_addresses_reach_beyond_the_link() {
        for ip in ["192.0.2.2", "10.1.2.3", "fd00::2", "2001:db8::1"] {
            assert!(address(ip, None).is_global(), "{ip}");
        }
        for ip in ["127.0.0.1", "169.254.3.4", "0.0.0.0", "::1", "fe80::1", "::"] {
            assert!(!address(ip, None).is_global(), "{ip}");
        }
    }

    #[test]
    fn other_texts_give_nothing() {
        for text in ["", "|-- x\n/32 host LOCAL", "/32 host LOCAL", "+1 04 40 20 80 eth0", "é"] {
            assert!(parse(text, text).is_empty(), "{text:?}");
        }
    }
}
