//! What belongs to the process and not to a plugin: its output, threads, memory, and libtorch's state of the
//! thread.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use tch::{Device, Kind as Dtype, Tensor};
use thaw_plugin_api::abi::Kind;

use super::{Body, Check, Outcome, Subject, Verdict};
use thaw_torch::random::get_state;

pub(super) const CHECKS: &[Check] = &[
    Check::new(STDOUT, "nothing is printed to standard output", Body::Item(stdout)).after("builds"),
    Check::new("threads-clean", "no thread is left when the id is dropped", Body::Item(threads))
        .after("builds"),
    Check::new(
        "torch-state",
        "grad mode, autocast and random numbers are left as they were",
        Body::Item(torch_state),
    )
    .after("builds"),
    Check::new("memory-flat", "memory does not grow over 2,000 steps", Body::Item(memory)).after("builds"),
];

/// The check whose output is looked at from outside.
pub(super) const STDOUT: &str = "stdout-clean";

const STEPS: usize = 2000;
/// Steps before memory is looked at.
const WARM_UP: usize = 50;
/// The fewest that tell a leak from what an allocator keeps.
const FEW: usize = 20;
/// What grows in each of them is no allocator's warm-up.
const ROUNDS: usize = 2;
/// Growth that fragmentation and the records of the check's own run explain.
const GROWTH: u64 = 8 << 20;
/// How long a thread may take to end after whoever owns it is gone.
const THREAD_GRACE: Duration = Duration::from_secs(1);

/// Runs an id for so many steps, or as many as there is time for, and gives how many, as often as it is
/// called.
fn exercise(subject: &Subject) -> Result<Box<dyn FnMut(usize) -> Result<usize, Outcome> + '_>, Outcome> {
    Ok(match subject.item().kind {
        Kind::Model => Box::new(super::model::exercise(subject)?),
        Kind::Dataset => Box::new(|samples| super::dataset::exercise(subject, samples).map(|()| samples)),
        Kind::Strategy | Kind::Callback => {
            Box::new(|steps| super::run::exercise(subject, steps).map(|()| steps))
        }
    })
}

/// Runs an id as long as it takes to show what it leaves behind, and drops it.
fn exercise_briefly(subject: &Subject) -> Result<(), Outcome> {
    let steps = if subject.item().kind == Kind::Model { 5 } else { 20 };
    exercise(subject)?(steps).map(drop)
}

fn stdout(subject: &mut Subject) -> Verdict {
    exercise_briefly(subject)?;
    Ok(Outcome::passed())
}

/// What is made of output that there should not be.
pub(super) fn printed(text: &str) -> Outcome {
    const SHOWN: usize = 80;
    let start: String = text.chars().take(SHOWN).collect();
    let more = if text.chars().count() > SHOWN { " …" } else { "" };
    let hint = "say it with `tracing::info!`; standard output belongs to the program's results";
    Outcome::failed(format!("{} bytes: {:?}{more}", text.len(), start), "nothing on standard output", hint)
}

/// The threads of this process, by number.
pub(super) struct Threads(Option<BTreeMap<String, String>>);

impl Threads {
    pub fn now() -> Self {
        let entries = fs::read_dir("/proc/self/task").ok();
        let name = |number: &str| {
            fs::read_to_string(format!("/proc/self/task/{number}/comm")).unwrap_or_default().trim().to_owned()
        };
        let threads = entries
            .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()));
        Self(threads.map(|numbers| numbers.map(|number| (number.clone(), name(&number))).collect()))
    }

    /// Names of those that were started since; `None` where there are none, or where this system does not
    /// say.
    pub fn more(&self) -> Option<String> {
        let (before, now) = (self.0.as_ref()?, Self::now().0?);
        let more: Vec<String> = now
            .into_iter()
            .filter(|(number, _)| !before.contains_key(number))
            .map(|(_, name)| name)
            .collect();
        (!more.is_empty()).then(|| more.join(", "))
    }
}

/// libtorch's own threads, so that they are not taken for the plugin's.
fn warm_libtorch_up() -> Result<(), tch::TchError> {
    let weight = Tensor::f_ones([32, 32], (Dtype::Float, Device::Cpu))?.f_set_requires_grad(true)?;
    weight.f_matmul(&weight)?.f_sum(Dtype::Float)?.f_backward()
}

