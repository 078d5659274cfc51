"""Our own dispatch decision (DESIGN 7 and 8): the most specific rule, then priority, then the place in the table."""
from __future__ import annotations

from case import Attributes
from rulebook import RoutingRule, Rulebook


def _fits(rule: RoutingRule, attributes: Attributes, day: int) -> bool:
    if rule.hotline and rule.hotline != attributes.hotline:
        return False
    if rule.case_type and rule.case_type != attributes.case_type:
        return False
    if rule.category and list(attributes.category[:len(rule.category)]) != rule.category:
        return False
    if rule.region and not attributes.region.startswith(rule.region):
        return False
    if rule.keywords and not set(rule.keywords) & {*attributes.tags, *attributes.category}:
        return False
    return ((rule.valid_from is None or rule.valid_from <= day)
            and (rule.valid_until is None or day < rule.valid_until))


def route(rulebook: Rulebook, attributes: Attributes, at: int, tried: set[str]) -> RoutingRule | None:
    """The rule that decides, given what is known of the case and the departments tried in this round."""
    day = rulebook.zone.day(at)
    fits = [rule for rule in rulebook.routing if rule.department not in tried and _fits(rule, attributes, day)]
    return max(fits, key=RoutingRule.weight) if fits else None
