//! Laws of the policy file, for any bytes.
//!
//! 1. reading never panics, and says where the first thing is that is wrong: inside the file;
//! 2. what was read is printed, and reads as the same again, printed to the same text;
//! 3. the same file reads the same whoever resolves its names to the same ids;
//! 4. nobody gets more than the file's section says: permits are masks that a message must meet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smd_link::policy::{Credentials, IdKind, PeerPolicy};
use smd_lockfree::Class;

fn resolve(_: IdKind, name: &str) -> Option<u32> {
    (name.len() < 9).then(|| name.bytes().fold(7, |id, byte| id * 31 % 60_000 + u32::from(byte)))
}

fuzz_target!(|file: &[u8]| {
    let policy = match PeerPolicy::parse(file, resolve) {
        Ok(policy) => policy,
        Err(error) => {
            let lines = file.iter().filter(|byte| **byte == b'\n').count() + 1;
            assert!((1..=lines).contains(&error.line), "{error}");
            let line = file.split(|byte| *byte == b'\n').nth(error.line - 1).unwrap_or_default();
            assert!((1..=line.len() + 1).contains(&error.column), "{error}");
            assert_eq!(PeerPolicy::parse(file, resolve), Err(error));
            return;
        }
    };
    let text = policy.to_string();
    let again = PeerPolicy::parse(text.as_bytes(), |_, _| None).expect("ids are printed, no names");
    assert_eq!((again.to_string(), &again), (text, &policy));

    for uid in [0, 1, 1000, 65_534] {
        let peer = Credentials { pid: None, uid, gid: uid, groups: vec![29, 1000] };
        let Ok(permits) = policy.permits(&peer) else { continue };
        for class in [Class::METRICS, Class::NETWORK | Class::USER0, Class::ALL] {
            let sent = permits.check_send(class).is_ok();
            let all = Class::from_bits(permits.send().bits() & class.bits()) == class;
            assert!(!sent || all, "{class:?} was sent with {:?}", permits.send());
        }
    }
});
