//! From the file's nodes to the graph's: names become slots, constants become arguments of operators.
//!
//! Every operator, argument and value is resolved here: a file that is accepted has nothing left to refuse
//! but the shapes of its inputs.

mod argument;

use std::collections::HashMap;

use crate::error::Fault;
use crate::graph::{Block, Graph, Node, Region, Rule, Schema, Sharing, Slot, Value};
use crate::json;
use crate::modes::{self, Drawn, Exported};
use crate::program::{Binding, Program};
use argument::{Operand, resolve};

/// Operators that reach outside of the program.
const REFUSED: [&str; 4] = ["from_file", "_print", "record_stream", "save"];

/// Checks of the exporter's own assumptions: its device, its range of sizes. A batch of 1 computes all the
/// same.
const LEFT_OUT: [&str; 4] =
    ["_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range", "sym_constrain_range_for_size"];

/// A node of the program's own block.
pub struct Step {
    pub node: Node,
    /// Path of its module.
    pub module: String,
    /// Slots that it reads, nested blocks included.
    pub reads: Vec<Slot>,
    /// Slots that it fills.
    pub fills: Vec<Slot>,
    /// Slots that it writes in place.
    pub writes: Vec<Slot>,
    /// Whether what it gives may share memory with what it reads.
    pub shares: bool,
    /// Whether it draws random numbers or follows a mode.
    pub varies: bool,
}

/// A program that can be run.
pub struct Lowered {
    pub graph: Graph,
    pub steps: Vec<Step>,
    /// Slots of the program's inputs.
    pub inputs: Vec<Slot>,
    /// Name and slot of each output.
    pub outputs: Vec<(String, Slot)>,
    /// Slots that have a tensor from the start.
    pub bound: HashMap<Slot, Bound>,
    /// The value's name of each slot.
    pub names: Vec<String>,
    /// Modules that draw random numbers in evaluation mode, too.
    pub always_random: Vec<String>,
}

/// What a slot has from the start.
#[derive(Clone, Copy)]
pub enum Bound {
    /// A weight, by its place.
    Weight(usize),
    /// Another tensor.
    Constant,
}

/// Lowers a program.
///
/// # Errors
/// A node that cannot be run, with its module.
pub fn lower(program: &Program, exported: &Exported) -> Result<Lowered, Fault> {
    let modules = program.modules.iter().enumerate();
    let modules = modules.map(|(index, module)| (module.path.clone(), index)).collect();
    let graph = Graph::new().map_err(Fault::Value)?;
    let mut lowering = Lowering {
        graph,
        names: Vec::new(),
        modules,
        exported,
        program,
        bound: HashMap::new(),
        always_random: Vec::new(),
    };
    let mut names = HashMap::new();
    for (name, binding) in &program.bindings {
        let slot = lowering.define(name, &mut names)?;
        let (tensor, bound) = match binding {
            Binding::Weight(place) => (&program.weights[*place].tensor, Bound::Weight(*place)),
            Binding::Constant(place) => (&program.constants[*place].tensor, Bound::Constant),
        };
        lowering.graph.bind(slot, tensor).map_err(Fault::Value)?;
        lowering.bound.insert(slot, bound);
    }
    let inputs = program.inputs.iter().map(|input| lowering.define(&input.value, &mut names));
    let inputs = inputs.collect::<Result<Vec<Slot>, Fault>>()?;
    let steps = lowering.nodes(0, &program.graph, &mut names)?;
    let outputs = program.outputs.iter().map(|(name, value)| {
        let missing = || Fault::Value(format!("the program gives `{value}`, which nothing makes"));
        Ok((name.clone(), *names.get(value).ok_or_else(missing)?))
    });
    let outputs = outputs.collect::<Result<Vec<_>, Fault>>()?;
    lowering.graph.set_slots(lowering.names.len());
    let Lowering { graph, bound, names, mut always_random, .. } = lowering;
    always_random.dedup();
    Ok(Lowered { graph, steps, inputs, outputs, bound, names, always_random })
}

type Names = HashMap<String, Slot>;

struct Lowering<'p> {
    graph: Graph,
    names: Vec<String>,
    modules: HashMap<String, usize>,
    exported: &'p Exported,
    program: &'p Program,
    bound: HashMap<Slot, Bound>,
    always_random: Vec<String>,
}

/// A node in the making.
struct Open {
    node: Node,
    reads: Vec<Slot>,
    writes: Vec<Slot>,
    operands: [Option<Slot>; 2],
    schema: Schema,
}

