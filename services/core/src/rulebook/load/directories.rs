//! Hotlines, departments, routing rules and code lists.

use std::collections::BTreeMap;

use crate::fact::Code;
use crate::rate::ALL;
use crate::rulebook::fault::Section;
use crate::rulebook::raw::{
    Columns, Reading, Row, Table, Wrong, code, code_text, codes_text, date_text, integer_text, text,
};
use crate::rulebook::{Department, Hotline, ListedCode, Route};
use crate::score::NOBODY;

pub(super) fn hotlines(reading: &Reading<'_>) -> BTreeMap<Code, Hotline> {
    let mut hotlines = BTreeMap::new();
    reading.toml("hotlines.toml", &[Section::Hotline], |mut root| {
        for entry in root.entries("hotline") {
            if let Some(hotline) = reading.kept(Section::Hotline, read_hotline(reading, entry)) {
                hotlines.entry(hotline.code.clone()).or_insert(hotline);
            }
        }
        root.finish();
    });
    hotlines
}

fn read_hotline(reading: &Reading<'_>, mut entry: Table<'_>) -> Option<Hotline> {
    let id = entry.required("code", code);
    if let Some(id) = &id {
        reading.declare(Section::Hotline, id, "code", entry.place());
    }
    let name_zh = entry.required("name_zh", text);
    let name_en = entry.required("name_en", text);
    let office = entry.required("office", code);
    let labels = entry.table("labels").map_or_else(BTreeMap::new, |labels| {
        let names = labels.names().into_iter();
        names.filter_map(|name| Some((name.to_owned(), labels.named(name, text)?))).collect()
    });
    entry.finish();
    Some(Hotline { code: id?, name_zh: name_zh?, name_en: name_en?, office: office?, labels })
}

pub(super) fn departments(reading: &Reading<'_>) -> BTreeMap<Code, Department> {
    let columns = Columns {
        required: &["code", "name_zh"],
        optional: &["name_en", "parent", "group", "valid_from", "valid_until", "successor"],
        open: false,
    };
    let mut departments = BTreeMap::new();
    reading.csv("departments.csv", Section::Department, &columns, |row| {
        if let Some(department) = reading.kept(Section::Department, read_department(reading, row)) {
            departments.entry(department.code.clone()).or_insert(department);
        }
    });
    departments
}

fn read_department(reading: &Reading<'_>, row: &Row<'_>) -> Option<Department> {
    let id = row.required("code", code_text);
    if let Some(id) = &id {
        reading.declare(Section::Department, id, "code", row.place());
        if id == ALL || id == NOBODY {
            row.error("code", "reserved_id", "is what tables call all departments, or none");
        }
    }
    let name_zh = row.required("name_zh", plain);
    let department = Department {
        code: id?,
        name_en: row.optional("name_en", plain).or_else(|| name_zh.clone())?,
        name_zh: name_zh?,
        parent: row.optional("parent", code_text),
        group: row.optional("group", code_text),
        valid_from: row.optional("valid_from", date_text),
        valid_until: row.optional("valid_until", date_text),
        successor: row.optional("successor", code_text),
    };
    dates_in_order(row, department.valid_from, department.valid_until);
    Some(department)
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where readers that can fail stand")]
fn plain(text: &str) -> Result<String, Wrong> {
    Ok(text.to_owned())
}

fn dates_in_order(row: &Row<'_>, from: Option<jiff::civil::Date>, until: Option<jiff::civil::Date>) {
    if matches!((from, until), (Some(from), Some(until)) if until <= from) {
        row.error("valid_until", "empty_range", "must be after valid_from: the end is exclusive");
    }
}

pub(super) fn routes(reading: &Reading<'_>) -> Vec<Route> {
    let columns = Columns {
        required: &["rule", "hotline", "department"],
        optional: &["case_type", "category", "region", "keywords", "priority", "valid_from", "valid_until"],
        open: false,
    };
    let mut routes = Vec::new();
    for path in reading.folder("routing/", ".csv") {
        reading.csv(path, Section::Route, &columns, |row| {
            routes.extend(reading.kept(Section::Route, read_route(reading, row)));
        });
    }
    routes
}

fn read_route(reading: &Reading<'_>, row: &Row<'_>) -> Option<Route> {
    let rule = row.required("rule", code_text);
    if let Some(rule) = &rule {
        reading.declare(Section::Route, rule, "rule", row.place());
    }
    let hotline = row.required("hotline", code_text);
    let department = row.required("department", code_text);
    let route = Route {
        rule: rule?,
        hotline: hotline?,
        case_type: row.optional("case_type", code_text),
        category: row.optional("category", codes_text('/')).unwrap_or_default(),
        region: row.optional("region", code_text),
        keywords: row.optional("keywords", keywords).unwrap_or_default(),
        department: department?,
        priority: row.optional("priority", integer_text).unwrap_or_default(),
        valid_from: row.optional("valid_from", date_text),
        valid_until: row.optional("valid_until", date_text),
    };
    dates_in_order(row, route.valid_from, route.valid_until);
    Some(route)
}

/// Keywords are joined as people join them: by any of `|`, `/`, `;`, `、`, `；`.
fn keywords(cell: &str) -> Result<Vec<Code>, Wrong> {
    codes_text('|')(&cell.replace(['/', ';', '、', '；'], "|"))
}

pub(super) fn codes(reading: &Reading<'_>) -> BTreeMap<Code, Vec<ListedCode>> {
    let columns = Columns { required: &["code"], optional: &["name_zh", "name_en"], open: true };
    let mut lists: BTreeMap<Code, Vec<ListedCode>> = BTreeMap::new();
    for path in reading.folder("codes/", ".csv") {
        let Some(name) = path.strip_prefix("codes/").and_then(|name| name.strip_suffix(".csv")) else {
            continue;
        };
        reading.csv(path, Section::Code, &columns, |row| {
            if let Some(code) = reading.kept(Section::Code, row.required("code", code_text)) {
                reading.declare(Section::Code, &format!("{name}/{code}"), "code", row.place());
                let (zh, en) = (row.optional("name_zh", plain), row.optional("name_en", plain));
                lists.entry(name.into()).or_default().push(ListedCode {
                    code,
                    name_zh: zh.clone().or_else(|| en.clone()).unwrap_or_default(),
                    name_en: en.or(zh).unwrap_or_default(),
                });
            }
        });
    }
    lists
}
