//! Builds the C++ shim: the part of libtorch that tch does not bind.

use thaw_cpp_build::Shim;

fn main() {
    let lib = thaw_cpp_build::compile(Shim {
        library: "thaw_torch",
        sources: &[
            "process",
            "random",
            "autocast",
            "gradients",
            "optimizer",
            "readback",
            "lanes",
            "distributed",
            "sums",
        ],
        header: "ATen/ops/_fused_adam.h",
        // The kernels are libtorch's; what is here only hands lists over. It halves the compile time of 3.
        opt_level: 2,
    });
    let lib = lib.unwrap_or_else(|error| thaw_cpp_build::fail(&error));
    // What was built with another libtorch does not run beside this one: it is told which one to take.
    println!("cargo:rustc-env=THAW_LIBTORCH_DIR={}", lib.parent().unwrap_or(&lib).display());
}
