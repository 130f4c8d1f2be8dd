//! The kernel's routes, from `/proc/net/route` and `/proc/net/ipv6_route`: pure functions over their
//! texts.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One route that leads somewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) destination: IpAddr,
    /// Leading bits of the destination that count; 0 makes it the default route.
    pub(crate) prefix: u32,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) metric: u32,
    pub(crate) interface: String,
}

/// `RTF_UP` of Linux's `route.h`: the route is usable.
const UP: u32 = 0x1;

/// `RTF_REJECT` of Linux's `route.h`: the route refuses.
const REJECT: u32 = 0x200;

/// `RTF_LOCAL` of Linux's `ipv6_route.h`: the destination is this machine.
const LOCAL: u32 = 0x8000_0000;

/// Parses both texts; lines that are not routes are passed over.
pub(crate) fn parse(route: &str, ipv6_route: &str) -> BTreeSet<Route> {
    let old = route.lines().filter_map(ipv4);
    let new = ipv6_route.lines().filter_map(ipv6);
    old.chain(new).collect()
}

/// A line of `/proc/net/route`: interface, destination, gateway, flags, references, uses, metric,
/// mask. Addresses are 32-bit words in hexadecimal as the machine holds them in network order.
fn ipv4(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let word = |index: usize| hexadecimal(fields.get(index)?);
    let address = |index: usize| Some(Ipv4Addr::from(word(index)?.to_ne_bytes()));
    let flags = word(3)?;
    if flags & UP == 0 || flags & REJECT != 0 {
        return None;
    }
    Some(Route {
        destination: address(1)?.into(),
        prefix: word(7)?.count_ones(),
        gateway: address(2).filter(|gateway| !gateway.is_unspecified()).map(IpAddr::V4),
        metric: fields.get(6)?.parse().ok()?,
        interface: (*fields.first()?).to_owned(),
    })
}

/// A line of `/proc/net/ipv6_route`: destination, its prefix, source, its prefix, next hop, metric,
/// references, uses, flags, interface; all but the last in hexadecimal.
fn ipv6(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let word = |index: usize| hexadecimal(fields.get(index)?);
    let address = |index: usize| super::interfaces::ipv6_address(fields.get(index)?);
    let flags = word(8)?;
    if flags & UP == 0 || flags & (REJECT | LOCAL) != 0 {
        return None;
    }
    Some(Route {
        destination: address(0)?.into(),
        prefix: word(1)?,
        gateway: address(4).filter(|hop| *hop != Ipv6Addr::UNSPECIFIED).map(IpAddr::V6),
        metric: word(5)?,
        interface: (*fields.get(9)?).to_owned(),
    })
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The words stand in the order of the machine that wrote the file.
    #[cfg(target_endian = "little")]
    const ROUTE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT      \n\
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0      \n\
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0      \n\
eth0\t0000000A\t00000000\t0201\t0\t0\t0\t000000FF\t0\t0\t0      \n";

    const IPV6_ROUTE: &str = "\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n\
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n\
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo\n\
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";

    fn route(to: &str, prefix: u32, gateway: Option<&str>, metric: u32) -> Route {
        Route {
            destination: to.parse().unwrap(),
            prefix,
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            metric,
            interface: "eth0".to_owned(),
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ipv4_routes_are_parsed_without_the_heading_and_the_refusing() {
        let expected =
            [route("0.0.0.0", 0, Some("192.0.2.1"), 100), route("192.0.2.0", 24, None, 0)];
        assert_eq!(parse(ROUTE, ""), BTreeSet::from(expected));
    }

    #[test]
    fn ipv6_routes_are_parsed_without_the_local_and_the_refusing() {
        let expected = [route("fd00::", 64, None, 256), route("::", 0, Some("fd00::1"), 1024)];
        assert_eq!(parse("", IPV6_ROUTE), BTreeSet::from(expected));
    }

    #[test]
    fn other_texts_give_nothing() {
        for text in ["", "\n\n", "eth0", "eth0 0 0 1 0 0 x 0", "zz 40 0 0 0 0 0 0 1 eth0"] {
            assert!(parse(text, text).is_empty(), "{text:?}");
        }
    }
}
