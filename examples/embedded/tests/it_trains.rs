//! The program, as a user runs it.

use std::process::Command;

#[test]
fn the_points_are_told_apart() {
    let folder = std::env::temp_dir().join(format!("thaw-embedded-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_embedded")).current_dir(&folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    // Both classes are learnt: a guess would have 0.69.
    let loss = text.split("value: ").nth(1).and_then(|rest| rest.split(',').next()).map(str::parse::<f64>);
    assert!(matches!(loss, Some(Ok(loss)) if loss < 0.3), "{text}");
    // The run is there as that of the program `host` would be.
    let runs = std::fs::read_dir(folder.join("runs")).unwrap();
    let run = runs.map(|run| run.unwrap().path()).next().unwrap();
    assert!(run.join("metrics.jsonl").is_file() && run.join("checkpoints/best").exists());
    std::fs::remove_dir_all(&folder).unwrap();
}
