//! An exported program as it was read: modules, tensors, inputs, outputs and the nodes between them.

mod pytree;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::Value;
use tch::Kind;

use crate::archive::Archive;
use crate::error::Fault;
use crate::json::{ExportedProgram, Graph, GraphModule, TensorMeta};
use crate::tensors::{self, Folder, Stored};

/// A module of the file.
pub struct Module {
    /// Dotted path; empty for the whole file.
    pub path: String,
    /// Class in Python, where a node or the children tell.
    pub class: Option<String>,
}

/// An input of the module's `forward`.
pub struct Input {
    /// Its argument's name in Python.
    pub name: String,
    /// Its value's name in the graph.
    pub value: String,
    /// Its type at export, where the file tells one that is known.
    pub kind: Option<Kind>,
    /// Its sizes; none for those that may differ.
    pub sizes: Vec<Option<i64>>,
}

/// What a value of the graph is from the start.
pub enum Binding {
    /// A parameter or persistent buffer, by its place among the weights.
    Weight(usize),
    /// Another buffer or a tensor of the code, by its place among the constants.
    Constant(usize),
}

/// A file's program.
pub struct Program {
    /// In the order of PyTorch's `named_modules`, the whole file first.
    pub modules: Vec<Module>,
    /// Parameters and persistent buffers in state-dict order.
    pub weights: Vec<Stored>,
    /// Other tensors.
    pub constants: Vec<Stored>,
    /// What the graph's values are from the start, by name.
    pub bindings: Vec<(String, Binding)>,
    /// What `forward` takes.
    pub inputs: Vec<Input>,
    /// Name and value of each tensor that `forward` gives. A tensor by itself has no name, those of tuples
    /// and lists have their position, those of dictionaries their key.
    pub outputs: Vec<(String, String)>,
    /// Between them.
    pub graph: Graph,
}

impl Program {
    /// Reads a file, tensors included. Nothing in it is run.
    ///
    /// # Errors
    /// It is missing, damaged, something else, or of a version that is not known here.
    pub fn read(path: &Path, asked: Option<&str>) -> Result<Self, Fault> {
        let mut archive = Archive::open(path)?;
        let name = choose(&archive.programs()?, asked)?;
        let entry = format!("models/{name}.json");
        let text = archive.text(&entry)?;
        let program: ExportedProgram =
            serde_json::from_slice(&text).map_err(|error| Fault::entry(&entry, error))?;
        drop(text);
        if program.schema_version.major != 8 {
            return Err(Fault::Version(program.schema_version.major));
        }
        if !program.verifiers.is_empty() && !program.verifiers.iter().any(|verifier| verifier == "TRAINING") {
            return Err(Fault::Decomposed(program.verifiers.join(", ")));
        }
        let weights = tensors::read(&mut archive, Folder::Weights, &name)?;
        let constants = tensors::read(&mut archive, Folder::Constants, &name)?;
        Self::from_parts(program.graph_module, weights, constants)
    }

    fn from_parts(module: GraphModule, weights: Vec<Stored>, constants: Vec<Stored>) -> Result<Self, Fault> {
        let bound = Bound::read(&module, &weights, &constants)?;
        let root = module.module_call_graph.iter().find(|call| call.fqn.is_empty());
        let call = root.and_then(|call| call.signature.as_ref());
        let names = call.map(|call| pytree::input_names(&call.in_spec, call.forward_arg_names.as_deref()));
        let names = names.flatten().filter(|names| names.len() == bound.leaves);
        let meta = &module.graph.tensor_values;
        let inputs = bound.inputs.into_iter().map(|(position, value)| {
            let name = names.as_ref().map_or_else(|| value.clone(), |names| names[position].clone());
            let (kind, sizes) = meta.get(&value).map_or((None, Vec::new()), |meta| {
                (tensors::kind(meta.dtype), meta.sizes.iter().map(|size| size.as_int).collect())
            });
            Input { name, value, kind, sizes }
        });
        let inputs = inputs.collect();
        let names = call.and_then(|call| pytree::output_names(&call.out_spec));
        let outputs = outputs(&module.graph, names)?;
        let modules = modules(&module);
        Ok(Self {
            modules,
            weights,
            constants,
            bindings: bound.tensors,
            inputs,
            outputs,
            graph: module.graph,
        })
    }
}

