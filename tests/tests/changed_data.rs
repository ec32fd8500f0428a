//! Data that changed since a run: the run that goes on and a validation say so.

use std::fs;
use std::time::{Duration, SystemTime};

use image::{Rgb, RgbImage};
use thaw_tests::Run;

const SPLIT: &str = "path = \"photos\"\nval_split = 0.25";
const NONE: &str = "is not what";

fn run(data: &str) -> Run {
    let run = Run::new(&format!(
        "seed = 5\nplugins = [\"autoencoder\", \"case_strategies\"]\n\
         [model]\nid = \"autoencoder-classifier\"\nhidden_dim = 16\nlatent_dim = 8\nnum_classes = 2\n\
         [data]\nkind = \"image-folder\"\n{data}\nimage_size = 32\nbatch_size = 4\nworkers = 0\n\
         [optimizer]\nid = \"adam\"\nlr = 0.01\n[trainer]\nmax_epochs = 1\n"
    ));
    write_pictures(&run, "photos", 10);
    run
}

fn write_pictures(run: &Run, folder: &str, count: u32) {
    for number in 0..count {
        let class = ["cat", "dog"][number as usize % 2];
        write_picture(run, &format!("{folder}/{class}/{number}.png"), number);
    }
}

fn write_picture(run: &Run, name: &str, seed: u32) {
    let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([(x * seed + y) as u8, (y * 7) as u8, seed as u8]));
    picture.save(run.write(name, "")).unwrap();
}

const MORE: [&str; 2] = ["--set", "trainer.max_epochs=2"];
const VALIDATE: [&str; 3] = ["validate", "--checkpoint", "run/checkpoints/last"];

#[test]
fn pictures_that_were_changed_in_place_are_told_of() {
    let run = run(SPLIT);
    run.fit(&[]).succeeded();
    run.host(VALIDATE).succeeded().does_not_say(NONE);
    write_picture(&run, "photos/cat/4.png", 77);
    let say = "files of the same names with other contents";
    run.host(VALIDATE).succeeded().says("is not what the run validated on").says(say);
    run.resume(&MORE).succeeded().says("the training data is not what it was").says(say);
    // From here on that is the run's data.
    run.host(VALIDATE).succeeded().does_not_say(NONE);
    let file = fs::File::options().append(true).open(run.folder().join("photos/dog/3.png")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(7)).unwrap();
    run.host(VALIDATE).succeeded().says("same names and sizes, written since");
}

#[test]
fn a_copy_of_the_data_is_the_same_data() {
    let run = run(SPLIT);
    run.fit(&[]).succeeded();
    fs::rename(run.folder().join("photos"), run.folder().join("moved")).unwrap();
    write_pictures(&run, "copy", 10);
    for folder in ["moved", "copy"] {
        let path = format!("data.path={folder}");
        run.host(VALIDATE.iter().chain(&["--set", &path]))
            .succeeded()
            .does_not_say(NONE)
            .does_not_say("other data");
    }
    run.resume(&[&MORE[..], &["--set", "data.path=copy"]].concat()).succeeded().does_not_say(NONE);
}

#[test]
fn a_validation_of_other_data_says_that_it_takes_a_share_of_it_and_how_to_take_all() {
    let run = run(SPLIT);
    run.fit(&[]).succeeded();
    write_pictures(&run, "other", 16);
    let finished = run.host(VALIDATE.iter().chain(&["--set", "data.path=other"])).succeeded();
    finished
        .says("other data than the run's (16 samples now, 10 then)")
        .says("val_split = 0.25 takes 4 of its 16 samples")
        .says("`host test --checkpoint … --input PATH`");
}

#[test]
fn validation_data_of_its_own_is_compared_with_its_own() {
    let run = run("path = \"photos\"\nval_path = \"held\"");
    write_pictures(&run, "held", 6);
    run.fit(&[]).succeeded();
    write_picture(&run, "photos/cat/4.png", 77);
    run.host(VALIDATE).succeeded().does_not_say(NONE);
    write_picture(&run, "held/cat/8.png", 8);
    run.host(VALIDATE).succeeded().says("is not what the run validated on: 7 samples now, 6 then");
}

#[test]
fn other_samples_in_the_middle_of_an_epoch_are_refused_also_where_they_are_as_many() {
    let run = run(SPLIT);
    let stop = "[[callbacks]]\nid = \"case-stop\"\nhow = \"interrupt\"\ninside = \"training\"\nat_step = 1\n";
    let config = fs::read_to_string(run.folder().join("run.toml")).unwrap();
    run.write("run.toml", config + stop);
    run.fit(&[]).interrupted();
    let (from, to) = (run.folder().join("photos/cat/4.png"), run.folder().join("photos/cat/9.png"));
    fs::rename(&from, &to).unwrap();
    let refused = run.resume(&["--set", "callbacks.0.at_step=99"]);
    refused.failed(2, &["in the middle of epoch 1", "as many samples, 10, and other ones"]);
    fs::rename(&to, &from).unwrap();
    run.resume(&["--set", "callbacks.0.at_step=99"]).succeeded();
}
