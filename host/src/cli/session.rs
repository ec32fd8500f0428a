//! What every command starts with: device, plugins, interrupts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::Device;

use super::Options;
use crate::Error;
use crate::config::{PluginEntry, RunConfig};
use crate::fit::INTERRUPTED;
use crate::plugins::{PluginSet, SearchPath};
use crate::torch::cuda;

/// Chooses the device and sets libtorch up. Before plugins are loaded: CUDA has to be opened before any use
/// of libtorch.
///
/// # Errors
/// A device that cannot be used.
pub fn device(name: &str) -> Result<Device, Error> {
    let (device, note) = crate::torch::device::select(name)?;
    if let Some(note) = note {
        // A GPU that is there and cannot be used is not passed over in silence.
        if cuda::driver_present() {
            tracing::warn!("training on the CPU: {note}");
        } else {
            tracing::debug!("training on the CPU: {note}");
        }
    }
    crate::torch::init()?;
    Ok(device)
}

/// Loads the plugins of the command line, then those of the run config.
///
/// # Errors
/// One that is not found, refused, or not the one that is pinned.
pub fn plugins(options: &Options, config: Option<&RunConfig>) -> Result<PluginSet, Error> {
    let search = SearchPath::of_process(&options.plugin_dirs);
    let mut set = PluginSet::load(options.plugins.iter().map(String::as_str), &search, Path::new(""))?;
    for entry in config.map(|config| config.plugins.as_slice()).unwrap_or_default() {
        add(&mut set, &search, entry)?;
    }
    Ok(set)
}

/// Loads a plugin of a run config; a pinned file is compared with its pin before it is opened.
///
/// # Errors
/// It is not found, refused, or not the one that is pinned.
pub fn add(set: &mut PluginSet, search: &SearchPath, entry: &PluginEntry) -> Result<(), Error> {
    let path = search.find(&entry.path, Path::new(""))?;
    set.add_pinned(&path, entry.sha256.as_deref())?;
    Ok(())
}

/// The first Ctrl-C ends the run after its step, with a checkpoint; the second ends the program.
pub fn watch_interrupts() {
    let again = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let second = Arc::clone(&again);
        // SAFETY: the handler touches atomics and ends the process, both of which a signal handler may do.
        let registered = unsafe {
            signal_hook::low_level::register(signal, move || {
                if second.swap(true, Ordering::Relaxed) {
                    signal_hook::low_level::exit(130);
                }
                INTERRUPTED.store(true, Ordering::Relaxed);
            })
        };
        if let Err(error) = registered {
            tracing::warn!("cannot watch for interrupts: {error}");
        }
    }
    #[cfg(unix)]
    watch_hangup();
    ignore_file_size_signal();
}

/// A terminal that is gone ends the run as a first Ctrl-C does, however often it says so; under `nohup` it is
/// not listened to.
#[cfg(unix)]
fn watch_hangup() {
    let hangup = signal_hook::consts::SIGHUP;
    // SAFETY: zeroes are a valid `sigaction`, and with a null action the call only fills it in.
    let ignored = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(hangup, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    };
    if ignored {
        return;
    }
    // SAFETY: the handler sets an atomic, which a signal handler may do.
    let registered =
        unsafe { signal_hook::low_level::register(hangup, || INTERRUPTED.store(true, Ordering::Relaxed)) };
    if let Err(error) = registered {
        tracing::warn!("cannot watch for a hang-up: {error}");
    }
}

/// Past a limit on the size of files, writing is to fail with an error that can be told, not to end the
/// process.
fn ignore_file_size_signal() {
    #[cfg(unix)]
    if let Err(error) =
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))
    {
        tracing::debug!("cannot ignore SIGXFSZ: {error}");
    }
}
