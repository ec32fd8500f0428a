//! Labels of a batch, looked at where the data left them: a kernel of a GPU that meets one outside of its
//! classes ends the process' use of the device.

use tch::{Device, Kind, TchError, Tensor};

use super::loss::IGNORED;

/// The lowest and the highest label of a batch, where they may be none of the model's.
#[derive(Debug)]
pub(super) struct LabelRange {
    lowest: Label,
    highest: Label,
}

/// A label, and which sample has it.
#[derive(Debug)]
struct Label {
    class: i64,
    sample: String,
}

impl LabelRange {
    /// Of labels on the CPU, one whole number per sample, of which PyTorch's `ignore_index` counts for
    /// nothing; none where all lie in `0..classes`, as far as that is known. `sample` names the one of a
    /// row.
    ///
    /// # Errors
    /// libtorch's.
    pub(super) fn of(
        labels: &Tensor,
        classes: Option<i64>,
        sample: impl Fn(usize) -> String,
    ) -> Result<Option<LabelRange>, TchError> {
        if labels.kind() != Kind::Int64 || labels.dim() != 1 || labels.device() != Device::Cpu {
            return Ok(None);
        }
        let mut values = vec![0_i64; labels.numel()];
        labels.f_copy_data(&mut values, labels.numel())?;
        let rows = || values.iter().enumerate().filter(|(_, class)| **class != IGNORED);
        let ends = (rows().min_by_key(|(_, class)| **class), rows().max_by_key(|(_, class)| **class));
        let (Some((first, &lowest)), Some((last, &highest))) = ends else { return Ok(None) };
        if lowest >= 0 && classes.is_some_and(|classes| highest < classes) {
            return Ok(None);
        }
        let label = |class, row| Label { class, sample: sample(row) };
        Ok(Some(LabelRange { lowest: label(lowest, first), highest: label(highest, last) }))
    }

    /// Why a model of so many classes cannot have these labels.
    pub(super) fn refusal(&self, classes: i64) -> Option<String> {
        let Label { class, sample } =
            [&self.lowest, &self.highest].into_iter().find(|label| !(0..classes).contains(&label.class))?;
        let remedy = match class {
            ..0 => "labels count from 0; -100 leaves a sample out of the loss".to_owned(),
            _ => "set num_classes to the number of classes in the data, or mend the label".to_owned(),
        };
        Some(format!(
            "a label is outside 0..{classes}: sample {sample} has label {class}, and the model has {classes} \
             classes; {remedy}"
        ))
    }
}

/// The first row with a number that is none, of a target of floats on the CPU, and that number.
///
/// # Errors
/// libtorch's.
pub(super) fn not_finite(target: &Tensor) -> Result<Option<(usize, f64)>, TchError> {
    let is_looked_at = target.is_floating_point() && target.device() == Device::Cpu && target.dim() > 0;
    // The sum is finite where each is: float64 does not overflow by what float32 holds.
    if !is_looked_at || target.f_sum(Kind::Double)?.f_double_value(&[])?.is_finite() {
        return Ok(None);
    }
    first_row(target, &target.f_isfinite()?.f_logical_not()?)
}

/// The first row with a number outside 0 to 1, NaN among them, and that number.
///
/// # Errors
/// libtorch's.
pub(super) fn outside_shares(target: &Tensor) -> Result<Option<(usize, f64)>, TchError> {
    if target.numel() == 0 {
        return Ok(None);
    }
    let inside = target.f_ge(0.0)?.f_logical_and(&target.f_le(1.0)?)?;
    first_row(target, &inside.f_logical_not()?)
}

/// Row and value of the first element that is marked.
fn first_row(target: &Tensor, marked: &Tensor) -> Result<Option<(usize, f64)>, TchError> {
    let marked = marked.f_reshape([-1])?;
    if !bool::try_from(marked.f_any()?)? {
        return Ok(None);
    }
    let place = marked.f_to_kind(Kind::Uint8)?.f_argmax(None, false)?.f_int64_value(&[])?;
    let width = target.numel() as i64 / target.size()[0].max(1);
    let value = target.f_reshape([-1])?.f_to_kind(Kind::Double)?.f_double_value(&[place])?;
    Ok(Some(((place / width.max(1)) as usize, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(labels: &[i64], classes: Option<i64>) -> Option<LabelRange> {
        LabelRange::of(&Tensor::from_slice(labels), classes, |row| format!("row {row}")).unwrap()
    }

    #[test]
    fn the_sample_of_a_label_that_is_none_is_named() {
        assert!(range(&[0, 2, IGNORED, 1], Some(3)).is_none());
        assert!(range(&[IGNORED, IGNORED], Some(3)).is_none());
        assert!(range(&[], None).is_none());
        let high = range(&[0, 1, 3, 2], Some(3)).unwrap().refusal(3).unwrap();
        assert!(high.starts_with("a label is outside 0..3: sample row 2 has label 3, and"), "{high}");
        let low = range(&[0, -1], Some(3)).unwrap().refusal(3).unwrap();
        assert!(low.contains("sample row 1 has label -1") && low.contains("count from 0"), "{low}");
        assert!(range(&[0, 1], None).unwrap().refusal(2).is_none(), "how many there are, the outputs say");
        assert!(range(&[0, 2], None).unwrap().refusal(2).is_some());
    }

    #[test]
    fn numbers_that_are_none_are_found_with_their_row() {
        let target = Tensor::from_slice(&[0_f32, 1.0, 0.5, f32::NAN, 2.0, -0.1]).view([3, 2]);
        let (row, value) = not_finite(&target).unwrap().unwrap();
        assert!(row == 1 && value.is_nan());
        let (row, value) = outside_shares(&target).unwrap().unwrap();
        assert!(row == 1 && value.is_nan(), "NaN is outside");
        let (row, value) = outside_shares(&target.get(2).view([1, 2])).unwrap().unwrap();
        assert_eq!((row, value), (0, 2.0));
        assert!(not_finite(&target.narrow(0, 0, 1)).unwrap().is_none());
        assert!(outside_shares(&target.narrow(0, 0, 1)).unwrap().is_none());
        assert!(not_finite(&Tensor::from_slice(&[1_i64])).unwrap().is_none());
    }
}
