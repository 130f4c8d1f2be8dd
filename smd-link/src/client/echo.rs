//! What was sent and comes back: a libwebsockets proxy sends a client its own messages, too, when its
//! mask has them, and nothing in them says whose they are.

use core::hash::{Hash, Hasher};
use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;

use smd_lockfree::{Class, Timestamp};

use crate::lws::after;

/// So many are remembered at most: more than a proxy queues.
const MOST: usize = 4096;
/// What has not come back after this does not come back: the time to live of a message in that proxy,
/// and as much again.
const FORGET: core::time::Duration = core::time::Duration::from_secs(4);

/// The messages that were sent and have not come back, in order, by a hash of 64 bits.
#[derive(Debug, Default)]
pub(super) struct Echoes(VecDeque<(u64, Timestamp)>);

impl Echoes {
    pub(super) fn sent(&mut self, class: Class, body: &[u8], now: Timestamp) {
        while self.0.len() >= MOST || self.0.front().is_some_and(|(_, forget)| now >= *forget) {
            self.0.pop_front();
        }
        self.0.push_back((hash(class, body), after(now, FORGET)));
    }

    /// Whether this is one that was sent. Those sent before it are forgotten: one client's messages
    /// come in their order, so they were lost.
    pub(super) fn is_own(&mut self, class: Class, body: &[u8], now: Timestamp) -> bool {
        let wanted = hash(class, body);
        let found = self.0.iter().position(|(sent, forget)| *sent == wanted && now < *forget);
        if let Some(at) = found {
            self.0.drain(..=at);
        }
        found.is_some()
    }

    /// A new connection: what was sent on the last one does not come on this.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn hash(class: Class, body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (class.bits(), body).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Class = Class::USER0;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000 + millis * 1_000_000)
    }

    #[test]
    fn each_that_was_sent_is_taken_back_once() {
        let mut echoes = Echoes::default();
        for body in [&b"a"[..], b"b", b"a", b"c"] {
            echoes.sent(A, body, at(0));
        }
        assert!(!echoes.is_own(A, b"d", at(1)) && !echoes.is_own(Class::USER1, b"a", at(1)));
        assert!(echoes.is_own(A, b"a", at(1)));
        // What lay before was lost on its way.
        assert!(echoes.is_own(A, b"a", at(2)) && !echoes.is_own(A, b"b", at(2)));
        assert!(echoes.is_own(A, b"c", at(3)) && !echoes.is_own(A, b"c", at(3)));
    }

    #[test]
    fn what_does_not_come_is_forgotten() {
        let mut echoes = Echoes::default();
        echoes.sent(A, b"a", at(0));
        assert!(!echoes.is_own(A, b"a", at(4_000)));
        for number in 0..5_000_u32 {
            echoes.sent(A, &number.to_le_bytes(), at(4_000));
        }
        assert_eq!(echoes.0.len(), MOST);
        assert!(echoes.is_own(A, &4_999_u32.to_le_bytes(), at(4_001)));
        assert!(echoes.0.is_empty());
        echoes.sent(A, b"a", at(5_000));
        echoes.clear();
        assert!(!echoes.is_own(A, b"a", at(5_000)));
    }
}
