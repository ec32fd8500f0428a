//! A process that fails before all have met, and one that never has a sample.

use thaw_tests::{Finished, Live, Values, fixtures, read_tensors, write_tensors};

use super::{run, succeeded};

/// Nobody waits for the half hour of `trainer.timeout`.
#[test]
fn a_process_that_fails_on_its_way_to_the_others_ends_all_at_once() {
    let run = run(3, "");
    let good = ["fit", "run.toml", "--run-dir", "run", "--set", "trainer.timeout=1800"];
    let bad = [&good[..], &["--set", "plugins=[\"case_model\", \"nowhere\"]"]].concat();
    for failing in [0, 1] {
        let each = [0, 1, 2].map(|rank| if rank == failing { bad.clone() } else { good.to_vec() });
        let finished: Vec<Finished> = run.start_each(&each).into_iter().map(Live::finish).collect();
        let shown: String = finished.iter().map(ToString::to_string).collect();
        let lines = || finished.iter().flat_map(|one| one.stderr.lines());
        let errors = || lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors().count(), 1, "one message of all:\n{shown}");
        assert!(errors().all(|error| error.contains("nowhere")), "{shown}");
        assert_eq!(finished[0].error().contains("rank 1 failed: "), failing == 1, "{shown}");
        let codes: Vec<Option<i32>> = finished.iter().map(Finished::code).collect();
        assert!(codes.iter().all(|code| *code == codes[failing] && *code != Some(0)), "{shown}");
    }
}

/// One sample of validation: two of three processes never have one, and hooks look at it all the same.
#[test]
fn a_process_without_a_sample_sees_outputs_of_none() {
    let run = run(3, "[[callbacks]]\nid = \"case-outcomes\"\nfile = \"seen.jsonl\"\n");
    let data = fixtures().join("parity/bb_accumulate2_clip/data.safetensors");
    let tensors = read_tensors(&data).unwrap();
    let numbers = |name: &str| -> Vec<f32> { tensors[name].iter().map(|number| *number as f32).collect() };
    let classes = |name: &str| -> Vec<i64> { tensors[name].iter().map(|number| *number as i64).collect() };
    let (x, y, val_x, val_y) = (numbers("x"), classes("y"), numbers("val_x"), classes("val_y"));
    let tensors: [(&str, &[usize], Values); 4] = [
        ("x", &[40, 16], Values::F32(&x)),
        ("y", &[40], Values::I64(&y)),
        ("val_x", &[1, 16], Values::F32(&val_x[..16])),
        ("val_y", &[1], Values::I64(&val_y[..1])),
    ];
    let one = run.folder().join("one.safetensors");
    write_tensors(&one, &tensors).unwrap();
    let path = format!("data.path={:?}", one.display().to_string());
    succeeded(run.fit_in(3, "many", &["--set", &path, "--set", "callbacks.2.file=seen.jsonl"]));
    let seen = std::fs::read_to_string(run.folder().join("seen.jsonl")).unwrap();
    let of = |shape: &str| seen.lines().filter(|line| line.contains(shape)).count();
    let (whole, none) = (of("\"shape\":[1,4]"), of("\"shape\":[0,4]"));
    assert!(whole > 0 && none == 2 * whole, "{seen}");
}
