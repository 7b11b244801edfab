//! One HubSpot account, and the calls that several rooms make.

use crate::{
    mapping::Mapping,
    position::Rhythm,
    problem::Problem,
    reply::{classify, observe, refused, results},
    settings::{Settings, Version},
    wire::{Unreadable, lead},
};
use async_trait::async_trait;
use contract::{
    Batch, Capabilities, Connector, ConnectorError, CreateSafety, FieldInfo, Kind, Lookup,
    Outcomes, Page, Probe, Record, Request, Usage,
};
use kit::{
    Auth, Bucket, Budget, Call, Delays, Grant, OAuth, Session, SessionSettings, SettingsError,
    Tools,
};
use serde_json::{json, value::RawValue};
use std::{collections::BTreeSet, fmt, sync::atomic::AtomicBool, time::Duration};
use url::{Host, Url};

/// The most entries in a batch of objects.
pub(crate) const BATCH: usize = 100;

/// Searches have a limit of their own, of calls per second.
pub(crate) const SEARCH: &str = "search";

/// One HubSpot account.
pub(crate) struct Portal {
    pub session: Session,
    pub version: Version,
    pub mapping: Mapping,
    pub rhythm: Rhythm,
    /// As whom we sign in, for people.
    pub user: String,
    /// Properties that the connection or the agreement names, beyond HubSpot's and leadloop's.
    pub named: BTreeSet<String>,
    /// Whether the account may not unsubscribe addresses in batches, once it has said so.
    pub one_by_one: AtomicBool,
    capabilities: Capabilities,
}

impl Portal {
    /// Asks nobody and reads nothing.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub fn new(settings: Settings, tools: &Tools) -> Result<Portal, SettingsError> {
        check_scheme(&settings.base_url, tools.allow_insecure_loopback)?;
        let extra = tools.extra_fields.get(&Kind::Lead);
        let mapping = Mapping::new(&settings.fields, extra).map_err(|message| SettingsError {
            key: Some("fields".to_owned()),
            message,
        })?;
        let named = settings
            .fields
            .values()
            .chain(extra.into_iter().flatten())
            .cloned()
            .collect();
        let buckets = vec![
            Bucket {
                name: "main",
                calls: settings.calls_per_10s,
                per: Duration::from_secs(10),
            },
            Bucket {
                name: SEARCH,
                calls: settings.searches_per_second,
                per: Duration::from_secs(1),
            },
        ];
        let budget = Budget::new(buckets, settings.daily_calls, settings.share, tools);
        let session_settings = SessionSettings {
            origin: settings.base_url.clone(),
            user_agent: concat!("leadloop/", env!("CARGO_PKG_VERSION")).to_owned(),
            classify,
            observe,
            delays: Delays::default(),
        };
        let (user, auth) = auth(&settings, tools);
        Ok(Portal {
            session: Session::new(session_settings, auth, budget, tools),
            version: settings.version,
            mapping,
            rhythm: Rhythm {
                overlap: settings.overlap,
                deep_overlap: settings.deep_overlap,
                deep_every: settings.deep_every,
                deletes_every: settings.deletes_every,
            },
            user,
            named,
            one_by_one: AtomicBool::new(false),
            capabilities: capabilities(),
        })
    }

    /// The path of objects of a type, and what follows it.
    pub fn objects(&self, object: &str, tail: &str) -> String {
        format!("/crm/objects/{}/{object}{tail}", self.version)
    }

    /// Objects by id, or by a unique property, from the records themselves. What is not there is left out; any other
    /// failure is an error, so that nothing is taken for gone that is only hidden.
    pub async fn batch_read(
        &self,
        question: &Question<'_>,
        ids: &[String],
    ) -> Result<Vec<Box<RawValue>>, ConnectorError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(BATCH) {
            let inputs: Vec<_> = chunk.iter().map(|id| json!({ "id": id })).collect();
            let mut body = json!({ "inputs": inputs, "properties": question.properties });
            if let Some(property) = question.id_property {
                body["idProperty"] = json!(property);
            }
            let call = Call::post_json(self.objects(question.object, "/batch/read"), &body)
                .repeatable()
                .doing(question.doing);
            let answer = self.session.call(call).await?;
            if answer.status == 404 {
                let problem = Problem::of_answer(answer.status, &answer.body);
                if problem.is_gone() {
                    continue;
                }
                return Err(refused(&problem, question.doing));
            }
            let answered = results(&answer, question.doing)?;
            for error in &answered.errors {
                let problem = Problem::of_value(error);
                if !problem.is_gone() {
                    return Err(refused(&problem, question.doing));
                }
            }
            found.extend(answered.results);
        }
        Ok(found)
    }

    /// Contacts as they are right now.
    pub async fn leads(
        &self,
        id_property: Option<&str>,
        ids: &[String],
    ) -> Result<Vec<Record>, ConnectorError> {
        let question = Question {
            object: "contacts",
            id_property,
            properties: self.mapping.properties(),
            doing: "reading contacts",
        };
        let raws = self.batch_read(&question, ids).await?;
        raws.iter()
            .map(|raw| {
                lead(raw, &self.mapping).map_err(|unreadable| odd(unreadable, question.doing))
            })
            .collect()
    }
}

