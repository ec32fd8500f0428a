//! The model: a file, whole or under a new head.

use thaw_module_file::{Inputs, NewHead, arrange, features};
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::prelude::*;

use crate::config::TorchScriptConfig;
use crate::modes::ModuleMode;
use crate::script::{CodeMode, Script};

/// A module that `torch.jit.script` or `torch.jit.trace` exported.
///
/// Outputs: `logits` with a new head, or where the file does not name its own; further outputs of the file
/// under their names.
pub struct TorchScript {
    script: Script,
    modes: Vec<ModuleMode>,
    inputs: Inputs,
    stages: Vec<(Stage, Part)>,
    head: Option<NewHead>,
    config: TorchScriptConfig,
    input_defaults: InputDefaults,
}

/// What a stage runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A module of the file, by index.
    File(usize),
    Head,
}

impl Model for TorchScript {
    const ID: &'static str = "torchscript";
    const DESCRIPTION: &'static str =
        "Any module that torch.jit.script or torch.jit.trace exported, whole or under a new head";
    type Config = TorchScriptConfig;

    fn new(config: TorchScriptConfig, root: &nn::Path) -> Result<Self> {
        let input_defaults = config.module.input_defaults()?;
        config.module.check_head()?;
        let script = Script::load(&config.path)?;
        let top = top(&script, &config)?;
        let inputs = Inputs::new(script.arguments(top)?, config.module.inputs.clone())?;
        let place = match config.module.num_classes {
            Some(_) => {
                root.module("TorchScript")?;
                root / "backbone"
            }
            None => root.clone(),
        };
        let modes = register(&script, top, &place)?;
        tell_fixed_modes(&script, top, &config);
        tell_if_nothing_trains(&script, &modes, &config);
        let mut stages = split(&script, top, &place);
        let head = match config.module.num_classes {
            Some(num_classes) => {
                let given = config.module.features;
                let features = given.map_or_else(|| probe(&script, top, &modes, &config), Ok)?;
                if config.module.freeze_features {
                    place.freeze()?;
                }
                let head = NewHead::new(&(root / "head"), &config.module, features, num_classes)?;
                stages.push((Stage::new("head", ["head"]), Part::Head));
                Some(head)
            }
            None => None,
        };
        Ok(Self { script, modes, inputs, stages, head, config, input_defaults })
    }

    fn stages(&self) -> Vec<Stage> {
        self.stages.iter().map(|(stage, _)| stage.clone()).collect()
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        let found = self.stages.iter().enumerate().find(|(_, (known, _))| known.name == stage);
        let (index, (_, part)) =
            found.ok_or_else(|| Error::new(format_args!("model `{}` has no stage `{stage}`", Self::ID)))?;
        match (*part, &self.head) {
            (Part::File(module), head) => {
                self.modes.iter().try_for_each(|mode| mode.follow(&self.script))?;
                let taken = if index == 0 { self.inputs.pick(&inputs)? } else { vec![inputs.first()?] };
                let outputs = self.script.forward(module, &taken)?;
                let is_last = self.stages.get(index + 1).is_none_or(|(_, next)| *next == Part::Head);
                let chosen = self.config.module.output.as_deref().filter(|_| is_last);
                arrange(outputs, chosen, if is_last && head.is_none() { "logits" } else { "features" })
            }
            (Part::Head, Some(head)) => {
                let logits = Tensors::one("logits", head.forward(inputs.first()?)?);
                Ok(inputs.into_iter().skip(1).fold(logits, |all, (name, tensor)| all.with(name, tensor)))
            }
            (Part::Head, None) => bail!("model `{}` has no head", Self::ID),
        }
    }

    fn task(&self) -> Task {
        self.config.module.task()
    }

    fn input_defaults(&self) -> InputDefaults {
        self.input_defaults.clone()
    }

    /// Under a new head, files of the module itself have its names without `backbone`.
    fn weight_aliases(&self) -> Vec<(String, String)> {
        self.head.iter().map(|_| (String::new(), "backbone".to_owned())).collect()
    }
}

/// Features of the module at `top`, in evaluation mode.
fn probe(script: &Script, top: usize, modes: &[ModuleMode], config: &TorchScriptConfig) -> Result<i64> {
    features(&config.module, |input| {
        modes.iter().try_for_each(|mode| mode.evaluate(script))?;
        script.forward(top, &[input])
    })
}

/// Index of the module that the run config names, or of the whole file.
fn top(script: &Script, config: &TorchScriptConfig) -> Result<usize> {
    let path = config.module.module.as_deref().unwrap_or_default();
    script.position(path).ok_or_else(|| {
        let error =
            Error::of(ErrorKind::Config, format_args!("{} has no module `{path}`", config.path.display()));
        let known: Vec<&str> = script
            .modules()
            .iter()
            .map(|module| module.path.as_str())
            .filter(|path| !path.is_empty())
            .collect();
        match thaw_plugin_api::nearest(path, known.iter().copied()) {
            Some(nearest) => error.help(format_args!("did you mean `{nearest}`?")),
            None => error.help(format_args!("it has: {}", known.join(", "))),
        }
    })
}

