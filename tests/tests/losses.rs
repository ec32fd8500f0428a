//! `[loss]` on the real program, held against what Lightning did with PyTorch's criteria
//! (`fixtures/loss/record.py`).

use serde_json::{Value, json};
use thaw_tests::{Run, Values, fixtures, read_tensors, write_tensors};

const LR: f64 = 0.05;

/// A run on the recorded data, from the recorded weights, one checkpoint a step.
fn run(data: &str, task: &str, loss: &str, accumulate: &Value) -> Run {
    let file = |name: &str| fixtures().join("loss").join(name);
    Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\"]\n[model]\nid = \"case-model\"\ncase = {:?}\ntask = \"{task}\"\n\
         weights = {:?}\n[data]\nkind = \"tensors\"\npath = {:?}\nbatch_size = 8\nshuffle = false\n\
         [optimizer]\nid = \"sgd\"\nlr = {LR}\n[trainer]\nmax_epochs = 2\nlog_every_n_steps = 1\n\
         accumulate_grad_batches = {accumulate}\n[checkpoint]\nevery_n_train_steps = 1\nsave_top_k = -1\n\
         {loss}\n",
        file(&format!("{data}.json")),
        file(&format!("init-{data}.safetensors")),
        file(&format!("{data}.safetensors")),
    ))
}

fn of_case(case: &Value) -> Run {
    let data = case["data"].as_str().unwrap();
    let task = if data == "numbers" { "regression" } else { "classification" };
    let loss = toml::to_string(&json!({ "loss": case["loss"] })).unwrap();
    run(data, task, &loss, &case["accumulate"])
}

fn classes(loss: &str) -> Run {
    run("classes", "classification", loss, &json!(1))
}

fn close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= 2e-6 * expected.abs().max(1.0),
        "{what}: {found}, recorded {expected}"
    );
}

/// The weights before the first step and after each one.
fn weights(run: &Run, case: &Value) -> Vec<std::collections::BTreeMap<String, Vec<f64>>> {
    let steps = case["steps"].as_array().unwrap().len();
    let in_epoch = steps / 2;
    let initial =
        fixtures().join("loss").join(format!("init-{}.safetensors", case["data"].as_str().unwrap()));
    let after = (1..=steps).map(|step| {
        let name = format!("checkpoints/epoch={}-step={step}/model.safetensors", (step - 1) / in_epoch);
        run.run_dir().join(name)
    });
    std::iter::once(initial).chain(after).map(|file| read_tensors(&file).unwrap()).collect()
}

