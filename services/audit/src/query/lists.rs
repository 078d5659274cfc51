//! Pages of lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotline_core::findings::judged;
use hotline_core::rulebook::{Files, Rulebook};
use hotline_postgres::closures::{self, Closed};
use hotline_postgres::findings::{self, Listed};
use hotline_postgres::restatements::{self, Numbered};
use hotline_postgres::rulebooks::{self, Activation};
use hotline_postgres::{Error as Store, InForce, PgConnection, run_read_tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use smol_str::SmolStr;

use super::position::Position;
use super::table::{Cell, object};
use super::{List, Queries, Question, ROWS_MAX};
use crate::error::{Error, Fault};

/// Findings are counted so far.
const COUNTED_MAX: i64 = 100_000;
/// Written cases that wait for the keeper are counted so far.
const PENDING_MAX: i64 = 100_000;
/// Days that PostgreSQL knows, before and after all others.
const DAYS: (Date, Date) = (Date::constant(1, 1, 1), Date::constant(9999, 12, 31));

/// A page of a list.
#[derive(Clone, Debug)]
pub struct ListPage {
    pub list: List,
    /// The newest first, each as wide as the list's columns.
    pub rows: Vec<Vec<Cell>>,
    /// Where to go on; None: this was the last page. A page may hold fewer rows than were asked for, and go on.
    pub next: Option<String>,
    /// Cases that were written a moment ago and whose rows are not made anew yet.
    pub pending: i64,
    /// Of exclusions: by department, how many of its closed cases were in time, with the excluded ones and without.
    pub shares: BTreeMap<SmolStr, Shares>,
    /// By which rulebook, and in whose zone.
    pub in_force: Arc<InForce>,
}

/// Cases that were closed in time among those that a verdict was given of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub met: i64,
    pub judged: i64,
}

/// The closed cases of a department over the days asked for, by the verdict of their last round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// As if nothing had been excluded.
    pub with_excluded: Share,
    pub without: Share,
}

/// How many rows a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exactly(i64),
    /// No more than so many.
    AtMost(i64),
    /// At least so many: it was not counted further.
    AtLeast(i64),
}

impl Count {
    pub fn to_json(self) -> Value {
        match self {
            Count::Exactly(rows) => json!({ "exactly": rows }),
            Count::AtMost(rows) => json!({ "at_most": rows }),
            Count::AtLeast(rows) => json!({ "at_least": rows }),
        }
    }

    /// For whoever waits: about how many.
    pub fn about(self) -> i64 {
        match self {
            Count::Exactly(rows) | Count::AtMost(rows) | Count::AtLeast(rows) => rows,
        }
    }
}

impl ListPage {
    pub fn zone(&self) -> &TimeZone {
        &self.in_force.rulebook.timezone
    }

    pub fn to_json(&self) -> Value {
        let row = |row: &Vec<Cell>| object(self.list.columns(), row, self.zone());
        let mut page = json!({
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "next": self.next,
            "pending": self.pending,
            "rulebook": self.in_force.rulebook.hash.as_str(),
        });
        if self.list == List::Exclusions {
            let share = |share: Share| json!({ "met": share.met, "judged": share.judged });
            let shares = self.shares.iter().map(|(department, shares)| {
                let both =
                    json!({ "with_excluded": share(shares.with_excluded), "without": share(shares.without) });
                (department.to_string(), both)
            });
            page["departments"] = Value::Object(shares.collect());
        }
        page
    }
}

/// What a page is asked by.
struct Asked<'q> {
    queries: &'q Queries,
    list: List,
    question: &'q Question,
    after: Option<Position>,
    limit: usize,
}

