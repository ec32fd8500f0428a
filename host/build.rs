//! Exports what plugins are to find in the program.

fn main() {
    // Plugins take these from the program before they take them from the C library.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        for symbol in ["exit", "_exit", "_Exit"] {
            println!("cargo:rustc-link-arg-bin=host=-Wl,--export-dynamic-symbol={symbol}");
        }
    }
}
