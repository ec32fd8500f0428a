//! Callbacks: react to the events of a run.

use serde_json::{Map, Value};

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::hook::{Hook, default_hooks, define_dispatch, for_each_hook};

/// Reacts to events of a run. The hooks have Lightning's names and order.
///
/// One instance lives as long as the run. Hooks run on the thread that trains, one at a time. A hook that is
/// not written costs nothing: after its first call the host does not make it again.
///
/// ```
/// use thaw_plugin_api::prelude::*;
///
/// /// Stops the run when the loss falls below a limit.
/// #[derive(Config)]
/// struct StopAt {
///     /// The limit.
///     #[config(default = 0.01, range = 0.0..)]
///     loss: f64,
/// }
///
/// impl Callback for StopAt {
///     const ID: &'static str = "stop-at";
///
///     fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
///         if context.loss()?.is_some_and(|loss| loss < self.loss) {
///             context.stop("the loss is low enough")?;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Callback: Config + Send + 'static {
    /// Name in run configs, unique among all loaded plugins: `[a-z0-9-]+`.
    const ID: &'static str;

    /// One line on what it does.
    const DESCRIPTION: &'static str = "";

    /// The metrics that it logs, all of them. A run that monitors another one then ends before it has
    /// trained; where this is not said, it has to wait for the end of an epoch.
    const METRICS: Option<&'static [&'static str]> = None;

    /// Version of the saved state. Raise it when fields marked `#[config(state)]` change, and write
    /// `migrate_state`.
    const STATE_VERSION: u32 = 1;

    /// What goes into checkpoints besides the fields marked `#[config(state)]`.
    ///
    /// # Errors
    /// A field that serde cannot write.
    fn state(&self) -> Result<Map<String, Value>> {
        Config::state(self)
    }

    /// Restores what [`Callback::state`] gave.
    ///
    /// # Errors
    /// Entries that are missing or of another type.
    fn load_state(&mut self, mut state: Map<String, Value>) -> Result<()> {
        Config::load_state(self, &mut state)?;
        refuse_rest(&state)
    }

    /// Brings state of an older version into today's form.
    ///
    /// # Errors
    /// By default, always: a version that is not [`Callback::STATE_VERSION`] is refused.
    fn migrate_state(version: u32, state: Map<String, Value>) -> Result<Map<String, Value>> {
        let _ = state;
        Err(no_migration(Self::ID, version, Self::STATE_VERSION))
    }

    for_each_hook!(default_hooks);
}

pub(crate) fn refuse_rest(state: &Map<String, Value>) -> Result<()> {
    match state.keys().next() {
        None => Ok(()),
        Some(key) => Err(Error::of(
            ErrorKind::State,
            format_args!("the saved state has an entry `{key}` that this version does not know"),
        )),
    }
}

pub(crate) fn no_migration(id: &str, found: u32, expected: u32) -> Error {
    Error::of(
        ErrorKind::State,
        format_args!("the saved state of `{id}` is of version {found}, this plugin reads version {expected}"),
    )
    .help("use the plugin that wrote it, or write `migrate_state`")
}

use Callback as Hooks;
for_each_hook!(define_dispatch);

/// Calls the method of a hook.
pub(crate) fn call<C: Callback>(
    callback: &mut C,
    hook: Hook,
    context: &mut crate::context::Context<'_>,
) -> Result<()> {
    dispatch(callback, hook, context)
}
