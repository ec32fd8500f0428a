//! The model: a file, whole or under a new head.

use std::path::Path;

use tch::{Kind, Tensor};
use thaw_module_file::{Argument, Inputs, NewHead, arrange};
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::nn::Mode;
use thaw_plugin_api::prelude::*;

use crate::config::TorchExportConfig;
use crate::error::Fault;
use crate::graph::{Graph, Plan, Slot};
use crate::lower::{Lowered, lower};
use crate::modes::Exported;
use crate::part::{Part, is_below};
use crate::program::{Input, Program, shape};
use crate::stages::{Kinds, Segment, split};

/// A module that `torch.export.export` exported.
///
/// Outputs: `logits` with a new head, or where the file does not name its own; further outputs of the file
/// under their names.
pub struct TorchExport {
    graph: Graph,
    modes: Vec<Option<Mode>>,
    inputs: Inputs,
    arguments: Vec<Taken>,
    whole: Run,
    stages: Vec<(Stage, Run)>,
    output_names: Vec<String>,
    head: Option<NewHead>,
    config: TorchExportConfig,
    input_defaults: InputDefaults,
}

/// An input of the program that is taken, and its slot.
struct Taken {
    input: Input,
    slot: Slot,
}

/// A plan, and what it takes besides the tensor that the stage before gave.
struct Run {
    plan: Plan,
    entry: Option<Slot>,
    /// Places of the arguments.
    inputs: Vec<usize>,
}

impl Model for TorchExport {
    const ID: &'static str = "torch-export";
    const DESCRIPTION: &'static str =
        "Any module that torch.export.export exported (.pt2), whole or under a new head";
    type Config = TorchExportConfig;

    fn new(config: TorchExportConfig, root: &nn::Path) -> Result<Self> {
        let mut input_defaults = config.module.input_defaults()?;
        config.module.check_head()?;
        let path = config.path.as_path();
        let fault = |fault: Fault| fault.of(path);
        let program = Program::read(path, config.program.as_deref()).map_err(fault)?;
        input_defaults.image_size = input_defaults.image_size.or_else(|| image_size(&program));
        let exported = Exported::of(&program.graph);
        let lowered = lower(&program, &exported).map_err(fault)?;
        let kinds = Kinds::of(&program, &lowered);
        let top = config.module.module.clone().unwrap_or_default();
        let mut part = match top.as_str() {
            "" => Part::whole(&program, &lowered),
            top => Part::module(&program, &lowered, &kinds, top)?,
        };
        tell(&program, &lowered, &exported, path);
        let place = match config.module.num_classes {
            Some(_) => {
                root.module("TorchExport")?;
                root / "backbone"
            }
            None => root.clone(),
        };
        let modes = register(&program, &exported, &top, &place)?;
        let features = match config.module.num_classes {
            Some(_) => Some(features(&config, &program, &lowered, &part)?),
            None => None,
        };
        let slots: Vec<Slot> = part.outputs.iter().map(|(_, slot)| *slot).collect();
        let (_, needed) = kinds.with_light(&lowered, &part.steps, &slots);
        part.keep_inputs(&needed, &lowered);
        let segments = split(&program, &lowered, &kinds, &part);
        let (graph, whole, runs) = plans(lowered, &kinds, &part, &segments).map_err(Error::new)?;
        let mut stages: Vec<(Stage, Run)> =
            segments.iter().map(|segment| stage(segment, &top, &place)).zip(runs).collect();
        name_alone(&mut stages, &place);
        let output_names = part.outputs.iter().map(|(name, _)| name.clone()).collect();
        let (inputs, arguments) = arguments(program, &part, whole.1, &config)?;
        let head = match (config.module.num_classes, features) {
            (Some(num_classes), Some(features)) => {
                if config.module.freeze_features {
                    place.freeze()?;
                }
                Some(NewHead::new(&(root / "head"), &config.module, features, num_classes)?)
            }
            _ => None,
        };
        let whole = whole.0;
        Ok(Self {
            graph,
            modes,
            inputs,
            arguments,
            whole,
            stages,
            output_names,
            head,
            config,
            input_defaults,
        })
    }

