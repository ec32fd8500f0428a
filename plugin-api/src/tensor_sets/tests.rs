//! What stands in the model, and what lies in the files of a checkpoint.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::*;
use crate::error::Result;
use crate::module_tree::ModuleTree;
use crate::testing::FakeModel;

/// Tensors of one number.
#[derive(Default)]
struct Numbers(BTreeMap<String, Rc<Cell<f64>>>);

impl Numbers {
    fn set(&self, value: f64) {
        self.0.values().for_each(|number| number.set(value));
    }

    fn get(&self) -> f64 {
        self.0["head.weight"].get()
    }
}

impl TensorValues for Numbers {
    type Tensor = Rc<Cell<f64>>;

    fn of_model(&mut self, name: &str) -> Result<Rc<Cell<f64>>> {
        Ok(self.0.entry(name.to_owned()).or_default().clone())
    }

    fn shared(&self, tensor: &Rc<Cell<f64>>) -> Rc<Cell<f64>> {
        tensor.clone()
    }

    fn copied(&self, tensor: &Rc<Cell<f64>>) -> Result<Rc<Cell<f64>>> {
        Ok(Rc::new(Cell::new(tensor.get())))
    }

    fn copy(&self, to: &Rc<Cell<f64>>, from: &Rc<Cell<f64>>) -> Result<()> {
        to.set(from.get());
        Ok(())
    }

    fn lerp(&self, average: &Rc<Cell<f64>>, towards: &Rc<Cell<f64>>, weight: f64) -> Result<()> {
        average.set(average.get() + weight * (towards.get() - average.get()));
        Ok(())
    }

    fn squared_distance(&self, one: &Rc<Cell<f64>>, other: &Rc<Cell<f64>>) -> Result<f64> {
        Ok((one.get() - other.get()).powi(2))
    }
}

struct Run {
    tree: ModuleTree,
    model: Numbers,
    sets: TensorSets<Rc<Cell<f64>>>,
}

impl Run {
    /// A set `ema` of the value 1, in a model whose values are 3 now.
    fn new() -> Self {
        let tree = FakeModel::new().linear("head", 1, 1).batch_norm("norm", 1).tree().unwrap();
        let mut run = Self { tree, model: Numbers::default(), sets: TensorSets::default() };
        run.model.of_model("head.weight").unwrap();
        run.model.set(1.0);
        run.act("ema", SetAction::CopyFromModel { contents: SetContents::matching(["head.weight"]) })
            .unwrap();
        run.model.set(3.0);
        run
    }

    fn act(&mut self, name: &str, action: SetAction) -> Result<SetState> {
        self.sets.act(name, &action, &self.tree, &mut self.model)
    }

    /// The weights' file, and the set's.
    fn files(&mut self) -> (f64, f64) {
        let files = self.sets.in_files(&mut self.model).unwrap();
        let weights = files.weights.get("head.weight").map_or(self.model.get(), |number| number.get());
        (weights, files.sets[0].1.get())
    }
}

#[test]
fn averages_are_of_all_values_that_were_taken_in() {
    let mut run = Run::new();
    assert_eq!(run.act("ema", SetAction::UpdateMean).unwrap().count, 2);
    run.model.set(5.0);
    run.act("ema", SetAction::UpdateMean).unwrap();
    assert_eq!(run.act("ema", SetAction::Distance).unwrap().distance, Some(2.0));
    run.act("ema", SetAction::LerpToModel { weight: 0.5 }).unwrap();
    run.act("ema", SetAction::SwapIn).unwrap();
    assert_eq!(run.model.get(), 4.0);
}

#[test]
fn swapping_twice_in_one_direction_changes_nothing() {
    let mut run = Run::new();
    for action in [SetAction::SwapIn, SetAction::SwapIn] {
        assert!(run.act("ema", action).unwrap().in_model);
        assert_eq!(run.model.get(), 1.0);
    }
    assert!(run.sets.check_out().unwrap_err().to_string().contains("`ema` stand in the model"));
    for action in [SetAction::SwapOut, SetAction::SwapOut] {
        run.act("ema", action).unwrap();
        assert_eq!(run.model.get(), 3.0);
    }
    run.sets.check_out().unwrap();
}

