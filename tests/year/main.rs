//! Events in simulated time through the real code path: what is told of deadlines, and when.
//!
//!     cargo run -p hotline-tests --example year -- --rulebook DIR --step MINUTES --until INSTANT [--again] FILE
//!
//! FILE has a line for each copy of an event, in the order of receipt: the receipt, a tab, the event. A private PostgreSQL,
//! the writer of cases that casework uses, the step that timekeeper uses, one clock that nobody else moves:
//!
//! 1. the clock goes on by whole steps of so many minutes since 1970, to the next one in which something came or is due;
//! 2. all that was received since is taken in, in batches of at most [`Batch::RECORDS_MAX`];
//! 3. timekeeper works until nothing is due;
//! 4. until INSTANT, where everything is sent once more if `--again` says so.
//!
//! Every telling goes to standard output as a JSON object, instants in microseconds since 1970, in the order of telling;
//! last what became of the events, the notices by kind, and what sending again added. It deliberately judges nothing:
//! tests/chaos/year.py compares it with what an oracle expects.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use hotline_core::rulebook::{Files, load};
use hotline_events::intake::{Batch, Origin, Outcome, Record, RecordContent};
use hotline_events::{Keep, Tagger, decode};
use hotline_postgres::cases::First;
use hotline_postgres::positions::Claim;
use hotline_postgres::testing::{TestDatabase, count, texts};
use hotline_postgres::{CaseWriter, Commit, MasterKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Cases that timekeeper claims at a time, as it does by default.
const CASES_MAX: i64 = 200;
/// The partitions of the ledger are made ahead for some months.
const PREPARE_EVERY: SignedDuration = SignedDuration::from_hours(30 * 24);

const TELLINGS: &str = "SELECT json_build_object(
        'case', case_id, 'alarm', alarm, 'n', n, 'telling', telling, 'why', why,
        'told_at', (extract(epoch FROM told_at) * 1000000)::bigint, 'level', level, 'department', department,
        'due_at', (extract(epoch FROM due_at) * 1000000)::bigint,
        'fell_due_at', (extract(epoch FROM fell_due_at) * 1000000)::bigint,
        'deliver_at', (extract(epoch FROM deliver_at) * 1000000)::bigint)::text
   FROM alarms ORDER BY told_at, case_id, alarm, n";
const NOTICES: &str =
    "SELECT json_build_object('kind', kind, 'count', count(*))::text FROM notices GROUP BY kind";

struct Args {
    rulebook: PathBuf,
    step: SignedDuration,
    until: Timestamp,
    again: bool,
    file: PathBuf,
}

impl Args {
    fn read() -> Self {
        let mut args = std::env::args().skip(1);
        let (mut named, mut again, mut file) = (BTreeMap::new(), false, None);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--again" => again = true,
                "--rulebook" | "--step" | "--until" => {
                    let value = args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
                    named.insert(arg, value);
                }
                _ => file = Some(PathBuf::from(arg)),
            }
        }
        let named = |name: &str| named.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        Self {
            rulebook: named("--rulebook").into(),
            step: SignedDuration::from_mins(named("--step").parse().expect("--step is a number of minutes")),
            until: named("--until").parse().expect("--until is an instant"),
            again,
            file: file.expect("a file of events is named"),
        }
    }
}

/// A copy of an event, and when it comes.
struct Arrival {
    received_at: Timestamp,
    bytes: Vec<u8>,
}

struct World {
    database: TestDatabase,
    writer: CaseWriter,
    tagger: Tagger,
    claim: Claim,
    prepared_at: Timestamp,
    outcomes: BTreeMap<&'static str, u64>,
    batches: u64,
    looks: u64,
}

impl World {
    async fn new(files: &Files, begin: Timestamp) -> Self {
        let loaded = load(files).unwrap_or_else(|faults| panic!("{faults:?}"));
        let database = TestDatabase::create().await;
        let master = MasterKey::new([7; 32]);
        let tagger = Tagger::keyed(&master.tag_key());
        let writer = CaseWriter::new(database.pool.clone(), master);
        writer.prepare(begin).await.expect("a new database");
        writer.activate(files, &loaded.rulebook, false, begin).await.expect("nothing stands in its way");
        let claim = writer.claim(&Origin::Http.name()).await.expect("nobody else has it");
        let (outcomes, batches, looks) = (BTreeMap::new(), 0, 0);
        Self { database, writer, tagger, claim, prepared_at: begin, outcomes, batches, looks }
    }

    /// Takes in what was received in a step.
    async fn take_in(&mut self, copies: &[Arrival], received_at: Option<Timestamp>) {
        for part in copies.chunks(Batch::RECORDS_MAX) {
            let record = |copy: &Arrival| Record {
                raw: copy.bytes.clone(),
                received_at: received_at.unwrap_or(copy.received_at),
                offset: None,
                content: RecordContent::of(&copy.bytes, decode(&copy.bytes, &self.tagger, Keep::All)),
            };
            let batch = Batch { origin: Origin::Http, records: part.iter().map(record).collect() };
            let Commit::Done(applied) = self.writer.apply(&self.claim, &batch).await.expect("a batch") else {
                panic!("nobody cuts the connection");
            };
            self.claim = applied.claim;
            self.batches += 1;
            for outcome in applied.outcomes.iter().flatten() {
                let code = match outcome {
                    Outcome::Dead { reason, .. } => reason.code(),
                    other => other.code(),
                };
                *self.outcomes.entry(code).or_default() += 1;
            }
        }
    }

