//! System calls that end the program or fail, by `strace -e inject`.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Why there is no strace that may trace here.
pub fn missing() -> Option<String> {
    static WORKS: OnceLock<bool> = OnceLock::new();
    let works = *WORKS.get_or_init(|| {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
        strace.status().is_ok_and(|status| status.success())
    });
    (!works).then(|| "needs an strace that may trace (Debian: apt-get install strace)".to_owned())
}

/// Which call of some is met, of so many that a run makes. Each thread's are counted on their own: one that
/// writes a checkpoint makes about a third of them at most.
pub fn number_of(calls: u32, random: &mut fastrand::Rng) -> u32 {
    let most = if random.bool() { calls } else { calls.div_ceil(3) };
    random.u32(1..=most)
}

/// The words that stand before a command: `what` (`signal=KILL`, `error=EIO`) is done at the `when`-th call
/// of `call`.
pub fn inject(call: &str, what: &str, when: &str) -> Vec<String> {
    let injection = format!("inject={call}:{what}:when={when}");
    ["strace", "-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &injection]
        .map(str::to_owned)
        .to_vec()
}
