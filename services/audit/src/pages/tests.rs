//! The pages over the role's router, on a real PostgreSQL: who sees what, what is escaped, what is masked, what is recorded.

mod browser;
mod counted;
mod told;

use hotline_core::rulebook::load;
use hotline_postgres::closure_records::Which;
use serde_json::json;

use super::{Need, ROUTES};
use crate::AuditConfig;
use crate::api::tests::stage::{Stage, closed, event, files, ruled};
use crate::config::WitnessConfig;
use crate::copy::bundle::{Wanted, export};
use crate::log::note::{Kind, Signer};
use crate::token::{Right, Role};
use browser::{Browser, POLICY};

/// A path with its parts filled in; the record is the case's.
fn filled(route: &str) -> String {
    let route = &route.replace("records/{id}", "records/2");
    let route = route.as_str();
    let route = match route {
        "/audit/find" => "/audit/find?case=12345:1",
        "/audit/files/{list}" => "/audit/files/closures?format=csv",
        "/audit/sample" => "/audit/sample?seed=1",
        route => route,
    };
    route
        .replace("{case}", "12345:1")
        .replace("{list}", "holds")
        .replace("{id}", "1")
        .replace("{department}", "D1")
        .replace("{rate}", "closing")
        .replace("{hash}", &load(&files()).unwrap().rulebook.hash)
}

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    stage.apply(closed("2", "D2", "2026-03-12T02:00:00Z")).await;
    stage.keep().await;
    stage
}

