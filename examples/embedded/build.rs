//! Tells the program where libtorch lies, which `cargo xtask libtorch` put beside this workspace.

fn main() {
    let from = if cfg!(target_os = "macos") { "@loader_path" } else { "$ORIGIN" };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{from}/../../../../.libtorch/torch/lib");
}
