//! The frozen prefix, computed once, changes nothing but rounding, and stays away where it would.

use serde_json::{Value, json};
use thaw_tests::{Outcome, Run, Values, fixtures, read_tensors, tiny_text, write_tensors};

/// Two losses or weights that differ by rounding alone.
fn are_close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-5 * expected.abs().max(1e-2)
}

/// A perceptron with batch norm and dropouts, on data in a new order in each epoch: accumulation with a short
/// last window, a short last batch; its backbone thaws at epoch 2.
fn perceptron(more: &str) -> Run {
    let mode = if more.contains("frozen_cache") { "" } else { "frozen_cache = \"auto\"\n" };
    let data = fixtures().join("parity/bb_accumulate2_clip/data.safetensors");
    let run = Run::new(&format!(
        r#"seed = 3
plugins = ["case_model", "case_strategies", "backbone_finetuning"]

[model]
id = "case-model"
case = "case.json"

[data]
kind = "tensors"
path = {data:?}
batch_size = 7
val_batch_size = 5
shuffle = true

[optimizer]
id = "adamw"
lr = 0.01
parameters = ["head"]

[[callbacks]]
id = "backbone-finetuning"
unfreeze_backbone_at_epoch = 2
lambda_func = 1.5

[trainer]
max_epochs = 4
accumulate_grad_batches = 2
log_every_n_steps = 4
gradient_clip_val = 1.0
{mode}{more}"#
    ));
    run.write("case.json", case().to_string());
    run
}

const STEPS_PER_EPOCH: usize = 3;

fn case() -> Value {
    let linear = |name: &str, from: usize, to: usize| {
        json!({ "name": name, "type": "Linear",
        "in_features": from, "out_features": to, "bias": true })
    };
    json!({
        "model": { "kind": "mlp_bn" },
        "modules": [
            { "name": "backbone", "type": "Sequential", "own_parameters": [] },
            linear("backbone.0", 16, 12),
            { "name": "backbone.1", "type": "BatchNorm1d", "num_features": 12, "eps": 1e-5, "momentum": 0.1 },
            { "name": "backbone.2", "type": "ReLU" },
            { "name": "backbone.3", "type": "Dropout", "p": 0.4 },
            linear("backbone.4", 12, 10),
            { "name": "head", "type": "Sequential", "own_parameters": [] },
            { "name": "head.0", "type": "Dropout", "p": 0.2 },
            linear("head.1", 10, 4),
        ],
    })
}

/// The stages that each epoch's training, and validation, left out.
fn left_out(run: &Run, run_dir: &str) -> Vec<(Option<u64>, Option<u64>)> {
    let records = run.records_of(run_dir, "metrics.jsonl").into_iter();
    let epochs = records.filter(|record| record["batch"].is_null());
    let stages = |record: &Value, name: &str| record[name].as_f64().map(|stages| stages as u64);
    epochs.map(|epoch| (stages(&epoch, "frozen_cache"), stages(&epoch, "val_frozen_cache"))).collect()
}

/// Trains with the cache into `on` and without into `off`; expects the same of both. Gives what epochs of the
/// first left out.
#[track_caller]
fn with_and_without(run: &Run, more: &[&str]) -> Vec<(Option<u64>, Option<u64>)> {
    for (mode, run_dir) in [("auto", "on"), ("off", "off")] {
        let mode = format!("trainer.frozen_cache={mode}");
        let fixed = ["fit", "run.toml", "--run-dir", run_dir, "--set", &mode];
        run.host(fixed.iter().chain(more)).succeeded();
    }
    assert!(left_out(run, "off").iter().all(|stages| *stages == (None, None)));
    let records = |run_dir: &str| run.records_of(run_dir, "metrics.jsonl");
    let (on, off) = (records("on"), records("off"));
    assert_eq!(on.len(), off.len());
    for (on, off) in on.iter().zip(&off) {
        for (name, expected) in off.as_object().unwrap().iter().filter(|(name, _)| !is_time(name)) {
            let (found, expected) = (on[name].as_f64().unwrap(), expected.as_f64().unwrap());
            assert!(are_close(found, expected), "{name}: {found}, without the cache {expected}\n{on}");
        }
    }
    let last = |run_dir: &str| {
        read_tensors(&run.folder().join(run_dir).join("checkpoints/last/model.safetensors")).unwrap()
    };
    let (on, off) = (last("on"), last("off"));
    for (name, expected) in &off {
        let scale = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let close = |(found, expected): (&f64, &f64)| (found - expected).abs() <= 1e-5 * scale.max(1e-2);
        assert!(on[name].iter().zip(expected).all(close), "{name} differs from that without the cache");
    }
    left_out(run, "on")
}

