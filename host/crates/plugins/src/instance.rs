//! A strategy or callback in use.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thaw_plugin_api::abi::{BoxedInstance, Kind, RawServices, contain};
use thaw_plugin_api::context::{Progress, Services};
use thaw_plugin_api::drive::Call;
use thaw_plugin_api::hook::Hook;

use super::Failure;
use super::calls::Caller;
use super::working_directory::WorkingDirectory;

/// A strategy or callback of a plugin, with the hooks that are known not to be written.
pub struct Instance {
    raw: BoxedInstance,
    kind: Kind,
    id: String,
    plugin: String,
    path: PathBuf,
    caller: Caller,
    /// Bits of the hooks that may be written: all at first, without those that turned out not to be.
    hooks: u64,
    /// After a panic the author's data may be half changed: no more calls.
    panicked: bool,
}

impl Instance {
    pub(super) fn new(raw: BoxedInstance, kind: Kind, id: &str, plugin: &str, path: &Path) -> Self {
        let caller = Caller::new(kind, id, plugin);
        let (id, plugin, path) = (id.to_owned(), plugin.to_owned(), path.to_path_buf());
        Self { raw, kind, id, plugin, path, caller, hooks: u64::MAX, panicked: false }
    }

    /// Strategy or callback.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The id in the run config.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Package name of its plugin.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// File of its plugin.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a hook may be written.
    pub fn wants(&self, hook: Hook) -> bool {
        self.hooks & hook.bit() != 0 && !self.panicked
    }

    /// Makes one of the calls that a run makes.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub fn run(
        &mut self,
        call: Call,
        progress: &Progress,
        services: &mut dyn Services,
    ) -> Result<(), Failure> {
        match call {
            Call::Hook(hook) => self.hook(hook, progress, services),
            Call::FreezeBeforeTraining => self.freeze_before_training(services),
            Call::Finetune => self.finetune(progress, services),
        }
    }

    /// Runs a hook, unless it is known not to be written.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub fn hook(
        &mut self,
        hook: Hook,
        progress: &Progress,
        services: &mut dyn Services,
    ) -> Result<(), Failure> {
        if !self.wants(hook) {
            return Ok(());
        }
        let numbers = progress.to_numbers();
        // What a command reads by a relative path, it opens after this hook.
        let _directory = (hook == Hook::Setup).then(|| WorkingDirectory::before(self.caller.who()));
        let written = self.call(hook.name(), |raw| {
            RawServices::with(services, |services| {
                raw.hook(hook as u32, numbers[..].into(), services).into_result()
            })
        })?;
        if !written {
            self.hooks &= !hook.bit();
        }
        Ok(())
    }

    /// A strategy's `freeze_before_training`.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub fn freeze_before_training(&mut self, services: &mut dyn Services) -> Result<(), Failure> {
        self.call("freeze_before_training", |raw| {
            RawServices::with(services, |services| raw.freeze_before_training(services).into_result())
        })
    }

    /// A strategy's `finetune`.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub fn finetune(&mut self, progress: &Progress, services: &mut dyn Services) -> Result<(), Failure> {
        let numbers = progress.to_numbers();
        let epoch = progress.epoch as u64;
        self.call("finetune", |raw| {
            RawServices::with(services, |services| {
                raw.finetune(epoch, numbers[..].into(), services).into_result()
            })
        })
    }

    /// The resolved configuration.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub fn config(&mut self) -> Result<Value, Failure> {
        let text = self.call("config", |raw| raw.config().into_result())?;
        self.parse("config", &text)
    }

    /// What goes into a checkpoint.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub fn state(&mut self) -> Result<Value, Failure> {
        let text = self.call("state", |raw| raw.state().into_result())?;
        self.parse("state", &text)
    }

    /// Restores what [`Self::state`] gave.
    ///
    /// # Errors
    /// State that does not fit, or a panic.
    pub fn load_state(&mut self, state: &Value) -> Result<(), Failure> {
        let text = state.to_string();
        self.call("load_state", |raw| raw.load_state(text.as_str().into()).into_result())
    }

    fn parse(&self, what: &str, text: &str) -> Result<Value, Failure> {
        serde_json::from_str(text).map_err(|error| self.failure(what, error.into()))
    }

    fn call<T>(
        &mut self,
        hook: &'static str,
        call: impl FnOnce(&mut BoxedInstance) -> Result<T, thaw_plugin_api::abi::RawError>,
    ) -> Result<T, Failure> {
        let raw = &mut self.raw;
        let answer = {
            let _entered = self.caller.enter(hook);
            contain(|| Ok(call(raw)?))
        };
        answer.map_err(|error| {
            self.panicked |= error.kind() == thaw_plugin_api::error::ErrorKind::Panic;
            self.failure(hook, error)
        })
    }

    fn failure(&self, hook: &str, error: thaw_plugin_api::Error) -> Failure {
        let (plugin, id) = (self.plugin.clone(), self.id.clone());
        Failure { plugin, kind: self.kind, id, hook: hook.to_owned(), error }
    }
}
