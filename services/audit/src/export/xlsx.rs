//! XLSX: one sheet, written row by row into a temporary file; texts are texts, whatever they begin with.

use std::io::{self, Write};

use bytes::Bytes;
use hotline_events::Lang;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, XlsxError};
use tokio::runtime::Handle;

use super::{Outlet, Piece};
use crate::error::Error;
use crate::query::table::{Cell, Column};

/// Rows of a sheet below its heading.
pub(super) const ROWS_MAX: i64 = 1_048_575;
/// Bytes that are handed on at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A sheet in the making.
pub(super) struct Sheet {
    book: Workbook,
    /// The next row to write; 0 is the heading.
    row: u32,
    instants: Format,
    days: Format,
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn failed(error: XlsxError) -> Error {
    Error::Export(error.to_string())
}

impl Sheet {
    pub(super) fn new(name: &str, columns: &[Column], headings: Option<Lang>) -> Result<Self, Error> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet_with_constant_memory().map_err(failed)?;
        sheet.set_name(name).map_err(failed)?;
        sheet.set_freeze_panes(1, 0).map_err(failed)?;
        let bold = Format::new().set_bold();
        for (at, column) in (0_u16..).zip(columns) {
            sheet.write_string_with_format(0, at, column.heading(headings), &bold).map_err(failed)?;
        }
        let format = |text| Format::new().set_num_format(text);
        Ok(Self { book, row: 1, instants: format("yyyy-mm-dd hh:mm:ss"), days: format("yyyy-mm-dd") })
    }

    pub(super) fn rows(
        &mut self,
        columns: &[Column],
        rows: &[Vec<Cell>],
        zone: &TimeZone,
    ) -> Result<(), Error> {
        let Self { book, row: at, instants, days } = self;
        let sheet = book.worksheet_from_index(0).map_err(failed)?;
        for row in rows {
            for (column, cell) in (0_u16..).zip(row).take(columns.len()) {
                match cell {
                    Cell::Nothing => continue,
                    #[expect(clippy::cast_precision_loss, reason = "a sheet knows no other numbers")]
                    Cell::Number(number) => sheet.write_number(*at, column, *number as f64),
                    Cell::Truth(holds) => sheet.write_boolean(*at, column, *holds),
                    Cell::Instant(instant) => match local(*instant, zone) {
                        Some(local) => sheet.write_datetime_with_format(*at, column, local, instants),
                        None => sheet.write_string(*at, column, cell.plain(zone)),
                    },
                    Cell::Day(day) => match day_of(*day) {
                        Some(day) => sheet.write_datetime_with_format(*at, column, day, days),
                        None => sheet.write_string(*at, column, cell.plain(zone)),
                    },
                    Cell::Text(_) | Cell::List(_) => sheet.write_string(*at, column, cell.plain(zone)),
                }
                .map_err(failed)?;
            }
            *at += 1;
        }
        Ok(())
    }

    /// Writes the file to whoever reads it; on a thread that may wait.
    pub(super) fn save(mut self: Box<Self>, outlet: Outlet) -> Result<(), Error> {
        let mut out = Out { outlet, bytes: Vec::with_capacity(PIECE_BYTES) };
        self.book.save_to_writer(&mut out).map_err(failed)?;
        out.flush().map_err(|error| Error::Export(error.to_string()))
    }
}

/// None: before what sheets know as a day.
fn day_of(day: civil::Date) -> Option<ExcelDateTime> {
    let (year, month, day) = (day.year(), day.month(), day.day());
    ExcelDateTime::from_ymd(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// As a clock of the zone shows it, to the second: sheets know no offset.
fn local(at: Timestamp, zone: &TimeZone) -> Option<ExcelDateTime> {
    let local = zone.to_datetime(at);
    let part = |part: i8| u8::try_from(part).ok();
    let (hour, minute, second) = (part(local.hour())?, part(local.minute())?, part(local.second())?);
    day_of(local.date())?.and_hms(hour.into(), minute, f64::from(second)).ok()
}

/// Pieces of a file for whoever reads it.
struct Out {
    outlet: Outlet,
    bytes: Vec<u8>,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.bytes));
        let sent = Handle::current().block_on(self.outlet.send(Piece::Bytes(piece)));
        sent.map_err(|error| io::Error::new(io::ErrorKind::BrokenPipe, error.to_string()))
    }
}
