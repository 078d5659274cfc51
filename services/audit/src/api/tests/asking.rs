//! Pages of closed cases: every filter, whatever is closed and reopened meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::names;
use super::stage::{Stage, closed, column, event};

#[tokio::test]
async fn closed_cases_are_found_by_every_parameter_and_by_all_together() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.apply(closed("2", "D2", "2026-03-12T02:00:00Z")).await;
    stage
        .apply(vec![event(
            "3-r",
            "3",
            "received",
            "2026-03-02T00:10:00Z",
            &json!({ "case_type": "complaint" }),
        )])
        .await;
    stage.keep().await;
    let found = async |query: &str| {
        let (status, body) = stage.get(&format!("/v1/closures?{query}"), None).await;
        assert_eq!(status, 200, "{query}: {body}");
        column(&body, "case")
    };
    assert_eq!(found("").await, ["12345:2", "12345:1"], "the newest closing first, open cases not at all");
    let both = [
        "hotline=12345",
        "case_type=complaint",
        "category=housing",
        "category=housing/heating",
        "region=41",
        "region=411202",
        "class=ordinary",
        "rule=close",
        "from=2026-03-03&to=2026-03-13",
    ];
    for query in both {
        assert_eq!(found(query).await.len(), 2, "{query}");
    }
    let first = ["department=D1", "verdict=met", "to=2026-03-12", "from=2026-03-03&to=2026-03-04"];
    for query in first {
        assert_eq!(found(query).await, ["12345:1"], "{query}");
    }
    assert_eq!(
        found("verdict=late&department=D2&category=housing&region=4112&rule=close").await,
        ["12345:2"]
    );
    let none = [
        "department=D3",
        "category=heating",
        "category=hous",
        "region=4",
        "verdict=late&department=D1",
        "anomaly=backdated",
        "to=2026-03-03",
        "from=2026-03-13",
    ];
    for query in none {
        assert_eq!(found(query).await, Vec::<String>::new(), "{query}");
    }
    let wrong = [
        "verdict=good",
        "anomaly=x",
        "colour=red",
        "department=",
        "from=today",
        "department=D1&department=D2",
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=x",
        "count=all",
        "mark=backdated",
        "department=%00",
        "region=%E7%A4%BA%E4%BE%8B13812345678",
        "from=-009999-01-01",
    ];
    for query in wrong {
        let (status, body) = stage.get(&format!("/v1/closures?{query}"), None).await;
        assert_eq!(status, 400, "{query}: {body}");
    }
    // What somebody sends is a code, and bound, never part of a statement.
    let hostile =
        ["department=D1%27%20OR%201=1--", "category=%27;DROP%20TABLE%20cases;--", "hotline=%7B%7D%22,*"];
    for query in hostile {
        let (status, body) = stage.get(&format!("/v1/closures?{query}"), None).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("value")), "{query}");
    }
}

#[tokio::test]
async fn a_case_that_is_reopened_leaves_the_list_and_its_counts_and_comes_back() {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.keep().await;
    let seen = async || {
        let (_, body) = stage.get("/v1/closures?department=D1&count=exact", None).await;
        (column(&body, "case").len(), body["count"]["exactly"].as_i64().unwrap())
    };
    assert_eq!(seen().await, (1, 1));
    stage
        .apply(vec![event(
            "o",
            "1",
            "reopened",
            "2026-03-04T02:00:00Z",
            &json!({ "reason": "dissatisfied" }),
        )])
        .await;
    let (_, body) = stage.get("/v1/closures", None).await;
    assert_eq!(body["pending"], json!(1), "what waits is said");
    stage.keep().await;
    assert_eq!(seen().await, (0, 0));
    assert_eq!(
        stage.texts("SELECT term FROM closure_days").await,
        Vec::<String>::new(),
        "no count stands at nothing"
    );
    stage
        .apply(vec![event("c2", "1", "closed", "2026-03-05T02:00:00Z", &json!({ "department": "D1" }))])
        .await;
    stage.keep().await;
    assert_eq!(seen().await, (1, 1));
    // A closing that is voided never was.
    let corrects = json!({ "source": "/hotline/12345", "id": "c2", "type": "hotline.case.closed.v1" });
    stage
        .apply(vec![event(
            "v",
            "1",
            "corrected",
            "2026-03-06T02:00:00Z",
            &json!({ "corrects": corrects, "void": true }),
        )])
        .await;
    stage.keep().await;
    assert_eq!(seen().await, (0, 0));
}

