//! Run configs and schedules.

use std::path::Path;

use fastrand::Rng;

use super::{read, survives, write};
use crate::attack::{Attack, Fault};
use crate::{mutate, scene};

/// A mutated run config, or the schedule of phases that it names.
pub struct Configs;

const PHASES: &str = r#"[[phases]]
name = "head"
modules = ["head"]
lr = 3e-3
end = { monitor = { metric = "val_loss", patience = 2 } }
restore_best = true

[[phases]]
name = "rest"
modules = ["backbone.*"]
lr = { ratio = 0.1 }
scheduler = { id = "cosine", interval = "step" }
"#;

impl Attack for Configs {
    fn name(&self) -> &'static str {
        "configs"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::write(folder)?;
        let config = folder.join("run.toml");
        let text = String::from_utf8_lossy(&read(&config)?).into_owned();
        if random.bool() {
            write(&config, mutate::text(&text, random))?;
        } else {
            let callback = "id = \"phased-finetuning\"\nschedule = \"phases.toml\"\n\n[trainer]";
            let head = text.split("id = \"backbone-finetuning\"").next().unwrap_or_default();
            let head = head.replace("backbone_finetuning", "phased_finetuning");
            write(&config, format!("{head}{callback}\nmax_epochs = 3\n"))?;
            write(&folder.join("phases.toml"), mutate::text(PHASES, random))?;
        }
        let limits = ["--set", "trainer.max_epochs=2", "--set", "trainer.max_steps=3"];
        match random.u32(..3) {
            0 => survives(folder, &[&["plan", "run.toml"], &limits[..2]].concat()),
            _ => survives(folder, &[&["fit", "run.toml", "--run-dir", "run"], &limits[..]].concat()),
        }
    }
}