/// What `batch_read` asks.
pub(crate) struct Question<'a> {
    pub object: &'a str,
    pub id_property: Option<&'a str>,
    pub properties: &'a [String],
    pub doing: &'static str,
}

/// Where an answer needs every record, an unreadable one spoils it: left out, it would pass for gone.
pub(crate) fn odd(unreadable: Unreadable, doing: &str) -> ConnectorError {
    let id = unreadable
        .id
        .map_or_else(|| "without an id".to_owned(), |id| id.to_string());
    ConnectorError::Protocol {
        doing: doing.to_owned(),
        detail: format!("record {id}: {}", unreadable.reason),
    }
}

fn auth(settings: &Settings, tools: &Tools) -> (String, Auth) {
    match (&settings.token, &settings.oauth) {
        (_, Some(oauth)) => {
            let grant = Grant::RefreshToken {
                id: oauth.client_id.clone(),
                secret: Some(oauth.client_secret.clone()),
                refresh_token: oauth.refresh_token.clone(),
            };
            let auth = Auth::OAuth(OAuth {
                token_origin: settings.base_url.clone(),
                token_path: format!("/oauth/{}/token", settings.version),
                grant,
                keep_as: format!("{}.hubspot-refresh-token", tools.connection),
                instance_suffixes: Vec::new(),
            });
            (format!("app {}", oauth.client_id), auth)
        }
        (Some(token), None) => (
            "service key or private app".to_owned(),
            Auth::Bearer(token.clone()),
        ),
        (None, None) => {
            unreachable!("Settings::parse lets no connection through without credentials")
        }
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        vendor: "hubspot",
        reads: BTreeSet::from([Kind::Lead, Kind::User]),
        writes: BTreeSet::from([Kind::Lead, Kind::Note]),
        batch: BATCH,
        conversions: 0,
        notes: BATCH,
        creates: CreateSafety::UniqueKey,
        // A contact deleted for privacy vanishes without a trace; only a sweep finds it.
        tells_deletes: false,
    }
}

fn check_scheme(url: &Url, allow_insecure_loopback: bool) -> Result<(), SettingsError> {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || (url.scheme() == "http" && loopback && allow_insecure_loopback) {
        return Ok(());
    }
    let message = "base_url must be https: the token goes there".to_owned();
    Err(SettingsError {
        key: Some("base_url".to_owned()),
        message,
    })
}

#[async_trait]
impl Connector for Portal {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn usage(&self) -> Usage {
        self.session.usage()
    }

    async fn probe(&self) -> Result<Probe, ConnectorError> {
        self.examine().await
    }

    async fn describe(&self, kind: Kind) -> Result<Vec<FieldInfo>, ConnectorError> {
        self.fields_of(kind).await
    }

    async fn read(&self, request: &Request<'_>) -> Result<Page, ConnectorError> {
        match request.kind {
            Kind::Lead => self.read_leads(request).await,
            Kind::User => self.read_users(request).await,
            kind => Err(unsupported("reading changes", kind)),
        }
    }

    async fn find(&self, lookup: &Lookup) -> Result<Vec<Record>, ConnectorError> {
        self.look_up(lookup).await
    }

    async fn write(&self, batch: &Batch) -> Result<Outcomes, ConnectorError> {
        self.carry_out(batch).await
    }
}

/// A question that this connector has no answer to.
pub(crate) fn unsupported(doing: &str, kind: Kind) -> ConnectorError {
    ConnectorError::Refused {
        doing: doing.to_owned(),
        detail: format!("leadloop does not use HubSpot for the kind {kind} in this way"),
    }
}

impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portal")
            .field("session", &self.session)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
