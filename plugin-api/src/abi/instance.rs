//! Strategies and callbacks behind the boundary.

use abi_stable::sabi_trait;
use abi_stable::std_types::{RSlice, RStr, RString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DropContained, RawError, RawResult, RawServices, contain};
use crate::callback::Callback;
use crate::context::{Context, Progress};
use crate::error::{Error, ErrorKind, Result};
use crate::hook::Hook;
use crate::strategy::Strategy;

/// A strategy or callback, as the host holds it.
#[sabi_trait]
pub trait RawInstance: Send {
    /// Runs a hook; false if the author did not write it.
    fn hook(&mut self, hook: u32, progress: RSlice<'_, u64>, services: RawServices<'_>) -> RawResult<bool>;
    /// A strategy's `freeze_before_training`.
    fn freeze_before_training(&mut self, services: RawServices<'_>) -> RawResult<()>;
    /// A strategy's `finetune`.
    fn finetune(&mut self, epoch: u64, progress: RSlice<'_, u64>, services: RawServices<'_>)
    -> RawResult<()>;
    /// The resolved configuration, JSON.
    fn config(&self) -> RawResult<RString>;
    /// What goes into a checkpoint, JSON with `version` and `state`.
    fn state(&self) -> RawResult<RString>;
    /// Restores it.
    #[sabi(last_prefix_field)]
    fn load_state(&mut self, state: RStr<'_>) -> RawResult<()>;
}

/// Saved state with the version that its author gave it.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedState {
    pub(crate) version: u32,
    pub(crate) state: Map<String, Value>,
}

fn raw<T, R: From<T>>(result: Result<T>) -> RawResult<R> {
    result.map(R::from).map_err(RawError::from).into()
}

pub(crate) fn read_state(
    text: &str,
    current: u32,
    migrate: impl FnOnce(u32, Map<String, Value>) -> Result<Map<String, Value>>,
) -> Result<Map<String, Value>> {
    let saved: SavedState = serde_json::from_str(text).map_err(|error| {
        Error::of(
            ErrorKind::State,
            format_args!("the saved state is no JSON of `version` and `state`: {error}"),
        )
    })?;
    if saved.version == current { Ok(saved.state) } else { migrate(saved.version, saved.state) }
}

fn run_hook<T: 'static>(
    number: u32,
    progress: &[u64],
    mut services: RawServices<'_>,
    call: impl FnOnce(Hook, &mut Context<'_>) -> Result<()>,
) -> Result<bool> {
    // A hook of a later version: this plugin cannot have written it.
    let Some(hook) = Hook::from_number(number) else { return Ok(false) };
    let mut context = Context::new(Progress::from_numbers(progress), &mut services);
    call(hook, &mut context)?;
    let implemented = context.is_implemented::<T>();
    context.finish()?;
    Ok(implemented)
}

/// A [`Callback`] behind the boundary.
pub struct CallbackAdapter<C>(DropContained<C>);

impl<C: Callback> CallbackAdapter<C> {
    /// Takes over the author's instance.
    pub fn new(callback: C) -> Self {
        Self(DropContained::new(callback))
    }
}

impl<C: Callback> RawInstance for CallbackAdapter<C> {
    fn hook(&mut self, hook: u32, progress: RSlice<'_, u64>, services: RawServices<'_>) -> RawResult<bool> {
        raw(contain(|| {
            run_hook::<C>(hook, progress.as_slice(), services, |hook, context| {
                crate::callback::call(&mut *self.0, hook, context)
            })
        }))
    }

    fn freeze_before_training(&mut self, _: RawServices<'_>) -> RawResult<()> {
        raw(Ok(()))
    }

    fn finetune(&mut self, _: u64, _: RSlice<'_, u64>, _: RawServices<'_>) -> RawResult<()> {
        raw(Ok(()))
    }

    fn config(&self) -> RawResult<RString> {
        raw(contain(|| Ok(self.0.to_value().to_string())))
    }

    fn state(&self) -> RawResult<RString> {
        raw(contain(|| {
            Ok(serde_json::to_string(&SavedState {
                version: C::STATE_VERSION,
                state: Callback::state(&*self.0)?,
            })?)
        }))
    }

    fn load_state(&mut self, state: RStr<'_>) -> RawResult<()> {
        raw(contain(|| {
            Callback::load_state(
                &mut *self.0,
                read_state(state.as_str(), C::STATE_VERSION, C::migrate_state)?,
            )
        }))
    }
}

/// A [`Strategy`] behind the boundary.
pub struct StrategyAdapter<S>(DropContained<S>);

impl<S: Strategy> StrategyAdapter<S> {
    /// Takes over the author's instance.
    pub fn new(strategy: S) -> Self {
        Self(DropContained::new(strategy))
    }
}

impl<S: Strategy> RawInstance for StrategyAdapter<S> {
    fn hook(&mut self, hook: u32, progress: RSlice<'_, u64>, services: RawServices<'_>) -> RawResult<bool> {
        raw(contain(|| {
            run_hook::<S>(hook, progress.as_slice(), services, |hook, context| {
                crate::strategy::call(&mut *self.0, hook, context)
            })
        }))
    }

    fn freeze_before_training(&mut self, mut services: RawServices<'_>) -> RawResult<()> {
        raw(contain(|| {
            let mut context = Context::new(Progress::default(), &mut services);
            self.0.freeze_before_training(context.model()?)?;
            context.finish()
        }))
    }

    fn finetune(
        &mut self,
        epoch: u64,
        progress: RSlice<'_, u64>,
        mut services: RawServices<'_>,
    ) -> RawResult<()> {
        raw(contain(|| {
            let mut context = Context::new(Progress::from_numbers(progress.as_slice()), &mut services);
            let (model, optimizer) = context.model_and_optimizer()?;
            self.0.finetune(usize::try_from(epoch)?, model, optimizer)?;
            context.finish()
        }))
    }

    fn config(&self) -> RawResult<RString> {
        raw(contain(|| Ok(self.0.to_value().to_string())))
    }

    fn state(&self) -> RawResult<RString> {
        raw(contain(|| {
            Ok(serde_json::to_string(&SavedState {
                version: S::STATE_VERSION,
                state: Strategy::state(&*self.0)?,
            })?)
        }))
    }

    fn load_state(&mut self, state: RStr<'_>) -> RawResult<()> {
        raw(contain(|| {
            Strategy::load_state(
                &mut *self.0,
                read_state(state.as_str(), S::STATE_VERSION, S::migrate_state)?,
            )
        }))
    }
}
