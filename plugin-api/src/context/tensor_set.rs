//! A tensor set as a hook sees it.

use super::{Context, Request, unknown_operation};
use crate::error::{Error, Result};
use crate::tensor_sets::{SetAction, SetContents, SetState};

/// A set of the model's tensors that the host keeps under a name, see [`Context::tensor_set`].
///
/// Updates and exchanges run on the run's device; none of them waits for it.
pub struct TensorSet<'c, 'a> {
    context: &'c mut Context<'a>,
    name: String,
}

impl<'c, 'a> TensorSet<'c, 'a> {
    pub(super) fn new(context: &'c mut Context<'a>, name: &str) -> Result<Self> {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        crate::ensure!(
            !name.is_empty() && name.chars().all(allowed),
            "`{name}` cannot be the name of a tensor set: expected letters, digits, - and _"
        );
        Ok(Self { context, name: name.to_owned() })
    }

    fn ask(&mut self, action: SetAction) -> Result<SetState> {
        let request = Request::TensorSet { name: self.name.clone(), action };
        match request.send(self.context.services) {
            Err(error) if error.message() == unknown_operation("tensor-set").message() => {
                let error = Error::new("this host is too old to keep tensor sets");
                Err(error.help("use a host with thaw-plugin-api 1.3 or newer"))
            }
            answer => Ok(serde_json::from_value(answer?)?),
        }
    }

    /// How many tensors are in it; 0 where nothing has made the set yet, and in a plan.
    ///
    /// # Errors
    /// The host's.
    pub fn len(&mut self) -> Result<usize> {
        Ok(self.ask(SetAction::Describe)?.tensors)
    }

    /// Whether nothing has made the set yet, or somebody dropped it.
    ///
    /// # Errors
    /// The host's.
    pub fn is_empty(&mut self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// How many values of the model were taken into it since it was made: 1 after
    /// [`Self::copy_from_model`], one more after each update.
    ///
    /// # Errors
    /// The host's.
    pub fn count(&mut self) -> Result<u64> {
        Ok(self.ask(SetAction::Describe)?.count)
    }

    /// Makes the set, or makes it anew, of the model's present values.
    ///
    /// # Errors
    /// A pattern that fits nothing, or a set is swapped in.
    pub fn copy_from_model(&mut self, contents: &SetContents) -> Result<()> {
        // Which parameters train may have changed in this hook.
        self.context.apply()?;
        self.ask(SetAction::CopyFromModel { contents: contents.clone() }).map(drop)
    }

    /// Moves each tensor by a share of the way to the model's: `set += weight * (model - set)`. With `weight
    /// = 1 - decay` that is a step of an exponential moving average.
    ///
    /// # Errors
    /// There is no such set, a weight outside 0 to 1, or a set is swapped in.
    pub fn lerp_to_model(&mut self, weight: f64) -> Result<()> {
        self.ask(SetAction::LerpToModel { weight }).map(drop)
    }

    /// Takes the model's values into the mean of those before, each with the same weight: `set += (model -
    /// set) / (count + 1)`.
    ///
    /// # Errors
    /// There is no such set, or a set is swapped in.
    pub fn update_mean(&mut self) -> Result<()> {
        self.ask(SetAction::UpdateMean).map(drop)
    }

    /// Puts the set's values into the model; the host keeps the model's own until [`Self::swap_out`]. A
    /// second call changes nothing. A run that trains on meanwhile ends with an error; checkpoints that are
    /// written meanwhile are the same as without.
    ///
    /// # Errors
    /// There is no such set, or another one is swapped in.
    pub fn swap_in(&mut self) -> Result<()> {
        self.ask(SetAction::SwapIn).map(drop)
    }

    /// Puts the model's own values back; changes nothing where the set is not swapped in.
    ///
    /// # Errors
    /// There is no such set.
    pub fn swap_out(&mut self) -> Result<()> {
        self.ask(SetAction::SwapOut).map(drop)
    }

    /// Puts the set's values into the model for good: the model's own are lost. The set stays.
    ///
    /// # Errors
    /// There is no such set, or another one is swapped in.
    pub fn load_into_model(&mut self) -> Result<()> {
        self.ask(SetAction::LoadIntoModel).map(drop)
    }

    /// Whether checkpoints from here on have the set's values as the model's weights, for whoever validates,
    /// predicts, exports or starts from them. The weights that train are in the checkpoint, too, and a
    /// resumed run goes on with those. One set of a run can be so.
    ///
    /// # Errors
    /// There is no such set, or another one is saved as weights.
    pub fn save_as_weights(&mut self, on: bool) -> Result<()> {
        self.ask(SetAction::SaveAsWeights { on }).map(drop)
    }

    /// The norm of the difference between set and model, over all tensors. Waits for the device.
    ///
    /// # Errors
    /// There is no such set.
    pub fn distance_to_model(&mut self) -> Result<f64> {
        Ok(self.ask(SetAction::Distance)?.distance.unwrap_or(f64::NAN))
    }

    /// Drops the set; one that is swapped in goes out of the model first.
    ///
    /// # Errors
    /// The host's.
    pub fn clear(&mut self) -> Result<()> {
        self.ask(SetAction::Clear).map(drop)
    }
}
