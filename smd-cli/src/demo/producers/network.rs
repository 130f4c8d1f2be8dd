//! Interfaces, addresses and routes as NETWORK, twice a second.
//!
//! What is there is state: each link and each address is a retained key, and so is a summary of the
//! routes, so that a late joiner is handed all of it. What changes is an event: an update of its key,
//! or, for what is gone, a message after which the key is cleared. A changed route is the well-known
//! `{"rt":"add"}` or `{"rt":"del"}`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use smd_lockfree::{Class, Retained};

use super::interfaces::{self, Address};
use super::routes::{self, Route};
use crate::demo::publisher::Publisher;
use crate::demo::stop::Stop;

/// Publishes until the run ends.
pub(crate) fn run(publisher: &Publisher, stop: &Stop, period: Duration) {
    let mut announcer = Announcer { publisher, kept: BTreeMap::new() };
    let mut known = Snapshot::default();
    let mut first = true;
    loop {
        let now = Snapshot::read();
        for change in changes(&known, &now) {
            // At the start the routes are state, in the summary, not events.
            if !first || !matches!(change, Change::Route(_)) {
                announcer.announce(&change);
            }
        }
        if first || now.routes != known.routes {
            announcer.summarise(&now.routes);
        }
        (known, first) = (now, false);
        if stop.wait(period) {
            return;
        }
    }
}

/// The network at one moment.
#[derive(Clone, Debug, Default)]
struct Snapshot {
    links: BTreeMap<String, String>,
    addresses: BTreeSet<Address>,
    routes: BTreeSet<Route>,
}

impl Snapshot {
    fn read() -> Snapshot {
        let read = |name| fs::read_to_string(name).unwrap_or_default();
        Snapshot {
            links: interfaces::links(),
            addresses: interfaces::addresses(),
            routes: routes::parse(&read("/proc/net/route"), &read("/proc/net/ipv6_route")),
        }
    }
}

/// What became of one thing between two snapshots.
#[derive(Debug, PartialEq, Eq)]
enum Change<'a> {
    /// A link and its state; none when it is gone.
    Link(&'a str, Option<&'a str>),
    /// An address, and whether it is there.
    Address(&'a Address, bool),
    /// A route; whether it was added.
    Route(bool),
}

/// What is gone comes first, as the kernel would tell it.
fn changes<'a>(before: &'a Snapshot, now: &'a Snapshot) -> Vec<Change<'a>> {
    let mut found = Vec::new();
    found.extend(before.routes.difference(&now.routes).map(|_| Change::Route(false)));
    found.extend(before.addresses.difference(&now.addresses).map(|it| Change::Address(it, false)));
    let gone = before.links.keys().filter(|name| !now.links.contains_key(*name));
    found.extend(gone.map(|name| Change::Link(name, None)));
    let new = now.links.iter().filter(|(name, state)| before.links.get(*name) != Some(state));
    found.extend(new.map(|(name, state)| Change::Link(name, Some(state))));
    found.extend(now.addresses.difference(&before.addresses).map(|it| Change::Address(it, true)));
    found.extend(now.routes.difference(&before.routes).map(|_| Change::Route(true)));
    found
}

/// Publishes changes, and keeps the handles of the retained keys.
#[derive(Debug)]
struct Announcer<'a> {
    publisher: &'a Publisher,
    kept: BTreeMap<Vec<u8>, Retained>,
}

impl Announcer<'_> {
    fn announce(&mut self, change: &Change<'_>) {
        match *change {
            Change::Link(name, Some(state)) => self.keep(link_key(name), &link(name, state)),
            Change::Link(name, None) => self.drop_key(&link_key(name), &link(name, "gone")),
            Change::Address(it, true) => self.keep(address_key(it), &address(it, "present")),
            Change::Address(it, false) => self.drop_key(&address_key(it), &address(it, "gone")),
            Change::Route(added) => self.say(&json!({ "rt": if added { "add" } else { "del" } })),
        }
    }

    fn summarise(&mut self, routes: &BTreeSet<Route>) {
        self.keep(b"routes".to_vec(), &summary(routes));
    }

    /// Sends state under its key. Where the bus keeps no more keys, it goes as an event only.
    fn keep(&mut self, key: Vec<u8>, payload: &Value) {
        if !self.kept.contains_key(&key) {
            match self.publisher.bus().retain_key(Class::NETWORK, &key) {
                Ok(retained) => drop(self.kept.insert(key.clone(), retained)),
                Err(_) => return self.say(payload),
            }
        }
        // A refusal is counted by the publisher.
        let _ = self.publisher.send_state(&self.kept[&key], payload.to_string().as_bytes());
    }

    /// Sends the news and forgets the state.
    fn drop_key(&mut self, key: &[u8], payload: &Value) {
        self.say(payload);
        if let Some(retained) = self.kept.remove(key) {
            retained.clear();
        }
    }

    fn say(&self, payload: &Value) {
        // A refusal is counted by the publisher.
        let _ = self.publisher.send_wait(Class::NETWORK, payload.to_string().as_bytes());
    }
}

