//! Lists that were altered: each alteration is found, and nothing else; nor what is to be made anew.

use hotline_core::rulebook::load;
use serde_json::json;

use crate::api::tests::stage::{NOW, Stage, closed, event, files, ruled};

/// Three closed cases, one with a ruling, and an open one; all of it is listed, and their records are sealed.
async fn staged() -> Stage {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.apply(closed("2", "D2", "2026-03-03T03:00:00Z")).await;
    stage.apply(closed("3", "D1", "2026-03-05T02:00:00Z")).await;
    stage.apply(vec![ruled("1", "D1")]).await;
    let data = json!({ "case_type": "complaint" });
    stage.apply(vec![event("4-r", "4", "received", "2026-03-02T00:10:00Z", &data)]).await;
    stage.keep().await;
    let last = stage.texts("SELECT max(id)::text FROM closure_records").await;
    stage.seal(last[0].parse().unwrap()).await;
    stage.alter("CREATE TABLE c AS TABLE closures; CREATE TABLE f AS TABLE closure_findings; CREATE TABLE d AS TABLE closure_days").await;
    stage
}

impl Stage {
    /// What an alteration of the lists is found as; the lists are put back.
    async fn found(&self, sql: &str) -> Vec<String> {
        self.alter(sql).await;
        let found = self.checked().await;
        let back = "DELETE FROM closures; DELETE FROM closure_findings; DELETE FROM closure_days;
                    INSERT INTO closures TABLE c; INSERT INTO closure_findings TABLE f; INSERT INTO closure_days TABLE d";
        self.alter(back).await;
        found
    }
}

/// The codes of findings, in their order, those that follow themselves once.
fn codes(found: &[String]) -> Vec<&str> {
    let mut codes: Vec<&str> = found.iter().filter_map(|one| Some(one.split_once(':')?.0)).collect();
    codes.dedup();
    codes
}

#[tokio::test]
async fn every_column_of_a_row_is_compared() {
    let stage = staged().await;
    assert_eq!(stage.checked().await, Vec::<String>::new());
    for change in [
        "closed_at = closed_at + interval '1 us'",
        "received_at = NULL",
        "department = 'D1'",
        "hotline = 'x'",
        "case_type = 'x'",
        "category = 'housing'",
        "region = ''",
        "class = 'x'",
        "kind = 'refused'",
        "outcome = 'x'",
        "verdict = 'late'",
        "due_at = NULL",
        "excluded = NOT excluded",
        "rounds = rounds + 1",
        "rating = '5'",
        "policies = '{}'",
        "anomalies = '{x}'",
    ] {
        let found = stage.found(&format!("UPDATE closures SET {change} WHERE case_id = '12345:2'")).await;
        assert!(
            found.len() == 1 && found[0].starts_with("closure_differs: 12345:2, closed"),
            "{change}: {found:?}"
        );
    }
    // By these the counts go, too.
    for change in ["day = day + 1", "day = day + 40", "terms = terms[2:]"] {
        let found = stage.found(&format!("UPDATE closures SET {change} WHERE case_id = '12345:2'")).await;
        assert_eq!(codes(&found), ["closure_differs", "count_differs"], "{change}: {found:?}");
    }
    for change in [
        "kind = 'ruled'",
        "kind = 'x'",
        "at = at + interval '1 us'",
        "fact = NULL",
        "fact = 'x'",
        "round = round + 1",
        "department = 'D2'",
        "hotline = 'x'",
        "case_type = 'x'",
        "code = NULL",
        "of = NULL",
        "reason = 'x'",
        "document = 'x'",
        "by = NULL",
        "source = 'x'",
        "claimed_at = claimed_at + interval '1 us'",
        "received_at = NULL",
        "until = at",
        "detail = 'x'",
        "marks = '{x}'",
    ] {
        let found = stage.found(&format!("UPDATE closure_findings SET {change}")).await;
        assert!(
            found.len() == 1 && found[0].starts_with("finding_differs: finding 1 of 12345:1"),
            "{change}: {found:?}"
        );
    }
    let found = stage.found("UPDATE closure_findings SET place = 2").await;
    assert_eq!(codes(&found), ["finding_extra", "finding_missing"], "{found:?}");
}

