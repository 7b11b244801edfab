//! What is answered to which request.

use super::{Action, Panel, Refusal};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Extension, Query, Request, State},
    http::{HeaderMap, StatusCode, Uri, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Larger bodies are refused: the largest command is a ruling with its reason.
const LARGEST_BODY: usize = 64 * 1024;

/// Who asks for longer is answered 504. Explaining one person takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

type Shared = Arc<dyn Panel>;

/// Who speaks over the Unix socket, as the kernel says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) uid: Option<u32>,
}

/// What everybody on this machine may read.
pub(super) fn public(panel: Shared) -> Router {
    limited(readings().with_state(panel)).layer(middleware::from_fn(only_local_names))
}

/// Everything.
pub(super) fn private(panel: Shared) -> Router {
    let router = readings()
        .route("/status", get(status))
        .route("/explain", get(explain))
        .route("/reviews", get(reviews))
        .route("/retry", post(retry))
        .route("/rule", post(rule));
    limited(router.with_state(panel))
}

fn readings() -> Router<Shared> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
}

fn limited(router: Router) -> Router {
    router
        .fallback(async || (StatusCode::NOT_FOUND, "there is nothing here\n"))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(in_time))
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => problem(
            StatusCode::GATEWAY_TIMEOUT,
            &format!(
                "no answer within {} seconds; look at the log",
                PATIENCE.as_secs()
            ),
        ),
    }
}

/// A page elsewhere can point a name of its own at 127.0.0.1 and have a browser ask us in our machine's name (DNS rebinding).
/// The name it asks for gives it away.
async fn only_local_names(request: Request, next: Next) -> Response {
    if is_local(request.headers(), request.uri()) {
        return next.run(request).await;
    }
    (
        StatusCode::MISDIRECTED_REQUEST,
        "ask for localhost, 127.0.0.1 or [::1] by that name\n",
    )
        .into_response()
}

fn is_local(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Some(host) = host
        .to_str()
        .ok()
        .and_then(|host| host.parse::<Authority>().ok())
    else {
        return false;
    };
    let local = |authority: &Authority| {
        // "user@localhost" is an authority too, and nobody has a reason to send it.
        !authority.as_str().contains('@')
            && ["localhost", "127.0.0.1", "[::1]"]
                .iter()
                .any(|name| authority.host().eq_ignore_ascii_case(name))
    };
    local(&host) && uri.authority().is_none_or(local)
}

async fn healthz(State(panel): State<Shared>) -> Response {
    verdict(panel.live(), "alive\n")
}

async fn readyz(State(panel): State<Shared>) -> Response {
    verdict(panel.ready(), "ready\n")
}

/// One line of text, whatever it is made of.
fn verdict(verdict: Result<(), String>, good: &'static str) -> Response {
    match verdict {
        Ok(()) => good.into_response(),
        Err(reason) => {
            let line: String = reason
                .chars()
                .map(|char| if char.is_control() { ' ' } else { char })
                .collect();
            (StatusCode::SERVICE_UNAVAILABLE, format!("{line}\n")).into_response()
        }
    }
}

async fn metrics(State(panel): State<Shared>) -> Response {
    let text = panel.metrics();
    // OpenMetrics demands this last line; the older text format does not know it.
    let kind = if text.ends_with("# EOF\n") {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn status(State(panel): State<Shared>) -> Json<Value> {
    Json(panel.status())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    who: String,
}

async fn explain(State(panel): State<Shared>, Query(question): Query<Who>) -> Response {
    answer(panel.explain(&question.who).await)
}

async fn reviews(State(panel): State<Shared>) -> Response {
    answer(panel.act(Action::Reviews).await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retry {
    who: Option<String>,
}

async fn retry(
    State(panel): State<Shared>,
    Extension(peer): Extension<Peer>,
    Json(Retry { who }): Json<Retry>,
) -> Response {
    tracing::info!(
        uid = peer.uid,
        everybody = who.is_none(),
        "asked to try refused writes again"
    );
    answer(panel.act(Action::Retry { who }).await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    person: String,
    field: String,
    take: String,
    by: String,
    why: Option<String>,
}

async fn rule(
    State(panel): State<Shared>,
    Extension(peer): Extension<Peer>,
    Json(rule): Json<Rule>,
) -> Response {
    let Rule {
        person,
        field,
        take,
        by,
        why,
    } = rule;
    if by.trim().is_empty() {
        return problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "a ruling needs the name of who decided; set \"by\"",
        );
    }
    tracing::info!(uid = peer.uid, by, field, "asked to record a ruling");
    answer(
        panel
            .act(Action::Rule {
                person,
                field,
                take,
                by,
                why,
            })
            .await,
    )
}

fn answer(result: anyhow::Result<Value>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => {
            let status = match error.downcast_ref::<Refusal>() {
                Some(Refusal::Unknown(_)) => StatusCode::NOT_FOUND,
                Some(Refusal::Invalid(_)) => StatusCode::UNPROCESSABLE_ENTITY,
                None => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "cannot answer an administrator"
                    );
                    StatusCode::INTERNAL_SERVER_ERROR
                }
            };
            problem(status, &format!("{error:#}"))
        }
    }
}

fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let check = |hosts: &[&str], uri: &str| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().unwrap());
            }
            is_local(&headers, &uri.parse().unwrap())
        };
        for good in [
            "localhost",
            "LocalHost:9464",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:9464",
        ] {
            assert!(check(&[good], "/metrics"), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example:9464",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil@localhost",
            "::1",
            "",
        ] {
            assert!(!check(&[bad], "/metrics"), "{bad}");
        }
        assert!(!check(&[], "/metrics"));
        assert!(!check(&["localhost", "evil.example"], "/metrics"));
        assert!(!check(&["localhost"], "http://evil.example/metrics"));
        assert!(check(&["localhost"], "http://localhost:9464/metrics"));
    }
}