fn threads(subject: &mut Subject) -> Verdict {
    warm_libtorch_up().map_err(|error| Outcome::skipped(error.to_string()))?;
    let before = Threads::now();
    if before.0.is_none() {
        return Err(Outcome::skipped("this system does not list the threads of a process"));
    }
    exercise_briefly(subject)?;
    let deadline = Instant::now() + THREAD_GRACE;
    while let Some(left) = before.more() {
        if Instant::now() > deadline {
            let hint = "end and join threads in `teardown` and in `Drop`: runs that follow share the process \
                        with them";
            return Err(Outcome::failed(format!("threads left: {left}"), "none", hint));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Outcome::passed())
}

/// libtorch's state of this thread, as far as results depend on it.
#[derive(PartialEq)]
struct TorchState {
    grad: bool,
    product: Dtype,
    random: Tensor,
}

impl TorchState {
    fn now() -> Result<Self, Outcome> {
        let skipped = |error: String| Outcome::skipped(error);
        let weight = Tensor::f_ones([2, 2], (Dtype::Float, Device::Cpu))
            .and_then(|ones| ones.f_set_requires_grad(true));
        let product =
            weight.and_then(|weight| weight.f_matmul(&weight)).map_err(|error| skipped(error.to_string()))?;
        let random = get_state(Device::Cpu).map_err(|error| skipped(error.to_string()))?;
        Ok(Self { grad: product.requires_grad(), product: product.kind(), random })
    }

    fn changes(&self, before: &Self, may_draw: bool) -> Vec<&'static str> {
        let mut changes = Vec::new();
        if self.grad != before.grad {
            changes.push("the grad mode");
        }
        if self.product != before.product {
            changes.push("autocast");
        }
        if self.random != before.random && !may_draw {
            changes.push("the default random generator");
        }
        changes
    }
}

fn torch_state(subject: &mut Subject) -> Verdict {
    let is_model = subject.item().kind == Kind::Model;
    let before = TorchState::now()?;
    exercise_briefly(subject)?;
    // A model draws its initial values and its dropout: what it draws in evaluation is another check's.
    let changes = TorchState::now()?.changes(&before, is_model);
    if changes.is_empty() {
        return Ok(Outcome::passed());
    }
    let hint = "hold a guard (`tch::no_grad_guard`, `tch::no_grad(|| …)`) no longer than a hook; draw from a \
                generator of your own";
    Err(Outcome::failed(format!("changed: {}", changes.join(", ")), "all as before", hint))
}

/// Resident memory of this process in bytes.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?;
    Some(kib << 10)
}

fn memory(subject: &mut Subject) -> Verdict {
    let none = || Outcome::skipped("this system does not tell the memory of a process");
    let mut exercise = exercise(subject)?;
    // Once around, so that everything that is made once is there.
    exercise(WARM_UP)?;
    let (mut steps, mut growth) = (0, 0);
    for _ in 0..ROUNDS {
        let before = resident().ok_or_else(none)?;
        steps = exercise(STEPS)?;
        growth = resident().ok_or_else(none)?.saturating_sub(before);
        if steps < FEW {
            return Err(Outcome::skipped(format!(
                "time for {steps} steps only: too few to tell a leak from what an allocator keeps"
            )));
        }
        if growth <= GROWTH {
            let told = GROWTH / (steps as u64 * 1024);
            let fewer = format!(
                " in {} s, each of them less than {told} KiB",
                super::model::TIME_FOR_STEPS.as_secs()
            );
            return Ok(Outcome::noted(format!(
                "{steps} steps{}",
                if steps < STEPS { fewer } else { String::new() }
            )));
        }
    }
    let found = format!(
        "{:.1} MiB more after {steps} steps, {} bytes a step",
        growth as f64 / (1 << 20) as f64,
        growth / steps as u64
    );
    let hint = "something is kept at each step: a list that grows, a tensor with its graph (`detach` it), \
                `mem::forget`";
    Err(Outcome::failed(found, format!("less than {} MiB", GROWTH >> 20), hint))
}

/// Bytes that this process read and wrote by calls to the system.
pub(super) struct Moved {
    pub read: u64,
    pub written: u64,
}

/// As far as it is told; the telling itself is a few hundred bytes.
pub(super) fn bytes_moved() -> Option<Moved> {
    let text = fs::read_to_string("/proc/self/io").ok()?;
    let number = |name: &str| text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok();
    Some(Moved { read: number("rchar:")?, written: number("wchar:")? })
}

/// How long this thread could have run and another one did; nothing where this system does not say.
pub(super) fn time_waited() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace()
        .nth(1)
        .and_then(|nanoseconds| nanoseconds.parse().ok())
        .map_or(Duration::ZERO, Duration::from_nanos)
}

/// Whether the driver of a GPU is mapped into this process.
pub(super) fn has_opened_cuda() -> bool {
    fs::read_to_string("/proc/self/maps")
        .is_ok_and(|maps| maps.lines().any(|line| line.contains("/libcuda.so")))
}
