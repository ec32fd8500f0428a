//! Where caches of this program lie.

use std::path::PathBuf;

/// `$THAW_CACHE`; else `thaw` in the user's folder of caches, or where there is none in that of temporary
/// files.
pub fn cache_folder() -> PathBuf {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let caches = || given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(of_home)));
    given("THAW_CACHE").unwrap_or_else(|| caches().unwrap_or_else(std::env::temp_dir).join("thaw"))
}