/// A path of the file below that of its module in use; none where it lies elsewhere.
fn below<'p>(path: &'p str, top: &str) -> Option<&'p str> {
    match path.strip_prefix(top)? {
        rest if top.is_empty() || rest.is_empty() => Some(rest),
        rest => rest.strip_prefix('.'),
    }
}

/// Where the model has a module of the file.
fn placed(place: &nn::Path, relative: &str) -> nn::Path {
    if relative.is_empty() { place.clone() } else { place / relative }
}

/// Registers the module and all below it at `place`, with the file's own tensors.
fn register(script: &Script, top: usize, place: &nn::Path) -> Result<Vec<ModuleMode>> {
    let mut modes = Vec::new();
    for (index, module) in script.modules().iter().enumerate() {
        let Some(relative) = below(&module.path, &script.modules()[top].path) else { continue };
        let registered = placed(place, relative).module(&module.kind)?;
        for stored in &module.tensors {
            let tensor = stored.tensor.shallow_clone();
            if !stored.is_parameter {
                let _ = registered.buffer(&stored.name, tensor);
                continue;
            }
            // What PyTorch had frozen when the file was written stays so.
            let requires_grad = tensor.requires_grad();
            let parameter = registered.parameter(&stored.name, tensor)?;
            let _ = parameter.f_set_requires_grad(requires_grad)?;
        }
        if let CodeMode::Fixed(training) = module.mode {
            registered.fix_mode(training);
        }
        modes.push(ModuleMode::new(index, module, registered.mode()));
    }
    Ok(modes)
}

/// Says so where a file has no parameters.
fn tell_if_nothing_trains(script: &Script, modes: &[ModuleMode], config: &TorchScriptConfig) {
    let has_parameters =
        |mode: &ModuleMode| script.modules()[mode.index()].tensors.iter().any(|stored| stored.is_parameter);
    if !modes.iter().any(has_parameters) {
        let file = config.path.display();
        warn!(
            "{file}: it has no parameters, as torch.jit.freeze leaves a module: nothing in it can train. \
             Export the module without that"
        );
    }
}

/// Says which modules the host cannot put into another mode.
fn tell_fixed_modes(script: &Script, top: usize, config: &TorchScriptConfig) {
    let top = &script.modules()[top].path;
    let file = config.path.display();
    let fixed = |training| {
        let fixed = script
            .modules()
            .iter()
            .filter(|module| module.mode == CodeMode::Fixed(training) && below(&module.path, top).is_some());
        let names: Vec<&str> = fixed
            .map(|module| if module.path.is_empty() { "the model itself" } else { module.path.as_str() })
            .collect();
        match names.as_slice() {
            [] => None,
            [first, second, .., last] if names.len() > 5 => {
                Some(format!("{first}, {second}, … {last} ({} modules)", names.len()))
            }
            names => Some(names.join(", ")),
        }
    };
    if let Some(names) = fixed(false) {
        info!(
            "{file}: evaluation mode is part of its code, as tracing leaves it: {names} stay in it while \
             they train. torch.jit.script keeps both modes"
        );
    }
    if let Some(names) = fixed(true) {
        warn!(
            "{file}: training mode is part of its code: {names} stay in it, in validation and predictions \
             too (where they leave stored statistics alone). Trace `module.eval()`, or use torch.jit.script, \
             which keeps both modes"
        );
    }
}

/// The stages of the file's part: the children of a forward that only runs them in turn, theirs likewise,
/// else the module itself.
fn split(script: &Script, top: usize, place: &nn::Path) -> Vec<(Stage, Part)> {
    let path_of = |index: usize| {
        let relative = below(&script.modules()[index].path, &script.modules()[top].path).unwrap_or_default();
        placed(place, relative).as_str().to_owned()
    };
    let stage = |index: usize| {
        let path = path_of(index);
        let name = if path.is_empty() { "model".to_owned() } else { path.clone() };
        (Stage::new(name, [path]), Part::File(index))
    };
    let mut steps = Vec::new();
    unroll(script, top, &mut steps);
    let mut distinct = steps.clone();
    distinct.sort_unstable();
    distinct.dedup();
    // A module that runs twice would be two stages of one name.
    if distinct.len() < steps.len() {
        return vec![stage(top)];
    }
    steps.into_iter().map(stage).collect()
}

fn unroll(script: &Script, index: usize, steps: &mut Vec<usize>) {
    let module = &script.modules()[index];
    let child = |name: &String| {
        script.position(&if module.path.is_empty() {
            name.clone()
        } else {
            format!("{}.{name}", module.path)
        })
    };
    match module.chain.iter().map(child).collect::<Option<Vec<usize>>>() {
        Some(children) if !children.is_empty() => {
            children.into_iter().for_each(|child| unroll(script, child, steps))
        }
        _ => steps.push(index),
    }
}
