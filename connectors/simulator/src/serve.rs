//! A site behind a socket: HTTP/1.1 with keep-alive, for whoever speaks to it over loopback.

use crate::Site;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use kit::{Transport, TransportError};
use std::{future::Future, io, pin::pin};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// Larger requests are refused. The vendors' own limits are below this.
const LARGEST_REQUEST: usize = 16 * 1024 * 1024;

/// Serves the site until `shutdown` is ready; requests under way are then finished, idle connections closed.
///
/// A fault that loses the answer closes the connection without one.
///
/// # Errors
/// Where the listener fails for good.
pub async fn serve(
    site: Site,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut shutdown = pin!(shutdown);
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // The peer gave up while it waited to be accepted; others still want to be.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            },
        };
        let _ = stream.set_nodelay(true);
        connections.spawn(connection(
            site.clone(),
            TokioIo::new(stream),
            stopped.clone(),
        ));
    }
    drop(stop);
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn connection(
    site: Site,
    stream: TokioIo<tokio::net::TcpStream>,
    mut stopped: watch::Receiver<()>,
) {
    let service = service_fn(move |request| answer(site.clone(), request));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(stream, service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a simulated connection ended early");
    }
}

/// An error here makes hyper close the connection without an answer: just what a lost answer looks like.
async fn answer(
    site: Site,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, TransportError> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_REQUEST).collect().await else {
        let mut response = Response::new(Full::new(Bytes::from_static(
            b"request too large or broken off",
        )));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    };
    let response = site
        .send(Request::from_parts(head, body.to_bytes()))
        .await?;
    Ok(response.map(Full::new))
}
