//! A strategy or callback behind the boundary, as the host holds it.

use serde_json::Value;

use super::host::Host;
use super::log::CaughtLog;
use crate::abi::{BoxedInstance, Kind, RawError, RawServices};
use crate::context::Progress;
use crate::drive::Call;
use crate::error::{Error, Result};
use crate::hook::Hook;

pub(super) struct FakeInstance {
    pub kind: Kind,
    pub id: String,
    raw: BoxedInstance,
    /// Bits of the hooks that may be written.
    hooks: u64,
}

impl FakeInstance {
    pub fn new(kind: Kind, id: &str, raw: BoxedInstance) -> Self {
        Self { kind, id: id.to_owned(), raw, hooks: u64::MAX }
    }

    pub fn run(&mut self, call: Call, host: &mut Host, log: &CaughtLog) -> Result<()> {
        match call {
            Call::Hook(hook) => self.hook(hook, host, log),
            Call::FreezeBeforeTraining => self.freeze_before_training(host, log),
            Call::Finetune => self.finetune(host, log),
        }
    }

    /// Runs a hook, unless it is known not to be written.
    fn hook(&mut self, hook: Hook, host: &mut Host, log: &CaughtLog) -> Result<()> {
        if self.hooks & hook.bit() == 0 {
            return Ok(());
        }
        let numbers = host.progress.to_numbers();
        let written = self.call(hook.name(), log, |raw| {
            RawServices::with(host, |services| {
                raw.hook(hook as u32, numbers[..].into(), services).into_result()
            })
        })?;
        if !written {
            self.hooks &= !hook.bit();
        }
        Ok(())
    }

    fn freeze_before_training(&mut self, host: &mut Host, log: &CaughtLog) -> Result<()> {
        self.call("freeze_before_training", log, |raw| {
            RawServices::with(host, |services| raw.freeze_before_training(services).into_result())
        })
    }

    fn finetune(&mut self, host: &mut Host, log: &CaughtLog) -> Result<()> {
        let Progress { epoch, .. } = host.progress;
        let numbers = host.progress.to_numbers();
        self.call("finetune", log, |raw| {
            RawServices::with(host, |services| {
                raw.finetune(epoch as u64, numbers[..].into(), services).into_result()
            })
        })
    }

    pub fn state(&mut self, log: &CaughtLog) -> Result<Value> {
        let text = self.call("state", log, |raw| raw.state().into_result())?;
        Ok(serde_json::from_str(&text)?)
    }

    pub fn load_state(&mut self, state: &Value, log: &CaughtLog) -> Result<()> {
        let text = state.to_string();
        self.call("load_state", log, |raw| raw.load_state(text.as_str().into()).into_result())
    }

    fn call<T>(
        &mut self,
        hook: &str,
        log: &CaughtLog,
        call: impl FnOnce(&mut BoxedInstance) -> Result<T, RawError>,
    ) -> Result<T> {
        let Self { kind, id, raw, .. } = self;
        log.during(|| call(raw))
            .map_err(|error| Error::from(error).context(format_args!("{kind} `{id}`, {hook}")))
    }
}
