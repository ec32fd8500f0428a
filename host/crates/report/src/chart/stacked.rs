//! Bars of parts, one an epoch.

use std::fmt::Write as _;

use super::{Along, BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, figure, frame, seconds, svg};
use crate::escape::escape;

/// No more bars than these: of more, neighbours are one, with their mean.
const BARS: usize = 100;

/// One part of every bar.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) class: String,
    /// Seconds, by bar.
    pub(crate) values: Vec<f64>,
}

/// Bars of seconds.
pub(crate) struct Stacked<'c> {
    pub(crate) title: &'c str,
    /// The epoch of each bar, from 1.
    pub(crate) epochs: Vec<f64>,
    pub(crate) parts: Vec<Part>,
}

impl Stacked<'_> {
    /// The chart; nothing without bars.
    pub(crate) fn draw(&self) -> String {
        if self.epochs.is_empty() {
            return String::new();
        }
        let size = self.epochs.len().div_ceil(BARS);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let epochs: Vec<f64> = self.epochs.chunks(size).map(|epochs| epochs[0]).collect();
        let values: Vec<Vec<f64>> =
            self.parts.iter().map(|part| part.values.chunks(size).map(mean).collect()).collect();
        let bottom = HEIGHT - BOTTOM;
        let total = |bar: usize| values.iter().map(|part| part[bar]).sum::<f64>();
        let y = Along::from_zero((0..epochs.len()).map(total), bottom, TOP);
        let width = (WIDTH - RIGHT - LEFT) / epochs.len() as f64;
        let x = Along::counted(epochs.iter().copied(), LEFT + width / 2.0, WIDTH - RIGHT - width / 2.0);
        let mut inside = frame(&x, &y, "epoch");
        for (bar, epoch) in epochs.iter().enumerate() {
            let mut from = 0.0;
            for (part, values) in self.parts.iter().zip(&values) {
                let to = from + values[bar].max(0.0);
                let (low, high) = (y.place(from), y.place(to));
                from = to;
                let _ = write!(
                    inside,
                    "<rect class=\"{}\" x=\"{:.1}\" y=\"{high:.1}\" width=\"{:.1}\" height=\"{:.1}\">\
                     <title>epoch {epoch}, {}: {}</title></rect>",
                    part.class,
                    x.place(*epoch) - width * 0.4,
                    (width * 0.8).min(40.0),
                    low - high,
                    escape(&part.name),
                    seconds(values[bar])
                );
            }
        }
        let names: Vec<_> = self.parts.iter().map(|part| (part.name.clone(), part.class.clone())).collect();
        let note = format!("Each bar is the mean of {size} epochs.");
        let notes = if size > 1 { vec![note] } else { Vec::new() };
        figure(self.title, &names, &svg("bars", self.title, &inside), &notes)
    }
}