/// Which of the programs is meant.
fn choose(there: &[String], asked: Option<&str>) -> Result<String, Fault> {
    let known = |name: &str| there.iter().find(|known| *known == name).cloned();
    let chosen = match (asked, there) {
        (Some(asked), _) => known(asked),
        (None, [only]) => Some(only.clone()),
        (None, _) => known("model").or_else(|| known("train")),
    };
    chosen.ok_or_else(|| Fault::WhichProgram { there: there.to_vec(), asked: asked.map(str::to_owned) })
}

/// What the signature says of the graph's inputs.
struct Bound {
    tensors: Vec<(String, Binding)>,
    /// Place among the leaves of `forward`'s arguments, and name of the value.
    inputs: Vec<(usize, String)>,
    leaves: usize,
}

impl Bound {
    fn read(module: &GraphModule, weights: &[Stored], constants: &[Stored]) -> Result<Self, Fault> {
        let places = |stored: &[Stored]| -> HashMap<String, usize> {
            stored.iter().enumerate().map(|(place, stored)| (stored.name.clone(), place)).collect()
        };
        let (weight_places, constant_places) = (places(weights), places(constants));
        let mut bound = Self { tensors: Vec::new(), inputs: Vec::new(), leaves: 0 };
        for spec in &module.signature.input_specs {
            let Some((kind, spec)) = spec.iter().next() else {
                return Err(Fault::Value("an input has no kind".to_owned()));
            };
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let named = |key: &str| {
                let value = text(&spec["arg"]["name"]).zip(text(&spec[key]));
                value.ok_or_else(|| Fault::Value(format!("a {kind} has no name")))
            };
            let missing = |name: &str| Fault::tensor(name, "the program uses it, and it is not in the file");
            let meta = &module.graph.tensor_values;
            match kind.as_str() {
                "parameter" | "buffer" => {
                    let (value, name) = named(&format!("{kind}_name"))?;
                    let binding = match (weight_places.get(&name), constant_places.get(&name)) {
                        (Some(place), _) => Binding::Weight(*place),
                        (None, Some(place)) if kind == "buffer" => Binding::Constant(*place),
                        _ => return Err(missing(&name)),
                    };
                    bound.add(value, binding, meta, weights, constants)?;
                }
                "tensor_constant" => {
                    let (value, name) = named("tensor_constant_name")?;
                    let place = constant_places.get(&name).ok_or_else(|| missing(&name))?;
                    bound.add(value, Binding::Constant(*place), meta, weights, constants)?;
                }
                "user_input" => {
                    if let Some(name) = text(&spec["arg"]["as_tensor"]["name"]) {
                        bound.inputs.push((bound.leaves, name));
                    } else if spec["arg"].get("as_sym_int").is_some() {
                        let message = "an input is a number that may change, expected tensors";
                        return Err(Fault::Value(message.to_owned()));
                    }
                    bound.leaves += 1;
                }
                // A number or None that was fixed at export.
                "constant_input" => bound.leaves += 1,
                other => {
                    let message = format!("an input is of the kind {other}, which cannot be read here");
                    return Err(Fault::Value(message));
                }
            }
        }
        Ok(bound)
    }

    /// Takes a tensor over whose shape and type are those that the graph was made for.
    fn add(
        &mut self,
        value: String,
        binding: Binding,
        meta: &BTreeMap<String, TensorMeta>,
        weights: &[Stored],
        constants: &[Stored],
    ) -> Result<(), Fault> {
        let stored = match binding {
            Binding::Weight(place) => &weights[place],
            Binding::Constant(place) => &constants[place],
        };
        if let Some(meta) = meta.get(&value) {
            let sizes: Vec<Option<i64>> = meta.sizes.iter().map(|size| size.as_int).collect();
            let found = stored.tensor.size();
            let fits = |(expected, found): (&Option<i64>, &i64)| expected.is_none_or(|size| size == *found);
            if sizes.len() != found.len() || !sizes.iter().zip(&found).all(fits) {
                let shape = shape(&sizes);
                return Err(Fault::tensor(&stored.name, format!("it is {found:?}, the program has {shape}")));
            }
            if tensors::kind(meta.dtype) != Some(stored.tensor.kind()) {
                let kind = stored.tensor.kind();
                return Err(Fault::tensor(
                    &stored.name,
                    format!("it is {kind:?}, the program has another type"),
                ));
            }
        }
        self.tensors.push((value, binding));
        Ok(())
    }
}

