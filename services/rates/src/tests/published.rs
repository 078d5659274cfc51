//! Bulletins on a real database: when they may be published, what their annexes list, what has changed since.

use hotline_core::bulletin::{Figures, Sort, Span, changes};
use hotline_core::rulebook::{Rulebook, load};
use hotline_events::closure::{ReadRecord, read, recompute};
use hotline_events::intake::{Batch, Origin, Record, RecordContent};
use hotline_events::{Keep, Tagger, decode};
use hotline_postgres::closure_records;
use hotline_postgres::grants::Role;
use hotline_postgres::interventions::By;
use hotline_postgres::positions::Claim;
use hotline_postgres::testing::TestDatabase;
use hotline_postgres::{CaseWriter, Commit, MasterKey, PgPool, Rules};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Error;
use crate::form::tests::shipped;
use crate::form::{Annex, Form, forms};
use crate::made::{Allowed, For, Made, make, publish, since};
use crate::recount::{Recount, Recounted};

const NOW: &str = "2026-10-08T09:00:00+08:00";
const MONTH: &str = "2026-09";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

struct Bench {
    /// Who publishes.
    operator: PgPool,
    writer: CaseWriter,
    tagger: Tagger,
    rules: Rules,
    form: Form,
    claim: Claim,
}

impl Bench {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let master = MasterKey::new([9; 32]);
        let tagger = Tagger::keyed(&master.tag_key());
        let writer = CaseWriter::new(database.pool.clone(), master);
        writer.prepare(at(NOW)).await.expect("an empty database");
        let files = shipped();
        let rulebook = load(&files).expect("the shipped rulebook").rulebook;
        writer.activate(&files, &rulebook, false, at(NOW)).await.expect("the first one");
        let claim = writer.claim("http").await.expect("nobody else is there");
        let operator = database.login(Role::Operator);
        let rules = Rules::new(operator.clone());
        let form = forms(None).expect("the shipped forms").remove("12345-monthly").expect("one of them");
        Self { operator, writer, tagger, rules, form, claim }
    }

    async fn refold(&self) {
        while !self.writer.refold_step(at(NOW), 100).await.expect("nothing stands against it").refold.done {}
    }

    /// Events of one case: `(type, time, data)`.
    async fn send(&mut self, case: &str, events: &[(&str, &str, Value)]) {
        let record = |(n, (kind, time, data)): (usize, &(&str, &str, Value))| {
            let event = json!({
                "specversion": "1.0", "type": format!("hotline.case.{kind}.v1"), "source": "/hotline/sample/12345",
                "id": format!("{case}-{n}-{kind}"), "subject": format!("12345:{case}"), "time": time,
                "recordedtime": time, "data": data,
            });
            let raw = event.to_string().into_bytes();
            let content = RecordContent::of(&raw, decode(&raw, &self.tagger, Keep::All));
            Record { raw, received_at: at(NOW), offset: None, content }
        };
        let records: Vec<Record> = events.iter().enumerate().map(record).collect();
        let sent = records.len();
        match self.writer.apply(&self.claim, &Batch { origin: Origin::Http, records }).await {
            Ok(Commit::Done(applied)) => {
                assert_eq!(
                    applied.counts.applied,
                    i64::try_from(sent).expect("few"),
                    "{:?}",
                    applied.outcomes
                );
                self.claim = applied.claim;
            }
            other => panic!("{other:?}"),
        }
    }

    async fn look(&self) -> Made {
        let purpose = For::LookingClosely;
        make(&self.operator, &self.rules, (&self.form, MONTH), purpose, at(NOW)).await.expect("made")
    }

    async fn publish(&self) -> Result<(i64, Made), Error> {
        self.publish_as(Allowed::default()).await
    }

    async fn publish_as(&self, allowed: Allowed) -> Result<(i64, Made), Error> {
        let by = By { operator: "tests", why: "a test", at: at(NOW) };
        publish(&self.operator, &self.rules, (&self.form, MONTH), allowed, by).await
    }
}

