//! Sends later what a run could not send.

use std::path::Path;
use std::time::Duration;

use super::FOLDER;
use super::identity::Identity;
use super::server::{Credentials, Server};
use super::unsent::Unsent;
use crate::LoggerError;

/// A server is to answer a request within this time.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The server.
    pub tracking_uri: String,
    /// Requests that it took.
    pub requests: usize,
}

/// Sends what a run left in its directory. What the server takes is taken off the file.
///
/// # Errors
/// The run did not log to MLflow, or the server does not take it.
pub fn sync(run_dir: &Path) -> Result<Synced, LoggerError> {
    let folder = run_dir.join(FOLDER);
    let identity = Identity::read(&folder)?;
    let mut identity = identity.ok_or_else(|| LoggerError::NotLogged { path: run_dir.to_path_buf() })?;
    let unsent = Unsent::new(&folder);
    unsent.mend()?;
    let mut requests = 0;
    if !unsent.is_empty() {
        let refused = |error: super::server::ServerError| LoggerError::Server { source: error.into() };
        let server = Server::new(&identity.tracking_uri, Credentials::of_environment(), TIMEOUT);
        let run_id = identity.with_id(&server, &folder)?.map_err(refused)?;
        let send = |item: &super::item::Item| server.send(&run_id, item).map(|()| requests += 1);
        if let Some(error) = unsent.drain(send)? {
            return Err(refused(error));
        }
    }
    Ok(Synced { tracking_uri: identity.tracking_uri, requests })
}
