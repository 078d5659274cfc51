//! A form with its figures: lines of departments, subtotals of their groups, a total.
//!
//! Every number of a line is computed from the integers of its departments, never from other printed numbers. The total is
//! over all departments of the lines' groups, those included that have figures only in a span that is compared with.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use hotline_core::bulletin::{Figure, Figures, Place, Sort, Span, Sums};
use hotline_core::fact::Code;
use hotline_core::rate::ALL;
use hotline_core::rulebook::{Best, Rulebook};
use hotline_core::score::NOBODY;
use hotline_events::Lang;

use super::decimal::Decimal;
use super::period::Period;
use super::{Against, Column, Form, Of, Show, Text, Unit, definition};

/// A bulletin as it is printed.
#[derive(Clone, Debug)]
pub struct Sheet {
    pub title: Text,
    pub period: Period,
    pub columns: Vec<Column>,
    /// Lines are told apart by groups.
    pub is_grouped: bool,
    pub lines: Vec<Line>,
    /// Some value is of a sample that is too small to be ranked.
    pub has_small: bool,
    pub notes: Vec<Text>,
    pub signatures: Vec<Text>,
    /// How each figure is defined (统计口径).
    pub definitions: Vec<Text>,
    /// The place of the column that is drawn.
    pub chart: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineSort {
    Department,
    Subtotal,
    Total,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub sort: LineSort,
    pub group: Text,
    /// Of a subtotal and the total: `*`.
    pub department: Code,
    pub name: Text,
    pub cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub content: Content,
    /// The sample is too small to be ranked.
    pub is_small: bool,
    /// What the number is made of, where it is of a rate.
    pub sums: Option<Sums>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// There is no such number of this line.
    Blank,
    /// Nothing to compare with, or not ranked.
    Missing,
    /// Nothing stands below the line (无数据).
    NoData,
    Number(Decimal),
    Percent(Decimal),
    Rank(u32),
    /// More or less than in the span that is compared with; of rates in percentage points.
    Change(Decimal),
}

impl Content {
    pub fn told(&self, lang: Lang) -> String {
        match self {
            Content::Blank => String::new(),
            Content::Missing => "—".to_owned(),
            Content::NoData => lang.of("无数据", "no data").to_owned(),
            Content::Number(number) => number.to_string(),
            Content::Percent(percent) => format!("{percent} %"),
            Content::Rank(rank) => rank.to_string(),
            Content::Change(more) if more.units > 0 => format!("+{more}"),
            Content::Change(more) => more.to_string(),
        }
    }
}

impl Cell {
    const BLANK: Cell = Cell { content: Content::Blank, is_small: false, sums: None };

    fn of(content: Content) -> Self {
        Self { content, ..Self::BLANK }
    }

    /// With the mark of a small sample.
    pub fn told(&self, lang: Lang) -> String {
        let mark = if self.is_small { "*" } else { "" };
        format!("{}{mark}", self.content.told(lang))
    }
}

/// Columns that stand under one heading, or one that stands alone.
#[derive(Clone, Copy, Debug)]
pub struct Over<'s> {
    /// Places of the first and the last column.
    pub from: usize,
    pub to: usize,
    /// The heading over them.
    pub text: Option<&'s Text>,
    /// The heading of the first column.
    pub own: &'s Text,
}

impl Sheet {
    /// The columns by what stands over them.
    pub fn overs(&self) -> Vec<Over<'_>> {
        let mut overs: Vec<Over<'_>> = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            match overs.last_mut() {
                Some(over) if over.text.is_some() && over.text == column.over.as_ref() => over.to = place,
                _ => overs.push(Over {
                    from: place,
                    to: place,
                    text: column.over.as_ref(),
                    own: &column.heading,
                }),
            }
        }
        overs
    }
}

/// Puts figures into a form, under the rulebook that they were made by.
pub fn lay(form: &Form, rulebook: &Rulebook, period: Period, figures: &Figures) -> Sheet {
    let laying = Laying { form, rulebook, figures };
    let lines = laying.lines();
    Sheet {
        title: form.title.clone(),
        period,
        columns: form.columns.clone(),
        is_grouped: laying.is_grouped(),
        has_small: lines.iter().flat_map(|line| &line.cells).any(|cell| cell.is_small),
        lines,
        notes: form.notes.clone(),
        signatures: form.signatures.clone(),
        definitions: definition::texts(form, rulebook),
        chart: form.chart,
    }
}

