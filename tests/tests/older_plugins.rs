//! A plugin built from the first plugin-api's sources, kept in `tests/abi`, in today's program.

use serde_json::Value;
use thaw_plugin_api::VERSION;
use thaw_tests::{Run, case, old_strategy};

#[test]
fn a_plugin_on_the_first_plugin_api_trains_beside_today_s() {
    let config = case("bb_steplr").replace("plugins = [", &format!("plugins = [{:?}, ", old_strategy()));
    let run = Run::new(
        &(config
            + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 3\n\
               [[callbacks]]\nid = \"old-strategy\"\nunfreeze_at_epoch = 1\n"),
    );
    run.fit(&[]).succeeded();
    let plugins = run.json("plugins.json");
    let versions: Vec<&Value> =
        plugins.as_array().unwrap().iter().map(|plugin| &plugin["plugin_api"]).collect();
    assert_eq!(versions, ["1.0.0", VERSION], "{plugins}");
    let groups = run.groups();
    let trainable = |epoch: usize| groups[epoch]["trainable"].as_array().unwrap().len();
    assert!(trainable(0) == 2 && trainable(1) > 2, "{groups:?}");
    let logged =
        run.metrics().iter().filter_map(|record| record.get("old_steps")?.as_f64()).fold(0.0, f64::max);
    assert!(logged > 0.0, "its own state and metrics work");
}
