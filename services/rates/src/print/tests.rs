//! What every format says of the same bulletin.

use std::collections::BTreeMap;

use hotline_core::bulletin::{Figure, Figures, Place, Sort, Span, Sums, changes};
use hotline_core::rulebook::{Files, Rulebook, load};
use hotline_events::Lang;
use hotline_postgres::bulletins::{FormStamp, Stamp};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{List, Page, csv, html, json, table, xlsx};
use crate::form::period::Period;
use crate::form::sheet::lay;
use crate::form::{Form, Text};

const FORM: &str = r#"
id = "nasty"
version = 1
title = { zh = "=通报", en = "<b>Bulletin</b>" }
chart = "value"
[[column]]
heading = { zh = "应办结", en = "due" }
rate = "on_time"
show = "denominator"
[[column]]
id = "value"
heading = { zh = "率", en = "rate" }
rate = "on_time"
"#;

fn rulebook() -> Rulebook {
    let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    let files: Files = [
        file("rulebook.toml", "name = \"t\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n"),
        file(
            "calendars/cn.toml",
            "id = \"cn\"\ntimezone = \"Asia/Shanghai\"\nrest_days = [\"sunday\"]\nknown_from = 2026-01-01\nknown_until = 2026-12-25\n",
        ),
        file("hotlines.toml", "[[hotline]]\ncode = \"1\"\nname_zh = \"热\"\nname_en = \"h\"\noffice = \"A\"\n"),
        file(
            "departments.csv",
            "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nA,\"=HYPERLINK(\"\"x\"\",\"\"y\"\")\",@A<script>,,,,,\nB,乙,Two,,,,,\n",
        ),
        file(
            "rates/r.toml",
            "[[rate]]\nid = \"on_time\"\nversion = 3\nname = { zh = \"按时率\", en = \"on time\" }\nbasis = \"due\"\n\
             numerator = [\"each.close.met\"]\ndenominator = [\"each.close.met\", \"each.close.late\"]\nrank_from = 10\n",
        ),
    ]
    .into();
    match load(&files) {
        Ok(loaded) => loaded.rulebook,
        Err(faults) => panic!("{faults:?}"),
    }
}

fn page() -> Page {
    let (form, rulebook) = (Form::read("f", FORM).expect("a sound form"), rulebook());
    let period = Period::parse("2026-09", form.begins, &rulebook.periods).expect("a sound period");
    let figure = |department: &str, numerator, denominator| {
        let place = Place {
            span: Span::Period,
            sort: Sort::Rate,
            id: "on_time".into(),
            department: department.into(),
        };
        let sums = Some(Sums { numerator, denominator, scale: 1 });
        (place, Figure { version: 3, sums, value: None, group: None, rank: None })
    };
    let figures: Figures = [figure("A", 99_999, 100_000), figure("B", 1, 3)].into();
    let stamp = Stamp {
        form: FormStamp { id: form.id.clone(), version: 1, hash: form.hash.clone(), text: form.text.clone() },
        period: "2026-09".to_owned(),
        spans: form.spans(period),
        rulebook_seq: 1,
        rulebook_hash: rulebook.hash.clone(),
        fold_version: 1,
        definitions: BTreeMap::from([("on_time".into(), 3)]),
        positions: BTreeMap::from([("http".to_owned(), 7)]),
        ledger_below: Some(64),
        as_of: Timestamp::UNIX_EPOCH,
    };
    let list = List {
        name: "excluded",
        title: Text::of("附", "Annex"),
        headings: vec![Text::of("工单", "case")],
        rows: vec![vec!["+1".to_owned()], vec!["B".to_owned()]],
        department_at: Some(0),
        figure_at: None,
    };
    Page {
        sheet: lay(&form, &rulebook, period, &figures),
        stamp,
        figures,
        zone: TimeZone::UTC,
        published: None,
        refold_pending: false,
        names: rulebook.departments.values().map(super::named).collect(),
        called: super::called(&rulebook),
        lists: vec![list],
    }
}

