//! Python's nested arguments and results, as the file describes them: JSON in a text.

use serde_json::Value;

/// The names of all leaves of `forward`'s arguments, in order: those of the arguments, with a position or
/// key behind it where an argument is a container. None where the description cannot be read.
pub fn input_names(spec: &str, arguments: Option<&[String]>) -> Option<Vec<String>> {
    let spec: Value = serde_json::from_str(spec).ok()?;
    let call = spec.get(1)?.get("children_spec")?.as_array()?;
    let (args, kwargs) = (call.first()?, call.get(1)?);
    let mut names = Vec::new();
    for (position, child) in children(args)?.iter().enumerate() {
        let name = arguments.and_then(|names| names.get(position)).cloned();
        leaves(child, &name.unwrap_or_else(|| position.to_string()), &mut names)?;
    }
    leaves(kwargs, "", &mut names)?;
    Some(names)
}

/// The names of all leaves of what `forward` gives; a tensor by itself has none. None where the description
/// cannot be read.
pub fn output_names(spec: &str) -> Option<Vec<String>> {
    let spec: Value = serde_json::from_str(spec).ok()?;
    let mut names = Vec::new();
    leaves(spec.get(1)?, "", &mut names)?;
    Some(names)
}

fn children(spec: &Value) -> Option<&Vec<Value>> {
    spec.get("children_spec")?.as_array()
}

fn leaves(spec: &Value, name: &str, names: &mut Vec<String>) -> Option<()> {
    if spec.get("type")?.is_null() {
        names.push(name.to_owned());
        return Some(());
    }
    let children = children(spec)?;
    // Of dictionaries and classes that are like them the keys, in a text of their own.
    let context = spec.get("context").and_then(Value::as_str).unwrap_or_default();
    let keys: Option<Vec<String>> = serde_json::from_str(context).ok();
    let keys = keys.filter(|keys| keys.len() == children.len());
    for (position, child) in children.iter().enumerate() {
        let part = keys.as_ref().map_or_else(|| position.to_string(), |keys| keys[position].clone());
        let name = if name.is_empty() { part } else { format!("{name}.{part}") };
        leaves(child, &name, names)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: &str = r#"{"type": null, "context": null, "children_spec": []}"#;

    fn container(kind: &str, context: &str, children: &[&str]) -> String {
        let context = Value::from(context);
        format!(r#"{{"type": "{kind}", "context": {context}, "children_spec": [{}]}}"#, children.join(", "))
    }

    #[test]
    fn arguments_have_the_names_that_python_gives_them() {
        let args =
            container("builtins.tuple", "null", &[LEAF, &container("builtins.list", "null", &[LEAF, LEAF])]);
        let kwargs = container("builtins.dict", r#"["mask"]"#, &[LEAF]);
        let spec = format!("[1, {}]", container("builtins.tuple", "null", &[&args, &kwargs]));
        let arguments = ["x".to_owned(), "pair".to_owned()];
        assert_eq!(input_names(&spec, Some(&arguments)).unwrap(), ["x", "pair.0", "pair.1", "mask"]);
    }

    #[test]
    fn results_have_keys_positions_or_no_name() {
        assert_eq!(output_names(&format!("[1, {LEAF}]")).unwrap(), [""]);
        let tuple = container("builtins.tuple", "null", &[LEAF, LEAF]);
        assert_eq!(output_names(&format!("[1, {tuple}]")).unwrap(), ["0", "1"]);
        let model = container("transformers.ModelOutput", r#"["logits", "hidden"]"#, &[LEAF, &tuple]);
        assert_eq!(output_names(&format!("[1, {model}]")).unwrap(), ["logits", "hidden.0", "hidden.1"]);
        assert_eq!(output_names("[1, 2]"), None);
    }
}
