//! Lists as files: CSV, XLSX, NDJSON, page by page, in constant memory; samples, too, which are drawn at once.
//!
//! An export is noted before its first byte leaves, with who asked for what, and a closure record says so as of a file of which
//! nothing went yet, whatever becomes of the process; how far it is stands beside that. When its last row is written another
//! record says how many rows went, and only then the file ends: a file that is whole is recorded with its rows, one that broke
//! off as broken. What is at its end still on its way to the reader, of a sheet all of it, is recorded before it arrives. One that
//! nobody reads on ends, so that its place is free for others.

mod body;
mod csv;
mod ndjson;
mod xlsx;

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hotline_events::Lang;
use hotline_events::closure::{NewAccess, NewExport, RecordKind};
use hotline_postgres::access::{self, Actor, Ended, Entry};
use hotline_postgres::closure_records::{self, Leaf};
use hotline_postgres::{Error as Store, PgConnection, PgPool, run_tx};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::error::{Error, Fault};
use crate::query::table::{Cell, Column};
use crate::query::{Count, List, Queries, Question, Sample, Sampling};
use crate::token::Caller;
use crate::{Parts, metrics};

/// Rows read at once.
const PAGE: usize = 2_000;
/// After so many rows it is noted how far an export is.
const NOTED_EVERY: i64 = 10_000;
/// How long whoever asked for an export may take nothing of it: a place that nobody reads in is kept from all others.
pub(crate) const READ_WITHIN: Duration = Duration::from_mins(1);
/// How long an export may take, however slowly it is read.
const EXPORT_FOR_MAX: Duration = Duration::from_hours(1);
/// One that runs so long after it began is of a process that died.
const LEFT_AFTER: SignedDuration = SignedDuration::from_hours(2);
/// Pieces of a file that wait for whoever reads it.
const PIECES: usize = 4;

/// As what a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, UTF-8; with a byte order mark for programs that need one to see that. Headings are words of a language, or
    /// the names of the columns.
    Csv {
        bom: bool,
        headings: Option<Lang>,
    },
    Xlsx {
        headings: Option<Lang>,
    },
    /// Its members have names of their own.
    Ndjson,
}

impl Format {
    pub fn parse(name: &str, bom: bool, headings: Option<Lang>) -> Option<Self> {
        Some(match name {
            "csv" => Format::Csv { bom, headings },
            "xlsx" if !bom => Format::Xlsx { headings },
            "ndjson" if !bom && headings.is_none() => Format::Ndjson,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Format::Csv { .. } => "csv",
            Format::Xlsx { .. } => "xlsx",
            Format::Ndjson => "ndjson",
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Format::Csv { .. } => "text/csv; charset=utf-8; header=present",
            Format::Xlsx { .. } => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Format::Ndjson => "application/x-ndjson",
        }
    }
}

/// What somebody takes away.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    List(List),
    Sample(Sampling),
}

impl Subject {
    /// As addresses, the access log and file names say it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Subject::List(list) => list.name(),
            Subject::Sample(_) => Sample::NAME,
        }
    }

    /// Whose questions it is asked by.
    pub(crate) fn list(&self) -> List {
        match self {
            Subject::List(list) => *list,
            Subject::Sample(_) => List::Closures,
        }
    }

    fn columns(&self) -> &'static [Column] {
        match self {
            Subject::List(list) => list.columns(),
            Subject::Sample(_) => Sample::columns(),
        }
    }
}

/// What is to be taken away, and as what.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) subject: Subject,
    pub(crate) question: Question,
    pub(crate) format: Format,
}

impl Wanted {
    /// The parameters by which anybody can ask for the same rows again.
    fn filter(&self) -> Value {
        let mut filter = self.question.to_json();
        if let Subject::Sample(sampling) = &self.subject {
            filter["seed"] = sampling.seed.as_str().into();
            filter["size"] = sampling.size.into();
            if sampling.plain {
                filter["plain"] = true.into();
            }
        }
        filter
    }
}

/// A file under way.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) id: i64,
    /// About how many rows it will have.
    pub(crate) about: i64,
    pub(crate) body: Body,
}

/// A piece of a file, or that it is whole: one that ends without that broke off, and whoever reads it learns so.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Whole,
}

/// Where an export is written, and for how long whoever reads it may take nothing.
#[derive(Debug)]
pub(crate) struct Place {
    /// It is held until the export has ended.
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) patience: Duration,
}

/// The way to whoever reads a file.
#[derive(Clone, Debug)]
struct Outlet {
    pieces: mpsc::Sender<Piece>,
    patience: Duration,
}

impl Outlet {
    /// Waits until there is room for a piece, which is as soon as one is taken.
    async fn send(&self, piece: Piece) -> Result<(), Error> {
        match tokio::time::timeout(self.patience, self.pieces.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::Export("whoever asked for it has gone".to_owned())),
            Err(_) => Err(Error::Unread { seconds: self.patience.as_secs() }),
        }
    }
}

