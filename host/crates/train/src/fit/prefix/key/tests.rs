//! Every fact that a prefix depends on makes another key; what it does not depend on makes none.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::*;
use crate::fit::state::tests::{fresh, fresh_with};

fn code() -> Value {
    json!({ "id": "small", "plugin": "0123", "config": { "width": 4 } })
}

/// The key of the first stages of training.
fn key(state: &RunState, cut: usize, code: &Value) -> String {
    hash_of(&state.prefix_facts(Split::Train, cut, None, code).unwrap().unwrap())
}

fn usual(state: &RunState) -> String {
    key(state, 2, &code())
}

fn write_into(state: &RunState, name: &str) {
    let tensor = state.trained.model.tensor(name).unwrap();
    tch::no_grad(|| drop(tensor.shallow_clone().f_add_scalar_(1e-3).unwrap()));
}

#[test]
fn weights_buffers_code_and_settings_make_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = fresh(folder.path(), "run");
    let mut known = vec![usual(&state)];
    let mut is_new = |what: &str, key: String| {
        assert!(!known.contains(&key), "{what} does not count");
        known.push(key);
    };
    is_new("the cut", key(&state, 1, &code()));
    for (what, value) in [("id", json!("other")), ("plugin", json!("4567")), ("config", json!({}))] {
        let mut other = code();
        other[what] = value;
        is_new(what, key(&state, 2, &other));
    }
    let facts = state.prefix_facts(Split::Train, 2, Some((1, 4)), &code()).unwrap().unwrap();
    is_new("the view", hash_of(&facts));
    for name in ["backbone.weight", "backbone.bias", "norm.running_mean", "norm.weight"] {
        write_into(&state, name);
        is_new(name, usual(&state));
    }
    for (name, value) in [
        ("precision", json!("bf16-mixed")),
        ("cache_dtype", json!("bf16")),
        ("deterministic", json!(true)),
        ("matmul_precision", json!("high")),
        ("cudnn_benchmark", json!(true)),
    ] {
        let other = fresh_with(folder.path(), name, |table| table["trainer"][name] = value);
        state.config = other.config;
        is_new(name, usual(&state));
    }
    state.trained.model.channels_last().unwrap();
    is_new("channels_last", usual(&state));
}

#[test]
fn each_fact_is_in_the_hash() {
    let folder = tempfile::tempdir().unwrap();
    let state = fresh(folder.path(), "run");
    let facts = state.prefix_facts(Split::Train, 2, None, &code()).unwrap().unwrap();
    let names: Vec<&String> = facts.as_object().unwrap().keys().collect();
    for name in ["program", "libtorch", "machine", "device", "stages", "tensors", "data", "samples", "batch"]
    {
        assert!(names.iter().any(|own| *own == name), "{name}");
    }
    assert_eq!(facts["program"]["sha256"].as_str().map(str::len), Some(64));
    for name in names {
        let mut other = facts.clone();
        other[name] = json!("another");
        assert_ne!(hash_of(&other), hash_of(&facts), "{name}");
    }
}

#[test]
fn what_no_frozen_stage_reads_makes_no_other_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = fresh(folder.path(), "run");
    let before = usual(&state);
    write_into(&state, "head.weight");
    let other = fresh_with(folder.path(), "other", |table| {
        table["seed"] = json!(9);
        table["optimizer"]["lr"] = json!(0.25);
        table["data"]["shuffle"] = json!(false);
        table["data"]["workers"] = json!(2);
        table["trainer"]["max_epochs"] = json!(3);
    });
    (state.config, state.data) = (other.config, other.data);
    assert_eq!(usual(&state), before);
}

#[test]
fn data_is_known_by_its_names_sizes_times_and_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let state = fresh(folder.path(), "run");
    let before = usual(&state);
    let of = |folder: &Path, content: bool, batch_size: usize| {
        let cache_files = if content { "content" } else { "stamps" };
        let mut other = fresh_with(folder, "other", |table| {
            table["trainer"]["cache_files"] = json!(cache_files);
            table["data"]["batch_size"] = json!(batch_size);
        });
        // The same weights.
        std::mem::swap(&mut other.trained, &mut fresh(folder, "weights").trained);
        for (name, tensor) in other.trained.model.state_dict() {
            let value = state.trained.model.tensor(name).unwrap().detach();
            tch::no_grad(|| tensor.shallow_clone().copy_(&value));
        }
        usual(&other)
    };
    assert_eq!(of(folder.path(), false, 2), before);
    assert_ne!(of(folder.path(), false, 3), before, "the size of batches");
    let content = of(folder.path(), true, 2);

    // The same data elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("data.safetensors"), elsewhere.path().join("data.safetensors"));
    fs::copy(&from, &to).unwrap();
    let time = from.metadata().unwrap().modified().unwrap();
    let stamp = |time: SystemTime| File::options().append(true).open(&to).unwrap().set_modified(time);
    stamp(time).unwrap();
    assert_eq!(of(elsewhere.path(), false, 2), before);
    stamp(time + Duration::from_secs(5)).unwrap();
    assert_ne!(of(elsewhere.path(), false, 2), before, "the time of a file");
    assert_eq!(of(elsewhere.path(), true, 2), content);

    let mut bytes = fs::read(&to).unwrap();
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    fs::write(&to, bytes).unwrap();
    stamp(time).unwrap();
    assert_ne!(of(elsewhere.path(), true, 2), content, "bytes, at the same size and time");
}
