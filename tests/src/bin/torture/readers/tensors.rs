//! Samples as tensors.

use std::path::Path;

use fastrand::Rng;

use super::{read, survives, write};
use crate::attack::{Attack, Fault};
use crate::{mutate, scene};

/// Data as `.safetensors`, mutated, in training and prediction; the model's description, too.
pub struct Tensors;

impl Attack for Tensors {
    fn name(&self) -> &'static str {
        "tensors"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::write(folder)?;
        let victim = folder.join(["data.safetensors", "data.safetensors", "case.json"][random.usize(..3)]);
        let original = read(&victim)?;
        write(&victim, mutate::any(&original, random))?;
        survives(folder, &["fit", "run.toml", "--run-dir", "run", "--set", "trainer.max_steps=2"])
    }
}
