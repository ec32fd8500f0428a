//! Builds the C++ shim over libtorch's TorchScript: tch has neither submodules nor buffers nor modes per module.

use std::path::PathBuf;

/// One file per subject.
const SOURCES: [&str; 3] = ["load", "code", "forward"];

fn main() {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let Some(lib) = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        println!("cargo:error=torch-sys did not say where libtorch lies (DEP_TCH_LIBTORCH_LIB)");
        std::process::exit(1);
    };
    let include = lib.join("../include");
    let header = include.join("torch/csrc/jit/api/module.h");
    if !header.is_file() {
        println!(
            "cargo:error={} is missing: LIBTORCH must name a full libtorch 2.11 with its headers (cargo xtask libtorch)",
            header.display()
        );
        std::process::exit(1);
    }
    let cxx11_abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .flag("-isystem")
        .flag(include.as_os_str().to_string_lossy().as_ref())
        .flag_if_supported("-fvisibility=hidden")
        .define("_GLIBCXX_USE_CXX11_ABI", cxx11_abi.as_str())
        .opt_level(1)
        .debug(false);
    for source in SOURCES {
        build.file(format!("cpp/{source}.cpp"));
    }
    build.compile("thaw_torchscript_shim");
    // The tests of this package find libtorch also where the workspace's own run path does not reach.
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
}
