//! A run that does not wait for its device: losses, metrics and norms are read batches later, and nothing of
//! what the run writes tells the difference. On the CPU nothing has to be waited for; that reading is late
//! all the same is what these tests ask for.

use thaw_tests::{InProcess, Outcome, in_process};
use thaw_torch::reading::{Reads, WaitCounter};
use thaw_train::fit::FitError;

#[test]
fn what_is_read_late_is_written_as_if_it_were_read_at_once() {
    let run = in_process("");
    for (name, reads) in [("at-once", Reads::AtOnce), ("late", Reads::Late)] {
        InProcess::new(name, reads).build(&run).unwrap().run().unwrap();
    }
    Outcome::of(&run.folder().join("at-once")).assert_same(&run.folder().join("late"), "read late");
}

/// An epoch waits as often, however many batches it has. With SGD: the CPU's Adam kernels read their own
/// count of steps, which those of a GPU do not.
#[test]
fn no_step_waits_between_records() {
    let run = in_process("");
    let waits = |name: &'static str, batches: usize, more: &[&str]| {
        let limit = format!("trainer.limit_train_batches={batches}");
        let validated = format!("trainer.limit_val_batches={}", batches / 4);
        let set = ["trainer.max_epochs=1", "trainer.log_every_n_steps=0", &limit, &validated];
        // The pass that computes frozen stages ahead waits, too, and a short epoch has none.
        let sgd = ["optimizer.id=sgd", "optimizer.momentum=0.9", "trainer.frozen_cache=off"];
        let built = InProcess::new(name, Reads::Late).set(&set).set(&sgd).set(more).build(&run);
        let mut fit = built.unwrap();
        let counter = WaitCounter::start().unwrap();
        fit.run().unwrap();
        counter.count()
    };
    let plain: &[&str] = &[];
    let window = ["trainer.accumulate_grad_batches=3", "trainer.weighting=\"samples\""];
    for ([short, long], more) in [(["plain-8", "plain-40"], plain), (["window-8", "window-40"], &window)] {
        let (short, long) = (waits(short, 8, more), waits(long, 40, more));
        assert_eq!(short, long, "{more:?}: 32 steps and 8 validated batches more");
    }
}

#[test]
fn the_batch_whose_loss_is_not_finite_is_named_though_it_is_read_later() {
    let run = in_process("");
    let error = |name: &'static str, reads| {
        let lr = ["optimizer.lr=1e20", "trainer.gradient_clip_val=0"];
        let mut fit = InProcess::new(name, reads).set(&lr).build(&run).unwrap();
        let error = fit.run().unwrap_err();
        let written = run.folder().join(name).join("checkpoints/last").exists();
        assert!(!written, "{name}: no checkpoint of a run that broke is written");
        match error {
            thaw_train::Error::Fit(FitError::NotFinite { epoch, batch, .. }) => (epoch, batch),
            other => panic!("{name}: {other}"),
        }
    };
    assert_eq!(error("broke-late", Reads::Late), error("broke-at-once", Reads::AtOnce));
}
