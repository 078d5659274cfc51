//! Rows for `COPY … FROM STDIN (FORMAT binary)`: the quickest way to append many.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::PgConnection;

use crate::error::{Error, expect_rows};
use crate::sql_types::{At, On};

/// How much goes into the connection's own buffer at a time.
const CHUNK_BYTES: usize = 128 * 1024;
/// A buffer of a usual batch; a larger one is not kept.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;
const KEPT_MAX: usize = 8;
/// Buffers that were sent: a new one of some megabytes would be cleared page by page by the operating system, and grow by
/// being copied.
static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Rows in the making. Values go in by column, in the order of the statement.
#[derive(Debug)]
pub(crate) struct Rows {
    columns: i16,
    count: usize,
    bytes: Vec<u8>,
}

impl Rows {
    pub(crate) fn new(columns: i16) -> Self {
        let mut bytes = KEPT.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        bytes.extend_from_slice(&[0; 8]);
        Self { columns, count: 0, bytes }
    }

    pub(crate) fn row(&mut self) -> &mut Self {
        self.count += 1;
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let length = i32::try_from(value.len()).expect("what came in is bounded far below 2 GiB");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub(crate) fn optional_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    pub(crate) fn optional_bytes(&mut self, value: Option<&[u8]>) -> &mut Self {
        match value {
            Some(value) => self.bytes(value),
            None => self.null(),
        }
    }

    /// A `jsonb`, which has a version byte before its text.
    pub(crate) fn jsonb(&mut self, value: &serde_json::Value) -> &mut Self {
        let mut bytes = vec![1];
        bytes.extend_from_slice(value.to_string().as_bytes());
        self.bytes(&bytes)
    }

    pub(crate) fn integer(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn small(&mut self, value: i32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn short(&mut self, value: i16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn at(&mut self, value: Timestamp) -> &mut Self {
        self.integer(At(value).postgres())
    }

    pub(crate) fn on(&mut self, value: Date) -> &mut Self {
        self.small(On(value).postgres())
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
        self
    }

    /// Sends the rows; nothing is sent if there are none.
    pub(crate) async fn send(
        mut self,
        tx: &mut PgConnection,
        name: &'static str,
        statement: &'static str,
    ) -> Result<(), Error> {
        if self.count == 0 {
            return Ok(());
        }
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut copy = tx.copy_in_raw(statement).await.map_err(Error::database(name))?;
        for chunk in self.bytes.chunks(CHUNK_BYTES) {
            copy.send(chunk).await.map_err(Error::database(name))?;
        }
        let written = copy.finish().await.map_err(Error::database(name))?;
        expect_rows(name, self.count, written)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        // Some of it may be personal, sealed or not.
        bytes.fill(0);
        bytes.clear();
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX && bytes.capacity() <= KEPT_BYTES_MAX {
            kept.push(bytes);
        }
    }
}
