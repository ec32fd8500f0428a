//! The run config of a case.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::spelling;

/// The run config of a training case.
pub fn of_case(folder: &Path, case: &Value) -> Result<Value> {
    let mut callbacks = Vec::new();
    if !case["strategy"].is_null() {
        callbacks.push(spelling::strategy(&case["strategy"])?);
    }
    // After the strategy, so that it sees what the epoch uses.
    callbacks.push(json!({ "id": "case-recorder", "norm": !case["gradient_clip_val"].is_null() }));
    Ok(json!({
        "seed": case["seed"],
        "plugins": plugins(&callbacks),
        "model": { "id": "case-model", "case": folder.join("case.json"),
            "weights": folder.join("init.safetensors") },
        "data": {
            "kind": "tensors",
            "path": folder.join("data.safetensors"),
            "batch_size": case["batch_size"],
            "val_batch_size": case["val_batch_size"],
            "shuffle": case["shuffle"],
        },
        "optimizer": spelling::optimizer(&case["optimizer"])?,
        "scheduler": spelling::scheduler(&case["scheduler"])?,
        "callbacks": callbacks,
        "trainer": {
            "max_epochs": case["epochs"],
            "accumulate_grad_batches": case["accumulate_grad_batches"],
            "gradient_clip_val": case["gradient_clip_val"],
            "gradient_clip_algorithm": case["gradient_clip_algorithm"],
            "num_sanity_val_steps": 0,
            "log_every_n_steps": 1,
            "precision": case["precision"],
            "device": "cpu",
            "threads": 1,
            // Some cases show what Lightning does where Thaw would refuse.
            "audit": "warn",
        },
        "checkpoint": { "save_top_k": -1 },
    }))
}

/// The plugins that the model and these callbacks need.
pub fn plugins(callbacks: &[Value]) -> Vec<&'static str> {
    let mut plugins = vec!["case_model", "case_strategies"];
    if callbacks.iter().any(|table| table["id"] == "backbone-finetuning") {
        plugins.push("backbone_finetuning");
    }
    plugins
}
