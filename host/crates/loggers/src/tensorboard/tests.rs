//! Bytes against those of TensorBoard's own writer.

use serde_json::json;

use super::event::Event;
use super::file::frame;
use super::*;

const TENSORBOARDS: &[u8] = include_bytes!("../../../../../tests/fixtures/tensorboard/events.tfevents");

#[test]
fn events_are_byte_for_byte_those_of_tensorboards_writer() {
    let config = json!({
        "optimizer": { "lr": 1e-3 },
        "model": { "id": "tiny" },
        "trainer": { "deterministic": true },
    });
    let events = [
        Event::version(1000.5),
        Event::purge(1001.25, 7),
        Event::text(1001.25, 0, "config", &as_code("seed = 1\n")),
        hparams::start(1001.25, 0, "run", &config),
        Event::scalar(1002.0, 8, "train_loss", 0.5),
        Event::scalar(1003.125, 300, "lr-head", 1e-3),
        Event::scalar(1004.0, 0, "val_acc", f64::NAN),
        hparams::end(1005.5, hparams::Status::Success),
    ];
    let mut bytes = Vec::new();
    events.iter().for_each(|event| frame(event.0.bytes(), &mut bytes));
    assert_eq!(bytes, TENSORBOARDS);
}

const HISTOGRAMS: &[u8] = include_bytes!("../../../../../tests/fixtures/tensorboard/histograms.tfevents");

#[test]
fn histograms_and_pictures_are_byte_for_byte_those_of_pytorchs_writer() {
    let mixed: Vec<f64> = (0..200)
        .map(|place| f64::from(place * place - 9000) / 1024.0 * if place % 3 == 0 { -0.5 } else { 1.0 })
        .collect();
    let values: [&[f64]; 5] = [&mixed, &[0.0], &[0.0, 0.0, 1.0], &[-3.5, -3.5, 1e-13], &[1e-12, 2.5e19]];
    let mut bytes = Vec::new();
    frame(Event::version(1000.5).0.bytes(), &mut bytes);
    for (step, values) in values.iter().enumerate() {
        let histogram = Histogram::of(values).unwrap();
        frame(Event::histogram(1001.25, step, "head.weight", &histogram).0.bytes(), &mut bytes);
    }
    let picture = Picture { jpeg: b"\xff\xd8\xff no picture", width: 96, height: 24 };
    frame(Event::picture(1002.0, 7, "val_wrong/1", &picture).0.bytes(), &mut bytes);
    assert_eq!(bytes, HISTOGRAMS);
    assert_eq!(Histogram::of(&[f64::NAN, f64::INFINITY]), None);
    assert_eq!(Histogram::of(&[f64::NAN, 1.0]).unwrap().count, 1.0);
}

#[test]
fn a_run_that_goes_on_begins_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({ "seed": 1 });
    let run = Run { folder: folder.path(), config: &config, time: OffsetDateTime::UNIX_EPOCH };
    let resumed = Begin::Resumed { step: 4, kept: serde_json::Value::Null };
    for begin in [Begin::New, resumed] {
        let config = TensorboardConfig { path: None, histograms: 0, pictures: false };
        TensorboardLogger::open(&config, &run, &begin).unwrap();
    }
    let read = |number: usize| {
        let name = format!("events.out.tfevents.0000000000.thaw.{}.{number}", std::process::id());
        fs::read(folder.path().join(FOLDER).join(name)).unwrap()
    };
    let mut purge = Vec::new();
    frame(Event::purge(0.0, 5).0.bytes(), &mut purge);
    let has_purge = |bytes: &[u8]| bytes.windows(purge.len()).any(|window| window == purge);
    assert!(!has_purge(&read(0)) && has_purge(&read(1)));
}
