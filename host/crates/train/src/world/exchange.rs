//! What each process says, and hears of the others.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Joined, WorldError};

/// Bytes of a frame: what is shorter crosses in one go. The first four are the length.
const FRAME: usize = 1024;
const HEAD: usize = 4;

impl Joined {
    /// Everybody's own words at a place of the run, by rank.
    pub(super) fn exchange<T: Serialize + DeserializeOwned>(
        &self,
        place: &str,
        own: &T,
    ) -> Result<Vec<T>, WorldError> {
        let foreign = |rank: usize, reason: serde_json::Error| WorldError::Foreign {
            rank,
            place: place.to_owned(),
            reason: reason.to_string(),
        };
        let own = serde_json::to_vec(&(place, own)).map_err(|error| foreign(self.launch.rank, error))?;
        let said = self.gather(place, &own)?;
        let said = said.iter().enumerate().map(|(rank, bytes)| {
            serde_json::from_slice::<(String, Value)>(bytes).map_err(|error| foreign(rank, error))
        });
        let said = said.collect::<Result<Vec<_>, _>>()?;
        check_places(&said)?;
        let words = said.into_iter().enumerate();
        words
            .map(|(rank, (_, value))| serde_json::from_value(value).map_err(|error| foreign(rank, error)))
            .collect()
    }

    /// Everybody's bytes, by rank: short ones in one go.
    pub(super) fn gather(&self, place: &str, own: &[u8]) -> Result<Vec<Vec<u8>>, WorldError> {
        let all_gather = |size| self.compute(place, |group| group.all_gather(&frame(own, size)));
        let frames = all_gather(FRAME)?;
        let lengths: Vec<usize> = frames.chunks_exact(FRAME).map(length).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let (frames, size) = if longest + HEAD <= FRAME {
            (frames, FRAME)
        } else {
            let size = longest + HEAD;
            (all_gather(size)?, size)
        };
        let words = frames.chunks_exact(size).zip(lengths);
        Ok(words.map(|(frame, length)| frame[HEAD..HEAD + length].to_vec()).collect())
    }
}

/// The length and as much of the bytes as there is room for.
fn frame(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut frame = vec![0; size];
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    frame[..HEAD].copy_from_slice(&length.to_le_bytes());
    let room = bytes.len().min(size - HEAD);
    frame[HEAD..HEAD + room].copy_from_slice(&bytes[..room]);
    frame
}

fn length(frame: &[u8]) -> usize {
    let head: [u8; HEAD] = frame.first_chunk().copied().unwrap_or_default();
    u32::from_le_bytes(head) as usize
}

/// Everybody has to be where the first one is.
fn check_places(said: &[(String, Value)]) -> Result<(), WorldError> {
    let Some((first, _)) = said.first() else { return Err(WorldError::Silent) };
    match said.iter().enumerate().find(|(_, (place, _))| place != first) {
        None => Ok(()),
        Some((rank, (place, _))) => {
            Err(WorldError::Apart { rank, place: place.clone(), first: first.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_how_long_the_whole_is() {
        let bytes = vec![7_u8; FRAME + 5];
        assert_eq!(length(&frame(&bytes, FRAME)), FRAME + 5);
        assert_eq!(frame(&[1, 2], 8), [2, 0, 0, 0, 1, 2, 0, 0]);
    }

    #[test]
    fn the_one_that_is_elsewhere_is_named_with_both_places() {
        let said = ["batch 2", "batch 2", "validation"].map(|place| (place.to_owned(), Value::Null));
        let error = check_places(&said).unwrap_err().to_string();
        assert!(error.starts_with("rank 2 is at validation, rank 0 at batch 2: "), "{error}");
    }
}
