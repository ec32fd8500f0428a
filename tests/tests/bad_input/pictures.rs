//! Folders of pictures, from the file to the checkpoint, and what can be wrong with them.

use image::{Rgba, RgbaImage};
use thaw_tests::{Run, fixtures};

const CLASSES: [(&str, [u8; 3]); 3] =
    [("blue", [20, 30, 220]), ("green", [30, 200, 40]), ("red", [230, 20, 10])];

/// A run of the small convolutional case on pictures that are told apart by their colour.
fn run() -> Run {
    let case = fixtures().join("parity/bb_adamw_conv");
    let run = Run::new(&format!(
        "plugins = [\"case_model\"]\n\
         [model]\nid = \"case-model\"\ncase = {:?}\nweights = {:?}\n\
         [data]\nkind = \"image-folder\"\npath = \"pictures\"\nimage_size = 12\nval_split = 0.25\nbatch_size \
         = 6\nworkers = 2\n\
         [optimizer]\nid = \"adamw\"\nlr = 0.01\n\
         [trainer]\nmax_epochs = 2\n",
        case.join("case.json"),
        case.join("init.safetensors"),
    ));
    for (class, color) in CLASSES {
        for number in 0..8 {
            // Sizes, brightness and alpha differ.
            let (width, height) = (14 + number % 3, 20 - number % 5);
            let picture = RgbaImage::from_fn(width, height, |x, y| {
                let [r, g, b] = color.map(|value| value.saturating_sub((x * 3 + y + number * 2) as u8));
                Rgba([r, g, b, if number == 5 && x < 3 { 0 } else { 255 }])
            });
            let path = run.write(&format!("pictures/{class}/{number}.png"), "");
            picture.save(path).unwrap();
        }
    }
    run
}

#[test]
fn pictures_train_a_model_from_the_file_to_the_checkpoint() {
    let run = run();
    run.fit(&["--set", "trainer.max_epochs=8"]).succeeded();
    let last = run.metrics().pop().unwrap();
    assert!(last["val_acc"].as_f64().unwrap() > 0.9, "three plain colours are easy: {last}");
    let state = run.json("checkpoints/last/state.json");
    assert_eq!(state["class_names"].as_array().unwrap(), &CLASSES.map(|(name, _)| name));
}

#[test]
fn a_folder_of_pictures_is_predicted_file_by_file() {
    let run = run();
    run.fit(&["--set", "trainer.max_epochs=8"]).succeeded();
    let predict = ["predict", "--checkpoint", "run", "--input", "pictures", "--output", "out.csv"];
    run.host(predict).succeeded();
    let csv = std::fs::read_to_string(run.folder().join("out.csv")).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("file,class,probability"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 24);
    for row in &rows {
        let probability: f64 = row[2].parse().unwrap();
        assert!((1.0 / 3.0..=1.0).contains(&probability), "{row:?}");
    }
    let right = rows.iter().filter(|row| row[0].contains(&format!("{}/", row[1]))).count();
    assert!(right >= 22, "three plain colours are easy:\n{csv}");

    run.write("pictures/red/3.png", b"\x89PNG\r\n\x1a\nno picture");
    std::fs::remove_file(run.folder().join("out.csv")).unwrap();
    run.host(predict).failed(1, &["pictures/red/3.png"]);
    assert!(!run.folder().join("out.csv").exists());
}

#[test]
fn pictures_that_are_left_out_of_a_prediction_are_told_once_and_are_not_all() {
    let run = run();
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let predict = |input: &str| {
        let skip = ["--set", "data.on_error=skip", "--input", input];
        run.host(["predict", "--checkpoint", "run", "--output", "out.csv"].iter().chain(&skip))
    };
    run.write("pictures/red/3.png", b"\x89PNG\r\n\x1a\nno picture");
    let left_out = predict("pictures/red").succeeded();
    assert!(left_out.stdout.contains("7 predictions, 1 picture left out"), "{left_out}");
    assert_eq!(left_out.stderr.matches("pictures/red/3.png").count(), 1, "{left_out}");
    assert!(!left_out.stderr.contains("on_error"), "it is set already: {left_out}");
    std::fs::remove_file(run.folder().join("out.csv")).unwrap();
    let none =
        predict("pictures/red/3.png").failed(1, &["all 1 pictures were left out", "pictures/red/3.png"]);
    assert!(!run.folder().join("out.csv").exists(), "{none}");
}