impl Lowering<'_> {
    /// A slot for a name that has none yet.
    fn define(&mut self, name: &str, names: &mut Names) -> Result<Slot, Fault> {
        let slot = self.names.len();
        self.names.push(name.to_owned());
        match names.insert(name.to_owned(), slot) {
            None => Ok(slot),
            Some(_) => Err(Fault::Value(format!("the value `{name}` is made twice"))),
        }
    }

    fn nodes(&mut self, block: Block, graph: &json::Graph, names: &mut Names) -> Result<Vec<Step>, Fault> {
        let mut steps = Vec::new();
        let mut opened = Vec::new();
        for node in &graph.nodes {
            if modes::operator(&node.target).is_some_and(|name| LEFT_OUT.contains(&name)) {
                continue;
            }
            let fault = |reason: String| node_fault(node, reason);
            let open = self.open(block, node, names).map_err(fault)?;
            let outputs = self.outputs(node, names).map_err(fault)?;
            self.graph.close(open.node, &outputs).map_err(fault)?;
            opened.push((node, open, outputs));
        }
        let drawn: Vec<Drawn> = opened
            .iter()
            .map(|(node, open, outputs)| Drawn { node, operands: open.operands, outputs })
            .collect();
        let mut depth = modes::stochastic_depth(&drawn);
        for (position, (node, open, outputs)) in opened.into_iter().enumerate() {
            let rule = depth.remove(&position).unwrap_or_else(|| self.rule(node, &open));
            steps.push(self.step(node, open, &outputs, &rule)?);
        }
        Ok(steps)
    }

    fn open(&mut self, block: Block, node: &json::Node, names: &Names) -> Result<Open, String> {
        if let Some(region) = node.target.strip_prefix("torch.ops.higher_order.") {
            return self.region(block, node, region, names);
        }
        let place = place(node);
        let (opened, schema) = match node.target.strip_prefix("torch.ops.") {
            Some(target) => {
                let (name, overload) = operator_of(target)?;
                self.graph.operator(block, &name, overload, &place)?
            }
            None => (self.graph.python(block, &node.target, &place)?, Schema::default()),
        };
        let mut open =
            Open { node: opened, reads: Vec::new(), writes: Vec::new(), operands: [None; 2], schema };
        for (position, input) in node.inputs.iter().enumerate() {
            let Operand { value, slots } = resolve(&input.arg, names)?;
            self.graph.argument(opened, &input.name, &value)?;
            let is_written =
                |(name, sharing): &(String, Sharing)| *name == input.name && *sharing == Sharing::Written;
            if open.schema.arguments.iter().any(is_written) {
                open.writes.extend(&slots);
            }
            if let (Some(operand), Value::Slot(slot)) = (open.operands.get_mut(position), &value) {
                *operand = Some(*slot);
            }
            open.reads.extend(slots);
        }
        // These give their input itself in evaluation mode, and write what they are given in training mode.
        let writes_statistics = modes::operator(&node.target) == Some("batch_norm")
            || modes::operator(&node.target) == Some("instance_norm");
        if writes_statistics {
            let statistics = node.inputs.iter().filter(|input| input.name.starts_with("running_"));
            for input in statistics {
                open.writes.extend(resolve(&input.arg, names)?.slots);
            }
        }
        Ok(open)
    }

    /// Nested graphs: their inputs are values of the outer one, so only their own nodes are new.
    fn region(&mut self, block: Block, node: &json::Node, kind: &str, names: &Names) -> Result<Open, String> {
        let (region, plain) = match kind {
            "wrap_with_set_grad_enabled" => (Region::SetGradEnabled, 1),
            "wrap_with_autocast" => (Region::Autocast, 4),
            "cond" => (Region::Condition, 1),
            other => return Err(format!("nested graphs of the kind {other} cannot be run here")),
        };
        let count = if region == Region::Condition { 2 } else { 1 };
        let (values, rest) = node.inputs.split_at_checked(plain).ok_or("it has too few arguments")?;
        let (graphs, arguments) = rest.split_at_checked(count).ok_or("it has too few graphs")?;
        let mut reads = Vec::new();
        let mut given = Vec::new();
        for argument in arguments {
            match resolve(&argument.arg, names)? {
                Operand { value: Value::Slot(slot), .. } => given.push(Some(slot)),
                Operand { value: Value::Tensors(slots), .. } => given.extend(slots),
                _ => given.push(None),
            }
        }
        reads.extend(given.iter().flatten());
        let mut writes = Vec::new();
        let mut blocks = Vec::new();
        let mut results = Vec::new();
        for graph in graphs {
            let graph = crate::program::nested(&graph.arg).ok_or("one of its arguments is no graph")?;
            let inner = self.graph.block();
            let mut scope = Names::new();
            for (input, slot) in graph.inputs.iter().zip(given.iter().chain(std::iter::repeat(&None))) {
                let Some(name) = input.value_name()? else { continue };
                let slot = slot.ok_or_else(|| format!("its graph takes `{name}`, which it is not given"))?;
                scope.insert(name.to_owned(), slot);
            }
            let steps = self.nodes(inner, &graph, &mut scope).map_err(|fault| fault.to_string())?;
            writes.extend(steps.iter().flat_map(|step| step.writes.iter().copied()));
            let named = |output: &json::Argument| {
                let name = output.value_name()?.ok_or("its graph gives what is no value")?;
                scope
                    .get(name)
                    .copied()
                    .ok_or_else(|| format!("its graph gives `{name}`, which nothing makes"))
            };
            results.push(graph.outputs.iter().map(named).collect::<Result<Vec<Slot>, String>>()?);
            blocks.push(inner);
        }
        let opened = self.graph.region(block, region, &blocks, &place(node))?;
        for input in values {
            let Operand { value, slots } = resolve(&input.arg, names)?;
            self.graph.argument(opened, "", &value)?;
            reads.extend(slots);
        }
        let outputs = node.outputs.len();
        for slots in &results {
            if slots.len() < outputs {
                return Err(format!("its graph gives {} values, expected {outputs}", slots.len()));
            }
            self.graph.results(opened, slots)?;
        }
        // What happens in its blocks is not looked at by node: it may draw, and share.
        let schema = Schema { random: true, ..Schema::default() };
        Ok(Open { node: opened, reads, writes, operands: [None; 2], schema })
    }

    fn outputs(&mut self, node: &json::Node, names: &mut Names) -> Result<Vec<Option<Slot>>, String> {
        let mut slots = Vec::new();
        for output in &node.outputs {
            let (kind, value) = output.kind()?;
            match kind {
                "as_none" => slots.push(None),
                "as_tensors" => {
                    for tensor in value.as_array().into_iter().flatten() {
                        let name = tensor["name"].as_str().ok_or("an output has no name")?;
                        slots.push(Some(self.define(name, names).map_err(|fault| fault.to_string())?));
                    }
                }
                _ => {
                    let name = output.value_name()?.ok_or_else(|| format!("an output is a {kind}"))?;
                    slots.push(Some(self.define(name, names).map_err(|fault| fault.to_string())?));
                }
            }
        }
        Ok(slots)
    }

    /// Counters of batches grow where statistics are tracked; flags follow the mode.
    fn rule(&self, node: &json::Node, open: &Open) -> Rule {
        let counts = modes::operator(&node.target) == Some("add_")
            && open.operands[0].is_some_and(|slot| match self.bound.get(&slot) {
                Some(Bound::Weight(place)) => {
                    self.program.weights[*place].name.ends_with("num_batches_tracked")
                }
                _ => false,
            });
        if counts { Rule::Counter } else { self.exported.rule(node) }
    }

    fn step(
        &mut self,
        node: &json::Node,
        open: Open,
        outputs: &[Option<Slot>],
        rule: &Rule,
    ) -> Result<Step, Fault> {
        let module = node.modules().pop().map(|(path, _)| path).unwrap_or_default();
        let index = self.modules.get(&module).copied().unwrap_or_default();
        self.graph.rule(open.node, rule, index).map_err(|reason| node_fault(node, reason))?;
        let is_region = node.target.starts_with("torch.ops.higher_order.");
        if open.schema.random && *rule == Rule::Always && !is_region && modes::flag(node).is_none() {
            self.always_random.push(module.clone());
        }
        let shares = open.schema.outputs.iter().any(|sharing| *sharing != Sharing::None)
            || is_region
            || *rule != Rule::Always;
        let varies = open.schema.random || *rule != Rule::Always;
        let fills = outputs.iter().flatten().copied().collect();
        let Open { node, reads, writes, .. } = open;
        Ok(Step { node, module, reads, fills, writes, shares, varies })
    }
}

