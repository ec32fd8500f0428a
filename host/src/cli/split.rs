//! Which split of a plugin's data set a command uses.

use std::path::Path;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use thaw_plugin_api::dataset::Split;

use crate::Error;
use thaw_train::inference::{Inference, UsedOn};

/// The split, where the run's data is a plugin's data set.
#[derive(Args)]
pub struct SplitArgs {
    /// Of a plugin's data set, in place of --input: the split. Default `test`.
    #[arg(long, value_name = "SPLIT", value_parser = splits(), conflicts_with = "input")]
    split: Option<Split>,
}

fn splits() -> impl TypedValueParser<Value = Split> {
    let names = PossibleValuesParser::new(Split::ALL.map(Split::name));
    names.map(|name| Split::ALL.into_iter().find(|split| split.name() == name).unwrap_or(Split::Test))
}

impl SplitArgs {
    /// What the command line names: a path, or a split of the data set.
    ///
    /// # Errors
    /// It names neither, or what the run's data does not have; or the data set cannot be opened.
    pub fn used_on<'p>(&self, inference: &Inference, input: Option<&'p Path>) -> Result<UsedOn<'p>, Error> {
        self.used_on_either(inference, input, None)
    }

    /// The same of a command that takes the path `otherwise` where the command line names nothing.
    ///
    /// # Errors
    /// As [`SplitArgs::used_on`].
    pub fn used_on_either<'p>(
        &self,
        inference: &Inference,
        input: Option<&'p Path>,
        otherwise: Option<&'p Path>,
    ) -> Result<UsedOn<'p>, Error> {
        match (inference.plugin_data()?, input.or(otherwise)) {
            (Some(data), None) => Ok(UsedOn::Split(self.split.unwrap_or(Split::Test), Box::new(data))),
            (Some(data), Some(_)) => Err(Error::Usage(format!(
                "--input: the run's data is {}, whose samples come in splits: name one with --split, and \
                 other files with --set data.KEY=PATH",
                data.samples.name()
            ))),
            (None, Some(input)) if self.split.is_none() => Ok(UsedOn::Path(input)),
            (None, _) => Err(Error::Usage(
                "name samples with --input PATH (those of a test also as test_path in [data]); only the data \
                 set of a plugin has a --split"
                    .to_owned(),
            )),
        }
    }
}
