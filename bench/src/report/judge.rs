//! What became of each target.

use std::cmp::Ordering;

use serde::{Serialize, Serializer};

use crate::probe::Distance;
use crate::recorder::Class;
use crate::report::contenders::{ANY_MODE, OURS, Role, Work};
use crate::report::numbers::{self, part};
use crate::report::rows::Row;
use crate::report::targets::{Bar, Measure, Rival, TARGETS, Target, Where};
use crate::side::{Mode, Scenario, Unit};

/// Rounds of a side in one class without which a target is left open.
pub const ENOUGH: usize = 5;

/// One target in one class of distance, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The scenario.
    pub scenario: Scenario,
    /// What is compared, and with whom.
    pub target: String,
    /// In which class; `None` if the run saw none.
    pub class: Option<Class>,
    /// What was wanted.
    pub wanted: String,
    /// What was measured.
    pub measured: String,
    /// The ratio, or the absolute figure.
    pub value: Option<f64>,
    /// Rounds of the side that had the fewest.
    pub rounds: usize,
    /// Where it was missed: what it asks for, beside the best written by hand, the best peer, and a line's way.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub beside: String,
    /// Whether that is enough; `None` if there were too few rounds to say.
    #[serde(rename = "verdict", serialize_with = "by_name")]
    pub met: Option<bool>,
}

impl Verdict {
    /// The verdict in a word.
    pub fn name(&self) -> &'static str {
        name(self.met)
    }
}

fn name(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "open",
    }
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn by_name<S: Serializer>(met: &Option<bool>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name(*met))
}

/// All targets, each in each of its classes.
pub fn verdicts(rows: &[Row]) -> Vec<Verdict> {
    TARGETS.iter().flat_map(|target| judge(target, rows)).collect()
}

/// One target: with each number of participants and in each class by itself.
pub fn judge(target: &Target, rows: &[Row]) -> Vec<Verdict> {
    let participants: Vec<Option<u32>> = match target.participants {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    let mut verdicts = Vec::new();
    for participants in participants {
        let seen = seen(target, participants, rows);
        let mut classes: Vec<Option<Class>> = match target.classes {
            Where::In(classes) => {
                // What is wanted near is wanted on a machine, too, whose processors are a little further apart.
                let mid = Class::Pair(Distance::Mid);
                let is_near = classes.contains(&Class::Pair(Distance::Near));
                let mid = Some(mid).filter(|mid| is_near && seen.contains(mid));
                classes.iter().copied().chain(mid).map(Some).collect()
            }
            Where::Seen => seen.into_iter().map(Some).collect(),
        };
        if classes.is_empty() {
            classes.push(None);
        }
        let place = |class| Place { target, participants, class, rows };
        verdicts.extend(classes.into_iter().map(|class| place(class).verdict()));
    }
    verdicts
}

/// The classes in which the bus has rows for it.
fn seen(target: &Target, participants: Option<u32>, rows: &[Row]) -> Vec<Class> {
    let mut classes: Vec<Class> = rows.iter().map(|row| row.class).collect();
    classes.sort_unstable();
    classes.dedup();
    classes
        .retain(|&class| Place { target, participants, class: Some(class), rows }.ours().is_some());
    classes
}

/// One target in one class, with one number of participants.
struct Place<'r> {
    target: &'r Target,
    participants: Option<u32>,
    class: Option<Class>,
    rows: &'r [Row],
}

/// A row and what it reached.
type Reached<'r> = (&'r Row, f64);