fn is_time(name: &str) -> bool {
    ["time", "seconds"].contains(&name)
}

#[test]
fn losses_and_weights_are_those_without_the_cache() {
    let cached = (Some(1), Some(1));
    let thawed = (None, None);
    assert_eq!(with_and_without(&perceptron(""), &[]), [cached, cached, thawed, thawed]);
}

#[test]
fn the_report_says_in_which_epochs_training_starts_where() {
    let run = perceptron("");
    run.fit(&[]).succeeded();
    let page = std::fs::read_to_string(run.run_dir().join("report.html")).unwrap();
    for mark in [
        "epoch 1: training starts after `backbone` (1 of 2 stages computed once)",
        "epoch 3: training starts from the samples",
    ] {
        assert!(page.contains(mark), "{mark} in {page}");
    }
    assert!(!page.contains("frozen_cache</"), "a count of stages is no curve: {page}");
}

#[test]
fn limited_batches_and_batches_left_out_are_the_same_ones() {
    let run = perceptron("");
    let limits = ["trainer.limit_train_batches=4", "trainer.limit_val_batches=2", "data.drop_last=true"];
    let more: Vec<&str> = limits.iter().flat_map(|limit| ["--set", limit]).collect();
    assert_eq!(with_and_without(&run, &more)[0].0, Some(1));
    // Most of what would be computed is not asked for.
    let few = ["--set", "trainer.limit_train_batches=1", "--set", "trainer.max_epochs=1"];
    assert_eq!(with_and_without(&perceptron(""), &few)[0].0, None);
}

#[test]
fn features_on_disk_are_those_in_memory() {
    let fit = |more: &[&str]| {
        let run = perceptron("").env("THAW_CACHE", "cache");
        let finished = run.fit(more).succeeded();
        (Outcome::of(&run.run_dir()), run, finished.stdout)
    };
    let (memory, _, shown) = fit(&[]);
    assert!(shown.contains("frozen cache  training starts after `backbone` (1 of 2 stages)"), "{shown}");
    assert!(shown.contains("MiB in memory"), "{shown}");
    assert!(shown.contains("frozen cache  training starts from the samples"), "{shown}");
    let (disk, run, shown) = fit(&["--set", "trainer.cache_mib=0"]);
    assert!(shown.contains("MiB on disk"), "{shown}");
    let kept = || std::fs::read_dir(run.folder().join("cache/frozen")).unwrap().count();
    assert_eq!(kept(), 2, "of training and of validation, for runs to come");
    assert_eq!(disk, memory);
    let nowhere = ["--set", "trainer.cache_mib=0", "--set", "trainer.cache_disk_gib=0"];
    perceptron("").fit(&nowhere).succeeded().says("0 MiB of memory");
    let on = [&nowhere[..], &["--set", "trainer.frozen_cache=on"]].concat();
    perceptron("").fit(&on).failed(1, &["trainer.frozen_cache = \"on\"", "0 MiB of disk"]);
}

