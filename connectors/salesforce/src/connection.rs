//! The connector itself: one org, with what has been learnt of its objects.

use crate::{
    api::{Api, Failure},
    judge::missing_column,
    mapping::Mapping,
    plan::Plan,
    settings::Settings,
    shape::Shape,
};
use async_trait::async_trait;
use contract::{
    Batch, Capabilities, Connector, ConnectorError, CreateSafety, FieldInfo, Id, Kind, Lookup,
    Outcomes, Page, Probe, Record, Request, Usage,
};
use serde_json::{Map, Value as Json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Mutex;

/// An administrator may add a field or show a hidden one at any time. What a write or a lookup
/// needs is looked for again after this long …
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);

/// … and what would merely be read as well, after this long: an org may hide a mapped field for
/// good, and an idle poll shall cost one call.
const LOOK_AGAIN_IDLY: Duration = Duration::from_secs(6 * 60 * 60);

/// One org.
#[derive(Debug)]
pub(crate) struct Connection {
    capabilities: Capabilities,
    pub(crate) settings: Settings,
    pub(crate) mapping: Mapping,
    pub(crate) api: Api,
    shapes: Mutex<BTreeMap<Kind, Arc<Shape>>>,
    /// The status that a converted lead gets, once asked for.
    pub(crate) convert_status: Mutex<Option<String>>,
    /// The user that we are, once asked for.
    pub(crate) own_user: Mutex<Option<Id>>,
}

impl Connection {
    pub(crate) fn new(settings: Settings, mapping: Mapping, api: Api) -> Connection {
        let capabilities = Capabilities {
            vendor: "salesforce",
            reads: BTreeSet::from([
                Kind::User,
                Kind::Account,
                Kind::Contact,
                Kind::Lead,
                Kind::Opportunity,
                Kind::Role,
            ]),
            writes: BTreeSet::from([Kind::Lead, Kind::Contact, Kind::Account]),
            batch: 200,
            conversions: 100,
            notes: 200,
            creates: CreateSafety::UniqueKey,
            // What has left the recycle bin is told by nobody.
            tells_deletes: false,
        };
        Connection {
            capabilities,
            settings,
            mapping,
            api,
            shapes: Mutex::default(),
            convert_status: Mutex::default(),
            own_user: Mutex::default(),
        }
    }

    /// What our user sees of a kind's object: asked for once.
    pub(crate) async fn shape(&self, kind: Kind) -> Result<Arc<Shape>, Failure> {
        // The lock is held during the call, so that nobody asks twice.
        let mut shapes = self.shapes.lock().await;
        if let Some(shape) = shapes.get(&kind) {
            return Ok(shape.clone());
        }
        let shape = Arc::new(self.api.describe(self.mapping.object(kind).name).await?);
        shapes.insert(kind, shape.clone());
        Ok(shape)
    }

    /// The shape, looked at again if it lacks one of these fields and is not fresh.
    pub(crate) async fn shape_with(
        &self,
        kind: Kind,
        natives: &BTreeSet<&str>,
    ) -> Result<Arc<Shape>, Failure> {
        self.shape_after(kind, natives, LOOK_AGAIN).await
    }

    async fn shape_after(
        &self,
        kind: Kind,
        natives: &BTreeSet<&str>,
        patience: Duration,
    ) -> Result<Arc<Shape>, Failure> {
        let shape = self.shape(kind).await?;
        let lacks = natives.iter().any(|native| shape.column(native).is_none());
        if lacks && self.age(&shape) >= patience {
            self.forget_shape(kind).await;
            return self.shape(kind).await;
        }
        Ok(shape)
    }

    fn age(&self, shape: &Shape) -> Duration {
        self.api
            .session
            .now()
            .duration_since(shape.fetched)
            .unsigned_abs()
    }

    pub(crate) async fn forget_shape(&self, kind: Kind) {
        self.shapes.lock().await.remove(&kind);
    }