    fn stages(&self) -> Vec<Stage> {
        let head = self.head.as_ref().map(|_| Stage::new("head", ["head"]));
        self.stages.iter().map(|(stage, _)| stage.clone()).chain(head).collect()
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        if let Some(head) = self.head.as_ref().filter(|_| stage == "head") {
            return with_head(head, inputs);
        }
        let index = self.stages.iter().position(|(known, _)| known.name == stage);
        let index =
            index.ok_or_else(|| Error::new(format_args!("model `{}` has no stage `{stage}`", Self::ID)))?;
        let run = &self.stages[index].1;
        let (entry, inputs) = match run.entry {
            Some(_) => {
                let mut tensors = inputs.into_iter();
                let (_, entry) = tensors.next().ok_or_else(|| Error::new("expected a tensor, found none"))?;
                (Some(entry), tensors.collect())
            }
            None => (None, self.taken(&inputs)?),
        };
        let given = self.run(run, entry.as_ref(), &inputs)?;
        if index + 1 == self.stages.len() {
            return self.arranged(given);
        }
        // Later stages compute masks and positions again, from the inputs.
        let features = given.into_iter().next().ok_or_else(|| Error::new("a stage gave no tensor"))?;
        let needed = |name: &str| {
            let later = self.stages[index + 1..].iter().flat_map(|(_, run)| &run.inputs);
            later.copied().any(|place| self.arguments[place].input.name == name)
        };
        let kept = inputs.into_iter().filter(|(name, _)| needed(name));
        Ok(kept.fold(Tensors::one("features", features), |all, (name, tensor)| all.with(name, tensor)))
    }