#[tokio::test]
async fn every_page_is_shown_to_whoever_may_see_it_and_to_nobody_else() {
    let stage = stage().await;
    browser::publish(&stage).await;
    assert_eq!(
        stage.texts("SELECT min(id)::text FROM closure_records WHERE case_id = '12345:1'").await,
        ["2"]
    );
    stage.seal(2).await;
    for (role, departments, may_unmask) in [
        (Role::Auditor, None, false),
        (Role::Auditor, None, true),
        (Role::Supervisor, None, false),
        (Role::Supervisor, Some(["D1"].as_slice()), false),
        (Role::Operator, None, false),
    ] {
        let browser = Browser::of(&stage, role, departments, may_unmask).await;
        let caller = browser.caller.clone();
        for route in ROUTES.iter().filter(|route| route.path != "/audit/sign-out") {
            let page = browser.get(&filled(route.path)).await;
            let may = match route.need {
                Need::Nothing | Need::SignedIn => true,
                Need::Right(right) => caller.may(right),
            };
            let told = format!("{role:?} {departments:?} {}: {} {}", route.path, page.status, page.text);
            assert_eq!(page.status != 403, may, "{told}");
            assert!([200, 303, 403].contains(&page.status), "{told}");
            if page.is_html() {
                page.is_whole();
            }
        }
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_asked_to_and_comes_back() {
    let stage = stage().await;
    let token = stage.token(Role::Auditor, None, false).await;
    let nobody = Browser::new(&stage);
    for route in ROUTES.iter().filter(|route| route.need != Need::Nothing) {
        let page = nobody.get(&filled(route.path)).await;
        assert_eq!(page.status, 303, "{}", route.path);
        assert!(page.location().starts_with("/audit/sign-in?next=%2Faudit"), "{}", page.location());
    }
    let form = nobody.get("/audit/sign-in?next=/audit/closures?department=D1").await;
    assert!(form.text.contains("name=\"next\" value=\"/audit/closures?department=D1\""), "{}", form.text);
    let fields = format!("next=%2Faudit%2Flog&token={token}");
    let signed_in = nobody.post("/audit/sign-in", &[], &fields).await;
    assert_eq!((signed_in.status, signed_in.location()), (303, "/audit/log"));
    let cookie = signed_in.headers["set-cookie"].to_str().unwrap();
    for part in [token.as_str(), "HttpOnly", "SameSite=Strict", "Path=/audit"] {
        assert!(cookie.contains(part), "{part}");
    }
    assert!(!cookie.contains("Secure"));
    let behind = nobody.post("/audit/sign-in", &[("x-forwarded-proto", "https")], &fields).await;
    assert!(behind.headers["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    let other = crate::token::Token::generate().unwrap();
    for wrong in ["", "hl_x", other.expose()] {
        let page = nobody.post("/audit/sign-in", &[], &format!("token={wrong}")).await;
        assert_eq!(page.status, 401);
        assert!(page.text.contains("role=\"alert\"") && !page.headers.contains_key("www-authenticate"));
        assert!(!page.headers.contains_key("set-cookie"));
    }
    let foreign = nobody.post("/audit/sign-in", &[("sec-fetch-site", "cross-site")], &fields).await;
    assert_eq!(foreign.status, 403);
    let host = ("host", "audit.example");
    for (origin, status) in
        [("http://audit.example", 303), ("https://other.example", 403), ("null", 403), ("", 403)]
    {
        let page = nobody.post("/audit/sign-in", &[host, ("origin", origin)], &fields).await;
        assert_eq!(page.status, status, "{origin}");
    }
    assert_eq!(form.headers["referrer-policy"], "same-origin", "or our own forms come from nowhere");
    let out = nobody.post("/audit/sign-out", &[], "").await;
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    // What a browser asks a password for does as well.
    let basic =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("auditor:{token}"));
    let basic = format!("Basic {basic}");
    let page = nobody.send("GET", "/audit", &[("authorization", &basic)], "").await;
    assert_eq!(page.status, 200);
    // … but not where something is sent: the browser would add it for any site.
    let page = nobody
        .post("/audit/cases/12345:1/people", &[("authorization", &basic)], "why=asked+by+the+court")
        .await;
    assert_eq!(page.status, 401);
}

#[tokio::test]
async fn a_token_that_was_revoked_is_refused_at_once() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    assert_eq!(browser.get("/audit/closures").await.status, 200);
    stage.execute("UPDATE tokens SET revoked_at = '2026-03-01T00:00:00Z'").await;
    let page = browser.get("/audit/closures").await;
    assert!(page.status == 303 && page.location().ends_with("why=token_bad"), "{}", page.location());
    assert!(browser.get(page.location()).await.text.contains("role=\"alert\""));
}

#[tokio::test]
async fn a_supervisor_sees_pages_of_its_departments() {
    let stage = stage().await;
    browser::publish(&stage).await;
    let browser = Browser::of(&stage, Role::Supervisor, Some(&["D1"]), false).await;
    let page = browser.get("/audit/closures").await;
    assert!(page.text.contains("12345:1") && !page.text.contains("12345:2"));
    assert!(!page.text.contains("value=\"D2\""), "others are not offered");
    let page = browser.get("/audit/closures?department=D2").await;
    assert!(page.status == 400 && page.text.contains("role=\"alert\""));
    assert_eq!(browser.get("/audit/cases/12345:2").await.status, 404);
    assert_eq!(browser.get("/audit/bulletins/1/departments/D2").await.status, 403);
    let page = browser.get("/audit/bulletins/1").await;
    assert!(page.text.contains("/departments/D1") && !page.text.contains("/departments/D2"));
    assert!(page.text.contains("2026-7") && page.text.contains("12345:1"), "{}", page.text);
    for other in ["12345:2", "2026-8", "2 working_day", "/hotline/12345"] {
        assert!(!page.text.contains(other), "an annex shows {other} of another department");
    }
    let all = Browser::of(&stage, Role::Supervisor, None, false).await.get("/audit/bulletins/1").await;
    assert!(
        all.text.contains("2026-7") && all.text.contains("2026-8") && all.text.contains("/hotline/12345")
    );
}

#[tokio::test]
async fn text_from_outside_never_becomes_part_of_a_page() {
    let stage = stage().await;
    let hostile = "<script>alert(1)</script>\"'&";
    let mut exclusion = ruled("1", "D1");
    exclusion["data"]["document"] = json!(hostile);
    exclusion["data"]["reason"] = json!("<img-src>");
    stage.apply(vec![exclusion]).await;
    let mut events = closed("3", "<b>D3", "2026-03-03T02:00:00Z");
    events[0]["data"]["content"] = json!(hostile);
    events[0]["data"]["tags"] = json!(["<i>"]);
    stage.apply(events).await;
    stage.keep().await;
    let browser = Browser::of(&stage, Role::Auditor, None, true).await;
    let escaped = browser.get("/audit/lists/exclusions").await;
    assert!(escaped.text.contains("&#60;script&#62;alert(1)"), "{}", escaped.text);
    let encoded = "%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        "/audit/lists/exclusions".to_owned(),
        "/audit/cases/12345:1".to_owned(),
        "/audit/cases/12345:3".to_owned(),
        "/audit/closures".to_owned(),
        format!("/audit/closures?category={encoded}&region=%22%3E{encoded}"),
        format!("/audit/closures?{encoded}=1"),
        format!("/audit/closures?after={encoded}"),
        format!("/audit/sample?seed={encoded}"),
        format!("/audit/sign-in?next={encoded}"),
        format!("/audit/{encoded}"),
        format!("/audit/find?case={encoded}"),
        format!("/audit/lists/{encoded}?lang={encoded}"),
    ] {
        let page = browser.get(&path).await;
        page.is_whole();
        for sign in ["<script", "<img-src>", "<b>D3", "<i>"] {
            assert!(!page.text.contains(sign), "{path}: {sign}");
        }
    }
    let shown = browser.post("/audit/cases/12345:3/people", &[], "why=asked+by+the+court").await;
    assert!(shown.text.contains("&#60;script&#62;alert(1)"));
    shown.is_whole();
}

#[tokio::test]
async fn people_stand_behind_masks_until_a_reason_is_recorded() {
    let stage = Stage::new().await;
    let mut events = closed("1", "D1", "2026-03-03T02:00:00Z");
    events[0]["data"] = json!({
        "case_type": "complaint", "content": "planted words of a caller",
        "reporter": { "name": "张三丰", "phone": "13812345678" },
    });
    stage.apply(events).await;
    stage.keep().await;
    let planted = ["planted words", "张三丰", "13812345678"];
    let is_hidden = |text: &str| planted.iter().all(|word| !text.contains(word));
    let auditor = Browser::of(&stage, Role::Auditor, None, false).await;
    let page = auditor.get("/audit/cases/12345:1").await;
    assert!(page.text.contains("138****5678") && is_hidden(&page.text));
    assert!(!page.text.contains("/people"), "it is not offered to whoever may not");
    assert_eq!(auditor.post("/audit/cases/12345:1/people", &[], "why=curious").await.status, 403);
    let operator = Browser::of(&stage, Role::Operator, None, false).await;
    assert_eq!(operator.get("/audit/find?case=1").await.location(), "/audit/cases/12345:1/people");
    assert!(is_hidden(&operator.get("/audit/cases/12345:1/people").await.text));
    for wrong in ["", "why=+x+", "why=y%00y"] {
        let page = operator.post("/audit/cases/12345:1/people", &[], wrong).await;
        assert!(page.status == 400 && is_hidden(&page.text), "{wrong}");
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(operator.post("/audit/cases/12345:1/people", &foreign, "why=asked").await.status, 403);
    let none = stage.texts("SELECT why FROM access_log WHERE step = 'unmasked'").await;
    assert!(none.is_empty(), "{none:?}");
    let page = operator.post("/audit/cases/12345:1/people", &[], "why=asked+by+the+court").await;
    assert!(page.status == 200 && planted.iter().all(|word| page.text.contains(word)));
    assert_eq!(page.headers["cache-control"], "no-store");
    let why = stage.texts("SELECT why FROM access_log WHERE step = 'unmasked'").await;
    assert_eq!(why, ["asked by the court"]);
    let log = auditor.get("/audit/access").await;
    assert!(log.text.contains("asked by the court"));
    let may = Browser::of(&stage, Role::Auditor, None, true).await;
    assert!(may.get("/audit/cases/12345:1").await.text.contains("/people"));
    stage.erase("12345:1").await;
    let page = may.get("/audit/cases/12345:1").await;
    assert!(page.status == 200 && !page.text.contains("/people"), "nobody can see who was erased");
}

#[tokio::test]
async fn the_language_is_the_browsers_until_another_is_chosen() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let lang = async |headers: &[(&str, &str)], path: &str| {
        let page = browser.send("GET", path, headers, "").await;
        page.text.split("<html lang=\"").nth(1).unwrap()[..2].to_owned()
    };
    let english = [("accept-language", "en-GB,en;q=0.9")];
    assert_eq!(lang(&[], "/audit").await, "zh");
    assert_eq!(lang(&english, "/audit").await, "en");
    assert_eq!(lang(&english, "/audit?lang=zh").await, "zh");
    let chosen = browser.get("/audit/closures?verdict=met&lang=en").await;
    assert!(chosen.headers["set-cookie"].to_str().unwrap().starts_with("hotline_lang=en; Path=/audit;"));
    assert!(chosen.text.contains("verdict=met&#38;lang=zh"), "the other language is of the same page");
    assert_eq!(lang(&[("cookie", "hotline_lang=en")], "/audit").await, "en");
    for (zh, en) in
        [("/audit/nothing", "There is no such page"), ("/audit/cases/12345:9", "There is no such case")]
    {
        let page = browser.send("GET", zh, &english, "").await;
        assert!(page.status == 404 && page.text.contains(en), "{}", page.text);
    }
}

#[tokio::test]
async fn a_fault_is_told_in_the_language_of_its_reader() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    for (path, zh, en) in [
        ("/audit/nothing", "没有这个页面。", "There is no such page."),
        ("/audit/cases/12345:1/verify", "还没有留痕日志。", "There is no closure log yet."),
        (
            "/audit/files/closures?format=pdf",
            "条件“文件格式”的值不正确，或出现了两次。",
            "format is not a value that it can have, or comes twice",
        ),
        (
            "/audit/files/holds?format=csv&verdict=met",
            "没有“verdict”这个条件。",
            "there is no parameter &#34;verdict&#34; here",
        ),
    ] {
        for (lang, told) in [("zh", zh), ("en", en)] {
            let page = browser.send("GET", path, &[("accept-language", lang)], "").await;
            assert!([400, 404].contains(&page.status), "{path}: {}", page.status);
            assert_eq!(page.between("role=\"alert\">", "</p>"), [told], "{path}: {}", page.text);
            page.is_whole();
        }
    }
}

