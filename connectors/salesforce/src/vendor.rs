//! Salesforce as the daemon's registry knows it.

use crate::{
    answer,
    api::Api,
    connection::Connection,
    mapping::Mapping,
    settings::{Settings, SignIn, is_name},
};
use contract::Connector;
use kit::{
    Auth, Bucket, Budget, Delays, Grant, OAuth, Session, SessionSettings, SettingsError, Side,
    Tools, Vendor,
};
use std::{sync::Arc, time::Duration};

/// Where tokens are fetched.
const TOKEN_PATH: &str = "/services/oauth2/token";

/// Hosts that a token may be sent to, whatever the token's answer says.
const INSTANCES: &[&str] = &["salesforce.com"];

/// Salesforce knows no limit per second; this keeps a burst of ours from being one.
const PACE: Bucket = Bucket {
    name: "main",
    calls: 20,
    per: Duration::from_secs(1),
};

/// Salesforce Sales Cloud. It stands on the CRM side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Salesforce;

impl Vendor for Salesforce {
    fn name(&self) -> &'static str {
        "salesforce"
    }

    fn sides(&self) -> &'static [Side] {
        &[Side::Crm]
    }

    fn template(&self, _: Side) -> &'static str {
        include_str!("template.toml")
    }

    fn build(
        &self,
        settings: toml::Table,
        tools: Tools,
    ) -> Result<Arc<dyn Connector>, SettingsError> {
        let settings: Settings = kit::parse(settings)?;
        let sign_in = settings.check(tools.allow_insecure_loopback)?;
        if let Some((kind, name)) = tools
            .extra_fields
            .iter()
            .find_map(|(kind, names)| Some((kind, names.iter().find(|name| !is_name(name))?)))
        {
            let message = format!(
                "the agreement names the {kind} field `{name}`, which is neither canonical nor the API name of a field"
            );
            return Err(SettingsError { key: None, message });
        }
        let oauth = OAuth {
            token_origin: settings.login_url.clone(),
            token_path: TOKEN_PATH.to_owned(),
            grant: grant(sign_in, &settings),
            keep_as: format!("{}.refresh-token", tools.connection),
            instance_suffixes: INSTANCES
                .iter()
                .map(|suffix| (*suffix).to_owned())
                .collect(),
        };
        let session = SessionSettings {
            origin: settings.login_url.clone(),
            user_agent: concat!("leadloop/", env!("CARGO_PKG_VERSION")).to_owned(),
            classify: answer::classify,
            observe: answer::observe,
            delays: Delays::default(),
        };
        let budget = Budget::new(vec![PACE], settings.daily_calls, settings.share, &tools);
        let session = Session::new(session, Auth::OAuth(oauth), budget, &tools);
        let api = Api {
            session,
            version: settings.version.clone(),
        };
        let mapping = Mapping::new(&settings.key_field, &settings.fields, &tools.extra_fields);
        Ok(Arc::new(Connection::new(settings, mapping, api)))
    }
}

fn grant(sign_in: SignIn, settings: &Settings) -> Grant {
    match sign_in {
        SignIn::Jwt(jwt) => {
            let audience = jwt.audience(&settings.login_url);
            Grant::JwtBearer {
                id: jwt.client_id,
                username: jwt.username,
                audience,
                key: jwt.key,
            }
        }
        SignIn::ClientCredentials(client) => Grant::ClientCredentials {
            id: client.client_id,
            secret: client.client_secret,
            basic: true,
        },
        SignIn::RefreshToken(refresh) => Grant::RefreshToken {
            id: refresh.client_id,
            secret: refresh.client_secret,
            refresh_token: refresh.refresh_token,
        },
    }
}
