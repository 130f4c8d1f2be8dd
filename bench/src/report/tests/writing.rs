use std::path::{Path, PathBuf};
use std::{env, fs, process};

use base64::Engine as _;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use super::synth::{report, rounds};
use crate::readme;
use crate::report::{PAGE, PLOTS, RAW, Report, quick_json};

/// A directory of the test's own, that goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = env::temp_dir().join(format!("smd-bench-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory for the test");
        Scratch(path)
    }

    fn read(&self, name: impl AsRef<Path>) -> String {
        fs::read_to_string(self.0.join(name)).expect("the file is there")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn written(report: &Report, root: &Scratch) -> Vec<String> {
    let results = root.0.join("results");
    let paths = report.write(&results).expect("the directory can be written");
    assert!(paths.iter().all(|path| path.is_file()));
    let name = |path: &PathBuf| path.strip_prefix(&results).map(|path| path.display().to_string());
    paths.iter().map(|path| name(path).expect("it lies there")).collect()
}

#[test]
fn all_files_are_written_and_old_ones_go() {
    let root = Scratch::new("files");
    let names = written(&report(rounds()), &root);
    for name in [PAGE, RAW, "hdr/T4-smd-single-1-near.hlog", "hdr/T5-smd-block-1-async-near.hlog"] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    for name in PLOTS {
        let svg = root.read(Path::new("results").join(name));
        assert!(
            svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains(">smd<"),
            "{name}"
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
    }
    // A report of nothing leaves no picture and no log of the one before.
    let names = written(&report(Vec::new()), &root);
    assert_eq!(names, [PAGE, RAW]);
    assert!(PLOTS.iter().all(|name| !root.0.join("results").join(name).exists()));
    assert_eq!(fs::read_dir(root.0.join("results/hdr")).expect("it stays").count(), 0);
    assert!(root.read("results/REPORT.md").contains("No rounds of T1, T2,"));
}

#[test]
fn the_raw_data_has_a_line_for_each_round_and_says_which_have_no_class() {
    let root = Scratch::new("raw");
    let rounds = rounds();
    let (all, without) =
        (rounds.len(), rounds.iter().filter(|round| round.class.is_none()).count());
    assert!(without > 0);
    let report = report(rounds);
    let rows = report.rows.len();
    written(&report, &root);
    let raw = root.read("results/report.json");
    let json: Value = serde_json::from_str(&raw).expect("JSON");
    let length = |name: &str| json[name].as_array().map_or(0, Vec::len);
    assert_eq!((length("rounds"), length("rows")), (all, rows));
    assert_eq!((length("plan"), length("left_out")), (1, 1));
    assert!(raw.lines().count() > all + rows);
    let found =
        json["rounds"].as_array().into_iter().flatten().filter(|round| round["class"].is_null());
    assert_eq!(found.count(), without);
    assert_eq!(json["targets"][0]["verdict"], "met");
    assert_eq!(json["provenance"]["processors"], 2);
    let page = root.read("results/REPORT.md");
    assert!(page.contains(&format!("{without} of ")), "the page counts them");
    // A variant in a row, and none where there is none.
    let row = |scenario: &str, variant: Option<&str>| {
        let rows = json["rows"].as_array().into_iter().flatten();
        rows.filter(|row| row["scenario"] == scenario && row["variant"].as_str() == variant).count()
    };
    assert_eq!((row("T6", Some("filter miss")), row("T6", None)), (1, 0));
    assert!(row("T2S", None) > 10);
}

#[test]
fn the_short_form_has_what_programs_ask_for() {
    let report = report(rounds());
    let text = quick_json(&report.rows, &report.left_out).expect("rows can be written");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let rows = json["rows"].as_array().expect("an array");
    assert_eq!(rows.len(), report.rows.len());
    let names = [
        "scenario",
        "contender",
        "mode",
        "participants",
        "class",
        "variant",
        "ns_median",
        "ns_min",
        "per_second",
        "p50",
        "p99",
        "runs",
    ];
    for row in rows {
        let row = row.as_object().expect("an object");
        assert!(
            names.iter().all(|name| row.contains_key(*name)) && row.len() == names.len(),
            "{row:?}"
        );
    }
    let one = rows.iter().find(|row| row["scenario"] == "T2S" && row["contender"] == "smd");
    let one = one.expect("the bus has a row");
    assert_eq!(
        (&one["class"], &one["mode"], &one["p50"]),
        (&"any".into(), &"single".into(), &Value::Null)
    );
    let way = rows.iter().find(|row| row["scenario"] == "T4").expect("there is one");
    assert!(way["p50"].is_u64() && way["p99"].is_u64());
}

#[test]
fn a_log_gives_back_what_was_recorded() {
    let root = Scratch::new("log");
    let rounds = rounds();
    let report = report(rounds);
    written(&report, &root);
    let log = root.read("results/hdr/T4-smd-single-1-near.hlog");
    let mut total = 0;
    let mut lines = 0;
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let Ok(LogEntry::Interval(interval)) = entry else {
            panic!("{entry:?}");
        };
        let encoded =
            base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram());
        let encoded = encoded.expect("base64");
        let ways: hdrhistogram::Histogram<u64> =
            Deserializer::new().deserialize(&mut encoded.as_slice()).expect("a histogram");
        total += ways.len();
        lines += 1;
    }
    let row = report
        .rows
        .iter()
        .find(|row| row.side.scenario.name() == "T4" && row.side.contender == "smd");
    let merged = row.and_then(|row| row.latency.as_ref()).map(|latency| latency.merged.len());
    // Five rounds are together in one line.
    assert_eq!((lines, Some(total)), (1, merged));
}

