//! Logs of latencies in the HDR format: a file for each side and class, a line for a few rounds. Paced messages have two:
//! from the stamp, and *corrected* from when each was due. Rounds that count for nothing are in none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::recorder::{Class, Round};
use crate::side::Side;

/// Rounds in a line: a line for each is three quarters of all that a report takes.
const TOGETHER: usize = 8;

/// What has a log of its own.
type Key<'r> = (&'r Side, Class, &'static str);
/// A round, and the ways of its messages.
type Recorded<'r> = (&'r Round, &'r Histogram<u64>);

/// Writes the logs into a directory, and returns their paths.
///
/// # Errors
/// Those of the file system.
pub(super) fn write(directory: &Path, rounds: &[Round]) -> io::Result<Vec<PathBuf>> {
    let mut logs: BTreeMap<Key<'_>, Vec<Recorded<'_>>> = BTreeMap::new();
    for (round, class) in rounds.iter().filter_map(|round| Some((round, round.class?))) {
        for (ways, kind) in [(&round.latency, ""), (&round.corrected, "corrected")] {
            if let Some(ways) = ways {
                logs.entry((&round.side, class, kind)).or_default().push((round, ways));
            }
        }
    }
    if logs.is_empty() {
        return Ok(Vec::new());
    }
    fs::create_dir_all(directory)?;
    logs.into_iter()
        .map(|((side, class, kind), rounds)| {
            let path = directory.join(file_name(side, class, kind));
            fs::write(&path, log(side, class, &rounds)?)?;
            Ok(path)
        })
        .collect()
}

/// Words and numbers with dashes between.
fn file_name(side: &Side, class: Class, kind: &str) -> String {
    let Side { scenario, contender, mode, participants, variant, .. } = side;
    let name = format!(
        "{} {contender} {} {participants} {variant} {} {kind}",
        scenario.name(),
        mode.name(),
        class.name()
    );
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("-") + ".hlog"
}

fn log(side: &Side, class: Class, rounds: &[Recorded<'_>]) -> io::Result<Vec<u8>> {
    let mut log = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(&format!("{}, {}", side.label(), class.name()))
        .add_comment(&format!(
            "Nanoseconds. One line for {TOGETHER} rounds; its start is the number of its first turn and no time."
        ))
        .begin_log_with(&mut log, &mut serializer)?;
    // A tag of this text always is one: it has no comma and no space.
    let tag = || Tag::new(class.name());
    for rounds in rounds.chunks(TOGETHER) {
        let [(first, ways), others @ ..] = rounds else { continue };
        let mut all = (*ways).clone();
        for (_, ways) in others {
            all.add(*ways).map_err(io::Error::other)?;
        }
        let start = Duration::from_secs(first.turn as u64);
        let nanos: f64 = rounds.iter().map(|(round, _)| round.nanos * round.messages as f64).sum();
        let length = Duration::from_nanos(nanos as u64);
        writer.write_histogram(&all, start, length, tag()).map_err(io::Error::other)?;
    }
    Ok(log)
}
