//! Builds the C++ shim over libtorch's TorchScript: tch has neither submodules nor buffers nor modes per
//! module.

use thaw_cpp_build::Shim;

fn main() {
    let built = thaw_cpp_build::compile(Shim {
        library: "thaw_torchscript_shim",
        sources: &["load", "code", "checks", "loose", "forward"],
        header: "torch/csrc/jit/api/module.h",
        opt_level: 1,
    });
    built.map_or_else(|error| thaw_cpp_build::fail(&error), drop);
}
