//! The head of a run.

use tch::Device;

use thaw_train::fit::events::RunStarted;
use thaw_train::plan::count;

/// Columns of the words that say what a line is.
pub const INDENT: usize = 11;

/// What trains on what, and where it is written.
pub fn of(run: &RunStarted<'_>) -> String {
    let firsts = run.tree.parameters().filter(|parameter| parameter.tied_to.is_none());
    let parameters = count(firsts.map(|parameter| parameter.numel()).sum());
    let trial = run.config.trainer.fast_dev_run.batches().map_or_else(String::new, |batches| {
        let batches = if batches == 1 { "1 batch".to_owned() } else { format!("{batches} batches") };
        format!("\ntrial      fast_dev_run: {batches} of training and validation, no checkpoints")
    });
    let processes = match (run.processes, run.batch_size) {
        (1, _) => String::new(),
        (several, batch) => format!("\nprocesses  {several}, batches of {batch} samples in all"),
    };
    format!(
        "model      {} ({parameters} parameters) on {}\ndata       {}\nplugins    {}\n\
         run        {}{processes}{trial}",
        run.model,
        device_name(run.device),
        run.data,
        run.plugins.join(", "),
        run.shown_run_dir.display()
    )
}

fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}
