"""From files of events to rates (DESIGN 9 and 15)."""
from __future__ import annotations

import gc
from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Iterator

import decode
from admit import admit
from case import Case
from clocks import Clocks, clocks
from instants import show_day
from matching import Choice
from rulebook import Rate, Rulebook
from tallies import Contribution, Score
from verdict import classify
from walk import walk


@dataclass
class Folded:
    """A case after all passes."""

    case: Case
    clocks: Clocks
    score: Score


class Fold:
    """The passes, one after the other: admit, walk, clocks, verdict and what stands in the tallies."""

    def __init__(self, rulebook: Rulebook, as_of: int) -> None:
        self.rulebook, self.as_of = rulebook, as_of
        self.choices = [(stage, tier, Choice(rulebook, stage, tier)) for stage, tier in rulebook.stages]

    def __call__(self, case_id: str, events: list[decode.Event]) -> Folded | None:
        facts = admit(self.rulebook, events, self.as_of)
        case = walk(self.rulebook, case_id, facts, self.as_of)
        if case is None:
            return None
        case.class_ = classify(self.rulebook, case)
        run = clocks(self.rulebook, self.choices, case, self.as_of)
        return Folded(case, run, Score(self.rulebook, case, run, self.as_of))


@dataclass(frozen=True)
class Period:
    """FROM inclusive, TO exclusive."""

    begin: int
    end: int


class Asked:
    """One rate over one period, summed by dimensions."""

    def __init__(self, rate: Rate, period: Period, by: list[str]) -> None:
        self.rate, self.period, self.by = rate, period, by
        self.weights: dict[str, tuple[Fraction, Fraction]] = defaultdict(lambda: (Fraction(0), Fraction(0)))
        for side, terms in enumerate((rate.numerator, rate.denominator)):
            for term in terms:
                # Money is kept in fen and shown in yuan.
                shown = term.weight / 100 if "sum.amount_" in term.measure else term.weight
                above, below = self.weights[term.measure]
                self.weights[term.measure] = (above + shown, below) if side == 0 else (above, below + shown)
        self.sums: dict[tuple[str, ...], list[Fraction]] = defaultdict(lambda: [Fraction(0), Fraction(0)])

    def counts(self, dimensions: dict[str, str]) -> bool:
        where = self.rate.where
        if "role" not in where and dimensions["role"] != "lead":
            return False
        for key, wanted in where.items():
            listed = wanted if isinstance(wanted, list) else [wanted]
            if key.endswith("_not"):
                if dimensions[key[:-4]] in listed:
                    return False
            elif dimensions[key] not in listed:
                return False
        return True

    def take(self, name: str, contribution: Contribution, dimensions: dict[str, str]) -> None:
        day = contribution.days.get(self.rate.basis)
        if day is None or not self.period.begin <= day < self.period.end or not self.counts(dimensions):
            return
        above, below = self.weights[name]
        for department in (dimensions["department"], "*"):
            key = tuple(department if dimension == "department" else dimensions[dimension] for dimension in self.by)
            sums = self.sums[key]
            sums[0] += above * contribution.value
            sums[1] += below * contribution.value
            if "department" not in self.by:
                break

    def rows(self) -> Iterator[dict]:
        """Every combination with a denominator above 0, and per combination of the others one of all departments."""
        if self.by == ["department"]:
            _ = self.sums[("*",)]
        for key in sorted(self.sums):
            above, below = self.sums[key]
            by = dict(zip(self.by, key))
            if below <= 0 and by.get("department") != "*":
                continue
            yield {"rate": self.rate.id, "from": show_day(self.period.begin), "to": show_day(self.period.end), "by": by,
                   "numerator": number(above), "denominator": number(below),
                   "value": float(above / below) if below else None}


def number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def compute(rulebook: Rulebook, as_of: int, rate_ids: list[str], by: list[str], periods: list[Period],
            paths: list[str]) -> tuple[list[dict], Counter]:
    """The rows of every rate and period asked for, and what came of the lines read."""
    unknown = [rate for rate in rate_ids if rate not in rulebook.rates]
    if unknown:
        raise SystemExit(f"the rulebook has no rate {', '.join(unknown)}")
    asked = [Asked(rulebook.rates[rate], period, by) for rate in rate_ids for period in periods]
    by_measure: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        for measure in list(one.weights):
            by_measure[measure].append(one)
    # Nothing here refers in circles that must be found; looking for them costs half the time.
    gc.disable()
    seen = decode.read(paths, rulebook)
    fold = Fold(rulebook, as_of)
    for case_id in sorted(seen.cases):
        folded = fold(case_id, list(seen.cases.pop(case_id).values()))
        if folded is None:
            seen.counts["unregistered"] += 1
            continue
        _take_case(folded, by_measure)
    return [row for one in asked for row in one.rows()], seen.counts


def _take_case(folded: Folded, by_measure: dict[str, list[Asked]]) -> None:
    case = folded.case
    for contribution in folded.score.found:
        dimensions = None
        for name in contribution.names():
            for one in by_measure.get(name, ()):
                if dimensions is None:
                    dimensions = {"department": contribution.department, "role": contribution.role,
                                  "hotline": case.hotline, "case_type": contribution.case_type, "class": case.class_}
                one.take(name, contribution, dimensions)
