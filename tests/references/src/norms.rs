//! Norms on batches of one (`tests/fixtures/norms`): what PyTorch's layers compute, and what they refuse.

use std::path::PathBuf;

use serde_json::Value;
use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::tch::{self, Tensor};

use crate::Built;

/// A module of one norm, as PyTorch ran it.
pub struct Norm {
    name: String,
    row: Value,
}

impl Norm {
    /// All that were recorded.
    pub fn all() -> Vec<Self> {
        let text = std::fs::read_to_string(folder().join("expected.json"));
        let text = text.unwrap_or_else(|error| panic!("norms/expected.json: {error}"));
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
        let rows = json.as_object().into_iter().flatten();
        rows.map(|(name, row)| Self { name: name.clone(), row: row.clone() }).collect()
    }

    /// Its name, which is that of its files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The module in a file that ends so.
    pub fn file(&self, ending: &str) -> PathBuf {
        folder().join(&self.name).with_extension(ending)
    }

    /// Expects the outputs and statistics of a training step that the layers take.
    pub fn assert_trains(&self, built: &mut Built) {
        built.set_training(true);
        let x = Tensor::from_slice(&self.floats("x")).reshape(self.shape("shape"));
        let outputs = tch::no_grad(|| built.forward(Tensors::one("x", x)));
        let outputs = outputs.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let logits = outputs.iter().next().map(|(_, logits)| logits.reshape([-1]));
        self.assert_close("outputs", &logits.unwrap_or_else(|| panic!("{} has no output", self.name)));
        if self.row.get("running_var").is_some() {
            self.assert_close("running_var", built.tensor("norm.running_var"));
        }
    }

    /// What a module says of one sample, which has one value for a statistic; stored ones stay as they are.
    pub fn refusal(&self, built: &mut Built) -> String {
        let counted = |built: &Built| {
            let all = built.tensors().iter().filter(|(name, _)| name.contains("running_"));
            all.map(|(_, tensor)| tensor.copy()).collect::<Vec<_>>()
        };
        let before = counted(built);
        let x = Tensor::from_slice(&self.floats("x"));
        let shape = self.shape("alone_shape");
        let x = x.narrow(0, 0, shape.iter().product()).reshape(&shape);
        let answer = tch::no_grad(|| built.forward(Tensors::one("x", x)));
        assert!(before.iter().zip(counted(built)).all(|(before, after)| before.equal(&after)));
        answer.err().unwrap_or_else(|| panic!("{}: a batch of one was taken", self.name))
    }

    /// The layers' own words, with sizes as libtorch writes them.
    pub fn expected_refusal(&self) -> String {
        let text = self.row["alone"].as_str().unwrap_or_default();
        text.replace("torch.Size(", "").replace("])", "]").replacen('E', "e", 1)
    }

    /// Whether the layers refuse one sample in evaluation mode, too.
    pub fn refuses_in_evaluation(&self) -> bool {
        self.row["alone_in_evaluation"].is_string()
    }

    fn floats(&self, key: &str) -> Vec<f32> {
        let values = self.row[key].as_array().into_iter().flatten();
        values.filter_map(Value::as_f64).map(|value| value as f32).collect()
    }

    fn shape(&self, key: &str) -> Vec<i64> {
        self.row[key].as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
    }

    fn assert_close(&self, key: &str, found: &Tensor) {
        let expected = Tensor::from_slice(&self.floats(key));
        let difference = (&expected - found).abs().max().double_value(&[]);
        // Variances are near 1e-4 there: a norm makes the last digit of its inputs a hundred times larger.
        assert!(difference <= 1e-5, "{}, {key}: {difference} from PyTorch's", self.name);
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/norms")
}
