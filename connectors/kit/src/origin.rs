//! Where calls may go. URLs that come out of answers are a vendor's data, not its word: a token goes
//! to the configured origin, or to an instance under the allowed names, and nowhere else.

use crate::grant::tidy;
use contract::ConnectorError;
use url::{Host, Url};

/// Scheme, host and port.
pub(crate) fn bare(url: &Url) -> Url {
    let mut origin = url.clone();
    origin.set_path("/");
    origin.set_query(None);
    origin.set_fragment(None);
    origin
}

/// Path and query of a link, which must not lead away from the origin.
pub(crate) fn same(origin: &Url, link: &str) -> Result<String, ConnectorError> {
    let refused = || ConnectorError::Protocol {
        doing: "following a link".to_owned(),
        detail: format!(
            "the vendor's link leads away from {}",
            origin.origin().ascii_serialization()
        ),
    };
    let url = origin.join(link).map_err(|_| refused())?;
    if !anonymous(&url) || url.origin() != origin.origin() {
        return Err(refused());
    }
    Ok(match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    })
}

/// The origin that a token's answer names, which must be https under one of the suffixes.
pub(crate) fn instance(
    named: &str,
    suffixes: &[String],
    allow_insecure_loopback: bool,
) -> Result<Url, ConnectorError> {
    let refused = || ConnectorError::Protocol {
        doing: "fetching an access token".to_owned(),
        detail: format!(
            "the answer's instance_url `{}` is not https under {}",
            tidy(named),
            suffixes.join(" or ")
        ),
    };
    let url = Url::parse(named).map_err(|_| refused())?;
    let host = url.host_str().ok_or_else(refused)?.to_ascii_lowercase();
    let under = |suffix: &String| {
        let suffix = suffix.trim_start_matches('.').to_ascii_lowercase();
        let rest = host.strip_suffix(&suffix).filter(|_| !suffix.is_empty());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let secure = url.scheme() == "https" && suffixes.iter().any(under);
    let simulated = allow_insecure_loopback && is_loopback(&url);
    if anonymous(&url) && (secure || simulated) {
        Ok(bare(&url))
    } else {
        Err(refused())
    }
}

/// The URL of a call.
///
/// # Errors
/// Says what is wrong with the path. A record's id in it must not walk to another endpoint.
pub(crate) fn target(
    origin: &Url,
    path: &str,
    query: &[(String, String)],
) -> Result<Url, &'static str> {
    let (path, given) = match path.split_once('?') {
        Some((path, given)) => (path, Some(given)),
        None => (path, None),
    };
    let dots = |part: &str| {
        let plain = part.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if !path.starts_with('/') || path.contains(['\\', '#']) || path.split('/').any(dots) {
        return Err("the path of the call is not a plain absolute path");
    }
    let mut url = origin.clone();
    url.set_path(path);
    url.set_query(given);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// Whether a URL leads to this very machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn anonymous(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}
