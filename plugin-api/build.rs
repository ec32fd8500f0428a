//! Records the compiler and libtorch, so that `host plugin inspect` and error messages can name them.

use std::path::Path;
use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output();
    let version = version.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    println!("cargo::rustc-env=THAW_RUSTC={}", version.as_deref().unwrap_or("unknown").trim());
    println!("cargo::rustc-env=THAW_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    println!("cargo::rustc-env=THAW_LIBTORCH={}", libtorch_version().unwrap_or_else(|| "unknown".to_owned()));
    println!(
        "cargo::rustc-env=THAW_CXX11_ABI={}",
        std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned())
    );
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::metadata=LIBTORCH_LIB={folder}");
    }
    println!("cargo::rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    println!("cargo::rerun-if-changed=build.rs");
}

/// The version in libtorch's own header; torch-sys tells where it is when the feature `torch` is on.
fn libtorch_version() -> Option<String> {
    let library = std::env::var_os("DEP_TCH_LIBTORCH_LIB")?;
    let header = Path::new(&library).join("../include/torch/csrc/api/include/torch/version.h");
    let mut numbers = Vec::new();
    let generated = Path::new(&library).join("../include/torch/headeronly/version.h");
    let text =
        [header, generated].iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect::<String>();
    for part in ["MAJOR", "MINOR", "PATCH"] {
        let prefix = format!("#define TORCH_VERSION_{part} ");
        numbers.push(text.lines().find_map(|line| line.strip_prefix(&prefix))?.trim().to_owned());
    }
    Some(numbers.join("."))
}
