//! The short form of a report, for a terminal.

use std::fmt;

use crate::report::Report;
use crate::report::census::{self, Census};
use crate::report::contenders::{ANY_MODE, BATCH, ONE_BY_ONE, Role, Work};
use crate::report::numbers::{bytes, part, time};
use crate::report::page::{left_out, tally, targets};
use crate::report::rows::Row;
use crate::report::scenarios::{order_of, work_of};
use crate::report::table::Table;
use crate::side::{Scenario, Side, Unit};

/// What was measured in a line each, then the targets, then what is missing.
pub(super) fn write(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{}", summary(&report.rows))?;
    writeln!(f, "{}", targets(&report.verdicts))?;
    writeln!(f, "{}", tally(&report.verdicts))?;
    writeln!(f, "{}", census::stalls(&Census::of(&report.rounds)))?;
    left_out(report).iter().try_for_each(|what| writeln!(f, "{what}"))
}

/// A line for each work that was done: the bus in its best mode, the best peer, and the best of what was written by hand.
/// One to one, there is one line for what is sent one by one and one for batches.
fn summary(rows: &[Row]) -> Table {
    let kinds = |scenario| match scenario {
        Scenario::T1 => &[ONE_BY_ONE, BATCH][..],
        _ => &[ANY_MODE],
    };
    let mut works: Vec<&Row> = rows.iter().filter(|row| row.is_stamped()).collect();
    let place = |row: &Row| (row.side.scenario, row.class);
    works.sort_by(|one, other| (place(one), order_of(one)).cmp(&(place(other), order_of(other))));
    works.dedup_by(|one, other| (place(one), order_of(one)) == (place(other), order_of(other)));
    let head =
        ["", "class", "to", "variant", "smd", "", "best peer", "", "ratio", "bound", "", "ratio"];
    let mut table = Table::new(head);
    for (row, modes) in works
        .into_iter()
        .flat_map(|row| kinds(row.side.scenario).iter().map(move |modes| (row, modes)))
    {
        let Side { scenario, participants, .. } = row.side;
        let work = Work::new(rows, scenario, row.class)
            .to(Some(participants))
            .variant(work_of(row))
            .by(modes);
        let best = |role| work.best_of(role, |row| Some(row.rank()));
        let (ours, peer, bound) = (best(Role::Ours), best(Role::Peer), best(Role::Bound));
        if ours.or(peer).or(bound).is_none() {
            continue;
        }
        let ratio = |other: Option<(&Row, f64)>| match (ours, other) {
            (Some((_, ours)), Some((_, other))) if other > 0.0 => part(ours / other),
            _ => String::new(),
        };
        let variant = work_of(row).unwrap_or_default();
        let place = [scenario.name(), row.class.name(), &participants.to_string(), variant];
        let cells = [
            name_and_amount(ours, false),
            name_and_amount(peer, true),
            name_and_amount(bound, true),
        ];
        let [ours_cells, peer_cells, bound_cells] = cells;
        table.push(
            place
                .map(str::to_owned)
                .into_iter()
                .chain(ours_cells)
                .chain(peer_cells)
                .chain([ratio(peer)])
                .chain(bound_cells)
                .chain([ratio(bound)]),
        );
    }
    table.without_empty_columns()
}

fn name_and_amount(found: Option<(&Row, f64)>, named: bool) -> [String; 2] {
    let Some((row, rank)) = found else {
        return [String::new(), String::new()];
    };
    let mode = row.side.mode.name();
    let name = if named { format!("{} {mode}", row.side.contender) } else { mode.to_owned() };
    [name, amount(row, rank)]
}

fn amount(row: &Row, value: f64) -> String {
    if row.side.unit == Unit::Bytes { bytes(value) } else { time(value) }
}
