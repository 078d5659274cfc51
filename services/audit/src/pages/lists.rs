//! Lists: a form for what to look for, a page of rows, files of the whole.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hotline_core::anomaly::AnomalyCode;
use hotline_core::findings::{JUDGED_DEPARTMENT, OTHER_AUTHOR};
use hotline_core::rulebook::Rulebook;
use hotline_events::{Lang, words as common};
use jiff::civil::Date;

use super::frame::{Frame, Reader, href, page};
use super::problem::fault;
use super::shown::{Shown, Table, Teller};
use super::{codes, words};
use crate::api::lists::{file as begin_file, format, question, sampling, take};
use crate::api::problem;
use crate::desk::Desk;
use crate::error::{Error, Fault};
use crate::export::{Subject, Wanted};
use crate::query::lists::Share;
use crate::query::table::{Cell, Column};
use crate::query::{Count, List, ListPage, Question, Sample};
use crate::token::Right;

/// Rows of a page.
const ROWS: usize = 50;

pub(super) fn title(list: List, lang: Lang) -> &'static str {
    let (zh, en) = list.title();
    lang.of(zh, en)
}

/// What a list is for, in one sentence.
pub(super) fn about(list: List, lang: Lang) -> &'static str {
    let (zh, en) = match list {
        List::Closures => ("最近一轮已办结的工单。", "Cases whose last round is closed."),
        List::Exclusions => (
            "谁以何理由、凭何文件把什么剔出考核，剔除前后按时情况如何。",
            "Who took what out of what counts, why and by which document; the department with and without it.",
        ),
        List::Rulings => ("剔除以外的考核认定。", "Rulings that do not exclude."),
        List::Extensions => {
            ("批准的延期：环节、长短、批准方。", "Extensions that were granted: stage, length, by whom.")
        }
        List::Holds => ("暂停计时：事由、环节、起止。", "Spans in which clocks did not run, and why."),
        List::LateEntries => (
            "申报时间早于来源允许补录期限的办结和提交。",
            "Closings and submissions claimed earlier than their source may enter them late.",
        ),
        List::DefaultRatings => {
            ("无人作答、按默认计入的评价。", "Rounds that count as rated though nobody answered.")
        }
        List::Corrections => {
            ("对已报送事实的更正，以及由谁更正。", "Corrections of facts, and who made them.")
        }
        List::RuleChanges => (
            "启用过的规则库，每次改了什么、影响多少。",
            "Rulebooks that were put in force, and what each changed.",
        ),
        List::Restatements => (
            "规则或程序变更后改变的已结数值，以及已发布于哪些通报。",
            "Settled figures that changed later, and the bulletins that had published them.",
        ),
    };
    lang.of(zh, en)
}

pub(super) fn path(list: List) -> String {
    match list {
        List::Closures => "/audit/closures".to_owned(),
        list => format!("/audit/lists/{}", list.name()),
    }
}

/// Columns that files have and pages leave out: they would not fit on paper.
fn is_shown(list: List, column: &str) -> bool {
    let left_out: &[&str] = match list {
        List::Closures => &["closed_on", "hotline", "region", "class", "kind", "rules"],
        List::RuleChanges => &[],
        List::Restatements => &["number"],
        List::Corrections => &["hotline", "case_type", "round", "fact", "at"],
        _ => &["hotline", "case_type", "round"],
    };
    !left_out.contains(&column)
}

/// A field of the form.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
    pub(super) sort: Sort,
}

#[derive(Clone, Debug)]
pub(super) enum Sort {
    Text,
    Day,
    /// Value and words of each, after "any".
    Choice(Vec<(String, String)>),
    /// Chosen or not.
    Truth,
}

/// What to look for.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) fields: Vec<Field>,
}

impl Form {
    /// The fields that a list takes, filled in with what was asked.
    pub(super) fn new(list: List, reader: &Reader, rulebook: &Rulebook, asked: &[(String, String)]) -> Self {
        let names = Question::accepted(list).iter().copied().chain(["from", "to"]);
        let field = |name| {
            let value = asked.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            field(name, value.unwrap_or_default(), reader, rulebook)
        };
        Self { action: path(list), fields: names.map(field).collect() }
    }
}

