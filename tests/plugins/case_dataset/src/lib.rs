//! Data sets of tests: texts of a table, and numbers that fail where they are told to.

use std::path::PathBuf;

use thaw_plugin_api::prelude::*;

/// A table of texts, as `kind = "text"` has it.
#[derive(Config)]
struct TextsConfig {
    /// Rows `TEXT,LABEL` below a head.
    path: PathBuf,
}

/// Texts by their labels, in the order of the table.
struct Texts {
    rows: Vec<(String, String)>,
}

impl Dataset for Texts {
    const ID: &'static str = "case-texts";
    const DESCRIPTION: &'static str = "texts of a table";
    type Config = TextsConfig;

    fn new(config: TextsConfig) -> Result<Self> {
        let text = std::fs::read_to_string(&config.path)?;
        let row = |line: &str| line.split_once(',').map(|(text, label)| (text.to_owned(), label.to_owned()));
        Ok(Self { rows: text.lines().skip(1).filter_map(row).collect() })
    }

    fn form(&self) -> Form {
        Form::Texts
    }

    fn class_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.rows.iter().map(|(_, label)| label.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn len(&self, split: Split) -> Option<usize> {
        (split == Split::Train).then_some(self.rows.len())
    }

    fn get(&self, _: Split, index: usize) -> Result<Sample> {
        let (text, label) = &self.rows[index];
        Ok(Sample::text(text).label(label))
    }

    fn target(&self, _: Split, index: usize) -> Result<Option<Target>> {
        Ok(Some(Target::Label(self.rows[index].1.clone())))
    }

    fn length(&self, _: Split, index: usize) -> Option<usize> {
        Some(self.rows[index].0.len())
    }
}

/// Numbers, and what goes wrong with them.
#[derive(Config)]
struct NumbersConfig {
    /// Samples of training.
    #[config(default = 40, range = 1..)]
    rows: usize,
    /// A file with a factor of all numbers.
    factor: Option<PathBuf>,
    /// The sample that cannot be read.
    fail_at: Option<usize>,
    /// The sample that panics.
    panic_at: Option<usize>,
    /// The sample that ends the program.
    exit_at: Option<usize>,
}

/// Pairs of numbers by the parity of their index.
struct Numbers {
    config: NumbersConfig,
    factor: f64,
}

impl Dataset for Numbers {
    const ID: &'static str = "case-numbers";
    const DESCRIPTION: &'static str = "pairs of numbers";
    type Config = NumbersConfig;

    fn new(config: NumbersConfig) -> Result<Self> {
        let factor = match &config.factor {
            Some(path) => std::fs::read_to_string(path)?.trim().parse()?,
            None => 1.0,
        };
        Ok(Self { config, factor })
    }

    fn form(&self) -> Form {
        Form::array("x", Dtype::F32, [2])
    }

    fn class_names(&self) -> Vec<String> {
        vec!["even".to_owned(), "odd".to_owned()]
    }

    fn len(&self, split: Split) -> Option<usize> {
        match split {
            Split::Train => Some(self.config.rows),
            Split::Val => Some(8),
            Split::Test => Some(6),
        }
    }

    fn get(&self, split: Split, index: usize) -> Result<Sample> {
        if split == Split::Train {
            ensure!(self.config.fail_at != Some(index), "the page is torn");
            assert!(self.config.panic_at != Some(index), "the page is burnt");
            if self.config.exit_at == Some(index) {
                std::process::exit(0);
            }
        }
        let side = if index.is_multiple_of(2) { -1.0 } else { 1.0 };
        let numbers = [side, index as f64 / 10.0].map(|number| (number * self.factor) as f32);
        Ok(Sample::array("x", Array::new([2], &numbers)?).class(index % 2))
    }

    fn state(&self) -> Result<Map<String, Value>> {
        Ok(Map::from_iter([("factor".to_owned(), self.factor.into())]))
    }

    fn load_state(&mut self, mut state: Map<String, Value>) -> Result<()> {
        let factor = state.remove("factor").and_then(|factor| factor.as_f64());
        self.factor = factor.ok_or_else(|| Error::new("found no `factor`"))?;
        Ok(())
    }
}

export_plugin!(datasets: [Texts, Numbers]);