impl<'r> Place<'r> {
    fn verdict(&self) -> Verdict {
        let Target { scenario, measure, bar, .. } = *self.target;
        let (mut measured, mut value, mut rounds, mut met) =
            ("no rounds".to_owned(), None, 0, None);
        if let Some((row, mine)) = self.ours() {
            match (bar, self.theirs()) {
                (Bar::AtMost(most), _) => {
                    let least = measure.least(row).unwrap_or(mine);
                    measured = measure.show(least, row.side.unit);
                    (value, rounds) = (Some(least), row.runs);
                    met = Some(least <= most);
                }
                (_, None) => {
                    measured = format!("{}, and no rounds of the other", self.amount(row, mine))
                }
                (_, Some((other, theirs))) => {
                    let ratio = mine / theirs;
                    let (ours, theirs) = (self.amount(row, mine), self.amount(other, theirs));
                    measured = format!("{} ({ours}, {theirs})", part(ratio));
                    (value, rounds) = (Some(ratio), row.runs.min(other.runs));
                    met = Some(match bar {
                        Bar::Times(_, least) => ratio >= least,
                        Bar::Over(_, most) | Bar::OverAllPeers(most) | Bar::AtMost(most) => {
                            ratio <= most
                        }
                    });
                    if met == Some(false)
                        && let Some((bounded, text)) = self.bounded(mine)
                    {
                        met = Some(bounded);
                        measured.push_str(&text);
                    }
                }
            }
        }
        let met = met.filter(|_| rounds >= ENOUGH);
        Verdict {
            scenario,
            target: self.title(),
            class: self.class,
            wanted: self.wanted(),
            measured,
            value,
            rounds,
            beside: if met == Some(false) { self.beside() } else { String::new() },
            met,
        }
    }

    /// What a missed target asks for, and who else is how near to it.
    fn beside(&self) -> String {
        let Target { scenario, measure, bar, because, .. } = *self.target;
        let mut parts = Vec::new();
        let asked = match (bar, self.theirs()) {
            (Bar::AtMost(most), _) => Some(most),
            (
                Bar::Over(_, factor) | Bar::Times(_, factor) | Bar::OverAllPeers(factor),
                Some((_, theirs)),
            ) => Some(factor * theirs),
            (_, None) => None,
        };
        let unit = self.ours().map_or(Unit::Nanos, |(row, _)| row.side.unit);
        if let Some(asked) = asked {
            parts.push(format!("it asks for {}", measure.show(asked, unit)));
        }
        if let Some(work) = self.work(scenario) {
            let work = work.to(self.participants);
            let best = |role| {
                let (row, _) = work.best_of(role, |row| measure.cost(row))?;
                Some(self.amount(row, measure.typical(row)?))
            };
            parts.extend(best(Role::Bound).map(|amount| format!("best written by hand {amount}")));
            parts.extend(best(Role::Peer).map(|amount| format!("best peer {amount}")));
        }
        if matches!(self.class, Some(Class::Pair(_)))
            && let Some(work) = self.work(Scenario::Limit)
            && let Some((row, way)) = work.best("handoff", |row| Some(row.ns_median))
        {
            parts.push(format!("a line's way {}", Measure::Figure.show(way, row.side.unit)));
        }
        if !because.is_empty() {
            parts.push(because.to_owned());
        }
        parts.join("; ")
    }

