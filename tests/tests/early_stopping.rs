//! `early-stopping` on the real program.

use thaw_tests::{Run, case};

fn run() -> Run {
    let config = case("bb_steplr").replace("[\"case_model\"]", "[\"case_model\", \"early_stopping\"]");
    Run::new(&format!(
        "{config}[optimizer]\nid = \"sgd\"\nlr = 0.01\n[trainer]\nmax_epochs = 8\n[[callbacks]]\nid \
         = \"early-stopping\"\nmin_delta = 100.0\npatience = 2\n"
    ))
}

#[test]
fn a_run_without_improvement_ends_early_and_says_why() {
    let run = run();
    let told = run.fit(&[]).succeeded().stdout;
    assert!(
        told.contains("3 epochs")
            && told.contains("(`val_loss` has not improved by more than 100 for 2 validations"),
        "{told}"
    );
    assert_eq!(run.metrics().len(), 3);
}

#[test]
fn a_resumed_run_remembers_how_long_it_has_waited() {
    let run = run();
    run.fit(&["--set", "trainer.max_epochs=2"]).succeeded();
    assert_eq!(run.metrics().len(), 2);
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    assert_eq!(run.metrics().len(), 3);
}
