//! A strategy and a callback that panic, return an error, end or crash the program or do not come back in the
//! hook that their configuration names, from an epoch on.

mod end;

use thaw_plugin_api::prelude::*;

/// How to fail.
#[derive(Config, Clone, Copy)]
enum How {
    /// Returns an error.
    Error,
    /// Panics.
    Panic,
    /// Ends the program with exit code 0.
    Exit,
    /// The same without running what a program runs at its end.
    Quit,
    /// Ends the program as a failed assertion does.
    Abort,
    /// Writes where there is no memory.
    Crash,
    /// The same on a thread of its own, while the hook waits.
    CrashElsewhere,
    /// Says so on standard error, and does not come back.
    Hang,
}

/// Where and how to fail.
#[derive(Config)]
struct Fault {
    /// The hook to fail in, by its name; none by default.
    #[config(default = "")]
    hook: String,
    /// How to fail.
    #[config(default = How::Error)]
    how: How,
    /// The epoch from which on it fails.
    #[config(default = 0, range = ..100)]
    epoch: usize,
    /// A checkpoint whose weights and optimizer state it puts back, to take another optimizer then, before it
    /// fails in a hook with a context.
    restore: Option<String>,
    /// Calls so far, so that there is a state.
    #[config(state)]
    calls: u64,
    /// The epoch, as far as hooks have said it.
    #[config(skip)]
    now: usize,
}

impl Fault {
    fn hook(&mut self, hook: &str, context: &mut Context) -> Result<()> {
        self.calls += 1;
        self.now = context.epoch();
        if let Some(checkpoint) = self.restore.as_ref().filter(|_| self.is_to_fail_in(hook)) {
            context.restore_weights_and_optimizer(checkpoint)?;
            context.replace_optimizer("sgd", &[("momentum".to_owned(), 0.9)].into())?;
        }
        self.fail_in(hook)
    }

    fn is_to_fail_in(&self, hook: &str) -> bool {
        hook == self.hook && self.now >= self.epoch
    }

    fn fail_in(&self, hook: &str) -> Result<()> {
        if !self.is_to_fail_in(hook) {
            return Ok(());
        }
        match self.how {
            How::Error => {
                return Err(Error::new(format_args!("told to fail in {hook}")).help("tell it otherwise"));
            }
            How::Panic => panic!("told to panic in {hook}"),
            How::Exit => std::process::exit(0),
            How::Quit => end::quit(),
            How::Abort => std::process::abort(),
            How::Crash => end::crash(),
            How::CrashElsewhere => end::crash_elsewhere(),
            How::Hang => end::hang(hook),
        }
        Ok(())
    }
}

macro_rules! hooks {
    ($($hook:ident),* $(,)?) => {
        $(fn $hook(&mut self, context: &mut Context) -> Result<()> {
            self.fault.hook(stringify!($hook), context)
        })*
    };
}

macro_rules! every_hook {
    () => {
        fn state(&self) -> Result<Map<String, Value>> {
            self.fault.fail_in("state")?;
            Config::state(self)
        }

        fn load_state(&mut self, mut state: Map<String, Value>) -> Result<()> {
            self.fault.fail_in("load_state")?;
            Config::load_state(self, &mut state)
        }

        hooks! {
            setup, on_fit_start, on_sanity_check_start, on_sanity_check_end, on_train_start,
            on_train_epoch_start, on_train_batch_start,
            on_before_zero_grad, on_before_backward, on_after_backward, on_before_optimizer_step,
            on_after_optimizer_step,
            on_train_batch_end, on_validation_start, on_validation_epoch_start, on_validation_batch_start,
            on_validation_batch_end,
            on_validation_epoch_end, on_validation_end, on_train_epoch_end, on_save_checkpoint,
            on_load_checkpoint, on_train_end,
            on_fit_end, on_exception, teardown, on_predict_start, on_predict_epoch_start,
            on_predict_batch_start, on_predict_batch_end,
            on_predict_epoch_end, on_predict_end,
        }
    };
}

/// A strategy that fails where it is told to, and else does nothing.
#[derive(Config)]
struct Faulty {
    #[config(flatten)]
    fault: Fault,
}

impl Strategy for Faulty {
    const ID: &'static str = "faulty";

    fn freeze_before_training(&mut self, _: &mut ModuleTree) -> Result<()> {
        self.fault.fail_in("freeze_before_training")
    }

    fn finetune(&mut self, epoch: usize, _: &mut ModuleTree, _: &mut Optimizer) -> Result<()> {
        self.fault.now = epoch;
        self.fault.fail_in("finetune")
    }

    every_hook!();
}

/// A callback that fails where it is told to, and else does nothing.
#[derive(Config)]
struct FaultyCallback {
    #[config(flatten)]
    fault: Fault,
}

impl Callback for FaultyCallback {
    const ID: &'static str = "faulty-callback";

    every_hook!();
}

/// A strategy that freezes everything.
#[derive(Config)]
struct FreezeAll {}

impl Strategy for FreezeAll {
    const ID: &'static str = "freeze-all";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.module("")?.freeze(BatchNorm::Eval);
        Ok(())
    }

    fn finetune(&mut self, _: usize, _: &mut ModuleTree, _: &mut Optimizer) -> Result<()> {
        Ok(())
    }
}

export_plugin!(strategies: [Faulty, FreezeAll], callbacks: [FaultyCallback]);
