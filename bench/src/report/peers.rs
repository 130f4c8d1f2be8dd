//! The section on peers without stamps: whether each is used as well here as elsewhere.

use crate::report::expected::{self, Comparison, NEAR_ENOUGH, PROCESSOR, REASONS, Reason};
use crate::report::numbers::{part, plain};
use crate::report::rows::Row;
use crate::report::table::Table;
use crate::side::Scenario;

/// The section, of a run on such a processor.
pub(super) fn section(rows: &[Row], processor: &str) -> String {
    let comparisons = expected::comparisons(rows);
    if comparisons.is_empty() {
        return "No round without stamps was measured.\n".to_owned();
    }
    let mut table = Table::new([
        "",
        "contender",
        "mode",
        "to",
        "class",
        "rounds",
        "here",
        "expected",
        "ratio",
        "",
    ]);
    for compared in &comparisons {
        let side = compared.side;
        table.push([
            side.scenario.name().to_owned(),
            side.contender.to_owned(),
            side.mode.name().to_owned(),
            side.participants.to_string(),
            compared.class.name().to_owned(),
            compared.runs.to_string(),
            plain(compared.here),
            compared.expected.map_or_else(|| "-".to_owned(), plain),
            compared.ratio().map_or_else(|| "-".to_owned(), part),
            mark(compared, REASONS),
        ]);
    }
    let known = comparisons.iter().filter(|compared| compared.expected.is_some()).count();
    let off = comparisons.iter().filter(|compared| !compared.is_near()).count();
    let elsewhere = if processor.contains(PROCESSOR) {
        String::new()
    } else {
        format!(
            " **That was on {PROCESSOR}, and this run is on {processor}**: a ratio tells of the two machines first, and only one that is far \
             from the others tells of a peer."
        )
    };
    format!(
        "Whether the peers are used as well as elsewhere: nanoseconds a message without stamps here, and what a program that measured \
         nothing but peers found on a virtual machine.{elsewhere} In {} the stamps stay on, as there, and the figure is p50. {off} of {known} \
         lie further than {} % apart. Rows without a figure from there are shown for completeness.\n\n{}",
        Scenario::T4.name(),
        plain(100.0 * NEAR_ENOUGH),
        table.markdown()
    )
}

fn mark(compared: &Comparison<'_>, reasons: &[Reason]) -> String {
    if compared.is_near() {
        return String::new();
    }
    let side = compared.side;
    let word = if compared.ratio().is_some_and(|ratio| ratio < 1.0) { "faster" } else { "SLOWER" };
    reasons
        .iter()
        .find(|reason| (reason.scenario, reason.contender) == (side.scenario, side.contender))
        .map_or_else(|| word.to_owned(), |reason| format!("{word}: {}", reason.why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Class;
    use crate::side::{Mode, Side};

    #[test]
    fn a_figure_that_is_off_is_marked_with_its_reason() {
        let side = Side::new(Scenario::T2s, "bus", Mode::Single, 8);
        let at = |here| Comparison {
            side: &side,
            class: Class::Any,
            runs: 9,
            here,
            expected: Some(100.0),
        };
        let reason = Reason { scenario: Scenario::T2s, contender: "bus", why: "it is another bus" };
        assert_eq!(mark(&at(119.0), &[reason]), "");
        assert_eq!(mark(&at(121.0), &[]), "SLOWER");
        assert_eq!(mark(&at(121.0), &[reason]), "SLOWER: it is another bus");
        assert_eq!(mark(&at(79.0), &[Reason { contender: "kanal", ..reason }]), "faster");
    }
}