fn consultation(day: u32, closed: &str) -> Vec<(&'static str, String, Value)> {
    vec![
        ("received", format!("2026-09-{day:02}T09:00:00+08:00"), json!({ "case_type": "consult" })),
        (
            "dispatched",
            format!("2026-09-{day:02}T09:10:00+08:00"),
            json!({ "department": "ZJJ", "role": "lead" }),
        ),
        ("closed", closed.to_owned(), json!({ "department": "ZJJ", "outcome": "resolved" })),
    ]
}

fn borrowed<'e>(events: &'e [(&'static str, String, Value)]) -> Vec<(&'static str, &'e str, Value)> {
    events.iter().map(|(kind, time, data)| (*kind, time.as_str(), data.clone())).collect()
}

#[tokio::test]
async fn nothing_is_published_before_every_case_is_folded_by_the_rulebook() {
    let mut bench = Bench::new().await;
    bench.send("A", &borrowed(&consultation(1, "2026-09-01T12:00:00+08:00"))).await;
    let refused = bench.publish().await.expect_err("casework has not said that it is through");
    assert_eq!(refused.code(), "refold_pending");
    bench.refold().await;
    let (id, made) = bench.publish().await.expect("now it may be");
    assert_eq!(id, 1);
    let twice = bench.publish().await.expect_err("the same once more");
    assert_eq!(twice.code(), "already_published");
    assert!(made.stamp.ledger_below.is_some());
}

#[tokio::test]
async fn annexes_list_what_was_excluded_and_extended_and_since_says_what_changed() {
    let mut bench = Bench::new().await;
    bench.refold().await;
    let (in_time, late) = ("2026-09-01T12:00:00+08:00", "2026-09-25T12:00:00+08:00");
    bench.send("A", &borrowed(&consultation(1, in_time))).await;
    bench.send("B", &borrowed(&consultation(2, late))).await;
    let extended = json!({ "stage": "close", "limit": 2, "unit": "working_day", "by": "HL12345" });
    bench.send("C", &borrowed(&consultation(3, "2026-09-08T12:00:00+08:00"))).await;
    bench.send("C", &[("extended", "2026-09-04T10:00:00+08:00", extended)]).await;
    let (id, before) = bench.publish().await.expect("published");
    let rows = |made: &Made, annex: Annex| {
        let annexed = made.annexes.iter().find(|annexed| annexed.annex == annex).expect("the form lists it");
        annexed.rows.clone()
    };
    assert!(rows(&before, Annex::Excluded).is_empty() && rows(&before, Annex::Corrected).is_empty());
    let row = ["12345:C", "2026-09-04", "close", "2 working_day", "1", "ZJJ", "HL12345"];
    assert_eq!(rows(&before, Annex::Extended), [row]);

    let ruled = json!({ "indicator": "close", "effect": "exclude", "reason": "unreasonable", "by": "HL12345", "document": "示例1号" });
    bench.send("B", &[("ruled", "2026-09-28T10:00:00+08:00", ruled)]).await;
    let now = bench.look().await;
    let row = |since| {
        ["12345:B", "2026-09-28", "close", "exclude", "unreasonable", "示例1号", "ZJJ", "HL12345", since]
    };
    assert_eq!(rows(&now, Annex::Excluded), [row("-")]);
    let changed = since(&bench.operator, &bench.rules, &before, at(NOW)).await.expect("compared");
    let ids: Vec<&str> = changes(&before.figures, &changed.figures)
        .iter()
        .filter(|change| change.place.span == Span::Period)
        .map(|change| change.place.id.as_str())
        .collect();
    assert!(ids.contains(&"on_time_closure.due") && ids.contains(&"late_closure.dispatched"), "{ids:?}");
    assert!(changed.restatements.is_empty(), "an event is no restatement");

    let mut asked = id;
    let published = hotline_postgres::run_tx(&bench.operator, "test", &mut asked, |tx, id| {
        Box::pin(hotline_postgres::bulletins::by_id(tx, *id))
    });
    let published = published.await.expect("read").expect("there is one");
    let shown = Made::of_published(&bench.operator, &published).await.expect("shown");
    assert_eq!((shown.figures, shown.stamp, shown.annexes), (before.figures, before.stamp, before.annexes));
}

#[tokio::test]
async fn the_annex_of_exclusions_says_which_were_taken_back() {
    let mut bench = Bench::new().await;
    bench.refold().await;
    bench.send("A", &borrowed(&consultation(1, "2026-09-25T12:00:00+08:00"))).await;
    let ruled = |effect: &str, document: &str| json!({ "indicator": "close", "effect": effect, "reason": "appeal", "document": document });
    let on_time = |made: &Made| {
        let found = made.figures.iter().find(|(place, _)| {
            place.id == "on_time_closure.due" && place.department == "ZJJ" && place.span == Span::Period
        });
        found.map(|(_, figure)| figure.sums.expect("a share").denominator)
    };
    bench.send("A", &[("ruled", "2026-09-28T10:00:00+08:00", ruled("exclude", "示例1号"))]).await;
    assert_eq!(on_time(&bench.look().await), None);
    // After the month: it counts in it again all the same.
    let restored = ("ruled", "2026-10-02T10:00:00+08:00", ruled("restore", "示例2号"));
    bench.send("A", &[("urged", "2026-10-01T10:00:00+08:00", json!({})), restored]).await;
    let made = bench.look().await;
    assert_eq!(on_time(&made), Some(1));
    let annexed = made.annexes.iter().find(|annexed| annexed.annex == Annex::Excluded).expect("listed");
    let row = [
        "12345:A",
        "2026-09-28",
        "close",
        "exclude",
        "appeal",
        "示例1号",
        "ZJJ",
        "-",
        "restore 2026-10-02 示例2号",
    ];
    assert_eq!(annexed.rows, [row]);

    // A bulletin of a version that did not ask has a row without an answer.
    let mut kept = crate::annex::to_json(&made.annexes);
    for annexed in kept.as_array_mut().expect("a list") {
        for row in annexed["rows"].as_array_mut().expect("rows") {
            row.as_array_mut().expect("a row").truncate(8);
        }
    }
    let shown = crate::annex::from_json(&kept);
    let annexed = shown.iter().find(|annexed| annexed.annex == Annex::Excluded).expect("listed");
    assert_eq!(annexed.rows[0][7..], ["-", ""]);
}

#[tokio::test]
async fn the_annex_of_corrections_lists_those_that_act() {
    let mut bench = Bench::new().await;
    bench.refold().await;
    for case in ["A", "B"] {
        bench.send(case, &borrowed(&consultation(1, "2026-09-01T12:00:00+08:00"))).await;
    }
    let corrects = |id: &str, kind: &str| {
        let of =
            json!({ "source": "/hotline/sample/12345", "id": id, "type": format!("hotline.case.{kind}.v1") });
        json!({ "corrects": of, "void": true })
    };
    let urged = |day: u8| ("urged", format!("2026-09-{day:02}T09:00:00+08:00"), json!({ "by": "caller" }));
    let correction = |day: u8, what: Value| ("corrected", format!("2026-09-{day:02}T09:00:00+08:00"), what);
    // What was taken back corrects nothing.
    let taken_back = [
        urged(2),
        correction(3, corrects("A-0-urged", "urged")),
        correction(4, corrects("A-1-corrected", "corrected")),
    ];
    bench.send("A", &borrowed(&taken_back)).await;
    bench.send("B", &borrowed(&[urged(5), correction(6, corrects("B-0-urged", "urged"))])).await;
    let made = bench.look().await;
    let annexed = made.annexes.iter().find(|annexed| annexed.annex == Annex::Corrected).expect("listed");
    let rows: Vec<[&str; 4]> =
        annexed.rows.iter().map(|row| [row[0].as_str(), &row[1], &row[2], &row[3]]).collect();
    let (voided, back) =
        (["12345:B", "2026-09-06", "urged", "void"], ["12345:A", "2026-09-04", "corrected", "void"]);
    assert_eq!(rows, [back, voided]);
}

/// Everything that is recorded, in order.
async fn log(bench: &Bench) -> Vec<ReadRecord> {
    let mut which = closure_records::Which::default();
    let page = hotline_postgres::run_tx(&bench.operator, "test", &mut which, |tx, which| {
        Box::pin(closure_records::page(tx, which, 0, 10_000))
    });
    let leaves = page.await.expect("read");
    leaves.iter().map(|kept| read(&kept.leaf).expect("a record")).collect()
}

/// The bulletin of this number, counted again; what was recorded after it changes nothing.
fn again(log: &[ReadRecord], id: i64, rulebook: &Rulebook) -> Recounted {
    let found = log.iter().find_map(|record| match record {
        ReadRecord::Bulletin(bulletin) if bulletin.id == id => Some(bulletin),
        _ => None,
    });
    let mut recount = Recount::new((**found.expect("it is recorded")).clone());
    for record in log {
        if let ReadRecord::Case(record) = record {
            assert_eq!(recompute(record, rulebook), Ok(Vec::new()));
            recount.take(record);
        }
    }
    recount.figures(rulebook).expect("the same rulebook and program")
}

#[tokio::test]
async fn a_published_bulletin_is_counted_again_from_closure_records_alone() {
    let mut bench = Bench::new().await;
    bench.refold().await;
    let rulebook = load(&shipped()).expect("the shipped rulebook").rulebook;
    let (in_time, late) = ("2026-09-01T12:00:00+08:00", "2026-09-25T12:00:00+08:00");
    bench.send("A", &borrowed(&consultation(1, in_time))).await;
    bench.send("B", &borrowed(&consultation(2, late))).await;
    // Open and overdue; closed and urged afterwards; closed, reopened and dispatched anew.
    bench.send("C", &borrowed(&consultation(3, late)[..2])).await;
    bench.send("D", &borrowed(&consultation(4, in_time))).await;
    bench.send("D", &[("urged", "2026-09-26T10:00:00+08:00", json!({}))]).await;
    bench.send("E", &borrowed(&consultation(5, late))).await;
    let reopened = ("reopened", "2026-09-27T10:00:00+08:00", json!({ "reason": "dissatisfied" }));
    let given = ("dispatched", "2026-09-27T10:05:00+08:00", json!({ "department": "ZJJ", "role": "lead" }));
    bench.send("E", &[reopened]).await;
    bench.send("E", &[given]).await;
    let (first, made) = bench.publish().await.expect("published");
    let recounted = again(&log(&bench).await, first, &rulebook);
    let counted = |made: &Made| -> Figures {
        let figures = made.figures.iter().filter(|(place, _)| place.sort != Sort::Reported);
        figures.map(|(place, figure)| (place.clone(), figure.clone())).collect()
    };
    assert!(recounted.is_same && !counted(&made).is_empty());
    assert_eq!(changes(&counted(&made), &recounted.figures), []);
    assert_eq!(recounted.cases, 5);

    // What comes later changes the next bulletin, and nothing of the first one.
    bench.send("C", &[("closed", "2026-09-29T12:00:00+08:00", json!({ "department": "ZJJ" }))]).await;
    bench.send("A", &[("urged", "2026-09-29T12:00:00+08:00", json!({}))]).await;
    let again_allowed = Allowed { again: true, ..Allowed::default() };
    let (second, later) = bench.publish_as(again_allowed).await.expect("published");
    assert_ne!(counted(&later), counted(&made));
    let log = log(&bench).await;
    assert_eq!(changes(&counted(&made), &again(&log, first, &rulebook).figures), []);
    let recounted = again(&log, second, &rulebook);
    assert!(recounted.is_same);
    assert_eq!(changes(&counted(&later), &recounted.figures), []);
    // Of what has not changed since there is no second standing record.
    let standing = log.iter().filter_map(|record| match record {
        ReadRecord::Case(record) if record.kind == "standing" => Some(record.case.as_str()),
        _ => None,
    });
    assert_eq!(standing.collect::<Vec<_>>(), ["12345:C", "12345:D", "12345:E", "12345:A"]);

    // A record that is left out is missed.
    let ReadRecord::Bulletin(bulletin) = log.last().expect("the bulletin") else { panic!("it comes last") };
    let mut recount = Recount::new((**bulletin).clone());
    for record in &log {
        match record {
            ReadRecord::Case(record) if record.case != "12345:B" => recount.take(record),
            _ => {}
        }
    }
    assert!(!recount.figures(&rulebook).expect("counted").is_same);
}
