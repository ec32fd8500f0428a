//! Modules that PyTorch wrote as programs: TorchScript and `torch.export`.

use std::path::Path;

use fastrand::Rng;
use thaw_tests::fixtures;

use super::{pictures, read, survives, write};
use crate::attack::{Attack, Fault};
use crate::mutate;

/// A mutated file as the model.
pub struct Modules;

/// The id of the model, its plugin, and a file of the fixtures.
const FILES: [(&str, &str, &str); 6] = [
    ("torchscript", "torchscript", "models/files/script_classifier.pt"),
    ("torchscript", "torchscript", "models/files/trace_classifier.pt"),
    ("torchscript", "torchscript", "norms/batch_norm.pt"),
    ("torch-export", "torch_export", "exported/odd/eval_mode.pt2"),
    ("torch-export", "torch_export", "exported/odd/branch.pt2"),
    ("torch-export", "torch_export", "norms/batch_norm.pt2"),
];

impl Attack for Modules {
    fn name(&self) -> &'static str {
        "modules"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        let (id, plugin, name) = FILES[random.usize(..FILES.len())];
        let file = format!("module.{}", name.rsplit('.').next().unwrap_or_default());
        write(&folder.join(&file), mutate::bytes(&read(&fixtures().join(name))?, random))?;
        let (_, data) = pictures::CONFIG.split_once("[data]").unwrap_or_default();
        let model = format!("plugins = [\"{plugin}\"]\n[model]\nid = \"{id}\"\npath = \"{file}\"\n[data]");
        write(&folder.join("run.toml"), model + data)?;
        pictures::write_good(folder)?;
        survives(folder, &["fit", "run.toml", "--run-dir", "run"])
    }
}
