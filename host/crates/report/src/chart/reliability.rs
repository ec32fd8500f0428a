//! How often a model is right beside how sure it is.

use std::fmt::Write as _;

use thaw_metrics::{BINS, Bin, Calibration};

use super::{Along, BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, figure, frame, number, svg};

/// A bar for each bin of the prediction's probability, as high as the share that is right, over the line on
/// which a model is right as often as it is sure.
pub(crate) fn reliability(calibration: &Calibration) -> String {
    let bottom = HEIGHT - BOTTOM;
    let x = Along::from_zero([1.0].into_iter(), LEFT, WIDTH - RIGHT);
    let y = Along::from_zero([1.0].into_iter(), bottom, TOP);
    let mut inside = frame(&x, &y, "probability of the prediction");
    for (index, bin) in drawn(calibration).iter().enumerate().filter(|(_, bin)| bin.samples > 0) {
        let [low, high] = [index, index + 1].map(|end| end as f64 / BINS as f64);
        let top = y.place(bin.accuracy());
        let _ = write!(
            inside,
            "<rect class=\"c0\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
             height=\"{:.1}\"><title>probability {low:.2} to {high:.2}: {} samples, {} of them right, mean \
             probability {}</title></rect>",
            x.place(low) + 1.0,
            x.place(high) - x.place(low) - 2.0,
            // A bar of nothing can be pointed at.
            (bottom - top).max(1.5),
            bin.samples,
            number(bin.accuracy()),
            number(bin.mean_confidence())
        );
    }
    let _ = write!(
        inside,
        "<line class=\"mark\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        x.place(0.0),
        y.place(0.0),
        x.place(1.0),
        y.place(1.0)
    );
    let title = format!("reliability, calibration error {}", number(calibration.error()));
    let note =
        "Bars are the share that is right. On the dashed line a model is right as often as it is sure.";
    figure(&title, &[], &svg("reliability", "reliability", &inside), &[note.to_owned()])
}

/// Predictions with a probability of 1 are part of the last bar.
fn drawn(calibration: &Calibration) -> Vec<Bin> {
    let mut bins = calibration.bins.clone();
    if bins.len() > BINS
        && let Some(certain) = bins.pop()
        && let Some(last) = bins.last_mut()
    {
        *last = Bin {
            samples: last.samples + certain.samples,
            hits: last.hits + certain.hits,
            confidence: last.confidence + certain.confidence,
        };
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bin_with_samples_is_a_bar_as_high_as_its_share_of_hits() {
        let calibration = Calibration::of([(0.5, true), (0.5, false), (0.97, true), (1.0, true)]);
        let svg = reliability(&calibration);
        assert_eq!(svg.matches("<rect").count(), 2, "{svg}");
        assert!(svg.contains("probability 0.47 to 0.53: 2 samples, 0.5 of them right"), "{svg}");
        assert!(svg.contains("probability 0.93 to 1.00: 2 samples, 1 of them right"), "{svg}");
        assert!(svg.contains("calibration error 0.0075"), "{svg}");
    }
}
