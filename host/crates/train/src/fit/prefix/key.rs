//! What a prefix depends on, as a hash: runs that agree in it have the same bits.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};
use tch::Tensor;
use thaw_data::{Dataset, FileStamps, Split};
use thaw_files::sha256::{Sha256Bytes, sha256_file};
use thaw_plugin_api::abi::{Kind, torch_versions};

use super::boundary::tensors_before;
use super::fill::View;
use crate::Error;
use crate::config::{CacheFiles, RunConfig};
use crate::error::torch;
use crate::fit::{Fit, RunState};

/// Raised when what is kept, or how it is computed, means something else.
const FORMAT: u32 = 2;

/// Keys of `[data]` that the input of a sample does not depend on: paths (names relative to them count), the
/// selection and order of samples (which are counted one by one), and how they are loaded.
const NOT_OF_INPUTS: [&str; 16] = [
    "path",
    "val_path",
    "root",
    "val_split",
    "split_seed",
    "shuffle",
    "bucket",
    "drop_last",
    "batch_size",
    "val_batch_size",
    "workers",
    "prefetch_mib",
    "cache",
    "cache_mib",
    "on_error",
    "augment",
];

/// Files up to this size are known by their bytes: that costs a millisecond each.
const SMALL: u64 = 4 << 20;

impl Fit {
    /// The hash of all that the first stages' outputs depend on; None where the samples come from a place
    /// that cannot say whether it is the same.
    ///
    /// # Errors
    /// libtorch cannot read a tensor.
    pub(super) fn key(&self, split: Split, cut: usize, view: View) -> Result<Option<String>, Error> {
        let facts = self.state.prefix_facts(split, cut, view, &self.model_key())?;
        Ok(facts.map(|facts| hash_of(&facts)))
    }

    /// The model's code and its own configuration. Weights count by their values.
    fn model_key(&self) -> Value {
        let config = &self.state.config;
        let id = self.plugins.model_id(&config.model.id);
        let plugin = self.plugins.plugins().find(|plugin| plugin.offers(Kind::Model, id));
        let mut table = config.given_model();
        for named in config.paths(|kinds, id| self.plugins.schema(kinds, id)) {
            let of_model = named.key.strip_prefix("/model");
            if let Some(value) = of_model.and_then(|key| table.pointer_mut(key)) {
                *value = file_key(&named.path, u64::MAX);
            }
        }
        json!({ "id": id, "plugin": plugin.map(|plugin| plugin.sha256()), "config": table })
    }
}

impl RunState {
    /// All that they depend on, of a model whose code and configuration are these.
    pub(in crate::fit) fn prefix_facts(
        &self,
        split: Split,
        cut: usize,
        view: View,
        code: &Value,
    ) -> Result<Option<Value>, Error> {
        let Some(dataset) = self.data.dataset(split) else { return Ok(None) };
        let Some(samples) = self.samples_key(dataset.as_ref()) else { return Ok(None) };
        let model = &self.trained.model;
        let stages: Vec<&str> = model.stages()[..cut].iter().map(|stage| stage.name.as_str()).collect();
        Ok(Some(json!({
            "format": FORMAT,
            "program": program(),
            "libtorch": torch_versions().libtorch,
            "machine": machine(),
            "device": device(model.device()),
            "model": code,
            "stages": stages,
            "tensors": self.tensors_key(cut)?,
            "channels_last": model.is_channels_last(),
            "data": self.data_key(view.is_some()),
            "samples": samples,
            "classes": dataset.class_names(),
            "multi_label": self.config.is_multi_label(),
            "batch": self.data.batch_size(split),
            "view": view.map(|(view, _)| json!({ "number": view, "seed": self.data.seed() })),
            "trainer": settings(&self.config),
        })))
    }

    /// Names, shapes and values of the tensors that the stages read.
    fn tensors_key(&self, cut: usize) -> Result<String, Error> {
        let model = &self.trained.model;
        let mut digest = Sha256Bytes::default();
        for name in tensors_before(model.tree(), model.stages(), cut) {
            let Ok(tensor) = model.tensor(name) else { continue };
            let text = format!("{name} {:?} {:?}\n", tensor.kind(), tensor.size());
            digest.take(text.as_bytes());
            digest.take(&bytes(tensor).map_err(torch("the hash of a frozen tensor"))?);
        }
        Ok(digest.finish_hex())
    }

