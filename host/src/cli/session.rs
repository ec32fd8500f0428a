//! What every command starts with: device, interrupts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tch::Device;

use crate::Error;
use thaw_torch::cuda;
use thaw_train::fit::StopHandle;

/// Chooses the device and sets libtorch up. Before plugins are loaded: CUDA has to be opened before any use
/// of libtorch.
///
/// # Errors
/// A device that cannot be used.
pub fn device(name: &str) -> Result<Device, Error> {
    let (device, note) = thaw_torch::device::select(name)?;
    if let Some(note) = note {
        // A GPU that is there and cannot be used is not passed over in silence.
        if cuda::driver_present() {
            tracing::warn!("using the CPU: {note}");
        } else {
            tracing::debug!("using the CPU: {note}");
        }
    }
    thaw_torch::init()?;
    Ok(device)
}

/// What asks a run to end: Ctrl-C, whoever ends processes, and Slurm before it takes a job's machines away.
#[cfg(unix)]
const STOPS: [std::ffi::c_int; 3] =
    [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGUSR1];
#[cfg(not(unix))]
const STOPS: [std::ffi::c_int; 2] = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];

/// The first Ctrl-C ends the run that has the handle after its step, with a checkpoint; the second ends the
/// program. Once in a process.
pub fn watch_interrupts() -> StopHandle {
    let stop = StopHandle::default();
    let again = Arc::new(AtomicBool::new(false));
    for signal in STOPS {
        let (second, stop) = (Arc::clone(&again), stop.clone());
        // SAFETY: the handler touches atomics and ends the process, both of which a signal handler may do.
        let registered = unsafe {
            signal_hook::low_level::register(signal, move || {
                if second.swap(true, Ordering::Relaxed) {
                    thaw_plugins::calls::forget();
                    signal_hook::low_level::exit(130);
                }
                stop.stop();
            })
        };
        if let Err(error) = registered {
            tracing::warn!("cannot watch for interrupts: {error}");
        }
    }
    #[cfg(unix)]
    {
        watch_hangup(stop.clone());
        if let Err(error) = super::unexpected_end::tell_who_runs_after(&STOPS) {
            tracing::warn!("cannot watch for interrupts: {error}");
        }
    }
    stop
}

/// Counts what asks this process for its end, for one that passes it on to others: Ctrl-C, SIGTERM, and a
/// terminal that goes away, once. Once in a process.
pub fn count_interrupts() -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let count = Arc::clone(&count);
        // SAFETY: the handler adds to an atomic, which a signal handler may do.
        let registered = unsafe {
            signal_hook::low_level::register(signal, move || {
                count.fetch_add(1, Ordering::Relaxed);
            })
        };
        if let Err(error) = registered {
            tracing::warn!("cannot watch for interrupts: {error}");
        }
    }
    #[cfg(unix)]
    {
        let count = Arc::clone(&count);
        on_hangup(move || {
            count.fetch_max(1, Ordering::Relaxed);
        });
    }
    count
}

/// A terminal that is gone ends the run as a first Ctrl-C does, however often it says so; under `nohup` it is
/// not listened to.
#[cfg(unix)]
fn watch_hangup(stop: StopHandle) {
    on_hangup(move || stop.stop());
}

/// Does something that a signal handler may do when the terminal goes away, but under `nohup`.
#[cfg(unix)]
fn on_hangup(act: impl Fn() + Send + Sync + 'static) {
    let hangup = signal_hook::consts::SIGHUP;
    // SAFETY: zeroes are a valid `sigaction`, and with a null action the call only fills it in.
    let ignored = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(hangup, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    };
    if ignored {
        return;
    }
    // SAFETY: the handlers above touch an atomic, which a signal handler may do.
    let registered = unsafe { signal_hook::low_level::register(hangup, act) };
    if let Err(error) = registered {
        tracing::warn!("cannot watch for a hang-up: {error}");
    }
}

/// Past a limit on the size of files, writing is to fail with an error that can be told, not to end the
/// process.
pub fn ignore_file_size_signal() {
    #[cfg(unix)]
    if let Err(error) =
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))
    {
        tracing::debug!("cannot ignore SIGXFSZ: {error}");
    }
}
