//! The store on a real PostgreSQL: what a batch does, what two writers do, what no table may hold.

mod activation;
mod alarms;
mod boards;
mod bulletins;
mod deliveries;
mod erasures;
mod errors;
mod grants;
mod intake;
mod privacy;
mod races;
mod readers;
mod records;
mod retention;
mod schema;
mod tallies;
mod ways_back;

use hotline_core::rulebook::{Basis, Files, Rulebook, load};
use hotline_events::intake::{Batch, Origin, Outcome, Reason, Record, RecordContent};
use hotline_events::{Keep, Tagger, decode};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::batch::{Applied, CaseWriter, Commit};
use crate::positions::Claim;
use crate::seal::MasterKey;
use crate::testing::TestDatabase;

const NOW: &str = "2026-03-02T01:00:00Z";

/// A small rulebook: a closing limit in working days, one source that dispatches and one that leaves it to us.
fn files(limit: u32) -> Files {
    let policies = format!(
        r#"[[policy]]
id = "close"
calendar = "cn"
match = {{ hotline = "12345" }}
stage = "close"
start = "received"
stop = ["closed"]
limit = {limit}
unit = "working_day"
closure = true
basis = "article 1"
"#
    );
    let text = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    [
        text("rulebook.toml", "name = \"tests\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n"),
        text(
            "calendars/cn.toml",
            "id = \"cn\"\ntimezone = \"Asia/Shanghai\"\nrest_days = [\"saturday\", \"sunday\"]\nknown_from = 2025-01-01\nknown_until = 2026-12-25\n",
        ),
        text("policies/close.toml", &policies),
        text("rates/all.toml", &rates()),
        text(
            "routing/all.csv",
            "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until\nfallback,12345,,,,,D2,0,,\n",
        ),
        text(
            "sources/city.toml",
            "[[source]]\nid = \"/hotline/12345\"\nhotline = \"12345\"\nname = \"city\"\ndispatch = \"hotline\"\ntrusted_before = 2026-03-01T00:00:00Z\n\n[[source]]\nid = \"/hotline/plain\"\nhotline = \"12345\"\nname = \"plain\"\ndispatch = { after = \"30 minute\" }\n",
        ),
        text(
            "hotlines.toml",
            "[[hotline]]\ncode = \"12345\"\nname_zh = \"12345热线\"\nname_en = \"Hotline 12345\"\noffice = \"HL\"\n",
        ),
        text(
            "departments.csv",
            "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nHL,热线办,Office,,,,,\nD1,住建局,Housing,,,,,\nD2,城管局,City,,,,,\n",
        ),
    ]
    .into()
}

/// Rates that ask for what the tests look at, under every basis.
fn rates() -> String {
    let rate = |basis: &str| {
        format!(
            "[[rate]]\nid = \"{basis}\"\nversion = 1\nname = {{ zh = \"率\", en = \"rate\" }}\nbasis = \"{basis}\"\n\
             numerator = [\"each.close.met\", \"each.close.open\", \"each.rated_not_asked\", \"each.rated_5\"]\n\
             denominator = [\"each.close.late\", \"received\", \"dispatched\"]\n\n"
        )
    };
    Basis::ALL.map(|basis| rate(basis.name())).concat()
}

fn rulebook(files: &Files) -> Rulebook {
    match load(files) {
        Ok(loaded) => loaded.rulebook,
        Err(faults) => panic!("{faults:?}"),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A database with the rulebook active, and its writer.
struct Bench {
    database: TestDatabase,
    writer: CaseWriter,
    tagger: Tagger,
}

impl Bench {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let master = MasterKey::new([9; 32]);
        let tagger = Tagger::keyed(&master.tag_key());
        let writer = CaseWriter::new(database.pool.clone(), master);
        writer.prepare(at(NOW)).await.unwrap();
        let files = files(5);
        writer.activate(&files, &rulebook(&files), false, at(NOW)).await.unwrap();
        Self { database, writer, tagger }
    }

    /// A second writer on the same database.
    fn second(&self) -> CaseWriter {
        CaseWriter::new(self.database.pool.clone(), self.writer.master().clone())
    }

    fn record(&self, event: &Value) -> Record {
        self.record_at(event, NOW)
    }

    fn record_at(&self, event: &Value, received_at: &str) -> Record {
        let raw = event.to_string().into_bytes();
        let content = RecordContent::of(&raw, decode(&raw, &self.tagger, Keep::All));
        Record { raw, received_at: at(received_at), offset: None, content }
    }

    async fn apply(&self, claim: &mut Claim, records: Vec<Record>) -> Applied {
        apply(&self.writer, claim, records).await
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.database.pool).await.unwrap();
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.database.pool).await.unwrap()
    }
}

async fn apply(writer: &CaseWriter, claim: &mut Claim, records: Vec<Record>) -> Applied {
    match writer.apply(claim, &Batch { origin: Origin::Http, records }).await.unwrap() {
        Commit::Done(applied) => {
            *claim = applied.claim.clone();
            applied
        }
        Commit::Unknown(_) => panic!("the test cluster stays up"),
    }
}

fn event(id: &str, case: &str, kind: &str, time: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "type": format!("hotline.case.{kind}.v1"), "source": "/hotline/12345", "id": id,
        "subject": format!("12345:{case}"), "time": time, "data": data,
    })
}

fn received(id: &str, case: &str) -> Value {
    event(id, case, "received", "2026-03-02T00:10:00Z", &json!({ "case_type": "complaint" }))
}

/// `applied`, `duplicate`, or the reason.
fn codes(applied: &Applied) -> Vec<&'static str> {
    let code = |outcome: &Outcome| match outcome {
        Outcome::Dead { reason, .. } => Reason::code(*reason),
        other => other.code(),
    };
    applied.outcomes.iter().flatten().map(code).collect()
}