    /// What the config says of how files become inputs and targets, and the files that it names.
    fn data_key(&self, augments: bool) -> Value {
        let config = &self.config;
        let mut table = config.data.as_ref().and_then(|data| serde_json::to_value(data).ok());
        if let Some(table) = table.as_mut().and_then(Value::as_object_mut) {
            table.retain(|key, _| !NOT_OF_INPUTS.contains(&key.as_str()) || (key == "augment" && augments));
        }
        let whole = if config.trainer.cache_files == CacheFiles::Content { u64::MAX } else { SMALL };
        let named = config.data.iter().flat_map(|data| data.paths()).filter(|(_, path)| path.is_file());
        let files: Map<String, Value> =
            named.map(|(key, path)| (key.to_owned(), file_key(path, whole))).collect();
        json!({ "table": table, "files": files })
    }

    /// Which samples they are, in their order, and the state of their files.
    fn samples_key(&self, dataset: &dyn Dataset) -> Option<Value> {
        let stamps = dataset.stamps();
        if stamps == FileStamps::default() {
            return None;
        }
        let mut names = Sha256Bytes::default();
        for index in 0..dataset.len() {
            let text = format!("{:?} {:?}\n", dataset.identity(index), dataset.class_of(index));
            names.take(text.as_bytes());
        }
        let files = match self.config.trainer.cache_files {
            CacheFiles::Stamps => json!(stamps),
            CacheFiles::Content => json!(contents(&dataset.files())?),
        };
        Some(json!({ "names": names.finish_hex(), "count": dataset.len(), "files": files }))
    }
}

fn hash_of(facts: &Value) -> String {
    let mut digest = Sha256Bytes::default();
    digest.take(facts.to_string().as_bytes());
    digest.finish_hex()[..32].to_owned()
}

/// Keys of `[trainer]` that kernels and their rounding depend on.
fn settings(config: &RunConfig) -> Value {
    let trainer = &config.trainer;
    json!({
        "precision": format!("{:?}", trainer.precision),
        "dtype": format!("{:?}", trainer.cache_dtype),
        "deterministic": trainer.deterministic,
        "matmul": format!("{:?}", trainer.matmul_precision),
        "cudnn_benchmark": trainer.cudnn_benchmark,
        "threads": tch::get_num_threads(),
    })
}

/// This program, which decodes and pads: an own model of a program that embeds the trainer is in it, too. Its
/// bytes count, so that one that is built anew from the same sources is the same.
fn program() -> Value {
    static SHA256: OnceLock<Option<String>> = OnceLock::new();
    // What runs, even where another file has taken its place.
    let running = || sha256_file(Path::new("/proc/self/exe")).ok();
    let named = || sha256_file(&std::env::current_exe().ok()?).ok();
    let sha256 = SHA256.get_or_init(|| running().or_else(named));
    json!({ "version": env!("CARGO_PKG_VERSION"), "sha256": sha256 })
}

/// The kind of machine: libtorch chooses kernels by its processor.
fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name")).unwrap_or_default();
    json!({
        "system": std::env::consts::OS, "architecture": std::env::consts::ARCH, "cpu": model,
        "capability": std::env::var("ATEN_CPU_CAPABILITY").ok(),
    })
}

/// Where the model computes: a GPU by its memory and by the models that the driver names.
fn device(device: tch::Device) -> Value {
    let memory = thaw_torch::memory::of(device).ok().flatten().map(|memory| memory.total);
    let entries = std::fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten().flatten();
    let said = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("information")).ok());
    let of_driver = |said: String| said.lines().find(|line| line.starts_with("Model:")).map(str::to_owned);
    let mut models: Vec<String> = said.filter_map(of_driver).collect();
    models.sort_unstable();
    let gpu = device.is_cuda().then(|| json!({ "memory": memory, "models": models }));
    json!({ "name": format!("{device:?}"), "gpu": gpu })
}

/// A file by its bytes up to this size, else by name, size and time.
fn file_key(path: &Path, whole: u64) -> Value {
    let size = path.metadata().map_or(u64::MAX, |file| file.len());
    if size > whole {
        return stamp(path);
    }
    match sha256_file(path) {
        Ok(sha256) => json!({ "sha256": sha256 }),
        Err(_) => stamp(path),
    }
}

fn stamp(path: &Path) -> Value {
    let file = path.metadata().ok();
    let time = file.as_ref().and_then(|file| file.modified().ok()?.duration_since(UNIX_EPOCH).ok());
    json!({
        "name": path.file_name().map(|name| name.to_string_lossy()),
        "size": file.map(|file| file.len()),
        "time": time.map(|time| time.as_nanos().to_string()),
    })
}

/// The hash of all bytes of these files, in their order; None where one cannot be read. No file says
/// nothing: those that the config names are known by their bytes anyway.
fn contents(files: &[PathBuf]) -> Option<String> {
    let mut digest = Sha256Bytes::default();
    for path in files {
        digest.take(sha256_file(path).ok()?.as_bytes());
    }
    Some(digest.finish_hex())
}

fn bytes(tensor: &Tensor) -> Result<Vec<u8>, tch::TchError> {
    let tensor = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
