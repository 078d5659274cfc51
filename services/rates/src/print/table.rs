//! A bulletin for a terminal.

use hotline_events::Lang;
use unicode_width::UnicodeWidthStr as _;

use super::Page;
use super::csv::names;
use crate::form::sheet::LineSort;

/// Lines of text, numbers to the right.
pub fn table(page: &Page, lang: Lang) -> String {
    let sheet = &page.sheet;
    let texts = if sheet.is_grouped { 2 } else { 1 };
    let mut lines = headings(page, lang, texts).to_vec();
    let mut group = None;
    for line in &sheet.lines {
        let mut cells = names(page, line, lang);
        // A group is named once.
        if sheet.is_grouped && group.replace(&line.group) == Some(&line.group) {
            cells[0].clear();
        }
        if line.sort != LineSort::Department {
            group = None;
        }
        cells.extend(line.cells.iter().map(|cell| cell.told(lang)));
        lines.push(cells);
    }
    let mut out = vec![format!("{} {}", sheet.title.to(lang), sheet.period.told(lang)), String::new()];
    out.extend(aligned(&lines, texts));
    out.push(String::new());
    out.extend(page.small_note(lang).map(str::to_owned));
    out.extend(sheet.notes.iter().map(|note| note.to(lang).to_owned()));
    out.push(lang.of("统计口径：", "Definitions:").to_owned());
    out.extend(sheet.definitions.iter().map(|definition| format!("  {}", definition.to(lang))));
    out.extend([page.as_of(lang), page.standing(lang), page.stamped(lang)]);
    for list in &page.lists {
        out.extend([String::new(), list.title.to(lang).to_owned()]);
        if list.rows.is_empty() {
            out.push(lang.of("（无）", "(none)").to_owned());
            continue;
        }
        let heading = list.headings.iter().map(|heading| heading.to(lang).to_owned()).collect();
        out.extend(aligned(
            &std::iter::once(heading).chain(list.told(page, lang)).collect::<Vec<_>>(),
            list.headings.len(),
        ));
    }
    out.push(String::new());
    out.join("\n")
}

/// What stands over columns, at the first of them, and below it the headings.
fn headings(page: &Page, lang: Lang, texts: usize) -> [Vec<String>; 2] {
    let sheet = &page.sheet;
    let mut upper = vec![String::new(); texts + sheet.columns.len()];
    for over in sheet.overs() {
        upper[texts + over.from] = over.text.map(|text| text.to(lang).to_owned()).unwrap_or_default();
    }
    let mut lower = vec![lang.of("承办单位", "Department").to_owned()];
    if sheet.is_grouped {
        lower.insert(0, lang.of("分组", "Group").to_owned());
    }
    lower.extend(sheet.columns.iter().map(|column| column.heading.to(lang).to_owned()));
    [upper, lower]
}

/// Cells in columns; the first `texts` begin at the left, the others end at the right.
fn aligned(lines: &[Vec<String>], texts: usize) -> Vec<String> {
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..lines.first().map_or(0, Vec::len)).map(width).collect();
    let padded = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let blank = " ".repeat(width.saturating_sub(cell.width()));
            if column < texts { format!("{cell}{blank}") } else { format!("{blank}{cell}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(padded).collect()
}