#[tokio::test]
async fn a_list_leads_from_page_to_page_and_to_each_case_once() {
    let stage = Stage::new().await;
    for n in 0..120 {
        stage.apply(closed(&format!("{n:03}"), "D1", "2026-03-03T02:00:00Z")).await;
    }
    stage.keep().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let (mut path, mut seen) = ("/audit/closures?hotline=12345&region=".to_owned(), Vec::new());
    loop {
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200, "fields that were left empty say nothing");
        seen.extend(page.between("<a href=\"/audit/cases/", "\""));
        match page.between(" <a href=\"", "\" rel=\"next\"").pop() {
            Some(next) => path = next.replace("&#38;", "&"),
            None => break,
        }
    }
    let expected: std::collections::BTreeSet<String> = (0..120).map(|n| format!("12345:{n:03}")).collect();
    assert_eq!((seen.len(), seen.into_iter().collect()), (120, expected));
}

#[tokio::test]
async fn a_case_shows_its_clocks_its_facts_and_who_held_it() {
    let stage = stage().await;
    let granted = json!({ "reason": "inspection" });
    stage.apply(vec![event("2-h", "2", "held", "2026-03-04T06:00:00Z", &granted)]).await;
    stage.apply(vec![event("2-l", "2", "released", "2026-03-04T08:00:00Z", &granted)]).await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let page = browser.send("GET", "/audit/cases/12345:2", &[("accept-language", "en")], "").await;
    assert_eq!(page.status, 200);
    for shown in [
        "<svg",
        "class=\"counted\"",
        "class=\"skipped\"",
        "class=\"over\"",
        "class=\"custody\"",
        "past the deadline",
        "article 1",
        "City D2",
        "http 3",
        "counts 4 working days",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let bare = browser.get("/audit/find?case=2").await;
    assert_eq!(bare.location(), "/audit/cases/12345:2", "a number finds its hotline");
}

#[tokio::test]
async fn the_records_of_a_case_are_held_against_the_log_and_against_their_facts() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let verify =
        async || browser.send("GET", "/audit/cases/12345:1/verify", &[("accept-language", "en")], "").await;
    assert_eq!(verify().await.status, 404, "there is no log yet");
    let record = stage.texts("SELECT max(id)::text FROM closure_records WHERE case_id = '12345:1'").await;
    let last = stage.texts("SELECT max(id)::text FROM closure_records").await;
    stage.seal(last[0].parse().unwrap()).await;
    let sound = verify().await;
    assert!(sound.text.contains("All is well"), "{}", sound.text);
    let bytes = browser.get(&format!("/audit/cases/12345:1/records/{}", record[0])).await;
    assert!(bytes.text.starts_with("{\"case\":\"12345:1\""), "{}", bytes.text);
    let proof = browser.get(&format!("/audit/cases/12345:1/records/{}/proof", record[0])).await;
    let key = browser.get("/audit/log/key").await;
    let key = crate::log::note::Key::parse(key.text.trim()).unwrap();
    let proof = crate::log::proof::Proof::parse(&proof.text).unwrap();
    assert!(proof.check(bytes.text.as_bytes(), &key, &[]).is_ok());
    assert_eq!(browser.get(&format!("/audit/cases/12345:2/records/{}/proof", record[0])).await.status, 404);
    assert!(browser.get("/audit/log").await.text.contains(key.name()));
    stage.execute("ALTER TABLE closure_records DISABLE TRIGGER ALL").await;
    stage.execute("UPDATE closure_records SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"met\"', '\"late\"'), 'UTF8') WHERE case_id = '12345:1'").await;
    let altered = verify().await;
    assert!(
        altered.text.contains("VERIFICATION FAILED") && altered.text.contains("DIFFERS: /judged"),
        "{}",
        altered.text
    );
}

