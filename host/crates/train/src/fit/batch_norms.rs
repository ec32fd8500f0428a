//! Statistics of batch norms, made anew from the training data.

use tch::{Kind, TchError, Tensor};

use super::arrival::to_device;
use super::{Fit, RunState};
use crate::Error;
use crate::error::torch;
use crate::model::Phase;
use crate::random::RandomStates;
use thaw_data::Split;
use thaw_torch::Autocast;

/// What stands in a mean while a batch passes, for its share to be seen that the batch leaves there.
const MARK: f64 = 4096.0;

/// A share that nothing was taken from, or that rounding made.
const NONE: f64 = 1e-6;

/// A batch norm's statistics: those in the model, and what batches gave until now.
struct Norm {
    path: String,
    mean: Tensor,
    var: Tensor,
    /// How many batches it has seen; none where its module does not count them.
    tracked: Option<Tensor>,
    /// Mean and variance before.
    before: (Tensor, Tensor),
    sums: Option<(Tensor, Tensor)>,
    calls: i64,
    /// Which share of its statistics a batch replaces: PyTorch's `momentum`.
    share: f64,
}

impl Norm {
    fn of(state: &RunState, path: &str) -> Result<Option<Self>, TchError> {
        let tensor = |name: &str| {
            let tensor = state.trained.model.tensor(&format!("{path}.{name}")).ok()?;
            Some(tensor.shallow_clone())
        };
        let (Some(mean), Some(var)) = (tensor("running_mean"), tensor("running_var")) else {
            return Ok(None);
        };
        let before = (mean.f_detach_copy()?, var.f_detach_copy()?);
        let (path, tracked) = (path.to_owned(), tensor("num_batches_tracked"));
        Ok(Some(Self { path, mean, var, tracked, before, sums: None, calls: 0, share: 0.0 }))
    }

    /// What is there when a batch comes.
    fn clear(&mut self, mean: f64) -> Result<(), TchError> {
        let _ = self.mean.f_fill_(mean)?;
        let _ = self.var.f_zero_()?;
        if let Some(tracked) = &mut self.tracked {
            let _ = tracked.f_zero_()?;
        }
        Ok(())
    }

    /// Looks at what a batch has made of [`MARK`], and of nothing (`plain`).
    fn see_share(&mut self, plain: &Tensor) -> Result<(), TchError> {
        let left = (self.mean.f_to_kind(Kind::Double)? - plain).f_mean(Kind::Double)?.f_double_value(&[])?;
        self.share = rounded(1.0 - left / MARK);
        Ok(())
    }

    /// Takes in what a batch has given.
    fn add(&mut self) -> Result<(), TchError> {
        let (mean, var) = (self.mean.f_to_kind(Kind::Double)?, self.var.f_to_kind(Kind::Double)?);
        self.sums = Some(match self.sums.take() {
            Some((means, vars)) => (means.f_add(&mean)?, vars.f_add(&var)?),
            None => (mean, var),
        });
        self.calls += self.tracked.as_ref().map_or(Ok(1), |tracked| tracked.f_int64_value(&[]))?;
        Ok(())
    }

    /// Bits of what the batches of this process gave, summed: means, then variances.
    fn given(&self) -> Result<Vec<u64>, TchError> {
        let Some((means, vars)) = self.sums.as_ref().filter(|_| self.share > NONE) else {
            return Ok(Vec::new());
        };
        let both = Tensor::f_cat(&[means.f_flatten(0, -1)?, vars.f_flatten(0, -1)?], 0)?;
        let both = Vec::<f64>::try_from(both.f_to_device(tch::Device::Cpu)?)?;
        Ok(both.into_iter().map(|number| (number / self.share).to_bits()).collect())
    }

    /// Puts the mean of so many batches into the model, or what was there before where there is none.
    fn put(&mut self, sums: &[f64], batches: f64) -> Result<(), TchError> {
        let channels = self.mean.numel();
        if sums.len() != 2 * channels || batches == 0.0 {
            self.mean.f_copy_(&self.before.0)?;
            self.var.f_copy_(&self.before.1)?;
            return Ok(());
        }
        let means: Vec<f64> = sums.iter().map(|sum| sum / batches).collect();
        for (statistic, means) in [(&mut self.mean, &means[..channels]), (&mut self.var, &means[channels..])]
        {
            statistic.f_copy_(&Tensor::f_from_slice(means)?.f_view_as(&*statistic)?)?;
        }
        if let Some(tracked) = &mut self.tracked {
            let _ = tracked.f_fill_(self.calls)?;
        }
        Ok(())
    }
}

/// Without what float32 added: momenta are written with few digits.
fn rounded(share: f64) -> f64 {
    let short = (share * 1e5).round() / 1e5;
    if (short - share).abs() < 3e-7 { short } else { share }
}