#[test]
fn the_page_names_what_is_missed_marked_and_left_out() {
    let root = Scratch::new("page");
    let report = report(rounds());
    written(&report, &root);
    let page = root.read("results/REPORT.md");
    for part in [
        "commit: 0123456789abcdef0123456789abcdef01234567",
        "versions: multiqueue2 0.2.1",
        "| **MISSED** |",
        "### What was missed, and what stands beside it",
        "; it asks for ",
        "### T2S: ",
        "### LIMIT: ",
        "![Fan-out",
        "SLOWER",
        "stopped a measuring thread 2 times",
        "* T8: it was not asked for",
        "| **smd** |",
    ] {
        assert!(page.contains(part), "{part:?} is not in the page");
    }
    // A row without stamps is in one table only, where it is compared with what is known of it.
    let (scenarios, peers) =
        page.split_once("## Peers without stamps").expect("the section is there");
    assert!(
        !scenarios.contains("unstamped")
            && peers.contains("| T1 | disruptor-sp | single | 1 | near |")
    );
    let shown = report.to_string();
    assert!(
        shown.contains("MISSED") && shown.contains("multiqueue2") && shown.lines().count() > 30
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error() {
    let root = Scratch::new("error");
    let file = root.0.join("file");
    fs::write(&file, "").expect("a file");
    assert!(report(Vec::new()).write(&file.join("results")).is_err());
}

#[test]
fn the_readme_takes_its_figures_from_the_results() {
    let root = Scratch::new("readme");
    let readme = root.0.join("README.md");
    fs::write(&readme, "# A\n\n<!-- figures:begin -->\nold\n<!-- figures:end -->\n\nB\n")
        .expect("written");
    // No report yet.
    readme::fill(&root.0).expect("both markers are there");
    let none = root.read("README.md");
    assert!(none.contains("No figures were taken yet") && !none.contains("old"), "{none}");
    // A report.
    written(&report(rounds()), &root);
    assert!(readme::filled(&root.0).expect("all files are there") != none);
    readme::fill(&root.0).expect("all files are there");
    let filled = root.read("README.md");
    assert!(filled.starts_with("# A\n\n<!--") && filled.ends_with("-->\n\nB\n"), "{filled}");
    for part in [
        "(results/fan-out.svg)",
        "| **smd** | 36.0 / 122 | 15.0 / 51.0 |",
        "| filter miss | 1.4 | 1.3 |",
        "own-ring",
    ] {
        assert!(filled.contains(part), "{part:?} is not in {filled}");
    }
    assert_eq!(
        readme::filled(&root.0).expect("all files are there"),
        filled,
        "filling again changes nothing"
    );
    // Whoever changes a figure by hand, or a result, is found out.
    fs::write(&readme, filled.replace("36.0 / 122", "6.0 / 22")).expect("written");
    assert_eq!(readme::filled(&root.0).expect("all files are there"), filled);
    fs::remove_file(root.0.join("results/fan-out.svg")).expect("it was there");
    assert!(!readme::filled(&root.0).expect("no picture").contains("fan-out"));
    // A page of another run.
    let page = root.read("results/REPORT.md").replace("2026-01-01", "2026-01-02");
    fs::write(root.0.join("results/REPORT.md"), page).expect("written");
    assert!(readme::filled(&root.0).is_err());
    fs::write(&readme, "no markers").expect("written");
    assert!(readme::filled(&root.0).is_err());
}
