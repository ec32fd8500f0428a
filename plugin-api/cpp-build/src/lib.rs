//! For build scripts: compiles C++ over the libtorch that torch-sys found.
//!
//! The crate that is built depends on torch-sys itself, which tells its build script where libtorch lies.

use std::path::{Path, PathBuf};

/// The C++ of a crate.
#[derive(Clone, Copy, Debug)]
pub struct Shim<'a> {
    /// Name of the static library.
    pub library: &'a str,
    /// Files `cpp/NAME.cpp`: one per subject, so that a change compiles one of them's few headers only.
    pub sources: &'a [&'a str],
    /// A header of libtorch that they include, which a libtorch without its headers lacks.
    pub header: &'a str,
    /// Level of optimisation, 0 to 3.
    pub opt_level: u32,
}

/// Why the C++ was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CppBuildError {
    /// torch-sys is no dependency of the crate, or did not find libtorch.
    #[error(
        "torch-sys did not say where libtorch lies (DEP_TCH_LIBTORCH_LIB): the crate has to depend on it"
    )]
    NoLibtorch,
    /// libtorch without headers, or of another version.
    #[error("{} is missing: LIBTORCH must name a full libtorch 2.11 with its headers (cargo xtask \
             libtorch)", .0.display())]
    NoHeader(PathBuf),
    /// The compiler's own message.
    #[error("{0}")]
    Compiler(#[from] cc::Error),
}

/// A folder of the crate's for headers that libtorch's own include and its wheel does not bring. With it,
/// headers of PyTorch's C++ API are found, too.
const STUBS: &str = "cpp/stubs";

/// Compiles and links the crate's C++; gives libtorch's folder of libraries, where programs and tests of the
/// crate will look for it.
///
/// # Errors
/// No libtorch with headers, or what the compiler says.
pub fn compile(shim: Shim) -> Result<PathBuf, CppBuildError> {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let lib = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from).ok_or(CppBuildError::NoLibtorch)?;
    let include = lib.join("../include");
    let header = include.join(shim.header);
    if !header.is_file() {
        return Err(CppBuildError::NoHeader(header));
    }
    let cxx11_abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").flag("-isystem").flag(include.as_os_str());
    if Path::new(STUBS).is_dir() {
        build.flag("-isystem").flag(include.join("torch/csrc/api/include").as_os_str()).include(STUBS);
    }
    build
        .flag_if_supported("-fvisibility=hidden")
        .define("_GLIBCXX_USE_CXX11_ABI", cxx11_abi.as_str())
        .opt_level(shim.opt_level)
        .debug(false)
        .files(shim.sources.iter().map(|source| Path::new("cpp").join(source).with_extension("cpp")))
        .try_compile(shim.library)?;
    // Where the workspace's own run path does not reach.
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    Ok(lib)
}

/// Ends a build script as cargo shows errors best.
pub fn fail(error: &CppBuildError) -> ! {
    println!("cargo:error={error}");
    std::process::exit(1)
}