fn link(name: &str, state: &str) -> Value {
    json!({ "link": name, "state": state })
}

fn address(address: &Address, state: &str) -> Value {
    match &address.interface {
        Some(link) => json!({ "address": address.ip, "link": link, "state": state }),
        None => json!({ "address": address.ip, "state": state }),
    }
}

fn summary(routes: &BTreeSet<Route>) -> Value {
    let old = routes.iter().filter(|route| route.destination.is_ipv4()).count();
    let default = routes.iter().any(|route| route.prefix == 0);
    json!({ "routes": { "ipv4": old, "ipv6": routes.len() - old, "default": default } })
}

/// `l` and the name, of 15 bytes at most in Linux: 16 bytes.
fn link_key(name: &str) -> Vec<u8> {
    [b"l", name.as_bytes()].concat()
}

/// `a`, the address and its interface's name: 32 bytes at most, which is what a key may have.
fn address_key(address: &Address) -> Vec<u8> {
    let mut key = b"a".to_vec();
    match address.ip {
        IpAddr::V4(ip) => key.extend(ip.octets()),
        IpAddr::V6(ip) => key.extend(ip.octets()),
    }
    key.extend(address.interface.iter().flat_map(|name| name.bytes()));
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(links: &[(&str, &str)], addresses: &[&str], routes: &[&str]) -> Snapshot {
        let owned = |(name, state): &(&str, &str)| (name.to_string(), state.to_string());
        let address = |ip: &&str| Address { ip: ip.parse().unwrap(), interface: None };
        let route = |to: &&str| Route {
            destination: to.parse().unwrap(),
            prefix: 0,
            gateway: None,
            metric: 0,
            interface: "eth0".to_owned(),
        };
        Snapshot {
            links: links.iter().map(owned).collect(),
            addresses: addresses.iter().map(address).collect(),
            routes: routes.iter().map(route).collect(),
        }
    }

    #[test]
    fn nothing_changed_is_no_change() {
        let now = snapshot(&[("eth0", "up")], &["192.0.2.2"], &["0.0.0.0"]);
        assert!(changes(&now, &now.clone()).is_empty());
    }

    #[test]
    fn what_goes_comes_before_what_is_new() {
        let before = snapshot(&[("a", "up"), ("b", "up")], &["192.0.2.2"], &["10.0.0.0"]);
        let now = snapshot(&[("a", "down")], &["192.0.2.3"], &["::", "fd00::"]);
        let gone = before.addresses.first().unwrap();
        let new = now.addresses.first().unwrap();
        let expected = [
            Change::Route(false),
            Change::Address(gone, false),
            Change::Link("b", None),
            Change::Link("a", Some("down")),
            Change::Address(new, true),
            Change::Route(true),
            Change::Route(true),
        ];
        assert_eq!(changes(&before, &now), expected);
    }

    #[test]
    fn payloads_and_keys_are_small() {
        let name = "abcdefghijklmno".to_owned();
        let longest = Address { ip: "fe80::1".parse().unwrap(), interface: Some(name.clone()) };
        assert_eq!(address_key(&longest).len(), 32);
        assert_eq!(
            address(&longest, "gone").to_string(),
            r#"{"address":"fe80::1","link":"abcdefghijklmno","state":"gone"}"#
        );
        assert_eq!(link(&name, "up")["state"], "up");
        let routes = snapshot(&[], &[], &["0.0.0.0", "::"]).routes;
        assert_eq!(
            summary(&routes).to_string(),
            r#"{"routes":{"default":true,"ipv4":1,"ipv6":1}}"#
        );
    }
}
