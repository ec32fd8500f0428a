use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Device, Kind, Tensor};

use super::{TinyCnn, TinyCnnConfig};

fn model(root: &nn::Path) -> Result<TinyCnn> {
    TinyCnn::new(TinyCnnConfig { num_classes: 5, channels: 4 }, root)
}

#[test]
fn pictures_become_one_score_per_class() -> Result<()> {
    let pictures = Tensor::f_zeros([3, 3, 32, 32], (Kind::Float, Device::Cpu))?;
    let scores = model(&nn::Path::root())?.forward(Tensors::one("x", pictures))?;
    assert_eq!(scores.first()?.size(), [3, 5]);
    Ok(())
}

#[test]
fn modules_have_pytorch_s_names() -> Result<()> {
    let root = nn::Path::root();
    model(&root)?;
    let tree = root.into_registry().tree()?;
    let names: Vec<&str> = tree.parameters().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "backbone.0.weight",
            "backbone.1.weight",
            "backbone.1.bias",
            "backbone.3.weight",
            "backbone.4.weight",
            "backbone.4.bias",
            "head.weight",
            "head.bias",
        ]
    );
    Ok(())
}