#[tokio::test]
async fn a_record_is_called_the_same_on_a_page_and_in_a_bundle() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let of_case = "SELECT id::text FROM closure_records WHERE case_id = '12345:2' ORDER BY id DESC LIMIT 1";
    let record = stage.texts(of_case).await.remove(0);
    let at = format!("/audit/cases/12345:2/records/{record}");
    let name = |page: &browser::Page| {
        let named = page.headers["content-disposition"].to_str().unwrap();
        named.split('"').nth(1).unwrap().to_owned()
    };
    assert_eq!(name(&browser.get(&at).await), format!("unsealed-{record}.record"));
    stage.seal(record.parse().unwrap()).await;
    let directory = tempfile::tempdir().unwrap();
    let which = Which { cases: vec!["12345:2".to_owned()], ..Which::default() };
    export(&stage.operator(), &Wanted { which, bulletin: None }, directory.path()).await.unwrap();
    let mut names = Vec::new();
    for path in [at.clone(), format!("{at}/proof")] {
        let page = browser.get(&path).await;
        let bundled = directory.path().join("records").join(name(&page));
        assert_eq!(std::fs::read_to_string(bundled).unwrap(), page.text);
        names.push(name(&page));
    }
    let verify = browser.get("/audit/cases/12345:2/verify").await;
    assert!(verify.text.contains(&format!("log.vkey --rulebook rulebooks {}<", names[0])), "{}", verify.text);
    assert!(verify.text.contains("export-bundle --case 12345:2 "), "{}", verify.text);
    // Its rulebook can be taken along, as the bundle has it.
    let links = verify.between("<a href=\"/audit/rulebooks/", "\" download");
    assert_eq!(links.len(), 1, "{}", verify.text);
    assert!(directory.path().join("rulebooks").join(&links[0]).join("rulebook.toml").is_file());
    let archive = browser.get(&format!("/audit/rulebooks/{}", links[0])).await;
    assert_eq!((archive.status, name(&archive)), (200, format!("rulebook-{:.12}.zip", links[0])));
    assert!(archive.text.starts_with("PK") && archive.text.contains(&format!("rulebooks/{}/", links[0])));
    assert_eq!(browser.get("/audit/rulebooks/00").await.status, 404);
}

