use crate::settings::Encoding;
use csv::{ByteRecord, ReaderBuilder};

/// A cell beyond this is an accident (an unclosed quote swallows the rest of a file), not a value.
const LARGEST_CELL: usize = 1 << 20;

/// A CSV file as rows of text.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Headings.
    pub header: Vec<String>,
    /// Rows that fit the headings.
    pub rows: Vec<Row>,
    /// Rows that do not.
    pub bad: Vec<BadRow>,
    /// Lines that are not UTF-8 and were read as Windows-1252.
    pub not_utf8: Vec<u64>,
}

/// A row with as many cells as there are headings.
#[derive(Debug)]
pub(crate) struct Row {
    /// The line it starts on, from 1.
    pub line: u64,
    /// Its cells.
    pub cells: Vec<String>,
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// The line it starts on, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a whole file cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableError {
    /// There is not even a heading.
    #[error("it is empty; export it again with its column headings")]
    Empty,
    /// The encoding was given as UTF-8, and is not.
    #[error("line {line} is not UTF-8; export it as UTF-8, or set encoding = \"auto\"")]
    Encoding {
        /// The line, from 1.
        line: u64,
    },
    /// The headings themselves are broken.
    #[error("its headings on line {line} cannot be read; is it a CSV file?")]
    Header {
        /// The line, from 1.
        line: u64,
    },
}

/// Reads a file's bytes.
pub(crate) fn read(
    bytes: &[u8],
    delimiter: Option<u8>,
    encoding: Encoding,
) -> Result<Table, TableError> {
    let utf16 =
        encoding_rs::Encoding::for_bom(bytes).filter(|(found, _)| *found != encoding_rs::UTF_8);
    let decoded;
    let bytes = match utf16 {
        Some((found, _)) => {
            decoded = found.decode(bytes).0.into_owned();
            decoded.as_bytes()
        }
        None => bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
    };
    let (bytes, told, skipped) = separator_line(bytes);
    let delimiter = delimiter.or(told).unwrap_or_else(|| guess(bytes));
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(bytes);
    let mut table = Table::default();
    let mut short: Vec<BadRow> = Vec::new();
    let mut footer = false;
    let mut record = ByteRecord::new();
    loop {
        // A reader over memory of bytes cannot fail: rows may differ in length, and nothing is decoded.
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => {
                return Err(TableError::Header {
                    line: reader.position().line(),
                });
            }
        }
        let line = record.position().map_or(0, csv::Position::line) + skipped;
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        if record.iter().any(|cell| cell.len() > LARGEST_CELL) {
            table.bad.push(BadRow {
                line,
                reason: "a cell of more than 1 MiB; is a quote left open?".to_owned(),
            });
            continue;
        }
        if record.as_slice().contains(&0) {
            if table.header.is_empty() {
                return Err(TableError::Header { line });
            }
            table.bad.push(BadRow {
                line,
                reason: "it contains NUL bytes; the file is damaged or not text".to_owned(),
            });
            continue;
        }
        let mut cells = Vec::with_capacity(record.len());
        let mut foreign = encoding == Encoding::Windows1252 && utf16.is_none();
        if !foreign && record.iter().any(|cell| std::str::from_utf8(cell).is_err()) {
            if encoding == Encoding::Utf8 {
                return Err(TableError::Encoding { line });
            }
            table.not_utf8.push(line);
            foreign = true;
        }
        for cell in &record {
            let text = if foreign {
                encoding_rs::WINDOWS_1252
                    .decode_without_bom_handling(cell)
                    .0
            } else {
                String::from_utf8_lossy(cell)
            };
            cells.push(text.trim().to_owned());
        }
        if table.header.is_empty() {
            while cells.last().is_some_and(String::is_empty) {
                cells.pop();
            }
            table.header = cells;
            continue;
        }
        let wide = table.header.len();
        while cells.len() > wide && cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        if cells.len() == wide {
            table.bad.append(&mut short);
            table.rows.push(Row { line, cells });
            continue;
        }
        let reason = format!(
            "{} cells where the headings are {wide}; is a quote or a delimiter wrong?",
            cells.len()
        );
        if cells.iter().filter(|cell| !cell.is_empty()).count() == 1 && wide > 1 {
            // Salesforce closes a report with lines of one cell. Only if nothing follows them they are that.
            footer |= cells.iter().any(|cell| {
                cell.starts_with("Copyright (c)") || cell.starts_with("Confidential Information")
            });
            short.push(BadRow { line, reason });
        } else {
            table.bad.append(&mut short);
            table.bad.push(BadRow { line, reason });
        }
    }
    if !footer {
        table.bad.append(&mut short);
    }
    table.bad.sort_by_key(|bad| bad.line);
    if table.header.is_empty() {
        Err(TableError::Empty)
    } else {
        Ok(table)
    }
}

