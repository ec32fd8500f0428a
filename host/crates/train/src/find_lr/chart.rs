//! The curves as a picture.

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

use super::{Curve, FindLrError, FoundLr, Growth};

const SIZE: (u32, u32) = (760, 460);
/// Colours that the colour-blind tell apart (Okabe and Ito).
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

impl FoundLr {
    /// Losses and smoothed losses over the rate, suggestions marked, as SVG.
    ///
    /// # Errors
    /// What plotters cannot draw.
    pub fn to_svg(&self) -> Result<String, FindLrError> {
        let points =
            || self.curves.iter().flat_map(|curve| curve.points.iter().map(|point| (curve.lr(point), point)));
        let bounds = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let (left, right) = bounds(&mut points().map(|(lr, _)| lr));
        // Single losses may lie far outside; what counts is the smoothed one.
        let (low, high) = bounds(&mut points().map(|(_, point)| point.smoothed));
        let margin = ((high - low) * 0.15).max(1e-6);
        let losses = low - margin..high + margin;
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let drawn = match self.mode {
            Growth::Exponential => self.draw(&area, (left..right).log_scale(), losses),
            Growth::Linear => self.draw(&area, left..right, losses),
        };
        drawn.map_err(|error| FindLrError::Drawing(error.to_string()))?;
        drop(area);
        Ok(svg)
    }

    fn draw<X>(
        &self,
        area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
        rates: X,
        losses: std::ops::Range<f64>,
    ) -> Drawn
    where
        X: plotters::coord::ranged1d::AsRangedCoord<Value = f64>,
        X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        area.fill(&WHITE)?;
        let title = format!("Learning-rate range test, epoch {}", self.epoch);
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(58)
            .build_cartesian_2d(rates, losses.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_desc(self.axis())
            .y_desc("loss")
            .axis_desc_style(("sans-serif", 15))
            .label_style(("sans-serif", 13))
            .x_label_formatter(&|lr| {
                if self.mode == Growth::Linear { format!("{lr:.1e}") } else { format!("{lr:.0e}") }
            })
            .draw()?;
        for (index, curve) in self.curves.iter().enumerate() {
            let color = COLORS[index % COLORS.len()];
            let inside = curve.points.iter().filter(|point| losses.contains(&point.loss));
            chart.draw_series(
                inside.map(|point| Circle::new((curve.lr(point), point.loss), 2, color.mix(0.35).filled())),
            )?;
            let line = curve.points.iter().map(|point| (curve.lr(point), point.smoothed));
            chart
                .draw_series(LineSeries::new(line, color.stroke_width(2)))?
                .label(self.label(curve))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
            if let Some(point) = curve.suggestion.map(|index| &curve.points[index]) {
                chart.draw_series([Circle::new((curve.lr(point), point.smoothed), 5, color.filled())])?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 13))
            .draw()?;
        area.present()
    }

    fn axis(&self) -> String {
        match (self.groups.as_slice(), self.curves.as_slice()) {
            ([first, _, ..], [Curve { group: None, .. }]) => format!("learning rate of {}", first.name),
            _ => "learning rate".to_owned(),
        }
    }

    fn label(&self, curve: &Curve) -> String {
        let name = match (curve.group, self.groups.as_slice()) {
            (Some(group), _) => self.groups[group].name.as_str(),
            (None, [only]) => only.name.as_str(),
            (None, _) => "all groups",
        };
        match curve.suggestion.map(|point| curve.lr(&curve.points[point])) {
            Some(lr) => format!("{name}, smoothed; suggested: {lr:.2e}"),
            None => format!("{name}, smoothed; it does not fall"),
        }
    }
}

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
