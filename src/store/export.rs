//! Rows as lines of JSON: `{"leadloop":"rows","v":1}`, then `{"key":…,"value":…,"kept":true}` for each row, then
//! `{"rows":2,"sha256":"…"}` over all bytes before that line. Keys and values stand as in the ledger.

use super::{Error, frame::Bytes};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{io::Write, path::Path};

/// An export under way.
pub(super) struct Export<'a> {
    out: &'a mut dyn Write,
    seen: Sha256,
    rows: u64,
}

#[derive(Serialize)]
struct Row {
    key: Bytes,
    value: Bytes,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    kept: bool,
}

impl<'a> Export<'a> {
    pub(super) fn begin(out: &'a mut dyn Write) -> Result<Self, Error> {
        let mut export = Export {
            out,
            seen: Sha256::new(),
            rows: 0,
        };
        export.line(&serde_json::json!({ "leadloop": "rows", "v": 1 }))?;
        Ok(export)
    }

    pub(super) fn row(&mut self, key: &[u8], value: &[u8], kept: bool) -> Result<(), Error> {
        self.rows += 1;
        self.line(&Row {
            key: key.into(),
            value: value.into(),
            kept,
        })
    }

    pub(super) fn finish(mut self) -> Result<u64, Error> {
        let sum = format!("{:x}", self.seen.clone().finalize());
        self.line(&serde_json::json!({ "rows": self.rows, "sha256": sum }))?;
        self.out.flush().map_err(failed)?;
        Ok(self.rows)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec(line).expect("a line is plain data with text keys");
        bytes.push(b'\n');
        self.seen.update(&bytes);
        self.out.write_all(&bytes).map_err(failed)
    }
}

fn failed(source: std::io::Error) -> Error {
    Error::io("write the export", Path::new("the export's place"), source)
}