/// Spreadsheets may tell the delimiter in a first line `sep=;`.
fn separator_line(bytes: &[u8]) -> (&[u8], Option<u8>, u64) {
    let Some(rest) = bytes.strip_prefix(b"sep=") else {
        return (bytes, None, 0);
    };
    let end = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(rest.len(), |place| place + 1);
    (&rest[end..], rest.first().copied(), 1)
}

/// The delimiter that occurs most in the first line, outside quotes.
fn guess(bytes: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [0_usize; 3];
    let candidates = [b',', b';', b'\t'];
    let text = bytes
        .iter()
        .skip_while(|byte| matches!(byte, b'\r' | b'\n'));
    for byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            _ => {
                for (count, candidate) in counts.iter_mut().zip(candidates) {
                    *count += usize::from(*byte == candidate);
                }
            }
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    candidates
        .into_iter()
        .zip(counts)
        .find(|(_, count)| *count == most)
        .map_or(b',', |(candidate, _)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
        read(bytes, None, Encoding::Auto)
            .unwrap()
            .rows
            .into_iter()
            .map(|row| row.cells)
            .collect()
    }

    #[test]
    fn delimiters_and_encodings_are_found_out() {
        let expect = vec![vec!["1".to_owned(), "Müller".to_owned()]];
        assert_eq!(cells("Id,Name\n1,Müller\n".as_bytes()), expect);
        assert_eq!(cells("\u{feff}Id;Name\r\n1;Müller\r\n".as_bytes()), expect);
        assert_eq!(cells("sep=;\nId;Name\n1;Müller".as_bytes()), expect);
        assert_eq!(cells("Id\tName\n1\tMüller".as_bytes()), expect);
        assert_eq!(cells(b"Id,Name\n1,M\xfcller\n"), expect);
        let utf16: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(
                "Id\tName\n1\tMüller"
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes),
            )
            .collect();
        assert_eq!(cells(&utf16), expect);
    }

    #[test]
    fn utf8_on_demand_names_the_line() {
        let error = read(b"Id,Name\n1,a\n2,M\xfcller\n", None, Encoding::Utf8).unwrap_err();
        assert_eq!(error, TableError::Encoding { line: 3 });
    }

    #[test]
    fn bad_rows_are_told_and_the_rest_is_read() {
        let huge = "x".repeat(LARGEST_CELL + 1);
        let text = format!("Id,Name\n1,a\n2\n3,c,d\n4,\0\n5,{huge}\n6,\"line\nbreak\"\n7,g,,\n");
        let table = read(text.as_bytes(), None, Encoding::Auto).unwrap();
        assert_eq!(
            table.rows.iter().map(|row| row.line).collect::<Vec<_>>(),
            [2, 7, 9]
        );
        assert_eq!(
            table.bad.iter().map(|bad| bad.line).collect::<Vec<_>>(),
            [3, 4, 5, 6]
        );
    }

    #[test]
    fn the_footer_of_a_report_is_no_row() {
        let text = "Lead ID,Email\n1,a@b.c\n\n\"My report\"\n\"Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved.\"\n";
        let table = read(text.as_bytes(), None, Encoding::Auto).unwrap();
        assert_eq!((table.rows.len(), table.bad.len()), (1, 0));
    }

    #[test]
    fn an_empty_file_is_no_table() {
        assert_eq!(
            read(b"\n\n", None, Encoding::Auto).unwrap_err(),
            TableError::Empty
        );
    }
}