fn field(name: &'static str, value: String, reader: &Reader, rulebook: &Rulebook) -> Field {
    let lang = reader.lang;
    let w = words::of(lang);
    let teller = Teller { lang, rulebook, leads_to_cases: false };
    let coded = |codes: &[&str], told: &dyn Fn(&str) -> String| {
        Sort::Choice(codes.iter().map(|code| ((*code).to_owned(), told(code))).collect())
    };
    let (label, hint, sort) = match name {
        "department" => (w.department, "", Sort::Choice(departments(reader, &teller))),
        "hotline" => {
            let all = rulebook.hotlines.keys().map(|code| (code.to_string(), teller.hotline(code)));
            (w.hotline, "", Sort::Choice(all.collect()))
        }
        "case_type" => {
            let built_in =
                ["consult", "help", "complaint", "report", "suggestion", "praise", "petition", "other"];
            let own = rulebook.codes.get("case_type").into_iter().flatten().map(|own| own.code.as_str());
            let own = own.filter(|code| !built_in.contains(code));
            let all: Vec<&str> = built_in.into_iter().chain(own).collect();
            (w.case_type, "", coded(&all, &|code| common::code(code, lang).to_owned()))
        }
        "category" => (w.category, w.category_hint, Sort::Text),
        "region" => (w.region, w.region_hint, Sort::Text),
        "class" => {
            let all = rulebook.classes.iter().map(|class| class.id.as_str());
            let all: Vec<&str> = all.chain([hotline_core::rulebook::ORDINARY]).collect();
            (w.class, "", coded(&all, &|code| common::code(code, lang).to_owned()))
        }
        "verdict" => {
            let all = ["met", "late", "left_late", "void", "none_stopped"];
            (w.verdict, "", coded(&all, &|code| codes::verdict(code, lang).to_owned()))
        }
        "rule" => {
            let all: Vec<&str> = rulebook.policies.iter().map(|policy| policy.id.as_str()).collect();
            (w.rule, "", coded(&all, &str::to_owned))
        }
        "anomaly" | "mark" => {
            let own = if name == "mark" { [OTHER_AUTHOR, JUDGED_DEPARTMENT].as_slice() } else { &[] };
            let all = own.iter().copied().chain(AnomalyCode::ALL.iter().map(|code| code.code()));
            let label = if name == "mark" { w.mark } else { w.anomaly };
            (label, "", coded(&all.collect::<Vec<_>>(), &|code| codes::mark(code, lang)))
        }
        "published" => (w.published, "", Sort::Truth),
        "from" => (w.from, "", Sort::Day),
        _ => (w.to, "", Sort::Day),
    };
    // What is no day cannot stand in a field of days.
    let is_misplaced = matches!(sort, Sort::Day) && value.parse::<Date>().is_err();
    let value = if is_misplaced { String::new() } else { value };
    Field { name, label, hint, value, sort }
}

/// Those that the reader sees.
fn departments(reader: &Reader, teller: &Teller<'_>) -> Vec<(String, String)> {
    let sees = |code: &str| reader.caller.as_ref().is_some_and(|caller| caller.sees(std::iter::once(code)));
    let all = teller.rulebook.departments.keys().map(smol_str::SmolStr::as_str).chain(["-"]);
    all.filter(|code| sees(code)).map(|code| (code.to_owned(), teller.department(code))).collect()
}

