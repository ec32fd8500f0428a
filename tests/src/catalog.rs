//! Which model of which plugin a reference is of.

use serde_json::{Map, Value, json};

/// A model of a plugin, in the layout of the original and without randomness.
pub struct Target {
    /// The plugin by name.
    pub plugin: &'static str,
    /// The model's id.
    pub id: String,
    /// Its configuration.
    pub config: Value,
}

/// Finds the model for a reference's `config`.
///
/// # Errors
/// No plugin here has it.
pub fn target(config: &Value) -> Result<Target, String> {
    let text = |key: &str| config[key].as_str().unwrap_or_default();
    let model = text("model");
    match (text("library"), model) {
        ("efficientnet_lite_pytorch", _) => Ok(efficientnet_lite(model, config)),
        ("torchvision", _) => Ok(torchvision(model, config)),
        (_, "ResNetClassifier") => Ok(resnet_classifier(config)),
        (_, "AutoEncoder") => {
            Ok(autoencoder("autoencoder", config, &["image_shape", "hidden_dim", "latent_dim"]))
        }
        (_, "CIFAR10Classifier") => Ok(autoencoder(
            "autoencoder-classifier",
            config,
            &["image_shape", "hidden_dim", "latent_dim", "num_classes"],
        )),
        ("transformers", "BertMNLIFinetuner") => text_model(config, "mnli"),
        ("transformers", _) => text_model(config, "sequence-classification"),
        _ if text("model_type") == "bert" => Ok(sentence_model(config)),
        (library, _) => Err(format!("no plugin is known for the model `{model}` of the library `{library}`")),
    }
}

/// torchvision's arguments are keys of the model under the same names.
fn torchvision(model: &str, config: &Value) -> Target {
    let id = model.replace('_', "-");
    let mut own = config.as_object().cloned().unwrap_or_default();
    own.retain(|key, _| key != "library" && key != "model");
    own.insert("layout".to_owned(), json!("original"));
    let random: &[&str] = match id.as_str() {
        id if id.starts_with("efficientnet") || id.starts_with("convnext") => {
            &["dropout", "stochastic_depth_prob"]
        }
        id if id.starts_with("vit") => &["dropout", "attention_dropout"],
        _ => &["dropout"],
    };
    own.extend(random.iter().map(|key| ((*key).to_owned(), json!(0.0))));
    Target { plugin: "vision", id, config: Value::Object(own) }
}

fn efficientnet_lite(id: &str, config: &Value) -> Target {
    let own = json!({
        "layout": "original", "num_classes": config["num_classes"],
        "image_size": config["padding_for_image_size"],
        "width_coefficient": config["width_coefficient"], "depth_coefficient": config["depth_coefficient"],
        "dropout": 0.0, "drop_connect_rate": 0.0,
    });
    Target { plugin: "vision", id: id.to_owned(), config: own }
}

fn resnet_classifier(config: &Value) -> Target {
    let own = json!({
        "layout": "sequential", "head": "mlp", "mlp_dropout": 0.0, "num_classes": config["num_classes"],
        "image_size": config["image_size"],
    });
    Target { plugin: "vision", id: "resnet50".to_owned(), config: own }
}

fn autoencoder(id: &str, config: &Value, keys: &[&str]) -> Target {
    let own = keys.iter().map(|key| ((*key).to_owned(), config[*key].clone())).collect();
    Target { plugin: "autoencoder", id: id.to_owned(), config: Value::Object(own) }
}

/// Sizes go by transformers' names here as there.
fn text_model(config: &Value, layout: &str) -> Result<Target, String> {
    let family = config["model_type"].as_str().unwrap_or_default();
    let id = match family {
        "bert" | "distilbert" | "roberta" | "electra" | "albert" | "mpnet" | "deberta-v2" => {
            format!("{family}-classifier")
        }
        other => return Err(format!("no model is known for the encoder `{other}`")),
    };
    let mut own = sizes(config);
    own.insert("layout".to_owned(), json!(layout));
    own.insert("num_classes".to_owned(), config["num_labels"].clone());
    own.insert("classifier_dropout".to_owned(), json!(0.0));
    own.insert("output_attentions".to_owned(), json!(layout == "mnli"));
    own.insert("output_last_hidden_state".to_owned(), json!(layout == "mnli"));
    Ok(Target { plugin: "text", id, config: Value::Object(own) })
}

fn sentence_model(config: &Value) -> Target {
    let mut own = sizes(config);
    own.insert("num_classes".to_owned(), json!(0));
    own.insert("normalize".to_owned(), json!(true));
    own.insert("output_last_hidden_state".to_owned(), json!(true));
    Target { plugin: "text", id: "minilm-classifier".to_owned(), config: Value::Object(own) }
}

fn sizes(config: &Value) -> Map<String, Value> {
    let foreign = [
        "library",
        "model",
        "model_type",
        "num_labels",
        "sinusoidal_pos_embds",
        "architectures",
        "gradient_checkpointing",
        "position_embedding_type",
        "use_cache",
    ];
    let sizes = config.as_object().into_iter().flatten().filter(|(key, _)| !foreign.contains(&key.as_str()));
    sizes
        .map(|(key, value)| (key.clone(), if key.contains("dropout") { json!(0.0) } else { value.clone() }))
        .collect()
}