    fn work(&self, scenario: Scenario) -> Option<Work<'r>> {
        Some(Work::new(self.rows, scenario, self.class?))
    }

    /// The bus's best row.
    fn ours(&self) -> Option<Reached<'r>> {
        let Target { scenario, modes, form, .. } = *self.target;
        let work = self.work(scenario)?.to(self.participants).variant(Some(form));
        self.best(work, OURS, modes)
    }

    /// The rival's best row. A limit of the machine may stand with its scenario or with the limits.
    fn theirs(&self) -> Option<Reached<'r>> {
        let Target { scenario, form, measure, bar, .. } = *self.target;
        let at = |scenario| Some(self.work(scenario)?.to(self.participants));
        match bar {
            Bar::AtMost(_) => None,
            Bar::Over(Rival { contender, modes, form }, _)
            | Bar::Times(Rival { contender, modes, form }, _) => [scenario, Scenario::Limit]
                .into_iter()
                .find_map(|scenario| self.best(at(scenario)?.variant(form), contender, modes)),
            Bar::OverAllPeers(_) => {
                let work = at(scenario)?.variant(Some(form));
                work.best_of(Role::Peer, |row| measure.cost(row))
                    .and_then(|(row, _)| Some((row, measure.typical(row)?)))
            }
        }
    }

    /// Whether the part of a bound is reached that is enough, too, and a text that says so. A bound of too few rounds
    /// excuses nothing.
    fn bounded(&self, ours: f64) -> Option<(bool, String)> {
        let (enough, bound) = self.target.bound?;
        let work = self.work(self.target.scenario)?.to(self.participants).variant(Some(""));
        let (row, theirs) = self.best(work, bound, ANY_MODE)?;
        let reached = ours / theirs;
        let text = format!("; {} of {}", part(reached), self.amount(row, theirs));
        (row.runs >= ENOUGH).then_some((reached >= enough, text))
    }

    fn best(&self, work: Work<'r>, contender: &str, modes: &'r [Mode]) -> Option<Reached<'r>> {
        let measure = self.target.measure;
        let (row, _) = work.by(modes).best(contender, |row| measure.cost(row))?;
        Some((row, measure.typical(row)?))
    }

    /// Who reached it, and what that is.
    fn amount(&self, row: &Row, value: f64) -> String {
        let side = &row.side;
        let how = if side.variant.is_empty() { side.mode.name() } else { &side.variant };
        format!("{} {how} {}", side.contender, self.target.measure.show(value, side.unit))
    }

    fn title(&self) -> String {
        let Target { what, form, participants, modes, bar, .. } = *self.target;
        let mut title: Vec<String> = [what, form]
            .iter()
            .filter(|part| !part.is_empty())
            .map(|&part| part.to_owned())
            .collect();
        if let [mode] = modes {
            title.push(mode.name().to_owned());
        }
        if let (Some(number), [_, ..]) = (self.participants, participants) {
            title.push(format!("to {number}"));
        }
        let title = title.join(", ");
        match bar {
            Bar::AtMost(_) => title,
            Bar::OverAllPeers(_) => format!("{title}: smd over the best peer"),
            Bar::Over(rival, _) | Bar::Times(rival, _) if rival.contender == OURS => {
                format!("{title} over {}", rival.form.unwrap_or_default())
            }
            Bar::Over(rival, _) | Bar::Times(rival, _) => {
                format!("{title}: smd over {}", rival.contender)
            }
        }
    }

    fn wanted(&self) -> String {
        let Target { measure, bar, bound, .. } = *self.target;
        let unit = if measure == Measure::Figure && self.target.scenario == Scenario::T10 {
            Unit::Bytes
        } else {
            Unit::Nanos
        };
        let wanted = match bar {
            Bar::AtMost(0.0) => "none".to_owned(),
            Bar::AtMost(most) => format!("at most {}", measure.show(most, unit)),
            Bar::Over(_, most) | Bar::OverAllPeers(most) => format!("at most {}", part(most)),
            Bar::Times(_, least) => format!("at least {}", part(least)),
        };
        match bound {
            Some((enough, bound)) => format!("{wanted}, or {} of {bound}", part(enough)),
            None => wanted,
        }
    }
}

impl Measure {
    /// The median of the rounds.
    fn typical(self, row: &Row) -> Option<f64> {
        match self {
            Measure::Figure => Some(row.ns_median),
            Measure::PerSecond => row.per_second,
            Measure::Deliveries => row.deliveries_per_second.or(row.per_second),
            Measure::Way => row.p50(),
            Measure::Also(name) => row.also.get(name).copied(),
        }
    }

    /// The minimum of the run, where one is kept.
    fn least(self, row: &Row) -> Option<f64> {
        match self {
            Measure::Figure => Some(row.ns_min),
            _ => self.typical(row),
        }
    }

    /// By this the best mode is chosen: less is better.
    fn cost(self, row: &Row) -> Option<f64> {
        let sign = match self.better() {
            Ordering::Less => 1.0,
            _ => -1.0,
        };
        self.typical(row).map(|value| sign * value)
    }

    fn better(self) -> Ordering {
        match self {
            Measure::PerSecond | Measure::Deliveries => Ordering::Greater,
            Measure::Figure | Measure::Way | Measure::Also(_) => Ordering::Less,
        }
    }

    fn show(self, value: f64, unit: Unit) -> String {
        match self {
            Measure::Figure if unit == Unit::Bytes => numbers::bytes(value),
            Measure::PerSecond | Measure::Deliveries => numbers::rate(value),
            Measure::Also("wakes per sleep") => numbers::plain(value),
            Measure::Figure | Measure::Way | Measure::Also(_) => numbers::time(value),
        }
    }
}
