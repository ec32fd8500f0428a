//! The REST API of an MLflow server.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use super::identity::Identity;
use super::item::Item;

/// Names that MLflow's own client reads credentials from.
const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";
const USERNAME: &str = "MLFLOW_TRACKING_USERNAME";
const PASSWORD: &str = "MLFLOW_TRACKING_PASSWORD";

/// Bytes of an answer that are read.
const ANSWER: u64 = 1 << 20;
/// Letters of an error that are shown.
const SHOWN: usize = 300;

/// Why the server did not take something.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    /// It cannot be reached, or does not answer in time.
    #[error("{uri}: {source}")]
    Unreachable { uri: String, source: Box<ureq::Error> },
    /// It answered with an error.
    #[error("{uri}: HTTP {status}: {message}")]
    Refused { uri: String, status: u16, code: String, message: String },
    /// Its answer is not that of an MLflow server.
    #[error("{uri}: the answer lacks `{key}`; is this an MLflow server?")]
    Answer { uri: String, key: &'static str },
}

/// Who asks.
#[derive(Clone)]
pub(super) enum Credentials {
    None,
    /// The value of the header `Authorization`.
    Header(String),
}

/// An MLflow server.
pub(super) struct Server {
    agent: Agent,
    uri: String,
    credentials: Credentials,
}

impl Credentials {
    /// A token, or a user with a password, from the environment.
    pub(super) fn of_environment() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(token) = variable(TOKEN) {
            return Self::Header(format!("Bearer {token}"));
        }
        match variable(USERNAME) {
            Some(user) => {
                let pair = format!("{user}:{}", variable(PASSWORD).unwrap_or_default());
                Self::Header(format!("Basic {}", BASE64_STANDARD.encode(pair)))
            }
            None => Self::None,
        }
    }
}

impl Server {
    /// A server that is to answer within a time.
    pub(super) fn new(uri: &str, credentials: Credentials, timeout: Duration) -> Self {
        let config = Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false);
        Self { agent: config.build().into(), uri: uri.to_owned(), credentials }
    }

    /// Makes the run; gives its id.
    pub(super) fn create_run(&self, run: &Identity) -> Result<String, ServerError> {
        let experiment = self.experiment(&run.experiment)?;
        let tags = json!([{ "key": "mlflow.source.name", "value": "thaw" }]);
        let body = json!({
            "experiment_id": experiment,
            "run_name": run.run_name,
            "start_time": run.start_time,
            "tags": tags,
        });
        let answer = self.post("runs/create", &body)?;
        self.text(&answer, "/run/info/run_id", "run.info.run_id")
    }

    /// Sends an item.
    pub(super) fn send(&self, run_id: &str, item: &Item) -> Result<(), ServerError> {
        let (path, body) = item.request(run_id);
        self.post(path, &body).map(drop)
    }

    /// Id of an experiment, which is made where there is none.
    fn experiment(&self, name: &str) -> Result<String, ServerError> {
        let uri = self.address("experiments/get-by-name");
        let request = self.agent.get(&uri).query("experiment_name", name);
        let request = match &self.credentials {
            Credentials::None => request,
            Credentials::Header(value) => request.header("Authorization", value),
        };
        let found =
            request.call().map_err(|error| unreachable(&uri, error)).and_then(|answer| read(&uri, answer));
        match found {
            Ok(answer) => self.text(&answer, "/experiment/experiment_id", "experiment.experiment_id"),
            Err(ServerError::Refused { code, .. }) if code == "RESOURCE_DOES_NOT_EXIST" => {
                let answer = self.post("experiments/create", &json!({ "name": name }))?;
                self.text(&answer, "/experiment_id", "experiment_id")
            }
            Err(error) => Err(error),
        }
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, ServerError> {
        let uri = self.address(path);
        let request = self.agent.post(&uri).header("Content-Type", "application/json");
        let request = match &self.credentials {
            Credentials::None => request,
            Credentials::Header(value) => request.header("Authorization", value),
        };
        let answer = request.send(body.to_string()).map_err(|error| unreachable(&uri, error))?;
        read(&uri, answer)
    }

    fn address(&self, path: &str) -> String {
        format!("{}/api/2.0/mlflow/{path}", self.uri)
    }

    fn text(&self, answer: &Value, pointer: &str, key: &'static str) -> Result<String, ServerError> {
        let text = answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        text.ok_or_else(|| ServerError::Answer { uri: self.uri.clone(), key })
    }
}

fn unreachable(uri: &str, error: ureq::Error) -> ServerError {
    ServerError::Unreachable { uri: uri.to_owned(), source: Box::new(error) }
}

/// The answer as JSON, or the error that it is.
fn read(uri: &str, mut answer: Response<Body>) -> Result<Value, ServerError> {
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(ANSWER).read_to_string();
    let text = text.map_err(|error| unreachable(uri, error))?;
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    if (200..300).contains(&status) {
        return Ok(value);
    }
    let key = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let message = key("message").unwrap_or(text).chars().take(SHOWN).collect();
    Err(ServerError::Refused {
        uri: uri.to_owned(),
        status,
        code: key("error_code").unwrap_or_default(),
        message,
    })
}
