//! What other programs make of a run: TensorBoard, a MLflow server, a browser, torchrun. `cargo xtask
//! readers` installs all but the browser and runs these tests; `cargo xtask test` needs none of them.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use thaw_tests::{Finished, Live, Run, case, free_port, host, workspace};

/// Two epochs with values of single batches.
fn logged(loggers: &str) -> Run {
    Run::new(&(case("bb_steplr") + "\n[trainer]\nmax_epochs = 2\nlog_every_n_steps = 2\n" + loggers))
}

/// The Python that has `tests/readers/requirements.txt`.
fn python() -> Command {
    let python = std::env::var_os("THAW_READERS_PYTHON").expect("THAW_READERS_PYTHON names a Python");
    Command::new(python)
}

fn script(name: &str) -> PathBuf {
    workspace().join("tests/readers").join(name)
}

/// Runs a script of `tests/readers` in a run's folder.
fn read(run: &Run, name: &str, arguments: &[&str]) -> Finished {
    let mut command = python();
    command.arg(script(name)).args(arguments).current_dir(run.folder());
    Finished::run(command).succeeded()
}

#[test]
#[ignore = "needs TensorBoard: cargo xtask readers"]
fn tensorboard_reads_every_value_of_a_run_and_of_one_that_goes_on() {
    let run = logged("\n[[loggers]]\nkind = \"tensorboard\"\n");
    run.fit(&[]).succeeded();
    let reads = || read(&run, "read_tensorboard.py", &["run"]).stdout;
    assert!(reads().contains("an end"));
    run.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    assert!(reads().contains("an end"));
}

/// A MLflow server in a folder, with all that it starts.
struct Server {
    process: Live,
    uri: String,
}

