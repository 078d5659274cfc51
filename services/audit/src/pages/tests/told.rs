//! What pages say and ask so that nobody is misled: numbers that two hotlines gave, verdicts that do not count, spans, headings.

use hotline_core::rulebook::load;

use super::browser::Browser;
use super::stage;
use crate::api::tests::stage::{NOW, Stage, closed, files, ruled};
use crate::token::Role;

/// The hotline 12315 beside 12345, which has a case of the same number.
async fn of_two_hotlines() -> Stage {
    let stage = stage().await;
    let mut files = files();
    for (path, more) in [
        (
            "hotlines.toml",
            "\n[[hotline]]\ncode = \"12315\"\nname_zh = \"12315热线\"\nname_en = \"Hotline 12315\"\noffice = \"HL\"\n",
        ),
        ("routing/all.csv", "consumers,12315,,,,,D1,0,,\n"),
        (
            "sources/city.toml",
            "\n[[source]]\nid = \"/hotline/12315\"\nhotline = \"12315\"\nname = \"consumers\"\ndispatch = \"hotline\"\n",
        ),
    ] {
        files.get_mut(path).unwrap().extend_from_slice(more.as_bytes());
    }
    let (rulebook, now) = (load(&files).unwrap().rulebook, NOW.parse().unwrap());
    stage.writer.activate(&files, &rulebook, true, now).await.unwrap();
    let mut other = closed("1", "D2", "2026-03-03T02:00:00Z");
    for event in &mut other {
        event["subject"] = "12315:1".into();
        event["source"] = "/hotline/12315".into();
    }
    stage.apply(other).await;
    stage
}

#[tokio::test]
async fn a_number_that_two_hotlines_gave_leads_to_a_choice_among_the_cases_that_the_reader_sees() {
    let stage = Box::pin(of_two_hotlines()).await;
    let auditor = Browser::of(&stage, Role::Auditor, None, false).await;
    let choice = auditor.get("/audit/find?case=1").await;
    choice.is_whole();
    assert_eq!(choice.status, 200);
    assert_eq!(choice.between("<li><a href=\"/audit/cases/", "\""), ["12315:1", "12345:1"]);
    assert!(choice.text.contains("12315热线"), "{}", choice.text);
    let operator = Browser::of(&stage, Role::Operator, None, false).await;
    let choice = operator.get("/audit/find?case=1").await;
    assert_eq!(choice.between("<li><a href=\"/audit/cases/", "\""), ["12315:1/people", "12345:1/people"]);
    let supervisor = Browser::of(&stage, Role::Supervisor, Some(&["D1"]), false).await;
    assert_eq!(supervisor.get("/audit/find?case=1").await.location(), "/audit/cases/12345:1");
    assert_eq!(supervisor.get("/audit/find?case=2").await.status, 404, "it is of another department");
    // As an input method types it: ２ alone, and 12345：２.
    for typed in ["%EF%BC%92", "12345%EF%BC%9A%EF%BC%92", "%E3%80%80%EF%BC%92%20"] {
        let found = auditor.get(&format!("/audit/find?case={typed}")).await;
        assert_eq!(found.location(), "/audit/cases/12345:2", "{typed}");
    }
}

#[tokio::test]
async fn a_verdict_that_was_excluded_says_so() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let verdict = async || browser.get("/audit/cases/12345:1").await.between("<strong>", "</strong>");
    assert_eq!(verdict().await, ["按时"]);
    stage.apply(vec![ruled("1", "D1")]).await;
    assert_eq!(verdict().await, ["按时，已由考核认定剔除"]);
}

#[tokio::test]
async fn a_span_that_ends_before_it_begins_is_a_fault_and_no_empty_list() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let span = "from=2023-10-01&to=2023-09-01";
    for path in ["closures?", "lists/holds?", "sample?seed=1&"] {
        let page = browser.get(&format!("/audit/{path}{span}")).await;
        assert_eq!(page.status, 400, "{path}");
        let told = page.between("role=\"alert\">", "</p>");
        assert_eq!(told, ["条件“截止日期（不含）”的值不正确，或出现了两次。"], "{path}");
        page.is_whole();
    }
    let auditor = stage.token(Role::Auditor, None, false).await;
    for path in ["closures?", "audit/holds?", "closures?format=csv&", "audit/sample?seed=1&"] {
        let (status, body) = stage.get(&format!("/v1/{path}{span}"), Some(&auditor)).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("value")), "{path}");
    }
}

#[tokio::test]
async fn a_column_is_called_by_what_stands_in_it_on_a_page_and_in_a_file() {
    let stage = stage().await;
    let late = closed("4", "D1", "2026-03-03T02:00:00Z");
    stage.apply(late[..2].to_vec()).await;
    stage.apply_received(late[2..].to_vec(), "2026-03-14T02:00:00Z").await;
    stage.keep().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    for (path, on_page, in_file) in [
        ("closures", "办结期限", "办结期限（00:00 即前一日结束）"),
        ("lists/late_entries", "相差", "相差秒数"),
    ] {
        let page = browser.get(&format!("/audit/{path}")).await;
        assert!(page.text.contains(&format!("<th scope=\"col\">{on_page}</th>")), "{}", page.text);
        assert!(page.text.contains("文件中的值为代码"), "{}", page.text);
        let list = path.trim_start_matches("lists/");
        let file = browser.get(&format!("/audit/files/{list}?format=csv&headings=zh")).await;
        assert!(file.text.contains(&format!(",{in_file},")), "{}", file.text);
    }
}