#[tokio::test]
async fn the_page_of_the_log_says_when_and_why_it_was_begun_anew_or_went_on() {
    let stage = stage().await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    stage.seal(2).await;
    assert!(!browser.get("/audit/log").await.text.contains("重新开始与继续"));
    stage.relog("the backup of <1 March> was restored").await;
    stage.seal(2).await;
    stage.adopt("the volume was lost").await;
    for (lang, told) in [
        ("zh", ["重新开始日志", "检查点文件遗失，按数据库继续", "命令行", "/log1，已签名 "]),
        (
            "en",
            ["the log was begun anew", "the checkpoint file being lost", "command line", " leaves signed"],
        ),
    ] {
        let page = browser.send("GET", "/audit/log", &[("accept-language", lang)], "").await;
        page.is_whole();
        let both =
            ["the backup of &#60;1 March&#62; was restored", "the volume was lost", "2026-03-02 09:00"];
        for shown in told.into_iter().chain(both) {
            assert!(page.text.contains(shown), "{shown}: {}", page.text);
        }
    }
    let supervisor = Browser::of(&stage, Role::Supervisor, None, false).await;
    let page = supervisor.get("/audit/log").await;
    assert!(page.text.contains("重新开始日志") && !page.text.contains("1 March"), "{}", page.text);
}

