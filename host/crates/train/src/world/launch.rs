//! What a launcher's environment variables say of this process: torchrun's, else Slurm's.

/// Which process this is, and where it meets the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Which of all processes, from 0.
    pub rank: usize,
    /// How many there are.
    pub world_size: usize,
    /// Which of this machine's, from 0: its GPU.
    pub local_rank: usize,
    /// How many this machine has, where the launcher says so.
    pub local_world_size: Option<usize>,
    /// The machine where they meet.
    pub master_addr: String,
    /// Its port.
    pub master_port: u16,
    /// Whether the launcher hosts the store itself.
    pub has_agent_store: bool,
    /// How often the launcher has started all of them anew: its store outlives them.
    pub restarts: usize,
}

/// Why the launcher's variables do not say which process this is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LaunchError {
    /// Some of them are there.
    #[error(
        "{} set, but not {}: a process of several needs RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Start \
         with `torchrun --no-python --nproc-per-node=N host fit …`, which sets all, or with trainer.strategy \
         = \"single\" to train alone",
        are(found), missing.join(", ")
    )]
    Missing {
        /// Those that are set.
        found: Vec<&'static str>,
        /// Those that are not.
        missing: Vec<&'static str>,
    },
    /// One is not what it should be.
    #[error("{name}={value} in the environment: expected {expected}")]
    Value {
        /// The variable.
        name: String,
        /// What it is.
        value: String,
        /// What it should be.
        expected: String,
    },
    /// Kubeflow's alone.
    #[error(
        "{0} is set, which is meant for torchrun, and RANK and WORLD_SIZE are not: have the container run \
         `torchrun --no-python host fit …`, which reads it"
    )]
    Kubeflow(String),
    /// Processes would share a GPU.
    #[error(
        "{processes} processes on a machine with {gpus} GPUs: start as many as there are \
         (--nproc-per-node={gpus}), train on the CPU (trainer.device = \"cpu\"), or name the GPU that they \
         are to share, such as \"cuda:0\""
    )]
    Gpus {
        /// GPUs of the machine.
        gpus: usize,
        /// Its processes.
        processes: usize,
    },
    /// `strategy = "ddp"` without a launcher.
    #[error(
        "trainer.strategy = \"ddp\" needs a launcher, and none of its variables is set: start with \
         `torchrun --no-python --nproc-per-node=N host fit …`, or under srun; with \"auto\" a process \
         without one trains alone"
    )]
    None,
}

