//! CUDA, opened at run time: the program links libtorch's CPU half only.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Result, TorchError, call, ffi, take_text};

/// File name of libtorch's CUDA half.
const LIBRARY: &str = "libtorch_cuda.so";

/// Loads `libtorch_cuda` from beside the linked libtorch and keeps it for the life of the process.
///
/// Call it **before any other use of libtorch**: what libtorch finds at its first use it remembers as "no
/// CUDA" for good. The answer of the first call is kept. It takes 0.1 to 0.4 s and 235 MB where the library
/// is there, so only ask for it where a GPU is wanted. The error is the loader's text, fit to be shown.
pub fn open() -> std::result::Result<(), String> {
    static OPENED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    OPENED.get_or_init(|| load().map_err(|error| error.to_string())).clone()
}

/// Whether this machine looks as if it had an NVIDIA GPU with its driver. Loads nothing of libtorch.
pub fn driver_present() -> bool {
    Path::new("/dev/nvidiactl").exists() || driver_library_loads()
}

fn load() -> Result<()> {
    let path = library_path()?;
    let refused = |reason: String| TorchError::OpenCuda { path: path.clone(), reason };
    if !path.exists() {
        return Err(refused(
            "no such file: this libtorch was built for the CPU. `cargo xtask libtorch` fetches the CUDA build"
                .to_owned(),
        ));
    }
    open_globally(&path).map_err(refused)
}

/// Where `libtorch_cuda` has to lie: beside the libtorch that this process runs on.
fn library_path() -> Result<PathBuf> {
    let mut text = std::ptr::null_mut();
    // SAFETY: on success the shim stores a text that `take_text` frees. It looks an address up and runs
    // nothing of libtorch.
    call("locating libtorch", |error| unsafe { ffi::thaw_libtorch_path(&mut text, error) })?;
    let libtorch = PathBuf::from(take_text(text));
    Ok(libtorch.parent().unwrap_or(Path::new("")).join(LIBRARY))
}

#[cfg(unix)]
fn open_globally(path: &Path) -> std::result::Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: libtorch's own library; its initialisers register kernels and hooks with the libtorch already
    // loaded.
    let library =
        unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| error.to_string())?;
    // Never unloaded: kernels and hooks point into it.
    std::mem::forget(library);
    Ok(())
}

#[cfg(not(unix))]
fn open_globally(_: &Path) -> std::result::Result<(), String> {
    Err("opening CUDA at run time is only supported on Unix".to_owned())
}

#[cfg(unix)]
fn driver_library_loads() -> bool {
    use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL};
    // SAFETY: NVIDIA's driver library; loading it has no effect until it is called.
    unsafe { Library::open(Some("libcuda.so.1"), RTLD_LAZY | RTLD_LOCAL) }.is_ok()
}

#[cfg(not(unix))]
fn driver_library_loads() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_is_found_where_it_was_loaded_from() {
        let path = library_path().unwrap();
        assert!(path.with_file_name("libtorch_cpu.so").exists(), "{}", path.display());
    }
}
