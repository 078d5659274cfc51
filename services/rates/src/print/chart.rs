//! The ranking of a bulletin as bars: where each stands, in the numbers of the page's own SVG.

use hotline_events::Lang;

use super::Page;
use crate::form::sheet::{Content, LineSort};

/// In the units of the drawing.
const BAR_HEIGHT: u32 = 18;
/// For the numbers below the bars.
const FOOT_HEIGHT: u32 = 24;
const NAMES_WIDTH: f64 = 300.0;
const BARS_WIDTH: f64 = 600.0;
/// For the value behind the longest bar.
const VALUES_WIDTH: f64 = 120.0;
/// Bars of one drawing: a printed page holds no more.
const BARS_MAX: usize = 30;

pub(super) struct Chart {
    pub(super) title: String,
    pub(super) width: f64,
    pub(super) parts: Vec<Part>,
    pub(super) ticks: Vec<Tick>,
}

/// A group, or as much of it as a page holds.
pub(super) struct Part {
    pub(super) group: String,
    pub(super) height: u32,
    pub(super) bars: Vec<Bar>,
}

pub(super) struct Bar {
    pub(super) y: u32,
    pub(super) text_y: u32,
    pub(super) name: String,
    pub(super) names_x: f64,
    pub(super) x: f64,
    pub(super) width: String,
    pub(super) value_x: String,
    pub(super) value: String,
    pub(super) is_small: bool,
}

pub(super) struct Tick {
    pub(super) x: f64,
    pub(super) text: String,
}

/// The column that the form has drawn, if it has one and any department has a value there.
pub(super) fn chart(page: &Page, lang: Lang) -> Option<Chart> {
    let place = page.sheet.chart?;
    let value = |content: Content| match content {
        Content::Percent(number) | Content::Number(number) => Some(number.to_f64()),
        _ => None,
    };
    let lines = page.sheet.lines.iter().filter(|line| line.sort == LineSort::Department);
    let shown: Vec<_> = lines.filter_map(|line| Some((line, value(line.cells[place].content)?))).collect();
    // A share is drawn to 100 %, whatever is largest; a number to the largest.
    let is_share = shown.iter().all(|(line, _)| matches!(line.cells[place].content, Content::Percent(_)));
    let least = if is_share { 100.0 } else { f64::MIN_POSITIVE };
    let most = shown.iter().map(|(_, value)| *value).fold(least, f64::max);
    let mut parts: Vec<Part> = Vec::new();
    for (line, value) in shown {
        let group = line.group.to(lang);
        let is_full = |part: &Part| part.group != group || part.bars.len() == BARS_MAX;
        if parts.last().is_none_or(is_full) {
            parts.push(Part { group: group.to_owned(), height: FOOT_HEIGHT, bars: Vec::new() });
        }
        let Some(part) = parts.last_mut() else { continue };
        let width = (value / most).clamp(0.0, 1.0) * BARS_WIDTH;
        let y = part.height - FOOT_HEIGHT;
        part.bars.push(Bar {
            y: y + 3,
            text_y: y + 14,
            name: shortened(line.name.to(lang)),
            names_x: NAMES_WIDTH - 8.0,
            x: NAMES_WIDTH,
            width: format!("{width:.1}"),
            value_x: format!("{:.1}", NAMES_WIDTH + width + 6.0),
            value: line.cells[place].told(lang),
            is_small: line.cells[place].is_small,
        });
        part.height += BAR_HEIGHT;
    }
    let end = if is_share { 100.0 } else { most };
    let tick =
        |share: f64| Tick { x: NAMES_WIDTH + BARS_WIDTH * share * end / most, text: told(share * end) };
    let column = &page.sheet.columns[place];
    let over = column.over.as_ref().map(|over| format!("{} · ", over.to(lang))).unwrap_or_default();
    (!parts.is_empty()).then(|| Chart {
        title: format!("{over}{}", column.heading.to(lang)),
        width: NAMES_WIDTH + BARS_WIDTH + VALUES_WIDTH,
        parts,
        ticks: [0.0, 0.25, 0.5, 0.75, 1.0].map(tick).into(),
    })
}

/// A number at the foot of a drawing, with no more digits than it needs.
fn told(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A name that fits before its bar.
fn shortened(name: &str) -> String {
    use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};
    const CELLS_MAX: usize = 40;
    if name.width() <= CELLS_MAX {
        return name.to_owned();
    }
    let mut cells = 0;
    let kept = name.chars().take_while(|c| {
        cells += c.width().unwrap_or(0);
        cells < CELLS_MAX
    });
    kept.chain(['…']).collect()
}
