//! What boards show beside what a bulletin says, on a real PostgreSQL.

use std::sync::Arc;

use hotline_core::rulebook::{Files, load};
use hotline_events::intake::{Batch, Origin, Record, RecordContent};
use hotline_events::{Keep, Tagger, decode};
use hotline_postgres::grants::Role;
use hotline_postgres::testing::{TestDatabase, count, execute, texts};
use hotline_postgres::{CaseWriter, MasterKey, Rules};

use super::*;
use crate::{Ask, bulletin};

const EVERY: Duration = Duration::from_mins(1);

fn now() -> Timestamp {
    "2026-03-20T01:00:00Z".parse().expect("an instant")
}

fn an_hour_later() -> Timestamp {
    "2026-03-20T02:00:00Z".parse().expect("an instant")
}

fn files() -> Files {
    let text = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    let policy = "[[policy]]\nid = \"close\"\ncalendar = \"cn\"\nmatch = { hotline = \"12345\" }\nstage = \"close\"\nstart = \"received\"\nstop = [\"closed\"]\nlimit = 5\nunit = \"working_day\"\nclosure = true\nbasis = \"article 1\"\n";
    let rates = "[[rate]]\nid = \"due\"\nversion = 2\nname = { zh = \"按时办结率\", en = \"on time\" }\nbasis = \"due\"\nnumerator = [\"each.close.met\"]\ndenominator = [\"each.close.met\", \"each.close.late\", \"each.close.open_overdue\", \"each.close.open_running\"]\nrank_from = 1\n\n\
         [[score]]\nid = \"overall\"\nversion = 1\nname = { zh = \"综合得分\", en = \"overall\" }\nterms = [{ rate = \"due\", weight = 3, floor = 10 }]\nrank_from = 1\n";
    [
        text("rulebook.toml", "name = \"tests\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n"),
        text("calendars/cn.toml", "id = \"cn\"\ntimezone = \"Asia/Shanghai\"\nrest_days = [\"sunday\"]\nknown_from = 2025-01-01\nknown_until = 2026-12-25\n"),
        text("policies/close.toml", policy),
        text("rates/all.toml", rates),
        text("routing/all.csv", "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until\nfallback,12345,,,,,HL,0,,\n"),
        text("sources/city.toml", "[[source]]\nid = \"/hotline/12345\"\nhotline = \"12345\"\nname = \"city\"\ndispatch = \"hotline\"\ntrusted_before = 2026-04-01T00:00:00Z\n"),
        text("hotlines.toml", "[[hotline]]\ncode = \"12345\"\nname_zh = \"12345热线\"\nname_en = \"Hotline 12345\"\noffice = \"HL\"\n"),
        text("departments.csv", "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nHL,热线办,Office,,,,,\nD1,住建局,Housing,,city,,,\nD2,城管局,City,,city,,,\n"),
    ]
    .into()
}

