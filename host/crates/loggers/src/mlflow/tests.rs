//! Runs against servers that are well, refuse, are dead, or never answer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;

/// What a server answers.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Refusing(u16),
    /// Takes a request and keeps the connection.
    Silent,
}

/// A server on this machine.
struct Fake {
    uri: String,
    state: Arc<Mutex<(Mood, Vec<(String, Value)>)>>,
}

impl Fake {
    fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new((mood, Vec::new())));
        let shared = state.clone();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let Some((path, body)) = request(&stream) else { continue };
                let mut state = shared.lock().unwrap();
                match state.0 {
                    Mood::Well => {
                        let reply = reply(&path);
                        state.1.push((path, body));
                        answer(stream, 200, &reply);
                    }
                    Mood::Refusing(status) => {
                        let error = json!({ "error_code": "INTERNAL_ERROR", "message": "not today" });
                        answer(stream, status, &error);
                    }
                    Mood::Silent => kept.push(stream),
                }
            }
        });
        Self { uri, state }
    }

    fn be(&self, mood: Mood) {
        self.state.lock().unwrap().0 = mood;
    }

    /// The requests that were taken, as the end of the address with what is in the body.
    fn taken(&self) -> Vec<(String, Value)> {
        self.state.lock().unwrap().1.clone()
    }

    fn paths(&self) -> Vec<String> {
        self.taken().into_iter().map(|(path, _)| path).collect()
    }
}

fn request(stream: &TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.trim_start_matches("/api/2.0/mlflow/").to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, serde_json::from_slice(&body).unwrap_or_default()))
}

fn reply(path: &str) -> Value {
    match path.split('?').next().unwrap() {
        "experiments/get-by-name" => json!({ "experiment": { "experiment_id": "7" } }),
        "runs/create" => json!({ "run": { "info": { "run_id": "abc" } } }),
        _ => json!({}),
    }
}

fn answer(mut stream: TcpStream, status: u16, body: &Value) {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
}

fn open(uri: &str, folder: &Path, begin: &Begin, timeout: f64) -> MlflowLogger {
    let config = MlflowConfig {
        tracking_uri: Some(uri.to_owned()),
        experiment: "mine and yours".to_owned(),
        run_name: None,
        timeout,
    };
    let table = json!({ "seed": 1, "optimizer": { "lr": 0.5 } });
    let run = Run { folder, config: &table, time: OffsetDateTime::UNIX_EPOCH };
    MlflowLogger::open(&config, &run, begin).unwrap()
}

/// A short run: two records and its end. Gives what it was warned of.
fn train(mut logger: MlflowLogger) -> Vec<String> {
    for step in 1..3 {
        let values = [("train_loss".to_owned(), 0.5), ("lr-head".to_owned(), f64::NAN)];
        let time = OffsetDateTime::UNIX_EPOCH;
        logger.log(&Entry { epoch: 0, step, time, values: &values }).unwrap();
    }
    logger.end(Ending::Finished, OffsetDateTime::UNIX_EPOCH).unwrap();
    logger.warnings()
}

fn unsent(folder: &Path) -> usize {
    let text = std::fs::read_to_string(folder.join("mlflow/unsent.jsonl")).unwrap_or_default();
    text.lines().count()
}

/// Requests of a short run: parameters, two records, its end.
const REQUESTS: usize = 4;

#[test]
fn a_server_gets_parameters_metrics_and_the_end() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Fake::start(Mood::Well));
    let warnings = train(open(&server.uri, folder.path(), &Begin::New, 60.0));
    assert!(warnings.is_empty(), "{warnings:?}");
    let taken = server.taken();
    let expected = [
        "experiments/get-by-name?experiment_name=mine%20and%20yours",
        "runs/create",
        "runs/log-batch",
        "runs/log-batch",
        "runs/log-batch",
        "runs/update",
    ];
    assert_eq!(server.paths(), expected);
    assert_eq!(taken[1].1["experiment_id"], "7");
    assert_eq!(
        taken[2].1["params"],
        json!([{ "key": "seed", "value": "1" }, { "key": "optimizer.lr", "value": "0.5" }])
    );
    let metric = |key, value| json!({ "key": key, "value": value, "timestamp": 0, "step": 2 });
    let metrics = json!([
        metric("epoch", json!(0.0)),
        metric("train_loss", json!(0.5)),
        metric("lr-head", json!("NaN"))
    ]);
    assert_eq!(taken[4].1["metrics"], metrics);
    assert_eq!(taken[5].1, json!({ "run_id": "abc", "status": "FINISHED", "end_time": 0 }));
    assert_eq!(unsent(folder.path()), 0);
}