/// `aten::add` and `Tensor` of `aten.add.Tensor`.
fn operator_of(target: &str) -> Result<(String, &str), String> {
    let mut parts = target.splitn(3, '.');
    let (Some(library), Some(name), Some(overload)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("its operator has no overload".to_owned());
    };
    if library != "aten" {
        return Err(format!("operators of `{}` are not part of libtorch", library.escape_debug()));
    }
    if REFUSED.contains(&name) || name.starts_with("_test") {
        return Err("it reaches outside of the program, which a model may not".to_owned());
    }
    Ok((format!("aten::{name}"), if overload == "default" { "" } else { overload }))
}

/// Where a node is, for errors while it runs.
fn place(node: &json::Node) -> String {
    let target = node.target.strip_prefix("torch.ops.").unwrap_or(&node.target);
    let target = target.strip_suffix(".default").unwrap_or(target);
    match node.modules().pop() {
        Some((path, _)) if !path.is_empty() => format!("at `{path}`, {target}"),
        _ => target.to_owned(),
    }
}

fn node_fault(node: &json::Node, reason: String) -> Fault {
    let module = node.modules().pop().map(|(path, _)| path).unwrap_or_default();
    let target = node.target.escape_debug().to_string();
    Fault::Node { node: node.label().escape_debug().to_string(), target, module, reason }
}