#[test]
fn every_loss_trains_as_in_lightning() {
    let text = std::fs::read_to_string(fixtures().join("loss/runs.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 30);
    for case in &cases {
        let name = format!("{} by {}", case["name"], case["accumulate"]);
        let run = of_case(case);
        let names: &[&str] = &["--set", "data.classes=[\"0\", \"1\", \"2\", \"3\"]"];
        run.fit(if case["data"] == "labels" { names } else { &[] }).succeeded();
        let records = run.metrics();
        let (batches, epochs): (Vec<&Value>, Vec<&Value>) =
            records.iter().partition(|record| record.get("val_loss").is_none());
        assert_eq!((batches.len(), epochs.len()), (6, 2), "{name}: {records:?}");
        for (index, batch) in batches.iter().enumerate() {
            let loss = batch["train_loss_step"].as_f64().unwrap();
            close(loss, &case["batches"][index], &format!("{name}, batch {index}"));
        }
        for (index, epoch) in epochs.iter().enumerate() {
            for (key, expected) in case["epochs"][index].as_object().unwrap() {
                close(epoch[key].as_f64().unwrap(), expected, &format!("{name}, {key} of epoch {index}"));
            }
        }
        let weights = weights(&run, case);
        for (index, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            for (tensor, expected) in step["weights"].as_object().unwrap() {
                for (place, expected) in expected.as_array().unwrap().iter().enumerate() {
                    let what = format!("{name}, {tensor}[{place}] at step {index}");
                    let (before, after) = (weights[index][tensor][place], weights[index + 1][tensor][place]);
                    close(after, expected, &what);
                    // SGD without momentum moves a weight by its gradient.
                    let gradient = step["gradients"][tensor][place].as_f64().unwrap();
                    let found = (before - after) / LR;
                    assert!((found - gradient).abs() < 1e-5, "{what}: gradient {found}, recorded {gradient}");
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_is_validated_and_tested_by_the_loss_of_its_run() {
    let run = classes("[loss]\nclass_weights = \"balanced\"\nlabel_smoothing = 0.1");
    run.fit(&[]).succeeded().says("classes count in the loss: 0 0.5641, 1 1.2222, 2 2.4444");
    let last = run.metrics().pop().unwrap()["val_loss"].as_f64().unwrap();
    let of = |command: &[&str], key: &str| {
        let told =
            run.host(command.iter().chain(&["--checkpoint", "run/checkpoints/last", "--json"])).succeeded();
        let told: Value = serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stdout));
        told["metrics"][key].as_f64().unwrap_or_else(|| panic!("{told}"))
    };
    assert_eq!(of(&["validate"], "val_loss"), last);
    // As many samples as it validated on, but of training: the checkpoint's weights count, not theirs.
    let data = fixtures().join("loss/classes.safetensors");
    let test = of(&["test", "--input", data.to_str().unwrap()], "test_loss");
    assert!(test.is_finite() && test != last);
}

#[test]
fn a_model_with_a_step_of_its_own_refuses_the_table() {
    let run = Run::new(&format!(
        "plugins = [\"faulty_model\"]\n[model]\nid = \"faulty-model\"\nfeatures = 5\nnum_classes = 3\n\
         own_step = true\n[data]\nkind = \"tensors\"\npath = {:?}\n[trainer]\nmax_epochs = 1\n[loss]\n\
         label_smoothing = 0.1\n",
        fixtures().join("loss/classes.safetensors")
    ));
    let why =
        ["model `faulty-model` computes its loss itself", "in a `validation_step` of its own", "[loss]"];
    run.fit(&[]).failed(2, &why);
    run.fit(&["--set", "trainer.num_sanity_val_steps=0"]).failed(2, &["in a `training_step` of its own"]);
    run.fit(&["--set", "model.own_step=false"]).succeeded();
}

#[test]
fn a_resumed_run_keeps_its_loss() {
    let config = "[loss]\nclass_weights = \"balanced\"";
    let straight = classes(config);
    straight.fit(&[]).succeeded();
    let resumed = classes(config);
    resumed.fit(&["--set", "trainer.max_steps=4"]).succeeded();
    resumed
        .resume(&["--set", "loss.label_smoothing=0.1"])
        .failed(2, &["loss.label_smoothing", "are of another kind"]);
    resumed.resume(&["--set", "loss.kind=cross-entropy", "--set", "trainer.max_steps=6"]).succeeded();
    let last = |run: &Run| read_tensors(&run.run_dir().join("checkpoints/last/model.safetensors")).unwrap();
    assert_eq!(last(&straight), last(&resumed));
    assert_eq!(resumed.json("checkpoints/last/state.json")["class_weights"][2], json!(22.0 / 9.0));
}

#[test]
fn a_loss_that_does_not_fit_is_refused_with_what_would() {
    for (loss, parts) in [
        ("label_smothing = 0.1", ["unknown key `loss.label_smothing`", "did you mean `label_smoothing`?"]),
        ("label_smoothing = 1.5", ["`loss.label_smoothing` is 1.5", "at most 1"]),
        (
            "kind = \"l1\"",
            ["`loss.kind` is \"l1\"", "cross-entropy or bce: model `case-model` tells classes apart"],
        ),
        ("class_weights = [1, 2]", ["`loss.class_weights` is 2 numbers", "3, one for each output"]),
        ("class_weights = { 3 = 2.0 }", ["of `3`, which is no class", "0, 1, 2"]),
        ("class_weights = { a = 2.0 }", ["of `a`, which is no class", "names or indices"]),
        ("kind = \"bce\"\npos_weight = [1, 2]", ["`loss.pos_weight` is 2 numbers", "3, one for each output"]),
        (
            "kind = \"bce\"\npos_weight = \"balanced\"",
            ["`loss.pos_weight` is \"balanced\"", "which labels a training sample has"],
        ),
        ("pos_weight = [1, 1, 2]", ["`loss.pos_weight`", "beside `kind = \"bce\"` alone"]),
    ] {
        let run = classes(&format!("[loss]\n{loss}"));
        run.fit(&[]).failed(2, &[&["run.toml"], &parts[..]].concat());
        assert!(!run.run_dir().exists(), "{loss}");
    }
    let weighted = classes("[loss]\nclass_weights = [1, 1, 2]");
    let by_samples = weighted.fit(&["--set", "trainer.weighting=samples"]);
    by_samples.failed(2, &["`trainer.weighting`", "a weighted mean does not add up"]);
    let absent = classes("[loss]\nclass_weights = \"balanced\"");
    absent
        .fit(&["--set", "data.classes=[\"a\", \"b\", \"c\", \"d\"]"])
        .failed(2, &["`loss.class_weights` is \"balanced\"", "no training sample is of class d"]);
    let regression = run("numbers", "regression", "[loss]\nkind = \"cross-entropy\"", &json!(1));
    regression.fit(&[]).failed(2, &["`loss.kind`", "mse, l1, smooth-l1 or huber"]);
}

#[test]
fn several_labels_need_a_target_of_as_many_numbers_from_0_to_1() {
    let one_class = classes("[loss]\nkind = \"bce\"");
    one_class.fit(&[]).failed(1, &["`kind = \"bce\"` in [loss]", "`target = \"labels\"` in [data]"]);
    let labels = |loss: &str| run("labels", "classification", loss, &json!(1));
    labels("").fit(&[]).failed(1, &["several labels per sample need `kind = \"bce\"` in [loss]"]);
    let bce = labels("[loss]\nkind = \"bce\"");
    bce.fit(&[]).succeeded();
    for asked in [&["--bootstrap", "10"][..], &["--per-sample", "rows.csv"]] {
        let validate = [&["validate", "--checkpoint", "run"], asked].concat();
        bce.host(validate).failed(2, &["--per-sample and --bootstrap", "the run's loss is `bce`"]);
    }
    std::fs::remove_dir_all(bce.run_dir()).unwrap();
    let values: Vec<f32> = (0..16 * 9).map(|number| if number == 16 * 9 - 1 { 2.0 } else { 0.0 }).collect();
    let found = ["found a target of shape [8, 3]", "num_classes = 3"];
    for (columns, found) in [(3, found), (4, ["targets from 0 to 1", "found 2"])] {
        let tensors: [(&str, &[usize], Values); 2] = [
            ("x", &[16, 5], Values::F32(&values[..80])),
            ("y", &[16, columns], Values::F32(&values[16 * (9 - columns)..])),
        ];
        let file = bce.folder().join("wide.safetensors");
        write_tensors(&file, &tensors).unwrap();
        bce.fit(&["--set", &format!("data.path={file:?}")]).failed(1, &found);
    }
    let named = |index: usize| labels(&format!("[loss]\nkind = \"bce\"\npos_weight = {{ {index} = 9.0 }}"));
    named(2).fit(&[]).succeeded().says("2 9.0000");
    named(4).fit(&[]).failed(2, &["`loss.pos_weight`", "of `4`", "indices from 0 to 3"]);
    let list = labels("[loss]\nkind = \"bce\"\npos_weight = [1, 1, 9, 1]");
    list.fit(&[]).succeeded().says("2 9.0000");
    bce.fit(&["--set", "data.classes=[\"a\"]"]).failed(2, &["`y`", "4 columns", "`classes`"]);
}

/// What stands in a tensor file is looked at before anything trains.
#[test]
fn targets_of_a_tensor_file_are_told_of_at_the_start() {
    let run = run("numbers", "regression", "", &json!(1));
    let target = ["--set", "data.target=labels"];
    run.fit(&target).failed(2, &["[data] `target`", "which is no tensor of", "a column per label"]);
    let numbers = |rows: &[f32]| {
        let x = vec![0.5; rows.len() * 5];
        let tensors: [(&str, &[usize], Values); 2] =
            [("x", &[rows.len(), 5], Values::F32(&x)), ("y", &[rows.len()], Values::F32(rows))];
        write_tensors(&run.folder().join("numbers.safetensors"), &tensors).unwrap();
        run.fit(&["--set", "data.path=numbers.safetensors"])
    };
    let place = ["numbers.safetensors", "tensor `y`, row 9", "expected a number"];
    for number in [f32::NAN, f32::NEG_INFINITY] {
        let mut rows = [1.0; 16];
        rows[9] = number;
        numbers(&rows).failed(2, &[&place[..], &[&format!("label {number}")]].concat());
        assert!(!run.run_dir().exists());
    }
}

/// Eight samples for the models of the recorded data, whose sixth has a target that is none.
fn run_on(data: &str, task: &str, loss: &str, columns: usize, target: Values<'_>) -> Run {
    let run = run(data, task, loss, &json!(1));
    let x = [0.5_f32; 8 * 5];
    let sizes = [8, columns];
    let shape = if columns == 1 { &sizes[..1] } else { &sizes[..] };
    let tensors = [("x", &[8, 5][..], Values::F32(&x)), ("y", shape, target)];
    write_tensors(&run.folder().join("bad.safetensors"), &tensors).unwrap();
    run
}

#[test]
fn targets_that_are_none_are_named_with_their_sample_before_anything_computes_with_them() {
    let set = ["--set", "data.path=bad.safetensors"];
    let mut labels = [0_i64, 1, 0, 1, 0, 3, 0, 1];
    for (label, exit_code, found) in [(99, 1, "sample 5 has label 99"), (-3, 2, "row 5: label -3")] {
        labels[5] = label;
        let run = run_on("classes", "classification", "", 1, Values::I64(&labels));
        run.fit(&set).failed(exit_code, &[found]);
    }
    for (bad, exit_code, found) in [(f32::NAN, 2, "row 5: label NaN"), (-0.5, 1, "found -0.5 of sample 5")] {
        let mut numbers = [0.0_f32; 8 * 4];
        numbers[5 * 4 + 2] = bad;
        let run = run_on("labels", "classification", "[loss]\nkind = \"bce\"", 4, Values::F32(&numbers));
        run.fit(&set).failed(exit_code, &[found]);
    }
    for bad in [f32::NAN, f32::INFINITY] {
        let mut numbers = [0.5_f32; 8 * 2];
        numbers[5 * 2] = bad;
        let run = run_on("numbers", "regression", "", 2, Values::F32(&numbers));
        run.fit(&set).failed(2, &[&format!("row 5: label {bad}")]);
    }
}

#[test]
fn balanced_presence_is_how_often_a_label_is_absent_over_how_often_it_is_there() {
    let run = |loss: &str| run("labels", "classification", loss, &json!(1));
    let data = read_tensors(&fixtures().join("loss/labels.safetensors")).unwrap();
    let (columns, labels) = (4, &data["y"]);
    let samples = labels.len() / columns;
    let weights: Vec<f64> = (0..columns)
        .map(|column| {
            let there: f64 = labels.iter().skip(column).step_by(columns).sum();
            (samples as f64 - there) / there
        })
        .collect();
    let (balanced, given) = (
        run("[loss]\nkind = \"bce\"\npos_weight = \"balanced\""),
        run(&format!("[loss]\nkind = \"bce\"\npos_weight = {weights:?}")),
    );
    balanced.fit(&[]).succeeded().says("labels count in the loss where they are there: 0 ");
    given.fit(&[]).succeeded();
    let losses = |run: &Run| -> Vec<Value> {
        run.metrics().iter().map(|record| json!([record["train_loss"], record["val_loss"]])).collect()
    };
    assert_eq!(losses(&balanced), losses(&given));
    let validated = balanced.host(["validate", "--checkpoint", "run/checkpoints/last", "--json"]).succeeded();
    let validated: Value = serde_json::from_str(&validated.stdout).unwrap();
    let last = balanced.metrics().last().unwrap()["val_loss"].as_f64().unwrap();
    let again = validated["metrics"]["val_loss"].as_f64().unwrap();
    assert!((last - again).abs() < 1e-6, "a checkpoint keeps the weights: {last} {again}");
}

#[test]
fn metrics_of_several_labels_are_named_as_those_of_classes() {
    let run = run("labels", "classification", "[loss]\nkind = \"bce\"", &json!(1));
    run.fit(&["--set", "trainer.metrics=[\"auroc\", \"f1_weighted\", \"f1_macro\"]"]).succeeded();
    let last = run.metrics().pop().unwrap();
    assert!(last["val_auroc"].is_f64() && last["val_f1_weighted"].is_f64(), "{last}");
    for (metric, says) in [("f1", "`f1` is not of such"), ("kappa", "auroc"), ("mae", "exact_match")] {
        run.fit(&["--set", &format!("trainer.metrics=[{metric:?}]")])
            .failed(2, &["`trainer.metrics`", "a sample has several labels", says]);
    }
}

#[test]
fn labels_above_the_threshold_are_predicted_with_the_probability_of_each() {
    let run = run("labels", "classification", "[loss]\nkind = \"bce\"", &json!(1));
    run.fit(&["--set", "data.classes=[\"a\", \"b\", \"c|d\", \"e\"]"]).succeeded();
    let data = fixtures().join("loss/labels.safetensors");
    let rows = |file: &str, more: &[&str]| {
        let predict = ["predict", "--checkpoint", "run", "--input", data.to_str().unwrap(), "--output", file];
        run.host(predict.iter().chain(more)).succeeded();
        std::fs::read_to_string(run.folder().join(file)).unwrap()
    };
    for threshold in [0.5, 0.2] {
        let text = rows("out.jsonl", &["--threshold", &threshold.to_string()]);
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 22);
        for row in rows {
            let above = ["a", "b", "c|d", "e"];
            let above =
                above.into_iter().filter(|name| row["probabilities"][name].as_f64().unwrap() > threshold);
            assert_eq!(row["labels"], json!(above.collect::<Vec<_>>()), "{row}");
        }
    }
    let table = rows("out.csv", &["--threshold", "0"]);
    assert!(
        table.starts_with("row,labels,a,b,c|d,e\n0,\"[\"\"a\"\",\"\"b\"\",\"\"c|d\"\",\"\"e\"\"]\",0."),
        "{table}"
    );
    let text = rows("out.csv", &[]);
    assert!(text.contains(",a|b,") || text.contains(",a|e,"), "{text}");
    let single = classes("");
    single.fit(&[]).succeeded();
    let predict = ["predict", "--checkpoint", "run", "--input", data.to_str().unwrap(), "--output", "o.csv"];
    single.host(predict.iter().chain(&["--threshold", "0.5"])).failed(2, &["--threshold", "`bce`"]);
}
