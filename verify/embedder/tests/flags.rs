//! The command says which checker it means; this was compiled for it.
//!
//! `RUSTFLAGS` in the environment, or `target.….rustflags` in a configuration of Cargo, replaces
//! the flags that make a model, without a word; then no model is compiled, and a run of none ends
//! well. This test is in every build.

#[test]
fn the_flags_reached_the_compiler() {
    let compiled = match (cfg!(smd_loom), cfg!(smd_shuttle)) {
        (true, false) => "loom",
        (false, true) => "shuttle",
        (false, false) => "",
        (true, true) => panic!("one checker at a time"),
    };
    assert_eq!(std::env::var("SMD_MODEL").unwrap_or_default(), compiled);
}
