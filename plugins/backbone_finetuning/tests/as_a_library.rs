use thaw_backbone_finetuning::BackboneFinetuning;
use thaw_plugin_api::{Result, config};

#[test]
fn the_factor_may_be_a_function() -> Result<()> {
    let strategy: BackboneFinetuning = config::parse(r#"{ "unfreeze_backbone_at_epoch": 3 }"#)?;
    let strategy = strategy.with_lambda(|epoch| 1.0 + 1.0 / epoch as f64);
    assert_eq!(strategy.unfreeze_backbone_at_epoch, 3);
    Ok(())
}
