use crate::{Network, NetworkSettings, Transport, TransportError};
use axum::{Router, extract::Request as Received, response::IntoResponse, routing};
use bytes::Bytes;
use http::{Request, StatusCode};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

async fn vendor() -> SocketAddr {
    let router = Router::new()
        .route(
            "/moved",
            routing::get(|| async { (StatusCode::FOUND, [("location", "/echo")]) }),
        )
        .route(
            "/echo",
            routing::post(|request: Received| async move {
                let agent = request.headers()["user-agent"].clone();
                ([("x-agent", agent)], request.into_body()).into_response()
            }),
        )
        .route("/big", routing::get(|| async { "x".repeat(100_001) }))
        .route("/fits", routing::get(|| async { "x".repeat(100_000) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn network() -> Network {
    Network::new(NetworkSettings {
        largest_body: 100_000,
        allow_insecure_loopback: true,
        ..NetworkSettings::default()
    })
    .unwrap()
}

fn get(url: String) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_request_goes_out_and_the_answer_comes_back() {
    let address = vendor().await;
    let request = Request::post(format!("http://{address}/echo"))
        .header("user-agent", "leadloop/test")
        .body(Bytes::from_static(b"hello"))
        .unwrap();
    let answer = network().send(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-agent"], "leadloop/test");
    assert_eq!(answer.body(), "hello");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let address = vendor().await;
    let answer = network()
        .send(get(format!("http://{address}/moved")))
        .await
        .unwrap();
    assert_eq!(answer.status(), 302);
}

#[tokio::test]
async fn an_answer_has_a_largest_size() {
    let address = vendor().await;
    let network = network();
    let answer = network
        .send(get(format!("http://{address}/fits")))
        .await
        .unwrap();
    assert_eq!(answer.body().len(), 100_000);
    let error = network
        .send(get(format!("http://{address}/big")))
        .await
        .unwrap_err();
    assert!(
        error.maybe_sent && error.detail.contains("more than 100000 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn plain_http_goes_to_loopback_only_and_only_if_allowed() {
    let strict = Network::new(NetworkSettings::default()).unwrap();
    let lenient = network();
    for (network, url) in [
        (&strict, "http://127.0.0.1:1/"),
        (&lenient, "http://192.0.2.1/"),
        (&lenient, "http://localhost.evil.test/"),
        (&lenient, "http://127.0.0.1.evil.test/"),
        (&lenient, "ftp://127.0.0.1/"),
    ] {
        let error = network.send(get(url.to_owned())).await.unwrap_err();
        assert!(
            !error.maybe_sent && error.detail.contains("only https"),
            "{url}: {error}"
        );
    }
}

#[tokio::test]
async fn a_refused_connection_means_not_sent() {
    // The port was free a moment ago, and nobody listens on it now.
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = network()
        .send(get(format!("http://{address}/?email=ada")))
        .await
        .unwrap_err();
    assert!(!error.maybe_sent, "{error}");
    assert!(error.detail.to_lowercase().contains("refused"), "{error}");
    assert!(!error.detail.contains("ada"), "{error}");
}

/// A server that reads one request, says this much, and hangs up.
async fn rude(words: &'static str) -> Result<http::Response<Bytes>, TransportError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
    });
    let result = network()
        .send(get(format!("http://{address}/?email=ada")))
        .await;
    server.await.unwrap();
    result
}

#[tokio::test]
async fn a_lost_answer_means_perhaps_sent() {
    for words in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "nonsense\r\n\r\n",
    ] {
        let error = rude(words).await.unwrap_err();
        assert!(error.maybe_sent, "{words:?}: {error}");
        assert!(!error.detail.contains("ada"), "{error}");
    }
}
