//! JSON that can be searched and compared line by line: one row, one round to a line.

use serde::Serialize;
use serde_json::Value;

use crate::recorder::{Class, Round, Stalls};
use crate::report::Report;
use crate::report::rows::Row;
use crate::side::{Mode, Scenario};

/// Everything that a report holds but the histograms, which are in logs of their own.
///
/// # Errors
/// None that is known; those of the serializer.
pub(super) fn whole(report: &Report) -> serde_json::Result<String> {
    let Report { provenance, plans, left_out, verdicts, rows, rounds } = report;
    Ok(format!(
        "{{\"provenance\":{},\n\"plan\":{},\n\"left_out\":{},\n\"targets\":{},\n\"rows\":{},\n\"rounds\":{}}}\n",
        serde_json::to_string(provenance)?,
        lines(plans)?,
        lines(left_out)?,
        lines(verdicts)?,
        lines(rows)?,
        lines(&lean(rounds)?)?,
    ))
}

/// The short form for programs: the rows, with what all scenarios have, and what was left out. What a scenario does not
/// measure is null.
///
/// # Errors
/// None that is known; those of the serializer.
pub(super) fn quick(rows: &[Row], left_out: &[String]) -> serde_json::Result<String> {
    let rows: Vec<QuickRow<'_>> = rows.iter().map(QuickRow::of).collect();
    Ok(format!("{{\"rows\":{},\n\"left_out\":{}}}\n", lines(&rows)?, lines(left_out)?))
}

#[derive(Serialize)]
struct QuickRow<'r> {
    scenario: Scenario,
    contender: &'r str,
    mode: Mode,
    participants: u32,
    class: Class,
    variant: &'r str,
    ns_median: f64,
    ns_min: f64,
    per_second: Option<f64>,
    p50: Option<u64>,
    p99: Option<u64>,
    runs: usize,
}

impl QuickRow<'_> {
    fn of(row: &Row) -> QuickRow<'_> {
        QuickRow {
            scenario: row.side.scenario,
            contender: row.side.contender,
            mode: row.side.mode,
            participants: row.side.participants,
            class: row.class,
            variant: &row.side.variant,
            ns_median: row.ns_median,
            ns_min: row.ns_min,
            per_second: row.per_second,
            p50: row.latency.as_ref().map(|latency| latency.p50),
            p99: row.latency.as_ref().map(|latency| latency.p99),
            runs: row.runs,
        }
    }
}

/// Rounds are many: their floating point numbers keep six digits, and what the host did not do is left out.
fn lean(rounds: &[Round]) -> serde_json::Result<Vec<Value>> {
    let lean = |round: &Round| {
        let mut value = serde_json::to_value(round)?;
        if let Value::Object(fields) = &mut value
            && round.stalls == Stalls::default()
        {
            fields.remove("stalls");
        }
        shorten(&mut value);
        Ok(value)
    };
    rounds.iter().map(lean).collect()
}

fn shorten(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            // Through text, which is where the digits are counted.
            if let Some(short) =
                number.as_f64().and_then(|long| format!("{long:.5e}").parse::<f64>().ok())
            {
                *value = short.into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        _ => {}
    }
}

/// A JSON array with each item on a line.
fn lines<T: Serialize>(items: &[T]) -> serde_json::Result<String> {
    let items: Vec<String> = items.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok(if items.is_empty() { "[]".to_owned() } else { format!("[\n{}\n]", items.join(",\n")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_cut_and_counts_are_not() {
        let mut value = serde_json::json!({"a": [12.345_678_9, 123_456_789.0], "b": 123_456_789, "c": "1.23456789"});
        shorten(&mut value);
        assert_eq!(
            value.to_string(),
            r#"{"a":[12.3457,123457000.0],"b":123456789,"c":"1.23456789"}"#
        );
    }
}
