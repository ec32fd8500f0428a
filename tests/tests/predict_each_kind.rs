//! Predictions from a checkpoint alone, for the kinds of data that the other tests do not predict on.

use image::{Rgb, RgbImage};
use serde_json::Value;
use thaw_tests::Run;

/// A small classifier of pictures on some data.
fn run(data: &str, num_classes: usize) -> Run {
    Run::new(&format!(
        "plugins = [\"autoencoder\"]\n\
         [model]\nid = \"autoencoder-classifier\"\nhidden_dim = 16\nlatent_dim = 8\nnum_classes = \
         {num_classes}\n\
         [data]\n{data}\nworkers = 0\n[optimizer]\nid = \"adam\"\nlr = 0.01\n[trainer]\nmax_epochs = 4\n"
    ))
}

fn predicted(run: &Run, input: &str) -> Vec<Value> {
    run.host(["predict", "--checkpoint", "run", "--input", input, "--output", "out.jsonl", "--all"])
        .succeeded();
    let text = std::fs::read_to_string(run.folder().join("out.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn cifar10_files_are_predicted_on_with_the_classes_names() {
    let run = run("kind = \"cifar10\"\npath = \"cifar10\"", 3);
    // A label and a red, a green and a blue plane: a plain picture in the colour of its class.
    let plane = |class: u8, channel: u8| [if class == channel { 230 } else { 20 }; 1024];
    let record =
        |class: u8| [vec![class], (0..3).flat_map(|channel| plane(class, channel)).collect()].concat();
    let records = |count: u8| (0..count).flat_map(|index| record(index % 3)).collect::<Vec<u8>>();
    run.write("cifar10/data_batch_1.bin", records(24));
    run.write("cifar10/test_batch.bin", records(6));
    run.write("cifar10/batches.meta.txt", "red\ngreen\nblue\n");
    run.fit(&[]).succeeded();
    for input in ["cifar10", "cifar10/test_batch.bin"] {
        let rows = predicted(&run, input);
        assert_eq!(rows.len(), 6);
        for (row, class) in rows.iter().zip(["red", "green", "blue"].iter().cycle()) {
            assert_eq!(row["class"], *class, "{row}");
            assert_eq!(row["probability"], row["probabilities"][*class], "{row}");
        }
        assert_eq!(rows[5]["file"], "cifar10/test_batch.bin#5");
    }
}

#[test]
fn a_list_is_predicted_on_in_its_own_order() {
    let run = run("kind = \"list\"\npath = \"list.csv\"", 2);
    let mut list = "path,label\n".to_owned();
    for (class, level) in [("dark", 20), ("bright", 230)] {
        for number in 0..6_u8 {
            let name = format!("pictures/{class}{number}.png");
            RgbImage::from_pixel(32, 32, Rgb([level + number; 3])).save(run.write(&name, "")).unwrap();
            list += &format!("{name},{class}\n");
        }
    }
    run.write("list.csv", &list);
    run.fit(&[]).succeeded();
    run.write("new.csv", "path\npictures/bright2.png\npictures/dark5.png\npictures/bright0.png\n");
    let rows = predicted(&run, "new.csv");
    let found: Vec<_> =
        rows.iter().map(|row| (row["file"].as_str().unwrap(), row["class"].as_str().unwrap())).collect();
    assert_eq!(
        found,
        [
            ("pictures/bright2.png", "bright"),
            ("pictures/dark5.png", "dark"),
            ("pictures/bright0.png", "bright")
        ]
    );
}

#[test]
fn a_list_of_several_labels_trains_is_tested_and_predicted_on() {
    let labels = "kind = \"list\"\npath = \"list.csv\"\ntarget = \"labels\"\n\
         label_separator = \" \"\nval_split = 0.25";
    let run = run(labels, 3);
    let mut list = "path,label\n".to_owned();
    for number in 0..32_u8 {
        // Each channel is a label of its own.
        let level = |bit: u8| if number & bit > 0 { 230 } else { 20 };
        let name = format!("pictures/{number}.png");
        RgbImage::from_pixel(32, 32, Rgb([level(1), level(2), level(4)])).save(run.write(&name, "")).unwrap();
        let labels: Vec<&str> = [(1, "red"), (2, "green"), (4, "blue")]
            .iter()
            .filter(|(bit, _)| number & bit > 0)
            .map(|(_, l)| *l)
            .collect();
        list += &format!("{name},{}\n", labels.join(" "));
    }
    run.write("list.csv", &list);
    run.fit(&["--set", "loss.kind=bce", "--set", "trainer.max_epochs=40"]).succeeded();
    let last = run.metrics().pop().unwrap();
    for name in ["val_acc", "val_exact_match", "val_f1_micro", "val_f1_macro"] {
        assert_eq!(last[name], 1.0, "{last}");
    }
    let tested = run.host(["test", "--checkpoint", "run", "--input", "list.csv"]).succeeded();
    let shown = tested.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert!(shown.into_iter().any(|line| line == ["test_f1_macro", "1.000"]), "{tested}");
    let rows = predicted(&run, "list.csv");
    assert_eq!(rows[5]["labels"], serde_json::json!(["blue", "red"]), "{}", rows[5]);
    assert_eq!(rows[8]["labels"], serde_json::json!([]), "{}", rows[8]);
    assert!(rows[3]["probabilities"]["green"].as_f64().unwrap() > 0.5, "{}", rows[3]);
}
