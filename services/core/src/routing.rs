//! Which department a case goes to.

use jiff::civil::Date;

use crate::fact::Code;
use crate::fold::Attributes;
use crate::rulebook::{Route, Rulebook};

/// What routing decides for one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub rule: Code,
    pub department: Code,
}

/// The rule that decides, among those valid on that day: the most specific, then the highest priority, then the
/// first in order. A department already tried in this round is passed over, the hotline's fallback excepted:
/// it is where a case stays that nobody else takes.
pub fn route(
    rulebook: &Rulebook,
    hotline: &str,
    case: &Attributes,
    on: Date,
    tried: &[Code],
) -> Option<Decision> {
    let in_order = rulebook.index.routes(hotline).iter().map(|place| &rulebook.routes[*place]);
    in_order
        .filter(|route| applies(route, case, on))
        .find(|route| route.is_fallback() || !tried.contains(&route.department))
        .map(|route| Decision { rule: route.rule.clone(), department: route.department.clone() })
}

fn applies(route: &Route, case: &Attributes, on: Date) -> bool {
    route.valid_from.is_none_or(|from| from <= on)
        && route.valid_until.is_none_or(|until| on < until)
        && route.case_type.as_ref().is_none_or(|case_type| *case_type == case.case_type)
        && case.category.starts_with(&route.category)
        && route.region.as_deref().is_none_or(|region| case.region.starts_with(region))
        && (route.keywords.is_empty()
            || route.keywords.iter().any(|word| case.tags.contains(word) || case.category.contains(word)))
}