    /// Timekeeper works until nothing is due.
    async fn look(&mut self, now: Timestamp) {
        loop {
            let woken = self.writer.wake_step(now, First::Oldest, CASES_MAX).await.expect("a look");
            assert_eq!(woken.failed, 0, "a case could not be folded");
            self.looks += 1;
            if woken.cases == 0 {
                return;
            }
        }
    }

    /// When timekeeper is to look next.
    async fn next_wake(&self) -> Option<Timestamp> {
        let sql = "SELECT coalesce((extract(epoch FROM min(wake_at)) * 1000000)::bigint, -1) FROM cases";
        let at = self.count(sql).await;
        (at >= 0).then(|| Timestamp::from_microsecond(at).expect("the database keeps instants"))
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let mut connection = self.database.pool.acquire().await.expect("a connection");
        count(&mut connection, sql).await
    }

    async fn texts(&self, sql: &'static str) -> Vec<String> {
        let mut connection = self.database.pool.acquire().await.expect("a connection");
        texts(&mut connection, sql).await
    }

    async fn told(&self) -> (i64, i64) {
        (self.count("SELECT count(*) FROM alarms").await, self.count("SELECT count(*) FROM notices").await)
    }

    async fn prepare(&mut self, now: Timestamp) {
        if now.duration_since(self.prepared_at) >= PREPARE_EVERY {
            self.writer.prepare(now).await.expect("partitions are made");
            self.prepared_at = now;
        }
    }
}

/// The first end of a step that is not before an instant.
fn step_end(at: Timestamp, step: SignedDuration) -> Timestamp {
    let (at, step) = (at.as_microsecond(), i64::try_from(step.as_micros()).expect("a step is short"));
    let end = at.div_euclid(step) * step + if at.rem_euclid(step) == 0 { 0 } else { step };
    Timestamp::from_microsecond(end).expect("the simulation does not end with the calendar")
}

fn copies(file: &Path) -> Vec<Arrival> {
    let text = std::fs::read_to_string(file).expect("the file of events can be read");
    let copy = |line: &str| {
        let (received_at, event) = line.split_once('\t').expect("a receipt, a tab, an event");
        Arrival { received_at: received_at.parse().expect("an instant"), bytes: event.as_bytes().to_vec() }
    };
    let copies: Vec<Arrival> = text.lines().map(copy).collect();
    assert!(copies.is_sorted_by_key(|copy| copy.received_at), "the file is in the order of receipt");
    copies
}

/// The files of a rulebook directory by their path within it.
fn rulebook_files(dir: &Path) -> Files {
    let (mut files, mut folders) = (Files::new(), vec![dir.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("the rulebook can be read") {
            let path = entry.expect("the rulebook can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension != "md") {
                let name = path.strip_prefix(dir).expect("it lies inside").to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).expect("the rulebook can be read"));
            }
        }
    }
    files
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args = Args::read();
    let copies = copies(&args.file);
    let begin = copies.first().expect("there are events").received_at;
    let mut world = World::new(&rulebook_files(&args.rulebook), begin).await;
    let (mut place, mut steps) = (0, 0u64);
    loop {
        let comes = copies.get(place).map(|copy| copy.received_at);
        let Some(next) = comes.into_iter().chain(world.next_wake().await).min() else { break };
        let now = step_end(next, args.step);
        if now > args.until {
            break;
        }
        world.prepare(now).await;
        let received = copies[place..].iter().take_while(|copy| copy.received_at <= now).count();
        world.take_in(&copies[place..place + received], None).await;
        place += received;
        world.look(now).await;
        steps += 1;
    }
    assert_eq!(place, copies.len(), "the simulation ends after the last receipt");
    let mut out = BufWriter::new(std::io::stdout().lock());
    for telling in world.texts(TELLINGS).await {
        writeln!(out, "{telling}").expect("standard output is read");
    }
    let mut last = json!({ "steps": steps, "batches": world.batches, "looks": world.looks,
                           "outcomes": std::mem::take(&mut world.outcomes), "notices": world.texts(NOTICES).await
        .iter().map(|row| serde_json::from_str::<Value>(row).expect("the database writes JSON"))
        .map(|row| (row["kind"].as_str().unwrap_or_default().to_owned(), row["count"].clone()))
        .collect::<serde_json::Map<_, _>>() });
    if args.again {
        let before = world.told().await;
        world.prepare(args.until).await;
        world.take_in(&copies, Some(args.until)).await;
        world.look(args.until).await;
        let after = world.told().await;
        last["again"] = json!({ "outcomes": world.outcomes, "tellings": after.0 - before.0,
                                "notices": after.1 - before.1 });
    }
    writeln!(out, "{last}").expect("standard output is read");
}
