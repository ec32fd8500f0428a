//! A fake run, to test strategies and callbacks in an ordinary `cargo test`, without libtorch.