impl Server {
    fn start(run: &Run, port: u16) -> Self {
        let store = format!("sqlite:///{}", run.folder().join("mlflow.db").display());
        let mut command = python();
        command
            .args(["-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"])
            .args(["--port", &port.to_string(), "--backend-store-uri", &store])
            .current_dir(run.folder())
            .process_group(0);
        let mut process = Live::start(command);
        process.prints("Application startup complete");
        Self { process, uri: uri(port) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill_group();
    }
}

fn uri(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn to_server(port: u16, experiment: &str) -> String {
    let uri = uri(port);
    format!("\n[[loggers]]\nkind = \"mlflow\"\ntracking_uri = \"{uri}\"\nexperiment = \"{experiment}\"\n")
}

#[test]
#[ignore = "needs MLflow: cargo xtask readers"]
fn a_mlflow_server_has_every_value_at_once_or_after_a_sync() {
    let port = free_port();
    let late = logged(&to_server(port, "late"));
    late.fit(&[]).succeeded().says("host log sync");
    let server = Server::start(&late, port);
    late.host(["log", "sync", "run"]).succeeded();
    read(&late, "read_mlflow.py", &[&server.uri, "late", "run"]);

    let live = logged(&to_server(port, "live"));
    live.fit(&[]).succeeded().does_not_say("host log sync");
    read(&live, "read_mlflow.py", &[&server.uri, "live", "run"]);
}

#[test]
#[ignore = "needs Chromium: cargo xtask readers"]
fn a_browser_draws_the_report_and_has_nothing_to_say() {
    let name = "<script>alert(1)</script>";
    let run = Run::new(
        "seed = 5\nplugins = [\"autoencoder\"]\n\
         [model]\nid = \"autoencoder-classifier\"\nhidden_dim = 16\nlatent_dim = 8\nnum_classes = 2\n\
         [data]\nkind = \"list\"\npath = \"photos/list.csv\"\nimage_size = 32\nval_split = 0.3\n\
         batch_size = 8\nworkers = 0\n[optimizer]\nid = \"adam\"\nlr = 0.01\n[trainer]\nmax_epochs = 2\n",
    );
    let mut list = "path,label\n".to_owned();
    for number in 0..24_u8 {
        let picture = image::RgbImage::from_fn(32, 32, |x, y| {
            image::Rgb([(x as u8).wrapping_mul(number), (y as u8).wrapping_mul(number), 9 * number])
        });
        picture.save(run.write(&format!("photos/{number}.png"), "")).unwrap();
        list += &format!("{number}.png,{}\n", if number % 2 == 0 { name } else { "owl" });
    }
    run.write("photos/list.csv", list);
    run.fit(&[]).succeeded();
    let charts = ["lines=5", "thaw=2", "matrix=1", "bars=1"];
    let report = [&["run/report.html"][..], &charts, &["--text", name, "--text", "owl"]].concat();
    read(&run, "open_report.py", &report);
}

/// `torchrun --no-python --standalone --nproc-per-node=2 host fit run.toml --run-dir run`.
fn torchrun(run: &Run, more: &[&str]) -> Finished {
    torchrun_again(run, 0, more)
}

/// The same, where all are started anew so many times after one has failed.
fn torchrun_again(run: &Run, restarts: usize, more: &[&str]) -> Finished {
    let mut command = python();
    command.args(["-m", "torch.distributed.run", "--no-python", "--standalone", "--nproc-per-node=2"]);
    command.arg(format!("--max-restarts={restarts}"));
    command.arg(host()).args(["fit", "run.toml", "--run-dir", "run"]).args(more);
    command.current_dir(run.folder()).env("OMP_NUM_THREADS", "1").env("CUDA_VISIBLE_DEVICES", "");
    Finished::run(command)
}

#[test]
#[ignore = "needs PyTorch: cargo xtask readers"]
fn torchrun_starts_processes_that_train_together_and_shows_which_one_failed() {
    let fails = "[[callbacks]]\nid = \"case-rank\"\nrank = 1\nat_step = 6\ndoes = \"fail\"\n";
    let config = case("bb_steplr").replace("[\"case_model\"]", "[\"case_model\", \"case_strategies\"]");
    let run = Run::new(&(config + fails));
    let steps = ["--set", "trainer.max_steps=4"];
    assert!(torchrun(&run, &steps).succeeded().stdout.contains("processes  2"));
    // It goes on, fails, and is restarted twice, to fail at the same step again.
    let more = ["--resume", "auto", "--set", "trainer.max_steps=9"];
    let finished = torchrun_again(&run, 2, &more);
    // Each of its attempts meets anew.
    assert_eq!(finished.stdout.matches("processes  2").count(), 3, "{finished}");
    assert_eq!(finished.code(), Some(1), "{finished}");
    let disk = "the disk of rank 1 of 2 is full";
    assert!(finished.stderr.contains("error: rank 1 failed: callback `case-rank`"), "{finished}");
    let (_, cause) = finished.stderr.split_once("Root Cause").expect("torchrun names one");
    assert!(cause.contains("rank      : 1") && cause.contains(disk), "{finished}");
}

/// A run of a recorded directory of `tests/fixtures`, exported for transformers, with predictions of its
/// training samples.
fn exported(plugin: &str, folder: PathBuf, data: &str, input: &str, lr: &str) -> Run {
    let run = Run::new(&format!(
        "plugins = [\"{plugin}\"]\n[model]\npath = {folder:?}\n[data]\n{data}\n[optimizer]\nid = \"sgd\"\n\
         lr = {lr}\n[trainer]\nmax_epochs = 1\n"
    ));
    run.write("texts.csv", "text,label\ngood film,up\nbad awful film,down\nfine,up\n");
    run.fit(&[]).succeeded();
    run.host(["export", "--checkpoint", "run", "--hf", "exported"]).succeeded();
    run.host(["predict", "--checkpoint", "run", "--input", input, "--output", "out.jsonl", "--all"])
        .succeeded();
    run
}

#[test]
#[ignore = "needs transformers: cargo xtask readers"]
fn transformers_loads_what_was_exported_and_says_the_same() {
    let fixtures = workspace().join("tests/fixtures");
    for family in ["bert", "distilbert", "roberta", "electra", "albert", "mpnet", "deberta"] {
        let data = "kind = \"text\"\npath = \"texts.csv\"";
        let run = exported("text", fixtures.join("hub").join(family), data, "texts.csv", "0.05");
        let texts = ["texts", "good film", "bad awful film", "fine"];
        read(&run, "load_directory.py", &[&["exported", "out.jsonl"][..], &texts].concat());
    }
    for family in ["vit", "convnext", "resnet", "resnet_basic", "swin"] {
        let pictures = fixtures.join("hub_pictures/pictures");
        let pictures = pictures.to_str().unwrap();
        let data = format!("kind = \"image-folder\"\npath = {pictures:?}");
        let folder = fixtures.join("hub_pictures").join(family);
        let run = exported("vision", folder, &data, pictures, "0.001");
        let files = ["cat/a.png", "dog/b.png", "owl/c.png", "owl/wide.png"];
        let files = files.map(|file| format!("{pictures}/{file}"));
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        read(&run, "load_directory.py", &[&["exported", "out.jsonl", "pictures"][..], &files].concat());
    }
}
