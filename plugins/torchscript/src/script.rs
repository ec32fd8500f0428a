//! A TorchScript file: its modules, and running them.

mod archive;
mod error;
mod ffi;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::NonNull;

use tch::{Kind, Tensor};
use thaw_module_file::Argument;
use thaw_plugin_api::error::{Error, Result};
use thaw_plugin_api::prelude::info;

use error::LoadError;

/// What of `training` a module's own code uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeMode {
    /// Nothing: it does the same in both modes.
    None,
    /// It reads the flag.
    Free,
    /// It has the mode as a constant, as in a traced module: `true` for training.
    Fixed(bool),
}

/// A module of the file.
pub struct ScriptModule {
    /// Dotted path; empty for the whole file.
    pub path: String,
    /// Class in Python.
    pub kind: String,
    /// What it does of its mode.
    pub mode: CodeMode,
    /// Parameters, then buffers, of the module itself.
    pub tensors: Vec<ScriptTensor>,
    /// Names of the children that its forward runs one after the other, where it does nothing else; else
    /// empty.
    pub chain: Vec<String>,
}

/// A parameter or buffer.
pub struct ScriptTensor {
    /// Name in its module.
    pub name: String,
    /// The file's own tensor: what is written to it, the code sees.
    pub tensor: Tensor,
    /// Whether it is a parameter.
    pub is_parameter: bool,
}

/// A loaded file.
pub struct Script {
    raw: NonNull<ffi::Script>,
    modules: Vec<ScriptModule>,
}

// SAFETY: the shim's script is touched by its owner alone, and nothing in libtorch ties it to a thread.
unsafe impl Send for Script {}

impl Drop for Script {
    fn drop(&mut self) {
        // SAFETY: made by the shim in `load`, freed once.
        unsafe { ffi::thaw_script_free(self.raw.as_ptr()) }
    }
}