#[tokio::test]
async fn rows_too_few_and_too_many_are_found() {
    let stage = staged().await;
    let copy = |table: &str, of: &str, to: &str| {
        format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(o, '{{\"case_id\": \"{to}\"}}')).* FROM {table} AS o
              WHERE case_id = '{of}'"
        )
    };
    let found = stage.found("DELETE FROM closures WHERE case_id = '12345:3'").await;
    assert_eq!(codes(&found), ["closure_missing", "count_differs"], "{found:?}");
    // One who hides a case from the counts as well.
    let hide =
        "DELETE FROM closures WHERE case_id = '12345:3'; DELETE FROM closure_days WHERE day = '2026-03-05'";
    assert_eq!(
        stage.found(hide).await,
        ["closure_missing: 12345:3 was closed on 2026-03-05 and is not listed"]
    );
    assert_eq!(codes(&stage.found("DELETE FROM closure_findings").await), ["finding_missing"]);
    // Of no case before, between and after those that there are, and of an open one.
    for case in ["0", "12345:15", "12345:9", "12345:4"] {
        let found = stage.found(&copy("closures", "12345:2", case)).await;
        assert_eq!(codes(&found), ["closure_extra", "count_differs"], "{case}: {found:?}");
        let found = stage.found(&copy("closure_findings", "12345:1", case)).await;
        assert_eq!(found, [format!("finding_extra: finding 1 of {case} is listed, and there is none")]);
    }
    for change in [
        "UPDATE closure_days SET cases = cases + 1 WHERE term = '*' AND day = '2026-03-03'",
        "DELETE FROM closure_days WHERE term = 'department=D2'",
        "INSERT INTO closure_days VALUES ('department=D9', '2026-03-03', 1)",
        "INSERT INTO closure_days VALUES ('*', '2030-01-01', 1)",
    ] {
        let found = stage.found(change).await;
        assert!(found.len() == 1 && found[0].starts_with("count_differs: "), "{change}: {found:?}");
    }
    assert_eq!(stage.checked().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_to_be_made_anew_is_no_difference() {
    let stage = staged().await;
    let sound = Vec::<String>::new();
    stage.apply(closed("5", "D1", "2026-03-04T02:00:00Z")).await;
    assert_eq!(stage.checked().await, sound, "a case that was closed just now");
    stage.keep().await;
    assert_eq!(stage.checked().await, sound);
    stage.alter("UPDATE closures SET verdict = 'late' WHERE case_id = '12345:2'").await;
    assert_eq!(codes(&stage.checked().await), ["closure_differs"]);
    stage.alter("INSERT INTO closure_changes VALUES ('12345:2')").await;
    assert_eq!(stage.checked().await, sound, "the keeper puts it right");
    stage.keep().await;
    assert_eq!(stage.checked().await, sound);

    let mut files = files();
    let policies = String::from_utf8(files["policies/close.toml"].clone()).unwrap();
    files.insert("policies/close.toml".to_owned(), policies.replace("limit = 5", "limit = 1").into_bytes());
    let (rulebook, now) = (load(&files).unwrap().rulebook, NOW.parse().unwrap());
    stage.writer.activate(&files, &rulebook, true, now).await.unwrap();
    assert_eq!(stage.checked().await, sound, "a pass of another rulebook is under way");
    while !stage.writer.refold_step(now, 100).await.unwrap().refold.done {}
    assert_eq!(stage.checked().await, sound, "it has left them to the keeper");
    stage.keep().await;
    assert_eq!(stage.texts("SELECT verdict FROM closures WHERE case_id = '12345:3'").await, ["late"]);
    assert_eq!(stage.checked().await, sound);
    stage.alter("UPDATE closures SET verdict = 'met'; UPDATE cases SET rulebook_seq = 1").await;
    assert_eq!(codes(&stage.checked().await), ["closure_differs"], "after the pass nothing is of another");
}

#[tokio::test]
async fn what_was_submitted_late_of_an_open_case_is_listed() {
    let stage = staged().await;
    let of = json!({ "department": "D1" });
    let data = json!({ "case_type": "complaint" });
    stage
        .apply(vec![
            event("7-r", "7", "received", "2026-02-20T00:10:00Z", &data),
            event("7-d", "7", "dispatched", "2026-02-20T00:20:00Z", &of),
        ])
        .await;
    let submitted = json!({ "department": "D1", "outcome": "resolved" });
    let submitted = event("7-s", "7", "submitted", "2026-02-24T00:00:00Z", &submitted);
    stage.apply_received(vec![submitted], NOW).await;
    stage.keep().await;
    let listed = "SELECT kind || ' ' || case_id FROM closure_findings ORDER BY case_id DESC";
    assert_eq!(stage.texts(listed).await, ["backdated 12345:7", "excluded 12345:1"]);
    assert_eq!(stage.checked().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_read_is_found_and_made_anew() {
    let stage = staged().await;
    for change in [
        "closed_at = 'infinity'",
        "day = 'infinity'",
        "due_at = '-infinity'",
        "received_at = '290000-01-01'",
        "policies = ARRAY[NULL]",
        "terms = ARRAY[NULL]",
    ] {
        let found = stage.found(&format!("UPDATE closures SET {change} WHERE case_id = '12345:2'")).await;
        assert_eq!(found[0], "closure_differs: 12345:2 is listed with what cannot be read", "{change}");
    }
    for change in ["at = 'infinity'", "marks = ARRAY[NULL]"] {
        let found = stage.found(&format!("UPDATE closure_findings SET {change}")).await;
        assert!(found.len() == 1 && found[0].starts_with("finding_differs: "), "{change}: {found:?}");
    }
    for day in ["infinity", "0001-01-01 BC"] {
        let found = stage.found(&format!("INSERT INTO closure_days VALUES ('*', '{day}', 5)")).await;
        assert_eq!(found, ["count_differs: * is counted on a day that there is not"]);
    }
    stage.alter("UPDATE closures SET due_at = 'infinity' WHERE case_id = '12345:2'; INSERT INTO closure_changes VALUES ('12345:2')").await;
    stage.keep().await;
    assert_eq!(stage.checked().await, Vec::<String>::new());
}