#[test]
fn no_text_of_a_spreadsheet_begins_a_formula() {
    let bytes = csv::csv(&page(), Lang::Zh, true).expect("written");
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert!(text.starts_with('\u{feff}'));
    let mut cells = text[3..].lines().flat_map(|line| line.split(','));
    assert!(
        cells.all(|cell| !cell.trim_start_matches('"').starts_with(['=', '+', '-', '@', '\t', '\r'])),
        "{text}"
    );
    assert!(text.contains("99.99%") && text.contains("'=通报") && text.contains("'+1"), "{text}");
    assert!(
        !String::from_utf8(csv::csv(&page(), Lang::Zh, false).expect("written"))
            .expect("UTF-8")
            .starts_with('\u{feff}')
    );
}

#[test]
fn what_took_an_exclusion_back_is_told_in_words() {
    let since = "restore 2026-09-29 No. 2; failed 2026-09-30 No. 3 (close)";
    assert_eq!(
        super::ruled(since, Lang::Zh).as_deref(),
        Some("恢复 2026-09-29 No. 2；认定超期 2026-09-30 No. 3 (close)")
    );
    assert_eq!(
        super::ruled(since, Lang::En).as_deref(),
        Some("restored 2026-09-29 No. 2; ruled late 2026-09-30 No. 3 (close)")
    );
    assert_eq!(super::ruled("-", Lang::Zh), None);
}

#[test]
fn what_has_changed_names_figures_as_their_definitions_do() {
    let page = page();
    let place = |sort, id: &str| Place { span: Span::Period, sort, id: id.into(), department: "B".into() };
    let figure = Figure { version: 0, sums: None, value: Some(2.0), group: None, rank: None };
    // A measure that a source reports and that is spelt as a stage is.
    let now: Figures =
        [(place(Sort::Rate, "on_time"), figure.clone()), (place(Sort::Reported, "follow_up"), figure)].into();
    let list = List::of_changes(&changes(&Figures::new(), &now));
    let told = |lang| list.told(&page, lang).map(|row| row.join(" ")).collect::<Vec<_>>();
    assert_eq!(told(Lang::Zh), ["本期 按时率 乙 - 2", "本期 follow_up 乙 - 2"]);
    assert_eq!(told(Lang::En), ["period on time Two - 2", "period follow_up Two - 2"]);
}

#[test]
fn a_page_runs_nothing_and_loads_nothing() {
    let text = html::html(&page(), Lang::En).expect("written");
    for forbidden in ["<script", "<b>Bull", " style=", "onclick", "http:", "https:", "@import", "url("] {
        assert!(!text.contains(forbidden), "{forbidden}: {text}");
    }
    for wanted in
        ["size: A4 landscape", "<svg", "99.99 %", "33.33 %*", "Draft, not published", "Annex", "<td>Two</td>"]
    {
        assert!(text.contains(wanted), "{wanted} is missing: {text}");
    }
}

#[test]
fn what_is_written_as_json_is_read_again() {
    let page = page();
    let (stamp, figures) = json::read(&json::json(&page, Lang::Zh)).expect("all of it is there");
    assert_eq!((stamp, figures), (page.stamp, page.figures));
}

#[test]
fn a_workbook_has_a_sheet_for_each_list() {
    let bytes = xlsx::xlsx(&page(), Lang::Zh).expect("written");
    assert_eq!(&bytes[..2], b"PK");
    let names = ["xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml", "xl/worksheets/sheet3.xml"];
    for name in names {
        assert!(bytes.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
    }
}

#[test]
fn the_terminal_gets_every_number_and_definition() {
    let text = table::table(&page(), Lang::En);
    for wanted in ["100000", "99.99 %", "33.33 %*", "Total", "on time (on_time version 3)", "Data as of"] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
}
