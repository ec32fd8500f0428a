//! Data in the formats that the other readers do not meet: `.npz`, Parquet, CIFAR-10's files, lists of
//! pictures.

use std::path::Path;

use fastrand::Rng;
use thaw_plugin_api::tch::Tensor;
use thaw_tests::fixtures;

use super::{pictures, read, survives, tables, write};
use crate::attack::{Attack, Fault};
use crate::{mutate, scene};

/// Training on a file of data that was mutated.
pub struct Data;

impl Attack for Data {
    fn name(&self) -> &'static str {
        "data"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        match random.u32(..4) {
            0 => npz(folder, random)?,
            1 => parquet(folder, random)?,
            2 => cifar10(folder, random)?,
            _ => list(folder, random)?,
        }
        survives(folder, &["fit", "run.toml", "--run-dir", "run", "--set", "trainer.max_steps=2"])
    }
}

fn npz(folder: &Path, random: &mut Rng) -> Result<(), Fault> {
    scene::write(folder)?;
    let config =
        String::from_utf8_lossy(&read(&folder.join("run.toml"))?).replace("data.safetensors", "data.npz");
    write(&folder.join("run.toml"), config)?;
    let bytes = npz_of(&folder.join("data.safetensors"))?;
    write(&folder.join("data.npz"), mutate::bytes(&bytes, random))
}

/// The tensors of a .safetensors file as libtorch writes an `.npz` of them, beside it.
pub fn npz_of(file: &Path) -> Result<Vec<u8>, Fault> {
    let torch = |error: thaw_plugin_api::tch::TchError| Fault::new(error.to_string());
    let whole = file.with_extension("npz");
    Tensor::write_npz(&Tensor::read_safetensors(file).map_err(torch)?, &whole).map_err(torch)?;
    read(&whole)
}

fn parquet(folder: &Path, random: &mut Rng) -> Result<(), Fault> {
    let original = read(&fixtures().join("torture/texts.parquet"))?;
    write(&folder.join("texts.parquet"), mutate::bytes(&original, random))?;
    tables::write_model(folder, "parquet")
}

/// Pixels of one plane of a picture.
const PLANE: usize = 32 * 32;

fn cifar10(folder: &Path, random: &mut Rng) -> Result<(), Fault> {
    let record = |label: u8| [vec![label], vec![label.wrapping_mul(25); 3 * PLANE]].concat();
    let records = |labels: &[u8]| labels.iter().flat_map(|label| record(*label)).collect::<Vec<u8>>();
    let mut files = [
        ("data_batch_1.bin", records(&[0, 1, 2, 3, 9, 1])),
        ("test_batch.bin", records(&[3, 0])),
        ("batches.meta.txt", b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n".to_vec()),
    ];
    let victim = random.usize(..files.len());
    files[victim].1 = mutate::any(&files[victim].1, random);
    for (name, contents) in &files {
        write(&folder.join("cifar").join(name), contents)?;
    }
    let config =
        pictures::CONFIG.replace("\"image-folder\"", "\"cifar10\"").replace("\"pictures\"", "\"cifar\"");
    write(&folder.join("run.toml"), config.replace("num_classes = 2", "num_classes = 10"))
}

fn list(folder: &Path, random: &mut Rng) -> Result<(), Fault> {
    pictures::write_good(folder)?;
    let rows = ["a/good0.png,a", "a/good1.png,a", "b/good2.png,\"b\"", "b/good3.png,b"].join("\n");
    let list = format!("path,label\n{rows}\n");
    write(&folder.join("pictures/list.csv"), mutate::any(list.as_bytes(), random))?;
    let config = pictures::CONFIG.replace("\"image-folder\"", "\"list\"");
    write(&folder.join("run.toml"), config.replace("\"pictures\"", "\"pictures/list.csv\""))
}
