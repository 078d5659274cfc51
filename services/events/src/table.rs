//! The rows of a foreign file, as JSON for an adapter.

use std::io::{BufRead, BufReader, Read};

use serde_json::{Map, Value};

use crate::decode::EVENT_BYTES_MAX;
use crate::error::TableError;

/// A row, or why there is none, with the line of the file on which it begins.
#[derive(Debug)]
pub struct Row {
    pub line: u64,
    pub value: Result<Value, TableError>,
}

/// The rows of a CSV file: an object each, by the names of the header. Every value is a string; an empty field is
/// an empty string. A row that cannot be read does not end the file.
pub fn csv(input: impl Read) -> Result<impl Iterator<Item = Row>, TableError> {
    let mut input = BufReader::new(input);
    // The reader counts a line when it meets its line feed: behind CR LF that is one record later.
    let first = input.fill_buf().map_err(|error| TableError::Io(error.kind()))?;
    let crlf = first.windows(2).find(|pair| pair[1] == b'\n').is_some_and(|pair| pair[0] == b'\r');
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
    let header = reader.headers().map_err(|error| csv_error(&error))?;
    let names: Vec<String> =
        header.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
    if (1..names.len()).any(|n| names[..n].contains(&names[n])) {
        return Err(TableError::DuplicateColumn);
    }
    let mut ended = false;
    Ok(reader.into_records().map_while(move |record| {
        if ended {
            return None;
        }
        let line = match &record {
            Ok(record) => record.position(),
            Err(error) => error.position(),
        }
        .map_or(0, |position| position.line() + u64::from(crlf));
        let value = record.map_err(|error| csv_error(&error)).and_then(|record| named(&names, &record));
        // A file that cannot be read any further would fail for ever.
        ended = matches!(value, Err(TableError::Io(_)));
        Some(Row { line, value })
    }))
}

fn named(names: &[String], record: &csv::StringRecord) -> Result<Value, TableError> {
    if names.len() != record.len() {
        return Err(TableError::Fields { expected: names.len() as u64, found: record.len() as u64 });
    }
    if record.as_slice().len() > EVENT_BYTES_MAX {
        return Err(TableError::TooLong { max: EVENT_BYTES_MAX });
    }
    let members: Map<String, Value> =
        names.iter().cloned().zip(record.iter().map(|field| Value::String(field.to_owned()))).collect();
    Ok(Value::Object(members))
}

fn csv_error(error: &csv::Error) -> TableError {
    match error.kind() {
        csv::ErrorKind::Io(error) => TableError::Io(error.kind()),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            TableError::Fields { expected: *expected_len, found: *len }
        }
        _ => TableError::Utf8,
    }
}

/// The rows of an NDJSON file, blank lines apart.
pub fn ndjson(mut input: impl BufRead) -> impl Iterator<Item = Row> {
    let (mut line, mut ended) = (0, false);
    std::iter::from_fn(move || {
        while !ended {
            line += 1;
            match next_line(&mut input) {
                Ok(None) => ended = true,
                Ok(Some(bytes)) if bytes.trim_ascii().is_empty() => {}
                Ok(Some(bytes)) => {
                    return Some(Row { line, value: json(&bytes) });
                }
                Err(error) => {
                    ended = matches!(error, TableError::Io(_));
                    return Some(Row { line, value: Err(error) });
                }
            }
        }
        None
    })
}

fn json(bytes: &[u8]) -> Result<Value, TableError> {
    let text = std::str::from_utf8(bytes).map_err(|_| TableError::Utf8)?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| TableError::Json)
}

/// The next line; one that is too long is read to its end and dropped.
fn next_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, TableError> {
    let io = |error: std::io::Error| TableError::Io(error.kind());
    let mut bytes = Vec::new();
    let limit = EVENT_BYTES_MAX as u64 + 1;
    let read = input.by_ref().take(limit).read_until(b'\n', &mut bytes).map_err(io)?;
    if read == 0 {
        return Ok(None);
    }
    if bytes.last() != Some(&b'\n') && bytes.len() > EVENT_BYTES_MAX {
        input.skip_until(b'\n').map_err(io)?;
        return Err(TableError::TooLong { max: EVENT_BYTES_MAX });
    }
    Ok(Some(bytes))
}
