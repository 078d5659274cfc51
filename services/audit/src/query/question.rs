//! What somebody asks a list for: the parameters of a query, checked, as plain values.
//!
//! What an export was asked by stands for ever in a sealed record, so a parameter takes codes and days, never a text of one's own:
//! a code is one of the rulebook's, or has the form of one. Of the seed of a sample, which is none, the record has a hash.

use hotline_core::anomaly::AnomalyCode;
use hotline_core::findings::{JUDGED_DEPARTMENT, OTHER_AUTHOR};
use hotline_core::rulebook::Rulebook;
use hotline_postgres::closures::{Filter, Term};
use jiff::civil::Date;
use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::List;
use crate::error::Fault;

/// As the schemas bound a code; a category is up to four of them.
const CODE_BYTES_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 4 * CODE_BYTES_MAX + 3;
/// So many digits in a row may be somebody's telephone or identity number.
const DIGITS: usize = 7;
const VERDICTS: [&str; 5] = ["met", "late", "void", "left_late", "none_stopped"];

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

    /// Reads the parameters that a list takes; any other is a fault, as is one that comes twice, or a span
    /// that ends before it has begun.
    pub fn parse<'p>(
        list: List,
        parameters: impl IntoIterator<Item = (&'p str, &'p str)>,
        rulebook: &Rulebook,
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
            question.set(name, value, rulebook)?;
        }
        match (question.from, question.to) {
            (Some(from), Some(to)) if to <= from => Err(Fault::Value { name: "to" }),
            _ => Ok(question),
        }
    }

    fn set(&mut self, name: &'static str, value: &str, rulebook: &Rulebook) -> Result<(), Fault> {
        let wrong = || Fault::Value { name };
        // The database ends before jiff does.
        let day = || value.parse::<Date>().ok().filter(|day| day.year() >= 1).map(Some).ok_or_else(wrong);
        let bytes_max = if name == "category" { PATH_BYTES_MAX } else { CODE_BYTES_MAX };
        if value.is_empty() || value.len() > bytes_max || value.chars().any(char::is_control) {
            return Err(wrong());
        }
        let is_day = name == "from" || name == "to";
        match choices(name) {
            Some(of) if !of.contains(&value) => return Err(Fault::Choice { name, of }),
            None if !is_day
                && !is_code(name, value)
                && !is_region(name, value)
                && !is_known(rulebook, name, value) =>
            {
                return Err(Fault::Code { name, digits: DIGITS });
            }
            _ => {}
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

/// All values of a parameter that has its own; None: it takes codes, or days.
fn choices(name: &str) -> Option<Vec<&'static str>> {
    let own: &[&'static str] = match name {
        "verdict" => return Some(VERDICTS.to_vec()),
        "published" => return Some(vec!["true", "false"]),
        "anomaly" => &[],
        "mark" => &[OTHER_AUTHOR, JUDGED_DEPARTMENT],
        _ => return None,
    };
    Some(own.iter().copied().chain(AnomalyCode::ALL.iter().map(|code| code.code())).collect())
}

/// Whether it has the form of a code and of no number of a person's: signs amid digits do not part it, but where a path has parts.
fn is_code(name: &str, value: &str) -> bool {
    let mut digits = 0;
    value.bytes().all(|byte| {
        digits = match byte {
            b'0'..=b'9' => digits + 1,
            b'/' if name == "category" => 0,
            b'_' | b'.' | b':' | b'/' | b'-' => digits,
            _ => 0,
        };
        digits < DIGITS && (byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte))
    })
}

