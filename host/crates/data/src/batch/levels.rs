//! Bytes that become a model's input where the batch has arrived: a quarter of it travels.

use std::sync::{Arc, Mutex, PoisonError};

use tch::{Device, Kind, TchError, Tensor};

/// An input of a batch that is bytes still.
#[derive(Debug)]
pub struct Unfinished {
    /// Which of the batch's inputs.
    pub(crate) input: usize,
    pub(crate) levels: Levels,
}

/// The value of each of the 256 levels: the same for all, or one for each of three channels that take turns.
#[derive(Debug, Clone)]
pub(crate) struct Levels(Arc<Table>);

#[derive(Debug)]
struct Table {
    /// Those of a channel follow each other.
    values: Box<[f32]>,
    /// The values and each channel's first place, on the device that asked last: a copy to it waits.
    there: Mutex<Option<(Device, Tensor, Tensor)>>,
}

impl Levels {
    /// One row of values for each channel; of one row, inputs keep their shape.
    pub(crate) fn new(channels: &[[f32; 256]]) -> Levels {
        Levels(Arc::new(Table { values: channels.concat().into(), there: Mutex::new(None) }))
    }

    /// From 0 to 1, as torchvision's `ToTensor` has them.
    pub(crate) fn shares() -> Levels {
        Levels::new(&[std::array::from_fn(|level| level as f32 / 255.0)])
    }

    /// The levels as values, f32. With channels, `[n, h, w, channels]` becomes `[n, channels, h, w]`.
    pub(crate) fn of(&self, bytes: &Tensor) -> Result<Tensor, TchError> {
        let (values, first) = self.on(bytes.device())?;
        let mut places = bytes.f_to_kind(Kind::Int)?;
        let channels = first.size1()?;
        if channels > 1 {
            places.f_add_(&first).map(drop)?;
        }
        let found = values.f_index_select(0, &places.f_reshape([-1])?)?.f_view(&*bytes.size())?;
        if channels == 1 {
            return Ok(found);
        }
        found.f_permute([0, 3, 1, 2])?.f_contiguous()
    }

    fn on(&self, device: Device) -> Result<(Tensor, Tensor), TchError> {
        let mut there = self.0.there.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, values, first)) = there.as_ref().filter(|(place, ..)| *place == device) {
            return Ok((values.shallow_clone(), first.shallow_clone()));
        }
        let values = Tensor::f_from_slice(&self.0.values)?.f_to_device(device)?;
        let first: Vec<i32> = (0..self.0.values.len() as i32).step_by(256).collect();
        let first = Tensor::f_from_slice(&first)?.f_to_device(device)?;
        *there = Some((device, values.shallow_clone(), first.shallow_clone()));
        Ok((values, first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_levels_are_what_torch_divides_them_to() {
        let bytes = Tensor::arange(256, (Kind::Uint8, Device::Cpu)).view([1, 2, 128]);
        let shares = Levels::shares().of(&bytes).unwrap();
        assert_eq!(shares, bytes.to_kind(Kind::Float) / 255.0);
        assert_eq!(shares.size(), [1, 2, 128]);
    }

    #[test]
    fn channels_that_take_turns_become_planes_of_their_own_values() {
        let rows: [[f32; 256]; 3] =
            std::array::from_fn(|c| std::array::from_fn(|level| (1000 * c + level) as f32));
        let pixels = Tensor::from_slice(&[1_u8, 2, 3, 255, 0, 9]).view([1, 1, 2, 3]);
        let planes = Levels::new(&rows).of(&pixels).unwrap();
        let expected = Tensor::from_slice(&[1_f32, 255.0, 1002.0, 1000.0, 2003.0, 2009.0]).view([1, 3, 1, 2]);
        assert_eq!(planes, expected);
        assert!(planes.is_contiguous());
    }
}
