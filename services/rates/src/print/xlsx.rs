//! A bulletin as a workbook: the table, the definitions, then a sheet for each list.

use hotline_events::Lang;
use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};

use super::{List, Page};
use crate::error::Error;
use crate::form::decimal::Decimal;
use crate::form::sheet::{Cell, Content, LineSort};

/// Where the table begins: below the title and the period.
const HEAD_ROW: u32 = 2;
/// Columns of a list are as wide as their widest cell, up to this.
const WIDTH_PIXELS_MAX: u32 = 320;

/// The bytes of the workbook. Rates are numbers as they are printed, so that 99.996 % is not shown as 100 %.
pub fn xlsx(page: &Page, lang: Lang) -> Result<Vec<u8>, Error> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name(lang.of("通报", "Bulletin"))?;
    table(sheet, page, lang)?;
    let sheet = workbook.add_worksheet();
    sheet.set_name(lang.of("统计口径", "Definitions"))?;
    definitions(sheet, page, lang)?;
    for list in &page.lists {
        let sheet = workbook.add_worksheet();
        sheet.set_name(sheet_name(list, lang))?;
        write_list(sheet, list, page, lang)?;
    }
    Ok(workbook.save_to_buffer()?)
}

fn sheet_name(list: &List, lang: Lang) -> &'static str {
    match list.name {
        "excluded" => lang.of("剔除", "excluded"),
        "extended" => lang.of("延期", "extended"),
        "corrected" => lang.of("更正", "corrected"),
        "changes" => lang.of("发布后变化", "changes"),
        _ => lang.of("发布后更正", "restatements"),
    }
}

fn head() -> Format {
    Format::new()
        .set_bold()
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter)
        .set_text_wrap()
        .set_border(FormatBorder::Thin)
        .set_background_color(Color::RGB(0xE8_EE_F4))
}

fn table(out: &mut Worksheet, page: &Page, lang: Lang) -> Result<(), XlsxError> {
    let sheet = &page.sheet;
    let first = if sheet.is_grouped { 2 } else { 1 };
    let place = |column: usize| u16::try_from(first + column).unwrap_or(u16::MAX);
    let last = place(sheet.columns.len() - 1);
    let title = Format::new().set_bold().set_font_size(16).set_align(FormatAlign::Center);
    out.merge_range(0, 0, 0, last, sheet.title.to(lang), &title)?;
    let centred = Format::new().set_align(FormatAlign::Center);
    let line = format!("{}    {}", sheet.period.told(lang), page.as_of(lang));
    out.merge_range(1, 0, 1, last, &line, &centred)?;
    let mut texts = vec![lang.of("承办单位", "Department")];
    if sheet.is_grouped {
        texts.insert(0, lang.of("分组", "Group"));
    }
    for (column, text) in (0_u16..).zip(texts) {
        out.merge_range(HEAD_ROW, column, HEAD_ROW + 1, column, text, &head())?;
        out.set_column_width(column, if column + 1 == place(0) { 32 } else { 14 })?;
    }
    for over in sheet.overs() {
        let (from, to) = (place(over.from), place(over.to));
        match over.text {
            None => {
                out.merge_range(HEAD_ROW, from, HEAD_ROW + 1, from, over.own.to(lang), &head())?;
            }
            Some(text) if from == to => {
                out.write_with_format(HEAD_ROW, from, text.to(lang), &head())?;
            }
            Some(text) => {
                out.merge_range(HEAD_ROW, from, HEAD_ROW, to, text.to(lang), &head())?;
            }
        }
    }
    for (column, own) in sheet.columns.iter().enumerate().filter(|(_, column)| column.over.is_some()) {
        out.write_with_format(HEAD_ROW + 1, place(column), own.heading.to(lang), &head())?;
    }
    let mut row = HEAD_ROW + 2;
    for line in &sheet.lines {
        let base = Format::new().set_border(FormatBorder::Thin);
        let base = if line.sort == LineSort::Department { base } else { base.set_bold() };
        for (column, name) in (0_u16..).zip(super::csv::names(page, line, lang)) {
            out.write_with_format(row, column, name, &base)?;
        }
        for (column, cell) in line.cells.iter().enumerate() {
            write_cell(out, (row, place(column)), cell, lang, &base)?;
        }
        row += 1;
    }
    out.set_freeze_panes(HEAD_ROW + 2, place(0))?;
    out.set_repeat_rows(HEAD_ROW, HEAD_ROW + 1)?;
    out.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    let below = page.small_note(lang).map(str::to_owned).into_iter();
    let below = below.chain(sheet.notes.iter().map(|note| note.to(lang).to_owned()));
    let signed = sheet
        .signatures
        .iter()
        .map(|signature| lang.of(format!("{}：", signature.zh), format!("{}:", signature.en)));
    for text in below.chain(signed).chain([page.standing(lang), page.stamped(lang)]) {
        row += 1;
        out.write(row, 0, text)?;
    }
    Ok(())
}

fn write_cell(
    out: &mut Worksheet,
    (row, column): (u32, u16),
    cell: &Cell,
    lang: Lang,
    base: &Format,
) -> Result<(), XlsxError> {
    let base =
        if cell.is_small { base.clone().set_italic().set_font_color(Color::Gray) } else { base.clone() };
    let decimals = |number: Decimal| match number.decimals {
        0 => "0".to_owned(),
        decimals => format!("0.{}", "0".repeat(decimals.into())),
    };
    let right = |base: Format| base.set_align(FormatAlign::Right);
    match cell.content {
        Content::Number(number) => {
            out.write_with_format(row, column, number.to_f64(), &base.set_num_format(decimals(number)))?;
        }
        Content::Percent(percent) => {
            let format = base.set_num_format(format!("{}%", decimals(percent)));
            out.write_with_format(row, column, percent.to_f64() / 100.0, &format)?;
        }
        Content::Change(more) => {
            let plain = decimals(more);
            let format = base.set_num_format(format!("+{plain};-{plain};{plain}"));
            out.write_with_format(row, column, more.to_f64(), &format)?;
        }
        Content::Rank(rank) => {
            out.write_with_format(row, column, rank, &base)?;
        }
        Content::Blank | Content::Missing | Content::NoData => {
            out.write_with_format(row, column, cell.content.told(lang), &right(base))?;
        }
    }
    Ok(())
}

fn definitions(out: &mut Worksheet, page: &Page, lang: Lang) -> Result<(), XlsxError> {
    let wrapped = Format::new().set_text_wrap();
    out.set_column_width(0, 120)?;
    let lines = page.sheet.definitions.iter().map(|definition| definition.to(lang).to_owned());
    let stamp = [page.as_of(lang), page.standing(lang), page.stamped(lang)];
    for (row, text) in (0..).zip(lines.chain(stamp)) {
        out.write_with_format(row, 0, text, &wrapped)?;
    }
    Ok(())
}

fn write_list(out: &mut Worksheet, list: &List, page: &Page, lang: Lang) -> Result<(), XlsxError> {
    out.write_with_format(0, 0, list.title.to(lang), &Format::new().set_bold())?;
    for (column, heading) in (0_u16..).zip(&list.headings) {
        out.write_with_format(1, column, heading.to(lang), &head())?;
    }
    for (row, cells) in (2..).zip(list.told(page, lang)) {
        for (column, cell) in (0_u16..).zip(cells) {
            // Text stays text: nothing of it is a formula or a number.
            out.write_string(row, column, cell)?;
        }
    }
    out.set_freeze_panes(2, 0)?;
    out.set_autofit_max_width(WIDTH_PIXELS_MAX);
    out.autofit();
    Ok(())
}