    fn forward(&self, inputs: Tensors) -> Result<Tensors> {
        let outputs = self.arranged(self.run(&self.whole, None, &self.taken(&inputs)?)?)?;
        match &self.head {
            Some(head) => with_head(head, outputs),
            None => Ok(outputs),
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

impl TorchExport {
    /// The batch's tensors for the program's inputs, under the names of its arguments.
    fn taken(&self, batch: &Tensors) -> Result<Tensors> {
        let tensors = self.inputs.pick(batch)?;
        let named = self.arguments.iter().zip(tensors);
        named.map(|(taken, tensor)| Ok((taken.input.name.clone(), fitted(&taken.input, tensor)?))).collect()
    }

    fn run(&self, run: &Run, entry: Option<&Tensor>, inputs: &Tensors) -> Result<Vec<Tensor>> {
        let mut given = Vec::with_capacity(run.inputs.len() + 1);
        for place in &run.inputs {
            let taken = &self.arguments[*place];
            given.push((taken.slot, inputs.get(&taken.input.name)?));
        }
        given.extend(run.entry.zip(entry));
        let bits = |mode: &Option<Mode>| {
            let bits = |mode: &Mode| Mode::to_bits(mode.is_training(), mode.tracks_running_stats());
            mode.as_ref().map_or(0, bits)
        };
        let modes: Vec<u8> = self.modes.iter().map(bits).collect();
        self.graph.run(run.plan, &modes, &given)
    }

    fn arranged(&self, given: Vec<Tensor>) -> Result<Tensors> {
        let name = if self.head.is_some() { "features" } else { "logits" };
        let named = self.output_names.iter().cloned().zip(given).collect();
        arrange(named, self.config.module.output.as_deref(), name)
    }
}

fn with_head(head: &NewHead, inputs: Tensors) -> Result<Tensors> {
    let logits = Tensors::one("logits", head.forward(inputs.first()?)?);
    Ok(inputs.into_iter().skip(1).fold(logits, |all, (name, tensor)| all.with(name, tensor)))
}

/// A tensor as the program takes it. Its sizes must be those of the export, where the export fixed them: the
/// program may have them as constants, and compute something else.
fn fitted(input: &Input, tensor: &Tensor) -> Result<Tensor> {
    let found = tensor.size();
    let fits = |(expected, found): (&Option<i64>, &i64)| expected.is_none_or(|size| size == *found);
    if !input.sizes.is_empty()
        && (found.len() != input.sizes.len() || !input.sizes.iter().zip(&found).all(fits))
    {
        let error = Error::new(format_args!(
            "the input `{}` is {found:?}, the file was exported for {}",
            input.name,
            shape(&input.sizes)
        ));
        return Err(error.help("export it with `dynamic_shapes`, or give it what it was exported for"));
    }
    match input.kind {
        // An export in bfloat16 takes bfloat16.
        Some(kind) if kind != tensor.kind() && tensor.is_floating_point() && is_float(kind) => {
            Ok(tensor.f_to_kind(kind)?)
        }
        Some(Kind::Int64) if matches!(tensor.kind(), Kind::Int | Kind::Uint8 | Kind::Int16 | Kind::Int8) => {
            Ok(tensor.f_to_kind(Kind::Int64)?)
        }
        _ => Ok(tensor.shallow_clone()),
    }
}

fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double)
}

/// Width and height of the pictures that the file takes, where it fixes them.
fn image_size(program: &Program) -> Option<usize> {
    match program.inputs.first()?.sizes.as_slice() {
        [_, _, Some(height), Some(width)] if height == width => usize::try_from(*height).ok(),
        _ => None,
    }
}

/// Says what of the file will surprise.
fn tell(program: &Program, lowered: &Lowered, exported: &Exported, path: &Path) {
    let file = path.display();
    if let Some(size) = program.inputs.first().and_then(|input| input.sizes.first().copied().flatten()) {
        warn!(
            "{file}: it was exported for batches of {size} alone: set batch_size = {size} and drop_last = \
             true, or export it with `dynamic_shapes`"
        );
    }
    if exported.is_evaluation() {
        warn!(
            "{file}: it was exported in evaluation mode: batch norms and dropouts follow the run's mode all \
             the same, but stochastic depth, dropout inside attention and counters of batches are not in it. \
             Export `module.train()`"
        );
    }
    let fixed: Vec<&str> = exported.fixed().collect();
    if !fixed.is_empty() {
        info!("{file}: in evaluation mode at export, and staying so: {}", fixed.join(", "));
    }
    for module in &lowered.always_random {
        let module = if module.is_empty() { "the module itself" } else { module };
        warn!("{file}: {module} draws random numbers that no mode switches off: evaluation will be random");
    }
    let mut kinds: Vec<Kind> = program.weights.iter().map(|weight| weight.tensor.kind()).collect();
    kinds.retain(|kind| is_float(*kind) && *kind != Kind::Float);
    if let Some(kind) = kinds.first() {
        info!("{file}: {} of its tensors are {kind:?}: they are computed and trained so", kinds.len());
    }
    if !program.weights.iter().any(|weight| weight.is_parameter) {
        warn!("{file}: it has no parameters: nothing in it can train");
    }
}

/// Registers the module and all below it at `place`, with the file's own tensors; gives the mode of each of
/// the file's modules that was.
fn register(
    program: &Program,
    exported: &Exported,
    top: &str,
    place: &nn::Path,
) -> Result<Vec<Option<Mode>>> {
    let mut modes = Vec::with_capacity(program.modules.len());
    let fixed: Vec<&str> = exported.fixed().collect();
    for module in &program.modules {
        if !is_below(&module.path, top) {
            modes.push(None);
            continue;
        }
        let registered =
            placed(place, &module.path, top).module(module.class.as_deref().unwrap_or("Module"))?;
        for stored in &program.weights {
            let (owner, name) = stored.name.rsplit_once('.').unwrap_or(("", &stored.name));
            if owner != module.path {
                continue;
            }
            let tensor = stored.tensor.shallow_clone();
            if !stored.is_parameter {
                let _ = registered.buffer(name, tensor);
                continue;
            }
            // What PyTorch had frozen when the file was written stays so.
            let parameter = registered.parameter(name, tensor)?;
            let _ = parameter.f_set_requires_grad(stored.requires_grad)?;
        }
        if fixed.contains(&module.path.as_str()) {
            registered.fix_mode(false);
        }
        modes.push(Some(registered.mode()));
    }
    Ok(modes)
}

/// Where the model has a module of the file.
fn placed(place: &nn::Path, path: &str, top: &str) -> nn::Path {
    let relative = path.strip_prefix(top).unwrap_or(path).trim_start_matches('.');
    if relative.is_empty() { place.clone() } else { place / relative }
}

/// Features that the part gives, as the file has it: its shape is known without a run.
fn features(config: &TorchExportConfig, program: &Program, lowered: &Lowered, part: &Part) -> Result<i64> {
    if let Some(features) = config.module.features {
        return Ok(features);
    }
    let chosen = config.module.output.as_deref();
    let output = part.outputs.iter().find(|(name, _)| chosen.is_none_or(|chosen| chosen == name));
    let meta = output.and_then(|(_, slot)| program.graph.tensor_values.get(&lowered.names[*slot]));
    let sizes: Vec<Option<i64>> =
        meta.map(|meta| meta.sizes.iter().map(|size| size.as_int).collect()).unwrap_or_default();
    let features = match sizes.as_slice() {
        [_, features] | [_, features, _, _] | [_, _, features] => *features,
        _ => None,
    };
    features.ok_or_else(|| {
        let message =
            format!("how many features the file gives is not known: its output is {}", shape(&sizes));
        Error::of(ErrorKind::Config, message).help("set `features` to the number")
    })
}

/// Prepares the whole part and each segment; gives the slots of the inputs, too.
fn plans(
    mut lowered: Lowered,
    kinds: &Kinds,
    part: &Part,
    segments: &[Segment],
) -> Result<(Graph, (Run, Vec<Slot>), Vec<Run>), String> {
    let outputs: Vec<Slot> = part.outputs.iter().map(|(_, slot)| *slot).collect();
    let slots: Vec<Slot> = part.inputs.iter().map(|place| lowered.inputs[*place]).collect();
    let prepare = |lowered: &mut Lowered, steps: &[usize], outputs: &[Slot], entry: Option<Slot>| {
        let (steps, needed) = kinds.with_light(lowered, steps, outputs);
        let nodes: Vec<usize> = steps.iter().map(|place| lowered.steps[*place].node).collect();
        let plan = lowered.graph.plan(&nodes, outputs)?;
        let inputs = (0..slots.len()).filter(|place| needed.contains(&slots[*place])).collect();
        Ok::<Run, String>(Run { plan, entry, inputs })
    };
    let whole = prepare(&mut lowered, &part.steps, &outputs, None)?;
    let mut runs = Vec::with_capacity(segments.len());
    for (index, segment) in segments.iter().enumerate() {
        let next = segments.get(index + 1).and_then(|next| next.entry);
        let outputs = next.map_or_else(|| outputs.clone(), |slot| vec![slot]);
        runs.push(prepare(&mut lowered, &segment.steps, &outputs, segment.entry)?);
    }
    Ok((lowered.graph, (whole, slots), runs))
}

fn stage(segment: &Segment, top: &str, place: &nn::Path) -> Stage {
    let path = |path: &str| placed(place, path, top).as_str().to_owned();
    Stage::new(path(&segment.name), segment.modules.iter().map(|module| path(module)))
}

/// A program without cuts is one stage, the whole.
fn name_alone(stages: &mut [(Stage, Run)], place: &nn::Path) {
    if let [(stage, _)] = stages {
        let path = place.as_str();
        let name = if path.is_empty() { "model" } else { path };
        *stage = Stage::new(name, [path]);
    }
}

/// The inputs that are taken, in the order of `forward`'s arguments.
fn arguments(
    program: Program,
    part: &Part,
    slots: Vec<Slot>,
    config: &TorchExportConfig,
) -> Result<(Inputs, Vec<Taken>)> {
    let kept = program.inputs.into_iter().enumerate().filter(|(place, _)| part.inputs.contains(place));
    let taken: Vec<Taken> = kept.zip(slots).map(|((_, input), slot)| Taken { input, slot }).collect();
    let argument = |taken: &Taken| Argument { name: taken.input.name.clone(), required: true };
    let inputs = Inputs::new(taken.iter().map(argument).collect(), config.module.inputs.clone())?;
    Ok((inputs, taken))
}
