//! A bulletin as JSON: what is printed, and beside it the figures and the stamp from which it is made again.

use std::collections::BTreeMap;

use hotline_core::bulletin::{Figure, Figures, Place, Sort, Span, Sums};
use hotline_events::Lang;
use hotline_postgres::bulletins::{FormStamp, Stamp};
use serde_json::{Map, Value, json};

use super::Page;
use crate::form::Text;
use crate::form::sheet::{Line, LineSort};
use crate::row::number;

/// `{"bulletin", "title", "period", "columns", "lines", "notes", "definitions", "lists", "figures", "stamp"}`.
pub fn json(page: &Page, lang: Lang) -> Value {
    let sheet = &page.sheet;
    let columns = sheet.columns.iter().map(|column| {
        json!({ "over": column.over.as_ref().map(|over| over.to(lang)), "heading": column.heading.to(lang) })
    });
    let published = page.published.as_ref().map(|notice| {
        let at = notice.at.to_string();
        json!({ "id": notice.id, "published_at": at, "operator": notice.operator, "why": notice.why })
    });
    let lists = page.lists.iter().map(|list| {
        let headings: Vec<&str> = list.headings.iter().map(|heading| heading.to(lang)).collect();
        (list.name.to_owned(), json!({ "headings": headings, "rows": list.rows }))
    });
    let texts = |texts: &[Text]| texts.iter().map(|text| json!(text.to(lang))).collect::<Value>();
    json!({
        "bulletin": published,
        "title": sheet.title.to(lang),
        "period": sheet.period.told(lang),
        "columns": columns.collect::<Value>(),
        "lines": sheet.lines.iter().map(|one| line(one, lang)).collect::<Value>(),
        "notes": texts(&sheet.notes),
        "definitions": texts(&sheet.definitions),
        "lists": lists.collect::<Map<_, _>>(),
        "figures": figures(&page.figures),
        "stamp": stamp(&page.stamp),
        "refold_pending": page.refold_pending,
    })
}

fn line(line: &Line, lang: Lang) -> Value {
    let sort = match line.sort {
        LineSort::Department => "department",
        LineSort::Subtotal => "subtotal",
        LineSort::Total => "total",
    };
    let cells = line.cells.iter().map(|cell| {
        let mut shown = json!({ "text": cell.content.told(lang), "small": cell.is_small });
        if let Some(sums) = cell.sums {
            shown["numerator"] = number(sums.numerator, sums.scale);
            shown["denominator"] = number(sums.denominator, sums.scale);
        }
        shown
    });
    json!({
        "sort": sort,
        "group": line.group.to(lang),
        "department": line.department.as_str(),
        "name": line.name.to(lang),
        "cells": cells.collect::<Value>(),
    })
}

/// `[{"span", "sort", "id", "department", "version", "numerator", "denominator", "scale", "value", "group", "rank"}]`.
fn figures(figures: &Figures) -> Value {
    let figure = |(place, figure): (&Place, &Figure)| {
        json!({
            "span": place.span.name(),
            "sort": place.sort.name(),
            "id": place.id.as_str(),
            "department": place.department.as_str(),
            "version": figure.version,
            "numerator": figure.sums.map(|sums| sums.numerator),
            "denominator": figure.sums.map(|sums| sums.denominator),
            "scale": figure.sums.map(|sums| sums.scale),
            "value": figure.value,
            "group": figure.group.as_deref(),
            "rank": figure.rank,
        })
    };
    figures.iter().map(figure).collect()
}

/// The whole stamp, the form as it was written included.
pub fn stamp(stamp: &Stamp) -> Value {
    let spans = stamp.spans.iter().map(|(span, (from, to))| {
        (span.name().to_owned(), json!({ "from": from.to_string(), "to": to.to_string() }))
    });
    let definitions = stamp.definitions.iter().map(|(id, version)| (id.to_string(), json!(version)));
    json!({
        "form": {
            "id": stamp.form.id.as_str(),
            "version": stamp.form.version,
            "sha256": stamp.form.hash,
            "text": stamp.form.text,
        },
        "period": stamp.period,
        "spans": spans.collect::<Map<_, _>>(),
        "rulebook": stamp.rulebook_hash.as_str(),
        "rulebook_seq": stamp.rulebook_seq,
        "fold_version": stamp.fold_version,
        "definitions": definitions.collect::<Map<_, _>>(),
        "positions": stamp.positions,
        "ledger_below": stamp.ledger_below,
        "as_of": stamp.as_of.to_string(),
    })
}

/// The stamp and the figures of what [`json`] wrote; None where something of it is missing.
pub fn read(value: &Value) -> Option<(Stamp, Figures)> {
    let stamp = &value["stamp"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let count = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let span = |(name, days): (&String, &Value)| {
        let day = |name: &str| days[name].as_str()?.parse().ok();
        Some((Span::parse(name)?, (day("from")?, day("to")?)))
    };
    let definition = |(id, version): (&String, &Value)| Some((id.as_str().into(), count(version)?));
    let position = |(origin, next): (&String, &Value)| Some((origin.clone(), next.as_i64()?));
    let form = &stamp["form"];
    let read = Stamp {
        form: FormStamp {
            id: form["id"].as_str()?.into(),
            version: count(&form["version"])?,
            hash: text(&form["sha256"])?,
            text: text(&form["text"])?,
        },
        period: text(&stamp["period"])?,
        spans: stamp["spans"].as_object()?.iter().map(span).collect::<Option<_>>()?,
        rulebook_seq: stamp["rulebook_seq"].as_i64()?,
        rulebook_hash: stamp["rulebook"].as_str()?.into(),
        fold_version: count(&stamp["fold_version"])?,
        definitions: stamp["definitions"].as_object()?.iter().map(definition).collect::<Option<_>>()?,
        positions: stamp["positions"]
            .as_object()?
            .iter()
            .map(position)
            .collect::<Option<BTreeMap<_, _>>>()?,
        ledger_below: stamp["ledger_below"].as_i64(),
        as_of: stamp["as_of"].as_str()?.parse().ok()?,
    };
    let figure = |value: &Value| {
        let place = Place {
            span: Span::parse(value["span"].as_str()?)?,
            sort: Sort::parse(value["sort"].as_str()?)?,
            id: value["id"].as_str()?.into(),
            department: value["department"].as_str()?.into(),
        };
        let sum = |name: &str| value[name].as_i64();
        let sums = sum("numerator").zip(sum("denominator")).zip(sum("scale"));
        let figure = Figure {
            version: count(&value["version"])?,
            sums: sums.map(|((numerator, denominator), scale)| Sums { numerator, denominator, scale }),
            value: value["value"].as_f64(),
            group: value["group"].as_str().map(Into::into),
            rank: count(&value["rank"]),
        };
        Some((place, figure))
    };
    Some((read, value["figures"].as_array()?.iter().map(figure).collect::<Option<_>>()?))
}
