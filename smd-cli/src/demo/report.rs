//! What the run came to: for each class how its sends ended, for each participant what became of
//! what it was to get.

use std::time::Duration;

use serde::{Serialize, Serializer};
use smd_lockfree::Class;

use super::console::{Colour, Console};
use super::participants::Outcome;
use super::publisher::{CLASSES, Counts, Ledger};

/// The end of a run, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// How long it really ran.
    seconds: f64,
    /// The load that was asked for, in messages a second.
    rate: u64,
    #[serde(serialize_with = "as_map")]
    classes: Vec<(String, ClassLine)>,
    participants: Vec<ParticipantLine>,
}

/// How the sends of a class ended.
#[derive(Debug, Serialize)]
struct ClassLine {
    sent: u64,
    unwanted: u64,
    refused: u64,
}

/// What became of what a participant was to get. Latencies are in nanoseconds, 0 when none was
/// measured.
#[derive(Debug, Serialize)]
struct ParticipantLine {
    name: String,
    mask: String,
    policy: &'static str,
    wait: &'static str,
    delivered: u64,
    expired: u64,
    lagged: u64,
    wakes: u64,
    depth_max: u64,
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
}

impl Report {
    /// Collects what was counted. Call it when all participants have ended.
    pub(crate) fn new(ran: Duration, rate: u64, ledger: &Ledger, outcomes: &[Outcome]) -> Report {
        let class_line = |class: &Class| {
            let Counts { sent, unwanted, refused } = ledger.counts(*class);
            (class.to_string(), ClassLine { sent, unwanted, refused })
        };
        Report {
            seconds: (ran.as_secs_f64() * 1000.0).round() / 1000.0,
            rate,
            classes: CLASSES.iter().map(class_line).collect(),
            participants: outcomes.iter().map(ParticipantLine::new).collect(),
        }
    }

    /// One JSON object and a line end.
    pub(crate) fn to_json(&self) -> String {
        let mut text = serde_json::to_string(self).expect("a report has only text and numbers");
        text.push('\n');
        text
    }

    /// Two tables for a reader.
    pub(crate) fn to_text(&self, console: Console) -> String {
        let mut classes = vec![row(["class", "sent", "unwanted", "refused"])];
        for (name, ClassLine { sent, unwanted, refused }) in &self.classes {
            classes.push(row([
                name,
                &sent.to_string(),
                &unwanted.to_string(),
                &refused.to_string(),
            ]));
        }
        let mut participants = vec![row([
            "participant",
            "mask",
            "policy",
            "waits",
            "delivered",
            "expired",
            "lagged",
            "wakes",
            "deepest",
            "p50",
            "p99",
            "p99.9",
        ])];
        participants.extend(self.participants.iter().map(ParticipantLine::cells));
        format!(
            "\nran {} s with {} load messages a second asked for\n\n{}\n{}",
            self.seconds,
            self.rate,
            table(&classes, 1, console),
            table(&participants, 4, console)
        )
    }
}

impl ParticipantLine {
    fn new(outcome: &Outcome) -> ParticipantLine {
        let (profile, counts) = (&outcome.profile, &outcome.counts);
        let latency = outcome.latency.quantiles();
        ParticipantLine {
            name: profile.name.clone(),
            mask: profile.mask.to_string(),
            policy: profile.policy_text(),
            wait: profile.wait,
            delivered: counts.delivered,
            expired: counts.expired,
            lagged: counts.lagged,
            wakes: counts.wakes,
            depth_max: counts.depth_max,
            p50_ns: latency.p50_ns,
            p99_ns: latency.p99_ns,
            p999_ns: latency.p999_ns,
        }
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = row([&self.name, &self.mask, self.policy, self.wait]);
        let counts = [self.delivered, self.expired, self.lagged, self.wakes, self.depth_max];
        cells.extend(counts.map(|count| count.to_string()));
        cells.extend([self.p50_ns, self.p99_ns, self.p999_ns].map(time));
        cells
    }
}

/// A time in the unit that suits it, with three digits.
fn time(nanoseconds: u64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e9, "s"), (1e6, "ms"), (1e3, "us")];
    let value = nanoseconds as f64;
    if nanoseconds == 0 {
        return "-".to_owned();
    }
    match UNITS.iter().find(|(size, _)| value >= *size) {
        None => format!("{nanoseconds} ns"),
        Some((size, unit)) => {
            let scaled = value / size;
            let decimals = if scaled < 10.0 { 2 } else { usize::from(scaled < 100.0) };
            format!("{scaled:.decimals$} {unit}")
        }
    }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Lines up rows under the first one, the heading: `left` columns to the left, the others, which are
/// numbers, to the right.
fn table(rows: &[Vec<String>], left: usize, console: Console) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for (line, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let joined = cells.collect::<Vec<_>>().join("  ");
        let joined = joined.trim_end();
        let painted =
            if line == 0 { console.paint(Colour::Bold, joined) } else { joined.to_owned() };
        text.push_str(&painted);
        text.push('\n');
    }
    text
}

/// Serializes pairs as a map that keeps their order.
fn as_map<S: Serializer>(pairs: &[(String, ClassLine)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().map(|(name, line)| (name, line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_their_unit() {
        let shown = [0, 999, 1_500, 45_200, 123_456, 7_000_000, 2_500_000_000].map(time);
        assert_eq!(shown, ["-", "999 ns", "1.50 us", "45.2 us", "123 us", "7.00 ms", "2.50 s"]);
    }

    #[test]
    fn tables_line_up() {
        let rows = [row(["name", "count"]), row(["a", "12345678"]), row(["longer", "1"])];
        let text = table(&rows, 1, Console::new(true));
        assert_eq!(text, "name       count\na       12345678\nlonger         1\n");
    }
}
