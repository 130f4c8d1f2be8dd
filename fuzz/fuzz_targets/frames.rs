//! Laws of the frames, for any bytes and any cut. The first byte says how long the pieces are.
//!
//! 1. any cut of a stream gives the same frames and the same refusals;
//! 2. frames, refused ones and what is missing at the end account for every byte;
//! 3. a frame that is put together again gives the bytes that it was made of;
//! 4. a refusal names a length over the limit, and the stream goes on behind it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smd_lockfree::wire::{Decoder, FRAME_HEAD, WireError, encode_frame};

const CAPACITY: usize = FRAME_HEAD + 61;

#[derive(PartialEq, Eq, Debug)]
enum Seen {
    Frame(u64, u8, Vec<u8>),
    Refused(WireError),
    Cut(WireError),
}

fuzz_target!(|data: &[u8]| {
    let Some((&len, stream)) = data.split_first() else { return };
    let whole = seen([stream].into_iter());
    assert_eq!(seen(stream.chunks(usize::from(len).max(1))), whole);
    assert_eq!(seen(stream.chunks(1)), whole);
    account(stream, &whole);
});

fn seen<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut decoder = Decoder::<CAPACITY>::new();
    let (mut all, mut given) = (Vec::new(), 0);
    for mut input in pieces {
        given += input.len() as u64;
        loop {
            match decoder.next(&mut input) {
                Ok(None) => break,
                Ok(Some(frame)) => all.push(Seen::Frame(frame.at, frame.kind, frame.body.to_vec())),
                Err(error) => all.push(Seen::Refused(error)),
            }
        }
        assert!(input.is_empty());
        assert_eq!(decoder.position(), given);
    }
    if let Err(error) = decoder.finish() {
        all.push(Seen::Cut(error));
    }
    all
}

fn account(stream: &[u8], all: &[Seen]) {
    let mut at = 0;
    for seen in all {
        match seen {
            Seen::Frame(begin, kind, body) => {
                assert_eq!(*begin, at as u64);
                let mut out = [0; CAPACITY];
                let len = encode_frame(&mut out, *kind, &[body]).expect("what was held has room");
                assert_eq!(&out[..len], &stream[at..at + len]);
                at += len;
            }
            Seen::Refused(WireError::FrameTooLong { at: begin, kind, len, max }) => {
                assert_eq!((*begin, *kind), (at as u64, stream[at]));
                assert!(*len > *max && *max == CAPACITY - FRAME_HEAD);
                at += FRAME_HEAD + len;
            }
            Seen::Cut(WireError::FrameCut { at: end, need }) => {
                assert_eq!(*end, stream.len() as u64);
                assert!(*need > 0);
                return;
            }
            other => panic!("no such outcome: {other:?}"),
        }
    }
    assert_eq!(at, stream.len());
}