struct Laying<'a> {
    form: &'a Form,
    rulebook: &'a Rulebook,
    figures: &'a Figures,
}

impl Laying<'_> {
    fn is_grouped(&self) -> bool {
        self.rulebook.departments.values().any(|known| known.group.is_some())
    }

    fn group(&self, department: &Code) -> Option<&Code> {
        self.rulebook.departments.get(department)?.group.as_ref()
    }

    /// Where a group stands: in the order of the form, then by name, then what is in none, nobody last.
    fn group_place(&self, department: &Code) -> (usize, Option<&Code>) {
        let group = self.group(department);
        let listed = group.and_then(|group| self.form.groups.iter().position(|known| known == group));
        match (listed, group) {
            (Some(place), _) => (place, group),
            (None, Some(_)) => (self.form.groups.len(), group),
            (None, None) if department == NOBODY => (usize::MAX, None),
            (None, None) => (usize::MAX - 1, None),
        }
    }

    fn is_taken(&self, department: &Code) -> bool {
        !self.form.only_groups || self.group(department).is_some_and(|group| self.form.groups.contains(group))
    }

    fn lines(&self) -> Vec<Line> {
        let with_figures = |shown: &dyn Fn(Span) -> bool| -> BTreeSet<&Code> {
            let places = self.figures.keys().filter(|place| shown(place.span) && place.department != ALL);
            places.map(|place| &place.department).filter(|department| self.is_taken(department)).collect()
        };
        let all = with_figures(&|_| true);
        let mut shown = with_figures(&|span| span == Span::Period);
        if self.form.all_departments {
            let known = self.rulebook.departments.values().filter(|known| known.group.is_some());
            shown.extend(known.map(|known| &known.code).filter(|department| self.is_taken(department)));
        }
        let mut shown: Vec<&Code> = shown.into_iter().collect();
        shown.sort_by(|a, b| {
            (self.group_place(a).cmp(&self.group_place(b))).then_with(|| self.order(a, b)).then(a.cmp(b))
        });
        let mut lines = Vec::new();
        let of_group = |department: &Code| {
            let place = self.group_place(department);
            all.iter().copied().filter(|other| self.group_place(other) == place).collect::<Vec<_>>()
        };
        for (nth, department) in shown.iter().enumerate() {
            lines.push(self.line(LineSort::Department, department, &[department]));
            let is_last =
                shown.get(nth + 1).is_none_or(|next| self.group_place(next) != self.group_place(department));
            if is_last && self.form.subtotals && self.group(department).is_some() {
                lines.push(self.line(LineSort::Subtotal, department, &of_group(department)));
            }
        }
        let everybody: Vec<&Code> = all.into_iter().collect();
        lines.push(self.line(LineSort::Total, &ALL.into(), &everybody));
        lines
    }

    fn line(&self, sort: LineSort, department: &Code, of: &[&Code]) -> Line {
        let (code, name) = match sort {
            LineSort::Department => (department.clone(), self.name(department)),
            LineSort::Subtotal => (ALL.into(), Text::of("小计", "Subtotal")),
            LineSort::Total => (ALL.into(), Text::of("合计", "Total")),
        };
        let group = match (sort, self.group(department)) {
            (LineSort::Total, _) => Text::default(),
            (_, Some(group)) => Text::of(group.as_str(), group.as_str()),
            (_, None) => Text::of("其他", "Other"),
        };
        let cells = self.form.columns.iter().map(|column| self.cell(column, sort, of)).collect();
        Line { sort, group, department: code, name, cells }
    }

    fn name(&self, department: &Code) -> Text {
        if department == NOBODY {
            return Text::of("未派单", "Nobody");
        }
        let Some(known) = self.rulebook.departments.get(department) else {
            return Text::of(department.as_str(), department.as_str());
        };
        let en = if known.name_en.is_empty() { &known.name_zh } else { &known.name_en };
        Text::of(known.name_zh.as_str(), en.as_str())
    }

    fn cell(&self, column: &Column, sort: LineSort, of: &[&Code]) -> Cell {
        let against = match column.change {
            None => return self.plain(column, sort, of),
            Some(Against::Before) => Span::Before,
            Some(Against::YearBefore) => Span::YearBefore,
        };
        if sort != LineSort::Department && is_of_one(column) {
            return Cell::BLANK;
        }
        let more = self.change(column, sort, of, against);
        Cell::of(more.map_or(Content::Missing, Content::Change))
    }

    fn plain(&self, column: &Column, sort: LineSort, of: &[&Code]) -> Cell {
        if sort != LineSort::Department && is_of_one(column) {
            return Cell::BLANK;
        }
        let number = |value: Option<f64>| {
            let rounded = value.map(|value| Decimal::rounded(value, column.decimals));
            Cell::of(rounded.map_or(Content::NoData, Content::Number))
        };
        let id = match &column.of {
            Of::Reported(measure) => return number(self.reported(Span::Period, measure, sort, of)),
            Of::Score(_) | Of::Rate(_) if column.show == Show::Rank => {
                let rank = self.one(column, Span::Period, of).and_then(|figure| figure.rank);
                return Cell::of(rank.map_or(Content::Missing, Content::Rank));
            }
            Of::Score(_) => {
                return number(self.one(column, Span::Period, of).and_then(|figure| figure.value));
            }
            Of::Rate(id) => id,
        };
        let sums = self.sums(Span::Period, id, of);
        let content = content(column, sums);
        let is_value = matches!(column.show, Show::Value | Show::RestValue) && content != Content::NoData;
        let rank_from = self.rulebook.rates.get(id).and_then(|rate| rate.rank_from).map_or(0, i64::from);
        let is_small = is_value
            && sort == LineSort::Department
            && sums.denominator < rank_from.saturating_mul(sums.scale);
        Cell { content, is_small, sums: Some(sums) }
    }

    fn change(&self, column: &Column, sort: LineSort, of: &[&Code], against: Span) -> Option<Decimal> {
        let decimals = column.decimals;
        let both = |value: &dyn Fn(Span) -> Option<f64>| Some((value(Span::Period)?, value(against)?));
        let id = match &column.of {
            Of::Reported(measure) => {
                let (now, then) = both(&|span| self.reported(span, measure, sort, of))?;
                return Some(Decimal::rounded(now - then, decimals));
            }
            Of::Score(_) | Of::Rate(_) if column.show == Show::Rank => {
                let rank = |span| Some(i64::from(self.one(column, span, of)?.rank?));
                // A place gained is a smaller number.
                return Some(Decimal { units: rank(against)? - rank(Span::Period)?, decimals: 0 });
            }
            Of::Score(_) => {
                let (now, then) = both(&|span| self.one(column, span, of)?.value)?;
                return Some(Decimal::rounded(now - then, decimals));
            }
            Of::Rate(id) => id,
        };
        let (now, then) = (self.sums(Span::Period, id, of), self.sums(against, id, of));
        if then == Sums::NOTHING {
            return None;
        }
        let factor = if column.unit == Unit::Percent { 100 } else { 1 };
        if let Some((count, before)) = counted(column.show, now).zip(counted(column.show, then)) {
            let decimals = if (now.scale, then.scale) == (1, 1) { decimals } else { decimals.max(2) };
            return Decimal::difference(
                fraction(count, now.scale),
                fraction(before, then.scale),
                1,
                decimals,
            );
        }
        match column.show {
            Show::Value => Decimal::difference(now, then, factor, decimals),
            Show::RestValue => Decimal::difference(rest(now), rest(then), factor, decimals),
            Show::Numerator | Show::Denominator | Show::Rest | Show::Rank => None,
        }
    }

    /// The figure of a line of one department.
    fn one(&self, column: &Column, span: Span, of: &[&Code]) -> Option<&Figure> {
        let (sort, id) = match &column.of {
            Of::Rate(id) => (Sort::Rate, id),
            Of::Score(id) => (Sort::Score, id),
            Of::Reported(_) => return None,
        };
        let [department] = of else { return None };
        self.figures.get(&Place { span, sort, id: id.clone(), department: (*department).clone() })
    }

    fn sums(&self, span: Span, id: &Code, of: &[&Code]) -> Sums {
        let place = |department: &Code| Place {
            span,
            sort: Sort::Rate,
            id: id.clone(),
            department: department.clone(),
        };
        let each = of.iter().filter_map(|department| self.figures.get(&place(department))?.sums);
        each.fold(Sums::NOTHING, Sums::plus)
    }

    /// What sources report of the departments of a line; of all departments, also what names none.
    fn reported(&self, span: Span, measure: &Code, sort: LineSort, of: &[&Code]) -> Option<f64> {
        let all = Code::new_static(ALL);
        let whole = (sort == LineSort::Total).then_some(&all);
        let place = |department: &Code| Place {
            span,
            sort: Sort::Reported,
            id: measure.clone(),
            department: department.clone(),
        };
        let values = of.iter().copied().chain(whole);
        values
            .filter_map(|department| self.figures.get(&place(department))?.value)
            .fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or_default() + value))
    }

    /// How two departments of a group stand in the column that orders them: the better one first.
    fn order(&self, a: &Code, b: &Code) -> Ordering {
        let Some(column) = self.form.order_by.map(|place| &self.form.columns[place]) else {
            return Ordering::Equal;
        };
        let figure = |department: &Code| self.one(column, Span::Period, &[department]);
        let without_rank = |department: &Code| figure(department).and_then(|figure| figure.rank).is_none();
        let descending = |value: &dyn Fn(&Code) -> Option<f64>| {
            value(b).unwrap_or(f64::MIN).total_cmp(&value(a).unwrap_or(f64::MIN))
        };
        match &column.of {
            Of::Rate(id) => {
                let sums = |department: &Code| self.sums(Span::Period, id, &[department]);
                let (ours, theirs) = (sums(a), sums(b));
                let cross = |a: i64, b: i64| i128::from(a) * i128::from(b);
                if let Some((count, other)) = counted(column.show, ours).zip(counted(column.show, theirs)) {
                    return cross(other, ours.scale).cmp(&cross(count, theirs.scale));
                }
                let higher =
                    cross(theirs.numerator, ours.denominator).cmp(&cross(ours.numerator, theirs.denominator));
                let best = self.rulebook.rates.get(id).map(|rate| rate.best).unwrap_or_default();
                let better = if best == Best::Lowest { higher.reverse() } else { higher };
                let is_empty = |sums: Sums| sums.denominator <= 0;
                without_rank(a).cmp(&without_rank(b)).then(is_empty(ours).cmp(&is_empty(theirs))).then(better)
            }
            Of::Score(_) => without_rank(a)
                .cmp(&without_rank(b))
                .then(descending(&|department| figure(department).and_then(|figure| figure.value))),
            Of::Reported(measure) => descending(&|department| {
                self.reported(Span::Period, measure, LineSort::Department, &[department])
            }),
        }
    }
}

