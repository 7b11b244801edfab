//! Carrying one HTTP request, and nothing more: no redirect, no second try, no cookie, no proxy
//! from the environment.

use crate::{origin::is_loopback, token::chain};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use std::{fmt, time::Duration};
use url::Url;

/// Carries one HTTP request. Production sends it over the network; a simulated world answers it in
/// memory.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request and reads the whole answer. Follows no redirect and tries nothing twice.
    ///
    /// # Errors
    /// Where there is no whole answer.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct TransportError {
    /// Whether the request may have reached the vendor all the same.
    pub maybe_sent: bool,
    /// What happened, with its causes, and no secret in it.
    pub detail: String,
}

/// Bounds of the network transport.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest silence while reading.
    pub read_timeout: Duration,
    /// Longest time for the whole exchange.
    pub total_timeout: Duration,
    /// Largest answer in bytes, after decompression.
    pub largest_body: usize,
    /// Lets plain HTTP to the loopback interface pass, for simulators.
    pub allow_insecure_loopback: bool,
    /// A proxy for everything (`http://proxy.example:3128`). The environment's is ignored: it would
    /// send tokens where nobody configured them to go.
    pub proxy: Option<Url>,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        NetworkSettings {
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(120),
            largest_body: 32 * 1024 * 1024,
            allow_insecure_loopback: false,
            proxy: None,
        }
    }
}

/// The network, with TLS and pooled connections.
pub struct Network {
    client: reqwest::Client,
    largest_body: usize,
    allow_insecure_loopback: bool,
}

impl Network {
    /// # Errors
    /// Where TLS or the proxy cannot be set up.
    pub fn new(settings: NetworkSettings) -> Result<Network, TransportError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("leadloop/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .https_only(!settings.allow_insecure_loopback)
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            .timeout(settings.total_timeout)
            .no_proxy();
        if let Some(proxy) = &settings.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.as_str()).map_err(not_sent)?);
        }
        Ok(Network {
            client: builder.build().map_err(not_sent)?,
            largest_body: settings.largest_body,
            allow_insecure_loopback: settings.allow_insecure_loopback,
        })
    }

    fn permit(&self, uri: &http::Uri) -> Result<(), TransportError> {
        let refused = |detail: &str| TransportError {
            maybe_sent: false,
            detail: detail.to_owned(),
        };
        let url = Url::parse(&uri.to_string()).map_err(|_| refused("the URL cannot be used"))?;
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_insecure_loopback && is_loopback(&url) => Ok(()),
            _ => Err(refused("only https is allowed; use an https address")),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.permit(request.uri())?;
        let request = reqwest::Request::try_from(request).map_err(not_sent)?;
        let mut response = self.client.execute(request).await.map_err(|error| {
            let maybe_sent = !error.is_connect() && !error.is_builder();
            TransportError {
                maybe_sent,
                detail: detail(error),
            }
        })?;
        let mut body = BytesMut::new();
        let lost = |detail| TransportError {
            maybe_sent: true,
            detail,
        };
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| lost(detail(error)))?
        {
            if body.len() + chunk.len() > self.largest_body {
                return Err(lost(format!(
                    "the answer has more than {} bytes",
                    self.largest_body
                )));
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = Response::new(body.freeze());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

fn not_sent(error: reqwest::Error) -> TransportError {
    TransportError {
        maybe_sent: false,
        detail: detail(error),
    }
}

/// The error with its causes, without the URL: a query may hold persons' data.
fn detail(error: reqwest::Error) -> String {
    chain(&error.without_url())
}
