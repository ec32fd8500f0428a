//! Builds the C++ shim: the part of libtorch that tch does not bind.

use std::path::PathBuf;

/// One file per subject, so that a change compiles one of them's few headers only.
const SOURCES: [&str; 5] = ["process", "random", "autocast", "gradients", "optimizer"];

fn main() {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let Some(lib) = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        println!("cargo:error=torch-sys did not say where libtorch lies (DEP_TCH_LIBTORCH_LIB)");
        std::process::exit(1);
    };
    let include = lib.join("../include");
    let header = include.join("ATen/ops/_fused_adam.h");
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
        .flag_if_supported("-Wno-unused-parameter")
        .define("_GLIBCXX_USE_CXX11_ABI", cxx11_abi.as_str())
        // The kernels are libtorch's; what is here only hands lists over. -O2 halves the compile time of -O3.
        .opt_level(2)
        .debug(false);
    for source in SOURCES {
        build.file(format!("cpp/{source}.cpp"));
    }
    build.compile("thaw_torch");
    // Programs and tests of this package find libtorch also where the workspace's own run path does not reach.
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    // `host plugin new` tells model crates which libtorch to take.
    println!("cargo:rustc-env=THAW_LIBTORCH_DIR={}", lib.parent().unwrap_or(&lib).display());
}
