//! Measures whole runs: `bench-run frozen|thawed|data|start|checkpoint DATA` prints a JSON object of numbers.
//!
//! DATA is a folder with `jpeg` and `png`, each a folder of pictures per class. `cargo xtask bench` makes it,
//! and compares these numbers with those of other programs that do the same work.

mod data;
mod files;
mod start;
mod training;

use std::error::Error;
use std::path::Path;

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [measure, folder] = arguments.as_slice() else {
        return Err("usage: bench-run frozen|thawed|data|start|checkpoint DATA".into());
    };
    let folder = Path::new(folder);
    let numbers: Value = match measure.as_str() {
        "frozen" => training::frozen(folder)?,
        "thawed" => training::thawed(folder)?,
        "data" => data::pictures_per_second(folder)?,
        "start" => start::first_step(folder)?,
        "checkpoint" => files::checkpoint(folder)?,
        other => return Err(format!("unknown measure `{other}`").into()),
    };
    println!("{numbers}");
    Ok(())
}
