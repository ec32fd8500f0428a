//! Weight files of every format, hostile ones among them.

use std::path::Path;

use fastrand::Rng;
use thaw_tests::fixtures;

use super::{read, survives, write};
use crate::attack::{Attack, Fault};
use crate::mutate;

/// `weights` of a model, from a mutated file.
pub struct Weights;

/// Files of `fixtures/models/files`. The first ones fit the model.
const FILES: [&str; 14] = [
    "autoencoder.pt",
    "autoencoder.pth",
    "autoencoder.safetensors",
    "autoencoder.ckpt",
    "pytorch_model.bin",
    "small.pt",
    "small.pth",
    "views.pt",
    "views.pth",
    "hostile_eval.pt",
    "hostile_hyper_parameters.ckpt",
    "hostile_legacy.pth",
    "hostile_raw.pth",
    "hostile_zip.pt",
];

const CONFIG: &str = r#"plugins = ["autoencoder"]
[model]
id = "autoencoder"
image_shape = [3, 32, 32]
hidden_dim = 4
latent_dim = 100
weights = { path = "weights.EXTENSION" }
[data]
kind = "image-folder"
path = "pictures"
image_size = 32
[trainer]
max_steps = 1
"#;

impl Attack for Weights {
    fn name(&self) -> &'static str {
        "weights"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        let name = FILES[random.usize(..FILES.len())];
        let original = read(&fixtures().join("models/files").join(name))?;
        let extension = name.rsplit('.').next().unwrap_or_default();
        write(&folder.join(format!("weights.{extension}")), mutate::bytes(&original, random))?;
        write(&folder.join("run.toml"), CONFIG.replace("EXTENSION", extension))?;
        super::pictures::write_good(folder)?;
        survives(folder, &["fit", "run.toml", "--run-dir", "run"])
    }
}