/// Notes an export and begins it.
pub(crate) async fn begin(
    parts: &Parts,
    queries: &Queries,
    caller: &Caller,
    wanted: Wanted,
    place: Place,
) -> Result<Begun, Error> {
    let (count, sample) = match &wanted.subject {
        Subject::List(list) => (queries.count(*list, &wanted.question).await?, None),
        Subject::Sample(sampling) => {
            let sample = queries.sample(&wanted.question, sampling).await?;
            (Count::Exactly(i64::try_from(sample.cases.len()).unwrap_or(i64::MAX)), Some(sample))
        }
    };
    if let (Format::Xlsx { .. }, Count::Exactly(rows) | Count::AtLeast(rows)) = (wanted.format, count)
        && rows > xlsx::ROWS_MAX
    {
        return Err(Fault::Rows { most: xlsx::ROWS_MAX }.into());
    }
    let about = count.about();
    let mut asked = (caller, &wanted, about, (parts.now)());
    let id = run_tx(&parts.pool, "audit::begin_export", &mut asked, |tx, (caller, wanted, about, now)| {
        Box::pin(note(tx, caller, wanted, *about, *now))
    })
    .await?;
    let (sender, pieces) = mpsc::channel(PIECES);
    let Place { permit, patience } = place;
    let run = Run {
        id,
        parts: parts.clone(),
        queries: queries.clone(),
        caller: caller.clone(),
        wanted,
        sample,
        outlet: Outlet { pieces: sender, patience },
        done: 0,
        noted: 0,
        is_recorded: false,
    };
    tokio::spawn(async move {
        let _permit = permit;
        run.finish().await;
    });
    Ok(Begun { id, about, body: Body::new(body::Pieces::new(pieces)) })
}

async fn note(
    tx: &mut PgConnection,
    caller: &Caller,
    wanted: &Wanted,
    about: i64,
    now: Timestamp,
) -> Result<i64, Store> {
    let entry = Entry {
        at: now,
        actor: Actor { name: &caller.name, role: caller.role.name() },
        step: "exported",
        subject: wanted.subject.name(),
        filter: wanted.filter(),
        why: None,
    };
    let id = access::append(tx, &entry).await?;
    access::begin_export(tx, id, wanted.format.name(), Some(about)).await?;
    let begun = Ending::of(id, (caller, wanted), Ended::Broken, 0);
    closure_records::append(tx, &begun.leaves(now), now).await?;
    Ok(id)
}

/// An export at work.
struct Run {
    id: i64,
    parts: Parts,
    queries: Queries,
    caller: Caller,
    wanted: Wanted,
    /// Drawn before the export was noted; None: a list, which is read page by page.
    sample: Option<Sample>,
    outlet: Outlet,
    done: i64,
    /// How many of them were noted.
    noted: i64,
    /// All rows went into the file, and that is recorded.
    is_recorded: bool,
}

impl Run {
    async fn finish(mut self) {
        let (ended, problem) = match tokio::time::timeout(EXPORT_FOR_MAX, self.write()).await {
            Ok(Ok(())) => return,
            Ok(Err(error @ Error::Unread { .. })) => (Ended::Idle, error.to_string()),
            Ok(Err(error)) => (Ended::Broken, error.to_string()),
            Err(_) => (Ended::Broken, "it took longer than an hour".to_owned()),
        };
        tracing::warn!(export.id = self.id, export.rows = self.done, error = problem, "an export broke off");
        if self.is_recorded {
            return;
        }
        let ended = end(&self.parts.pool, &self.ending(ended), (self.parts.now)()).await;
        if let Err(error) = ended {
            tracing::error!(export.id = self.id, error.code = error.code(), %error, "the end of an export could not be recorded");
        }
    }

    async fn write(&mut self) -> Result<(), Error> {
        let mut file = File::begin(&self.wanted)?;
        match self.sample.take() {
            Some(sample) => self.put(&mut file, &sample.rows(), sample.zone()).await?,
            None => self.put_pages(&mut file).await?,
        }
        // The last piece follows the record: a whole file is a recorded one.
        let rest = file.end();
        end(&self.parts.pool, &self.ending(Ended::Done), (self.parts.now)()).await?;
        self.is_recorded = true;
        rest.send(&self.outlet).await?;
        self.outlet.send(Piece::Whole).await
    }

