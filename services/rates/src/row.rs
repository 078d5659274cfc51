//! Rows of rates and scores as JSON: what `replay`, `bulletin` and `GET /v1/rates` give.

use hotline_core::fact::Code;
use hotline_core::rank::Standing;
use hotline_core::rate::{Answer, Row};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

/// A sum in whole numbers, or as a decimal where a rate has weights.
pub fn number(value: i64, scale: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "counts of cases are far below 2^53")]
    if scale == 1 { json!(value) } else { json!(value as f64 / scale as f64) }
}

/// The rows of the rates, then those of the scores.
pub fn answer(answer: &Answer, from: Date, to: Date) -> Value {
    let rates = answer.rows.iter().map(|row| json(row, from, to));
    rates.chain(answer.standings.iter().map(|standing| standing_json(standing, from, to))).collect()
}

fn by(department: &Code, hotline: Option<&Code>, case_type: Option<&Code>) -> Map<String, Value> {
    let dimensions = [("department", Some(department)), ("hotline", hotline), ("case_type", case_type)];
    dimensions.into_iter().filter_map(|(name, code)| Some((name.to_owned(), json!(code?.as_str())))).collect()
}

/// `{"rate","from","to","by":{…},"numerator","denominator","value","group","rank"}`.
pub fn json(row: &Row, from: Date, to: Date) -> Value {
    let by = by(&row.department, row.hotline.as_ref(), row.case_type.as_ref());
    json!({
        "rate": row.rate.as_str(),
        "from": from.to_string(),
        "to": to.to_string(),
        "by": by,
        "numerator": number(row.numerator, row.scale),
        "denominator": number(row.denominator, row.scale),
        "value": row.value(),
        "group": row.group.as_deref(),
        "rank": row.rank,
    })
}

/// `{"score","from","to","by":{…},"group","points","rank","terms":[{"rate","weight","value","counted"}]}`.
fn standing_json(standing: &Standing, from: Date, to: Date) -> Value {
    let terms = standing.parts.iter().map(|part| {
        json!({
            "rate": part.rate.as_str(),
            "weight": part.weight,
            "value": part.value,
            "counted": part.counted,
        })
    });
    json!({
        "score": standing.score.as_str(),
        "from": from.to_string(),
        "to": to.to_string(),
        "by": by(&standing.department, standing.hotline.as_ref(), standing.case_type.as_ref()),
        "group": standing.group.as_deref(),
        "points": standing.points,
        "rank": standing.rank,
        "terms": terms.collect::<Value>(),
    })
}
