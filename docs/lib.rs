//! The guide as documentation tests: every Rust block of its chapters, and of the README, compiles and runs.

macro_rules! chapters {
    ($($name:ident: $file:literal),* $(,)?) => {
        $(
            #[doc = include_str!($file)]
            pub mod $name {}
        )*
    };
}

chapters! {
    readme: "../README.md",
    strategy: "src/strategy.md",
    callback: "src/callback.md",
    model: "src/model.md",
    dataset: "src/dataset.md",
    embed: "src/embed.md",
    test: "src/test.md",
    lightning: "src/lightning.md",
}
