//! The events of a run, by Lightning's names and in Lightning's order.

/// Writes the hooks once, for the traits, the dispatcher and the names.
///
/// `$with!` receives the list `method = NUMBER, "doc";`. Numbers are part of the ABI: append, never renumber.
macro_rules! for_each_hook {
    ($with:ident) => {
        $with! {
            /// First of all, once per run: the model is built and its weights are loaded, the optimizer is
            /// not there yet.
            setup = Setup 0;
            /// Once, when a run starts to train, after the optimizer was built.
            on_fit_start = FitStart 1;
            /// Once, before the first batches of validation that check that validation works.
            on_sanity_check_start = SanityCheckStart 2;
            /// Once, after that check.
            on_sanity_check_end = SanityCheckEnd 3;
            /// Once, right before the first epoch.
            on_train_start = TrainStart 4;
            /// Before the first batch of every epoch. A strategy's `finetune` runs here.
            on_train_epoch_start = TrainEpochStart 5;
            /// Before every batch of training.
            on_train_batch_start = TrainBatchStart 6;
            /// Before the gradients are cleared: once per optimizer step, at its first batch.
            on_before_zero_grad = BeforeZeroGrad 7;
            /// After the loss was computed, before its gradients are.
            on_before_backward = BeforeBackward 8;
            /// After the gradients of a batch were computed.
            on_after_backward = AfterBackward 9;
            /// Before every optimizer step; gradients are unscaled and not yet clipped.
            on_before_optimizer_step = BeforeOptimizerStep 10;
            /// After every optimizer step, before the schedulers. (Lightning has no such hook.)
            on_after_optimizer_step = AfterOptimizerStep 11;
            /// After every batch of training; `Context::loss` is this batch's.
            on_train_batch_end = TrainBatchEnd 12;
            /// Before every validation.
            on_validation_start = ValidationStart 13;
            /// After the model went into evaluation mode.
            on_validation_epoch_start = ValidationEpochStart 14;
            /// Before every batch of validation.
            on_validation_batch_start = ValidationBatchStart 15;
            /// After every batch of validation.
            on_validation_batch_end = ValidationBatchEnd 16;
            /// After the last batch of validation; `Context::metrics` has its results.
            on_validation_epoch_end = ValidationEpochEnd 17;
            /// After every validation, the modes of training restored.
            on_validation_end = ValidationEnd 18;
            /// After every epoch: validation is done, its metrics are there.
            on_train_epoch_end = TrainEpochEnd 19;
            /// Before a checkpoint is written; `state` is asked for afterwards.
            on_save_checkpoint = SaveCheckpoint 20;
            /// After a checkpoint was read, before `load_state`.
            on_load_checkpoint = LoadCheckpoint 21;
            /// Once, after the last epoch.
            on_train_end = TrainEnd 22;
            /// Once, after `on_train_end`.
            on_fit_end = FitEnd 23;
            /// When the run fails or is interrupted; `Context::exception` says why.
            on_exception = Exception 24;
            /// Last of all, once per run, also after a failure.
            teardown = Teardown 25;
            /// Before a prediction.
            on_predict_start = PredictStart 26;
            /// Before the first batch of a prediction.
            on_predict_epoch_start = PredictEpochStart 27;
            /// Before every batch of a prediction.
            on_predict_batch_start = PredictBatchStart 28;
            /// After every batch of a prediction.
            on_predict_batch_end = PredictBatchEnd 29;
            /// After the last batch of a prediction.
            on_predict_epoch_end = PredictEpochEnd 30;
            /// After a prediction.
            on_predict_end = PredictEnd 31;
        }
    };
}
pub(crate) use for_each_hook;

macro_rules! define_hook {
    ($($(#[$doc:meta])* $method:ident = $hook:ident $number:literal;)*) => {
        /// An event of a run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Hook {
            $($(#[$doc])* $hook = $number,)*
        }

        impl Hook {
            /// Every hook, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$hook),*];

            /// Name of the method, as authors write it: `on_train_epoch_start`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$hook => stringify!($method),)*
                }
            }

            /// The hook of a number; `None` for one of a later version.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$hook),)*
                    _ => None,
                }
            }
        }
    };
}
for_each_hook!(define_hook);

impl Hook {
    /// The hook's bit in a mask of hooks.
    pub const fn bit(self) -> u64 {
        1 << self as u32
    }
}

/// The default bodies of all hooks, for a trait.
macro_rules! default_hooks {
    ($($(#[$doc:meta])* $method:ident = $hook:ident $number:literal;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// What the author returns; it ends the run with exit code 3.
            fn $method(&mut self, context: &mut $crate::context::Context<'_>) -> $crate::error::Result<()> {
                context.not_implemented::<Self>()
            }
        )*
    };
}
pub(crate) use default_hooks;

/// A function `dispatch(target, hook, context)` over the hooks of a trait.
macro_rules! define_dispatch {
    ($($(#[$doc:meta])* $method:ident = $hook:ident $number:literal;)*) => {
        fn dispatch<T: Hooks>(
            target: &mut T,
            hook: $crate::hook::Hook,
            context: &mut $crate::context::Context<'_>,
        ) -> $crate::error::Result<()> {
            match hook {
                $($crate::hook::Hook::$hook => target.$method(context),)*
            }
        }
    };
}
pub(crate) use define_dispatch;