#[tokio::test]
async fn counts_are_exact_for_one_thing_and_bounded_for_several() {
    let stage = Stage::new().await;
    for (case, at) in
        [("1", "2026-03-03T02:00:00Z"), ("2", "2026-03-12T02:00:00Z"), ("3", "2026-03-12T03:00:00Z")]
    {
        stage.apply(closed(case, "D1", at)).await;
    }
    stage.keep().await;
    let count = async |query: &str| {
        stage.get(&format!("/v1/closures?count=exact&{query}"), None).await.1["count"].clone()
    };
    assert_eq!(count("").await, json!({ "exactly": 3 }));
    assert_eq!(count("verdict=late").await, json!({ "exactly": 2 }));
    assert_eq!(count("verdict=late&to=2026-03-12").await, json!({ "exactly": 0 }));
    assert_eq!(count("verdict=late&department=D1").await, json!({ "at_most": 2 }));
    assert!(stage.get("/v1/closures", None).await.1.get("count").is_none());
}

/// Every case that a list shows, page by page.
async fn walked(
    stage: &Stage,
    query: &str,
    limit: usize,
    mut between: impl AsyncFnMut(usize),
) -> Vec<String> {
    let (mut found, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let (status, body) = stage.get(&format!("/v1/closures?limit={limit}{query}{after}"), None).await;
        assert_eq!(status, 200, "{body}");
        found.extend(column(&body, "case"));
        let Value::String(next) = &body["next"] else { return found };
        after = format!("&after={next}");
        pages += 1;
        assert!(pages < 200, "it comes to an end");
        between(pages).await;
    }
}

#[tokio::test]
async fn paging_while_cases_close_and_reopen_shows_what_stays_exactly_once() {
    let stage = Stage::new().await;
    // Three closings an instant: the order among them is the case's.
    let at = |n: u32| format!("2026-03-{:02}T02:00:00Z", 3 + n / 3);
    for n in 0..30 {
        stage.apply(closed(&n.to_string(), if n % 2 == 0 { "D1" } else { "D2" }, &at(n))).await;
    }
    stage.keep().await;
    let found = walked(&stage, "", 4, async |page| {
        let n = 100 + u32::try_from(page).unwrap();
        // One comes before all, one in the middle of what is still to come; one that was seen is reopened.
        stage.apply(closed(&n.to_string(), "D1", "2026-03-20T02:00:00Z")).await;
        stage.apply(closed(&(n + 100).to_string(), "D2", "2026-03-04T01:00:00Z")).await;
        let reopened = json!({ "reason": "dissatisfied" });
        stage
            .apply(vec![event(
                &format!("o{page}"),
                &(30 - page).to_string(),
                "reopened",
                "2026-03-21T02:00:00Z",
                &reopened,
            )])
            .await;
        stage.keep().await;
    })
    .await;
    let unique: BTreeSet<&String> = found.iter().collect();
    assert_eq!(unique.len(), found.len(), "nothing comes twice");
    for stays in names(0..20) {
        assert!(unique.contains(&stays.to_string()), "{stays} is missing");
    }
}

/// A made-up closure, as its parts.
#[derive(Clone, Debug)]
struct Drawn {
    department: &'static str,
    day: u32,
    late: bool,
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let one = (prop::sample::select(vec!["D1", "D2", "HL"]), 0_u32..8, any::<bool>());
    prop::collection::vec(one.prop_map(|(department, day, late)| Drawn { department, day, late }), 1..40)
}

#[test]
fn pages_of_any_size_together_are_the_list_whatever_is_asked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 12, ..ProptestConfig::default() });
    let asked = (drawn(), 1_usize..7, 0_usize..3, prop::option::of(0_u32..9));
    runner
        .run(&asked, |(cases, limit, filter, to)| {
            runtime.block_on(async {
                let stage = Stage::new().await;
                let mut expected: BTreeMap<(u32, String), bool> = BTreeMap::new();
                for (n, one) in (0_u32..).zip(&cases) {
                    let day = if one.late { 12 + one.day } else { 2 + one.day % 6 };
                    let at = format!("2026-03-{day:02}T02:00:00Z");
                    stage.apply(closed(&n.to_string(), one.department, &at)).await;
                    let holds = match filter {
                        0 => true,
                        1 => one.department == "D1",
                        _ => one.department == "D1" && day > 9,
                    };
                    let within = to.is_none_or(|to| day < 10 + to);
                    expected.insert((day, format!("12345:{n}")), holds && within);
                }
                stage.keep().await;
                let mut query = ["", "&department=D1", "&department=D1&verdict=late"][filter].to_owned();
                if let Some(to) = to {
                    query = format!("{query}&to=2026-03-{:02}", 10 + to);
                }
                let found = walked(&stage, &query, limit, async |_| {}).await;
                let expected: Vec<String> = expected
                    .into_iter()
                    .rev()
                    .filter(|(_, holds)| *holds)
                    .map(|((_, case), _)| case)
                    .collect();
                prop_assert_eq!(found, expected);
                Ok(())
            })
        })
        .unwrap();
}
