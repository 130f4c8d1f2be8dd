//! The README shows what `results/` holds, or says that it holds nothing yet.

use smd_bench::{machine, readme};

#[test]
fn the_readme_shows_the_figures_of_the_results() {
    let root = machine::workspace();
    let filled = match readme::filled(&root) {
        Ok(filled) => filled,
        Err(error) => panic!("{error}"),
    };
    let readme = std::fs::read_to_string(root.join("README.md")).expect("it was read just now");
    let taken = root.join("results/report.json").exists();
    assert_eq!(taken, !readme.contains("No figures were taken yet"), "figures or none: not both");
    if taken {
        let lines = readme.lines().filter(|line| line.starts_with("| ")).count();
        assert!(lines > 10, "the README has no tables");
        assert!(readme.contains("(results/fan-out.svg)"), "the README has no pictures");
    }
    assert!(
        filled == readme,
        "the README's figures differ from results/report.json; write them with \
         `cargo run --release -p smd-bench -- readme`"
    );
}
