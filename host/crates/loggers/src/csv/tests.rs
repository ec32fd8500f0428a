//! The file against Lightning's, and what a resumed run makes of it.

use std::path::Path;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::*;

const LIGHTNINGS: &str = include_str!("../../../../../tests/fixtures/csv_logger/metrics.csv");
const LOGGED: &str = include_str!("../../../../../tests/fixtures/csv_logger/logged.json");
const TIME: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn open(folder: &Path, begin: &Begin) -> Result<CsvLogger, LoggerError> {
    let config = CsvConfig { path: None };
    CsvLogger::open(&config, &Run { folder, config: &Value::Null, time: TIME }, begin)
}

fn log(logger: &mut CsvLogger, epoch: usize, step: usize, values: &[(&str, f64)]) {
    let values: Vec<_> = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    logger.log(&Entry { epoch, step, time: TIME, values: &values }).unwrap();
}

fn text(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(FILE)).unwrap()
}

/// A number of the recording; names stand for those that JSON does not have.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[test]
fn the_file_is_lightnings() {
    let folder = tempfile::tempdir().unwrap();
    let mut logger = open(folder.path(), &Begin::New).unwrap();
    let calls: Vec<Value> = serde_json::from_str(LOGGED).unwrap();
    for call in &calls {
        let (Some(step), Some(metrics)) = (call[0].as_u64(), call[1].as_object()) else {
            logger.flush().unwrap();
            continue;
        };
        let epoch = metrics["epoch"].as_u64().unwrap() as usize;
        let others = metrics.iter().filter(|(name, _)| *name != "epoch");
        let values: Vec<(&str, f64)> = others.map(|(name, value)| (name.as_str(), number(value))).collect();
        log(&mut logger, epoch, step as usize, &values);
    }
    assert_eq!(text(folder.path()), LIGHTNINGS);
}

#[test]
fn a_resumed_run_goes_on_behind_the_rows_of_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut logger = open(folder.path(), &Begin::New).unwrap();
    log(&mut logger, 0, 2, &[("a", 1.0)]);
    let kept = logger.save().unwrap();
    assert_eq!(kept, json!(1));
    log(&mut logger, 0, 2, &[("a", 2.0)]);
    log(&mut logger, 0, 4, &[("b", 3.0)]);
    logger.flush().unwrap();
    let mut logger = open(folder.path(), &Begin::Resumed { step: 2, kept }).unwrap();
    log(&mut logger, 0, 4, &[("a", 4.0)]);
    logger.flush().unwrap();
    assert_eq!(text(folder.path()), "a,b,epoch,step\r\n1.0,,0,2\r\n4.0,,0,4\r\n");
}

#[test]
fn a_run_that_kept_no_rows_goes_on_behind_the_steps_until_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut logger = open(folder.path(), &Begin::New).unwrap();
    (1..4).for_each(|step| log(&mut logger, 0, step, &[("a", step as f64)]));
    logger.flush().unwrap();
    drop(open(folder.path(), &Begin::Resumed { step: 2, kept: Value::Null }).unwrap());
    assert_eq!(text(folder.path()), "a,epoch,step\r\n1.0,0,1\r\n2.0,0,2\r\n");
}

#[test]
fn half_a_row_that_a_killed_process_left_is_taken_off() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "a,epoch,step\r\n1.0,0,1\r\n2.0,0").unwrap();
    drop(open(folder.path(), &Begin::Resumed { step: 5, kept: json!(2) }).unwrap());
    assert_eq!(text(folder.path()), "a,epoch,step\r\n1.0,0,1\r\n");
}

#[test]
fn a_file_of_another_run_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "theirs").unwrap();
    let error = open(folder.path(), &Begin::New).err().unwrap().to_string();
    assert!(error.contains("another run"), "{error}");
    assert_eq!(text(folder.path()), "theirs");
}
