use super::*;

fn parse(toml: &str) -> std::result::Result<OptimizerConfig, String> {
    let table: toml::Table = toml.parse().unwrap();
    let table = serde_json::to_value(table).unwrap();
    OptimizerConfig::from_value(&table, &OptimizerConfig::key()).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_pytorch() {
    let sgd = parse("id = 'sgd'").unwrap();
    assert_eq!(sgd.algorithm, Algorithm::Sgd { momentum: 0.0, dampening: 0.0, nesterov: false });
    assert_eq!((sgd.lr, sgd.weight_decay, sgd.maximize, sgd.parameters), (1e-3, 0.0, false, None));
    let adam = parse("id = 'adam'").unwrap();
    let same = AdamConfig { betas: [0.9, 0.999], eps: 1e-8, amsgrad: false };
    assert_eq!((adam.algorithm, adam.weight_decay), (Algorithm::Adam(same), 0.0));
    let adamw = parse("id = 'adamw'").unwrap();
    assert_eq!((adamw.algorithm, adamw.weight_decay), (Algorithm::AdamW(same), 0.01));
}

#[test]
fn every_key_is_read() {
    let sgd = parse(
        "id='sgd'\nlr=1\nmomentum=0.9\nnesterov=true\nweight_decay=0.1\nmaximize=true\nparameters=['head']",
    )
    .unwrap();
    assert_eq!(sgd.algorithm, Algorithm::Sgd { momentum: 0.9, dampening: 0.0, nesterov: true });
    assert_eq!((sgd.lr, sgd.weight_decay, sgd.maximize), (1.0, 0.1, true));
    assert_eq!(sgd.parameters.as_deref(), Some(&["head".to_owned()][..]));
    let adam = parse("id='adam'\nbetas=[0.8, 0.9]\neps=1e-6\namsgrad=true").unwrap();
    assert_eq!(adam.algorithm, Algorithm::Adam(AdamConfig { betas: [0.8, 0.9], eps: 1e-6, amsgrad: true }));
}

#[test]
fn a_config_survives_being_written_and_read() {
    for id in OptimizerConfig::IDS {
        let config = OptimizerConfig {
            parameters: Some(vec!["a.*".into()]),
            ..OptimizerConfig::default_for(id).unwrap()
        };
        assert_eq!(parse(&toml::to_string(&config).unwrap()).unwrap(), config);
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<OptimizerConfig>(&json).unwrap(), config);
    }
}

#[test]
fn checkpoints_keep_it_as_version_1_0_wrote_it() {
    for (id, written) in [
        (
            "sgd",
            concat!(
                r#"{"id":"sgd","momentum":0.0,"dampening":0.0,"nesterov":false,"lr":0.001,"#,
                r#""weight_decay":0.0,"maximize":false}"#
            ),
        ),
        (
            "adamw",
            concat!(
                r#"{"id":"adamw","betas":[0.9,0.999],"eps":1e-8,"amsgrad":false,"lr":0.001,"#,
                r#""weight_decay":0.01,"maximize":false}"#
            ),
        ),
    ] {
        assert_eq!(serde_json::to_string(&OptimizerConfig::default_for(id).unwrap()).unwrap(), written);
    }
}

#[test]
fn errors_name_key_value_and_nearest() {
    for (toml, expected) in [
        ("lr = 0.1", "missing key `optimizer.id`, expected one of sgd, adam, adamw"),
        (
            "id = 'adamv'",
            "`optimizer.id` is \"adamv\", expected one of sgd, adam, adamw; did you mean `adam`?",
        ),
        ("id = 'sgd'\nmomentun = 1", "unknown key `optimizer.momentun`, did you mean `momentum`?"),
        ("id = 'adam'\nmomentum = 0.9", "unknown key `optimizer.momentum`; the keys are: id, betas, eps"),
        ("id = 'sgd'\nlr = 'fast'", "`optimizer.lr` is \"fast\", expected a number"),
        ("id = 'sgd'\nlr = -1", "`optimizer.lr` is -1.0, expected a number of at least 0.0"),
        ("id = 'sgd'\nweight_decay = -0.5", "`optimizer.weight_decay` is -0.5"),
        ("id = 'sgd'\nmomentum = -0.5", "`optimizer.momentum` is -0.5"),
        ("id = 'sgd'\nnesterov = true", "`optimizer.nesterov` is true with momentum 0 and dampening 0"),
        (
            "id = 'adam'\nbetas = [0.9, 1.0]",
            "`optimizer.betas` is 1.0, expected a number of at least 0.0 and less than 1.0",
        ),
        ("id = 'adam'\nbetas = [0.9]", "`optimizer.betas` is [0.9], expected a list of length 2"),
        ("id = 'adam'\neps = -1e-8", "`optimizer.eps` is -1e-8"),
    ] {
        let error = parse(toml).unwrap_err();
        assert!(error.contains(expected), "{toml}: {error}");
    }
}