#[test]
fn a_resumed_run_gives_the_bits_of_an_uninterrupted_cached_one() {
    let on = "frozen_cache = \"on\"\n";
    let run = perceptron(on);
    run.fit(&[]).succeeded();
    let straight = Outcome::of(&run.run_dir());
    // Inside the first cached epoch, inside the second, at their ends, inside the first that thaws.
    for step in [1, 2, STEPS_PER_EPOCH, STEPS_PER_EPOCH + 2, 2 * STEPS_PER_EPOCH, 2 * STEPS_PER_EPOCH + 1] {
        let run = perceptron(on);
        run.fit(&["--set", &format!("trainer.max_steps={step}")]).succeeded();
        run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
        straight.assert_same(&run.run_dir(), &format!("after step {step}"));
    }
    let run = perceptron("");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    run.host(["fit", "run.toml", "--resume", "run", "--set", "trainer.frozen_cache=on"]).succeeded();
    straight.assert_same(&run.run_dir(), "after an epoch that was to be the last");
}

const MEDDLER: &str = "audit = \"warn\"\n[[callbacks]]\nid = \"meddler\"\nparameter = \
                       \"backbone.0.weight\"\nat_step = 2\n";

#[test]
fn a_callback_that_writes_into_a_frozen_tensor_gets_what_it_wrote() {
    let run = perceptron(MEDDLER);
    let epochs = with_and_without(&run, &[]);
    // Up to the write in the first epoch, and never after.
    assert_eq!(epochs, [(Some(1), None), (None, None), (None, None), (None, None)]);
    run.fit(&[]).succeeded().says("wrote into `backbone.0.weight`");
    let straight = Outcome::of(&run.run_dir());
    for step in [2, STEPS_PER_EPOCH] {
        let run = perceptron(MEDDLER);
        run.fit(&["--set", &format!("trainer.max_steps={step}")]).succeeded();
        run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
        straight.assert_same(&run.run_dir(), &format!("after step {step}"));
    }
}

#[test]
fn frozen_batch_norms_on_statistics_of_the_batch_are_not_computed_once() {
    let run = perceptron("");
    for (frozen_bn, val) in [("train", None), ("batch-stats", Some(1))] {
        let bn = format!("callbacks.0.frozen_bn={frozen_bn}");
        let epochs = with_and_without(&run, &["--set", &bn, "--set", "trainer.audit=warn"]);
        assert_eq!(epochs[..2], [(None, val), (None, val)], "{frozen_bn}");
        for run_dir in ["on", "off"] {
            std::fs::remove_dir_all(run.folder().join(run_dir)).unwrap();
        }
    }
    let on = ["--set", "callbacks.0.frozen_bn=batch-stats", "--set", "trainer.frozen_cache=on"];
    run.fit(&on).failed(1, &["trainer.frozen_cache = \"on\"", "`backbone", "training mode"]);
}

/// Two classes of numbers, for models of these inputs.
fn tensors(run: &Run, shape: &[usize], samples: usize) {
    let width: usize = shape.iter().product();
    let value = |index: usize| ((index * 7919 % 1013) as f32 / 506.0 - 1.0) + (index / width % 2) as f32;
    let x: Vec<f32> = (0..samples * width).map(value).collect();
    let y: Vec<i64> = (0..samples as i64).map(|index| index % 2).collect();
    let sizes: Vec<usize> = std::iter::once(samples).chain(shape.iter().copied()).collect();
    let tensors = [("x", &sizes[..], Values::F32(&x)), ("y", &[samples][..], Values::I64(&y))];
    write_tensors(&run.folder().join("data.safetensors"), &tensors).unwrap();
}

/// A model's head trained on such tensors, with validation on a part of them.
fn head(plugin: &str, model: &str, more: &str) -> Run {
    Run::new(&format!(
        "seed = 1\nplugins = [{plugin:?}]\n[model]\nid = {model:?}\n{more}\n[data]\nkind = \
         \"tensors\"\npath = \"data.safetensors\"\nval_split = 0.25\nbatch_size = 4\n\
         [optimizer]\nid = \"sgd\"\nlr = 0.05\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 2\n"
    ))
}

