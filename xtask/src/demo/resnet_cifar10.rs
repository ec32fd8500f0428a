//! ResNet-50 under a new head, on files in the format of CIFAR-10's binary version.

use anyhow::Result;

use super::{Demo, HOST, config, figures};
use crate::workspace::Workspace;

pub struct ResNetCifar10;

/// As `path` in the run config.
const DATA: &str = "data/cifar10";

impl Demo for ResNetCifar10 {
    fn name(&self) -> &'static str {
        "resnet-cifar10"
    }

    fn prepare(&self, workspace: &Workspace) -> Result<()> {
        figures::write(&workspace.path(DATA))
    }

    fn next(&self, _: &str) -> Vec<(&'static str, String)> {
        vec![
            (
                "Train on CIFAR-10 itself: unpack cifar-10-binary.tar.gz of \
                 https://www.cs.toronto.edu/~kriz/cifar.html, and run the demo again:",
                format!("tar xzf cifar-10-binary.tar.gz -C {DATA}"),
            ),
            ("See what trains at which rate in which epoch:", format!("{HOST} plan {}", config(self.name()))),
        ]
    }
}
