//! The user that the connection runs as.

use crate::{
    api::{Scope, tolerant},
    connection::Connection,
    soql, wire,
};
use contract::{ConnectorError, Id};
use kit::Call;
use serde_json::Value as Json;

const DOING: &str = "asking who we are";

/// What the ids of users begin with.
const USER: &str = "005";

impl Connection {
    /// The user as the OAuth endpoint tells it; null where it refuses. It may want a scope that the
    /// connector does not need otherwise.
    pub(crate) async fn user_info(&self) -> Result<Json, ConnectorError> {
        let call = Call::get("/services/oauth2/userinfo").doing(DOING);
        match self.api.session.call(call).await {
            Ok(answer) if answer.status == 200 => {
                // An answer that cannot be read is no answer: it is asked again.
                answer.json::<Json>(DOING)
            }
            Ok(_) => Ok(Json::Null),
            Err(error) => match ConnectorError::from(error) {
                ConnectorError::Refused { .. } => Ok(Json::Null),
                error => Err(error),
            },
        }
    }

    /// The user's id: asked for once. `None` where Salesforce does not tell.
    pub(crate) async fn own_user(&self) -> Result<Option<Id>, ConnectorError> {
        // The lock is held during the calls, so that nobody asks twice.
        let mut known = self.own_user.lock().await;
        if known.is_none() {
            *known = self.ask_for_user().await?;
        }
        Ok(known.clone())
    }

    async fn ask_for_user(&self) -> Result<Option<Id>, ConnectorError> {
        let info = self.user_info().await?;
        let text = |name: &str| info.get(name).and_then(Json::as_str);
        if let Some(user) = text("user_id").and_then(user) {
            return Ok(Some(user));
        }
        let configured = self.settings.jwt.as_ref().map(|jwt| jwt.username.as_str());
        let Some(username) = configured.or_else(|| text("preferred_username")) else {
            return Ok(None);
        };
        let soql = format!(
            "SELECT Id FROM User WHERE Username = {}",
            soql::text(username)
        );
        let rows = tolerant(self.api.all(&soql, Scope::Living, DOING).await)?.unwrap_or_default();
        let id = rows.first().and_then(|row| row.get("Id"));
        Ok(id.and_then(Json::as_str).and_then(user))
    }
}

fn user(id: &str) -> Option<Id> {
    (wire::is_id(id) && id.starts_with(USER)).then(|| wire::id(id))
}
