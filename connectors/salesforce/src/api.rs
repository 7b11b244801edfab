//! The REST resources that are used: describe, query and its pages, collections.

use crate::{
    answer::VendorError,
    shape::{Describe, Shape},
};
use contract::ConnectorError;
use jiff::Timestamp;
use kit::{Answer, Call, Session, SessionError};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Most rows on one page of a query.
pub(crate) const PAGE: usize = 2000;
/// Fewest rows that a query's page can be asked for.
const SMALLEST_PAGE: usize = 200;

/// One org's REST face, at one version.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) session: Session,
    /// As in `v68.0`.
    pub(crate) version: String,
}

/// Whether a query sees deleted and archived rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Living,
    All,
}

/// One page of a query.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) records: Vec<Map<String, Json>>,
    /// Path of the next page.
    pub(crate) next: Option<String>,
    /// The server's time of the answer.
    pub(crate) date: Option<Timestamp>,
}

/// Why there are no rows.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Salesforce understood the question and refuses it.
    Refused(ConnectorError, Vec<VendorError>),
    /// Anything else.
    Other(ConnectorError),
}

impl Failure {
    /// Whether Salesforce gave this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        matches!(self, Failure::Refused(_, errors) if errors.iter().any(|error| error.code == code))
    }

    /// The message that came with a code.
    pub(crate) fn message(&self, code: &str) -> Option<&str> {
        match self {
            Failure::Refused(_, errors) => errors
                .iter()
                .find(|error| error.code == code)
                .map(|error| error.message.as_str()),
            Failure::Other(_) => None,
        }
    }
}

impl From<Failure> for ConnectorError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error, _) | Failure::Other(error) => error,
        }
    }
}

impl From<ConnectorError> for Failure {
    fn from(error: ConnectorError) -> Self {
        Failure::Other(error)
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Failure::Other(error.into())
    }
}

/// A refusal is no answer; any other failure stays one.
pub(crate) fn tolerant<T>(answer: Result<T, Failure>) -> Result<Option<T>, ConnectorError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Failure::Refused(..)) | Err(Failure::Other(ConnectorError::Refused { .. })) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryAnswer {
    done: bool,
    #[serde(default)]
    next_records_url: Option<String>,
    records: Vec<Map<String, Json>>,
}

impl Api {
    /// A path below the version's root.
    pub(crate) fn data(&self, rest: &str) -> String {
        format!("/services/data/{}/{rest}", self.version)
    }

    /// Reads JSON from a path below the version's root.
    pub(crate) async fn get(&self, rest: &str, doing: &'static str) -> Result<Json, Failure> {
        let answer = self.ask(Call::get(self.data(rest)).doing(doing)).await?;
        Ok(answer.json(doing)?)
    }

    /// What our user sees of an object.
    pub(crate) async fn describe(&self, object: &str) -> Result<Shape, Failure> {
        let doing = "describing an object";
        let answer = self
            .ask(Call::get(self.data(&format!("sobjects/{object}/describe"))).doing(doing))
            .await?;
        let describe: Describe = answer.json(doing)?;
        Ok(Shape::new(describe, self.session.now()))
    }

    /// The first page of a query. `at_most` is a wish: a page has 200 to 2,000 rows, and Salesforce
    /// may cut it shorter.
    pub(crate) async fn query(
        &self,
        soql: &str,
        scope: Scope,
        at_most: usize,
        doing: &'static str,
    ) -> Result<Rows, Failure> {
        let resource = if scope == Scope::All {
            "queryAll"
        } else {
            "query"
        };
        let size = at_most.clamp(SMALLEST_PAGE, PAGE);
        let call = Call::get(self.data(resource))
            .query("q", soql)
            .header("Sforce-Query-Options", format!("batchSize={size}"))
            .doing(doing);
        self.rows(call).await
    }

    /// A further page, by the path that the page before gave.
    pub(crate) async fn page(&self, path: &str, doing: &'static str) -> Result<Rows, Failure> {
        self.rows(Call::get(path).doing(doing)).await
    }

    /// All pages of a query.
    pub(crate) async fn all(
        &self,
        soql: &str,
        scope: Scope,
        doing: &'static str,
    ) -> Result<Vec<Map<String, Json>>, Failure> {
        let mut page = self.query(soql, scope, PAGE, doing).await?;
        let mut records = std::mem::take(&mut page.records);
        while let Some(next) = page.next {
            page = self.page(&next, doing).await?;
            records.append(&mut page.records);
        }
        Ok(records)
    }

    /// Sends a write. A refusal of the whole request comes back as its answer.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, SessionError> {
        self.session
            .call(call.header("Sforce-Call-Options", "client=leadloop"))
            .await
    }

    async fn rows(&self, call: Call) -> Result<Rows, Failure> {
        let doing = call.doing;
        let answer = self.ask(call).await?;
        let page: QueryAnswer = answer.json(doing)?;
        let next = match page.next_records_url {
            // The link is vendor data: it is followed on our own host and inside the data API only.
            Some(link) if !page.done => Some(self.own(&link, doing)?),
            Some(_) | None => None,
        };
        if !page.done && next.is_none() {
            let detail = "a query that is not done names no next page".to_owned();
            return Err(Failure::Other(ConnectorError::Protocol {
                doing: doing.to_owned(),
                detail,
            }));
        }
        Ok(Rows {
            records: page.records,
            next,
            date: answer.date(),
        })
    }

    fn own(&self, link: &str, doing: &str) -> Result<String, ConnectorError> {
        let path = self.session.same_origin(link)?;
        if path.starts_with(&self.data("query")) {
            return Ok(path);
        }
        Err(ConnectorError::Protocol {
            doing: doing.to_owned(),
            detail: "the next page lies outside the query resource".to_owned(),
        })
    }

    async fn ask(&self, call: Call) -> Result<Answer, Failure> {
        let doing = call.doing;
        let answer = self.send(call).await?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let errors = VendorError::read_all(&answer.body);
        let words = errors
            .iter()
            .map(VendorError::words)
            .collect::<Vec<_>>()
            .join("; ");
        let detail = if words.is_empty() {
            format!("HTTP {}", answer.status)
        } else {
            words
        };
        if errors.is_empty() {
            return Err(Failure::Other(ConnectorError::Protocol {
                doing: doing.to_owned(),
                detail,
            }));
        }
        Err(Failure::Refused(
            ConnectorError::Refused {
                doing: doing.to_owned(),
                detail,
            },
            errors,
        ))
    }
}
