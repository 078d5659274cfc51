//! Rows of rates as JSON: what `replay`, `bulletin` and `GET /v1/rates` give.

use hotline_core::rate::Row;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

/// A sum in whole numbers, or as a decimal where a rate has weights.
pub fn number(value: i64, scale: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "counts of cases are far below 2^53")]
    if scale == 1 { json!(value) } else { json!(value as f64 / scale as f64) }
}

/// `{"rate","from","to","by":{…},"numerator","denominator","value"}`.
pub fn json(row: &Row, from: Date, to: Date) -> Value {
    let mut by = Map::new();
    by.insert("department".to_owned(), json!(row.department.as_str()));
    if let Some(hotline) = &row.hotline {
        by.insert("hotline".to_owned(), json!(hotline.as_str()));
    }
    if let Some(case_type) = &row.case_type {
        by.insert("case_type".to_owned(), json!(case_type.as_str()));
    }
    json!({
        "rate": row.rate.as_str(),
        "from": from.to_string(),
        "to": to.to_string(),
        "by": by,
        "numerator": number(row.numerator, row.scale),
        "denominator": number(row.denominator, row.scale),
        "value": row.value(),
    })
}
