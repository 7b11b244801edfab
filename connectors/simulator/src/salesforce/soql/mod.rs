//! The part of SOQL that integrations use: read, checked against the schema, and run over the tables.
//!
//! Supported: field lists with parent relationships (`Account.Owner.Name`), `FIELDS(ALL|STANDARD|CUSTOM)`, `COUNT()`,
//! child subqueries, `WHERE` with comparisons, `IN`, `NOT IN`, `LIKE`, `INCLUDES`, `EXCLUDES`, semi-joins, `AND`, `OR`,
//! `NOT`, date literals, `ORDER BY`, `LIMIT`, `OFFSET`. Absent: aggregates other than `COUNT()`, `GROUP BY`, `TYPEOF`,
//! `FOR UPDATE`, and all functions; they answer with `MALFORMED_QUERY`, as any other text that is not understood.

mod bind;
mod parse;
mod range;
mod run;
mod token;

pub(super) use bind::{Output, Plan, bind};
pub(super) use parse::parse;
pub(super) use run::{Scope, attributes};

/// Why a query is refused, in the vendor's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SoqlError {
    /// `MALFORMED_QUERY`, `INVALID_FIELD`, `INVALID_TYPE` or another code.
    pub(super) code: &'static str,
    /// The message, with the place in the query.
    pub(super) message: String,
}

impl SoqlError {
    fn malformed(query: &str, at: usize, complaint: String) -> Self {
        SoqlError::at("MALFORMED_QUERY", query, at, &complaint)
    }

    /// A complaint with the query's text around the place and a caret below it.
    fn at(code: &'static str, query: &str, at: usize, complaint: &str) -> Self {
        let line_start = query[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let row = query[..line_start].matches('\n').count() + 1;
        let column = query[line_start..at].chars().count() + 1;
        let line = query[line_start..].lines().next().unwrap_or("");
        // The vendor shows a window of the line, not all of it.
        let from = column.saturating_sub(40);
        let shown: String = line.chars().skip(from).take(80).collect();
        let caret = " ".repeat(column - 1 - from.min(column - 1));
        let message =
            format!("\n{shown}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{complaint}");
        SoqlError { code, message }
    }
}
