//! Models that strategies and callbacks are run on: trees alone, nothing trains.

use thaw_plugin_api::testing::FakeModel;

/// A model of the checks.
pub struct Tree {
    /// What it is, in a word.
    pub name: &'static str,
    /// Its modules.
    pub model: FakeModel,
}

fn block(layers: FakeModel, name: &str, inputs: i64, outputs: i64) -> FakeModel {
    layers.module(name, "Block", |block| {
        block.conv2d("conv", inputs, outputs, 3).batch_norm("bn", outputs).relu("act").dropout("drop")
    })
}

/// Models as most are: something pretrained, and a head. A strategy need not take all of them.
pub fn usual() -> Vec<Tree> {
    let backbone = FakeModel::new()
        .sequential("backbone", |layers| {
            block(block(layers.conv2d("0", 3, 4, 3).batch_norm("1", 4).relu("2"), "3", 4, 4), "4", 4, 8)
        })
        .linear("head", 8, 3)
        .stage("backbone", ["backbone"])
        .stage("head", ["head"]);
    let extractor = FakeModel::new()
        .sequential("feature_extractor", |layers| layers.linear("0", 6, 4).relu("1").linear("2", 4, 4))
        .linear("classifier", 4, 3)
        .stage("feature_extractor", ["feature_extractor"])
        .stage("classifier", ["classifier"]);
    let encoder = FakeModel::new()
        .sequential("encoder", |layers| layers.linear("0", 6, 4).relu("1").linear("2", 4, 2))
        .sequential("decoder", |layers| layers.linear("0", 2, 4).relu("1").linear("2", 4, 6))
        .stage("encoder", ["encoder"])
        .stage("decoder", ["decoder"]);
    let original = block(
        block(FakeModel::new().conv2d("conv1", 3, 4, 3).batch_norm("bn1", 4), "layer1", 4, 4),
        "layer2",
        4,
        8,
    );
    let original = original.linear("fc", 8, 3);
    vec![
        Tree { name: "backbone and head", model: backbone },
        Tree { name: "feature extractor and classifier", model: extractor },
        Tree { name: "encoder and decoder", model: encoder },
        Tree { name: "layers and fc", model: original },
    ]
}

/// Models at the edge of what there is. Each may be refused with a reason.
pub fn odd() -> Vec<Tree> {
    let nested = FakeModel::new()
        .module("backbone", "Encoder", |encoder| {
            let encoder = encoder.parameter("cls_token", &[1, 1, 4]).embedding("embeddings", 10, 4);
            encoder.module("blocks", "ModuleList", |blocks| {
                let inner = |block: FakeModel| {
                    let block = block
                        .layer_norm("norm", 4)
                        .module("attn", "Attention", |attention| attention.linear("qkv", 4, 12));
                    block.module("mlp", "ModuleDict", |mlp| {
                        mlp.sequential("path", |path| path.linear("0", 4, 8).relu("1").linear("2", 8, 4))
                    })
                };
                blocks.module("0", "Layer", inner).module("1", "Layer", inner)
            })
        })
        .sequential("head", |head| head.dropout("0").linear("1", 4, 3));
    let tied = FakeModel::new()
        .module("backbone", "Encoder", |encoder| {
            encoder.embedding("embedding", 10, 4).linear("layer", 4, 4).layer_norm("norm", 4)
        })
        .module("head", "Linear", |head| head.parameter("weight", &[10, 4]).parameter("bias", &[10]))
        .tie("head.weight", "backbone.embedding.weight");
    let nothing =
        FakeModel::new().sequential("backbone", |layers| layers.relu("0").dropout("1")).linear("head", 4, 3);
    let norms = FakeModel::new()
        .sequential("backbone", |layers| layers.batch_norm("0", 4).batch_norm("1", 4))
        .linear("head", 4, 3);
    let flat = FakeModel::new().linear("backbone", 4, 4).linear("head", 4, 3);
    let bare = FakeModel::new().parameter("scale", &[1]);
    vec![
        Tree { name: "nested containers", model: nested },
        Tree { name: "tied weights", model: tied },
        Tree { name: "nothing to freeze", model: nothing },
        Tree { name: "a backbone of batch norms", model: norms },
        Tree { name: "a backbone of one layer", model: flat },
        Tree { name: "one parameter without a module", model: bare },
        Tree { name: "no parameters", model: FakeModel::new() },
    ]
}
