//! A desk with a folder of exports on it, and short words for what is done there.

use async_trait::async_trait;
use contract::*;
use files::Files;
use jiff::Timestamp;
use kit::{Clock, MemoryKeep, Side, SystemSecrets, Tools, Transport, TransportError, Vendor};
use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Instant};

pub const HUBSPOT: &str = include_str!("../exports/hubspot-contacts.csv");
pub const SALESFORCE: [(&str, &str); 6] = [
    ("Lead.csv", include_str!("../exports/Lead.csv")),
    ("Contact.csv", include_str!("../exports/Contact.csv")),
    ("Account.csv", include_str!("../exports/Account.csv")),
    (
        "Opportunity.csv",
        include_str!("../exports/Opportunity.csv"),
    ),
    (
        "OpportunityContactRole.csv",
        include_str!("../exports/OpportunityContactRole.csv"),
    ),
    ("User.csv", include_str!("../exports/User.csv")),
];

pub const LEAD: &str = "00Q5g00000AAAAAEA5";
pub const CONTACT: &str = "0035g00000CCCCDAA5";
pub const ACCOUNT: &str = "0015g00000BBBBCAA5";

struct NoNetwork;

#[async_trait]
impl Transport for NoNetwork {
    async fn send(
        &self,
        _: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, TransportError> {
        Err(TransportError {
            maybe_sent: false,
            detail: "files need no network".to_owned(),
        })
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-02-03T12:00:00Z".parse().unwrap()
    }

    fn monotonic(&self) -> Instant {
        unreachable!("files do not wait")
    }
}

pub struct Desk {
    home: tempfile::TempDir,
    side: Side,
    settings: String,
}

impl Desk {
    pub fn new(side: Side) -> Desk {
        Desk {
            home: tempfile::tempdir().unwrap(),
            side,
            settings: String::new(),
        }
    }

    pub fn marketing() -> Desk {
        let desk = Desk::new(Side::Marketing);
        desk.put("hubspot-contacts.csv", HUBSPOT);
        desk
    }

    pub fn crm() -> Desk {
        let desk = Desk::new(Side::Crm);
        SALESFORCE
            .iter()
            .for_each(|(name, text)| desk.put(name, text));
        desk
    }

    pub fn with(mut self, settings: &str) -> Desk {
        self.settings.push_str(settings);
        self.settings.push('\n');
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// An export as it would look after somebody edited it.
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        self.put(name, text.replace(from, to));
    }

    pub fn try_connector(&self) -> Result<Arc<dyn Connector>, String> {
        let text = format!(
            "folder = {:?}\n{}",
            self.home.path().to_str().unwrap(),
            self.settings
        );
        let tools = Tools {
            connection: "desk".to_owned(),
            side: self.side,
            transport: Arc::new(NoNetwork),
            clock: Arc::new(Noon),
            secrets: Arc::new(SystemSecrets::new(None, BTreeMap::new())),
            keep: Arc::new(MemoryKeep::default()),
            extra_fields: BTreeMap::new(),
            allow_insecure_loopback: false,
        };
        Files
            .build(toml::from_str(&text).unwrap(), tools)
            .map_err(|error| error.to_string())
    }

    /// As after a restart: nothing is remembered but what lies in the folder.
    pub fn connector(&self) -> Arc<dyn Connector> {
        self.try_connector().unwrap()
    }

    /// Rows of an import file, by heading; none if there is no such file.
    pub fn import(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let Ok(mut reader) = csv::Reader::from_path(self.path("import").join(name)) else {
            return Vec::new();
        };
        reader.deserialize().map(Result::unwrap).collect()
    }

    /// All files in the import folder with their content.
    pub fn imports(&self) -> BTreeMap<String, Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.path("import")) else {
            return BTreeMap::new();
        };
        entries
            .map(Result::unwrap)
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    fs::read(entry.path()).unwrap(),
                )
            })
            .collect()
    }

    pub fn take_away(&self, name: &str) {
        fs::rename(
            self.path("import").join(name),
            self.path(&format!("{name}.taken")),
        )
        .unwrap();
    }
}

/// Reads a stream to its end.
pub async fn drain(
    connector: &dyn Connector,
    kind: Kind,
    from: &Cursor,
    at_most: usize,
) -> (Vec<Change>, Cursor) {
    let mut changes = Vec::new();
    let mut from = from.clone();
    loop {
        let page = connector
            .read(&Request {
                kind,
                from: &from,
                at_most,
                known: &Nothing,
            })
            .await
            .unwrap();
        assert!(page.changes.len() <= at_most);
        changes.extend(page.changes);
        from = page.next;
        if !page.more {
            return (changes, from);
        }
    }
}

pub async fn all(connector: &dyn Connector, kind: Kind) -> Vec<Record> {
    let (changes, _) = drain(connector, kind, &Cursor::start(), 100).await;
    changes
        .into_iter()
        .filter_map(|change| {
            if let Change::Upserted(record) = change {
                Some(record)
            } else {
                None
            }
        })
        .collect()
}

pub async fn one(connector: &dyn Connector, kind: Kind, id: &str) -> Record {
    let mut found = connector
        .find(&Lookup {
            kind,
            by: By::Ids(vec![id.into()]),
        })
        .await
        .unwrap();
    assert_eq!(found.len(), 1, "{kind} {id}");
    found.remove(0)
}

pub async fn write(connector: &dyn Connector, operation: Operation) -> Outcome {
    let batch = Batch::new(vec![Write {
        intent: IntentId("i1".to_owned()),
        operation,
    }])
    .unwrap();
    let outcomes = connector.write(&batch).await.unwrap();
    outcomes.iter().next().unwrap().1.clone()
}

pub fn applied(outcome: &Outcome) -> &str {
    let Outcome::Applied { id, .. } = outcome else {
        panic!("not applied: {outcome:?}")
    };
    &id.0
}

pub fn create(kind: Kind, key: &str, fields: &[(&str, &str)], account: Option<&str>) -> Operation {
    let relations = account.map_or_else(Relations::default, |account| {
        Relations::default().with(Relation::Account, account)
    });
    let fields = fields
        .iter()
        .map(|(name, text)| (*name, Value::from(*text)))
        .collect();
    Operation::Create {
        kind,
        key: key.into(),
        fields,
        relations,
    }
}

pub fn update(kind: Kind, id: &str, set: &[(&str, Option<&str>)]) -> Operation {
    let set = set
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.map(Value::from)))
        .collect();
    Operation::Update {
        kind,
        id: id.into(),
        set,
        relations: Relations::default(),
    }
}

pub fn convert(lead: &str, account: &str) -> Operation {
    Operation::Convert {
        lead: lead.into(),
        account: account.into(),
        contact: None,
        owner: None,
        seen_status: None,
    }
}
