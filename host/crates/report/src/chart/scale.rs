//! Values to places, ticks, and numbers as text.

/// An axis: values between two ends, along a way in the drawing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Along {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Linear,
    /// Only whole numbers have ticks.
    Counted,
    Logarithmic,
}

/// Values of which the largest is so many times the smallest are shown by their logarithms.
const WIDE: f64 = 50.0;

impl Along {
    /// An axis of these values; those that are no numbers count for nothing. Where all are above 0 and far
    /// apart, it is logarithmic.
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let (low, high) = ends(values);
        if low > 0.0 && high / low > WIDE {
            return Self { low: low.log10(), high: high.log10(), from, to, kind: Kind::Logarithmic };
        }
        Self::linear(low, high, from, to)
    }

    /// An axis that begins at 0.
    pub(crate) fn from_zero(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        Self::linear(0.0, ends(values).1, from, to)
    }

    /// An axis of epochs or steps.
    pub(crate) fn counted(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let (low, high) = ends(values);
        let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
        Self { low, high, from, to, kind: Kind::Counted }
    }

    fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        let (low, high) = match high - low {
            0.0 if low == 0.0 => (0.0, 1.0),
            0.0 => (low - low.abs() * 0.1, high + high.abs() * 0.1),
            // Huge ends have no difference that can be held.
            span if !span.is_finite() => (low / 2.0, high / 2.0),
            _ => (low, high),
        };
        Self { low, high, from, to, kind: Kind::Linear }
    }

    /// Whether places go by logarithms.
    pub(crate) fn is_logarithmic(&self) -> bool {
        self.kind == Kind::Logarithmic
    }

    /// Whether a value has a place.
    pub(crate) fn has(&self, value: f64) -> bool {
        value.is_finite() && (self.kind != Kind::Logarithmic || value > 0.0)
    }

    /// The place of a value that [has](Self::has) one.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let value = if self.kind == Kind::Logarithmic { value.log10() } else { value };
        let share = (value - self.low) / (self.high - self.low);
        self.from + share.clamp(-0.5, 1.5) * (self.to - self.from)
    }

    /// Values for ticks with their text, some five.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let mut step = nice((self.high - self.low) / 4.0);
        if self.kind != Kind::Linear {
            step = step.max(1.0).round();
        }
        let first = (self.low / step - 1e-9).ceil();
        let values = (0..12).map(|index| (first + f64::from(index)) * step);
        let values = values.take_while(|value| *value <= self.high + step * 1e-9);
        match self.kind {
            Kind::Logarithmic => {
                let decades: Vec<f64> = values.map(|value| 10_f64.powf(value)).collect();
                // Within a decade there may be none.
                let ends = [self.low, self.high].map(|value| 10_f64.powf(value)).to_vec();
                let shown = if decades.len() > 1 { decades } else { ends };
                shown.into_iter().map(|value| (value, number(value))).collect()
            }
            _ => values.map(|value| (value, tick(value, step))).collect(),
        }
    }
}

/// The least and the largest number; 0 and 1 where there is none.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let ends = finite
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if ends.0 > ends.1 { (0.0, 1.0) } else { ends }
}

/// 1, 2 or 5 times a power of ten, near this.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let nice = match step / power {
        share if share < 1.5 => power,
        share if share < 3.5 => 2.0 * power,
        share if share < 7.5 => 5.0 * power,
        _ => 10.0 * power,
    };
    if nice.is_finite() && nice > 0.0 { nice } else { 1.0 }
}

/// A tick's value with as many places as its step needs.
fn tick(value: f64, step: f64) -> String {
    let places = (-step.log10().floor()).max(0.0);
    if places > 4.0 || value.abs() >= 1e6 {
        return number(value);
    }
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    format!("{value:.*}", places as usize)
}

/// A number in four places, however large or small.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        return "no number".to_owned();
    }
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        let text = format!("{value:.3e}");
        // 1.000e-5 is 1e-5.
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        let digits =
            if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
        return format!("{digits}e{power}");
    }
    let places = if size >= 1000.0 { 0 } else { 4 };
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A time as text: `12.5 s`, `3 min 20 s`, `2 h 05 min`.
pub fn seconds(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(along: &Along) -> Vec<String> {
        along.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_some_five() {
        let axis = |values: &[f64]| Along::of(values.iter().copied(), 0.0, 1.0);
        assert_eq!(texts(&axis(&[0.31, 0.97])), ["0.4", "0.6", "0.8"]);
        assert_eq!(texts(&axis(&[-2.0, 2.0])), ["-2", "-1", "0", "1", "2"]);
        assert_eq!(
            texts(&axis(&[0.001, 10.0])),
            ["1e-3", "0.01", "0.1", "1", "10"].map(|text| { if text == "1e-3" { "0.001" } else { text } })
        );
        assert_eq!(texts(&Along::counted([1.0, 3.0].into_iter(), 0.0, 1.0)), ["1", "2", "3"]);
    }

    #[test]
    fn no_numbers_at_all_huge_ones_and_a_single_one_make_an_axis() {
        let sets =
            [vec![], vec![f64::NAN], vec![f64::INFINITY, 1.0], vec![3.0], vec![0.0], vec![-1e308, 1e308]];
        for values in sets {
            let axis = Along::of(values.iter().copied(), 0.0, 100.0);
            for value in values.iter().filter(|value| axis.has(**value)) {
                assert!(axis.place(*value).is_finite(), "{values:?}");
            }
            let ticks = axis.ticks();
            assert!(
                !ticks.is_empty() && ticks.iter().all(|tick| axis.place(tick.0).is_finite()),
                "{values:?}"
            );
        }
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (1e-5, "1e-5"),
            (0.9131, "0.9131"),
            (1234.5, "1234"),
            (2.5e7, "2.5e7"),
            (-0.25, "-0.25"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!([9.96, 75.2, 7325.0].map(seconds), ["10 s", "1 min 15 s", "2 h 02 min"]);
    }
}
