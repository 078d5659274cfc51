//! A bulletin for spreadsheets: the table, its notes, then its lists, each after an empty line.

use hotline_events::Lang;

use super::Page;
use crate::error::Error;
use crate::form::sheet::Line;

/// By which a spreadsheet knows UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// UTF-8, with a byte order mark if `with_bom`. No cell of text begins a formula.
pub fn csv(page: &Page, lang: Lang, with_bom: bool) -> Result<Vec<u8>, Error> {
    let bytes = if with_bom { BOM.to_vec() } else { Vec::new() };
    let mut out = ::csv::WriterBuilder::new().flexible(true).from_writer(bytes);
    let sheet = &page.sheet;
    let mut text = |cells: Vec<String>| out.write_record(cells.iter().map(|cell| safe(cell)));
    text(vec![format!("{} {}", sheet.title.to(lang), sheet.period.told(lang))])?;
    text(headings(page, lang))?;
    let has_small = has_small(page);
    for line in &sheet.lines {
        let names = names(page, line, lang).into_iter().map(|name| safe(&name));
        // Numbers are no text: a change may begin with a sign.
        let cells = line.cells.iter().map(|cell| number(&cell.content.told(lang)));
        let small = has_small.then(|| safe(&small(page, line, lang)));
        out.write_record(names.chain(cells).chain(small))?;
    }
    let mut text = |cells: Vec<String>| out.write_record(cells.iter().map(|cell| safe(cell)));
    let mut below: Vec<String> = vec![page.as_of(lang), page.standing(lang), page.stamped(lang)];
    below.extend(sheet.notes.iter().map(|note| note.to(lang).to_owned()));
    below.extend(sheet.definitions.iter().map(|definition| definition.to(lang).to_owned()));
    below.extend(
        sheet
            .signatures
            .iter()
            .map(|signature| lang.of(format!("{}：", signature.zh), format!("{}:", signature.en))),
    );
    for line in below {
        text(vec![line])?;
    }
    for list in &page.lists {
        text(vec![String::new()])?;
        text(vec![list.title.to(lang).to_owned()])?;
        text(list.headings.iter().map(|heading| heading.to(lang).to_owned()).collect())?;
        for row in list.told(page, lang) {
            text(row)?;
        }
    }
    out.into_inner().map_err(|error| Error::Csv(error.into_error().into()))
}

/// Group, department, and a heading a column with what stands over it.
fn headings(page: &Page, lang: Lang) -> Vec<String> {
    let sheet = &page.sheet;
    let group = sheet.is_grouped.then(|| lang.of("分组", "Group").to_owned());
    let columns = sheet.columns.iter().map(|column| match &column.over {
        Some(over) => format!("{} · {}", over.to(lang), column.heading.to(lang)),
        None => column.heading.to(lang).to_owned(),
    });
    let small = has_small(page).then(|| lang.of("小样本", "Small samples").to_owned());
    let department = lang.of("承办单位", "Department").to_owned();
    group.into_iter().chain([department]).chain(columns).chain(small).collect()
}

fn has_small(page: &Page) -> bool {
    page.sheet.lines.iter().any(|line| line.cells.iter().any(|cell| cell.is_small))
}

/// Which columns of a line rest on too few cases: a mark beside a number would make a text of it.
fn small(page: &Page, line: &Line, lang: Lang) -> String {
    let columns = page.sheet.columns.iter().zip(&line.cells).filter(|(_, cell)| cell.is_small);
    let headings: Vec<&str> = columns.map(|(column, _)| column.heading.to(lang)).collect();
    headings.join(lang.of("、", ", "))
}

pub(super) fn names(page: &Page, line: &Line, lang: Lang) -> Vec<String> {
    let group = page.sheet.is_grouped.then(|| line.group.to(lang).to_owned());
    group.into_iter().chain([line.name.to(lang).to_owned()]).collect()
}

/// A spreadsheet must not take a text for a formula.
pub(super) fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// A number as a spreadsheet reads it.
fn number(text: &str) -> String {
    text.strip_suffix(" %").map_or_else(|| text.to_owned(), |percent| format!("{percent}%"))
}
