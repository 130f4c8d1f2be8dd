//! The README shows what `results/` holds.

use smd_bench::{machine, readme};

#[test]
fn the_readme_shows_the_figures_of_the_results() {
    let root = machine::workspace();
    let filled = readme::filled(&root).expect("results and README are there");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("it was read just now");
    let shown = readme.lines().filter(|line| line.starts_with("| ")).count();
    assert!(shown > 10, "the README has no tables");
    assert!(
        filled == readme,
        "the README's figures differ from results/first.json; write them with \
         `cargo bench -p smd-bench --bench figures -- --write`"
    );
}