#[test]
fn each_family_of_pictures_agrees_with_and_without() {
    for model in ["resnet18", "efficientnet-lite0", "mobilenet-v3-small", "convnext-tiny", "vit-ti-16"] {
        let size = if model == "vit-ti-16" { "image_size = 32" } else { "" };
        let run = head("vision", model, &format!("num_classes = 2\n{size}"));
        tensors(&run, &[3, 32, 32], 12);
        let epochs = with_and_without(&run, &[]);
        assert!(epochs.iter().all(|(train, val)| train.is_some() && val.is_some()), "{model}: {epochs:?}");
    }
}

#[test]
fn a_module_of_pytorchs_agrees_with_and_without() {
    let file = fixtures().join("models/files/script_backbone_head.pt");
    let keys = format!("path = {file:?}\nmodule = \"backbone\"\nnum_classes = 2\nimage_size = 16\n");
    let run = head("torchscript", "torchscript", &keys);
    tensors(&run, &[3, 16, 16], 12);
    let epochs = with_and_without(&run, &[]);
    assert!(epochs.iter().all(|(train, val)| train.is_some() && val.is_some()), "{epochs:?}");
}

#[test]
fn of_two_runs_that_need_the_same_one_computes_it() {
    let run = perceptron("");
    let cache = run.folder().join(".thaw-cache/frozen");
    // The first one has the claim, and is held up before it computes: the test holds it for it.
    let fit = |run_dir: &str| ["fit", "run.toml", "--run-dir", run_dir].map(str::to_owned);
    run.host(fit("known")).succeeded();
    let keys: Vec<String> =
        entries(&run).iter().map(|entry| entry["key"].as_str().unwrap().to_owned()).collect();
    run.host(["cache", "clear"]).succeeded();
    let claims: Vec<std::fs::File> = keys
        .iter()
        .map(|key| {
            let path = cache.join(format!(".computing-{key}"));
            std::fs::write(&path, "77\n").unwrap();
            let file = std::fs::File::open(&path).unwrap();
            file.lock().unwrap();
            file
        })
        .collect();
    let mut waiting = run.start(fit("waiting"));
    waiting.prints("waits for another run (process 77)");
    assert!(entries(&run).is_empty());
    // Its owner ends without a result: whoever waits computes it.
    drop(claims);
    waiting.finish().succeeded();
    let left: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".computing-")), "{left:?}");
    assert_eq!(entries(&run).len(), keys.len());
    assert_eq!(Outcome::of(&run.folder().join("waiting")), Outcome::of(&run.folder().join("known")));
}

#[test]
fn a_validation_that_starts_deeper_as_layers_thaw_is_not_said_to_start_from_the_samples() {
    let run = head("vision", "resnet18", "num_classes = 2");
    tensors(&run, &[3, 32, 32], 12);
    let layerwise =
        "callbacks=[{ id = \"layerwise-finetuning\", unfreeze_at_epoch = 1, layers_per_epoch = 1 }]";
    let set = ["--plugin", "layerwise_finetuning", "--set", layerwise, "--set", "trainer.max_epochs=3"];
    let finished = run.fit(&set).succeeded();
    let starts: Vec<Option<u64>> = left_out(&run, "run").into_iter().map(|(_, val)| val).collect();
    assert!(
        starts.is_sorted_by(|before, now| before > now) && starts.iter().all(Option::is_some),
        "{starts:?}"
    );
    let shown = format!("{}{}", finished.stdout, finished.error());
    assert!(!shown.contains("validation starts from the samples"), "{shown}");
}

