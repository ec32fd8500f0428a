//! Lines over epochs or steps.

use std::fmt::Write as _;

use super::{Along, BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, figure, frame, number, svg};
use crate::escape::escape;

/// A line has at most so many points: of more, the least and the largest of each stretch are drawn.
const POINTS: usize = 600;
/// In a chart whose lines have no more points than these, each is a dot that says its value.
const DOTS: usize = 50;

/// A line of a chart.
pub(crate) struct Line {
    /// What it shows.
    pub(crate) name: String,
    /// Class of its colour.
    pub(crate) class: String,
    /// Points from the left to the right; a value that is no number is a gap.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A moment that is marked over the whole height.
pub(crate) struct Mark {
    pub(crate) x: f64,
    pub(crate) text: String,
}

/// Lines with their axes.
pub(crate) struct LineChart<'c> {
    pub(crate) title: &'c str,
    pub(crate) x_label: &'c str,
    pub(crate) lines: Vec<Line>,
    pub(crate) marks: Vec<Mark>,
}

impl LineChart<'_> {
    /// The chart; nothing where no line has a point.
    pub(crate) fn draw(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        if points().next().is_none() {
            return String::new();
        }
        let bottom = HEIGHT - BOTTOM;
        let x = Along::counted(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y = Along::of(points().map(|point| point.1), bottom, TOP);
        let mut inside = frame(&x, &y, self.x_label);
        for mark in &self.marks {
            let at = x.place(mark.x);
            let _ = write!(
                inside,
                "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" \
                 y2=\"{bottom}\"><title>{}</title></line>",
                escape(&mark.text)
            );
        }
        let has_dots = self.lines.iter().all(|line| line.points.len() <= DOTS);
        for line in &self.lines {
            inside += &drawn(line, &x, &y, self.x_label, has_dots);
        }
        let title =
            if y.is_logarithmic() { format!("{}, logarithmic", self.title) } else { self.title.to_owned() };
        let names: Vec<_> = self.lines.iter().map(|line| (line.name.clone(), line.class.clone())).collect();
        figure(&title, &names, &svg("lines", self.title, &inside), &self.notes(&y))
    }

    /// What the drawing cannot show.
    fn notes(&self, y: &Along) -> Vec<String> {
        let mut notes = Vec::new();
        for line in &self.lines {
            let missing = line.points.iter().filter(|point| point.1.is_nan()).count();
            if missing > 0 {
                let of = line.points.len();
                notes.push(format!("{}: {missing} of {of} values are no numbers, and gaps here.", line.name));
            }
            let below = line.points.iter().filter(|point| point.1.is_finite() && !y.has(point.1)).count();
            if below > 0 {
                notes.push(format!("{}: {below} values are 0, and gaps here.", line.name));
            }
        }
        if self.lines.iter().any(|line| line.points.len() > POINTS) {
            notes.push("Of each stretch the least and the largest value are drawn.".to_owned());
        }
        notes
    }
}

fn drawn(line: &Line, x: &Along, y: &Along, x_label: &str, has_dots: bool) -> String {
    let points = thinned(&line.points);
    let mut svg = format!("<g class=\"{}\">", line.class);
    let stretches = points.split(|point| !y.has(point.1));
    for stretch in stretches.filter(|stretch| !stretch.is_empty()) {
        let place = |point: &(f64, f64)| format!("{:.1},{:.1}", x.place(point.0), y.place(point.1));
        if let [alone] = stretch {
            svg += &dot(line, alone, x, y, x_label);
        } else {
            let places: Vec<String> = stretch.iter().map(place).collect();
            let _ = write!(svg, "<polyline points=\"{}\"/>", places.join(" "));
            if has_dots {
                stretch.iter().for_each(|point| svg += &dot(line, point, x, y, x_label));
            }
        }
    }
    svg + "</g>"
}

fn dot(line: &Line, point: &(f64, f64), x: &Along, y: &Along, x_label: &str) -> String {
    format!(
        "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"><title>{}, {} {}: {}</title></circle>",
        x.place(point.0),
        y.place(point.1),
        escape(&line.name),
        escape(x_label),
        number(point.0),
        number(point.1)
    )
}

/// At most [`POINTS`] points: the least and the largest of each stretch, in their order.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let ends_of = |stretch: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let finite = || stretch.iter().enumerate().filter(|(_, point)| point.1.is_finite());
        let by_value =
            |one: &(usize, &(f64, f64)), other: &(usize, &(f64, f64))| one.1.1.total_cmp(&other.1.1);
        match (finite().min_by(by_value), finite().max_by(by_value)) {
            (Some(low), Some(high)) if low.0 == high.0 => vec![*low.1],
            (Some(low), Some(high)) if low.0 < high.0 => vec![*low.1, *high.1],
            (Some(low), Some(high)) => vec![*high.1, *low.1],
            _ => stretch[..1].to_vec(),
        }
    };
    points.chunks((2 * points.len()).div_ceil(POINTS)).flat_map(ends_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> String {
        let line = Line { name: "a<b".to_owned(), class: "c0".to_owned(), points };
        LineChart { title: "loss", x_label: "epoch", lines: vec![line], marks: Vec::new() }.draw()
    }

    fn count(text: &str, what: &str) -> usize {
        text.matches(what).count()
    }

    #[test]
    fn a_value_that_is_no_number_is_a_gap_and_said() {
        let svg = chart(vec![(1.0, 0.5), (2.0, 0.4), (3.0, f64::NAN), (4.0, 0.3), (5.0, f64::INFINITY)]);
        assert_eq!((count(&svg, "<polyline"), count(&svg, "<circle")), (1, 3), "{svg}");
        assert!(svg.contains("a&lt;b: 1 of 5 values are no numbers"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn one_point_is_a_dot_and_none_is_no_chart() {
        let svg = chart(vec![(1.0, 0.5)]);
        assert_eq!((count(&svg, "<polyline"), count(&svg, "<circle")), (0, 1), "{svg}");
        assert_eq!(chart(Vec::new()), "");
        let nowhere = chart(vec![(1.0, f64::NAN), (2.0, f64::NAN)]);
        assert_eq!(count(&nowhere, "<polyline") + count(&nowhere, "<circle"), 0);
        assert!(nowhere.contains("2 of 2 values are no numbers"), "{nowhere}");
    }

    #[test]
    fn a_long_line_keeps_its_peaks() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|step| (f64::from(step), 1.0)).collect();
        points[54_321].1 = 9.0;
        let thin = thinned(&points);
        assert!(thin.len() <= POINTS && thin.contains(&(54_321.0, 9.0)), "{}", thin.len());
    }

    #[test]
    fn far_apart_values_are_on_a_logarithmic_axis_and_zeros_are_told() {
        let svg = chart(vec![(1.0, 1e-5), (2.0, 1e-2)]);
        assert!(svg.contains("loss, logarithmic"), "{svg}");
        let zero = chart(vec![(1.0, 0.0), (2.0, 1e-2)]);
        assert!(!zero.contains("logarithmic") && !zero.contains("gaps"), "{zero}");
    }
}
