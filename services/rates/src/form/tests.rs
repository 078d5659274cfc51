//! Layout: subtotals, changes, ranks, small samples, and how a form is refused.

use hotline_core::bulletin::{Figure, Figures, Place, Sort, Span, Sums};
use hotline_core::rulebook::{Files, Rulebook, load};
use hotline_events::Lang;

use super::period::Period;
use super::sheet::{LineSort, lay};
use super::{Form, forms};

const FORM: &str = r#"
id = "f"
version = 1
title = { zh = "通报", en = "Bulletin" }
groups = ["city", "county"]
subtotals = true
order_by = "value"
[over]
close = { zh = "办结", en = "Closure" }
[[column]]
heading = { zh = "应办结", en = "due" }
over = "close"
rate = "on_time"
show = "denominator"
[[column]]
heading = { zh = "未按时", en = "not" }
over = "close"
rate = "on_time"
show = "rest"
[[column]]
id = "value"
heading = { zh = "率", en = "rate" }
over = "close"
rate = "on_time"
[[column]]
heading = { zh = "环比", en = "before" }
rate = "on_time"
change = "before"
[[column]]
heading = { zh = "同比", en = "year" }
rate = "on_time"
show = "denominator"
change = "year_before"
[[column]]
heading = { zh = "名次", en = "rank" }
rate = "on_time"
show = "rank"
[[column]]
heading = { zh = "名次变化", en = "places" }
rate = "on_time"
show = "rank"
change = "before"
[[column]]
heading = { zh = "得分", en = "points" }
score = "overall"
decimals = 1
[[column]]
heading = { zh = "话务", en = "calls" }
reported = "calls"
"#;

fn rulebook() -> Rulebook {
    let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    let files: Files = [
        file("rulebook.toml", "name = \"t\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n"),
        file(
            "calendars/cn.toml",
            "id = \"cn\"\ntimezone = \"Asia/Shanghai\"\nrest_days = [\"sunday\"]\nknown_from = 2026-01-01\nknown_until = 2026-12-25\n",
        ),
        file(
            "hotlines.toml",
            "[[hotline]]\ncode = \"12345\"\nname_zh = \"热\"\nname_en = \"h\"\noffice = \"A\"\n",
        ),
        file(
            "departments.csv",
            "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\n\
             A,甲,,,city,,,\nB,乙,Two,,city,,,\nC,丙,Three,,county,,,\nD,丁,Four,,county,,,\n",
        ),
        file(
            "rates/r.toml",
            "[[rate]]\nid = \"on_time\"\nversion = 3\nname = { zh = \"按时率\", en = \"on time\" }\nbasis = \"due\"\n\
             where = { case_type = [\"complaint\"] }\nnumerator = [\"each.close.met\"]\n\
             denominator = [\"each.close.met\", { measure = \"each.close.late\", weight = \"1/2\" }]\nrank_from = 10\n\
             [[score]]\nid = \"overall\"\nversion = 2\nname = { zh = \"得分\", en = \"points\" }\n\
             terms = [{ rate = \"on_time\", weight = 3, floor = 50 }]\nrank_from = 10\n",
        ),
    ]
    .into();
    match load(&files) {
        Ok(loaded) => loaded.rulebook,
        Err(faults) => panic!("{faults:?}"),
    }
}

fn september() -> Period {
    let form = Form::read("f", FORM).expect("a sound form");
    Period::parse("2026-09", form.begins, &rulebook().periods).expect("a sound period")
}

fn rate(span: Span, department: &str, sums: (i64, i64), rank: Option<u32>) -> (Place, Figure) {
    let place = Place { span, sort: Sort::Rate, id: "on_time".into(), department: department.into() };
    let sums = Some(Sums { numerator: sums.0, denominator: sums.1, scale: 1 });
    (place, Figure { version: 3, sums, value: None, group: None, rank })
}

fn valued(sort: Sort, id: &str, department: &str, value: f64) -> (Place, Figure) {
    let place = Place { span: Span::Period, sort, id: id.into(), department: department.into() };
    (place, Figure { version: 2, sums: None, value: Some(value), group: None, rank: None })
}

/// The lines as text, a cell after a bar.
fn laid(form: &str, figures: &Figures) -> Vec<String> {
    let form = Form::read("f", form).unwrap_or_else(|error| panic!("{error}"));
    let sheet = lay(&form, &rulebook(), september(), figures);
    let line = |line: &super::sheet::Line| {
        let cells: Vec<String> = line.cells.iter().map(|cell| cell.told(Lang::En)).collect();
        format!("{}|{}", line.name.to(Lang::En), cells.join("|"))
    };
    sheet.lines.iter().map(line).collect()
}

#[test]
fn groups_have_subtotals_and_all_have_a_total_of_integers() {
    let figures = [
        rate(Span::Period, "A", (90, 100), Some(2)),
        rate(Span::Period, "B", (19, 20), Some(1)),
        rate(Span::Period, "C", (3, 9), None),
        rate(Span::Period, "-", (0, 1), None),
        rate(Span::Before, "A", (80, 100), Some(1)),
        rate(Span::Before, "B", (0, 40), Some(2)),
        rate(Span::YearBefore, "A", (1, 90), None),
        valued(Sort::Score, "overall", "A", 90.04),
        valued(Sort::Reported, "calls", "A", 12.0),
        valued(Sort::Reported, "calls", "*", 30.0),
    ];
    assert_eq!(
        laid(FORM, &figures.into()),
        [
            "Two|20|1|95.00 %|+95.00|—|1|+1|no data|no data",
            "甲|100|10|90.00 %|+10.00|+10|2|-1|90.0|12",
            "Subtotal|120|11|90.83 %|+33.69|+30||||12",
            "Three|9|6|33.33 %*|—|—|—|—|no data|no data",
            "Subtotal|9|6|33.33 %|—|—||||no data",
            "Nobody|1|1|0.00 %*|—|—|—|—|no data|no data",
            "Total|130|18|86.15 %|+29.01|+40||||42",
        ]
    );
}

