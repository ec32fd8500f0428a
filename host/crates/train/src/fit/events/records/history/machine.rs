//! The machine that a run is on.

use std::fs;

use serde_json::{Map, Value, json};
use tch::Device;

/// What is known of the machine.
pub(super) struct Machine {
    cpu: Option<String>,
    memory: Option<u64>,
}

impl Machine {
    /// This one. What the system does not say is left out.
    pub(super) fn here() -> Self {
        Self {
            cpu: line_of("/proc/cpuinfo", "model name"),
            memory: line_of("/proc/meminfo", "MemTotal").as_deref().and_then(kibibytes),
        }
    }

    pub(super) fn json(&self) -> Value {
        let cores = std::thread::available_parallelism().ok().map(usize::from);
        json!({
            "system": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
            "cpu": self.cpu,
            "cores": cores,
            "threads": tch::get_num_threads(),
            "memory": self.memory,
        })
    }

    /// Bytes that this process holds now, `memory`, and of a GPU's the most that its tensors took,
    /// `gpu_memory`. Nothing where nobody says.
    pub(super) fn memory(device: Device) -> Map<String, Value> {
        let mut values = Map::new();
        if let Some(bytes) = line_of("/proc/self/status", "VmRSS").as_deref().and_then(kibibytes) {
            values.insert("memory".to_owned(), json!(bytes));
        }
        match thaw_torch::memory::of(device) {
            Ok(Some(memory)) => drop(values.insert("gpu_memory".to_owned(), json!(memory.peak))),
            Ok(None) => {}
            Err(error) => tracing::debug!("{error}"),
        }
        values
    }
}

/// What stands after `key:` in a file of the system's.
fn line_of(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let value = |line: &str| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    };
    text.lines().find_map(value)
}

/// `16384 kB` in bytes.
fn kibibytes(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_the_system_are_read_in_bytes() {
        assert_eq!(kibibytes("16384 kB"), Some(16 << 20));
        assert_eq!(kibibytes("16384"), None);
    }
}
