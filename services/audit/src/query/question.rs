//! What somebody asks a list for: the parameters of a query, checked, as plain values.

use hotline_core::anomaly::AnomalyCode;
use hotline_core::findings::{JUDGED_DEPARTMENT, OTHER_AUTHOR};
use hotline_postgres::closures::{Filter, Term};
use jiff::civil::Date;
use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::List;
use crate::error::Fault;

/// As the schemas bound a code; a category is up to four of them.
const CODE_BYTES_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 4 * CODE_BYTES_MAX + 3;

/// The parameters by which lists are asked; None: it does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// A department's code; `-`: nobody.
    pub department: Option<SmolStr>,
    pub hotline: Option<SmolStr>,
    pub case_type: Option<SmolStr>,
    /// From broad to narrow, as far as it matters: `housing/heating`.
    pub category: Option<SmolStr>,
    /// A region, or the beginning of two, four or six digits of some.
    pub region: Option<SmolStr>,
    pub class: Option<SmolStr>,
    pub verdict: Option<SmolStr>,
    /// A policy's id.
    pub rule: Option<SmolStr>,
    pub anomaly: Option<SmolStr>,
    /// Of a finding: an anomaly of its fact, `other_author`, `judged_department`.
    pub mark: Option<SmolStr>,
    /// Restatements of what a bulletin had published only.
    pub published: bool,
    /// From this day on, in the rulebook's zone.
    pub from: Option<Date>,
    /// … to before this one.
    pub to: Option<Date>,
}

/// The parameters that each list takes, besides `from` and `to`.
fn accepted_by(list: List) -> &'static [&'static str] {
    match list {
        List::Closures => &[
            "department",
            "hotline",
            "case_type",
            "category",
            "region",
            "class",
            "verdict",
            "rule",
            "anomaly",
        ],
        List::Restatements => &["department", "hotline", "case_type", "published"],
        List::RuleChanges => &[],
        List::Exclusions
        | List::Rulings
        | List::Extensions
        | List::Holds
        | List::LateEntries
        | List::DefaultRatings
        | List::Corrections => &["department", "hotline", "case_type", "mark"],
    }
}

impl Question {
    /// The parameters that a list takes, besides `from` and `to`.
    pub(crate) fn accepted(list: List) -> &'static [&'static str] {
        accepted_by(list)
    }

    /// Reads the parameters that a list takes; any other is a fault, as is one that comes twice.
    pub fn parse<'p>(
        list: List,
        parameters: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<Self, Fault> {
        let mut question = Self::default();
        let mut seen = Vec::new();
        for (name, value) in parameters {
            let dates = ["from", "to"];
            let Some(name) = accepted_by(list).iter().chain(&dates).find(|known| **known == name) else {
                return Err(Fault::Parameter(name.chars().take(CODE_BYTES_MAX).collect()));
            };
            if seen.contains(name) {
                return Err(Fault::Value { name });
            }
            seen.push(*name);
            question.set(name, value)?;
        }
        Ok(question)
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), Fault> {
        let wrong = || Fault::Value { name };
        let day = || value.parse::<Date>().map(Some).map_err(|_| wrong());
        let bytes_max = if name == "category" { PATH_BYTES_MAX } else { CODE_BYTES_MAX };
        if value.is_empty() || value.len() > bytes_max || value.chars().any(char::is_control) {
            return Err(wrong());
        }
        let is_known = match name {
            "verdict" => ["met", "late", "void", "left_late", "none_stopped"].contains(&value),
            "anomaly" => is_anomaly(value),
            "mark" => is_anomaly(value) || [OTHER_AUTHOR, JUDGED_DEPARTMENT].contains(&value),
            _ => true,
        };
        if !is_known {
            return Err(wrong());
        }
        let place = match name {
            "from" => return day().map(|day| self.from = day),
            "to" => return day().map(|day| self.to = day),
            "published" => {
                self.published = value.parse().map_err(|_| wrong())?;
                return Ok(());
            }
            "department" => &mut self.department,
            "hotline" => &mut self.hotline,
            "case_type" => &mut self.case_type,
            "category" => &mut self.category,
            "region" => &mut self.region,
            "class" => &mut self.class,
            "verdict" => &mut self.verdict,
            "rule" => &mut self.rule,
            "anomaly" => &mut self.anomaly,
            "mark" => &mut self.mark,
            _ => unreachable!("only what is accepted comes here"),
        };
        *place = Some(value.into());
        Ok(())
    }

    /// What it asks for, as it is kept with an access.
    pub fn to_json(&self) -> Value {
        let texts = [
            ("department", &self.department),
            ("hotline", &self.hotline),
            ("case_type", &self.case_type),
            ("category", &self.category),
            ("region", &self.region),
            ("class", &self.class),
            ("verdict", &self.verdict),
            ("rule", &self.rule),
            ("anomaly", &self.anomaly),
            ("mark", &self.mark),
        ];
        let mut members = Map::new();
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)));
        members.extend(texts.map(|(name, text)| (name.to_owned(), text.into())));
        let days = [("from", self.from), ("to", self.to)];
        let days = days.into_iter().filter_map(|(name, day)| Some((name, day?)));
        members.extend(days.map(|(name, day)| (name.to_owned(), day.to_string().into())));
        if self.published {
            members.insert("published".to_owned(), true.into());
        }
        Value::Object(members)
    }

    /// The filter of closed cases.
    pub fn closures(&self) -> Filter {
        let parts = [
            (Term::Department, &self.department),
            (Term::Hotline, &self.hotline),
            (Term::CaseType, &self.case_type),
            (Term::Category, &self.category),
            (Term::Region, &self.region),
            (Term::Class, &self.class),
            (Term::Verdict, &self.verdict),
            (Term::Rule, &self.rule),
            (Term::Anomaly, &self.anomaly),
        ];
        let filter = Filter { from: self.from, to: self.to, ..Filter::default() };
        let asked = parts.into_iter().filter_map(|(term, value)| Some((term, value.as_deref()?)));
        asked.fold(filter, |filter, (term, value)| filter.with(term, value))
    }
}

fn is_anomaly(code: &str) -> bool {
    AnomalyCode::ALL.iter().any(|known| known.code() == code)
}
