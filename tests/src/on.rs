//! On which device a comparing program compares.

use std::ffi::OsString;

use thaw_plugin_api::tch::Device;

/// `--device DEVICE` and `--allow FACTOR` of a comparing program, and its other arguments.
pub struct On {
    /// Where it compares.
    pub device: Device,
    /// How many times the tolerances that were recorded for a CPU are allowed; 1 without `--allow`.
    pub allow: f64,
    /// The other arguments, in order.
    pub rest: Vec<OsString>,
}

impl On {
    /// The CPU with the tolerances that were recorded.
    pub fn cpu() -> Self {
        Self { device: Device::Cpu, allow: 1.0, rest: Vec::new() }
    }

    /// Reads the arguments and, where it is asked for, opens CUDA: before any other use of libtorch. A GPU
    /// computes in full precision, as the references were recorded.
    ///
    /// # Errors
    /// An option without its value, or a device that cannot be used.
    pub fn read() -> Result<Self, String> {
        let (mut name, mut allow, mut rest) = ("cpu".to_owned(), 1.0, Vec::new());
        let mut given = std::env::args_os().skip(1);
        while let Some(argument) = given.next() {
            let mut value = || {
                let value = given.next().and_then(|value| value.into_string().ok());
                value.ok_or_else(|| format!("{} needs a value", argument.to_string_lossy()))
            };
            match argument.to_str() {
                Some("--device") => name = value()?,
                Some("--allow") => {
                    let text = value()?;
                    allow = text.parse().map_err(|_| format!("--allow {text}: expected a number"))?;
                }
                _ => rest.push(argument),
            }
        }
        let (device, _) = thaw_torch::device::select(&name).map_err(|error| error.to_string())?;
        thaw_torch::init().map_err(|error| error.to_string())?;
        thaw_torch::set_matmul_precision(thaw_torch::MatmulPrecision::Highest)
            .map_err(|error| error.to_string())?;
        Ok(Self { device, allow, rest })
    }

    /// The device as a run config names it.
    pub fn device_name(&self) -> String {
        match self.device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".to_owned(),
        }
    }
}