    async fn put_pages(&mut self, file: &mut File) -> Result<(), Error> {
        let list = self.wanted.subject.list();
        let mut after: Option<String> = None;
        loop {
            let page = self.queries.rows(list, &self.wanted.question, after.as_deref(), PAGE).await?;
            self.put(file, &page.rows, page.zone()).await?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Hands rows on, and notes now and then how far it is.
    async fn put(&mut self, file: &mut File, rows: &[Vec<Cell>], zone: &TimeZone) -> Result<(), Error> {
        self.done += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        if matches!(self.wanted.format, Format::Xlsx { .. }) && self.done > xlsx::ROWS_MAX {
            return Err(Fault::Rows { most: xlsx::ROWS_MAX }.into());
        }
        if let Some(piece) = file.rows(self.wanted.subject.columns(), rows, zone)? {
            self.outlet.send(Piece::Bytes(piece)).await?;
        }
        metrics::exported(self.wanted.format.name(), rows.len() as u64);
        if self.done - self.noted >= NOTED_EVERY {
            self.noted = self.done;
            self.note_progress().await?;
        }
        Ok(())
    }

    async fn note_progress(&self) -> Result<(), Error> {
        let mut progress = (self.id, self.done);
        let noted = run_tx(&self.parts.pool, "audit::advance_export", &mut progress, |tx, (id, done)| {
            Box::pin(access::advance_export(tx, *id, *done))
        });
        Ok(noted.await?)
    }

    fn ending(&self, ended: Ended) -> Ending {
        Ending::of(self.id, (&self.caller, &self.wanted), ended, self.done)
    }
}

/// What is recorded of an export that has ended; one that was just begun is recorded as if it had ended with nothing.
struct Ending {
    id: i64,
    ended: Ended,
    rows: i64,
    by: String,
    role: String,
    list: String,
    filter: Value,
    format: String,
}

impl Ending {
    fn of(id: i64, (caller, wanted): (&Caller, &Wanted), ended: Ended, rows: i64) -> Self {
        Self {
            id,
            ended,
            rows,
            by: caller.name.clone(),
            role: caller.role.name().to_owned(),
            list: wanted.subject.name().to_owned(),
            filter: wanted.filter(),
            format: wanted.format.name().to_owned(),
        }
    }

    fn leaves(&self, now: Timestamp) -> Vec<Leaf> {
        let access = NewAccess { access: self.id, written_at: now, by: &self.by, role: &self.role };
        // A record knows whether a file is whole, not why it is not.
        let whole = if self.ended == Ended::Done { Ended::Done } else { Ended::Broken };
        let export = NewExport {
            list: &self.list,
            filter: &self.filter,
            format: &self.format,
            rows: self.rows,
            state: whole.name(),
        };
        let leaf = |bytes| Leaf { case_id: None, kind: RecordKind::Exported.name(), bytes };
        access.exported(&export).into_iter().map(leaf).collect()
    }
}

async fn end(pool: &PgPool, ending: &Ending, now: Timestamp) -> Result<(), Store> {
    let mut asked = (ending, now);
    run_tx(pool, "audit::end_export", &mut asked, |tx, (ending, now)| {
        Box::pin(async move {
            access::end_export(tx, ending.id, ending.ended, ending.rows, *now).await?;
            closure_records::append(tx, &ending.leaves(*now), *now).await
        })
    })
    .await
}

/// Ends what a process that died left running.
pub(crate) async fn end_those_left(parts: &Parts) -> Result<(), Store> {
    let left = run_tx(&parts.pool, "audit::running", &mut (), |tx, ()| Box::pin(access::running(tx))).await?;
    let now = (parts.now)();
    for one in left.into_iter().filter(|one| now.duration_since(one.at) > LEFT_AFTER) {
        let Some(export) = one.export else { continue };
        let ending = Ending {
            id: one.id,
            ended: Ended::Broken,
            rows: export.rows_done,
            by: one.actor,
            role: one.role,
            list: one.subject,
            filter: one.filter,
            format: export.format,
        };
        end(&parts.pool, &ending, now).await?;
    }
    Ok(())
}

/// A file in the making.
enum File {
    Csv(csv::Csv),
    Ndjson,
    Xlsx(Box<xlsx::Sheet>),
}

impl File {
    fn begin(wanted: &Wanted) -> Result<Self, Error> {
        Ok(match wanted.format {
            Format::Csv { bom, headings } => File::Csv(csv::Csv::new(bom, headings)),
            Format::Ndjson => File::Ndjson,
            Format::Xlsx { headings } => {
                let (name, columns) = (wanted.subject.name(), wanted.subject.columns());
                File::Xlsx(Box::new(xlsx::Sheet::new(name, columns, headings)?))
            }
        })
    }

    /// Takes rows; what of the file is ready by then.
    fn rows(
        &mut self,
        columns: &[Column],
        rows: &[Vec<Cell>],
        zone: &TimeZone,
    ) -> Result<Option<Bytes>, Error> {
        Ok(match self {
            File::Csv(csv) => Some(csv.rows(columns, rows, zone)?),
            File::Ndjson => Some(ndjson::rows(columns, rows, zone)),
            File::Xlsx(sheet) => {
                sheet.rows(columns, rows, zone)?;
                None
            }
        })
    }

    fn end(self) -> Rest {
        match self {
            File::Csv(_) | File::Ndjson => Rest::Nothing,
            File::Xlsx(sheet) => Rest::Book(sheet),
        }
    }
}

/// What of a file is written when all its rows are there.
enum Rest {
    Nothing,
    Book(Box<xlsx::Sheet>),
}

impl Rest {
    async fn send(self, outlet: &Outlet) -> Result<(), Error> {
        let Rest::Book(sheet) = self else { return Ok(()) };
        let outlet = outlet.clone();
        let saved = tokio::task::spawn_blocking(move || sheet.save(outlet));
        saved.await.map_err(|_| Error::Export("writing it panicked".to_owned()))?
    }
}
