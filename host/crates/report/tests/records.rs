//! Reports of run directories of every kind: whole ones, cut ones, old ones, and what is none.

use std::path::Path;

use tempfile::TempDir;
use thaw_report::run::RunState;
use thaw_report::{Run, page, write};

const CONFIG: &str = "[model]\nid = \"net\"\n[trainer]\nmax_epochs = 3\n[checkpoint]\nenabled = true\n";

/// A run directory with these files beside its config.
fn run_dir(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn metrics(epochs: usize) -> String {
    let record = |epoch: usize| {
        let (loss, val_loss) = (1.0 / (epoch + 1) as f64, 0.5 - 0.1 * epoch as f64);
        format!(
            "{{\"epoch\":{epoch},\"step\":{},\"train_loss\":{loss},\"val_loss\":{val_loss}}}\n",
            epoch * 4
        )
    };
    (0..epochs).map(record).collect()
}

const STARTED: &str = concat!(
    r#"{"epoch":0,"step":0,"time":"2026-01-01T00:00:00.000Z","seconds":0.1,"event":"started","#,
    r#""thaw":"1.0.0","#,
    r#""libtorch":"2.11.0","device":"cpu","machine":{"system":"linux","architecture":"x86_64","cpu":null,"#,
    r#""cores":2,"threads":1,"memory":null},"model":"net","data":"two <b>classes</b>","train_samples":8,"#,
    r#""val_samples":4,"class_names":["<script>alert(1)</script>","b"],"#,
    r#""modules":[{"path":"net","kind":"Linear","elements":4,"parameters":["net.weight"]}]}"#,
    "\n"
);

fn page_of(folder: &Path) -> String {
    page::render(&Run::read(folder).unwrap())
}

fn error_of(folder: &Path) -> String {
    Run::read(folder).unwrap_err().to_string()
}

#[test]
fn names_from_data_are_text_and_never_markup() {
    let confusion =
        r#"{"epoch":0,"step":4,"classes":2,"counts":[[0,0,2],[0,1,1],[1,1,3]]}"#.to_owned() + "\n";
    let warned = "{\"epoch\":0,\"step\":1,\"event\":\"warned\",\"text\":\"<img src=x \
     onerror=alert(2)>\"}\n";
    let history = STARTED.to_owned() + warned;
    let metrics = "{\"epoch\":0,\"step\":4,\"train_loss\":1.0,\"lr-<i>\":0.1,\"</svg><script>\":2}\n";
    let files = [("confusion.jsonl", &*confusion), ("history.jsonl", &*history), ("metrics.jsonl", metrics)];
    let page = page_of(run_dir(&files).path());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    for markup in ["<script", "<img", "<i>", "<b>", "http://", "https://"] {
        assert!(!page.contains(markup), "{markup} in {page}");
    }
    assert!(page.contains("5 of 6 samples of validation are right"), "{page}");
}

#[test]
fn texts_of_samples_are_text_and_a_thumbnail_is_one_of_the_run() {
    let sample = |more: &str| {
        format!("{{\"sample\":\"<b>7\",\"target\":\"<i>\",\"prediction\":\"no\",\"probability\":0.75{more}}}")
    };
    let samples = [
        sample(",\"text\":\"<script>alert(1)</script>\""),
        sample(",\"picture\":\"../../secret.jpg\""),
        sample(",\"picture\":\"there.jpg\""),
        sample(",\"picture\":\"other.jpg\""),
    ];
    let samples = format!("{{\"epoch\":0,\"step\":4,\"wrong\":[{}],\"unsure\":[]}}\n", samples.join(","));
    let folder = run_dir(&[("samples.jsonl", &*samples), ("history.jsonl", STARTED)]);
    std::fs::create_dir(folder.path().join("samples")).unwrap();
    std::fs::write(folder.path().join("samples/there.jpg"), [0xff, 0xd8, 0xff, 0]).unwrap();
    std::fs::write(folder.path().join("samples/other.jpg"), "no picture").unwrap();
    let page = page_of(folder.path());
    assert!(page.contains("<blockquote>&lt;script&gt;alert(1)&lt;/script&gt;</blockquote>"), "{page}");
    assert_eq!(page.matches("<img").count(), 1, "{page}");
    assert!(page.contains("src=\"data:image/jpeg;base64,/9j/AA==\""), "{page}");
    assert!(page.contains("no for &lt;i&gt;") && page.contains("75.0%"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<i>") && !page.contains("<b>"), "{page}");
}

#[test]
fn a_half_written_last_record_is_left_out_and_said() {
    let half = metrics(2) + "{\"epoch\":2,\"step\":8,\"train_lo";
    let folder = run_dir(&[("metrics.jsonl", &half)]);
    let run = Run::read(folder.path()).unwrap();
    assert_eq!((run.epochs(), run.metrics.len()), (2, 2));
    assert!(page::render(&run).contains("The last record of metrics.jsonl is not complete"));
}

#[test]
fn a_record_that_is_none_in_the_middle_is_an_error_with_its_line() {
    let damaged = format!("{}{{\"epoch\":\n{}", metrics(1), metrics(1));
    let error = error_of(run_dir(&[("metrics.jsonl", &damaged)]).path());
    assert!(
        error.contains("metrics.jsonl: line 2") && error.contains("expected a record of a run"),
        "{error}"
    );
    let classes = "{\"epoch\":0,\"step\":1,\"classes\":2,\"counts\":[[0,2,1]]}\n";
    let error = error_of(run_dir(&[("confusion.jsonl", classes)]).path());
    assert!(error.contains("confusion.jsonl: record 1: class 2 of 2 classes"), "{error}");
    let classes = "{\"epoch\":0,\"step\":1,\"classes\":1000000000000,\"counts\":[]}\n";
    let error = error_of(run_dir(&[("confusion.jsonl", classes)]).path());
    assert!(error.contains("record 1: 1000000000000 classes"), "{error}");
}

#[test]
fn a_folder_that_is_no_run_directory_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = error_of(folder.path());
    assert!(error.contains("config.toml: it is not there; expected a run directory"), "{error}");
    std::fs::write(folder.path().join("config.toml"), "[package]\nname = \"other\"\n").unwrap();
    let error = error_of(folder.path());
    assert!(error.contains("config.toml: it has no table [model]; expected a run directory"), "{error}");
    assert!(write(folder.path(), None).is_err());
    assert!(!folder.path().join("report.html").exists());
}

#[test]
fn a_run_without_validation_has_its_curves() {
    let metrics =
        "{\"epoch\":0,\"step\":4,\"train_loss\":1.0}\n{\"epoch\":1,\"step\":8,\"train_loss\":null}\n";
    let folder = run_dir(&[("metrics.jsonl", metrics)]);
    let run = Run::read(folder.path()).unwrap();
    assert_eq!((run.ranking().0.as_str(), run.best()), ("train_loss", Some((0, 1.0))));
    let page = page::render(&run);
    assert!(page.contains("train_loss: 1 of 2 values are no numbers"), "{page}");
    assert!(!page.contains("NaN") && !page.contains("id=\"classes\""), "{page}");
}

#[test]
fn a_run_that_has_just_begun_has_a_page() {
    let folder = run_dir(&[("metrics.jsonl", ""), ("groups.jsonl", ""), ("history.jsonl", STARTED)]);
    let page = page_of(folder.path());
    assert!(page.contains("id=\"config\"") && !page.contains("id=\"curves\""), "{page}");
}

#[test]
fn how_a_run_ended_is_what_its_last_process_said() {
    let ended = |ending: &str| format!("{{\"epoch\":1,\"step\":4,\"event\":\"ended\",{ending}}}\n");
    let state = |history: &str| {
        let folder = run_dir(&[("history.jsonl", history), ("metrics.jsonl", &metrics(1))]);
        Run::read(folder.path()).unwrap().state
    };
    let failed = ended("\"ending\":\"failed\",\"reason\":\"no memory\"");
    assert_eq!(state(&(STARTED.to_owned() + &failed)), RunState::Failed("no memory".to_owned()));
    let interrupted = STARTED.to_owned() + &ended("\"ending\":\"interrupted\"");
    assert_eq!(state(&interrupted), RunState::Interrupted);
    assert_eq!(state(&(interrupted + STARTED)), RunState::Gone);
}

#[test]
fn a_run_of_an_earlier_version_is_done_when_its_epochs_are() {
    for (epochs, state) in [(3, RunState::Done(None)), (2, RunState::Gone)] {
        let groups = "{\"epoch\":0,\"step\":0,\"groups\":[{\"name\":\"all\",\"lr\":0.1,\
                      \"parameters\":[\"a.weight\"]}],\
                      \"trainable\":[\"a.weight\"],\"batch_norm\":{}}\n";
        let folder = run_dir(&[("metrics.jsonl", &metrics(epochs)), ("groups.jsonl", groups)]);
        let run = Run::read(folder.path()).unwrap();
        assert_eq!(run.state, state);
        let page = page::render(&run);
        assert!(page.contains("only those that trained once"), "{page}");
        assert!(page.contains("class=\"cell r4\""), "{page}");
    }
}

#[test]
fn epochs_that_a_resume_took_back_take_no_time() {
    let epoch = |epoch: usize, training: f64| {
        format!(
            "{{\"epoch\":{epoch},\"step\":{0},\"event\":\"epoch_ended\",\
             \"training\":{training},\"validation\":1.0,\
             \"checkpoints\":0.0,\"samples\":8}}\n\
             {{\"epoch\":{1},\"step\":{0},\"event\":\"checkpoint_written\",\
             \"name\":\"e\",\"took\":0.5}}\n",
            epoch * 4 + 4,
            epoch + 1
        )
    };
    let resumed = "{\"epoch\":1,\"step\":4,\"event\":\"resumed\",\"checkpoint\":\"e\"}\n";
    let history = [STARTED, &epoch(0, 2.0), &epoch(1, 4.0), STARTED, resumed, &epoch(1, 8.0)].concat();
    let folder = run_dir(&[("history.jsonl", &history)]);
    let times = thaw_report::run::epoch_times(&Run::read(folder.path()).unwrap());
    let found: Vec<_> = times.iter().map(|time| (time.epoch, time.training, time.checkpoints)).collect();
    assert_eq!(found, [(0, 2.0, 0.5), (1, 8.0, 0.5)]);
    assert_eq!(times[1].samples_per_second(), Some(1.0));
}