#[test]
fn texts_are_served_where_they_are_padded_alike() {
    let run = tiny_text::classifier(
        "[optimizer]\nid = \"sgd\"\nlr = 0.05\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 2\n",
    );
    let padded = ["--set", "data.padding=max-length"];
    let epochs = with_and_without(&run, &padded);
    assert!(epochs.iter().all(|(train, val)| train.is_some() && val.is_some()), "{epochs:?}");
    let on = ["--set", "trainer.frozen_cache=on"];
    run.fit(&on).failed(1, &["padded to the longest of their batch", "max-length"]);
}

#[test]
fn models_that_are_not_what_their_stages_say_are_found_out() {
    let said = [
        ("forward-of-its-own", "something else than the model's forward"),
        ("drops-in-evaluation", "draw random numbers"),
        ("tracks-while-frozen", "change tensors of the model"),
    ];
    for (model, reason) in said {
        let run = head("faults_torch", model, "");
        tensors(&run, &[6], 12);
        let epochs = with_and_without(&run, &[]);
        assert_eq!(epochs[0].0, None, "{model}");
        run.fit(&["--set", "trainer.frozen_cache=on"]).failed(1, &["stages up to `backbone`", reason]);
    }
}

/// Two folders of six pictures.
fn pictures(run: &Run) {
    for class in 0..2_u8 {
        for index in 0..6_u8 {
            let pixel = |x: u32, y: u32| image::Rgb([x as u8 * 8, y as u8 * 8 + index, class * 200]);
            let picture = image::RgbImage::from_fn(32, 32, pixel);
            let path = run.write(&format!("pictures/{class}/{index}.png"), []);
            picture.save(path).unwrap();
        }
    }
}

#[test]
fn augmented_pictures_are_not_computed_once_and_validation_is() {
    let run = head("vision", "resnet18", "num_classes = 2");
    let data = [
        "data.kind=image-folder",
        "data.path=pictures",
        "data.image_size=32",
        "data.augment.horizontal_flip=0.5",
    ];
    pictures(&run);
    let more: Vec<&str> = data.iter().flat_map(|key| ["--set", key]).collect();
    let epochs = with_and_without(&run, &more);
    assert!(epochs.iter().all(|(train, val)| train.is_none() && val.is_some()), "{epochs:?}");
    let on = [&more[..], &["--set", "trainer.frozen_cache=on"]].concat();
    run.fit(&on).failed(1, &["[data] augment"]);
}

/// The entries of the run's cache, by `host cache list`.
fn entries(run: &Run) -> Vec<Value> {
    let listed = run.host(["cache", "list", "--json"]).succeeded();
    serde_json::from_str::<Vec<Value>>(&listed.stdout).unwrap()
}

/// Whether the first epoch of a run took training, and validation, from an earlier one.
fn taken(run: &Run, run_dir: &str) -> (bool, bool) {
    let history = run.records_of(run_dir, "history.jsonl");
    let of = |split: &str| {
        let mut starts = history.iter().filter(|record| record["event"] == "frozen_cache");
        let start = starts.find(|record| record["split"] == split).unwrap();
        start["taken"].as_bool().unwrap()
    };
    (of("train"), of("val"))
}

/// `host fit` into a run directory.
#[track_caller]
fn fit_into(run: &Run, run_dir: &str, more: &[&str]) -> String {
    let finished = run.host(["fit", "run.toml", "--run-dir", run_dir].iter().chain(more)).succeeded();
    format!("{}{}", finished.stdout, finished.stderr)
}

#[test]
fn a_second_run_takes_what_the_first_computed_and_has_its_bits() {
    for place in [&[][..], &["--set", "trainer.cache_mib=0"]] {
        let run = perceptron("");
        fit_into(&run, "first", place);
        assert_eq!(taken(&run, "first"), (false, false));
        assert_eq!(entries(&run).len(), 2);
        let shown = fit_into(&run, "second", place);
        assert!(shown.contains("taken from an earlier run in"), "{shown}");
        assert_eq!(taken(&run, "second"), (true, true));
        Outcome::of(&run.folder().join("first")).assert_same(&run.folder().join("second"), "from the cache");
        // Another rate, another order of the samples, no shuffle: a sweep.
        let sweep = ["optimizer.lr=0.003", "data.shuffle=false", "trainer.max_epochs=1"];
        let sweep: Vec<&str> = sweep.iter().flat_map(|key| ["--set", key]).collect();
        fit_into(&run, "third", &[place, &sweep[..]].concat());
        assert_eq!(taken(&run, "third"), (true, true));
    }
}