impl Script {
    /// Loads a file.
    ///
    /// # Errors
    /// It is missing, damaged, or no TorchScript.
    pub fn load(path: &Path) -> Result<Self> {
        archive::check(path).map_err(LoadError::with_help)?;
        let name = CString::new(path.as_os_str().as_encoded_bytes())?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: `name` lives through the call; on success the shim stores a script of its own in `raw`.
        let loaded = call(|error| unsafe { ffi::thaw_script_load(name.as_ptr(), &mut raw, error) });
        loaded.map_err(|text| LoadError::from_text(path, &text).with_help())?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::new("the shim gave no script"))?;
        let mut script = Self { raw, modules: Vec::new() };
        // SAFETY: the script is alive.
        let count = unsafe { ffi::thaw_script_modules(raw.as_ptr()) };
        script.modules = (0..count).map(|index| script.read_module(index)).collect::<Result<_>>()?;
        script.convert_to_float32(path)?;
        Ok(script)
    }

    /// Parameters and buffers of other floating-point types become float32, as the weights of a plain file
    /// do: the data is float32, and so is what is trained; lower precision is the trainer's business.
    fn convert_to_float32(&mut self, path: &Path) -> Result<()> {
        let mut converted = BTreeMap::new();
        for stored in self.modules.iter_mut().flat_map(|module| &mut module.tensors) {
            let kind = stored.tensor.kind();
            if kind != Kind::Float && stored.tensor.is_floating_point() {
                let values = stored.tensor.detach().f_to_kind(Kind::Float)?;
                // The tensor stays the one that the code uses.
                stored.tensor.f_set_data(&values)?;
                *converted.entry(format!("{kind:?}")).or_insert(0) += 1;
            }
        }
        if !converted.is_empty() {
            // SAFETY: the script is alive, and has not run.
            let loose = call(|error| unsafe { ffi::thaw_script_loose_to_float32(self.raw.as_ptr(), error) });
            loose.map_err(Error::new)?;
        }
        for (kind, count) in converted {
            info!("{}: {count} tensors of type {kind} are converted to float32", path.display());
        }
        Ok(())
    }

    /// Its modules, in the order of PyTorch's `named_modules`, the whole file first.
    pub fn modules(&self) -> &[ScriptModule] {
        &self.modules
    }

    /// Index of the module of this path.
    pub fn position(&self, path: &str) -> Option<usize> {
        self.modules.iter().position(|module| module.path == path)
    }

    fn read_module(&self, index: usize) -> Result<ScriptModule> {
        let (mut path, mut kind, mut mode, mut tensors, mut chain) =
            (std::ptr::null(), std::ptr::null(), 0, 0, 0);
        let raw = self.raw.as_ptr();
        // SAFETY: `index` is below the number of modules; the texts live as long as the script, and are
        // copied here.
        let (path, kind) = unsafe {
            ffi::thaw_script_module(raw, index, &mut path, &mut kind, &mut mode, &mut tensors, &mut chain);
            (copied(path), copied(kind))
        };
        let mode = match mode {
            0 => CodeMode::None,
            1 => CodeMode::Free,
            other => CodeMode::Fixed(other == 3),
        };
        let tensors =
            (0..tensors).map(|position| self.read_tensor(index, position)).collect::<Result<_>>()?;
        // SAFETY: the positions are below the length that the shim gave; as above.
        let chain = (0..chain)
            .map(|position| unsafe { copied(ffi::thaw_script_chained(raw, index, position)) })
            .collect();
        Ok(ScriptModule { path, kind, mode, tensors, chain })
    }

    fn read_tensor(&self, module: usize, index: usize) -> Result<ScriptTensor> {
        let (mut name, mut is_parameter, mut tensor) = (std::ptr::null(), false, std::ptr::null_mut());
        let raw = self.raw.as_ptr();
        // SAFETY: both indices are below the numbers that the shim gave.
        call(|error| unsafe {
            ffi::thaw_script_tensor(raw, module, index, &mut name, &mut is_parameter, &mut tensor, error)
        })
        .map_err(Error::new)?;
        // SAFETY: on success the name lives as long as the script, and the tensor is the caller's to take
        // over.
        let (name, tensor) = unsafe { (copied(name), Tensor::from_ptr(tensor)) };
        Ok(ScriptTensor { name, tensor, is_parameter })
    }

    /// The arguments of a module's `forward`.
    ///
    /// # Errors
    /// It has no `forward`.
    pub fn arguments(&self, module: usize) -> Result<Vec<Argument>> {
        extern "C" fn add(list: *mut c_void, name: *const c_char, required: bool) {
            // SAFETY: `list` is the vector below, alive and not used otherwise through the call; the name is
            // a text.
            unsafe { (*list.cast::<Vec<Argument>>()).push(Argument { name: copied(name), required }) }
        }
        let mut arguments: Vec<Argument> = Vec::new();
        let list = (&raw mut arguments).cast();
        // SAFETY: the script is alive; `add` gets `list` back.
        call(|error| unsafe { ffi::thaw_script_arguments(self.raw.as_ptr(), module, list, add, error) })
            .map_err(|_| error::no_forward(&self.modules[module].path))?;
        Ok(arguments)
    }

    /// Sets the flag `training` of one module alone.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn set_training(&self, module: usize, training: bool) -> Result<()> {
        // SAFETY: the script is alive; one thread at a time has it.
        call(|error| unsafe { ffi::thaw_script_set_training(self.raw.as_ptr(), module, training, error) })
            .map_err(Error::new)
    }

    /// Has a module's code use another tensor under a name; the one in [`Self::modules`] stays as it is.
    ///
    /// # Errors
    /// The module has no tensor of this name.
    pub fn set_tensor(&self, module: usize, name: &str, tensor: &Tensor) -> Result<()> {
        let name = CString::new(name)?;
        // SAFETY: as above; the shim takes a reference of its own to the tensor.
        call(|error| unsafe {
            ffi::thaw_script_set_tensor(self.raw.as_ptr(), module, name.as_ptr(), tensor.as_ptr(), error)
        })
        .map_err(Error::new)
    }

    /// Runs a module's `forward`. The outputs are the tensors in what it gives, with the names of
    /// [`thaw_module_file::arrange`].
    ///
    /// # Errors
    /// The code refuses the inputs.
    pub fn forward(&self, module: usize, inputs: &[&Tensor]) -> Result<Vec<(String, Tensor)>> {
        let pointers: Vec<*const torch_sys::C_tensor> = inputs.iter().map(|tensor| tensor.as_ptr()).collect();
        let mut raw = std::ptr::null_mut();
        let script = self.raw.as_ptr();
        // SAFETY: the inputs live through the call; on success the shim stores outputs of its own in `raw`.
        call(|error| unsafe {
            ffi::thaw_script_forward(script, module, pointers.as_ptr(), pointers.len(), &mut raw, error)
        })
        .map_err(|text| error::run_error(&text))?;
        let outputs = RawOutputs(NonNull::new(raw).ok_or_else(|| Error::new("the shim gave no outputs"))?);
        outputs.read()
    }
}

