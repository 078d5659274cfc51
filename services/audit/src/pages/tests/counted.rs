//! From a published figure to the cases that it counts.

use hotline_postgres::Rules;
use hotline_postgres::interventions::By;
use hotline_rates::form::Form;
use hotline_rates::made::{Allowed, publish};
use jiff::Timestamp;
use serde_json::json;

use super::browser::{self, Browser};
use crate::api::tests::stage::{Stage, closed, event};
use crate::token::Role;

const FORM: &str = r#"
id = "closings"
version = 1
title = { zh = "办结", en = "Closings" }
hotline = ["12345"]
[[column]]
heading = { zh = "率", en = "rate" }
rate = "closing"
"#;
const FIGURE: &str = "/audit/bulletins/1/departments/D1/closing";

/// A bulletin of March: D1 closed one of two cases in time, D2 one of one.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.apply(closed("2", "D1", "2026-03-12T02:00:00Z")).await;
    stage.apply(closed("3", "D2", "2026-03-03T02:00:00Z")).await;
    let at: Timestamp = "2026-03-20T00:00:00Z".parse().unwrap();
    while !stage.writer.refold_step(at, 100).await.unwrap().refold.done {}
    let form = Form::read("closings", FORM).unwrap();
    let rules = Rules::new(stage.operator());
    let by = By { operator: "tests", why: "the month is over soon", at };
    let allowed = Allowed { unfinished: true, again: false };
    publish(&stage.operator(), &rules, (&form, "2026-03"), allowed, by).await.unwrap();
    stage
}

fn cases(page: &browser::Page) -> Vec<String> {
    page.between("<a href=\"/audit/cases/", "\"")
}

#[tokio::test]
async fn a_figure_leads_to_the_very_cases_that_it_counts_whatever_came_in_since() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    for above in ["/audit/bulletins/1", "/audit/bulletins/1/departments/D1"] {
        assert!(browser.get(above).await.text.contains(&format!("href=\"{FIGURE}\"")), "{above}");
    }
    let numbers = |page: &browser::Page| page.between("<td class=\"number\">", "</td>");
    let before = browser.get(FIGURE).await;
    before.is_whole();
    assert_eq!(cases(&before), ["12345:1", "12345:2"]);
    assert_eq!(numbers(&before), ["1", "1", "0", "1"]);
    assert!(before.text.contains("合计与通报一致") && !before.text.contains("有新事实"), "{}", before.text);
    for told in ["至此合计", "发布后才计入的工单不在本页", "<code>hotline bulletin show 1 --restated</code>"]
    {
        assert!(before.text.contains(told), "{told}: {}", before.text);
    }
    // One is opened again, which leaves the verdict of its first round; the closing of the other is void.
    let reopened = json!({ "reason": "dissatisfied" });
    stage.apply(vec![event("1-o", "1", "reopened", "2026-03-21T02:00:00Z", &reopened)]).await;
    let corrects = json!({ "source": "/hotline/12345", "id": "2-c", "type": "hotline.case.closed.v1" });
    let void = json!({ "corrects": corrects, "void": true });
    stage.apply(vec![event("2-v", "2", "corrected", "2026-03-21T03:00:00Z", &void)]).await;
    stage.apply(closed("4", "D1", "2026-03-22T02:00:00Z")).await;
    let after = browser.get(FIGURE).await;
    assert_eq!((cases(&after), numbers(&after)), (cases(&before), numbers(&before)));
    for told in ["合计与通报一致", "有新事实，计数不变", "现为 0 / 0"] {
        assert!(after.text.contains(told), "{told}: {}", after.text);
    }
}

#[tokio::test]
async fn a_list_of_counted_cases_goes_on_after_a_case_with_the_sums_so_far() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let rest = browser.get(&format!("{FIGURE}?after=12345:1&sums=1.1.1")).await;
    assert_eq!(cases(&rest), ["12345:2"]);
    assert!(rest.text.contains("合计与通报一致"), "{}", rest.text);
    for wrong in ["after=12345:1", "after=12345:1&sums=x", "after=12345:1&sums=2.2.1"] {
        let page = browser.get(&format!("{FIGURE}?{wrong}")).await;
        assert!(page.status == 200 && page.text.contains("合计与通报不一致"), "{wrong}: {}", page.text);
    }
    assert_eq!(cases(&browser.get(&format!("{FIGURE}?after=%00")).await).len(), 2, "that is after nothing");
}

#[tokio::test]
async fn the_cases_of_a_figure_are_for_whoever_sees_its_department_and_of_the_rules_that_counted() {
    let stage = stage().await;
    let supervisor = Browser::of(&stage, Role::Supervisor, Some(&["D2"]), false).await;
    assert_eq!(supervisor.get(FIGURE).await.status, 403);
    assert_eq!(cases(&supervisor.get("/audit/bulletins/1/departments/D2/closing").await), ["12345:3"]);
    let auditor = Browser::of(&stage, Role::Auditor, None, false).await;
    for missing in ["/audit/bulletins/1/departments/D1/none", "/audit/bulletins/1/departments/HL/closing"] {
        let page = auditor.get(missing).await;
        assert!(page.status == 404 && page.text.contains("no_figure"), "{missing}: {}", page.text);
    }
    // This one says that another program counted it.
    browser::publish(&stage).await;
    let other = auditor.get("/audit/bulletins/2/departments/D1/closing").await;
    other.is_whole();
    assert!(other.text.contains("无法逐件列出") && cases(&other).is_empty(), "{}", other.text);
}

#[tokio::test]
async fn a_published_figure_that_was_altered_is_told_wherever_it_is_shown() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let told = async |word: &str| {
        for path in ["/audit/bulletins/1", "/audit/bulletins/1/departments/D1", FIGURE] {
            let page = browser.get(path).await;
            page.is_whole();
            assert!(page.text.contains(word), "{path}: {word}: {}", page.text);
        }
    };
    let (same, differs) = (
        "<p class=\"good\" role=\"status\">全部数字与",
        "<p class=\"alert bad\" role=\"status\">通报与发布时",
    );
    told(same).await;
    stage.alter("UPDATE bulletin_figures SET numerator = numerator + 1 WHERE department = 'D1'").await;
    told(differs).await;
    assert!(browser.get(FIGURE).await.text.contains("或者所发布的数字被改动"), "the sum tells it, too");
    stage.alter("UPDATE bulletin_figures SET numerator = numerator - 1 WHERE department = 'D1'").await;
    told(same).await;
    // What another department's figure says is of this bulletin, too.
    stage.alter("UPDATE bulletin_figures SET denominator = denominator + 1 WHERE department = 'D2'").await;
    told(differs).await;
}

#[tokio::test]
async fn a_bulletin_without_a_record_says_so_and_one_that_should_have_had_one_is_suspect() {
    let old = Stage::new().await;
    browser::publish(&old).await;
    let browser = Browser::of(&old, Role::Auditor, None, false).await;
    assert!(browser.get("/audit/bulletins").await.text.contains("<th scope=\"col\">表样</th>"));
    let page = browser.get("/audit/bulletins/1").await;
    assert!(page.text.contains("没有存证记录"), "{}", page.text);
    let stage = stage().await;
    browser::publish(&stage).await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let page = browser.get("/audit/bulletins/2").await;
    assert!(page.text.contains("<p class=\"alert bad\" role=\"status\">本通报应有存证记录"), "{}", page.text);
}