/// Whether the column has a number of one department only.
fn is_of_one(column: &Column) -> bool {
    column.show == Show::Rank || matches!(column.of, Of::Score(_))
}

/// What a column of counts shows, in units of 1/`scale`; None of others.
fn counted(show: Show, sums: Sums) -> Option<i64> {
    match show {
        Show::Numerator => Some(sums.numerator),
        Show::Denominator => Some(sums.denominator),
        Show::Rest => Some(sums.denominator - sums.numerator),
        Show::Value | Show::RestValue | Show::Rank => None,
    }
}

/// What is missing to one.
fn rest(sums: Sums) -> Sums {
    Sums { numerator: sums.denominator - sums.numerator, ..sums }
}

fn content(column: &Column, sums: Sums) -> Content {
    if let Some(count) = counted(column.show, sums) {
        return Content::Number(Decimal::count(count, sums.scale, column.decimals));
    }
    let sums = if column.show == Show::RestValue { rest(sums) } else { sums };
    let value = match column.unit {
        Unit::Percent => Decimal::percent(sums, column.decimals).map(Content::Percent),
        Unit::Number => Decimal::quotient(sums, column.decimals).map(Content::Number),
    };
    value.unwrap_or(Content::NoData)
}

fn fraction(numerator: i64, denominator: i64) -> Sums {
    Sums { numerator, denominator, scale: 1 }
}
