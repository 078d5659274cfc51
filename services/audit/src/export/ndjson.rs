//! NDJSON: a row a line, as the pages of lists have them.

use bytes::Bytes;
use jiff::tz::TimeZone;

use crate::query::table::{Cell, Column, object};

pub(super) fn rows(columns: &[Column], rows: &[Vec<Cell>], zone: &TimeZone) -> Bytes {
    let lines = rows.iter().map(|row| object(columns, row, zone).to_string() + "\n");
    lines.collect::<String>().into()
}
