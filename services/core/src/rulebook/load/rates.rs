//! `rates/*.toml`: named ratios of sums of tallies, and scores made of them.

use std::collections::BTreeMap;

use super::each_toml;
use crate::fact::{Code, Role};
use crate::rulebook::fault::Section;
use crate::rulebook::measure;
use crate::rulebook::raw::{Reading, Table, code, integer, text, weight, word};
use crate::rulebook::{Basis, Best, Composite, Rate, Term, Weighted, Where};

pub(super) fn read(reading: &Reading<'_>) -> (BTreeMap<Code, Rate>, BTreeMap<Code, Composite>) {
    let (mut rates, mut scores) = (BTreeMap::new(), BTreeMap::new());
    each_toml(reading, "rates/", &[Section::Rate, Section::Score], |mut root| {
        for entry in root.entries("rate") {
            if let Some(rate) = reading.kept(Section::Rate, read_rate(reading, entry)) {
                rates.entry(rate.id.clone()).or_insert(rate);
            }
        }
        for entry in root.entries("score") {
            if let Some(score) = reading.kept(Section::Score, read_score(reading, entry)) {
                scores.entry(score.id.clone()).or_insert(score);
            }
        }
        root.finish();
    });
    (rates, scores)
}

/// The names in Chinese and English.
fn read_name(entry: &mut Table<'_>) -> (Option<String>, Option<String>) {
    entry.require("name");
    entry.table("name").map_or((None, None), |mut name| {
        let names = (name.required("zh", text), name.required("en", text));
        name.finish();
        names
    })
}

fn read_score(reading: &Reading<'_>, mut entry: Table<'_>) -> Option<Composite> {
    let id = entry.required("id", code);
    if let Some(id) = &id {
        reading.declare(Section::Score, id, "id", entry.place());
    }
    let version = entry.required("version", integer(1, u32::MAX));
    let (name_zh, name_en) = read_name(&mut entry);
    let groups = entry.list("groups", code);
    entry.require("terms");
    let written = entry.tables("terms");
    if entry.has("terms") && written.is_empty() {
        entry.error("terms", "invalid_value", "must weigh at least one rate");
    }
    let terms: Option<Vec<Weighted>> = written.into_iter().map(read_weighted).collect();
    let rank_from = entry.optional("rank_from", integer(0, u32::MAX)).unwrap_or_default();
    entry.finish();
    Some(Composite {
        id: id?,
        version: version?,
        name_zh: name_zh?,
        name_en: name_en?,
        groups,
        terms: terms?,
        rank_from,
    })
}

fn read_weighted(mut table: Table<'_>) -> Option<Weighted> {
    let rate = table.required("rate", code);
    let weight = table.required("weight", integer(1, 1_000));
    let floor = table.optional("floor", integer(0, 100)).unwrap_or_default();
    table.finish();
    Some(Weighted { rate: rate?, weight: weight?, floor })
}

fn read_rate(reading: &Reading<'_>, mut entry: Table<'_>) -> Option<Rate> {
    let id = entry.required("id", code);
    if let Some(id) = &id {
        reading.declare(Section::Rate, id, "id", entry.place());
    }
    let version = entry.required("version", integer(1, u32::MAX));
    let (name_zh, name_en) = read_name(&mut entry);
    let basis = entry.required("basis", word(&Basis::ALL.map(|basis| (basis.name(), basis))));
    let filter = entry.table("where").map(read_where).unwrap_or_default();
    let numerator = read_terms(&mut entry, "numerator");
    let denominator = read_terms(&mut entry, "denominator");
    let rank_from = entry.optional("rank_from", integer(0, u32::MAX));
    let best = entry
        .optional("best", word(&[("highest", Best::Highest), ("lowest", Best::Lowest)]))
        .unwrap_or_default();
    entry.finish();
    Some(Rate {
        id: id?,
        version: version?,
        name_zh: name_zh?,
        name_en: name_en?,
        basis: basis?,
        filter,
        numerator: numerator?,
        denominator: denominator?,
        rank_from,
        best,
    })
}

fn read_where(mut table: Table<'_>) -> Where {
    let roles = [Role::Lead, Role::Co, Role::Sub].map(|role| (role.name(), role));
    let filter = Where {
        hotline: table.list("hotline", code),
        case_type: table.list("case_type", code),
        case_type_not: table.list("case_type_not", code),
        class: table.list("class", code),
        class_not: table.list("class_not", code),
        role: table.optional("role", word(&roles)).unwrap_or_default(),
    };
    table.finish();
    filter
}

/// The terms of a sum: measures, or tables of a measure and its weight.
fn read_terms(entry: &mut Table<'_>, name: &'static str) -> Option<Vec<Term>> {
    if !entry.require(name) {
        return None;
    }
    let elements = entry.mixed(name);
    if elements.is_empty() {
        entry.error(name, "invalid_value", "must name at least one measure");
        return None;
    }
    let mut terms = Vec::new();
    for (name, element) in elements {
        let (path, measure, weight) = match element {
            Err(value) => (name.clone(), entry.element(&name, text(value)), Some((1, 1))),
            Ok(mut table) => {
                let measure = table.required("measure", text);
                let one = (!table.has("weight")).then_some((1, 1));
                let weight = table.optional("weight", weight).or(one);
                table.finish();
                (format!("{name}.measure"), measure, weight)
            }
        };
        let Some(measure) = measure else { continue };
        match measure::parse(&measure) {
            Ok(measure) => {
                terms.extend(weight.map(|weight| Term { measure: measure.name, weight }));
            }
            Err(message) => entry.error(&path, "unknown_measure", message),
        }
    }
    // A rate without its bad terms still says which other entries it needs.
    Some(terms)
}
