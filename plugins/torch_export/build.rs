//! Builds the C++ shim over libtorch's dispatcher: tch binds operators by name at compile time, a file names
//! them at run time.

use thaw_cpp_build::Shim;

fn main() {
    let built = thaw_cpp_build::compile(Shim {
        library: "thaw_torch_export_shim",
        sources: &["build", "python", "run", "values"],
        header: "ATen/core/dispatch/Dispatcher.h",
        // A node costs 0.2 µs beside its kernel.
        opt_level: 2,
    });
    built.map_or_else(|error| thaw_cpp_build::fail(&error), drop);
}
