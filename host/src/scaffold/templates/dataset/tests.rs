use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::testing::{assert_dataset, open_dataset};

use super::MyPlugin;

#[test]
fn points_lie_on_the_ring_of_their_class() -> Result<()> {
    let data: MyPlugin = open_dataset(json!({ "radius": 3.0 }))?;
    for (index, radius) in [(0, 1.0), (1, 3.0), (127, 3.0)] {
        let sample = data.get(Split::Train, index)?;
        let Input::Arrays(arrays) = &sample.input else {
            bail!("found {}, expected arrays", sample.input.kind());
        };
        let point: Vec<f32> = arrays[0].1.to_vec()?;
        assert!((point[0].hypot(point[1]) - radius).abs() < 1e-6);
        assert_eq!(sample.target, Some(Target::Class(index % 2)));
    }
    Ok(())
}

#[test]
fn it_keeps_what_the_host_relies_on() -> Result<()> {
    assert_dataset::<MyPlugin>(json!({ "points": 20 }))
}