impl Queries {
    /// A page of a list after a place that an earlier page gave.
    pub async fn page(
        &self,
        list: List,
        question: &Question,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, Error> {
        if !(1..=ROWS_MAX).contains(&limit) {
            return Err(Fault::Limit { most: ROWS_MAX }.into());
        }
        self.rows(list, question, after, limit).await
    }

    /// As [`Queries::page`], of as many rows as the caller can hold.
    pub(crate) async fn rows(
        &self,
        list: List,
        question: &Question,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, Error> {
        let after = after.map(|after| Position::read(list, after)).transpose()?;
        let mut asked = Asked { queries: self, list, question, after, limit };
        let read = run_read_tx(&self.pool, "audit::page", &mut asked, |tx, asked| Box::pin(asked.read(tx)));
        Ok(read.await?)
    }

    /// How many rows a list has.
    pub async fn count(&self, list: List, question: &Question) -> Result<Count, Error> {
        let mut asked = Asked { queries: self, list, question, after: None, limit: 0 };
        let read = run_read_tx(&self.pool, "audit::count", &mut asked, |tx, asked| Box::pin(asked.count(tx)));
        Ok(read.await?)
    }
}

impl Asked<'_> {
    async fn read(&self, tx: &mut PgConnection) -> Result<ListPage, Store> {
        let in_force = self.queries.rules.within(tx).await?;
        let mut page = ListPage {
            list: self.list,
            rows: Vec::new(),
            next: None,
            pending: closures::pending(tx, PENDING_MAX).await?,
            shares: BTreeMap::new(),
            in_force: Arc::clone(&in_force),
        };
        let (rows, next) = match (self.list, self.list.findings()) {
            (_, Some(kind)) => {
                let filter = self.filter(&in_force.rulebook);
                let after = match &self.after {
                    Some(Position::Finding(at)) => Some(at),
                    _ => None,
                };
                let found = findings::page(tx, kind, &filter, after, self.limit + 1).await?;
                if self.list == List::Exclusions {
                    page.shares = self.shares(tx, &found).await?;
                }
                cut(found, self.limit, |row| Position::Finding(row.position()), |row| finding(self.list, row))
            }
            (List::RuleChanges, None) => {
                let found = changes(tx, self.number(), self.limit + 1).await?;
                cut(found, self.limit, |row| Position::Number(row.activation.seq), Change::cells)
            }
            (List::Restatements, None) => {
                let found = restatements::page(tx, &self.restated(), self.number(), self.limit + 1).await?;
                cut(found, self.limit, |row| Position::Number(row.id), restated)
            }
            (_, None) => {
                let after = match &self.after {
                    Some(Position::Closure(at)) => Some(at),
                    _ => None,
                };
                let found = closures::page(tx, &self.question.closures(), after, self.limit).await?;
                (found.rows.iter().map(closed).collect(), found.next.map(Position::Closure))
            }
        };
        page.rows = rows;
        page.next = next.map(|next| next.written(self.list));
        Ok(page)
    }

    async fn count(&self, tx: &mut PgConnection) -> Result<Count, Store> {
        if let Some(kind) = self.list.findings() {
            let in_force = self.queries.rules.within(tx).await?;
            let rows = findings::count(tx, kind, &self.filter(&in_force.rulebook), COUNTED_MAX).await?;
            return Ok(if rows < COUNTED_MAX { Count::Exactly(rows) } else { Count::AtLeast(rows) });
        }
        Ok(match self.list {
            List::RuleChanges => {
                let activations = changes(tx, None, usize::MAX).await?.len();
                Count::Exactly(i64::try_from(activations).unwrap_or(i64::MAX))
            }
            List::Restatements => {
                let most = usize::try_from(COUNTED_MAX).unwrap_or(usize::MAX);
                let rows = restatements::page(tx, &self.restated(), None, most).await?.len();
                let rows = i64::try_from(rows).unwrap_or(i64::MAX);
                if rows < COUNTED_MAX { Count::Exactly(rows) } else { Count::AtLeast(rows) }
            }
            _ => match closures::count(tx, &self.question.closures()).await? {
                closures::Count::Exactly(cases) => Count::Exactly(cases),
                closures::Count::AtMost(cases) => Count::AtMost(cases),
            },
        })
    }

    fn number(&self) -> Option<i64> {
        match self.after {
            Some(Position::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// Days are asked for, instants are stored.
    fn filter(&self, rulebook: &Rulebook) -> findings::Filter {
        let question = self.question;
        let midnight = |day: Date| {
            let at = rulebook.timezone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible();
            at.unwrap_or(Timestamp::MAX)
        };
        findings::Filter {
            from: question.from.map(midnight),
            to: question.to.map(midnight),
            department: question.department.clone(),
            hotline: question.hotline.clone(),
            case_type: question.case_type.clone(),
            mark: question.mark.clone(),
        }
    }

    fn restated(&self) -> restatements::Filter {
        let question = self.question;
        restatements::Filter {
            from: question.from,
            to: question.to,
            department: question.department.clone(),
            hotline: question.hotline.clone(),
            case_type: question.case_type.clone(),
            case_id: None,
            published: question.published,
        }
    }

    /// What the exclusions of a page mean for the departments that are named in it.
    async fn shares(
        &self,
        tx: &mut PgConnection,
        found: &[Listed],
    ) -> Result<BTreeMap<SmolStr, Shares>, Store> {
        let mut shares: BTreeMap<SmolStr, Shares> =
            found.iter().map(|row| (row.department.clone(), Shares::default())).collect();
        let judgements =
            ["met", "late", "left_late"].into_iter().flat_map(|verdict| [(verdict, false), (verdict, true)]);
        let terms: Vec<(SmolStr, SmolStr, &str, bool)> = shares
            .keys()
            .flat_map(|department| {
                judgements.clone().map(move |(verdict, excluded)| {
                    (judged(department, verdict, excluded), department.clone(), verdict, excluded)
                })
            })
            .collect();
        let names: Vec<SmolStr> = terms.iter().map(|(term, ..)| term.clone()).collect();
        let days = (self.question.from.unwrap_or(DAYS.0), self.question.to.unwrap_or(DAYS.1));
        let counts = closures::by_term(tx, &names, days).await?;
        for (term, department, verdict, excluded) in terms {
            let cases = counts.get(&term).copied().unwrap_or_default();
            let of = shares.entry(department).or_default();
            let met = if verdict == "met" { cases } else { 0 };
            for share in std::iter::once(&mut of.with_excluded).chain((!excluded).then_some(&mut of.without))
            {
                share.met += met;
                share.judged += cases;
            }
        }
        Ok(shares)
    }
}

/// The rows of a page, of which one too many was read, and where it ends.
fn cut<T>(
    mut found: Vec<T>,
    limit: usize,
    position: impl Fn(&T) -> Position,
    cells: impl Fn(&T) -> Vec<Cell>,
) -> (Vec<Vec<Cell>>, Option<Position>) {
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map(position);
    (found.iter().map(cells).collect(), next)
}

pub(super) fn closed(row: &Closed) -> Vec<Cell> {
    vec![
        Cell::text(&row.case_id),
        Cell::Instant(row.closed_at),
        Cell::Day(row.day),
        Cell::instant(row.received_at),
        Cell::text(&row.department),
        Cell::text(&row.hotline),
        Cell::text(&row.case_type),
        Cell::text(&row.category),
        Cell::text(&row.region),
        Cell::text(&row.class),
        Cell::text(&row.kind),
        Cell::optional(row.outcome.as_deref()),
        Cell::optional(row.verdict.as_deref()),
        Cell::instant(row.due_at),
        Cell::Truth(row.excluded),
        Cell::Number(row.rounds.into()),
        Cell::optional(row.rating.as_deref()),
        Cell::list(&row.policies),
        Cell::list(&row.anomalies),
    ]
}

fn finding(list: List, row: &Listed) -> Vec<Cell> {
    let code = || Cell::optional(row.code.as_deref());
    let of = || Cell::optional(row.of.as_deref());
    let reason = || Cell::optional(row.reason.as_deref());
    let by = || Cell::optional(row.by.as_deref());
    let detail = || Cell::optional(row.detail.as_deref());
    let source = || Cell::text(&row.source);
    let (claimed, received) = (|| Cell::Instant(row.claimed_at), || Cell::instant(row.received_at));
    let (until, marks) = (|| Cell::instant(row.until), || Cell::list(&row.marks));
    let mut cells = vec![
        Cell::text(&row.case_id),
        Cell::Instant(row.at),
        Cell::text(&row.department),
        Cell::text(&row.hotline),
        Cell::text(&row.case_type),
        Cell::Number(row.round.into()),
    ];
    cells.extend(match list {
        List::Exclusions | List::Rulings => {
            let document = Cell::optional(row.document.as_deref());
            vec![of(), code(), reason(), document, by(), source(), claimed(), received(), marks()]
        }
        List::Extensions => vec![of(), detail(), until(), by(), source(), claimed(), received(), marks()],
        List::Holds => vec![reason(), code(), until(), source(), claimed(), received(), marks()],
        List::LateEntries => {
            let gap = row.received_at.map(|received| received.duration_since(row.claimed_at).as_secs());
            let gap = gap.map_or(Cell::Nothing, Cell::Number);
            vec![code(), claimed(), received(), gap, source(), marks()]
        }
        List::DefaultRatings => vec![source(), received()],
        _ => {
            let fact = row.fact.map_or(Cell::Nothing, |fact| Cell::Text(fact.to_string().into()));
            vec![code(), fact, detail(), claimed(), until(), source(), received(), marks()]
        }
    });
    cells
}

fn restated(row: &Numbered) -> Vec<Cell> {
    let listed = &row.listed;
    vec![
        Cell::Number(row.id),
        Cell::Instant(listed.restated_at),
        Cell::text(&listed.case_id),
        Cell::text(listed.series.basis.name()),
        Cell::Day(listed.day),
        Cell::text(&listed.series.cell.department),
        Cell::text(&listed.series.measure),
        Cell::Number(listed.old_value),
        Cell::Number(listed.new_value),
        Cell::Number(listed.from_rulebook_seq),
        Cell::Number(listed.to_rulebook_seq),
        Cell::List(row.published_in.iter().map(|id| id.to_string().into()).collect()),
    ]
}

/// An activation, and what it changed.
struct Change {
    activation: Activation,
    /// Each with what became of it: `+` new, `-` gone, `~` another content.
    files: Vec<SmolStr>,
    integers: i64,
    cases: i64,
}

impl Change {
    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Number(self.activation.seq),
            Cell::Instant(self.activation.activated_at),
            Cell::text(&self.activation.hash),
            Cell::List(self.files.clone()),
            Cell::Number(self.cases),
            Cell::Number(self.integers),
        ]
    }
}

/// The newest first. There are as many as people made.
async fn changes(tx: &mut PgConnection, before: Option<i64>, limit: usize) -> Result<Vec<Change>, Store> {
    let restated = restatements::by_activation(tx).await?;
    let all = rulebooks::list(tx).await?;
    let newest = all.into_iter().rev().filter(|one| before.is_none_or(|before| one.seq < before));
    let mut changes = Vec::new();
    for activation in newest.take(limit) {
        let files = rulebooks::files(tx, activation.seq).await?;
        let before =
            if activation.seq > 1 { rulebooks::files(tx, activation.seq - 1).await? } else { Files::new() };
        let (integers, cases) = restated.get(&activation.seq).copied().unwrap_or_default();
        changes.push(Change { files: differing(&before, &files), activation, integers, cases });
    }
    Ok(changes)
}

fn differing(before: &Files, after: &Files) -> Vec<SmolStr> {
    let gone = before.keys().filter(|path| !after.contains_key(*path)).map(|path| format!("-{path}"));
    let changed = after.iter().filter_map(|(path, content)| match before.get(path) {
        None => Some(format!("+{path}")),
        Some(old) if old != content => Some(format!("~{path}")),
        Some(_) => None,
    });
    let mut files: Vec<SmolStr> = gone.chain(changed).map(SmolStr::from).collect();
    files.sort_unstable_by(|a, b| a[1..].cmp(&b[1..]));
    files
}
