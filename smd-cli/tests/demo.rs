//! `smd demo` as its users run it: the built binary, its output, its exit code.

#![forbid(unsafe_code)]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use smd_lockfree::Class;

use common::{smd, utf8};

/// The load's class.
const LOAD: Class = Class::USER1;

/// That of the lines.
const LINES: Class = Class::USER0;

/// One that nobody wants.
const UNWANTED: Class = Class::USER2;

/// Runs to the end with this standard input.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = smd(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// The one object on standard output.
fn object(output: &Output) -> Value {
    let (text, errors) = (utf8(&output.stdout), utf8(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).unwrap()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn count(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no count {key} in {value}"))
}

fn class(report: &Value, class: Class) -> &Value {
    &report["classes"][class.to_string()]
}

fn lines(report: &Value) -> (u64, u64) {
    let line = class(report, LINES);
    (count(line, "sent"), count(line, "refused"))
}

fn participants(report: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let all = report["participants"].as_array().unwrap().iter();
    all.map(|participant| (participant["name"].as_str().unwrap(), participant))
}

#[test]
fn json_has_exactly_the_documented_keys() {
    let report = object(&run(&["demo", "--seconds", "0.5", "--rate", "100", "--json"], b""));
    assert_eq!(keys(&report), BTreeSet::from(["seconds", "rate", "classes", "participants"]));
    assert_eq!(count(&report, "rate"), 100);
    let published = [Class::SYSTEM_STATE, Class::NETWORK, Class::METRICS, LINES, LOAD, UNWANTED];
    assert_eq!(keys(&report["classes"]).len(), published.len());
    for bit in published {
        let expected = BTreeSet::from(["sent", "unwanted", "refused"]);
        assert_eq!(keys(class(&report, bit)), expected, "{bit}");
    }
    for (name, participant) in participants(&report) {
        let expected = BTreeSet::from([
            "name",
            "mask",
            "policy",
            "wait",
            "delivered",
            "expired",
            "lagged",
            "wakes",
            "depth_max",
            "p50_ns",
            "p99_ns",
            "p999_ns",
        ]);
        assert_eq!(keys(participant), expected, "{name}");
    }
}

#[test]
fn every_message_is_delivered_lagged_or_expired() {
    let report = object(&run(&["demo", "--seconds", "1.5", "--rate", "4000", "--json"], b""));
    let seconds = report["seconds"].as_f64().unwrap();
    assert!((1.5..30.0).contains(&seconds), "{seconds}");

    let load = count(class(&report, LOAD), "sent");
    assert!(load >= 600, "a tenth of the rate at least, but only {load}");
    assert!(load as f64 <= 4000.0 * seconds + 1.0, "{load} in {seconds} s");

    let mut waits = BTreeSet::new();
    for (name, participant) in participants(&report) {
        waits.insert(participant["wait"].as_str().unwrap());
        let settled = count(participant, "delivered")
            + count(participant, "lagged")
            + count(participant, "expired");
        if name == "late" {
            // It was handed state and got what came later.
            assert!(settled > 0, "{participant}");
        } else {
            let mask = participant["mask"].as_str().unwrap().split('|');
            let sent: u64 = mask.map(|class| count(&report["classes"][class], "sent")).sum();
            assert_eq!(settled, sent, "{participant}");
        }
        let quantiles = ["p50_ns", "p99_ns", "p999_ns"].map(|key| count(participant, key));
        assert!(quantiles.is_sorted(), "{participant}");
    }
    for wait in ["blocking", "callback", "timeout", "async"] {
        assert!(waits.contains(wait), "no participant waits {wait}");
    }
    let load_counter = format!("count {LOAD}");
    let find = |wanted: &str| participants(&report).find(|(name, _)| *name == wanted).unwrap().1;
    for name in ["log", "latency", load_counter.as_str()] {
        assert!(count(find(name), "delivered") > 0 && count(find(name), "p50_ns") > 0, "{name}");
    }
    let slow = find("slow");
    assert!(count(slow, "lagged") > 0 && count(slow, "depth_max") <= 64, "{slow}");
    assert!(count(class(&report, UNWANTED), "unwanted") > 0, "{report}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_machine_s_events_are_published() {
    let report = object(&run(&["demo", "--seconds", "0.5", "--rate", "0", "--json"], b""));
    for (bit, least) in [(Class::SYSTEM_STATE, 2), (Class::NETWORK, 1), (Class::METRICS, 2)] {
        assert!(count(class(&report, bit), "sent") >= least, "{report}");
    }
    assert_eq!(count(class(&report, LOAD), "sent"), 0);
}

#[test]
fn a_piped_line_is_sent_and_the_end_of_input_ends_nothing_else() {
    let report = object(&run(&["demo", "--seconds", "1", "--json"], b"hello\n"));
    assert_eq!(lines(&report), (1, 0));
    assert!(report["seconds"].as_f64().unwrap() >= 1.0);
}

#[test]
fn a_line_over_the_limit_is_refused_and_counted() {
    let longest = [b'x'; 384];
    let input = [&longest[..], b"x\n", &longest, b"\n", b"\xff\xfe\n", b"no line end"].concat();
    let output = run(&["demo", "--seconds", "0.5", "--json"], &input);
    assert_eq!(lines(&object(&output)), (3, 1));
    let errors = utf8(&output.stderr);
    assert!(errors.contains("385 bytes") && errors.contains("384"), "{errors}");
}

#[test]
fn an_open_input_does_not_keep_the_process() {
    let mut child =
        smd(&["demo", "--seconds", "0.3", "--json"]).stdin(Stdio::piped()).spawn().unwrap();
    let input = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    assert_eq!(lines(&object(&output)), (0, 0));
    drop(input);
}

#[test]
fn demo_runs_without_a_verb() {
    let output = run(&["--seconds", "0.2", "--json"], b"");
    assert!(keys(&object(&output)).contains("participants"));
}

#[test]
fn bad_arguments_are_named_and_end_with_2() {
    let cases: [&[&str]; 8] = [
        &["demo", "--seconds", "0"],
        &["demo", "--seconds", "-1"],
        &["demo", "--seconds", "soon"],
        &["demo", "--rate", "1.5"],
        &["--rate", "99999999999999999999"],
        &["demo", "--loud"],
        &["demo", "extra"],
        &["dance"],
    ];
    for arguments in cases {
        let output = run(arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let (errors, last) = (utf8(&output.stderr), arguments.last().unwrap());
        assert!(errors.starts_with("error: ") && errors.contains(last), "{errors}");
    }
}

#[test]
fn text_shows_the_log_and_the_tables_without_colours() {
    let output = run(&["demo", "--seconds", "1.2", "--rate", "500"], b"hello\n\x1b[31mred\n");
    assert_eq!(output.status.code(), Some(0));
    let text = utf8(&output.stdout);
    for part in ["hello", "\nclass ", "\nSYSTEM_STATE ", "\nparticipant ", "\nslow ", "p99.9"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn a_closed_pipe_ends_the_run_well() {
    let mut child = smd(&["demo", "--seconds", "60", "--rate", "500"]).spawn().unwrap();
    let started = Instant::now();
    assert!(!first_line(&mut child).is_empty());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!utf8(&output.stderr).contains("panicked"), "{}", utf8(&output.stderr));
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_run_with_its_report() {
    use rustix::process::{Pid, Signal, kill_process};

    let mut child = smd(&["demo", "--seconds", "60", "--rate", "500"]).spawn().unwrap();
    let started = Instant::now();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    // The first line comes after the handler is in place.
    out.read_line(&mut text).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(text.contains("\nparticipant "), "{text}");
    assert!(started.elapsed() < Duration::from_secs(30));
}

/// Reads a line of standard output, then closes it.
fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}
