//! What a fact says beyond its type, department and code, as far as it decides something: for whoever asks why.

use hotline_core::fact::{Body, Grant, OwnLimit, Unit};
use hotline_core::rulebook::Rulebook;
use jiff::Timestamp;

use crate::words::{self, Count, Lang};

/// A member of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    /// As the schemas call it.
    pub(crate) name: &'static str,
    zh: &'static str,
    en: &'static str,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// A code of the rulebook.
    Code(String),
    /// A department's.
    Department(String),
    /// As it stands: a number, the name of a case, a document, an alarm.
    Text(String),
    Amount(u32, Unit),
    Instant(Timestamp),
    /// Speaks for itself.
    Holds,
}

impl Detail {
    fn new(name: &'static str, (zh, en): (&'static str, &'static str), value: Value) -> Self {
        Self { name, zh, en, value }
    }

    /// For people.
    pub(crate) fn told(
        &self,
        rulebook: &Rulebook,
        lang: Lang,
        local: impl Fn(Timestamp) -> String,
    ) -> String {
        let label = lang.of(self.zh, self.en);
        let value = match &self.value {
            Value::Code(code) => words::code(code, lang).to_owned(),
            Value::Department(code) => {
                let name = rulebook
                    .departments
                    .get(code.as_str())
                    .map(|known| lang.of(&known.name_zh, &known.name_en));
                match name {
                    Some(name) if !name.is_empty() => format!("{code} {name}"),
                    _ => code.clone(),
                }
            }
            Value::Text(text) => text.clone(),
            Value::Amount(count, unit) => Count((*count).into(), *unit, lang).to_string(),
            Value::Instant(at) => local(*at),
            Value::Holds => return label.to_owned(),
        };
        format!("{label} {value}")
    }

    /// For programs.
    pub(crate) fn json(&self, local: impl Fn(Timestamp) -> serde_json::Value) -> serde_json::Value {
        match &self.value {
            Value::Code(text) | Value::Department(text) | Value::Text(text) => text.as_str().into(),
            Value::Amount(count, unit) => format!("{count} {}", unit.name()).into(),
            Value::Instant(at) => local(*at),
            Value::Holds => true.into(),
        }
    }
}

/// What decides, in the order in which it is told.
pub(crate) fn of(body: &Body) -> Vec<Detail> {
    const BY: (&str, &str) = ("由", "by");
    let code = |name, label, code: &str| Detail::new(name, label, Value::Code(code.to_owned()));
    let text = |name, label, text: &str| Detail::new(name, label, Value::Text(text.to_owned()));
    let department = |name, label, of: &str| Detail::new(name, label, Value::Department(of.to_owned()));
    let by = |by: &Option<_>| by.as_ref().map(|by: &smol_str::SmolStr| department("by", BY, by));
    match body {
        Body::Linked { case, .. } => vec![text("case", ("关联", "case"), case)],
        Body::Merged { into, .. } => vec![text("into", ("并入", "into"), into)],
        Body::Split { into } => into.iter().map(|case| text("into", ("拆出", "into"), case)).collect(),
        Body::Dispatched(dispatched) => {
            let rule = dispatched.pin.as_ref().map(|pin| text("rule", ("按规则", "by rule"), &pin.rule));
            rule.into_iter().chain(own_limit(dispatched.own_limit)).collect()
        }
        Body::Received(received) => own_limit(received.own_limit).into_iter().collect(),
        Body::Supervised { by: who, own_limit: own, .. } => {
            by(who).into_iter().chain(own_limit(*own)).collect()
        }
        Body::ExtensionRequested { grant: asked, by: who, .. }
        | Body::Extended { grant: asked, by: who, .. } => {
            std::iter::once(grant(*asked)).chain(by(who)).collect()
        }
        Body::ExtensionRefused { by: who, .. } | Body::SupervisionAnswered { by: who, .. } => {
            by(who).into_iter().collect()
        }
        Body::Held { stages, until, .. } => {
            let stages = stages.iter().map(|stage| code("stages", ("限", "stage"), stage));
            let until = until.map(|at| Detail::new("until", ("至", "until"), Value::Instant(at)));
            stages.chain(until).collect()
        }
        Body::ReturnRefused { is_final: true, .. } => {
            vec![Detail::new("final", ("不得再退", "finally"), Value::Holds)]
        }
        Body::Closed { by: who, .. } => by(who).into_iter().collect(),
        Body::Rated(rated) => {
            let missed =
                (!rated.reached).then(|| Detail::new("unreached", ("未联系上", "not reached"), Value::Holds));
            let said =
                rated.satisfaction.map(|grade| text("satisfaction", ("满意度", "grade"), &grade.to_string()));
            let solved = rated.solved.map(|solved| code("solved", ("是否解决", "solved"), solved.name()));
            let method = rated.method.as_ref().map(|method| code("method", ("方式", "by"), method));
            let attempt = text("attempt", ("第几次", "attempt"), &rated.attempt.to_string());
            missed.into_iter().chain(said).chain(solved).chain(method).chain([attempt]).collect()
        }
        Body::Acknowledged { alarm } => vec![text("alarm", ("提醒", "alarm"), alarm)],
        Body::Appealed { indicator } => vec![code("indicator", ("指标", "indicator"), indicator)],
        Body::Ruled(ruled) => {
            let indicator = code("indicator", ("指标", "indicator"), &ruled.indicator);
            let reason = code("reason", ("理由", "reason"), &ruled.reason);
            let document = text("document", ("文号", "document"), &ruled.document);
            let round = ruled.round.map(|round| text("round", ("第几轮", "round"), &round.to_string()));
            let of = ruled.department.as_ref().map(|of| department("department", ("部门", "department"), of));
            [indicator, reason, document].into_iter().chain(by(&ruled.by)).chain(round).chain(of).collect()
        }
        Body::Milestone { result: Some(result), .. } => vec![code("result", ("结果", "result"), result)],
        _ => Vec::new(),
    }
}

fn own_limit(own: Option<OwnLimit>) -> Option<Detail> {
    Some(match own? {
        OwnLimit::Limit(count, unit) => Detail::new("limit", ("时限", "limit"), Value::Amount(count, unit)),
        OwnLimit::DueAt(at) => Detail::new("due_at", ("限至", "due"), Value::Instant(at)),
    })
}

fn grant(grant: Grant) -> Detail {
    match grant {
        Grant::Limit(count, unit) => Detail::new("limit", ("时长", "for"), Value::Amount(count, unit)),
        Grant::Until(at) => Detail::new("until", ("至", "until"), Value::Instant(at)),
    }
}
