//! Scripts from arbitrary bytes, for a fuzzer: every byte string is a script, and a small change of
//! the bytes is mostly a small change of the script.

use super::op::{Finish, Op, ReceiveForm, Script, SendForm, Setup, Via};
use smd_lockfree::{Class, Policy};

/// Longer inputs find nothing that these do not, only slower.
const MOST_OPS: usize = 400;

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.next() % limit
    }

    fn flag(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.next()) % choices.len()]
    }

    /// Few classes, so that they meet; sometimes two, rarely none or all.
    fn class(&mut self) -> Class {
        let byte = self.next();
        let bit = |n: u8| Class::bit([0, 2, 10, 24, 31][usize::from(n) % 5]).unwrap_or_default();
        match byte {
            0 => Class::NONE,
            1 => Class::ALL,
            2..=170 => bit(byte),
            _ => bit(byte) | bit(byte / 5),
        }
    }

    /// All the boundaries of a payload, and what lies between.
    fn len(&mut self) -> u16 {
        match self.next() {
            byte @ 0..=63 => byte.into(),
            byte @ 64..=191 => u16::from(byte) * 2,
            byte => [0, 1, 15, 16, 17, 383, 384, 385][usize::from(byte) % 8],
        }
    }

    fn via(&mut self) -> Via {
        match self.below(4) {
            0 => Via::Bus,
            sender => Via::Sender(sender),
        }
    }

    fn op(&mut self, nesting: u8) -> Op {
        use ReceiveForm as R;
        use SendForm as S;
        match self.below(32) {
            0..=5 => Op::Send {
                via: self.via(),
                form: self.pick(&[S::Plain, S::From, S::Format, S::Value, S::Wait, S::Poll]),
                class: self.class(),
                len: self.len(),
            },
            6 | 7 => {
                let (via, class, len) = (self.via(), self.class(), self.len());
                Op::SendMany { via, class, len, count: self.next().into() }
            }
            8 | 9 => {
                let count = self.below(12);
                let messages = (0..count).map(|_| (self.class(), self.len())).collect();
                Op::Batch { sender: self.next(), messages }
            }
            10 | 11 if nesting > 0 => {
                let (via, class, len) = (self.via(), self.class(), self.len());
                let truncate = self.flag().then(|| self.len());
                let finish = self.pick(&[Finish::Send, Finish::Send, Finish::Drop, Finish::Forget]);
                let between = (0..self.below(4)).map(|_| self.op(nesting - 1)).collect();
                Op::Draft { via, class, len, truncate, between, finish }
            }
            10..=12 => Op::NewSender { of: self.flag().then(|| self.next()) },
            13 => match self.flag() {
                true => Op::CloneSender { sender: self.next() },
                false => Op::DropSender { sender: self.next() },
            },
            14 | 15 => Op::Register {
                mask: self.class(),
                policy: self.pick(&[Policy::Backpressure, Policy::Lag]),
                depth: self.pick(&[None, Some(1), Some(2), Some(3), Some(8), Some(300), Some(0)]),
                exclude_own: self.flag(),
                retained: self.next() < 200,
                bridge: self.below(4) == 0,
                descriptor: self.flag(),
            },
            16 | 17 => Op::SetMask { participant: self.next(), mask: self.class() },
            18 => match self.below(3) {
                0 => Op::Leave { participant: self.next() },
                1 => Op::LeaveByHandle { participant: self.next() },
                _ => Op::DropParticipant { participant: self.next() },
            },
            19..=22 => {
                let forms = [R::Try, R::Try, R::Timeout, R::Blocking, R::Spinning, R::Poll];
                let (participant, form) = (self.next(), self.pick(&forms));
                Op::Receive { participant, form, keep: self.below(8) == 0 }
            }
            23 | 24 => {
                let participant = self.next();
                Op::Drain { participant, max: self.flag().then(|| self.below(12).into()) }
            }
            25 => Op::Exhaust { participant: self.next() },
            26 => Op::DropKept { kept: self.next() },
            27 => Op::Advance { millis: self.below(13) },
            28 => Op::Retain { class: self.class(), key: self.flag().then(|| self.below(34)) },
            29 => Op::RetainedSend { entry: self.next(), len: self.len() },
            30 => match self.below(4) {
                0 => Op::DropRetained { entry: self.next() },
                _ => Op::RetainedClear { entry: self.next() },
            },
            _ => match self.next() {
                0 => Op::Close,
                1..=8 => Op::DropBus,
                participant => Op::Exhaust { participant },
            },
        }
    }
}

impl Script {
    /// The script that these bytes mean; every byte string means one.
    pub fn from_bytes(bytes: &[u8]) -> Script {
        let mut bytes = Bytes(bytes);
        let setup = Setup {
            depth: bytes.pick(&[1, 2, 5, 64, smd_lockfree::DEFAULT_DEPTH]),
            expires: bytes.flag(),
            max_segments: 8 + usize::from(bytes.below(9)),
            retained_limit: 1 + usize::from(bytes.below(4)),
            max_participants: 1 + usize::from(bytes.below(6)),
            teardown: bytes.next(),
        };
        let mut ops = Vec::new();
        while !bytes.0.is_empty() && ops.len() < MOST_OPS {
            ops.push(bytes.op(1));
        }
        Script { setup, ops }
    }
}
