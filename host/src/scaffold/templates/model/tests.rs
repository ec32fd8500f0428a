use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Device, Kind, Tensor};
use thaw_plugin_api::testing::{FakeModel, FakeRun};

use super::{MyPlugin, Sizes};

fn model(root: &nn::Path) -> Result<MyPlugin> {
    let sizes = Sizes {
        num_features: 2,
        num_classes: 3,
    };
    MyPlugin::new(sizes, root)
}

#[test]
fn points_become_one_score_per_class() -> Result<()> {
    let points = Tensor::f_zeros([5, 2], (Kind::Float, Device::Cpu))?;
    let scores = model(&nn::Path::root())?.forward(Tensors::one("x", points))?;
    assert_eq!(scores.first()?.size(), [5, 3]);
    Ok(())
}

#[test]
fn backbone_and_head_train_in_one_group() -> Result<()> {
    let root = nn::Path::root();
    model(&root)?;
    let tree = root.into_registry().tree()?;
    let report = FakeRun::new(FakeModel::from_tree(&tree))
        .max_epochs(1)
        .fit()?;
    report
        .epoch(0)
        .assert_trainable(["backbone", "head"])
        .assert_groups(["default"]);
    Ok(())
}