struct RawOutputs(NonNull<ffi::Outputs>);

impl Drop for RawOutputs {
    fn drop(&mut self) {
        // SAFETY: made by the shim in `forward`, freed once.
        unsafe { ffi::thaw_script_free_outputs(self.0.as_ptr()) }
    }
}

impl RawOutputs {
    fn read(&self) -> Result<Vec<(String, Tensor)>> {
        let raw = self.0.as_ptr();
        // SAFETY: the outputs are alive.
        let count = unsafe { ffi::thaw_script_outputs(raw) };
        let read = |index| {
            let (mut name, mut tensor) = (std::ptr::null(), std::ptr::null_mut());
            // SAFETY: `index` is below the number that the shim gave.
            call(|error| unsafe { ffi::thaw_script_output(raw, index, &mut name, &mut tensor, error) })
                .map_err(Error::new)?;
            // SAFETY: on success the name lives as long as the outputs, and the tensor is the caller's to
            // take over.
            Ok(unsafe { (copied(name), Tensor::from_ptr(tensor)) })
        };
        (0..count).map(read).collect()
    }
}

/// A text of the shim.
///
/// # Safety
/// `text` ends with a zero and is alive.
unsafe fn copied(text: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Runs one call of the shim; its text where it fails.
fn call(body: impl FnOnce(*mut *mut c_char) -> c_int) -> std::result::Result<(), String> {
    let mut error: *mut c_char = std::ptr::null_mut();
    if body(&mut error) == 0 {
        return Ok(());
    }
    if error.is_null() {
        return Err(String::new());
    }
    // SAFETY: the shim's texts end with a zero and are this function's to free.
    let text = unsafe {
        let text = copied(error);
        ffi::thaw_script_free_text(error);
        text
    };
    let end = text.find("\nException raised from").unwrap_or(text.len());
    Err(text[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use thaw_plugin_api::serde_json::{Value, from_str};

    /// How many loose tensors lie on a device, and how many of them are floats of other widths.
    fn loose(script: &Script, device: &CStr) -> (usize, usize) {
        let (mut there, mut others) = (0, 0);
        // SAFETY: the script is alive, and the places are.
        let counted = call(|error| unsafe {
            let raw = script.raw.as_ptr();
            ffi::thaw_script_count_loose(raw, device.as_ptr(), &mut there, &mut others, error)
        });
        counted.unwrap();
        (there, others)
    }

    /// Without a GPU, the device that has no memory stands for one.
    #[test]
    fn what_is_neither_parameter_nor_buffer_follows_to_precision_and_device() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/loose"));
        let expected: Value =
            from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
        let numbers = |value: &Value| -> Vec<f64> {
            let rows = value.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
            rows.map(|number| number.as_f64().unwrap()).collect()
        };
        let x = Tensor::from_slice(&numbers(&expected["x"])).to_kind(Kind::Float).view([2, 4]);
        for (name, known) in expected["modules"].as_object().unwrap() {
            let load = || Script::load(&folder.join(format!("{name}.pt"))).unwrap();
            let count = known["loose"].as_u64().unwrap() as usize;
            let script = load();
            assert_eq!(
                loose(&script, c"cpu"),
                (count, 0),
                "{name}: all are found, none is of half the width"
            );
            let output = tch::no_grad(|| script.forward(0, &[&x])).unwrap().remove(0).1;
            let found = Vec::<f64>::try_from(output.to_kind(Kind::Double).flatten(0, -1)).unwrap();
            for (found, expected) in found.iter().zip(numbers(&known["output"])) {
                assert!((found - expected).abs() < 1e-5, "{name}: {found}, PyTorch has {expected}");
            }
            let script = load();
            // SAFETY: the script is alive, and has not run.
            call(|error| unsafe { ffi::thaw_script_follow(script.raw.as_ptr(), c"meta".as_ptr(), error) })
                .unwrap();
            assert_eq!((loose(&script, c"cpu").0, loose(&script, c"meta").0), (0, count), "{name}");
        }
    }
}