fn are(names: &[&str]) -> String {
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

/// The variables that torchrun sets and others have taken over.
const NAMES: [&str; 4] = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"];

/// Looks for a launcher; none where this process was started by itself. `get` gives an environment variable.
///
/// # Errors
/// Variables are missing, or make no sense.
pub fn find_launch(get: impl Fn(&str) -> Option<String>) -> Result<Option<Launch>, LaunchError> {
    let get = |name: &str| get(name).filter(|value| !value.is_empty());
    let is_there = |name: &&'static str| get(name).is_some();
    // The place to meet is often set for a whole job, and processes come from Slurm.
    if ["RANK", "WORLD_SIZE"].iter().any(is_there) {
        let (found, missing): (Vec<_>, Vec<_>) = NAMES.iter().partition(|name| is_there(name));
        if !missing.is_empty() {
            return Err(LaunchError::Missing { found, missing });
        }
        return torchrun(&get).map(Some);
    }
    if let Some(name) =
        ["PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR"].into_iter().find(is_there)
    {
        return Err(LaunchError::Kubeflow(name.to_owned()));
    }
    slurm(&get)
}

fn torchrun(get: &impl Fn(&str) -> Option<String>) -> Result<Launch, LaunchError> {
    let launch = Launch {
        rank: number(get, "RANK")?.unwrap_or(0),
        world_size: number(get, "WORLD_SIZE")?.unwrap_or(1),
        // Launchers that give each process a machine of its own do not count on it.
        local_rank: number(get, "LOCAL_RANK")?.unwrap_or(0),
        local_world_size: number(get, "LOCAL_WORLD_SIZE")?,
        master_addr: get("MASTER_ADDR").unwrap_or_default(),
        master_port: port(get)?.unwrap_or(0),
        has_agent_store: get("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|value| value == "True"),
        restarts: number(get, "TORCHELASTIC_RESTART_COUNT")?.unwrap_or(0),
    };
    checked(launch, "RANK")
}

/// Tasks of a job step. A batch script itself, and a shell that waits for its allocation, are no tasks.
fn slurm(get: &impl Fn(&str) -> Option<String>) -> Result<Option<Launch>, LaunchError> {
    let (Some(rank), Some(tasks)) = (number(get, "SLURM_PROCID")?, number(get, "SLURM_NTASKS")?) else {
        return Ok(None);
    };
    let tasks = number(get, "SLURM_STEP_NUM_TASKS")?.unwrap_or(tasks);
    let is_step = ["SLURM_STEP_ID", "SLURM_STEPID"].iter().any(|name| get(name).is_some());
    if tasks == 1 || (get("SLURM_JOB_ID").is_some() && !is_step) {
        return Ok(None);
    }
    let machines =
        get("SLURM_STEP_NODELIST").or_else(|| get("SLURM_JOB_NODELIST")).or_else(|| get("SLURM_NODELIST"));
    let launch_node = || get("SLURM_LAUNCH_NODE_IPADDR");
    let master = get("MASTER_ADDR").or_else(|| machines.as_deref().map(first_machine)).or_else(launch_node);
    let Some(master_addr) = master else {
        return Err(LaunchError::Missing {
            found: vec!["SLURM_PROCID", "SLURM_NTASKS"],
            missing: vec!["MASTER_ADDR"],
        });
    };
    let job = number(get, "SLURM_JOB_ID")?.unwrap_or(0);
    let of_job = 15_000 + u16::try_from(job % 10_000).unwrap_or(0);
    let launch = Launch {
        rank,
        world_size: tasks,
        local_rank: number(get, "SLURM_LOCALID")?.unwrap_or(0),
        local_world_size: None,
        master_addr,
        // As Lightning, so that two jobs on a machine do not meet each other.
        master_port: port(get)?.unwrap_or(of_job),
        has_agent_store: false,
        restarts: 0,
    };
    checked(launch, "SLURM_PROCID").map(Some)
}

fn checked(launch: Launch, name: &str) -> Result<Launch, LaunchError> {
    if launch.rank < launch.world_size {
        return Ok(launch);
    }
    let expected = format!("a number below that of the processes, {}", launch.world_size);
    Err(LaunchError::Value { name: name.to_owned(), value: launch.rank.to_string(), expected })
}

fn number(get: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<usize>, LaunchError> {
    let wrong = |value: String| LaunchError::Value {
        name: name.to_owned(),
        value,
        expected: "a whole number".to_owned(),
    };
    get(name).map(|value| value.trim().parse().map_err(|_| wrong(value))).transpose()
}

fn port(get: &impl Fn(&str) -> Option<String>) -> Result<Option<u16>, LaunchError> {
    let name = "MASTER_PORT";
    let wrong = |value: String| LaunchError::Value {
        name: name.to_owned(),
        value,
        expected: "a port from 1 to 65535".to_owned(),
    };
    let Some(value) = get(name) else { return Ok(None) };
    let port = value.trim().parse().ok().filter(|port| *port > 0);
    port.map(Some).ok_or_else(|| wrong(value))
}

/// The first of Slurm's list: `node[03-05,9],other` begins with `node03`.
fn first_machine(list: &str) -> String {
    let end = list.find(',').unwrap_or(list.len());
    match list.find('[').filter(|bracket| *bracket < end) {
        None => list[..end].to_owned(),
        Some(bracket) => {
            let numbers = &list[bracket + 1..];
            let number = numbers.split([',', '-', ']']).next().unwrap_or_default();
            format!("{}{number}", &list[..bracket])
        }
    }
}

impl Launch {
    /// Whether this process hosts the store.
    pub fn hosts_store(&self) -> bool {
        self.rank == 0 && !self.has_agent_store
    }

    /// Whether no process is on another machine.
    pub fn is_one_machine(&self) -> bool {
        let is_local = ["localhost", "127.0.0.1", "::1"].contains(&self.master_addr.as_str());
        is_local || self.local_world_size == Some(self.world_size)
    }

    /// What keys in the launcher's store begin with. What processes said that were started before is not of
    /// these, as PyTorch's own `worker/attempt_N`.
    pub(super) fn prefix(&self) -> String {
        format!("thaw/{}", self.restarts)
    }

    /// Where the processes meet, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.master_addr, self.master_port)
    }
}

#[cfg(test)]
mod tests;
