//! The run tells the tests which checker it means; the tests must have been compiled for it.

/// `RUSTFLAGS` in the environment replaces the flags that make a model, without a word; then no
/// model is compiled, and a run of none ends well.
#[test]
fn the_flags_reached_the_compiler() {
    let compiled = if cfg!(smd_loom) {
        "loom"
    } else if cfg!(smd_shuttle) {
        "shuttle"
    } else {
        ""
    };
    let meant = std::env::var("SMD_MODEL").unwrap_or_default();
    assert_eq!(
        meant, compiled,
        "built for another checker than was meant: unset RUSTFLAGS, and run `cargo verify quick`, \
         `cargo verify-loom` or `cargo verify-shuttle`"
    );
    assert_eq!(cfg!(smd_loom), cfg!(crossbeam_loom), "the two flags belong together");
}
