//! Rates: named, versioned ratios of sums of tallies.
//!
//! A [`Table`] adds up contributions, whether they come from folded cases or from stored tallies, and gives the
//! same rows for both. Numerator and denominator are integers; the value is their quotient, and none without
//! data.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::fact::Code;
use crate::measure::{Measure, Part, Population, State, parse_tally_name, parse_term, tally_name};
use crate::rank::{self, Standing};
use crate::rulebook::{Basis, Composite, Rate, Rulebook, Term, Where};
use crate::score::{Cell, Contribution, NOBODY, OpenClock, OpenClocks, Score, Series};

/// By what a table is broken down, besides the department.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct By {
    pub hotline: bool,
    pub case_type: bool,
}

impl By {
    /// Reads `department[,hotline][,case_type]`.
    pub fn parse(text: &str) -> Result<By, String> {
        let mut by = By::default();
        let mut department = false;
        for word in text.split(',').map(str::trim) {
            match word {
                "department" => department = true,
                "hotline" => by.hotline = true,
                "case_type" => by.case_type = true,
                other => {
                    return Err(format!("cannot break down by \"{other}\": department, hotline, case_type"));
                }
            }
        }
        if department { Ok(by) } else { Err("a table is broken down by department first".to_owned()) }
    }
}

/// What a table is asked for: days from `from` to before `to`, in the rulebook's zone.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    pub rates: Vec<&'a Rate>,
    /// Scores made of several rates, which need not be among the above.
    pub scores: Vec<&'a Composite>,
    pub by: By,
    pub from: Date,
    pub to: Date,
}

/// A row: a rate of a department, or of all (`*`).
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub rate: Code,
    pub version: u32,
    pub department: Code,
    pub hotline: Option<Code>,
    pub case_type: Option<Code>,
    /// In units of 1/`scale`; 1 unless the rate has weights or sums of money that are not whole.
    pub numerator: i64,
    pub denominator: i64,
    pub scale: i64,
    /// The group in which the department is ranked; None where it is in none, or the rate is not ranked.
    pub group: Option<Code>,
    /// Its place within the group; None where the denominator is too small.
    pub rank: Option<u32>,
}

/// What a query is answered with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Of each rate asked for: a row for every combination with a denominator, and a row `*` over all departments.
    pub rows: Vec<Row>,
    /// Of each score asked for, best first within a group.
    pub standings: Vec<Standing>,
}

impl Row {
    /// The rate; None without data.
    pub fn value(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts of cases are far below 2^53")]
        (self.denominator != 0).then(|| self.numerator as f64 / self.denominator as f64)
    }

    /// Which of two rows with data has the higher rate, exactly: as fractions, never as decimals.
    pub fn compare(&self, other: &Row) -> Ordering {
        let cross = |of: &Row, by: &Row| i128::from(of.numerator) * i128::from(by.denominator);
        cross(self, other).cmp(&cross(other, self))
    }
}

/// The department of a row that sums over all.
pub const ALL: &str = "*";

type Key = (Code, Option<Code>, Option<Code>);

#[derive(Debug)]
struct Side {
    measure: Measure,
    population: Population,
    excluded: bool,
    weight: i64,
}

#[derive(Debug)]
struct Column<'a> {
    rate: &'a Rate,
    scale: i64,
    numerator: Vec<Side>,
    denominator: Vec<Side>,
    cells: BTreeMap<Key, (i64, i64)>,
}

/// Sums for the rates of a query.
#[derive(Debug)]
pub struct Table<'a> {
    by: By,
    from: Date,
    to: Date,
    /// Which cases it takes at all, whatever the rates take.
    only: Where,
    columns: Vec<Column<'a>>,
    open: OpenAsked,
}

/// Which open clocks a question needs to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenAsked {
    #[default]
    None,
    /// Those past their deadline: few.
    Overdue,
    /// All of them, since it asks for what runs, is held or in review, too.
    All,
}

/// What a value of a measure adds to the rates of a table: places of columns, and how often it counts above and below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights(Vec<(usize, i64, i64)>);

