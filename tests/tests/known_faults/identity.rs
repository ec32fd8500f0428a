//! A parameter is what it is, not what its value is.

use thaw_tests::read_tensors;

use crate::model::{batch_norm, grouped, linear, names, relu, run, sequential};

#[test]
fn fresh_parameters_of_equal_values_are_all_trained() {
    // Both batch norms hold ones and zeros when the backbone's joins the optimizer, which has the head's.
    let modules = [
        sequential("backbone"),
        linear("backbone.0", 16, 8),
        batch_norm("backbone.1", 8),
        relu("backbone.2"),
        sequential("head"),
        batch_norm("head.0", 8),
        linear("head.1", 8, 4),
    ];
    let run = run(
        &modules,
        "batch_size = 8\n[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs \
         = 1\n\
         [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 0\n",
    );
    run.fit(&[]).succeeded();
    let record = &run.groups()[0];
    let mut trainable = names(&record["trainable"]);
    let mut grouped = grouped(record);
    trainable.sort_unstable();
    grouped.sort_unstable();
    assert_eq!(grouped, trainable);
    let last = read_tensors(&run.run_dir().join("checkpoints/last/model.safetensors")).unwrap();
    for (name, fresh) in
        [("backbone.1.weight", 1.0), ("backbone.1.bias", 0.0), ("head.0.weight", 1.0), ("head.0.bias", 0.0)]
    {
        assert!(last[name].iter().any(|value| *value != fresh), "{name} did not move");
    }
}

#[test]
fn equal_parameters_that_join_in_one_epoch_are_all_trained() {
    let modules = [
        sequential("backbone"),
        linear("backbone.0", 16, 8),
        batch_norm("backbone.1", 8),
        linear("backbone.2", 8, 8),
        batch_norm("backbone.3", 8),
        linear("head", 8, 4),
    ];
    let run = run(
        &modules,
        "batch_size = 8\n[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs \
         = 1\naudit = \"error\"\n\
         [[callbacks]]\nid = \"last-children-finetuning\"\nmodules = \"backbone\"\nunfreeze_at_epoch = \
         0\nlayers_per_epoch = 4\n",
    );
    run.fit(&[]).succeeded();
    let record = &run.groups()[0];
    for norm in ["backbone.1", "backbone.3"] {
        let group = record["groups"].as_array().unwrap().iter().find(|group| group["name"] == norm);
        let parameters = group.map(|group| names(&group["parameters"])).unwrap_or_default();
        assert_eq!(parameters, [format!("{norm}.weight"), format!("{norm}.bias")], "{record}");
    }
}
