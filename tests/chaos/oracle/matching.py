"""Which policy a clock runs under (DESIGN 8)."""
from __future__ import annotations

from admit import Fact
from case import Attributes, Case
from rulebook import Policy, Rulebook

# The code that `type:code` compares, by type.
CODES = {
    "received": "case_type", "linked": "kind", "dispatched": "reason", "refused": "ground", "return_requested": "reason",
    "return_refused": "reason", "returned": "reason", "held": "reason", "released": "reason", "verified": "result",
    "notified": "of", "submitted": "outcome", "closed": "outcome", "merged": "reason", "reopened": "reason",
    "urged": "by", "supervised": "kind", "supervision_answered": "kind", "milestone": "name",
}
FLAGS = {"supplemented": "new_facts", "signed": "automatic", "contacted": "reached", "replied": "preliminary"}


def is_fact(fact: Fact, wanted: str) -> bool:
    """Whether a fact is of this type, or `type:code`."""
    kind, _, code = wanted.partition(":")
    if fact.kind != kind:
        return False
    if not code:
        return True
    if kind in FLAGS:
        return code == FLAGS[kind] and bool(fact.data.get(code))
    return fact.data.get(CODES.get(kind, "")) == code


def _one_of(value: object, wanted: object) -> bool:
    return value in wanted if isinstance(wanted, list) else value == wanted


def matches(match: dict, attributes: Attributes, class_: str, round_number: int) -> bool:
    for key, wanted in match.items():
        if key == "category":
            path = [wanted] if isinstance(wanted, str) else wanted
            fits = list(attributes.category[:len(path)]) == path
        elif key == "region":
            prefixes = [wanted] if isinstance(wanted, str) else wanted
            fits = any(attributes.region.startswith(prefix) for prefix in prefixes)
        elif key == "tags":
            fits = any(_one_of(tag, wanted) for tag in attributes.tags)
        elif key == "class":
            fits = _one_of(class_, wanted)
        elif key == "round":
            fits = _one_of(round_number, wanted)
        else:
            fits = _one_of(getattr(attributes, key), wanted)
        if not fits:
            return False
    return True


class Choice:
    """The policies of one stage and tier."""

    def __init__(self, rulebook: Rulebook, stage: str, tier: str) -> None:
        self.zone = rulebook.zone
        self.calendars = rulebook.calendars
        self.policies = sorted((policy for policy in rulebook.policies if (policy.stage, policy.tier) == (stage, tier)),
                               key=Policy.weight, reverse=True)
        self.starts = {policy.start for policy in self.policies}

    def best(self, case: Case, attributes: Attributes, round_number: int, start_at: int) -> Policy | None:
        for policy in self.policies:
            if not matches(policy.match, attributes, case.class_, round_number):
                continue
            chosen_at = case.received.counted if policy.select_by == "received" else start_at
            day = self.calendars[policy.calendar].zone.day(chosen_at)
            if policy.effective_from is not None and day < policy.effective_from:
                continue
            if policy.effective_until is not None and day >= policy.effective_until:
                continue
            return policy
        return None
