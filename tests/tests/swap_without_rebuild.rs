//! Strategies and schedules change from run to run, and nothing is built in between.

use thaw_tests::{Run, case};

#[test]
fn a_case_trains_from_a_run_config() {
    let run = Run::new(&(case("bb_steplr") + "[trainer]\nmax_epochs = 2\n"));
    run.fit(&[]).succeeded();
    assert_eq!(run.groups().len(), 2);
}
