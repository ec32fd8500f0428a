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

/// The words that stand before a command: `what` (`signal=KILL`, `error=EIO`) is done at the `when`-th call
/// of `call`.
pub fn inject(call: &str, what: &str, when: &str) -> Vec<String> {
    let injection = format!("inject={call}:{what}:when={when}");
    ["strace", "-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &injection]
        .map(str::to_owned)
        .to_vec()
}
