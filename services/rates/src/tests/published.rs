//! Bulletins on a real database: when they may be published, what their annexes list, what has changed since.

use hotline_core::bulletin::{Span, changes};
use hotline_core::rulebook::load;
use hotline_events::intake::{Batch, Origin, Record, RecordContent};
use hotline_events::{Keep, Tagger, decode};
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
use crate::made::{For, Made, make, publish, since};

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
        let by = By { operator: "tests", why: "a test", at: at(NOW) };
        publish(&self.operator, &self.rules, (&self.form, MONTH), by).await
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
    let bench = Bench::new().await;
    let refused = bench.publish().await.expect_err("casework has not said that it is through");
    assert_eq!(refused.code(), "refold_pending");
    bench.refold().await;
    let (id, made) = bench.publish().await.expect("now it may be");
    assert_eq!(id, 1);
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
    let row = ["12345:B", "2026-09-28", "close", "exclude", "unreasonable", "示例1号", "ZJJ", "HL12345"];
    assert_eq!(rows(&now, Annex::Excluded), [row]);
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
