//! Which nodes follow the mode of their module.
//!
//! At export, `training` became a constant of each node. The host's mode takes its place. What Python decided
//! by a branch is recognised by its shape: stochastic depth, which a graph of training mode always has.

use std::collections::{BTreeMap, HashMap};

use crate::graph::{Rule, Slot};
use crate::json::{Graph, Node};
use crate::program::nested;

/// Classes that drop a whole sample of a branch: torchvision's and timm's names.
const STOCHASTIC_DEPTH: [&str; 2] = ["StochasticDepth", "DropPath"];

/// The constant of a node that its module's mode decides, and its value in the file.
pub struct Flag {
    pub rule: Rule,
    pub trains: bool,
}

/// The flag of a node, if it has one.
pub fn flag(node: &Node) -> Option<Flag> {
    let name = operator(&node.target)?;
    let argument = |wanted: &str| {
        let found = node.inputs.iter().find(|input| input.name == wanted)?;
        found.arg.kind().ok()
    };
    let is_none = |wanted: &str| argument(wanted).is_none_or(|(kind, _)| kind == "as_none");
    let by_flag = |wanted: &'static str| {
        let (_, value) = argument(wanted)?;
        Some(Flag { rule: Rule::Flag(wanted), trains: value.as_bool()? })
    };
    match name {
        // Without stored statistics both modes use those of the batch.
        "batch_norm" if is_none("running_mean") => None,
        "instance_norm" if is_none("running_mean") => None,
        "batch_norm" | "rrelu" | "rrelu_" => by_flag("training"),
        "instance_norm" => by_flag("use_input_stats"),
        "dropout"
        | "dropout_"
        | "feature_dropout"
        | "feature_dropout_"
        | "alpha_dropout"
        | "alpha_dropout_"
        | "feature_alpha_dropout"
        | "feature_alpha_dropout_"
        | "native_dropout"
        | "lstm"
        | "gru"
        | "rnn_tanh"
        | "rnn_relu" => by_flag("train"),
        "scaled_dot_product_attention" => {
            let (_, value) = argument("dropout_p")?;
            let trains = value.as_f64().is_some_and(|p| p > 0.0);
            trains.then_some(Flag { rule: Rule::Probability("dropout_p"), trains })
        }
        _ => None,
    }
}

/// `conv2d` of `torch.ops.aten.conv2d.default`.
pub fn operator(target: &str) -> Option<&str> {
    target.strip_prefix("torch.ops.aten.")?.split('.').next()
}

/// Modes in which the file's modules were exported.
#[derive(Default)]
pub struct Exported {
    /// Of each module with a flag: whether one of them is true, and whether one is false.
    modules: BTreeMap<String, (bool, bool)>,
}

impl Exported {
    /// Looks through a program.
    pub fn of(graph: &Graph) -> Self {
        let mut exported = Self::default();
        exported.add(graph);
        exported
    }

    fn add(&mut self, graph: &Graph) {
        for node in &graph.nodes {
            if let Some(flag) = flag(node) {
                let path = node.modules().pop().map(|(path, _)| path).unwrap_or_default();
                let seen = self.modules.entry(path).or_default();
                seen.0 |= flag.trains;
                seen.1 |= !flag.trains;
            }
            for input in &node.inputs {
                if let Some(graph) = nested(&input.arg) {
                    self.add(&graph);
                }
            }
        }
    }

    /// Whether something in it was in training mode.
    pub fn trains(&self) -> bool {
        self.modules.values().any(|(trains, _)| *trains)
    }

    /// Whether the whole file was exported in evaluation mode, which is to be said: what only training has is
    /// not in it.
    pub fn is_evaluation(&self) -> bool {
        !self.modules.is_empty() && !self.trains()
    }

    /// Modules that were in evaluation mode while others were not: they stay so, as in PyTorch.
    pub fn fixed(&self) -> impl Iterator<Item = &str> {
        let trains = self.trains();
        let fixed = self.modules.iter().filter(move |(_, seen)| trains && **seen == (false, true));
        fixed.map(|(path, _)| path.as_str())
    }

    /// The rule for a node's flag: one that is false in a file that trains elsewhere stays as it is.
    pub fn rule(&self, node: &Node) -> Rule {
        match flag(node) {
            Some(flag) if flag.trains || !self.trains() => flag.rule,
            _ => Rule::Always,
        }
    }
}

/// A node as the search for stochastic depth needs it.
pub struct Drawn<'n> {
    pub node: &'n Node,
    /// Slots of `self` and `other`, where it has them.
    pub operands: [Option<Slot>; 2],
    pub outputs: &'n [Option<Slot>],
}

/// Stochastic depth in a run of nodes: the rule of each of its nodes, by position. A noise of 0 and 1 is
/// drawn for each sample and multiplied on; in evaluation mode the input goes on as it is.
pub fn stochastic_depth(nodes: &[Drawn]) -> HashMap<usize, Rule> {
    let mut rules = HashMap::new();
    let mut start = 0;
    while start < nodes.len() {
        let module = nodes[start].node.modules().pop();
        let same = |drawn: &&Drawn| drawn.node.modules().pop() == module;
        let end = start + nodes[start..].iter().take_while(same).count().max(1);
        let drops = module.is_some_and(|(_, class)| STOCHASTIC_DEPTH.contains(&class.as_str()));
        if let Some(input) = drops.then(|| dropped_input(&nodes[start..end])).flatten() {
            for position in start..end - 1 {
                rules.insert(position, Rule::TrainingOnly);
            }
            rules.insert(end - 1, Rule::PassThrough(input));
        }
        start = end;
    }
    rules
}

/// What is multiplied by the noise, where these nodes are a noise and a product.
fn dropped_input(nodes: &[Drawn]) -> Option<Slot> {
    let (last, noise) = nodes.split_last()?;
    let draws = noise.iter().any(|drawn| operator(&drawn.node.target) == Some("bernoulli_"));
    if !draws || operator(&last.node.target) != Some("mul") {
        return None;
    }
    let made: Vec<Slot> = noise.iter().flat_map(|drawn| drawn.outputs.iter().flatten().copied()).collect();
    match last.operands {
        [Some(a), Some(b)] if made.contains(&b) && !made.contains(&a) => Some(a),
        [Some(a), Some(b)] if made.contains(&a) && !made.contains(&b) => Some(b),
        _ => None,
    }
}
