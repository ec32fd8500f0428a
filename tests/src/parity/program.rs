//! The program, and what it wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// The program and the folder of its plugins.
pub struct Program {
    host: PathBuf,
    folder: PathBuf,
}

impl Program {
    /// What cargo built into a folder.
    pub fn new(folder: &Path) -> Result<Self> {
        let host = folder.join(format!("host{}", std::env::consts::EXE_SUFFIX));
        ensure!(host.is_file(), "{} is not there: run `cargo build --workspace` first", host.display());
        Ok(Self { host, folder: folder.to_path_buf() })
    }

    /// Runs `host fit`; its plugins are found by name.
    pub fn fit(&self, arguments: &[&str], folder: &Path) -> Result<()> {
        let mut command = Command::new(&self.host);
        command.arg("-q").arg("--plugin-dir").arg(&self.folder).arg("fit").args(arguments).current_dir(folder);
        command.env_remove("THAW_LOG").env("OMP_NUM_THREADS", "1").env("CUDA_VISIBLE_DEVICES", "");
        let output = command.output().with_context(|| format!("{} cannot be started", self.host.display()))?;
        if output.status.success() {
            return Ok(());
        }
        bail!("host fit {}: {}: {}", arguments.join(" "), output.status, String::from_utf8_lossy(&output.stderr).trim())
    }
}

/// Tensors of a .safetensors file, as numbers, by name.
pub fn tensors(path: &Path) -> Result<BTreeMap<String, Vec<f64>>> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let file = SafeTensors::deserialize(&bytes).with_context(|| format!("{} is no .safetensors file", path.display()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let data = view.data();
        let numbers = match view.dtype() {
            Dtype::F32 => data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect(),
            Dtype::I64 => {
                data.chunks_exact(8).map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f64).collect()
            }
            other => bail!("{}: `{name}` is {other:?}, expected float32 or int64", path.display()),
        };
        tensors.insert(name, numbers);
    }
    Ok(tensors)
}

/// Writes float32 inputs `x` and int64 targets `y`.
pub fn write_data(path: &Path, shape: &[usize], x: &[f32], y: &[i64]) -> Result<()> {
    let x: Vec<u8> = x.iter().flat_map(|value| value.to_le_bytes()).collect();
    let y_bytes: Vec<u8> = y.iter().flat_map(|value| value.to_le_bytes()).collect();
    let views = [
        ("x", safetensors::tensor::TensorView::new(Dtype::F32, shape.to_vec(), &x)?),
        ("y", safetensors::tensor::TensorView::new(Dtype::I64, vec![y.len()], &y_bytes)?),
    ];
    Ok(safetensors::serialize_to_file(views, None, path)?)
}

/// Writes a run config; `null` is left out.
pub fn write_config(path: &Path, mut config: Value) -> Result<()> {
    without_nulls(&mut config);
    Ok(std::fs::write(path, toml::to_string(&config)?)?)
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