#[tokio::test]
async fn the_page_of_the_log_names_a_witness_that_has_not_signed() {
    let witness = Signer::new("away.example", Kind::Witness, &[3; 32]).unwrap();
    let witness = WitnessConfig { url: "http://127.0.0.1:9".to_owned(), key: witness.key().to_string() };
    let stage = Stage::configured(&AuditConfig { witnesses: vec![witness], ..AuditConfig::default() }).await;
    stage.apply(closed("1", "D1", "2026-03-03T02:00:00Z")).await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let says = async |told: &str| {
        let page = browser.get("/audit/log").await;
        assert!(page.text.contains(told), "{told}: {}", page.text);
        assert!(!page.text.contains("没有配置见证方"), "{}", page.text);
    };
    stage.seal(2).await;
    says("away.example").await;
    says("自 2026-03-02 09:00 起从未签过本日志").await;
    let cosigns = "INSERT INTO log_cosignatures SELECT log, max(size), 'away.example', max(signed_at), ''
                     FROM log_checkpoints WHERE log = 1 GROUP BY log";
    stage.execute(cosigns).await;
    says("已签最近的检查点").await;
    stage
        .execute(
            "INSERT INTO log_checkpoints SELECT log, size + 1, timestamptz '2026-03-02T00:30:00Z', note FROM log_checkpoints
              ORDER BY size DESC LIMIT 1",
        )
        .await;
    says("<td class=\"bad\">自 2026-03-02 08:30 起未签名").await;
    stage.relog("a backup was restored").await;
    says("起从未签过本日志").await;
}

