//! The front door of the verification: `cargo verify`.
//!
//! It builds the models under each checker's flags, runs every one in a process of its own, runs the
//! teeth (deliberate weakenings that a model must catch), and writes `results/verify.md`.

#[cfg(not(any(smd_loom, smd_shuttle)))]
mod front;

#[cfg(not(any(smd_loom, smd_shuttle)))]
fn main() -> std::process::ExitCode {
    front::main()
}

#[cfg(any(smd_loom, smd_shuttle))]
fn main() {
    eprintln!("the front door is built without a checker's flags: cargo verify");
    std::process::exit(2);
}
