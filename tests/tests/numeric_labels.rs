//! Labels that are numbers, through the program.

use image::{Rgb, RgbImage};
use thaw_tests::Run;

/// A classifier of `classes` classes on one picture per label, twice.
fn run(classes: usize, labels: &[&str], more: &str) -> Run {
    let run = Run::new(&format!(
        "plugins = [\"autoencoder\"]\n\
         [model]\nid = \"autoencoder-classifier\"\nhidden_dim = 8\nlatent_dim = 4\nnum_classes = {classes}\n\
         [data]\nkind = \"list\"\npath = \"train.csv\"\nworkers = 0\n{more}\n[trainer]\nmax_epochs = 1\n"
    ));
    RgbImage::from_pixel(32, 32, Rgb([90; 3])).save(run.write("a.png", "")).unwrap();
    list(&run, "train.csv", &labels.repeat(2));
    run
}

fn list(run: &Run, name: &str, labels: &[&str]) {
    let rows: String = labels.iter().map(|label| format!("a.png,{label}\n")).collect();
    run.write(name, format!("path,label\n{rows}"));
}

#[test]
fn labels_counted_from_1_make_no_class_that_never_comes() {
    let run = run(3, &["1", "2", "3"], "");
    let told = run.fit(&[]).succeeded().does_not_say("no sample is of class").stdout;
    assert!(told.contains("3 classes: 1 2, 2 2, 3 2"), "{told}");
}

#[test]
fn an_index_without_a_sample_is_told() {
    run(3, &["0", "2"], "").fit(&[]).succeeded().says("no sample is of class 1");
}

#[test]
fn a_number_that_is_no_class_is_refused_with_its_line() {
    let grades = run(4, &["K", "1", "2", "4"], "val_path = \"val.csv\"");
    list(&grades, "val.csv", &["2", "3"]);
    grades.fit(&[]).failed(2, &["val.csv", "line 3", "\"3\"", "1, 2, 4, K"]);
    run(3, &["3", "1"], "classes = [\"3\", \"4\", \"5\"]")
        .fit(&[])
        .failed(2, &["train.csv", "line 3", "\"1\"", "3, 4, 5"]);
}
