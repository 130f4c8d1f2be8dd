//! The verbs between processes as their users run them: the built binary, real processes, exit codes.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use common::{smd, utf8};

const PATIENCE: Duration = Duration::from_secs(30);

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = smd(arguments).stdin(Stdio::piped()).spawn().unwrap();
    // Who does not read it may have ended.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// An abstract name that nobody else has.
fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("@smd-cli.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A process that is stopped at the end.
struct Running(Child);

impl Running {
    /// Starts it and waits until it says `ready` on standard error.
    fn start(arguments: &[&str], ready: &str) -> Running {
        let mut child = smd(arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(ready)));
        assert!(said.is_some(), "never said: {ready}");
        // Goes on to read, so that it never stands at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Running(child)
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    fn code(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_one_process_sends_another_shows() {
    let at = fresh();
    let mut proxy = Running::start(&["proxy", "--socket", &at], "listening");
    let listen = ["listen", "--socket", &at, "--json", "--count", "3", "--class", "NETWORK"];
    let mut listener = Running::start(&[&listen[..], &["--class", "24"]].concat(), "connected");
    let send = |class: &str, payload: &str, input: &[u8]| {
        let output = run(&["send", "--socket", &at, class, payload], input);
        assert_eq!(output.status.code(), Some(0), "{}", utf8(&output.stderr));
    };
    send("NETWORK", r#"{"rt":"add"}"#, b"");
    send("METRICS", "not asked for", b"");
    send("user0|METRICS", "-", b"of standard input\n");
    send("0x1000004", "-", b"\xff\x00");
    assert_eq!(listener.code(), Some(0));
    let mut text = String::new();
    listener.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let seen: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(seen.len(), 3);
    assert_eq!((&seen[0]["class"], &seen[0]["bits"]), (&Value::from("NETWORK"), &Value::from(4)));
    assert_eq!(seen[0]["payload"], r#"{"rt":"add"}"#);
    assert_eq!(seen[1]["payload"], "of standard input\n");
    assert_eq!(seen[2]["payload"], Value::Null);
    assert_eq!(seen[2]["bytes"], serde_json::json!([255, 0]));
    assert!(seen.iter().all(|line| line["time"].as_str().unwrap().parse::<f64>().unwrap() > 0.0));
    proxy.signal("TERM");
    assert_eq!(proxy.code(), Some(0), "it ends well when it is asked to");
}

#[test]
fn lines_are_for_people_and_one_message_is_one_line() {
    let at = fresh();
    let _proxy = Running::start(&["proxy", "--socket", &at, "--quiet"], "listening");
    let mut listener = Running::start(&["listen", "--socket", &at, "--count", "2"], "connected");
    for payload in ["plain", "two\nlines"] {
        assert!(run(&["send", "--socket", &at, "user7", payload], b"").status.success());
    }
    assert_eq!(listener.code(), Some(0));
    let mut text = String::new();
    listener.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(lines, ["user7 plain", "user7 two\\nlines"]);
}

#[test]
fn a_listener_ends_with_its_pipe_its_time_or_a_signal() {
    let at = fresh();
    let _proxy = Running::start(&["proxy", "--socket", &at], "listening");
    let mut piped = Running::start(&["listen", "--socket", &at], "connected");
    drop(piped.0.stdout.take());
    assert!(run(&["send", "--socket", &at, "1", "to nobody"], b"").status.success());
    assert_eq!(piped.code(), Some(0));
    let output = run(&["listen", "--socket", &at, "--count", "1", "--seconds", "0.2"], b"");
    assert_eq!(output.status.code(), Some(3), "the time was over");
    let output = run(&["listen", "--socket", &at, "--seconds", "0.2"], b"");
    assert_eq!(output.status.code(), Some(0));
    let mut asked = Running::start(&["listen", "--socket", &at], "connected");
    asked.signal("INT");
    assert_eq!(asked.code(), Some(0));
}

#[test]
fn bad_input_is_told_and_costs_an_exit_code() {
    let at = fresh();
    let long = "n".repeat(200);
    for (arguments, code, text) in [
        (&["send", "--socket", &at, "NETWORK", "x"][..], 1, "Connection refused"),
        (&["send", "--socket", &at, "NETWROK", "x"], 2, "NETWROK"),
        (&["send", "--socket", &at, "none", "x"], 1, "no class"),
        (&["send", "--socket", &at, "1"], 2, "PAYLOAD"),
        (&["send", "--socket", &format!("@{long}"), "1", "x"], 2, "over the limit of 107"),
        (&["send", "--socket", "tcp:70000", "1", "x"], 2, "65535"),
        (&["listen", "--count", "0"], 2, "0"),
        (&["listen", "--seconds", "-1"], 2, "--seconds"),
        (&["listen", "--class", "32"], 2, "32"),
        (&["proxy", "--policy", "/nowhere/policy"], 1, "/nowhere/policy"),
        (&["proxy", "--socket", "/nowhere/bus"], 1, "No such file"),
    ] {
        let output = run(arguments, b"");
        let errors = utf8(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(text), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
    let output = run(&["send", "--socket", &at, "1", "-"], &[7; 369]);
    assert_eq!(output.status.code(), Some(1));
    assert!(utf8(&output.stderr).contains("368"));
}

#[test]
fn a_policy_file_holds_and_its_template_is_one() {
    let directory = std::env::temp_dir().join(format!("smd-cli.{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (path, at) = (directory.join("policy"), fresh());
    let file = path.to_str().unwrap();
    let template = run(&["proxy", "--print-policy"], b"");
    std::fs::write(&path, &template.stdout).unwrap();
    assert_eq!(run(&["proxy", "--policy", file, "--print-policy"], b"").stdout, template.stdout);
    std::fs::write(&path, "[default]\nsend NETWORK\n\n[uid root]\nreceive NETWORK\n").unwrap();
    let proxy = ["proxy", "--socket", &at, "--policy", file];
    let running = Running::start(&proxy, "listening");
    let second = run(&proxy, b"");
    assert_eq!(second.status.code(), Some(1));
    assert!(utf8(&second.stderr).contains("somebody listens at"));
    drop(running);
    std::fs::write(&path, "[default]\nsend EVERYTHING\n").unwrap();
    let output = run(&proxy, b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(utf8(&output.stderr).contains("policy: line 2"), "{}", utf8(&output.stderr));
    std::fs::remove_dir_all(&directory).unwrap();
}
