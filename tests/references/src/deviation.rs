//! How far two numbers are apart, and how far they may be.

use std::sync::OnceLock;

static ALLOWED: OnceLock<f64> = OnceLock::new();

/// From here on, every comparison of this process allows so many times what the references say: they were
/// recorded on a CPU, and other devices add in another order. The first call counts.
pub fn allow(times: f64) {
    ALLOWED.get_or_init(|| times);
}

/// The largest deviation so far, as a share of what is allowed: at most 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation(f64);

/// The largest deviation, or the first one that is too large: what, where, by how much.
pub type Outcome = Result<Deviation, String>;

impl Deviation {
    /// The share.
    pub fn share(self) -> f64 {
        self.0
    }

    /// Takes over the larger of two.
    pub fn join(&mut self, other: Self) {
        self.0 = self.0.max(other.0);
    }

    /// Compares two numbers, which may differ by `allowed` times `unit`, and by [`allow`] times that.
    ///
    /// # Errors
    /// They differ by more, or one of them is not a number.
    pub fn compare(
        &mut self,
        what: &str,
        ours: f64,
        theirs: f64,
        allowed: f64,
        unit: f64,
    ) -> Result<(), String> {
        let allowed = allowed * ALLOWED.get().copied().unwrap_or(1.0);
        let off = if ours == theirs { 0.0 } else { (ours - theirs).abs() / unit.abs().max(1e-12) };
        // Written so that a NaN fails.
        if off <= allowed {
            self.0 = self.0.max(off / allowed);
            return Ok(());
        }
        Err(format!(
            "{what}: {ours}, the reference has {theirs}: off by {off:.1e}, allowed are {allowed:.0e}"
        ))
    }

    /// Compares two numbers, which may differ by the share `allowed` of theirs.
    ///
    /// # Errors
    /// As [`Self::compare`].
    pub fn close(&mut self, what: &str, ours: f64, theirs: f64, allowed: f64) -> Result<(), String> {
        self.compare(what, ours, theirs, allowed, theirs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_deviation_is_kept_and_one_too_large_is_named() {
        let mut deviation = Deviation::default();
        deviation.close("loss", 1.000_05, 1.0, 1e-4).unwrap();
        deviation.close("loss", 2.0, 2.0, 1e-4).unwrap();
        assert!((deviation.share() - 0.5).abs() < 1e-6);
        let error = deviation.close("loss", 1.001, 1.0, 1e-4).unwrap_err();
        assert_eq!(error, "loss: 1.001, the reference has 1: off by 1.0e-3, allowed are 1e-4");
        assert!(deviation.close("loss", f64::NAN, 1.0, 1e-4).is_err());
    }
}