impl Fit {
    /// Where a hook asked for it, passes the training data once through the model in training mode, without a
    /// step, so that each batch norm which training updates has the mean of what the batches give: PyTorch's
    /// `update_bn`. Random numbers are afterwards as before. Of several processes each has its share of every
    /// batch, and all have the mean over all shares.
    ///
    /// # Errors
    /// The data or the model fails, or the user ends the run.
    pub(super) fn update_batch_norms(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.state.requests.norms) {
            return Ok(());
        }
        let _guard = tch::no_grad_guard();
        let mut norms = self.state.tracking_norms().map_err(failed)?;
        if norms.is_empty() {
            return Ok(());
        }
        tracing::info!("a pass over the training data for the statistics of {} batch norms", norms.len());
        let states = RandomStates::of(self.state.trained.model.device())?;
        self.state.trained.model.set_phase(Phase::Train);
        let batches = self.pass_training_data(&mut norms)?;
        states.put_back()?;
        let given = norms.iter().map(Norm::given).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let all = self.state.world.exchange("statistics of batch norms", (batches, given))?;
        for (index, norm) in norms.iter_mut().enumerate() {
            let (sums, count) = sum_of(all.iter().map(|(batches, given)| (*batches, &given[index])));
            norm.put(&sums, count as f64).map_err(failed)?;
            if count == 0 {
                self.state.warnings.warn(format_args!(
                    "batch norm `{}` keeps its statistics: no batch changes them (its momentum is 0, or the \
                     model does not call it)",
                    norm.path
                ));
            }
        }
        Ok(())
    }

    /// Gives how many batches this process had a share of.
    fn pass_training_data(&mut self, norms: &mut [Norm]) -> Result<usize, Error> {
        let epoch = self.state.progress().epoch as u64;
        let mut batches = 0;
        for batch in self.state.data.loader(Split::Train, epoch, 0)?.into_iter().flatten() {
            if self.state.world.is_single() && self.is_interrupted() {
                return Err(self.interrupted());
            }
            let batch = batch?;
            if batch.is_empty() {
                continue;
            }
            let (batch, samples) = to_device(batch, self.state.trained.model.device())?;
            if batches == 0 {
                self.see_shares(norms, &batch, samples)?;
            }
            self.pass(norms, 0.0, &batch, samples)?;
            norms.iter_mut().try_for_each(Norm::add).map_err(failed)?;
            batches += 1;
        }
        Ok(batches)
    }

    /// Two passes of one batch with the same random numbers.
    fn see_shares(
        &mut self,
        norms: &mut [Norm],
        batch: &thaw_plugin_api::model::Batch,
        samples: usize,
    ) -> Result<(), Error> {
        let states = RandomStates::of(self.state.trained.model.device())?;
        self.pass(norms, 0.0, batch, samples)?;
        let plain = norms.iter().map(|norm| norm.mean.f_to_dtype(Kind::Double, false, true));
        let plain: Vec<Tensor> = plain.collect::<Result<_, _>>().map_err(failed)?;
        states.put_back()?;
        self.pass(norms, MARK, batch, samples)?;
        states.put_back()?;
        let mut pairs = norms.iter_mut().zip(&plain);
        pairs.try_for_each(|(norm, plain)| norm.see_share(plain)).map_err(failed)
    }

    fn pass(
        &mut self,
        norms: &mut [Norm],
        mean: f64,
        batch: &thaw_plugin_api::model::Batch,
        samples: usize,
    ) -> Result<(), Error> {
        norms.iter_mut().try_for_each(|norm| norm.clear(mean)).map_err(failed)?;
        let state = &mut self.state;
        let _autocast = Autocast::of(state.config.trainer.precision, state.trained.model.device())?;
        let step = state.trained.model.step(batch);
        step.map(drop).map_err(|error| state.explain_memory(error.into(), samples))
    }
}

impl RunState {
    /// Batch norms whose statistics training updates.
    fn tracking_norms(&self) -> Result<Vec<Norm>, TchError> {
        let modules = self.trained.model.tree().modules().iter();
        let tracking = modules.filter(|module| module.training && module.track_running_stats == Some(true));
        tracking.filter_map(|module| Norm::of(self, &module.path).transpose()).collect()
    }
}

fn failed(error: TchError) -> Error {
    torch("the statistics of batch norms")(error).into()
}

/// The sum of what processes gave, and of how many batches; those that gave nothing do not count.
fn sum_of<'g>(given: impl Iterator<Item = (usize, &'g Vec<u64>)>) -> (Vec<f64>, usize) {
    let mut sums = Vec::new();
    let mut count = 0;
    for (batches, bits) in given.filter(|(_, bits)| !bits.is_empty()) {
        sums.resize(bits.len(), 0.0);
        sums.iter_mut().zip(bits).for_each(|(sum, bits)| *sum += f64::from_bits(*bits));
        count += batches;
    }
    (sums, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn momenta_are_what_was_written() {
        for (seen, share) in
            [(0.1 + 5e-8, 0.1), (1.0 - 1e-8, 1.0), (1e-4 - 2e-8, 1e-4), (1.0 / 3.0, 1.0 / 3.0)]
        {
            assert_eq!(rounded(seen), share);
        }
    }

    #[test]
    fn a_process_without_batches_does_not_count() {
        let bits = |numbers: [f64; 2]| numbers.map(f64::to_bits).to_vec();
        let (one, none, other) = (bits([1.0, 2.0]), Vec::new(), bits([5.0, 6.0]));
        assert_eq!(sum_of([(2, &one), (3, &none), (1, &other)].into_iter()), (vec![6.0, 8.0], 3));
    }
}
