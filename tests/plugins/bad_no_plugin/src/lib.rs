//! A library like any other.

/// Something to export.
#[unsafe(no_mangle)]
pub extern "C" fn thaw_bad_no_plugin() -> u32 {
    42
}