/// Six cases: by department one closed in time, one late, one open; of February and of March.
fn events() -> Vec<String> {
    let mut events = Vec::new();
    for (n, department) in ["D1", "D2", "D1", "D2", "D1", "D2"].iter().enumerate() {
        let month = n % 2 + 2;
        let mut add = |kind: &str, time: String, data: &str| {
            events.push(format!(
                r#"{{"specversion":"1.0","type":"hotline.case.{kind}.v1","source":"/hotline/12345","id":"{kind}-{n}","subject":"12345:{n}","time":"{time}","data":{data}}}"#
            ));
        };
        let of = format!(r#"{{"department":"{department}"}}"#);
        add("received", format!("2026-0{month}-02T01:00:00Z"), r#"{"case_type":"complaint"}"#);
        add("dispatched", format!("2026-0{month}-02T02:00:00Z"), &of);
        match n / 2 {
            0 => add("closed", format!("2026-0{month}-03T02:00:00Z"), &of),
            1 => add("closed", format!("2026-0{month}-16T02:00:00Z"), &of),
            _ => {}
        }
    }
    events
}

async fn parts() -> (TestDatabase, Parts) {
    let database = TestDatabase::create().await;
    let master = MasterKey::new([9; 32]);
    let tagger = Tagger::keyed(&master.tag_key());
    let writer = CaseWriter::new(database.pool.clone(), master);
    writer.prepare(now()).await.expect("a new database");
    let rulebook = load(&files()).expect("a sound rulebook").rulebook;
    writer.activate(&files(), &rulebook, false, now()).await.expect("the first rulebook");
    let record = |event: String| {
        let raw = event.into_bytes();
        let content = RecordContent::of(&raw, decode(&raw, &tagger, Keep::All));
        Record { raw, received_at: now(), offset: None, content }
    };
    let records: Vec<Record> = events().into_iter().map(record).collect();
    let claim = writer.claim("http").await.expect("nobody else is there");
    writer.apply(&claim, &Batch { origin: Origin::Http, records }).await.expect("sound events");
    let pool = database.login(Role::Rates);
    let rules = Arc::new(Rules::new(pool.clone()));
    (database, Parts { pool, rules, now })
}

#[tokio::test]
async fn boards_show_what_a_bulletin_says() {
    let (database, parts) = parts().await;
    let mut connection = database.pool.acquire().await.expect("a connection");
    assert_eq!(boards::as_of(&mut connection).await.expect("a look"), None, "nothing was computed yet");
    assert_eq!(refresh(EVERY, &parts).await.expect("a refresh"), 14);
    assert_eq!(
        boards::as_of(&mut connection).await.expect("a look"),
        Some(now()),
        "how old the months are can be told"
    );
    for (by, hotline) in [("department", "*"), ("department,hotline", "12345")] {
        for (from, to) in [("2026-02-01", "2026-03-01"), ("2026-03-01", "2026-04-01")] {
            let ask = Ask::parse("due,overall", by, &format!("{from}..{to}")).expect("a sound question");
            let answer = bulletin(&parts.pool, &parts.rules, ask, now()).await.expect("an answer").answer;
            let mut expect: Vec<String> =
                answer
                    .rows
                    .iter()
                    .map(|row| {
                        format!(
                            "{from} {hotline} {} {}/{} {:?} {:?}",
                            row.department, row.numerator, row.denominator, row.group, row.rank
                        )
                    })
                    .chain(answer.standings.iter().map(|one| {
                        format!("{from} {hotline} {} {} {:?}", one.department, one.points, one.rank)
                    }))
                    .collect();
            expect.sort();
            let shown = texts(
                &mut connection,
                "SELECT month || ' ' || hotline || ' ' || department || ' ' || numerator || '/' || denominator
                        || coalesce(' Some(\"' || department_group || '\")', ' None') || coalesce(' Some(' || rank || ')', ' None')
                   FROM board.rates_of_record
                 UNION ALL SELECT month || ' ' || hotline || ' ' || department || ' ' || points || coalesce(' Some(' || rank || ')', ' None')
                   FROM board.scores_of_record",
            );
            let mut shown: Vec<String> =
                shown.await.into_iter().filter(|row| row.starts_with(&format!("{from} {hotline}"))).collect();
            shown.sort();
            assert_eq!(shown, expect);
            assert!(expect.len() > 2, "{expect:?}");
        }
    }
    let times = texts(
        &mut connection,
        "SELECT month || ' ' || department || ' ' || cases || ' ' || p50_hours || ' ' || p90_hours FROM board.time_to_close
          WHERE hotline = '*' ORDER BY 1",
    );
    let expect = [
        "2026-02-01 * 2 25 337",
        "2026-02-01 D1 2 25 337",
        "2026-03-01 * 2 25 337",
        "2026-03-01 D2 2 25 337",
    ];
    assert_eq!(times.await, expect);
    let interval =
        "SELECT count(*) FROM board.rates_of_record WHERE low > value OR value > high OR low < 0 OR high > 1";
    assert_eq!(count(&mut connection, interval).await, 0);
    let named = "SELECT rate || ' ' || version || ' ' || name_zh || ': ' || numerator || ' / ' || denominator FROM board.rate_definitions";
    let formula = "due 2 按时办结率: each.close.met / each.close.met + each.close.late + each.close.open_overdue + each.close.open_running";
    assert_eq!(texts(&mut connection, named).await, [formula]);
}

#[tokio::test]
async fn a_refresh_writes_what_is_due_and_only_what_changed() {
    let (database, parts) = parts().await;
    refresh(EVERY, &parts).await.expect("a refresh");
    assert_eq!(refresh(EVERY, &parts).await.expect("a refresh"), 0, "another process has just done it");
    let mut connection = database.pool.acquire().await.expect("a connection");
    let versions = "SELECT count(DISTINCT xmin::text) FROM board_rates";
    assert_eq!(count(&mut connection, versions).await, 1);
    let later = Parts { now: an_hour_later, ..parts.clone() };
    assert_eq!(refresh(EVERY, &later).await.expect("a refresh"), 14, "all of them, as no refold is through");
    assert_eq!(count(&mut connection, versions).await, 1, "no row was written again");
    // A row that does not belong there, and a month that is long over.
    for sql in [
        "INSERT INTO board_rates SELECT rate, month, hotline, 'D9', version, numerator, denominator, scale FROM board_rates LIMIT 1",
        "INSERT INTO board_months SELECT month - interval '3 years', until, begins_at, as_of, rulebook_seq, rulebook_hash,
                fold_version, positions, refold_pending FROM board_months LIMIT 1",
        "UPDATE board_months SET fold_version = fold_version - 1",
    ] {
        execute(&mut connection, sql).await;
    }
    assert_eq!(refresh(EVERY, &later).await.expect("a refresh"), 14, "another program judged them");
    let strays = "SELECT count(*) FROM board_rates, board_months AS old WHERE department = 'D9' OR old.month < '2025-01-01'";
    assert_eq!(count(&mut connection, strays).await, 0);
}

#[test]
fn older_months_do_not_wait_for_an_import_nor_where_nothing_comes() {
    let kept = |read| Kept {
        month: "2026-01-01".parse().expect("a day"),
        as_of: now(),
        rulebook_seq: 1,
        fold_version: 1,
        refold_pending: false,
        read,
    };
    let outran = |read, rests, before| Intake { read, rests }.outran(&kept(before));
    assert!(outran(1_000, false, 990), "one in a hundred is new");
    assert!(!outran(1_000, false, 991), "the traffic of every day");
    assert!(outran(1_000, true, 999), "and then it rests");
    assert!(!outran(1_000, true, 1_000));
}

#[test]
fn the_months_of_a_board_go_back_to_the_same_month_of_the_year_before_and_one_more() {
    let day = |text: &str| text.parse::<Date>().expect("a day");
    let shown = |first: &str| {
        let months = months(day("2026-03-31"), day(first));
        (months.len(), months[0].to_string(), months[months.len() - 1].to_string())
    };
    let of = |count: usize, last: &str| (count, "2026-03-01".to_owned(), last.to_owned());
    assert_eq!(shown("2026-03-31"), of(14, "2025-02-01"));
    assert_eq!(shown("2024-12-31"), of(16, "2024-12-01"), "all in which something counts");
    assert_eq!(shown("1926-03-31"), of(61, "2021-03-01"), "within reason");
}
