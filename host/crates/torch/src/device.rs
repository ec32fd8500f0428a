//! Which device a run uses: `auto`, `cpu`, `cuda`, `cuda:N`.

use tch::{Cuda, Device};

use super::{Result, TorchError, cuda};

/// A device as a run config names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU that works, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU with this number.
    Cuda(usize),
}

impl std::str::FromStr for DeviceChoice {
    type Err = TorchError;

    fn from_str(text: &str) -> Result<DeviceChoice> {
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            _ => text.strip_prefix("cuda:").and_then(|n| n.parse().ok()).map(DeviceChoice::Cuda).ok_or_else(
                || TorchError::Device {
                    wanted: text.to_owned(),
                    reason: "expected auto, cpu, cuda or cuda:N".to_owned(),
                },
            ),
        }
    }
}

/// Chooses the device for `auto`, `cpu`, `cuda` or `cuda:N`, opening CUDA where it is wanted.
///
/// Has to be the first use of libtorch in the process (see [`cuda::open`]). With `auto` the second value says
/// why the CPU was taken; an explicit `cuda` that cannot be used is an error.
pub fn select(text: &str) -> Result<(Device, Option<String>)> {
    match text.parse()? {
        DeviceChoice::Cpu => Ok((Device::Cpu, None)),
        DeviceChoice::Cuda(index) => match open_device(index) {
            Ok(device) => Ok((device, None)),
            Err(reason) => Err(TorchError::Device {
                wanted: text.to_owned(),
                reason: format!(
                    "{reason}. Use device = \"cpu\", or \"auto\" to take the GPU only where there is one"
                ),
            }),
        },
        DeviceChoice::Auto if !cuda::driver_present() => {
            Ok((Device::Cpu, Some("no NVIDIA driver on this machine".to_owned())))
        }
        DeviceChoice::Auto => Ok(match open_device(0) {
            Ok(device) => (device, None),
            Err(reason) => (Device::Cpu, Some(reason)),
        }),
    }
}

fn open_device(index: usize) -> std::result::Result<Device, String> {
    cuda::open()?;
    let count = usize::try_from(Cuda::device_count()).unwrap_or(0);
    if !Cuda::is_available() || count == 0 {
        return Err("libtorch finds no CUDA device: no NVIDIA driver, or no GPU that it may use".to_owned());
    }
    if index >= count {
        return Err(format!("there are {count} CUDA devices, cuda:0 to cuda:{}", count - 1));
    }
    Ok(Device::Cuda(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_in_pytorch() {
        let parse = |text: &str| text.parse::<DeviceChoice>();
        assert_eq!(parse("auto").unwrap(), DeviceChoice::Auto);
        assert_eq!(parse("cuda").unwrap(), DeviceChoice::Cuda(0));
        assert_eq!(parse("cuda:3").unwrap(), DeviceChoice::Cuda(3));
        for wrong in ["", "gpu:", "cuda:", "cuda:-1", "CPU", "tpu"] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains("expected auto, cpu, cuda or cuda:N"), "{error}");
        }
    }

    #[test]
    fn the_cpu_needs_no_note() {
        assert_eq!(select("cpu").unwrap(), (Device::Cpu, None));
    }

    #[test]
    fn auto_without_a_driver_says_why_it_takes_the_cpu() {
        if cuda::driver_present() {
            return;
        }
        let (device, note) = select("auto").unwrap();
        assert_eq!(device, Device::Cpu);
        assert!(note.unwrap().contains("driver"));
    }

    #[test]
    fn an_explicit_gpu_that_is_not_there_is_an_error_that_says_why() {
        if cuda::driver_present() {
            return;
        }
        let error = select("cuda:1").unwrap_err().to_string();
        assert!(error.starts_with("device \"cuda:1\" cannot be used: "), "{error}");
        assert!(
            error.ends_with("Use device = \"cpu\", or \"auto\" to take the GPU only where there is one"),
            "{error}"
        );
    }
}