    /// What to ask of a kind, for the fields we can see.
    pub(crate) async fn plan(&self, kind: Kind) -> Result<Plan, Failure> {
        let object = self.mapping.object(kind);
        let wanted = object
            .fields
            .iter()
            .filter(|(canonical, _)| !object.is_optional(canonical))
            .map(|(_, native)| native.as_str());
        let wanted = wanted
            .chain(object.extra.iter().map(String::as_str))
            .collect();
        let shape = self.shape_after(kind, &wanted, LOOK_AGAIN_IDLY).await?;
        Ok(Plan::new(object, &shape))
    }

    /// The plan to read these rows with: a new one where they do not fit what was once described.
    pub(crate) async fn fitting(
        &self,
        plan: Plan,
        rows: &[Map<String, Json>],
    ) -> Result<Plan, Failure> {
        let now = self.api.session.now();
        if rows.iter().all(|json| plan.row(json, now).is_ok()) {
            return Ok(plan);
        }
        let shape = self.shape(plan.kind).await?;
        if self.age(&shape) < LOOK_AGAIN {
            return Ok(plan);
        }
        self.forget_shape(plan.kind).await;
        self.plan(plan.kind).await
    }

    /// After a query was refused: whether asking again is worth it, with the refused field left
    /// out.
    pub(crate) async fn learn(&self, kind: Kind, failure: &Failure) -> Result<bool, Failure> {
        let Some(message) = failure.message("INVALID_FIELD") else {
            return Ok(false);
        };
        let column = missing_column(message);
        self.forget_shape(kind).await;
        let shape = self.shape(kind).await?;
        if let Some(column) = column
            && shape.column(&column).is_some()
        {
            tracing::warn!(%kind, column, "describe shows a field that queries refuse; it is left out");
            let shape = Arc::new(Shape::clone(&shape).without(&column));
            self.shapes.lock().await.insert(kind, shape);
        }
        Ok(true)
    }
}

#[async_trait]
impl Connector for Connection {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn usage(&self) -> Usage {
        self.api.session.usage()
    }

    async fn probe(&self) -> Result<Probe, ConnectorError> {
        self.look_around().await
    }

    async fn describe(&self, kind: Kind) -> Result<Vec<FieldInfo>, ConnectorError> {
        self.forget_shape(kind).await;
        let shape = self.shape(kind).await?;
        let object = self.mapping.object(kind);
        let mut fields = Vec::new();
        for column in shape.columns() {
            let mapped = object
                .fields
                .iter()
                .filter(|(_, native)| native.eq_ignore_ascii_case(&column.name));
            let names: Vec<&str> = mapped.map(|(canonical, _)| canonical.as_str()).collect();
            if names.is_empty() {
                fields.push(column.info(&column.name));
            }
            fields.extend(names.into_iter().map(|name| column.info(name)));
        }
        Ok(fields)
    }

    async fn read(&self, request: &Request<'_>) -> Result<Page, ConnectorError> {
        if !self.capabilities.reads.contains(&request.kind) {
            return Err(ConnectorError::Refused {
                doing: "reading changes".to_owned(),
                detail: format!("this connector has no stream of {} records", request.kind),
            });
        }
        self.next_page(request).await
    }

    async fn find(&self, lookup: &Lookup) -> Result<Vec<Record>, ConnectorError> {
        self.look_up(lookup).await
    }

    async fn write(&self, batch: &Batch) -> Result<Outcomes, ConnectorError> {
        match batch.shape() {
            ("convert", _) => self.convert(batch).await,
            ("note", _) => self.note(batch).await,
            (_, kind) if self.capabilities.writes.contains(&kind) => self.save(batch, kind).await,
            (verb, kind) => Err(ConnectorError::Refused {
                doing: format!("{verb} of {kind}"),
                detail: format!("this connector does not write {kind} records"),
            }),
        }
    }
}
