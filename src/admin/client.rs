//! The other end of the socket: how the command line asks a running daemon.

use axum::http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::UnixStream;

/// The daemon gives up on a question sooner.
const PATIENCE: Duration = Duration::from_secs(60);

/// A longer answer is not ours.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Why there is no answer. What the daemon answers, refusals included, is none of these.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("no daemon answers on {}; start it, or name its socket", .0.display())]
    NobodyThere(PathBuf),
    /// The daemon may be there, and we may not speak to it.
    #[error("not allowed to use {}; ask as root or as a member of the daemon's group", .0.display())]
    Forbidden(PathBuf),
    /// It was there, and then something broke.
    #[error("lost the daemon on {} while asking; look at its log", .socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It is there and does not answer.
    #[error("the daemon on {} did not answer within {} seconds; look at its log", .0.display(), PATIENCE.as_secs())]
    Silent(PathBuf),
}

/// Asks the daemon on this socket; returns the status of its answer and the answer's text.
///
/// # Errors
/// Where there is no answer. An answer that says no is an answer.
pub async fn ask(
    socket: &Path,
    method: Method,
    path_and_query: &str,
    body: Option<Value>,
) -> Result<(u16, String), AskError> {
    match tokio::time::timeout(PATIENCE, exchange(socket, method, path_and_query, body)).await {
        Ok(answer) => answer,
        Err(_) => Err(AskError::Silent(socket.to_owned())),
    }
}

async fn exchange(
    socket: &Path,
    method: Method,
    path_and_query: &str,
    body: Option<Value>,
) -> Result<(u16, String), AskError> {
    let broken = |source: Box<dyn Error + Send + Sync>| AskError::Broken {
        socket: socket.to_owned(),
        source,
    };
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                AskError::NobodyThere(socket.to_owned())
            }
            io::ErrorKind::PermissionDenied => AskError::Forbidden(socket.to_owned()),
            _ => broken(error.into()),
        })?;
    let mut request = Request::builder()
        .method(method)
        .uri(path_and_query)
        .header(header::HOST, "localhost");
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| broken(error.into()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(error.into()))?;
    let answer = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| broken(error.into()))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER)
            .collect()
            .await
            .map_err(broken)?;
        Ok((
            status,
            String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        ))
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // The connection's own end comes with or before the answer's; what it did wrong shows in the answer.
        _ = connection => answer.await,
    }
}
