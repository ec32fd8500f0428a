//! Which Python objects have a place in a file of weights.
//!
//! Nothing is ever called here, so the rule protects whoever opens the same file in Python, and it is a sign
//! of damage. It follows PyTorch's `weights_only`, but lets classes pass: configurations, enumerations and
//! whole modules are data to us. Functions are refused unless listed, and so is whatever comes from a module
//! that acts on the machine.

use super::outline::Outline;

/// Functions that pickles of plain data call.
const FUNCTIONS: [&str; 33] = [
    "_codecs.encode",
    "_operator.getitem",
    "argparse.Namespace",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.dict",
    "builtins.frozenset",
    "builtins.list",
    "builtins.object",
    "builtins.range",
    "builtins.set",
    "builtins.slice",
    "builtins.tuple",
    "collections.defaultdict",
    "collections.deque",
    "copyreg._reconstructor",
    "copy_reg._reconstructor",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "functools.partial",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.core.numeric._frombuffer",
    "numpy.dtype",
    "numpy.ndarray",
    "torch.device",
    "torch.serialization._get_layout",
];

/// Functions that rebuild tensors.
const REBUILD: [&str; 3] =
    ["torch._utils._rebuild_", "torch._tensor._rebuild_", "torch.nn.parameter._rebuild_"];

/// Modules that act on the machine or run code, with all below them; `builtins` but for the listed types.
const ACTING: [&str; 47] = [
    "__builtin__",
    "__main__.__builtins__",
    "_io",
    "_pickle",
    "_posixsubprocess",
    "_thread",
    "asyncio",
    "atexit",
    "bdb",
    "builtins",
    "cloudpickle",
    "code",
    "codeop",
    "commands",
    "concurrent",
    "ctypes",
    "dill",
    "ftplib",
    "http",
    "importlib",
    "inspect",
    "io",
    "joblib",
    "marshal",
    "multiprocessing",
    "nt",
    "operator",
    "os",
    "pdb",
    "pickle",
    "pip",
    "pkgutil",
    "platform",
    "posix",
    "pty",
    "requests",
    "runpy",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "timeit",
    "urllib",
    "webbrowser",
];

/// What the pickle does that has no place in weights, as "calls os.system"; `None` if there is nothing.
pub(super) fn objection(outline: &Outline) -> Option<String> {
    if let Some(called) = outline.calls.iter().find(|name| !may_be_called(name)) {
        return Some(format!("calls {}", printable(called)));
    }
    if let Some(named) = outline.globals.iter().find(|name| acts(name)) {
        return Some(format!("refers to {}", printable(named)));
    }
    outline.computed_calls.then(|| "calls the result of another call".to_owned())
}

fn may_be_called(global: &str) -> bool {
    if listed(global) || REBUILD.iter().any(|start| global.starts_with(start)) {
        return true;
    }
    let name = global.rsplit('.').next().unwrap_or_default();
    // By Python's own convention a class begins with a capital. The classes of a module are its data.
    let class = name.trim_start_matches('_').starts_with(|first: char| first.is_ascii_uppercase());
    class && !acts(global)
}

fn acts(global: &str) -> bool {
    let within = |module: &str| global.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'));
    ACTING.iter().any(|module| within(module)) && !listed(global)
}

fn listed(global: &str) -> bool {
    // Python 2's name of the same module, which protocols up to 2 keep.
    let global = global.replacen("__builtin__.", "builtins.", 1);
    FUNCTIONS.contains(&global.as_str())
}

/// A name of the file's, fit for a terminal.
fn printable(name: &str) -> String {
    name.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
