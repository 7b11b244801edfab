use super::*;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

fn assertion(org: &Org, claims: &[(&str, Value)]) -> String {
    let settings = org.salesforce.settings();
    let mut body = json!({
        "iss": settings.consumer.key,
        "sub": settings.username,
        "aud": "https://login.salesforce.com",
        "exp": org.now.as_second() + 120,
    });
    for (name, value) in claims {
        body[*name] = value.clone();
    }
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let jwt = format!(
        "{}.{}.c2lnbmF0dXJl",
        part(json!({"alg": "RS256"})),
        part(body)
    );
    format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={jwt}")
}

#[test]
fn a_jwt_assertion_opens_a_session_on_the_instance() {
    let mut org = org();
    let form = assertion(&org, &[]);
    let (status, answer) = org.form("/services/oauth2/token", &form);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["instance_url"], "https://org.my.salesforce.com");
    assert!(answer.get("refresh_token").is_none() && answer.get("expires_in").is_none());
    let late = org.now.as_second() - 1;
    for (name, value, error) in [
        ("iss", json!("other"), "invalid_client_id"),
        ("sub", json!("other@x.example"), "invalid_grant"),
        ("aud", json!("https://evil.example"), "invalid_grant"),
        ("exp", json!(late), "invalid_grant"),
        ("exp", json!(late + 3600), "invalid_grant"),
    ] {
        let form = assertion(&org, &[(name, value)]);
        let (status, answer) = org.form("/services/oauth2/token", &form);
        assert_eq!(
            (status, answer["error"].as_str()),
            (400, Some(error)),
            "{name}"
        );
    }
}

#[test]
fn client_credentials_are_good_on_my_domain_only() {
    let mut org = org();
    org.salesforce.settings_mut().my_domain = false;
    let form = "grant_type=client_credentials&client_id=3MVG9-leadloop-simulator&client_secret=consumer-secret";
    let (status, answer) = org.form("/services/oauth2/token", form);
    assert_eq!(
        (status, answer["error_description"].as_str()),
        (400, Some("request not supported on this domain"))
    );
}

#[test]
fn a_rotated_refresh_token_ends_the_old_one() {
    let mut org = org_with(Settings {
        rotates_refresh_tokens: true,
        ..Settings::default()
    });
    let refresh = |org: &mut Org, token: &str| {
        let form = format!(
            "grant_type=refresh_token&refresh_token={token}&client_id=3MVG9-leadloop-simulator"
        );
        org.form("/services/oauth2/token", &form)
    };
    let (_, answer) = refresh(&mut org, "5Aep861-first");
    let second = text(&answer["refresh_token"]);
    let (status, answer) = refresh(&mut org, "5Aep861-first");
    assert_eq!(
        (status, answer["error"].as_str()),
        (400, Some("invalid_grant"))
    );
    assert_eq!(refresh(&mut org, &second).0, 200);
    assert_eq!(org.salesforce.refresh_tokens().len(), 1);
}

#[test]
fn sessions_end_and_say_so() {
    let mut org = org();
    assert_eq!(org.get("limits").0, 200);
    org.wait(2 * 3600);
    let (status, answer) = org.get("limits");
    assert_eq!((status, code(&answer)), (401, "INVALID_SESSION_ID"));
    org.sign_in();
    assert_eq!(org.get("limits").0, 200);
    org.salesforce.sign_out();
    assert_eq!(org.get("limits").0, 401);
}

#[test]
fn old_versions_are_gone_and_the_day_has_a_limit() {
    let mut org = org_with(Settings {
        daily_limit: 2,
        ..Settings::default()
    });
    assert_eq!(org.get("/services/data/v30.0/limits").0, 410);
    assert_eq!(org.get("/services/data/v99.0/limits").0, 404);
    let (_, versions) = org.get("/services/data");
    assert!(
        versions
            .as_array()
            .unwrap()
            .iter()
            .any(|version| version["version"] == "68.0")
    );
    let reply = org.send("GET", "limits", &[], String::new());
    assert_eq!(reply.headers()["sforce-limit-info"], "api-usage=1/2");
    org.get("limits");
    let (status, answer) = org.get("limits");
    assert_eq!((status, code(&answer)), (403, "REQUEST_LIMIT_EXCEEDED"));
    org.wait(24 * 3600);
    org.sign_in();
    assert_eq!(org.get("limits").0, 200);
}
