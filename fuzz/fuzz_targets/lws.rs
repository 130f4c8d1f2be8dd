//! Both sides of the libwebsockets protocol, driven by any bytes and times. The input is a script: a
//! byte that says which side, then steps of one byte and what they take.
//!
//! 1. no input, order of calls or time makes a session panic;
//! 2. no more than 2048 bytes wait for a peer that has not read, and the queue stays in its bound;
//! 3. what a session writes is whole frames that the other side's decoder accepts;
//! 4. each frame gives one event or the fault, the fault is final, and says a byte that was given;
//! 5. messages that are told have a class, and at most 384 bytes.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use smd_link::lws::{Fault, MAX_UNREAD, ToClient, ToProxy, client, proxy};
use smd_lockfree::wire::Decoder;
use smd_lockfree::{Class, MAX_PAYLOAD, Timestamp};

const START: u64 = 5_000_000_000;

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((side, script)) if side % 2 == 0 => {
            play(Proxy(proxy::Session::with_queue(now(0), 4096)), script)
        }
        Some((_, script)) => {
            play(Client(client::Session::with_queue(now(0), 7, Class::ALL, 4096)), script)
        }
        None => {}
    }
});

fn now(more: u64) -> Timestamp {
    Timestamp::from_nanos(START + more)
}

/// A session, whichever side.
trait Side {
    /// One event from the input, if there is one; whether it was one.
    fn next(&mut self, now: Timestamp, input: &mut &[u8]) -> Result<bool, Fault>;
    fn send(&mut self, now: Timestamp, class: Class, body: &[u8]);
    fn tick(&mut self, now: Timestamp) -> Result<(), Fault>;
    fn finish(&mut self) -> Result<(), Fault>;
    fn deadline(&self) -> Option<Timestamp>;
    fn output(&self) -> &[u8];
    fn written(&mut self, len: usize);
    fn peer_read_all(&mut self);
    /// Panics unless the other side's decoder accepts it.
    fn accept(kind_at: u64, kind: u8, body: &[u8]);
}

struct Proxy(proxy::Session);
struct Client(client::Session);

macro_rules! side {
    ($side:ident, $module:ident, $peer:ident, $($send:tt)*) => {
        impl Side for $side {
            fn next(&mut self, now: Timestamp, input: &mut &[u8]) -> Result<bool, Fault> {
                Ok(match self.0.next(now, input)? {
                    Some($module::Event::Message { class, body, .. }) => {
                        assert!(!class.is_empty() && body.len() <= MAX_PAYLOAD);
                        true
                    }
                    Some(_) => true,
                    None => false,
                })
            }
            $($send)*
            fn tick(&mut self, now: Timestamp) -> Result<(), Fault> {
                self.0.tick(now)
            }
            fn finish(&mut self) -> Result<(), Fault> {
                self.0.finish()
            }
            fn deadline(&self) -> Option<Timestamp> {
                self.0.deadline()
            }
            fn output(&self) -> &[u8] {
                self.0.output()
            }
            fn written(&mut self, len: usize) {
                self.0.written(len);
            }
            fn peer_read_all(&mut self) {
                self.0.peer_read_all();
            }
            fn accept(at: u64, kind: u8, body: &[u8]) {
                $peer::decode(smd_lockfree::wire::Frame { at, kind, body }).expect("a frame of ours");
            }
        }
    };
}

side!(
    Proxy,
    proxy,
    ToClient,
    fn send(&mut self, now: Timestamp, class: Class, body: &[u8]) {
        let _ = self.0.send(now, class, 4_999_990, body);
    }
);
side!(
    Client,
    client,
    ToProxy,
    fn send(&mut self, now: Timestamp, class: Class, body: &[u8]) {
        let _ = self.0.send(now, class, body);
    }
);

fn play<S: Side>(mut session: S, mut script: &[u8]) {
    let (mut time, mut given, mut unread) = (0_u64, 0_u64, 0_usize);
    let mut fault: Option<Fault> = None;
    let mut peer = Decoder::<1024>::new();
    let mut note = |result: Result<(), Fault>, given: u64| {
        if let Err(error) = result {
            assert!(error.at <= given, "{error}");
            match &fault {
                Some(first) => assert_eq!(*first, error, "a fault is final"),
                None => fault = Some(error),
            }
        } else {
            assert!(fault.is_none(), "it goes on behind a fault");
        }
    };
    while let Some((&step, rest)) = script.split_first() {
        script = rest;
        let mut byte = || {
            let (first, rest) = script.split_first().unwrap_or((&0, &[]));
            script = rest;
            *first
        };
        match step % 8 {
            0..=2 => {
                let len = usize::from(byte()) * if step % 8 == 2 { 8 } else { 1 };
                let (piece, rest) = script.split_at(len.min(script.len()));
                script = rest;
                given += piece.len() as u64;
                let mut input = piece;
                let result = loop {
                    let before = input.len();
                    match session.next(now(time), &mut input) {
                        Ok(true) => assert!(input.len() < before || before == 0),
                        Ok(false) => {
                            assert!(input.is_empty());
                            break Ok(());
                        }
                        Err(fault) => break Err(fault),
                    }
                };
                note(result, given);
            }
            3 => time += u64::from(byte()).pow(2) * 1_000_000,
            4 => {
                let class = Class::from_bits(u32::from(byte()).wrapping_mul(0x0101_0101));
                let len = usize::from(byte()) * 2;
                session.send(now(time), class, &vec![step; len]);
            }
            5 => {
                let output = session.output();
                let len = output.len().min(usize::from(byte()) * 16);
                let mut input = &output[..len];
                while let Some(frame) = peer.next(&mut input).expect("short frames") {
                    S::accept(frame.at, frame.kind, frame.body);
                }
                unread += len;
                session.written(len);
            }
            6 => {
                unread = 0;
                session.peer_read_all();
            }
            _ => {
                let result = session.tick(now(time));
                note(result, given);
            }
        }
        assert!(unread + session.output().len() <= MAX_UNREAD);
        assert!(session.deadline().is_none_or(|due| due >= now(0)));
    }
    time += Duration::from_secs(4).as_nanos() as u64;
    note(session.tick(now(time)), given);
    note(session.finish(), given);
}
