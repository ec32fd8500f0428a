//! A plugin that changes the working directory moves neither the data of a run nor the run.

use image::{Rgb, RgbImage};
use thaw_tests::{Run, fixtures};

/// A small classifier on pictures that are read anew in each epoch, by relative paths.
fn run(data: &str) -> Run {
    let run = Run::new(&format!(
        "seed = 5\nplugins = [\"autoencoder\", \"case_strategies\"]\n\
         [model]\nid = \"autoencoder-classifier\"\nhidden_dim = 16\nlatent_dim = 8\nnum_classes = 2\n\
         [data]\n{data}\nimage_size = 32\nval_split = 0.25\nbatch_size = 4\ncache = false\n\
         [optimizer]\nid = \"adam\"\nlr = 0.01\n[trainer]\nmax_epochs = 2\n\
         [[callbacks]]\nid = \"case-command\"\nfolder = \"/\"\nepoch = 0\n"
    ));
    let mut list = "path,label\n".to_owned();
    for number in 0..8_u32 {
        let class = ["cat", "dog"][number as usize % 2];
        let name = format!("{class}/{number}.png");
        let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([(x * number) as u8, (y * 7) as u8, 9]));
        picture.save(run.write(&format!("photos/{name}"), "")).unwrap();
        list += &format!("{name},{class}\n");
    }
    run.write("photos/list.csv", list);
    run
}

const FOLDER: &str = "kind = \"image-folder\"\npath = \"photos\"";
const KINDS: [&str; 3] = [
    FOLDER,
    "kind = \"list\"\npath = \"photos/list.csv\"",
    "kind = \"list\"\npath = \"photos/list.csv\"\nroot = \"photos\"",
];

#[test]
fn pictures_are_found_when_a_callback_has_left_the_working_directory() {
    for kind in KINDS {
        for at_setup in ["true", "false"] {
            let run = run(kind);
            run.fit(&["--set", &format!("callbacks.0.at_setup={at_setup}")]).succeeded();
            assert_eq!(run.metrics().len(), 2, "{kind}");
        }
    }
}

#[test]
fn a_picture_that_cannot_be_read_is_still_called_as_it_was_given() {
    let run = run(FOLDER);
    run.write("photos/cat/2.png", "no picture");
    let finished = run.fit(&["--set", "data.workers=0"]);
    finished.failed(1, &["error: photos/cat/2.png"]);
}

#[test]
fn a_run_is_resumed_by_a_relative_path_when_a_callback_leaves_the_working_directory_at_its_setup() {
    let run = run(FOLDER);
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    run.resume(&["--set", "trainer.max_epochs=2", "--set", "callbacks.0.at_setup=true"]).succeeded();
    assert_eq!(run.metrics().len(), 2);
}

#[test]
fn what_a_model_leaves_when_it_is_made_is_gone_back_to() {
    let run = Run::new(
        "plugins = [\"faulty_model\"]\n[model]\nid = \"faulty-model\"\nfunction = \"new\"\nhow = \"leave\"\n\
         [data]\nkind = \"tensors\"\npath = \"data.safetensors\"\n[trainer]\nmax_epochs = 1\n",
    );
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    run.write("data.safetensors", std::fs::read(data).unwrap());
    let finished = run.fit(&[]).succeeded();
    let folder = run.folder().canonicalize().unwrap();
    finished.says(&format!(
        "model `faulty-model` of plugin `thaw-faulty-model` changed the working directory: it is {} again",
        folder.display()
    ));
    assert_eq!(run.metrics().len(), 1);
    assert!(run.run_dir().join("checkpoints/last").exists());
}
