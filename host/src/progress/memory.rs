//! What the process holds.

use std::time::{Duration, Instant};

use tch::Device;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Memory of the process, and of a GPU; looked at now and then.
pub(super) struct Memory {
    device: Device,
    text: String,
    looked: Option<Instant>,
}

impl Memory {
    /// Of a run on this device.
    pub(super) fn of(device: Device) -> Self {
        Self { device, text: String::new(), looked: None }
    }

    /// In words: `1.2 GiB`, with what tensors on a GPU take. Empty where the system does not say.
    pub(super) fn text(&mut self) -> &str {
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            self.looked = Some(Instant::now());
            let gpu = thaw_torch::memory::of(self.device).ok().flatten().map(|memory| memory.now);
            let parts = [resident().map(size), gpu.map(|bytes| format!("GPU {}", size(bytes)))];
            self.text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        }
        &self.text
    }
}

fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes in words.
fn size(bytes: u64) -> String {
    match bytes as f64 / f64::from(1 << 20) {
        mib if mib < 1000.0 => format!("{mib:.0} MiB"),
        mib => format!("{:.1} GiB", mib / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_words() {
        assert_eq!([size(5 << 20), size(1536 << 20)], ["5 MiB", "1.5 GiB"]);
    }
}
