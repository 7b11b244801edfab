//! A connector that carries nothing out: for dry runs. Reads go to the vendor, writes are answered as if they had been done.

use async_trait::async_trait;
use contract::{
    Batch, Capabilities, Connector, ConnectorError, FieldInfo, Id, Kind, Lookup, Operation,
    Outcome, Outcomes, Page, Probe, Record, Relation, Relations, Request, Usage,
};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads through to a connector and writes nowhere.
#[derive(Debug)]
pub struct Preview {
    inner: Arc<dyn Connector>,
    capabilities: Capabilities,
    written: Mutex<Vec<contract::Write>>,
}

impl Preview {
    /// A preview of what would be written to `inner`.
    pub fn of(inner: Arc<dyn Connector>) -> Preview {
        // A dry run ends before a sweep would be due; it must not look up ids that exist nowhere.
        let capabilities = Capabilities {
            tells_deletes: true,
            ..inner.capabilities().clone()
        };
        Preview {
            inner,
            capabilities,
            written: Mutex::new(Vec::new()),
        }
    }

    /// What would have been written, in order.
    pub fn written(&self) -> Vec<contract::Write> {
        self.written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Connector for Preview {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }

    async fn probe(&self) -> Result<Probe, ConnectorError> {
        self.inner.probe().await
    }

    async fn describe(&self, kind: Kind) -> Result<Vec<FieldInfo>, ConnectorError> {
        self.inner.describe(kind).await
    }

    async fn read(&self, request: &Request<'_>) -> Result<Page, ConnectorError> {
        self.inner.read(request).await
    }

    async fn find(&self, lookup: &Lookup) -> Result<Vec<Record>, ConnectorError> {
        self.inner.find(lookup).await
    }

    async fn write(&self, batch: &Batch) -> Result<Outcomes, ConnectorError> {
        let mut outcomes = Outcomes::unknown(batch);
        for (place, write) in batch.writes().iter().enumerate() {
            let (id, relations) = match &write.operation {
                Operation::Create { key, .. } | Operation::Note { key, .. } => {
                    (Id(format!("new:{key}")), Relations::default())
                }
                Operation::Update { id, .. } => (id.clone(), Relations::default()),
                Operation::Convert { lead, account, .. } => {
                    let contact = Id(format!("new:{lead}"));
                    let relations = Relations::default()
                        .with(Relation::ConvertedContact, contact.0.as_str())
                        .with(Relation::ConvertedAccount, account.0.as_str());
                    (contact, relations)
                }
            };
            outcomes.set(
                place,
                Outcome::Applied {
                    id,
                    modified: None,
                    relations,
                },
            );
        }
        self.written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(batch.writes().iter().cloned());
        Ok(outcomes)
    }
}