#[derive(Debug, askama::Template)]
#[template(path = "pages/list.html")]
struct Page {
    frame: Frame,
    about: &'static str,
    form: Form,
    fault: Option<String>,
    table: Table,
    count: Option<String>,
    pending: i64,
    shares: Option<Table>,
    /// Codes of marks with what they mean.
    marks: Vec<(String, &'static str)>,
    first: Option<String>,
    next: Option<String>,
    /// Files, by what they are called.
    files: Vec<(String, &'static str)>,
    stamp: String,
}

/// `GET /audit/lists`.
pub(super) fn index(reader: &Reader) -> Response {
    #[derive(Debug, askama::Template)]
    #[template(path = "pages/lists.html")]
    struct Index {
        frame: Frame,
        lists: Vec<(String, &'static str, &'static str)>,
    }
    let frame = Frame::new(reader, words::of(reader.lang).lists);
    page(StatusCode::OK, &Index { frame, lists: others(reader.lang) })
}

/// All lists but that of closed cases: where, what it is called, what it is for.
pub(super) fn others(lang: Lang) -> Vec<(String, &'static str, &'static str)> {
    let others = List::ALL.into_iter().filter(|list| *list != List::Closures);
    others.map(|list| (path(list), title(list, lang), about(list, lang))).collect()
}

/// `GET /audit/closures`.
pub(super) async fn closures(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
) -> Response {
    answer(&desk, &reader, List::Closures).await
}

/// `GET /audit/lists/{list}`.
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
    Path(name): Path<String>,
) -> Response {
    match List::parse(&name).filter(|list| *list != List::Closures) {
        Some(list) => answer(&desk, &reader, list).await,
        None => problem::no_list().into_response(),
    }
}

async fn answer(desk: &Desk, reader: &Reader, list: List) -> Response {
    let asked = reader.parameters();
    let found = found(desk, reader, list, asked.as_ref()).await;
    or_wrong(desk, reader, list, found).await
}

/// What was answered, or why it was not: a fault of the question stands over the form.
async fn or_wrong(desk: &Desk, reader: &Reader, list: List, answered: Result<Response, Error>) -> Response {
    let shown = match answered {
        Err(Error::Fault(fault)) => wrong(desk, reader, list, &fault).await,
        answered => answered,
    };
    shown.unwrap_or_else(|error| problem::of(&error).into_response())
}

type Parameters = Vec<(String, String)>;

async fn found(
    desk: &Desk,
    reader: &Reader,
    list: List,
    asked: Option<&Parameters>,
) -> Result<Response, Error> {
    let mut parameters = asked.cloned().ok_or(Fault::Value { name: "query" })?;
    let after = take(&mut parameters, "after");
    let caller = reader.caller.as_ref().expect("whoever reads a list is signed in");
    let question = question(desk, caller, list, &parameters).await?;
    let read = desk.queries.page(list, &question, after.as_deref(), ROWS).await?;
    let count = match after {
        None => Some(desk.queries.count(list, &question).await?),
        Some(_) => None,
    };
    let listed = Listed { reader, list, parameters: &parameters, is_first: after.is_none(), read: &read };
    Ok(page(StatusCode::OK, &listed.page(count)))
}

/// The form again, with what is wrong with it.
async fn wrong(desk: &Desk, reader: &Reader, list: List, what: &Fault) -> Result<Response, Error> {
    let rules = desk.parts.rules.current().await?;
    let asked = reader.parameters().unwrap_or_default();
    let empty = Page {
        frame: Frame::new(reader, title(list, reader.lang)),
        about: about(list, reader.lang),
        form: Form::new(list, reader, &rules.rulebook, &asked),
        fault: Some(fault(what, reader.lang)),
        table: Table::default(),
        count: None,
        pending: 0,
        shares: None,
        marks: Vec::new(),
        first: None,
        next: None,
        files: Vec::new(),
        stamp: String::new(),
    };
    Ok(page(StatusCode::BAD_REQUEST, &empty))
}

/// A page that was read, and what it was asked by.
struct Listed<'p> {
    reader: &'p Reader,
    list: List,
    parameters: &'p Parameters,
    is_first: bool,
    read: &'p ListPage,
}

impl Listed<'_> {
    fn page(&self, count: Option<Count>) -> Page {
        let (reader, list, read) = (self.reader, self.list, self.read);
        let lang = reader.lang;
        let rulebook = &*read.in_force.rulebook;
        let teller = Teller { lang, rulebook, leads_to_cases: reader.may(Right::Case) };
        let pairs = || self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let next = read.next.as_deref().map(|next| href(&path(list), pairs().chain([("after", next)])));
        Page {
            frame: Frame::new(reader, title(list, lang)),
            about: about(list, lang),
            form: Form::new(list, reader, rulebook, self.parameters),
            fault: None,
            table: table(list, list.columns(), &read.rows, &teller),
            count: count.map(|count| counted(count, lang)),
            pending: read.pending,
            shares: (list == List::Exclusions && !read.shares.is_empty()).then(|| shares(read, &teller)),
            marks: marks(list, &read.rows, lang),
            first: (!self.is_first).then(|| href(&path(list), pairs())),
            next,
            files: files(list.name(), &pairs(), reader),
            stamp: stamp(rulebook, lang),
        }
    }
}

/// Under which rules it was made, for paper.
pub(super) fn stamp(rulebook: &Rulebook, lang: Lang) -> String {
    let hash = &rulebook.hash;
    lang.of(format!("规则库 {hash:.12}"), format!("rulebook {hash:.12}"))
}

fn counted(count: Count, lang: Lang) -> String {
    match count {
        Count::Exactly(rows) => lang.of(format!("共 {rows} 行"), format!("{rows} rows")),
        Count::AtMost(rows) => lang.of(format!("至多 {rows} 行"), format!("at most {rows} rows")),
        Count::AtLeast(rows) => lang.of(format!("至少 {rows} 行"), format!("at least {rows} rows")),
    }
}