/// A shape as people write it; `_` for a size that may differ.
pub fn shape(sizes: &[Option<i64>]) -> String {
    let sizes: Vec<String> =
        sizes.iter().map(|size| size.map_or("_".to_owned(), |size| size.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}

fn outputs(graph: &Graph, names: Option<Vec<String>>) -> Result<Vec<(String, String)>, Fault> {
    let names = names.filter(|names| names.len() == graph.outputs.len());
    let mut outputs = Vec::new();
    for (position, output) in graph.outputs.iter().enumerate() {
        let (kind, _) = output.kind().map_err(Fault::Value)?;
        if kind != "as_tensor" {
            continue;
        }
        let Some(value) = output.value_name().map_err(Fault::Value)? else { continue };
        let by_position = || if graph.outputs.len() == 1 { String::new() } else { position.to_string() };
        let name = names.as_ref().map_or_else(by_position, |names| names[position].clone());
        outputs.push((name, value.to_owned()));
    }
    if outputs.is_empty() {
        return Err(Fault::Value("the program gives no tensor".to_owned()));
    }
    Ok(outputs)
}

/// All modules, with the classes that the nodes tell. A list of modules is never run itself: its children
/// are numbers.
fn modules(module: &GraphModule) -> Vec<Module> {
    let mut classes: HashMap<String, String> = HashMap::new();
    collect_classes(&module.graph, &mut classes);
    let paths: Vec<&str> = module.module_call_graph.iter().map(|call| call.fqn.as_str()).collect();
    let mut seen = std::collections::HashSet::new();
    let mut modules = Vec::new();
    for path in [""].into_iter().chain(paths.iter().copied()) {
        // A module that is called twice has an entry for each call.
        let path = path.split('@').next().unwrap_or(path);
        if !seen.insert(path) {
            continue;
        }
        let class =
            classes.get(path).cloned().or_else(|| is_list(path, &paths).then(|| "ModuleList".to_owned()));
        modules.push(Module { path: path.to_owned(), class });
    }
    modules
}

fn is_list(path: &str, paths: &[&str]) -> bool {
    let children: Vec<&str> =
        paths.iter().filter_map(|other| other.strip_prefix(path)?.strip_prefix('.')).collect();
    let is_number = |name: &&str| name.split('.').next().is_some_and(|name| name.parse::<usize>().is_ok());
    !path.is_empty() && !children.is_empty() && children.iter().all(is_number)
}

fn collect_classes(graph: &Graph, classes: &mut HashMap<String, String>) {
    for node in &graph.nodes {
        for (path, class) in node.modules() {
            classes.entry(path).or_insert(class);
        }
        for argument in &node.inputs {
            if let Some(nested) = nested(&argument.arg) {
                collect_classes(&nested, classes);
            }
        }
    }
}

/// The graph that an argument is, if it is one.
pub fn nested(argument: &crate::json::Argument) -> Option<Graph> {
    let ("as_graph", value) = argument.kind().ok()? else { return None };
    serde_json::from_value(value.get("graph")?.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_that_is_meant_is_asked_for_or_clear() {
        let there = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(choose(&there(&["model"]), None).unwrap(), "model");
        assert_eq!(choose(&there(&["eval", "train"]), None).unwrap(), "train");
        assert_eq!(choose(&there(&["eval", "train"]), Some("eval")).unwrap(), "eval");
        let message = choose(&there(&["a", "b"]), None).unwrap_err().to_string();
        assert_eq!(message, "it holds the programs a, b; the config names none of them");
    }

    #[test]
    fn a_module_whose_children_are_numbers_is_a_list() {
        let paths = ["layers", "layers.0", "layers.0.conv", "layers.1", "net", "net.conv"];
        assert!(is_list("layers", &paths));
        assert!(!is_list("net", &paths));
        assert!(!is_list("layers.1", &paths));
    }
}
