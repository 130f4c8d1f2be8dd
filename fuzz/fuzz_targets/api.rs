//! API operations in arbitrary order, beside the sequential reference model: what a caller can
//! observe of the bus is what the model says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use verify::reference::{Script, run};

fuzz_target!(|bytes: &[u8]| {
    let script = Script::from_bytes(bytes);
    if let Err(mismatch) = run(&script) {
        panic!("{mismatch}\n{script:#?}");
    }
});
