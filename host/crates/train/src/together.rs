//! A run in several processes: from the launcher's variables and the run config to a [`World`], and what
//! becomes of a run in it that fails.

use std::time::Duration;

use tch::{Cuda, Device};
use thaw_plugin_api::config::ConfigError as KeyError;

use crate::Error;
use crate::config::{Backend, ConfigError, GradientCompression, RunConfig, Strategy};
use crate::world::{Cause, Failed, Launch, LaunchError, Terms, World, WorldError, find_launch};
use thaw_torch::distributed::Wire;

/// Which process of several this is, where the run config lets a launcher start several. Nobody is waited for
/// yet.
///
/// # Errors
/// The launcher's variables are missing or make no sense, or the run config asks for what there is not.
pub fn launch_of(config: &RunConfig) -> Result<Option<Launch>, Error> {
    let trainer = &config.trainer;
    if trainer.backend == Backend::Nccl {
        let expected = "\"auto\" or \"gloo\", which copies the gradients of a GPU over the CPU: this version \
                        of the program has no NCCL";
        let error = KeyError::value("trainer.backend", "\"nccl\"", expected);
        return Err(ConfigError::Key { path: config.path.clone(), error }.into());
    }
    if trainer.sync_batchnorm {
        let expected = "false: PyTorch's SyncBatchNorm computes on GPUs alone, over NCCL, which this version \
                        of the program does not have. Each process trains batch norms with its own share of \
                        a batch; a larger data.batch_size, or a strategy's frozen_bn = \"eval\", makes that \
                        matter less";
        let error = KeyError::value("trainer.sync_batchnorm", "true", expected);
        return Err(ConfigError::Key { path: config.path.clone(), error }.into());
    }
    let variable = |name: &str| std::env::var(name).ok();
    match trainer.strategy {
        Strategy::Single => Ok(None),
        Strategy::Auto => Ok(find_launch(variable).map_err(WorldError::from)?),
        Strategy::Ddp => {
            let launch = find_launch(variable).map_err(WorldError::from)?;
            launch.map(Some).ok_or_else(|| WorldError::from(LaunchError::None).into())
        }
    }
}

/// The device of a process, of which `device` was chosen as for one that is alone: where the run config names
/// no GPU, each process of a machine has its own.
///
/// # Errors
/// The machine has fewer GPUs than processes.
pub fn own_device(config: &RunConfig, launch: Option<&Launch>, device: Device) -> Result<Device, Error> {
    let is_open = ["auto", "cuda"].contains(&config.trainer.device.as_str()) && device.is_cuda();
    let Some(launch) = launch.filter(|launch| is_open && launch.world_size > 1) else { return Ok(device) };
    let gpus = usize::try_from(Cuda::device_count()).unwrap_or(0);
    let processes = launch.local_world_size.unwrap_or(launch.local_rank + 1);
    if launch.local_rank < gpus && processes <= gpus {
        return Ok(Device::Cuda(launch.local_rank));
    }
    Err(WorldError::from(LaunchError::Gpus { gpus, processes }).into())
}

/// Meets the other processes.
///
/// # Errors
/// They did not come.
pub fn join(config: &RunConfig, launch: Option<Launch>) -> Result<World, Error> {
    let Some(launch) = launch else { return Ok(World::single()) };
    let trainer = &config.trainer;
    let terms = Terms {
        timeout: Duration::from_secs(trainer.timeout),
        bucket_bytes: trainer.bucket_mib.saturating_mul(1 << 20),
        wire: match trainer.gradient_compression {
            GradientCompression::None => Wire::Exact,
            GradientCompression::Bf16 => Wire::Bf16,
            GradientCompression::Fp16 => Wire::Fp16,
        },
    };
    let world = World::open(launch, terms)?;
    match world.meet() {
        Ok(()) => Ok(world),
        Err(error) => Err(ended(&world, error.into())),
    }
}

/// Tells the others of a launch, who may wait for this process already, that it has failed on its way to
/// them. Gives what the first process has said for this one, where it has.
pub fn fail_before_meeting(launch: Launch, message: String, code: u8) -> Option<Error> {
    // Nobody is there to hear of it.
    let world = World::open_to_tell(launch).ok()?;
    world.tell_failure(&Failed { message: message.clone(), code });
    let told = world.leave(None, true);
    told.then(|| WorldError::Told { message, code, cause: Cause::Own }.into())
}

/// Does this process' part of a run. Where it fails the others are told, and the first process says so for
/// all.
///
/// # Errors
/// What ended the run; in another process than the first, [`WorldError::Told`] where that has said why.
pub fn run<T>(world: &World, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let panicking = Panicking(world);
    let result = body();
    drop(panicking);
    match result {
        Err(error) if !matches!(error, Error::Interrupted) => Err(ended(world, error)),
        result => {
            world.leave(None, false);
            result
        }
    }
}

/// What a process whose run has failed says; the others hear of a failure of its own.
fn ended(world: &World, error: Error) -> Error {
    let (message, code) = (error.to_string(), error.exit_code());
    let of_all = match &error {
        Error::World(error) => Some(error),
        _ => None,
    };
    let cause = of_all.map_or(Cause::Own, WorldError::cause);
    if cause == Cause::Own {
        world.tell_failure(&Failed { message: message.clone(), code });
    }
    if world.leave(of_all, true) { WorldError::Told { message, code, cause }.into() } else { error }
}

/// Tells the others of a panic.
struct Panicking<'w>(&'w World);

impl Drop for Panicking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.tell_failure(&Failed {
                message: "it panicked, which is a fault of the program".to_owned(),
                code: 101,
            });
        }
    }
}
