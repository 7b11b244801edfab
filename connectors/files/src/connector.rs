use crate::{
    describe::{describe, findings},
    find::find,
    folder::Folder,
    settings::Format,
    store::Stored,
    view::View,
    write::Writer,
};
use async_trait::async_trait;
use contract::{
    Batch, Capabilities, Connector, ConnectorError, CreateSafety, FieldInfo, Kind, Lookup, Outcome,
    Outcomes, Page, Probe, Record, Request, Usage,
};
use kit::{Clock, Side, Tools};
use std::{fmt, sync::Arc};

/// A folder of exports, ready to be asked.
pub(crate) struct Exports {
    connection: String,
    capabilities: Capabilities,
    folder: Arc<Folder>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exports")
            .field("connection", &self.connection)
            .field("folder", &self.folder.settings.folder)
            .finish_non_exhaustive()
    }
}

impl Exports {
    /// Looks at nothing yet.
    pub fn new(folder: Folder, tools: &Tools) -> Exports {
        let (reads, writes): (&[Kind], &[Kind]) = match (folder.side, folder.settings.format) {
            (Side::Marketing, _) => (&[Kind::Lead], &[Kind::Lead]),
            // HubSpot as a CRM has contacts only, and deals name them.
            (Side::Crm, Format::Hubspot) => (
                &[Kind::User, Kind::Account, Kind::Contact, Kind::Opportunity],
                &[Kind::Account, Kind::Contact],
            ),
            (Side::Crm, _) => (
                &[
                    Kind::User,
                    Kind::Account,
                    Kind::Contact,
                    Kind::Lead,
                    Kind::Opportunity,
                    Kind::Role,
                ],
                &[Kind::Account, Kind::Contact, Kind::Lead],
            ),
        };
        let capabilities = Capabilities {
            vendor: "files",
            reads: reads.iter().copied().collect(),
            writes: writes.iter().copied().collect(),
            batch: 1000,
            conversions: if folder.side == Side::Crm && writes.contains(&Kind::Lead) {
                1000
            } else {
                0
            },
            notes: 1000,
            creates: CreateSafety::UniqueKey,
            tells_deletes: true,
        };
        Exports {
            connection: tools.connection.clone(),
            capabilities,
            folder: Arc::new(folder),
            clock: Arc::clone(&tools.clock),
        }
    }

    /// Files are read on threads that may wait.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, ConnectorError> + Send + 'static,
    ) -> Result<T, ConnectorError> {
        let folder = Arc::clone(&self.folder);
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.unwrap_or_else(|error| {
            Err(ConnectorError::Unavailable {
                detail: format!("reading the folder was broken off: {error}"),
            })
        })
    }
}

#[async_trait]
impl Connector for Exports {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    async fn probe(&self) -> Result<Probe, ConnectorError> {
        self.apart(|folder| {
            let state = folder.state()?;
            Ok(Probe {
                account: format!("CSV exports in {}", folder.settings.folder.display()),
                user: "nobody: files need no sign-in".to_owned(),
                findings: findings(folder, &state),
            })
        })
        .await
    }

    async fn describe(&self, kind: Kind) -> Result<Vec<FieldInfo>, ConnectorError> {
        self.apart(move |folder| {
            let state = folder.state()?;
            Ok(describe(folder, &state, kind))
        })
        .await
    }

    async fn read(&self, request: &Request<'_>) -> Result<Page, ConnectorError> {
        let (kind, from, at_most) = (request.kind, request.from.clone(), request.at_most);
        self.apart(move |folder| {
            let under_way = View::under_way(&from)?;
            let view = folder.view(kind, under_way.as_deref())?;
            view.page(kind, &from, at_most, folder.settings.missing)
        })
        .await
    }

    async fn find(&self, lookup: &Lookup) -> Result<Vec<Record>, ConnectorError> {
        let lookup = lookup.clone();
        self.apart(move |folder| Ok(find(&*folder.state()?, &lookup)))
            .await
    }

    async fn write(&self, batch: &Batch) -> Result<Outcomes, ConnectorError> {
        let (batch, now, capabilities) =
            (batch.clone(), self.clock.now(), self.capabilities.clone());
        self.apart(move |folder| {
            let (mut outcomes, stored) = folder.change(|state, pending| {
                let writer = Writer::new(&folder.settings, &capabilities, state, now, &batch);
                let mut outcomes = Outcomes::unknown(&batch);
                for (place, write) in batch.writes().iter().enumerate() {
                    outcomes.set(place, writer.write(pending, &write.operation));
                }
                outcomes
            })?;
            if let Stored::Halfway(detail) = stored {
                tracing::warn!(detail, "import files are made again with the next write");
                for place in 0..batch.writes().len() {
                    outcomes.set(place, Outcome::Unknown);
                }
            }
            Ok(outcomes)
        })
        .await
    }
}