#[test]
fn attentions_of_a_model_that_has_none_are_told_with_what_it_gives() {
    let run = run();
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let files = ["--output", "out.csv", "--attentions", "attentions.safetensors"];
    let predict = ["predict", "--checkpoint", "run", "--input", "pictures"];
    let failed = run.host(predict.iter().chain(&files));
    let failed = failed.failed(1, &["the model gave no attention weights", "it gave: "]);
    assert!(!failed.stderr.contains("output_attentions"), "{failed}");
    assert!(!run.folder().join("out.csv").exists());
}

#[test]
fn an_empty_class_folder_is_named() {
    let run = run();
    std::fs::create_dir(run.folder().join("pictures/yellow")).unwrap();
    run.fit(&[]).failed(2, &["pictures/yellow", "no pictures", "add pictures or remove the folder"]);
}

#[test]
fn a_folder_without_classes_is_named() {
    let run = run();
    run.fit(&["--set", "data.path=pictures/red"]).failed(2, &["pictures/red", "no class folders"]);
    run.fit(&["--set", "data.path=nowhere"]).failed(2, &["nowhere", "`path` in [data]"]);
}

#[test]
fn an_unreadable_picture_is_named() {
    let run = run();
    run.write("pictures/red/3.png", b"\x89PNG\r\n\x1a\nno picture");
    run.fit(&[]).failed(1, &["pictures/red/3.png", "skip"]);
}

#[test]
fn an_unreadable_picture_can_be_left_out() {
    let run = run();
    run.write("pictures/red/3.png", b"\x89PNG\r\n\x1a\nno picture");
    run.write("pictures/green/1.png", "");
    let finished = run.fit(&["--set", "data.on_error=skip"]).succeeded();
    let finished = finished.says("left out").says("pictures/red/3.png").says("pictures/green/1.png");
    assert_eq!(
        finished.stderr.matches("pictures/red/3.png").count(),
        1,
        "once, whatever the number of epochs: {finished}"
    );
}

#[test]
fn a_window_whose_last_batch_is_left_out_is_stepped_on_all_the_same() {
    let run = run();
    // In the order of their names: of the windows of two batches the first one loses its second batch.
    run.write("pictures/blue/1.png", "");
    let set = "data={ kind = \"image-folder\", path = \"pictures\", image_size = 12, batch_size = 1, shuffle \
               = false, on_error = \"skip\" }";
    let steps =
        ["trainer.accumulate_grad_batches=2", "trainer.limit_train_batches=4", "trainer.max_epochs=1"];
    run.fit(&["--set", set, "--set", steps[0], "--set", steps[1], "--set", steps[2]]).succeeded();
    assert_eq!(run.metrics().pop().unwrap()["step"], 2);
}

#[test]
fn more_classes_than_the_model_has_outputs_are_counted() {
    let run = run();
    for class in ["white", "yellow"] {
        for number in 0..2 {
            let path = run.write(&format!("pictures/{class}/{number}.png"), "");
            std::fs::copy(run.folder().join("pictures/red/0.png"), path).unwrap();
        }
    }
    run.fit(&[]).failed(1, &["a label is outside 0..4", "the model has 4 classes", "num_classes"]);
}

#[test]
fn a_picture_that_is_cut_off_is_named_whatever_its_format() {
    let run = run();
    let whole = image::open(run.folder().join("pictures/red/3.png")).unwrap().to_rgb8();
    for format in ["jpg", "bmp", "gif", "webp", "tif", "ppm"] {
        let name = format!("pictures/red/cut.{format}");
        let path = run.write(&name, "");
        whole.save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        run.host(["fit", "run.toml", "--run-dir", format]).failed(1, &[&name, "skip"]);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_picture_of_more_pixels_than_allowed_is_refused_undecoded() {
    let run = run();
    run.fit(&["--set", "data.max_pixels=300"])
        .failed(1, &["pixels", "at most 300", "`max_pixels` in [data]"]);
    let more = ["fit", "run.toml", "--run-dir", "more", "--set", "data.max_pixels=320"];
    run.host(more).succeeded();
}

#[test]
fn names_of_classes_neither_move_the_cursor_nor_fill_the_screen() {
    let run = run();
    let escaping = format!("pictures/\u{1b}[2J{}", "x".repeat(200));
    std::fs::rename(run.folder().join("pictures/red"), run.folder().join(&escaping)).unwrap();
    let told =
        run.fit(&[]).succeeded().stdout + &run.host(["validate", "--checkpoint", "run"]).succeeded().stdout;
    assert!(told.contains("\\u{1b}[2Jxxx") && told.contains("(204 characters)"), "{told}");
    assert!(!told.contains('\u{1b}'), "{told}");
    run.write(&format!("{escaping}/3.png"), "no picture");
    run.host(["fit", "run.toml", "--run-dir", "again"]).failed(1, &["\\u{1b}[2J"]).does_not_say("\u{1b}");
}