#[test]
fn without_data_there_is_no_rate_and_no_line() {
    assert_eq!(laid(FORM, &Figures::new()), ["Total|0|0|no data|—|—||||no data"]);
    let all = FORM.replace("subtotals = true", "all_departments = true\nonly_groups = true");
    let lines = laid(&all, &[rate(Span::Period, "-", (1, 1), None)].into());
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split('|').next()).collect();
    assert_eq!(names, ["甲", "Two", "Three", "Four", "Total"], "those of the groups, in the order of codes");
    assert_eq!(lines.last().map(String::as_str), Some("Total|0|0|no data|—|—||||no data"));
}

#[test]
fn ties_stand_in_the_order_of_codes_and_share_their_rank() {
    let figures = [
        rate(Span::Period, "B", (10, 20), Some(1)),
        rate(Span::Period, "A", (50, 100), Some(1)),
        rate(Span::Before, "D", (5, 5), None),
    ];
    let form = FORM.replace("subtotals = true", "subtotals = false");
    let lines = laid(&form, &figures.into());
    let shown: Vec<&str> = lines.iter().map(|line| &line[..line.find('|').unwrap_or(0)]).collect();
    assert_eq!(shown, ["甲", "Two", "Total"], "who has figures only before has no line");
    assert!(lines[2].starts_with("Total|120|60|50.00 %|-50.00|"), "… and is in the total that is compared");
}

#[test]
fn each_definition_is_told_once_with_its_version() {
    let form = Form::read("f", FORM).expect("a sound form");
    let sheet = lay(&form, &rulebook(), september(), &Figures::new());
    let told: Vec<&str> = sheet.definitions.iter().map(|definition| definition.to(Lang::Zh)).collect();
    assert_eq!(
        told,
        [
            "按时率（on_time 第3版）：按到期日统计（case_type = complaint）；分子 each.close.met；分母 each.close.met + 1/2 × each.close.late",
            "得分（overall 第2版）：on_time × 3 (≥ 50 %)，按权重折算为百分制",
            "calls：来源平台上报数，本系统不作核算",
        ]
    );
    let sort = |sort| sheet.lines.iter().filter(|line| line.sort == sort).count();
    assert_eq!((sort(LineSort::Department), sort(LineSort::Total)), (0, 1));
}

#[test]
fn a_form_is_refused_with_all_that_is_wrong() {
    let refused = |from: &str, to: &str| {
        let text = FORM.replacen(from, to, 1);
        assert_ne!(text, FORM, "{from} is in the form");
        Form::read("f.toml", &text).expect_err("refused").to_string()
    };
    assert!(refused("version = 1", "verson = 1").contains("line 3"));
    assert!(refused("over = \"close\"", "over = \"closing\"").contains("[over] has no \"closing\""));
    assert!(refused("order_by = \"value\"", "order_by = \"rates\"").contains("no column has this id"));
    assert!(refused("score = \"overall\"", "score = \"overall\"\nshow = \"rest\"").contains("value or rank"));
    assert!(refused("reported = \"calls\"", "").contains("takes one of rate, score, reported"));
    assert!(refused("subtotals = true", "month_from = 31").contains("1 to 28"));
    let both = refused("subtotals = true", "month_from = 31\nweek_from = \"friyay\"");
    assert!(both.contains("1 to 28") && both.contains("week_from"));
    let form = Form::read("f", &FORM.replacen("rate = \"on_time\"", "rate = \"on_tame\"", 1)).expect("read");
    let error = form.asked(&rulebook()).expect_err("the rulebook has no such rate");
    assert!(error.to_string().contains("on_tame"), "{error}");
}

/// The files of the shipped rulebook.
pub(crate) fn shipped() -> Files {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rulebook");
    let mut files = Files::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the shipped rulebook") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension != "md") {
                let name = path.strip_prefix(&root).expect("it lies there").to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

#[test]
fn the_shipped_forms_ask_only_for_what_the_shipped_rulebook_has() {
    let rulebook = load(&shipped()).expect("the shipped rulebook has no faults").rulebook;
    let forms = forms(None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        forms.keys().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["12315-monthly", "12345-monthly", "12345-weekly", "petition-monthly"]
    );
    let groups: Vec<_> = rulebook.departments.values().filter_map(|known| known.group.as_ref()).collect();
    for form in forms.values() {
        form.asked(&rulebook).unwrap_or_else(|error| panic!("{error}"));
        for group in &form.groups {
            assert!(groups.contains(&group), "{}: no department is in {group}", form.id);
        }
        for hotline in &form.only.hotline {
            assert!(rulebook.hotlines.contains_key(hotline), "{}: {hotline}", form.id);
        }
    }
}