#[test]
fn a_checkpoint_is_the_same_whatever_stands_in_the_model() {
    for (as_weights, expected) in [(false, (3.0, 1.0)), (true, (1.0, 3.0))] {
        let mut run = Run::new();
        run.act("ema", SetAction::SaveAsWeights { on: as_weights }).unwrap();
        assert_eq!(run.files(), expected);
        run.act("ema", SetAction::SwapIn).unwrap();
        assert_eq!(run.files(), expected);
    }
}

#[test]
fn a_restored_run_trains_the_weights_that_trained() {
    for as_weights in [false, true] {
        let mut run = Run::new();
        run.act("ema", SetAction::SaveAsWeights { on: as_weights }).unwrap();
        run.act("ema", SetAction::SwapIn).unwrap();
        let files = run.sets.in_files(&mut run.model).unwrap();
        let weights = files.weights["head.weight"].get();
        let saved = Rc::new(Cell::new(files.sets[0].1.get()));
        run.model.set(weights);
        run.sets = TensorSets::restored(&files.table, |_| Ok(saved.clone()), &mut run.model).unwrap();
        assert_eq!((run.model.get(), run.sets.in_model()), (3.0, None));
        assert_eq!(run.files(), if as_weights { (1.0, 3.0) } else { (3.0, 1.0) });
    }
}

#[test]
fn loading_is_for_good() {
    for swapped in [false, true] {
        let mut run = Run::new();
        if swapped {
            run.act("ema", SetAction::SwapIn).unwrap();
        }
        assert!(!run.act("ema", SetAction::LoadIntoModel).unwrap().in_model);
        assert_eq!(run.model.get(), 1.0);
        assert_eq!(run.act("ema", SetAction::Distance).unwrap().distance, Some(0.0));
    }
}

#[test]
fn one_set_at_a_time_stands_in_the_model() {
    let mut run = Run::new();
    run.act("other", SetAction::CopyFromModel { contents: SetContents::all() }).unwrap();
    run.act("ema", SetAction::SwapIn).unwrap();
    for action in [SetAction::SwapIn, SetAction::UpdateMean, SetAction::LoadIntoModel] {
        let error = run.act("other", action).unwrap_err().to_string();
        assert!(error.contains("`other`") && error.contains("`swap_out` of `ema`"), "{error}");
    }
    run.act("ema", SetAction::Clear).unwrap();
    assert_eq!((run.model.get(), run.act("ema", SetAction::Describe).unwrap().tensors), (3.0, 0));
    let error = run.act("ema", SetAction::SwapIn).unwrap_err().to_string();
    assert!(error.contains("no tensor set `ema`"), "{error}");
}

#[test]
fn contents_are_parameters_and_the_buffers_that_were_asked_for() {
    let tree = FakeModel::new().linear("head", 1, 1).batch_norm("norm", 1).tree().unwrap();
    let names = |contents: SetContents| {
        let names = contents.names(&tree).unwrap();
        names.into_iter().filter(|(_, update)| *update == Update::Average).map(|(name, _)| name).collect()
    };
    let head: Vec<String> = names(SetContents::matching(["head"]).with_buffers(SetBuffers::Averaged));
    assert_eq!(head, ["head.weight", "head.bias"]);
    let all = SetContents::all();
    assert_eq!(names(all.clone()), ["head.weight", "head.bias", "norm.weight", "norm.bias"]);
    assert!(names(all.clone().with_buffers(SetBuffers::Averaged)).contains(&"norm.running_mean".to_owned()));
    assert_eq!(names(all.clone().with_buffers(SetBuffers::Copied)), names(all));
}
