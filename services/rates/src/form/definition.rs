//! How each figure of a form is defined, in words (统计口径): put together from the rulebook's rates and scores, so that it
//! cannot say anything else than what is counted.

use hotline_core::fact::Code;
use hotline_core::rulebook::{Basis, Composite, Rate, Rulebook, Term, Where};

use super::{Form, Of, Text};

/// Each definition once, in the order of the columns.
pub(super) fn texts(form: &Form, rulebook: &Rulebook) -> Vec<Text> {
    let mut told: Vec<&Of> = Vec::new();
    for column in &form.columns {
        if !told.contains(&&column.of) {
            told.push(&column.of);
        }
    }
    told.into_iter().filter_map(|of| text(of, rulebook)).collect()
}

fn text(of: &Of, rulebook: &Rulebook) -> Option<Text> {
    match of {
        Of::Rate(id) => rulebook.rates.get(id).map(rate_text),
        Of::Score(id) => rulebook.scores.get(id).map(score_text),
        Of::Reported(measure) => Some(Text::of(
            format!("{measure}：来源平台上报数，本系统不作核算"),
            format!("{measure}: as reported by its source, not computed here"),
        )),
    }
}

fn score_text(score: &Composite) -> Text {
    let terms = score.terms.iter().map(|term| match term.floor {
        0 => format!("{} × {}", term.rate, term.weight),
        floor => format!("{} × {} (≥ {floor} %)", term.rate, term.weight),
    });
    let terms = terms.collect::<Vec<_>>().join(" + ");
    let (id, version) = (&score.id, score.version);
    Text::of(
        format!("{}（{id} 第{version}版）：{terms}，按权重折算为百分制", score.name_zh),
        format!("{} ({id} version {version}): {terms}, weighted to 100", score.name_en),
    )
}

fn rate_text(rate: &Rate) -> Text {
    let terms = |terms: &[Term]| {
        let term = |term: &Term| match term.weight {
            (1, 1) => term.measure.to_string(),
            (weight, 1) => format!("{weight} × {}", term.measure),
            (weight, by) => format!("{weight}/{by} × {}", term.measure),
        };
        terms.iter().map(term).collect::<Vec<_>>().join(" + ")
    };
    let (numerator, denominator) = (terms(&rate.numerator), terms(&rate.denominator));
    let (day_zh, day_en) = match rate.basis {
        Basis::Received => ("受理日", "day of receipt"),
        Basis::Dispatched => ("派单日", "day of dispatch"),
        Basis::Closed => ("办结日", "day of closing"),
        Basis::Rated => ("评价日", "day of the rating"),
        Basis::Due => ("到期日", "day on which it was due"),
        Basis::Event => ("发生日", "day of the event"),
    };
    let filter = filter_text(&rate.filter);
    let filter = |open: &str, close: &str| match filter.as_str() {
        "" => String::new(),
        filter => format!("{open}{filter}{close}"),
    };
    Text::of(
        format!(
            "{}（{} 第{}版）：按{day_zh}统计{}；分子 {numerator}；分母 {denominator}",
            rate.name_zh,
            rate.id,
            rate.version,
            filter("（", "）")
        ),
        format!(
            "{} ({} version {}): by the {day_en}{}; numerator {numerator}; denominator {denominator}",
            rate.name_en,
            rate.id,
            rate.version,
            filter(" (", ")")
        ),
    )
}

fn filter_text(filter: &Where) -> String {
    let parts = [
        ("hotline = ", &filter.hotline),
        ("case_type = ", &filter.case_type),
        ("case_type ≠ ", &filter.case_type_not),
        ("class = ", &filter.class),
        ("class ≠ ", &filter.class_not),
    ];
    let listed = |codes: &[Code]| codes.iter().map(Code::as_str).collect::<Vec<_>>().join(", ");
    let lists = parts.iter().filter(|(_, codes)| !codes.is_empty());
    lists.map(|(what, codes)| format!("{what}{}", listed(codes))).collect::<Vec<_>>().join("; ")
}
