//! A bulletin as a page: on the screen, and printed on A4 across. No script, nothing loaded from elsewhere.

use askama::Template as _;
use hotline_events::Lang;

use super::Page;
use super::chart::{self, Chart};
use crate::error::Error;
use crate::form::Text;
use crate::form::sheet::{Content, LineSort};

#[derive(askama::Template)]
#[template(path = "bulletin.html")]
struct Html<'p> {
    lang: &'static str,
    title: &'p str,
    period: String,
    as_of: String,
    standing: String,
    stamped: String,
    is_draft: bool,
    is_grouped: bool,
    words: Words,
    /// The upper row of headings.
    overs: Vec<Over<'p>>,
    /// The lower one: what stands under a common heading.
    headings: Vec<&'p str>,
    lines: Vec<Row<'p>>,
    small_note: Option<&'static str>,
    notes: Vec<&'p str>,
    definitions: Vec<&'p str>,
    signatures: Vec<&'p str>,
    chart: Option<Chart>,
    lists: Vec<Listed<'p>>,
}

struct Words {
    group: &'static str,
    department: &'static str,
    notes: &'static str,
    definitions: &'static str,
    none: &'static str,
    ranking: &'static str,
}

struct Over<'p> {
    text: &'p str,
    columns: usize,
    rows: usize,
}

struct Row<'p> {
    class: &'static str,
    /// With the number of lines that it spans, where it begins.
    group: Option<(&'p str, usize)>,
    name: &'p str,
    cells: Vec<Shown>,
}

struct Shown {
    class: &'static str,
    text: String,
}

struct Listed<'p> {
    title: &'p str,
    headings: Vec<&'p str>,
    rows: Vec<Vec<String>>,
}

/// The page; all of it escaped.
pub fn html(page: &Page, lang: Lang) -> Result<String, Error> {
    let sheet = &page.sheet;
    let html = Html {
        lang: lang.of("zh-CN", "en"),
        title: sheet.title.to(lang),
        period: sheet.period.told(lang),
        as_of: page.as_of(lang),
        standing: page.standing(lang),
        stamped: page.stamped(lang),
        is_draft: page.published.is_none(),
        is_grouped: sheet.is_grouped,
        words: Words {
            group: lang.of("分组", "Group"),
            department: lang.of("承办单位", "Department"),
            notes: lang.of("说明", "Notes"),
            definitions: lang.of("统计口径", "Definitions"),
            none: lang.of("无", "none"),
            ranking: lang.of("排名图", "Ranking"),
        },
        overs: sheet
            .overs()
            .into_iter()
            .map(|over| match over.text {
                Some(text) => Over { text: text.to(lang), columns: over.to - over.from + 1, rows: 1 },
                None => Over { text: over.own.to(lang), columns: 1, rows: 2 },
            })
            .collect(),
        headings: sheet
            .columns
            .iter()
            .filter(|column| column.over.is_some())
            .map(|column| column.heading.to(lang))
            .collect(),
        lines: rows(page, lang),
        small_note: page.small_note(lang),
        notes: texts(&sheet.notes, lang),
        definitions: texts(&sheet.definitions, lang),
        signatures: texts(&sheet.signatures, lang),
        chart: chart::chart(page, lang),
        lists: page
            .lists
            .iter()
            .map(|list| Listed {
                title: list.title.to(lang),
                headings: texts(&list.headings, lang),
                rows: list.told(page, lang).collect(),
            })
            .collect(),
    };
    Ok(html.render()?)
}

fn texts(texts: &[Text], lang: Lang) -> Vec<&str> {
    texts.iter().map(|text| text.to(lang)).collect()
}

fn rows(page: &Page, lang: Lang) -> Vec<Row<'_>> {
    let lines = &page.sheet.lines;
    let begins = |nth: usize| {
        nth == 0 || lines[nth].group != lines[nth - 1].group || lines[nth].sort == LineSort::Total
    };
    let spans = |nth: usize| (nth + 1..lines.len()).take_while(|next| !begins(*next)).count() + 1;
    lines
        .iter()
        .enumerate()
        .map(|(nth, line)| Row {
            class: match line.sort {
                LineSort::Department => "department",
                LineSort::Subtotal => "subtotal",
                LineSort::Total => "total",
            },
            group: begins(nth).then(|| (line.group.to(lang), spans(nth))),
            name: line.name.to(lang),
            cells: line
                .cells
                .iter()
                .map(|cell| Shown {
                    class: match cell.content {
                        _ if cell.is_small => "small",
                        Content::NoData | Content::Missing => "nothing",
                        _ => "number",
                    },
                    text: cell.told(lang),
                })
                .collect(),
        })
        .collect()
}