#[test]
fn what_a_server_refuses_is_kept_and_sent_later() {
    for status in [400, 500] {
        let (folder, server) = (tempfile::tempdir().unwrap(), Fake::start(Mood::Refusing(status)));
        train(open(&server.uri, folder.path(), &Begin::New, 60.0));
        assert_eq!(unsent(folder.path()), REQUESTS);
        let error = sync(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("HTTP {status}: not today")), "{error}");
        assert_eq!(unsent(folder.path()), REQUESTS, "nothing is lost");
        server.be(Mood::Well);
        assert_eq!(sync(folder.path()).unwrap().requests, REQUESTS);
        assert_eq!(server.paths().len(), REQUESTS + 2, "the experiment, the run, and what was kept");
        assert_eq!(server.taken().last().unwrap().1["status"], "FINISHED");
        assert_eq!(sync(folder.path()).unwrap().requests, 0, "all is sent");
    }
}

#[test]
fn a_dead_server_ends_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let warnings = train(open(&format!("http://{nobody}"), folder.path(), &Begin::New, 60.0));
    let [why, what_now] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(why.contains("what is not sent is kept in"), "{why}");
    let expected = format!("host log sync {}", folder.path().display());
    assert!(what_now.ends_with(&expected), "{what_now}");
    assert_eq!(unsent(folder.path()), REQUESTS);
}

#[test]
fn a_server_that_never_answers_ends_no_run() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Fake::start(Mood::Silent));
    // The end does not wait as long as an answer may take.
    let warnings = train(open(&server.uri, folder.path(), &Begin::New, 3600.0));
    assert!(warnings.last().is_some_and(|text| text.contains("host log sync")), "{warnings:?}");
    assert_eq!(unsent(folder.path()), REQUESTS);
    server.be(Mood::Well);
    assert_eq!(sync(folder.path()).unwrap().requests, REQUESTS);
}

#[test]
fn what_a_killed_run_logged_is_sent_later() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Fake::start(Mood::Well));
    let mlflow = folder.path().join("mlflow");
    std::fs::create_dir(&mlflow).unwrap();
    Identity::new(&server.uri, "mine and yours", "run", 0).write(&mlflow).unwrap();
    // As a kill leaves it: some is being sent, some came after that, and a line was only half written.
    let metrics = |step| Item::Metrics(vec![Metric::new("train_loss", 0.5, 0, step)]);
    let unsent = Unsent::new(&mlflow);
    unsent.append(&[metrics(1), metrics(2)]).unwrap();
    std::fs::rename(unsent.path(), mlflow.join("sending.jsonl")).unwrap();
    unsent.append(&[metrics(3)]).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(unsent.path()).unwrap();
    file.write_all(b"{\"metr").unwrap();
    assert_eq!(sync(folder.path()).unwrap().requests, 3);
    let steps: Vec<Value> =
        server.taken().iter().filter_map(|(_, body)| Some(body.get("metrics")?[0]["step"].clone())).collect();
    assert_eq!(steps, [1, 2, 3]);
    assert_eq!(sync(folder.path()).unwrap().requests, 0);
}

#[test]
fn what_is_logged_is_on_disk_before_anybody_sends_it() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Fake::start(Mood::Silent));
    let mut logger = open(&server.uri, folder.path(), &Begin::New, 60.0);
    let values = [("train_loss".to_owned(), 0.5)];
    for step in 1..3 {
        let entry = Entry { epoch: 0, step, time: OffsetDateTime::UNIX_EPOCH, values: &values };
        logger.log(&entry).unwrap();
        let kept = ["unsent.jsonl", "sending.jsonl"]
            .map(|name| std::fs::read_to_string(folder.path().join("mlflow").join(name)).unwrap_or_default());
        assert_eq!(kept.concat().matches("train_loss").count(), step);
    }
}

#[test]
fn a_run_that_goes_on_goes_on_in_the_same_run_of_the_server() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Fake::start(Mood::Well));
    train(open(&server.uri, folder.path(), &Begin::New, 60.0));
    let before = server.taken().len();
    // The end of the first part is no end any more where it was not sent yet.
    server.be(Mood::Refusing(500));
    let resumed = Begin::Resumed { step: 2, kept: Value::Null };
    train(open(&server.uri, folder.path(), &resumed, 60.0));
    server.be(Mood::Well);
    train(open(&server.uri, folder.path(), &resumed, 60.0));
    let after = server.taken().split_off(before);
    assert!(after.iter().all(|(_, body)| body["run_id"] == "abc"), "{after:?}");
    assert!(after.iter().all(|(_, body)| body.get("params").is_none()), "parameters are never sent again");
    let states: Vec<&Value> = after.iter().filter_map(|(_, body)| body.get("status")).collect();
    assert_eq!(states, ["RUNNING", "RUNNING", "FINISHED"]);
}

#[test]
fn a_run_that_did_not_log_there_has_nothing_to_send() {
    let folder = tempfile::tempdir().unwrap();
    let error = sync(folder.path()).unwrap_err().to_string();
    assert!(error.contains("did not log to MLflow"), "{error}");
}