/// The rows of a list for people, in its columns or some more.
pub(super) fn table(list: List, columns: &[Column], rows: &[Vec<Cell>], teller: &Teller<'_>) -> Table {
    let shown: Vec<usize> = (0..columns.len()).filter(|place| is_shown(list, columns[*place].name)).collect();
    let headings = shown.iter().map(|place| heading(&columns[*place], teller.lang));
    let row = |row: &Vec<Cell>| -> Vec<Shown> {
        shown.iter().map(|place| teller.cell(&columns[*place], &row[*place])).collect()
    };
    Table::new(title(list, teller.lang), headings, rows.iter().map(row))
}

/// What stands above a column of a page, where some cells are written otherwise than in files.
fn heading(column: &Column, lang: Lang) -> &'static str {
    match column.name {
        "due_at" => lang.of("办结期限", "due"),
        "gap_seconds" => lang.of("相差", "gap"),
        _ => column.heading(Some(lang)),
    }
}

/// The marks of a page, each once, with what it means.
pub(super) fn marks(list: List, rows: &[Vec<Cell>], lang: Lang) -> Vec<(String, &'static str)> {
    let places: Vec<usize> = (0..list.columns().len())
        .filter(|place| ["marks", "anomalies"].contains(&list.columns()[*place].name))
        .collect();
    let lists = rows.iter().flat_map(|row| places.iter().filter_map(|place| row.get(*place)));
    let marks = lists.filter_map(|cell| if let Cell::List(marks) = cell { Some(marks) } else { None });
    let mut marks: Vec<&str> = marks.flatten().map(smol_str::SmolStr::as_str).collect();
    marks.sort_unstable();
    marks.dedup();
    let told = |code: &str| Some((codes::mark(code, lang), codes::meaning(code, lang)?));
    marks.into_iter().filter_map(told).collect()
}

fn shares(read: &ListPage, teller: &Teller<'_>) -> Table {
    let w = words::of(teller.lang);
    let share = |share: Share| Shown::number(super::figures::of((share.met, share.judged, 1), teller.lang));
    let row = |(department, shares): (&smol_str::SmolStr, &crate::query::lists::Shares)| {
        vec![Shown::text(teller.department(department)), share(shares.with_excluded), share(shares.without)]
    };
    Table::new(w.shares, [w.department, w.with_excluded, w.without], read.shares.iter().map(row))
}

/// Where a list or a sample is taken away, with headings as the reader knows them; for whoever may.
pub(super) fn files<'p>(
    name: &str,
    pairs: &(impl Iterator<Item = (&'p str, &'p str)> + Clone),
    reader: &Reader,
) -> Vec<(String, &'static str)> {
    if !reader.may(Right::Exports) {
        return Vec::new();
    }
    let at = format!("/audit/files/{name}");
    let headings = ("headings", reader.lang.of("zh", "en"));
    let file = |format: &'static str, more: &[(&'static str, &'static str)]| {
        href(&at, pairs.clone().chain([("format", format)]).chain(more.iter().copied()))
    };
    vec![
        (file("csv", &[headings, ("bom", "true")]), words::of(reader.lang).csv_bom),
        (file("csv", &[headings]), "CSV"),
        (file("xlsx", &[headings]), "XLSX"),
        (file("ndjson", &[]), "NDJSON"),
    ]
}

/// `GET /audit/files/{list}?format=…`: the whole list as a file, recorded; `sample`: closed cases drawn at random.
pub(super) async fn file(
    State(desk): State<Arc<Desk>>,
    Extension(reader): Extension<Reader>,
    Path(name): Path<String>,
) -> Response {
    let begun = whole(&desk, &reader, &name).await;
    match List::parse(&name) {
        Some(list) => or_wrong(&desk, &reader, list, begun).await,
        None => begun.unwrap_or_else(|error| problem::of(&error).into_response()),
    }
}

async fn whole(desk: &Desk, reader: &Reader, name: &str) -> Result<Response, Error> {
    let mut parameters = reader.parameters().ok_or(Fault::Value { name: "query" })?;
    let format = format(&mut parameters)?.ok_or(Fault::Value { name: "format" })?;
    let subject = match List::parse(name) {
        Some(list) => Subject::List(list),
        None if name == Sample::NAME => Subject::Sample(sampling(&mut parameters)?),
        None => return Ok(problem::no_list().into_response()),
    };
    let caller = reader.caller.as_ref().expect("whoever takes a list away is signed in");
    let question = question(desk, caller, subject.list(), &parameters).await?;
    begin_file(desk, caller, Wanted { subject, question, format }).await
}
