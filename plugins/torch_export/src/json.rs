//! The program as the file's JSON has it. Fields that are not known are passed over: the schema's minor
//! versions add some. Kinds of arguments that are not known are refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// `models/NAME.json`.
#[derive(Deserialize)]
pub struct ExportedProgram {
    pub graph_module: GraphModule,
    pub schema_version: SchemaVersion,
    #[serde(default)]
    pub verifiers: Vec<String>,
}

#[derive(Deserialize)]
pub struct SchemaVersion {
    pub major: u64,
}

#[derive(Deserialize)]
pub struct GraphModule {
    pub graph: Graph,
    pub signature: Signature,
    pub module_call_graph: Vec<ModuleCall>,
}

/// A graph: the program's own, or one nested in a node.
#[derive(Deserialize)]
pub struct Graph {
    pub inputs: Vec<Argument>,
    pub outputs: Vec<Argument>,
    pub nodes: Vec<Node>,
    #[serde(default)]
    pub tensor_values: BTreeMap<String, TensorMeta>,
}

#[derive(Deserialize)]
pub struct Node {
    pub target: String,
    pub inputs: Vec<NamedArgument>,
    pub outputs: Vec<Argument>,
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
    pub name: Option<String>,
}

impl Node {
    /// Its own name, or that of its first output.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.target.clone())
    }

    /// Path and class of the modules that it lies in, the outermost first; the root's path is empty.
    pub fn modules(&self) -> Vec<(String, String)> {
        let stack = self.metadata.get("nn_module_stack").and_then(Value::as_str).unwrap_or_default();
        let entry = |entry: &str| {
            let mut parts = entry.splitn(3, ',');
            let (_, path, class) = (parts.next()?, parts.next()?, parts.next()?);
            let known = !path.starts_with("_empty_nn_module_stack");
            known.then(|| (path.to_owned(), class.rsplit('.').next().unwrap_or(class).to_owned()))
        };
        stack.split(';').filter_map(entry).collect()
    }
}

#[derive(Deserialize)]
pub struct NamedArgument {
    pub name: String,
    pub arg: Argument,
}

/// One kind and its value, such as `{"as_tensor": {"name": "x"}}`.
#[derive(Deserialize)]
pub struct Argument(BTreeMap<String, Value>);

impl Argument {
    /// Kind and value.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn kind(&self) -> Result<(&str, &Value), String> {
        let mut kinds = self.0.iter();
        match (kinds.next(), kinds.next()) {
            (Some((kind, value)), None) => Ok((kind, value)),
            _ => {
                let kinds: Vec<&str> = self.0.keys().map(String::as_str).collect();
                Err(format!("an argument has the kinds [{}], expected one", kinds.join(", ")))
            }
        }
    }

    /// Name of the tensor or symbolic number that it is; none where it is something else.
    ///
    /// # Errors
    /// As [`Self::kind`], or a name that is no text.
    pub fn value_name(&self) -> Result<Option<&str>, String> {
        let (kind, value) = self.kind()?;
        let key = match kind {
            "as_tensor" => "name",
            "as_sym_int" | "as_sym_bool" | "as_sym_float" => "as_name",
            _ => return Ok(None),
        };
        // A symbolic number may be a constant after all.
        match value.get(key) {
            Some(name) => name.as_str().map(Some).ok_or_else(|| format!("a {kind} has no name")),
            None if kind == "as_tensor" => Err(format!("a {kind} has no name")),
            None => Ok(None),
        }
    }
}

#[derive(Deserialize)]
pub struct Signature {
    pub input_specs: Vec<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
pub struct ModuleCall {
    pub fqn: String,
    pub signature: Option<CallSignature>,
}

/// How Python calls the module: pytrees, as JSON in a text.
#[derive(Deserialize)]
pub struct CallSignature {
    #[serde(default)]
    pub in_spec: String,
    #[serde(default)]
    pub out_spec: String,
    pub forward_arg_names: Option<Vec<String>>,
}

/// What the file says of a tensor.
#[derive(Clone, Deserialize)]
pub struct TensorMeta {
    pub dtype: i64,
    pub sizes: Vec<Size>,
    #[serde(default)]
    pub strides: Vec<Size>,
    pub storage_offset: Option<Size>,
    #[serde(default)]
    pub requires_grad: bool,
    pub layout: Option<i64>,
}

/// A number, or an expression of the sizes of inputs.
#[derive(Clone, Deserialize)]
pub struct Size {
    pub as_int: Option<i64>,
}

/// `data/weights/NAME_weights_config.json`, and that of constants. Names are in state-dict order, which
/// `serde_json` keeps.
#[derive(Deserialize)]
pub struct Payloads {
    pub config: serde_json::Map<String, Value>,
}

/// Where a tensor's bytes are.
#[derive(Deserialize)]
pub struct Payload {
    pub path_name: String,
    #[serde(default)]
    pub is_param: bool,
    #[serde(default)]
    pub use_pickle: bool,
    pub tensor_meta: Option<TensorMeta>,
}
