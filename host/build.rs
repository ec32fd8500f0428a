//! Builds the C++ shim: the part of libtorch that tch does not bind.

use thaw_cpp_build::Shim;

fn main() {
    let lib = thaw_cpp_build::compile(Shim {
        library: "thaw_torch",
        sources: &["process", "random", "autocast", "gradients", "optimizer", "readback"],
        header: "ATen/ops/_fused_adam.h",
        // The kernels are libtorch's; what is here only hands lists over. It halves the compile time of 3.
        opt_level: 2,
    });
    let lib = lib.unwrap_or_else(|error| thaw_cpp_build::fail(&error));
    // `host plugin new` tells model crates which libtorch to take.
    println!("cargo:rustc-env=THAW_LIBTORCH_DIR={}", lib.parent().unwrap_or(&lib).display());
    // Plugins take these from the program before they take them from the C library.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        for symbol in ["_exit", "_Exit"] {
            println!("cargo:rustc-link-arg-bin=host=-Wl,--export-dynamic-symbol={symbol}");
        }
    }
}