#[test]
fn what_a_prefix_depends_on_is_not_taken_where_it_is_another() {
    let run = perceptron("").env("THAW_CACHE", "cache");
    let run_of = |run_dir: &str, more: &[&str]| {
        fit_into(&run, run_dir, more);
        taken(&run, run_dir)
    };
    assert_eq!(run_of("first", &[]), (false, false));
    // Other initial weights of the backbone.
    assert_eq!(run_of("seed", &["--set", "seed=4"]), (false, false));
    assert_eq!(run_of("batch", &["--set", "data.batch_size=6"]), (false, true));
    assert_eq!(run_of("precision", &["--set", "trainer.precision=bf16-mixed"]), (false, false));
    assert_eq!(run_of("kept", &["--set", "trainer.cache_dtype=bf16"]), (false, false));
    assert_eq!(run_of("again", &[]), (true, true));
    // The same bytes, written again.
    let data = fixtures().join("parity/bb_accumulate2_clip/data.safetensors");
    let copy = run.write("data.safetensors", std::fs::read(&data).unwrap());
    let at = format!("data.path={}", copy.display());
    assert_eq!(run_of("copy", &["--set", &at]), (false, false), "it has another time");
    let content = ["--set", "trainer.cache_files=content"];
    assert_eq!(run_of("content", &content), (false, false));
    assert_eq!(run_of("content-copy", &[&content[..], &["--set", &at]].concat()), (true, true));
    let mut tensors: Vec<u8> = std::fs::read(&data).unwrap();
    let last = tensors.len() - 1;
    tensors[last] ^= 1;
    run.write("data.safetensors", &tensors);
    for (run_dir, more) in [("changed", &[][..]), ("content-changed", &content[..])] {
        assert_eq!(run_of(run_dir, &[more, &["--set", &at]].concat()), (false, false), "{run_dir}");
    }
}