#[tokio::test]
async fn a_file_is_taken_away_from_a_page_and_recorded() {
    let stage = stage().await;
    let auditor = Browser::of(&stage, Role::Auditor, None, false).await;
    let page = auditor.get("/audit/closures?department=D1").await;
    let links = page.between("<li><a href=\"/audit/files/", "\" download");
    assert_eq!(links.len(), 4, "{}", page.text);
    let file = auditor.get(&format!("/audit/files/{}", links[0].replace("&#38;", "&"))).await;
    assert!(
        file.text.starts_with("\u{feff}工单,")
            && file.text.contains("12345:1")
            && !file.text.contains("12345:2")
    );
    assert_eq!(stage.texts("SELECT filter::text FROM access_log").await, ["{\"department\": \"D1\"}"]);
    let supervisor = Browser::of(&stage, Role::Supervisor, None, false).await;
    assert!(!supervisor.get("/audit/closures").await.text.contains("/audit/files/"));
    assert_eq!(supervisor.get("/audit/files/closures?format=csv").await.status, 403);
    assert_eq!(auditor.get("/audit/files/closures?format=pdf").await.status, 400);
}

#[tokio::test]
async fn a_sample_is_taken_away_in_the_words_of_its_page_and_recorded_with_its_seed() {
    let stage = stage().await;
    let auditor = Browser::of(&stage, Role::Auditor, None, false).await;
    let page = auditor.get("/audit/sample?seed=2026-03&size=1&department=D1&lang=zh").await;
    let links = page.between("<li><a href=\"/audit/files/", "\" download");
    assert_eq!(links.len(), 4, "{}", page.text);
    let file = auditor.get(&format!("/audit/files/{}", links[1].replace("&#38;", "&"))).await;
    assert!(
        file.text.starts_with("工单,办结时间,") && file.text.contains("异常,权重\r\n12345:1,"),
        "{}",
        file.text
    );
    assert!(page.text.contains("<th scope=\"col\">权重</th>"), "page and file call it the same");
    let filter = stage.texts("SELECT filter::text FROM access_log").await;
    assert_eq!(filter, ["{\"seed\": \"2026-03\", \"size\": 1, \"department\": \"D1\"}"]);
    assert!(auditor.get("/audit/access?lang=zh").await.text.contains("<td class=\"\">随机抽样</td>"));
    assert!(!auditor.get("/audit/sample").await.text.contains("/audit/files/"), "nothing was drawn");
    let supervisor = Browser::of(&stage, Role::Supervisor, None, false).await;
    assert!(!supervisor.get("/audit/sample?seed=1").await.text.contains("/audit/files/"));
    assert_eq!(supervisor.get("/audit/files/sample?seed=1&format=csv").await.status, 403);
}

#[tokio::test]
async fn a_bulletin_leads_to_the_cases_of_each_department() {
    let stage = stage().await;
    browser::publish(&stage).await;
    let browser = Browser::of(&stage, Role::Auditor, None, false).await;
    let index = browser.get("/audit/bulletins").await;
    assert!(index.text.contains("href=\"/audit/bulletins/1\""), "{}", index.text);
    let page = browser.get("/audit/bulletins/1").await;
    assert!(page.text.contains("99.33 %（597/601）"), "{}", page.text);
    let department = browser.get("/audit/bulletins/1/departments/D1").await;
    // The first one is that of the navigation.
    let links = department.between("<li><a href=\"/audit/closures", "\"").split_off(1);
    assert_eq!(links[0], "?department=D1&#38;from=2026-03-01&#38;to=2026-04-01");
    let cases = browser.get(&format!("/audit/closures{}", links[0].replace("&#38;", "&"))).await;
    assert!(cases.text.contains("/audit/cases/12345:1") && !cases.text.contains("/audit/cases/12345:2"));
    for missing in ["/audit/bulletins/7", "/audit/bulletins/x"] {
        assert_eq!(browser.get(missing).await.status, 404);
    }
}

#[tokio::test]
async fn programs_are_answered_as_before() {
    let stage = stage().await;
    let nobody = Browser::new(&stage);
    let root = nobody.get("/").await;
    assert_eq!((root.status, root.location()), (303, "/audit"));
    let page = nobody.get("/v1/nothing").await;
    assert!(page.status == 404 && page.text.starts_with('{'));
    assert_eq!(page.headers["content-type"], "application/problem+json");
    assert_ne!(page.headers["content-security-policy"], POLICY);
    assert!(ROUTES.iter().any(|route| route.need == Need::Right(Right::AccessLog)));
}
