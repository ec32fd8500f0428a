//! The run configs of the demos, as they stand in `examples/`, on tiny models and made data.

mod autoencoder_transfer;
mod bert_mnli;
mod emoji_text;
mod resnet_cifar10;

/// A run config of `examples/`.
fn config(name: &str) -> String {
    let path = thaw_tests::workspace().join("examples").join(name).with_extension("toml");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
