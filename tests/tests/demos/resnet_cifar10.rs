//! `examples/resnet-cifar10.toml`.

use thaw_tests::Run;

use super::config;

/// Pictures in the format of CIFAR-10's binary version: a label, then planes of 32 x 32 whose brightness
/// tells the class.
fn cifar10_records(count: u8) -> Vec<u8> {
    (0..count)
        .flat_map(|index| {
            std::iter::once(index % 10).chain(std::iter::repeat_n(25 * (index % 10), 3 * 32 * 32))
        })
        .collect()
}

#[test]
fn the_backbone_thaws_at_its_epoch_and_its_rate_grows() {
    let run = Run::new(&config("resnet-cifar10"));
    run.write("data/cifar10/data_batch_1.bin", cifar10_records(20));
    run.write("data/cifar10/test_batch.bin", cifar10_records(10));
    let small =
        ["--set", "model.id=resnet18", "--set", "data.batch_size=10", "--set", "trainer.max_epochs=13"];
    run.fit(&small).succeeded();

    let groups = run.groups();
    let backbone_lr = |epoch: usize| {
        let group =
            groups[epoch]["groups"].as_array().unwrap().iter().find(|group| group["name"] == "backbone");
        group.map(|group| group["lr"].as_f64().unwrap())
    };
    assert_eq!(backbone_lr(9), None);
    for (epoch, lr) in [(10, 1e-4), (11, 1.5e-4), (12, 2.25e-4)] {
        let found = backbone_lr(epoch).unwrap();
        assert!((found - lr).abs() < 1e-12, "epoch {epoch}: the backbone's rate is {found}, expected {lr}");
    }
    let last = run.metrics().last().unwrap().clone();
    assert_eq!(last["epoch"], 12);
    assert!(last["val_acc"].is_number(), "{last}");
}
