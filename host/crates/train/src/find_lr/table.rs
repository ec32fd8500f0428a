//! The curves as CSV, the suggestions as text.

use super::{FindLrError, FoundLr};
use thaw_terminal::aligned;

impl FoundLr {
    /// The header `moved,step,loss,smoothed_loss,lr-<group>…` and a row per step; `moved` is `all` or the
    /// group whose rate moved while the others were 0.
    ///
    /// # Errors
    /// None that is to be expected: it is written to memory.
    pub fn to_csv(&self) -> Result<Vec<u8>, FindLrError> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let head = ["moved", "step", "loss", "smoothed_loss"].map(str::to_owned);
        csv.write_record(
            head.into_iter().chain(self.groups.iter().map(|group| format!("lr-{}", group.name))),
        )?;
        for curve in &self.curves {
            let moved = self.moved(curve);
            for (step, point) in curve.points.iter().enumerate() {
                let losses = [point.loss, point.smoothed].map(|loss| loss.to_string());
                let numbers = losses.into_iter().chain(point.rates.iter().map(|lr| format!("{lr:e}")));
                csv.write_record([moved.to_owned(), step.to_string()].into_iter().chain(numbers))?;
            }
        }
        Ok(csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))?)
    }

    /// A line per group: its rate and the one suggested.
    pub fn text(&self) -> String {
        let width = aligned::widest(self.groups.iter().map(|group| aligned::name(&group.name))).max(5);
        let head = aligned::left("group", width);
        let mut text = format!("  {head}  {:>9}  {:>9}\n", "lr", "suggested");
        for (group, (name, suggested)) in self.groups.iter().zip(self.suggestions()) {
            let suggested = suggested
                .map_or_else(|| "none: the loss does not fall".to_owned(), |lr| format!("{lr:>9.2e}"));
            let name = aligned::left(&aligned::name(name), width);
            text += &format!("  {name}  {:>9.2e}  {suggested}\n", group.lr);
        }
        text
    }
}
