//! Line charts as SVG.
//!
//! ```text
//!   title
//!   what it shows
//!   y label
//!   +-----------------------+
//!   |        o-----o        |---- one name      each name stands beside the end of its line,
//!   |  o-----'  ____#       |---- another       moved apart where two ends meet
//!   |  #-------'            |
//!   +-----------------------+
//!            x label
//! ```
//!
//! The picture brings its own light ground, so it reads the same on a dark page.

use std::fmt::Write as _;

const WIDTH: f64 = 940.0;
const HEIGHT: f64 = 540.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 664.0;
const TOP: f64 = 106.0;
const BOTTOM: f64 = 480.0;
/// From the frame to the names, bridged by thin lines.
const GAP: f64 = 26.0;
/// Names stand at least so far apart.
const LINE: f64 = 19.0;

const GROUND: &str = "#ffffff";
const BORDER: &str = "#d0d7de";
const GRID: &str = "#e6eaee";
const INK: &str = "#1f2328";
const PALE: &str = "#57606a";
const FONT: &str = "'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif";

/// A chart whose points are already on the scale of its axes.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// Over what stands behind the names.
    pub(super) ends: String,
    pub(super) lines: Vec<Line>,
}

/// One axis: from where to where, and what is written along it.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    /// Behind the name: what the line ends at.
    pub(super) end: String,
    pub(super) color: &'static str,
    pub(super) style: Style,
    pub(super) marker: Marker,
    pub(super) points: Vec<(f64, f64)>,
    /// Points with a marker, by number; the others are only on the way.
    pub(super) marked: Vec<usize>,
}

/// How much a line stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Strong,
    Plain,
    Dashed,
}

/// What stands at a point, so that lines are told apart without colours, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
    Diamond,
    Triangle,
}

impl Axis {
    /// A logarithmic axis that has room for all values; `tick` writes one. Values must be positive.
    pub(super) fn logarithmic(
        label: impl Into<String>,
        values: impl IntoIterator<Item = f64>,
        tick: impl Fn(f64) -> String,
    ) -> Axis {
        let (mut least, mut greatest) = (f64::INFINITY, 0.0_f64);
        for value in values {
            (least, greatest) = (least.min(value), greatest.max(value));
        }
        if least > greatest {
            (least, greatest) = (1.0, 10.0);
        }
        // 1, 2, 5, 10, 20, ... from the last at or under the least to the first over the greatest.
        let steps: Vec<f64> = (-3..12)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
            .collect();
        let first = steps.iter().rposition(|&step| step <= least).unwrap_or(0);
        let last = steps.iter().position(|&step| step > greatest).unwrap_or(steps.len() - 1);
        let shown = &steps[first..=last];
        // Over more than five decades only the powers of ten are written.
        let all = shown.len() <= 16;
        let is_power = |step: f64| (step.log10() - step.log10().round()).abs() < 1e-9;
        Axis {
            label: label.into(),
            low: shown[0].log10(),
            high: shown[shown.len() - 1].log10(),
            ticks: shown
                .iter()
                .filter(|&&step| all || is_power(step))
                .map(|&step| (step.log10(), tick(step)))
                .collect(),
        }
    }

    fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        let part = (value - self.low) / (self.high - self.low).max(f64::MIN_POSITIVE);
        from + part.clamp(0.0, 1.0) * (to - from)
    }
}

impl Chart {
    /// The picture.
    pub(super) fn svg(&self) -> String {
        let mut svg = String::new();
        let title = escaped(&self.title);
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\" aria-label=\"{title}\" font-family=\"{FONT}\">\n\
             <title>{title}</title>\n\
             <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{GROUND}\" stroke=\"{BORDER}\"/>\n",
            WIDTH - 1.0,
            HEIGHT - 1.0
        );
        text(
            &mut svg,
            24.0,
            34.0,
            &self.title,
            &format!("font-size=\"19\" font-weight=\"600\" fill=\"{INK}\""),
        );
        text(&mut svg, 24.0, 56.0, &self.subtitle, &format!("font-size=\"13\" fill=\"{PALE}\""));
        self.axes(&mut svg);
        // Strong lines last, on top of the others.
        let mut order: Vec<&Line> = self.lines.iter().collect();
        order.sort_by_key(|line| match line.style {
            Style::Dashed => 0,
            Style::Plain => 1,
            Style::Strong => 2,
        });
        for line in order {
            self.line(&mut svg, line);
        }
        self.names(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn point(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.place(x, LEFT, RIGHT), self.y.place(y, BOTTOM, TOP))
    }

    fn axes(&self, svg: &mut String) {
        let small = format!("font-size=\"12\" fill=\"{PALE}\"");
        for (value, label) in &self.y.ticks {
            let y = self.y.place(*value, BOTTOM, TOP);
            rule(svg, (LEFT, y), (RIGHT, y), GRID, 1.0);
            text(svg, LEFT - 9.0, y + 4.0, label, &format!("{small} text-anchor=\"end\""));
        }
        for (value, label) in &self.x.ticks {
            let x = self.x.place(*value, LEFT, RIGHT);
            rule(svg, (x, TOP), (x, BOTTOM), GRID, 1.0);
            text(svg, x, BOTTOM + 20.0, label, &format!("{small} text-anchor=\"middle\""));
        }
        rule(svg, (LEFT, BOTTOM), (RIGHT, BOTTOM), PALE, 1.0);
        let label = format!("font-size=\"13\" fill=\"{INK}\"");
        text(
            svg,
            (LEFT + RIGHT) / 2.0,
            BOTTOM + 46.0,
            &self.x.label,
            &format!("{label} text-anchor=\"middle\""),
        );
        text(svg, 24.0, TOP - 14.0, &self.y.label, &label);
    }

