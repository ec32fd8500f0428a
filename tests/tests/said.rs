//! What runs say of things that a user would else find out late, or never.

use image::{Rgb, RgbImage};
use thaw_tests::{Run, Values, fixtures, write_tensors};

/// A classifier of three classes on twelve samples, whose validation has these labels.
fn classes(val_labels: &[i64], more: &str) -> Run {
    let case = fixtures().join("loss/classes.json");
    let run = Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\", \"early_stopping\"]\n[model]\nid = \"case-model\"\ncase = \
         {case:?}\n[data]\nkind = \"tensors\"\npath = \"data.safetensors\"\nbatch_size = 4\n[optimizer]\nid \
         = \"sgd\"\nlr = 0.01\n{more}\n"
    ));
    let values: Vec<f32> = (0..60).map(|number| (number * 3 % 7) as f32 - 3.0).collect();
    let labels: Vec<i64> = (0..12).map(|row| row % 3).collect();
    let count = val_labels.len();
    let tensors: [(&str, &[usize], Values); 4] = [
        ("x", &[12, 5], Values::F32(&values)),
        ("y", &[12], Values::I64(&labels)),
        ("val_x", &[count, 5], Values::F32(&values[..count * 5])),
        ("val_y", &[count], Values::I64(val_labels)),
    ];
    write_tensors(&run.folder().join("data.safetensors"), &tensors).unwrap();
    run
}

/// Folders of splits with two classes each.
fn pictures(more: &str) -> Run {
    let run = Run::new(&format!(
        "plugins = [\"autoencoder\"]\n[model]\nid = \"autoencoder-classifier\"\nhidden_dim = 8\nlatent_dim = \
         4\n[data]\nkind = \"image-folder\"\npath = \"pictures\"\nworkers = 0\n[trainer]\nmax_epochs = \
         1\n{more}\n"
    ));
    for (split, count) in [("train", 4), ("val", 2), ("test", 3)] {
        for (class, level) in [("cat", 40), ("dog", 200)] {
            for number in 0..count {
                let path = run.write(&format!("pictures/{split}/{class}/{number}.png"), "");
                RgbImage::from_pixel(32, 32, Rgb([level + number; 3])).save(path).unwrap();
            }
        }
    }
    run
}

#[test]
fn a_run_in_which_no_epoch_validates_says_so() {
    let run = classes(&[0, 1, 2], "[trainer]\nmax_epochs = 2\n");
    run.fit(&["--set", "trainer.check_val_every_n_epoch=3"])
        .succeeded()
        .says("`trainer.check_val_every_n_epoch = 3` is more than the 2 epochs of the run");
}

#[test]
fn classes_that_validation_does_not_have_are_told_once_beside_areas_under_curves() {
    let run = classes(&[0, 1, 1, 0], "[trainer]\nmax_epochs = 3\nmetrics = [\"auroc\"]\n");
    let fitted = run.fit(&[]).succeeded();
    let told = fitted.stderr.matches("1 of 3 classes have no sample here").count();
    assert_eq!(told, 1, "{fitted}");
    run.host(["validate", "--checkpoint", "run"]).succeeded().says("1 of 3 classes have no sample here");
}

#[test]
fn a_run_that_was_stopped_says_so_when_it_trains_on() {
    let stopping = "[trainer]\nmax_epochs = 9\n[[callbacks]]\nid = \"early-stopping\"\nmin_delta = \
                    100.0\npatience = 1\n";
    let run = classes(&[0, 1, 2], stopping);
    run.fit(&[]).succeeded();
    assert_eq!(run.json("checkpoints/last/state.json")["epoch"], 2);
    run.resume(&[])
        .succeeded()
        .says("the run had been stopped (`val_loss` has not improved by more than 100 for 1 validation")
        .says("trains on, for 9 epochs in all");
}

#[test]
fn a_profiler_is_switched_off_on_the_command_line() {
    let run = classes(&[0, 1, 2], "[trainer]\nmax_epochs = 1\nprofiler = \"simple\"\n");
    run.fit(&["--set", "trainer.profiler=none"]).succeeded();
    assert!(!run.run_dir().join("profile.json").exists());
}

#[test]
fn a_metric_by_the_name_that_it_has_elsewhere_is_told_its_own() {
    let run = classes(&[0, 1, 2], "");
    run.fit(&["--set", "trainer.metrics=[\"accuracy\"]"])
        .failed(2, &["`trainer.metrics[0]` is \"accuracy\"", "did you mean `acc`?"]);
}

#[test]
fn folders_of_pictures_have_one_class_each_and_say_where_several_stand() {
    let run = pictures("[loss]\nkind = \"bce\"");
    run.fit(&[]).failed(2, &["`loss.kind` is \"bce\"", "has one class", "`target = \"labels\"`"]);
}

#[test]
fn splits_in_a_folder_are_named_where_all_are_predicted_and_the_test_is_found() {
    let run = pictures("");
    run.fit(&[]).succeeded();
    let predict = ["predict", "--checkpoint", "run", "--input", "pictures", "--output", "out.csv"];
    run.host(predict).succeeded().says("pictures of").says("are taken; name one of them");
    let rows = std::fs::read_to_string(run.folder().join("out.csv")).unwrap().lines().count();
    assert_eq!(rows, 1 + 18);
    let tested = run.host(["test", "--checkpoint", "run"]).succeeded();
    assert!(tested.stdout.contains("all") && tested.stdout.contains("of 6)"), "{tested}");
}