impl Weights {
    /// No rate of the table asks for the measure.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Table<'a> {
    /// A table of the rates asked for and of those that the scores need.
    pub fn new(query: &Query<'a>, rulebook: &'a Rulebook) -> Self {
        let terms = query.scores.iter().flat_map(|score| &score.terms);
        let of_scores = terms.filter_map(|term| rulebook.rates.get(&term.rate));
        let mut columns: Vec<Column<'a>> = Vec::new();
        for rate in query.rates.iter().copied().chain(of_scores) {
            if !columns.iter().any(|column| column.rate.id == rate.id) {
                columns.push(Column::new(rate));
            }
        }
        let open = columns.iter().map(Column::open).max().unwrap_or_default();
        Self { by: query.by, from: query.from, to: query.to, only: Where::default(), columns, open }
    }

    /// Narrows an empty table to the cases that `only` takes; its role is not looked at.
    #[must_use]
    pub fn only(mut self, only: Where) -> Self {
        self.only = only;
        self
    }

    /// Adds a folded case as of an instant.
    pub fn add_score(&mut self, score: &Score, as_of: Timestamp) {
        for (contribution, value) in &score.contributions {
            self.add(&score.hotline, contribution, *value);
        }
        self.add_clocks(&score.hotline, &score.open_clocks, as_of);
    }

    /// Adds what the open clocks of a case are doing at an instant.
    pub fn add_open(&mut self, open: &OpenClocks, as_of: Timestamp) {
        self.add_clocks(&open.hotline, &open.clocks, as_of);
    }

    fn add_clocks(&mut self, hotline: &Code, clocks: &[OpenClock], as_of: Timestamp) {
        for clock in clocks {
            let is_asked = match self.open {
                OpenAsked::None => false,
                OpenAsked::Overdue => clock.state(as_of) == State::OpenOverdue,
                OpenAsked::All => true,
            };
            if is_asked {
                self.add(hotline, &clock.at(as_of), 1);
            }
        }
    }

    fn add(&mut self, hotline: &Code, contribution: &Contribution, value: i64) {
        if !takes(&self.only, hotline, &contribution.case_type, &contribution.class) {
            return;
        }
        for column in &mut self.columns {
            let Some(day) = contribution.days[column.rate.basis as usize] else { continue };
            if day < self.from || day >= self.to {
                continue;
            }
            let filter = &column.rate.filter;
            if filter.role != contribution.role
                || !takes(filter, hotline, &contribution.case_type, &contribution.class)
            {
                continue;
            }
            for part in contribution.parts() {
                let (numerator, denominator) =
                    column.weigh(&contribution.measure, part, contribution.excluded, value);
                if (numerator, denominator) != (0, 0) {
                    let key = key(self.by, hotline, &contribution.case_type, &contribution.department);
                    column.add(key, numerator, denominator);
                }
            }
        }
    }

    /// Whether anything of a series counts in the table.
    pub fn takes(&self, series: &Series) -> bool {
        let (measure, part, excluded) = parse_tally_name(&series.measure);
        self.takes_cell(&series.cell)
            && self
                .columns
                .iter()
                .any(|column| column.takes(series) && column.weigh(&measure, part, excluded, 1) != (0, 0))
    }

    fn takes_cell(&self, cell: &Cell) -> bool {
        takes(&self.only, &cell.hotline, &cell.case_type, &cell.class)
    }

    /// Adds the sum of a series over the days of the query.
    pub fn add_sum(&mut self, series: &Series, value: i64) {
        let weights = self.weights(series.basis, &series.measure);
        self.add_weighed(&weights, &series.cell, value);
    }

    /// What a tally of that name counts for. Asked once for the sums of many cells.
    pub fn weights(&self, basis: Basis, tally: &str) -> Weights {
        let (measure, part, excluded) = parse_tally_name(tally);
        let columns = self.columns.iter().enumerate().filter(|(_, column)| column.rate.basis == basis);
        let weighed = columns.map(|(place, column)| {
            let (numerator, denominator) = column.weigh(&measure, part, excluded, 1);
            (place, numerator, denominator)
        });
        Weights(weighed.filter(|(_, numerator, denominator)| (*numerator, *denominator) != (0, 0)).collect())
    }