    fn line(&self, svg: &mut String, line: &Line) {
        let (width, dashes) = match line.style {
            Style::Strong => (3.5, ""),
            Style::Plain => (1.8, ""),
            Style::Dashed => (1.8, " stroke-dasharray=\"6 4\""),
        };
        let points: Vec<String> = line
            .points
            .iter()
            .map(|&point| self.point(point))
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let color = line.color;
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\" \
             stroke-linecap=\"round\"{dashes}/>",
            points.join(" ")
        );
        let size = if line.style == Style::Strong { 5.2 } else { 3.8 };
        for &number in &line.marked {
            if let Some(&point) = line.points.get(number) {
                self.marker(svg, line, self.point(point), size);
            }
        }
    }

    fn marker(&self, svg: &mut String, line: &Line, (x, y): (f64, f64), size: f64) {
        let paint = format!("fill=\"{}\" stroke=\"{GROUND}\" stroke-width=\"1\"", line.color);
        let shape = |corners: &[(f64, f64)]| {
            let corners: Vec<String> = corners
                .iter()
                .map(|(right, down)| format!("{:.1},{:.1}", x + right * size, y + down * size))
                .collect();
            format!("<polygon points=\"{}\" {paint}/>\n", corners.join(" "))
        };
        svg.push_str(&match line.marker {
            Marker::Circle => {
                format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{size}\" {paint}/>\n")
            }
            Marker::Square => shape(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
            Marker::Diamond => shape(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]),
            Marker::Triangle => shape(&[(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)]),
        });
    }

    /// The names, from top to bottom as the lines end, moved apart.
    fn names(&self, svg: &mut String) {
        let small = format!("font-size=\"12\" fill=\"{PALE}\" text-anchor=\"end\"");
        text(svg, WIDTH - 20.0, TOP - 14.0, &self.ends, &small);
        let mut ends: Vec<(&Line, (f64, f64))> = self
            .lines
            .iter()
            .filter_map(|line| Some((line, self.point(*line.points.last()?))))
            .collect();
        ends.sort_by(|(_, (_, one)), (_, (_, other))| one.total_cmp(other));
        let wanted: Vec<f64> = ends.iter().map(|(_, (_, y))| *y).collect();
        for ((line, (x, y)), place) in ends.iter().zip(apart(&wanted, LINE, TOP, BOTTOM)) {
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {y:.1} L{:.1} {y:.1} L{:.1} {place:.1}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1\" \
                 opacity=\"0.45\"/>",
                x + 7.0,
                RIGHT.max(x + 7.0),
                RIGHT + GAP - 8.0,
                line.color
            );
            self.marker(svg, line, (RIGHT + GAP, place), 4.2);
            let weight = if line.style == Style::Strong { "700" } else { "400" };
            let style = format!("font-size=\"13\" font-weight=\"{weight}\" fill=\"{INK}\"");
            text(svg, RIGHT + GAP + 11.0, place + 4.5, &line.name, &style);
            text(svg, WIDTH - 20.0, place + 4.5, &line.end, &small);
        }
    }
}

/// Moves sorted places so far apart that they do not touch, as little as that takes, inside bounds if they fit.
fn apart(wanted: &[f64], distance: f64, low: f64, high: f64) -> Vec<f64> {
    let mut places: Vec<f64> = Vec::with_capacity(wanted.len());
    for &place in wanted {
        let free = places.last().map_or(low, |last| last + distance);
        places.push(place.max(free));
    }
    // Those that went over the end push the others back.
    let mut limit = high;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - distance;
    }
    places
}

fn rule(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), color: &str, width: f64) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\" stroke-width=\"{width}\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, text: &str, style: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>", escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_touch_and_stay_inside() {
        let places = apart(&[10.0, 11.0, 11.5, 60.0, 99.0, 99.5], 10.0, 0.0, 100.0);
        assert_eq!(places, [10.0, 20.0, 30.0, 60.0, 90.0, 100.0]);
    }

    #[test]
    fn a_logarithmic_axis_holds_its_values_between_round_ones() {
        let axis = Axis::logarithmic("ns", [3.0, 130.0], |value| value.to_string());
        let ticks: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(ticks, ["2", "5", "10", "20", "50", "100", "200"]);
        assert!(axis.low <= 3_f64.log10() && axis.high >= 130_f64.log10());
        assert!(Axis::logarithmic("ns", [], |value| value.to_string()).low < 1.0);
    }

    #[test]
    fn text_cannot_break_the_picture() {
        assert_eq!(escaped("a<b & \"c\""), "a&lt;b &amp; &quot;c&quot;");
    }
}
