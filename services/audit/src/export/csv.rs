//! CSV after RFC 4180: UTF-8, CRLF, quotes where they are needed. A text that a spreadsheet would take for a formula gets a `'`.

use bytes::Bytes;
use hotline_events::Lang;
use jiff::tz::TimeZone;

use crate::error::Error;
use crate::query::table::{Cell, Column, Kind};

/// The byte order mark, by which some programs see that a file is UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// A file in the making.
#[derive(Debug)]
pub(super) struct Csv {
    bom: bool,
    headings: Option<Lang>,
    begun: bool,
}

impl Csv {
    pub(super) fn new(bom: bool, headings: Option<Lang>) -> Self {
        Self { bom, headings, begun: false }
    }

    /// The lines of rows; before the first ones the heading.
    pub(super) fn rows(
        &mut self,
        columns: &[Column],
        rows: &[Vec<Cell>],
        zone: &TimeZone,
    ) -> Result<Bytes, Error> {
        let mut bytes = Vec::new();
        if self.bom && !self.begun {
            bytes.extend_from_slice(BOM);
        }
        let mut out = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(bytes);
        let failed = |error: ::csv::Error| Error::Export(error.to_string());
        if !self.begun {
            out.write_record(columns.iter().map(|column| column.heading(self.headings))).map_err(failed)?;
            self.begun = true;
        }
        for row in rows {
            let cells = columns.iter().zip(row).map(|(column, cell)| cell_of(column.kind, cell, zone));
            out.write_record(cells).map_err(failed)?;
        }
        let bytes = out.into_inner().map_err(|error| Error::Export(error.to_string()))?;
        Ok(bytes.into())
    }
}

/// Numbers, times and truths are written as they are, by the kind of their column; a text never begins a formula, nor after
/// signs that nobody sees and some spreadsheets drop.
fn cell_of(kind: Kind, cell: &Cell, zone: &TimeZone) -> String {
    let whole = cell.plain(zone);
    let text = whole.trim_start_matches(is_unseen);
    match kind {
        Kind::Text | Kind::List
            if text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\0']) =>
        {
            format!("'{whole}")
        }
        _ => whole,
    }
}

/// Blanks, signs of no width, and those that turn the direction of writing; a tab, a return and a NUL are looked at themselves.
fn is_unseen(sign: char) -> bool {
    let is_blank = sign.is_whitespace() || sign.is_control();
    let has_no_width = matches!(
        sign,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
    ) || matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}');
    has_no_width || is_blank && !['\t', '\r', '\0'].contains(&sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { name: "case", kind: Kind::Text, zh: "工单", en: "case" },
        Column { name: "gap", kind: Kind::Number, zh: "相差秒数", en: "gap, seconds" },
        Column { name: "marks", kind: Kind::List, zh: "标记", en: "marks" },
    ];

    fn written(bom: bool, rows: &[Vec<Cell>]) -> String {
        let bytes = Csv::new(bom, None).rows(COLUMNS, rows, &TimeZone::UTC).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn lines_end_as_rfc_4180_says_and_quotes_stand_where_they_must() {
        let row = vec![Cell::text("a,\"b\"\nc"), Cell::Number(-5), Cell::List(vec!["x".into(), "y".into()])];
        assert_eq!(written(false, &[row]), "case,gap,marks\r\n\"a,\"\"b\"\"\nc\",-5,x y\r\n");
        assert_eq!(written(true, &[]), "\u{feff}case,gap,marks\r\n");
    }

    #[test]
    fn the_heading_is_in_the_words_that_were_asked_for() {
        let heading = |lang| Csv::new(false, Some(lang)).rows(COLUMNS, &[], &TimeZone::UTC).unwrap();
        assert_eq!(heading(Lang::Zh), "工单,相差秒数,标记\r\n");
        assert_eq!(heading(Lang::En), "case,\"gap, seconds\",marks\r\n");
    }

    #[test]
    fn no_text_begins_a_formula_and_every_number_stays_one() {
        let starts = ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\0"];
        let hidden = [" =", "\u{3000}+", "\u{200b}=", "\u{feff}-", " \u{200b} @", "\n=", "\u{a0}＝", " \t"];
        for start in starts.into_iter().chain(hidden) {
            let text = format!("{start}1");
            let row = vec![Cell::text(&text), Cell::Number(-1), Cell::List(vec![text.as_str().into()])];
            let line = written(false, &[row]);
            let mut lines = ::csv::Reader::from_reader(line.as_bytes());
            let read = lines.records().next().unwrap().unwrap();
            assert_eq!((&read[0], &read[1], &read[2]), (&*format!("'{text}"), "-1", &*format!("'{text}")));
        }
        let plain = vec![Cell::text("12345:1"), Cell::Number(1), Cell::List(vec![" a=b".into()])];
        assert_eq!(written(false, &[plain]), "case,gap,marks\r\n12345:1,1, a=b\r\n");
    }

    #[test]
    fn the_heading_stands_once() {
        let mut csv = Csv::new(true, None);
        let row = vec![Cell::text("1"), Cell::Nothing, Cell::Nothing];
        csv.rows(COLUMNS, std::slice::from_ref(&row), &TimeZone::UTC).unwrap();
        assert_eq!(csv.rows(COLUMNS, &[row], &TimeZone::UTC).unwrap(), "1,,\r\n");
    }
}
