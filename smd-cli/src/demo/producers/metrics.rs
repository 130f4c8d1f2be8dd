//! Load, memory and pressure, from the kernel's files, once a second as METRICS in JSON.
//!
//! Each file gives one message; a file that is not there (pressure needs a kernel option) gives none.

use std::fs;
use std::time::Duration;

use serde::Serialize;
use smd_lockfree::Class;

use crate::demo::publisher::Publisher;
use crate::demo::stop::Stop;

/// What the kernel has pressure files for.
const RESOURCES: [&str; 3] = ["cpu", "io", "memory"];

/// Publishes until the run ends.
pub(crate) fn run(publisher: &Publisher, stop: &Stop, period: Duration) {
    loop {
        if let Some(load) = fs::read_to_string("/proc/loadavg").ok().as_deref().and_then(load) {
            publish(publisher, &load);
        }
        if let Some(memory) = fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(memory) {
            publish(publisher, &memory);
        }
        for resource in RESOURCES {
            let text = fs::read_to_string(format!("/proc/pressure/{resource}")).ok();
            if let Some(pressure) = text.as_deref().and_then(|text| pressure(resource, text)) {
                publish(publisher, &pressure);
            }
        }
        if stop.wait(period) {
            return;
        }
    }
}

fn publish(publisher: &Publisher, value: &impl Serialize) {
    if let Ok(json) = serde_json::to_vec(value) {
        // A refusal is counted by the publisher; the next figures come in a second.
        let _ = publisher.send_wait(Class::METRICS, &json);
    }
}

/// Run queue averages and tasks.
#[derive(Debug, PartialEq, Serialize)]
struct Load {
    /// Averages over 1, 5 and 15 minutes.
    load: [f64; 3],
    running: u64,
    tasks: u64,
}

/// Parses `/proc/loadavg`.
fn load(text: &str) -> Option<Load> {
    let mut words = text.split_ascii_whitespace();
    let mut average = || words.next()?.parse().ok();
    let load = [average()?, average()?, average()?];
    let (running, tasks) = words.next()?.split_once('/')?;
    Some(Load { load, running: running.parse().ok()?, tasks: tasks.parse().ok()? })
}

/// Memory, in KiB.
#[derive(Debug, PartialEq, Serialize)]
struct Memory {
    memory_kib: u64,
    available_kib: u64,
    swap_kib: u64,
    swap_free_kib: u64,
}

/// Parses `/proc/meminfo`. A kernel without swap may leave its lines out.
fn memory(text: &str) -> Option<Memory> {
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(found, _)| *found == name)?;
        value.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some(Memory {
        memory_kib: field("MemTotal")?,
        available_kib: field("MemAvailable")?,
        swap_kib: field("SwapTotal").unwrap_or(0),
        swap_free_kib: field("SwapFree").unwrap_or(0),
    })
}

/// The share of the last 10 s, in percent, in which some or all tasks waited for a resource.
#[derive(Debug, PartialEq, Serialize)]
struct Pressure<'a> {
    pressure: &'a str,
    some_avg10: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_avg10: Option<f64>,
}

/// Parses a file of `/proc/pressure`. Older kernels have no `full` line for the processor.
fn pressure<'a>(resource: &'a str, text: &str) -> Option<Pressure<'a>> {
    let average = |kind: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let (_, fields) = lines.find(|(found, _)| *found == kind)?;
        fields.split(' ').find_map(|field| field.strip_prefix("avg10="))?.parse().ok()
    };
    Some(Pressure { pressure: resource, some_avg10: average("some")?, full_avg10: average("full") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loadavg_is_parsed() {
        let expected = Load { load: [0.52, 1.0, 12.25], running: 3, tasks: 1127 };
        assert_eq!(load("0.52 1.00 12.25 3/1127 40313\n"), Some(expected));
    }

    #[test]
    fn meminfo_is_parsed_with_and_without_swap() {
        let text = "MemTotal:       24682416 kB\nMemFree:        24560776 kB\n\
                    MemAvailable:   24461224 kB\nHugePages_Total:       0\n";
        let expected = Memory {
            memory_kib: 24_682_416,
            available_kib: 24_461_224,
            swap_kib: 0,
            swap_free_kib: 0,
        };
        assert_eq!(memory(text), Some(expected));
        let swap = format!("{text}SwapTotal:       2097148 kB\nSwapFree:        2097144 kB\n");
        let found = memory(&swap).unwrap();
        assert_eq!((found.swap_kib, found.swap_free_kib), (2_097_148, 2_097_144));
    }

    #[test]
    fn pressure_is_parsed_with_and_without_the_full_line() {
        let some = "some avg10=1.25 avg60=0.01 avg300=0.06 total=6100364\n";
        let full = "full avg10=0.50 avg60=0.00 avg300=0.00 total=0\n";
        let expected = Pressure { pressure: "cpu", some_avg10: 1.25, full_avg10: None };
        assert_eq!(pressure("cpu", some), Some(expected));
        let both = format!("{some}{full}");
        assert_eq!(pressure("io", &both).unwrap().full_avg10, Some(0.5));
    }

    #[test]
    fn other_texts_give_nothing() {
        for text in ["", "\n", "0.1 0.2", "a b c 1/2 3", "0.1 0.2 0.3 4", "MemTotal:", "some"] {
            assert_eq!(load(text), None, "{text:?}");
            assert_eq!(memory(text), None, "{text:?}");
            assert_eq!(pressure("io", text), None, "{text:?}");
        }
    }

    #[test]
    fn the_payloads_are_small_json() {
        let text = serde_json::to_string(&pressure("cpu", "some avg10=1.25").unwrap()).unwrap();
        assert_eq!(text, r#"{"pressure":"cpu","some_avg10":1.25}"#);
    }
}