#[test]
fn a_torn_or_foreign_file_of_the_cache_is_computed_anew() {
    let run = perceptron("");
    fit_into(&run, "first", &[]);
    let straight = Outcome::of(&run.folder().join("first"));
    let folder = run.folder().join(".thaw-cache/frozen");
    let files = || -> Vec<std::path::PathBuf> {
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    type Harm = fn(Vec<u8>) -> Vec<u8>;
    let harms: [(&str, Harm); 4] = [
        ("cut", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("flipped", |mut bytes| {
            bytes[5] ^= 1;
            bytes
        }),
        ("foreign", |_| b"features of somebody else".to_vec()),
        ("empty", |_| Vec::new()),
    ];
    for (harm, damage) in harms {
        for path in files() {
            let whole = std::fs::read(&path).unwrap();
            std::fs::write(&path, damage(whole)).unwrap();
        }
        let shown = fit_into(&run, harm, &[]);
        assert!(shown.contains("it is computed again"), "{harm}: {shown}");
        assert_eq!(taken(&run, harm), (false, false), "{harm}");
        straight.assert_same(&run.folder().join(harm), harm);
        let healed = format!("{harm}-healed");
        fit_into(&run, &healed, &[]);
        assert_eq!(taken(&run, &healed), (true, true), "{harm}");
    }
    // One of another key, under this one's name.
    let [one, other] = &files()[..] else { panic!("two entries") };
    std::fs::copy(one, other).unwrap();
    fit_into(&run, "exchanged", &[]);
    straight.assert_same(&run.folder().join("exchanged"), "exchanged");
}

#[test]
fn the_cache_is_listed_and_cleared() {
    let run = perceptron("");
    let list = || run.host(["cache", "list"]).succeeded().stdout;
    assert!(list().ends_with("frozen: nothing\n"));
    fit_into(&run, "first", &[]);
    assert!(list().contains("case-model"));
    let listed = entries(&run);
    assert_eq!(listed[0]["about"]["after"], "backbone");
    let key = listed[0]["key"].as_str().unwrap();
    run.host(["cache", "clear", "zz"]).failed(2, &["`zz`", "host cache list"]);
    let cleared = run.host(["cache", "clear", &key[..12]]).succeeded().stdout;
    assert!(cleared.starts_with("removed 1 of 2"), "{cleared}");
    assert_eq!(entries(&run).len(), 1);
    // What is not the cache's stays.
    run.write(".thaw-cache/frozen/notes.txt", "mine");
    run.host(["cache", "clear"]).succeeded();
    assert_eq!(entries(&run).len(), 0);
    assert!(run.folder().join(".thaw-cache/frozen/notes.txt").exists());
    fit_into(&run, "nothing-kept", &["--set", "trainer.cache_disk_gib=0"]);
    assert_eq!(entries(&run).len(), 0);
}

#[test]
fn features_in_half_precision_come_close() {
    let run = perceptron("");
    let epochs = ["--set", "trainer.max_epochs=2"];
    fit_into(&run, "fp32", &epochs);
    let loss = |run_dir: &str| {
        let records = run.records_of(run_dir, "metrics.jsonl");
        records.iter().filter_map(|record| record["val_loss"].as_f64()).next_back().unwrap()
    };
    let exact = loss("fp32");
    for (dtype, tolerance) in [("bf16", 1e-2), ("fp16", 1e-3)] {
        fit_into(&run, dtype, &[&epochs[..], &["--set", &format!("trainer.cache_dtype={dtype}")]].concat());
        let found = loss(dtype);
        assert!(
            found != exact && (found - exact).abs() < tolerance * exact.abs(),
            "{dtype}: {found}, {exact}"
        );
    }
}

#[test]
fn views_of_augmented_pictures_are_computed_once_each() {
    let run = head("vision", "resnet18", "num_classes = 2");
    let data = [
        "data.kind=image-folder",
        "data.path=pictures",
        "data.image_size=32",
        "data.augment.horizontal_flip=0.5",
        "data.augment.views=2",
        "trainer.max_epochs=4",
    ];
    pictures(&run);
    let more: Vec<&str> = data.iter().flat_map(|key| ["--set", key]).collect();
    let epochs = with_and_without(&run, &more);
    assert!(epochs.iter().all(|(train, val)| train.is_some() && val.is_some()), "{epochs:?}");
    let starts = run.records_of("on", "history.jsonl").into_iter();
    let views: Vec<Value> = starts
        .filter(|record| record["event"] == "frozen_cache" && record["split"] == "train")
        .map(|record| record["view"].clone())
        .collect();
    assert_eq!(views, [json!(0), json!(1)], "computed in the first two epochs, and never again");
    // In the middle of the second view.
    let set = [&more[..], &["--set", "trainer.max_steps=4"]].concat();
    run.host(["fit", "run.toml", "--run-dir", "cut"].iter().chain(&set)).succeeded();
    run.host(["fit", "run.toml", "--run-dir", "straight"].iter().chain(&more)).succeeded();
    run.host(["fit", "run.toml", "--resume", "cut"].iter().chain(&more)).succeeded();
    Outcome::of(&run.folder().join("straight")).assert_same(&run.folder().join("cut"), "resumed in a view");
    let nothing = ["--set", "data.augment={ views = 3 }"];
    run.fit(&[&more[..6], &nothing[..]].concat()).failed(2, &["data.augment.views", "changes pictures"]);
}