/// Of a province, a city, a county, a township, a village.
fn is_region(name: &str, value: &str) -> bool {
    name == "region"
        && [2, 4, 6, 9, 12].contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the rulebook has it, whatever its signs.
fn is_known(rulebook: &Rulebook, name: &str, value: &str) -> bool {
    match name {
        "department" => rulebook.departments.contains_key(value),
        "hotline" => rulebook.hotlines.contains_key(value),
        "case_type" => {
            rulebook.codes.get("case_type").is_some_and(|own| own.iter().any(|known| known.code == value))
        }
        "class" => rulebook.classes.iter().any(|class| class.id == value),
        "rule" => rulebook.policies.iter().any(|policy| policy.id == value),
        "category" => {
            let parts: Vec<&str> = value.split('/').collect();
            let begins = |known: &[SmolStr]| {
                known.len() >= parts.len()
                    && known.iter().zip(&parts).all(|(one, other)| one.as_str() == *other)
            };
            rulebook.policies.iter().any(|policy| begins(&policy.matches.category))
                || rulebook.routes.iter().any(|route| begins(&route.category))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use hotline_core::rulebook::load;

    use super::*;
    use crate::api::tests::stage::files;

    fn asked(list: List, name: &str, value: &str) -> Result<Question, Fault> {
        let mut files = files();
        let more = "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until\n\
                    heating,12345,,住房/供暖,,,D1,0,,\nfallback,12345,,,,,D2,0,,\n";
        files.insert("routing/all.csv".to_owned(), more.as_bytes().to_vec());
        let rulebook = match load(&files) {
            Ok(loaded) => loaded.rulebook,
            Err(faults) => panic!("{faults:?}"),
        };
        Question::parse(list, [(name, value)], &rulebook)
    }

    #[test]
    fn a_parameter_takes_codes_and_nothing_that_may_be_of_a_person() {
        for (name, value) in [
            ("department", "D1"),
            ("department", "-"),
            ("department", "bureau:housing_2.1"),
            ("hotline", "12345"),
            ("category", "01/0102/010203"),
            ("category", "住房"),
            ("category", "住房/供暖"),
            ("region", "4"),
            ("region", "41"),
            ("region", "411202"),
            ("region", "411202001"),
            ("region", "411202001002"),
            ("rule", "close-2023.1"),
        ] {
            assert!(asked(List::Closures, name, value).is_ok(), "{name} {value}");
        }
        for (name, value) in [
            ("region", "示例13812345678"),
            ("region", "13812345678"),
            ("region", "4112020"),
            ("department", "411202001"),
            ("department", "138-1234-5678"),
            ("region", "138/1234/5678"),
            ("hotline", "138_1234:5678"),
            ("department", "示例单位"),
            ("category", "示例"),
            ("category", "住房/示例"),
            ("category", "住房/供暖/示例"),
            ("rule", "a b"),
            ("class", "１２３"),
        ] {
            let fault = asked(List::Closures, name, value).unwrap_err();
            assert!(
                matches!(fault, Fault::Code { .. }) && !fault.to_string().contains(value),
                "{name} {value}"
            );
        }
    }

    #[test]
    fn a_span_ends_after_it_has_begun() {
        let rulebook = match load(&files()) {
            Ok(loaded) => loaded.rulebook,
            Err(faults) => panic!("{faults:?}"),
        };
        let asked = |from, to| Question::parse(List::Holds, [("from", from), ("to", to)], &rulebook);
        for to in ["2023-09-01", "2023-10-01"] {
            assert_eq!(asked("2023-10-01", to), Err(Fault::Value { name: "to" }), "{to}");
        }
        assert!(asked("2023-10-01", "2023-10-02").is_ok());
    }

    #[test]
    fn a_fault_names_the_values_that_there_are() {
        let told = |list, name, value| asked(list, name, value).unwrap_err().to_string();
        assert_eq!(
            told(List::Closures, "verdict", "good"),
            "verdict is one of met, late, void, left_late, none_stopped"
        );
        assert_eq!(told(List::Restatements, "published", "yes"), "published is one of true, false");
        assert!(told(List::Holds, "mark", "x").contains("judged_department"));
        for day in ["-009999-01-01", "0000-12-31"] {
            assert_eq!(asked(List::Holds, "from", day), Err(Fault::Value { name: "from" }), "{day}");
        }
    }
}