    /// Adds the sum of a cell over the days of the query.
    pub fn add_weighed(&mut self, weights: &Weights, cell: &Cell, value: i64) {
        if !self.takes_cell(cell) {
            return;
        }
        for (place, numerator, denominator) in &weights.0 {
            let column = &mut self.columns[*place];
            let filter = &column.rate.filter;
            if filter.role == cell.role && takes(filter, &cell.hotline, &cell.case_type, &cell.class) {
                let key = key(self.by, &cell.hotline, &cell.case_type, &cell.department);
                column.add(key, numerator * value, denominator * value);
            }
        }
    }

    /// The version of every rate in the table and of every score that is made of them.
    pub fn definitions(&self, query: &Query<'_>) -> BTreeMap<Code, u32> {
        let rates = self.columns.iter().map(|column| (column.rate.id.clone(), column.rate.version));
        rates.chain(query.scores.iter().map(|score| (score.id.clone(), score.version))).collect()
    }

    /// The names of the tallies that the query needs, by basis.
    pub fn needs(&self) -> BTreeMap<Basis, BTreeSet<Code>> {
        let mut needs: BTreeMap<Basis, BTreeSet<Code>> = BTreeMap::new();
        for column in &self.columns {
            let names = needs.entry(column.rate.basis).or_default();
            for side in column.numerator.iter().chain(&column.denominator) {
                let parts = Part::ALL.iter().filter(|part| side.population.sign(**part) != 0);
                names.extend(parts.map(|part| tally_name(&side.measure, *part, side.excluded)));
            }
        }
        needs
    }

    /// What it takes to tell what open clocks are doing.
    pub fn needs_open(&self) -> OpenAsked {
        self.open
    }

    /// What stands in the table, the sums over all departments apart, whatever the denominators.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Row> {
        self.columns.iter().flat_map(|column| {
            column.cells.iter().map(|((department, hotline, case_type), sums)| {
                column.row(department.clone(), (hotline.clone(), case_type.clone()), *sums)
            })
        })
    }

    /// Whether nothing that was added counts.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|column| column.cells.is_empty())
    }

    /// Takes everything out of the table.
    pub fn clear(&mut self) {
        for column in &mut self.columns {
            column.cells.clear();
        }
    }

    /// Rows with their ranks, and scores.
    pub fn answer(&self, query: &Query<'_>, rulebook: &Rulebook) -> Answer {
        answer_of(self.rows(), query, rulebook)
    }

    /// As [`Table::answer`], with a row for whatever stands in the table, also where nothing stands below the line, and
    /// none over all departments: who adds rows up finds the sums of `answer`.
    pub fn answer_whole(&self, query: &Query<'_>, rulebook: &Rulebook) -> Answer {
        answer_of(self.cells().collect(), query, rulebook)
    }

    /// A row for every combination with a denominator, and for each combination of the other dimensions a row
    /// over all departments.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for column in &self.columns {
            let mut totals: BTreeMap<(Option<Code>, Option<Code>), (i64, i64)> = BTreeMap::new();
            if !self.by.hotline && !self.by.case_type {
                totals.insert((None, None), (0, 0));
            }
            for ((department, hotline, case_type), (numerator, denominator)) in &column.cells {
                let total = totals.entry((hotline.clone(), case_type.clone())).or_default();
                total.0 += numerator;
                total.1 += denominator;
                if *denominator > 0 {
                    let others = (hotline.clone(), case_type.clone());
                    rows.push(column.row(department.clone(), others, (*numerator, *denominator)));
                }
            }
            for (others, total) in totals {
                rows.push(column.row(ALL.into(), others, total));
            }
        }
        rows
    }
}

impl<'a> Column<'a> {
    fn new(rate: &'a Rate) -> Self {
        let terms = rate.numerator.iter().chain(&rate.denominator);
        let scale = terms.fold(1, |scale, term| lcm(scale, divisor(term)));
        let side = |term: &Term| {
            let (measure, population, excluded) = parse_term(&term.measure);
            let weight = i64::from(term.weight.0) * (scale / divisor(term));
            Side { measure, population, excluded, weight }
        };
        Self {
            rate,
            scale,
            numerator: rate.numerator.iter().map(side).collect(),
            denominator: rate.denominator.iter().map(side).collect(),
            cells: BTreeMap::new(),
        }
    }

    /// Whether it counts by this basis, and cases like these.
    fn takes(&self, series: &Series) -> bool {
        let (filter, cell) = (&self.rate.filter, &series.cell);
        self.rate.basis == series.basis
            && filter.role == cell.role
            && takes(filter, &cell.hotline, &cell.case_type, &cell.class)
    }

    /// Which open clocks it asks for.
    fn open(&self) -> OpenAsked {
        let of = |side: &Side| match side.measure {
            Measure::Clock { state: State::OpenRunning | State::OpenHeld | State::OpenInReview, .. } => {
                OpenAsked::All
            }
            Measure::Clock { state: State::OpenOverdue, .. } => OpenAsked::Overdue,
            _ => OpenAsked::None,
        };
        self.numerator.iter().chain(&self.denominator).map(of).max().unwrap_or_default()
    }

    /// What a value of a measure adds to numerator and denominator.
    fn weigh(&self, measure: &Measure, part: Part, excluded: bool, value: i64) -> (i64, i64) {
        let sum = |sides: &[Side]| {
            sides
                .iter()
                .filter(|side| side.measure == *measure && side.excluded == excluded)
                .map(|side| side.weight * side.population.sign(part) * value)
                .sum()
        };
        (sum(&self.numerator), sum(&self.denominator))
    }

    fn add(&mut self, key: Key, numerator: i64, denominator: i64) {
        let cell = self.cells.entry(key).or_default();
        cell.0 += numerator;
        cell.1 += denominator;
    }

    fn row(&self, department: Code, others: (Option<Code>, Option<Code>), sums: (i64, i64)) -> Row {
        // A weighted rate whose sums are whole is shown in whole numbers.
        let whole = sums.0 % self.scale == 0 && sums.1 % self.scale == 0;
        let divisor = if whole { self.scale } else { 1 };
        Row {
            rate: self.rate.id.clone(),
            version: self.rate.version,
            department,
            hotline: others.0,
            case_type: others.1,
            numerator: sums.0 / divisor,
            denominator: sums.1 / divisor,
            scale: self.scale / divisor,
            group: None,
            rank: None,
        }
    }
}

/// Rows with their ranks, and the scores made of them.
fn answer_of(mut rows: Vec<Row>, query: &Query<'_>, rulebook: &Rulebook) -> Answer {
    let standings = query.scores.iter().flat_map(|score| rank::standings(score, &rows, rulebook)).collect();
    rows.retain(|row| query.rates.iter().any(|rate| rate.id == row.rate));
    rank::set_ranks(&mut rows, query, rulebook);
    Answer { rows, standings }
}

fn key(by: By, hotline: &Code, case_type: &Code, department: &Code) -> Key {
    // A fact that was kept before codes were held against it must not pass for the sum over all.
    let department = if department == ALL { NOBODY.into() } else { department.clone() };
    (department, by.hotline.then(|| hotline.clone()), by.case_type.then(|| case_type.clone()))
}

fn takes(filter: &Where, hotline: &Code, case_type: &Code, class: &Code) -> bool {
    let any = |list: &[Code], of: &Code| list.is_empty() || list.contains(of);
    any(&filter.hotline, hotline)
        && any(&filter.case_type, case_type)
        && !filter.case_type_not.contains(case_type)
        && any(&filter.class, class)
        && !filter.class_not.contains(class)
}

/// By what a term is divided: its weight's, and for money, kept in fen and shown in yuan, 100.
fn divisor(term: &Term) -> i64 {
    let fen = if term.measure.contains("sum.amount_") { 100 } else { 1 };
    i64::from(term.weight.1.max(1)) * fen
}

fn lcm(a: i64, b: i64) -> i64 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}
