"""What stands where in the tallies (DESIGN 9): contributions of a case, each with its days by basis."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

from case import Case, Custody, Round, Taken
from clocks import Clock, Clocks, Unclocked
from instants import HOUR, Zone, show_day
from rulebook import Rulebook
from verdict import OFFICE_FAMILIES, department_of_round, judge, name_of, rating_of, ruling_on, solved_of

OWN_MEASURES = ("received", "closed", "reopened")


@dataclass(slots=True)
class Contribution:
    """A measure, the populations it is part of (none for plain counts), and the day under each basis."""

    measure: str
    populations: tuple[str, ...]
    department: str
    role: str
    case_type: str
    days: dict[str, int]
    value: int = 1
    excluded: bool = False

    def names(self) -> Iterator[str]:
        """The measure as rates write it: `close.met` of the population `each` is `each.close.met`."""
        before = "excluded." if self.excluded else ""
        if not self.populations:
            yield f"{before}{self.measure}"
        for population in self.populations:
            yield f"{before}{population}.{self.measure}"


class Score:
    """All contributions of one case."""

    def __init__(self, rulebook: Rulebook, case: Case, clocks: Clocks, as_of: int) -> None:
        self.case, self.clocks, self.zone, self.as_of = case, clocks, rulebook.zone, as_of
        self.found: list[Contribution] = []
        for clock in clocks.found:
            judge(case, clock, as_of)
        for round_ in case.rounds:
            self._round(round_)

    def _round(self, round_: Round) -> None:
        case = self.case
        self.round = round_
        self.case_type = case.of_round(round_).case_type
        self.populations = ("each", *(["first"] if round_.number == 1 else []),
                            *(["final"] if round_ is case.rounds[-1] else []))
        self.outcome, self.rating = rating_of(case, round_)
        self.days = self._days_of(round_, self.zone)
        for clock in self.clocks.found:
            if clock.round is round_:
                self._clock(clock)
        # What has no clock of its own stands under due where the closure clock does.
        due = self._closure_due(round_)
        if due is not None:
            self.days = self.days | {"due": due}
        for unclocked in self.clocks.unclocked:
            if unclocked.round is round_:
                self._unclocked(unclocked)
        self._results(round_)
        for taken in [*round_.taken, *round_.afterwards]:
            self._counts(taken)

    def _days_of(self, round_: Round, zone: Zone) -> dict[str, int]:
        """Everything a round yields stands under its receipt or reopening, first lead dispatch, closing and rating."""
        days = {"received": zone.day(round_.opened_at)}
        leads = round_.leads()
        if leads:
            days["dispatched"] = zone.day(leads[0].begin)
        if not round_.is_open:
            days["closed"] = zone.day(round_.closed_at)
        if self.rating is not None:
            days["rated"] = zone.day(self.rating.counted)
        return days

    def _closure_due(self, round_: Round) -> int | None:
        clocks = [clock for clock in self.clocks.found if clock.round is round_ and clock.policy.closure
                  and clock.role == "lead" and clock.due is not None]
        return clocks[-1].due.on if clocks else None

    def _add(self, measure: str, department: str, days: dict[str, int], role: str = "lead", value: int = 1,
             populated: bool = True, ruled: str | None = None) -> None:
        self.found.append(Contribution(measure, self.populations if populated else (), department, role, self.case_type,
                                       days, value, ruled == "exclude"))

    # Clocks.

    def _clock(self, clock: Clock) -> None:
        days = dict(self.days)
        if clock.custody is not None:
            days["dispatched"] = self.zone.day(clock.custody.begin)
        state, effect = self._judged(clock)
        if clock.due is not None and state != "open_in_review":
            days["due"] = clock.due.on
        if state.startswith("open"):
            self._add(f"{clock.stage}.open", clock.department, days, clock.role, ruled=effect)
            if state == "open_overdue":
                days = {"closed": clock.due.on, "rated": clock.due.on} | days
        self._add(f"{clock.stage}.{state}", clock.department, days, clock.role, ruled=effect)
        # A clock that was left late and is ruled met was stopped by nothing that could have been approved.
        if clock.policy.family == "close" and clock.stopped and state in ("met", "late"):
            approved = effect == "met" or effect != "failed" and (
                clock.due is None or clock.approved_at is None
                or clock.due.in_time(clock.approved_at, clock.approved_day))
            self._add(f"{clock.stage}.approved_{'met' if approved else 'late'}", clock.department, days, clock.role,
                      ruled=effect)

        for sign in self._signs(clock, state):
            self._add(f"{clock.stage}.{sign}", clock.department, days, clock.role, ruled=effect)

    def _judged(self, clock: Clock) -> tuple[str, str | None]:
        """The state that counts, and the ruling on it. An open clock has no verdict to override yet, a void one none at
        all."""
        effect = ruling_on(self.case, (clock.policy.family, clock.policy.stage), clock.round, clock.department)
        state = clock.state
        if effect == "met" and state in ("late", "left_late"):
            state = "met"
        elif effect == "failed" and state == "met":
            state = "late"
        return state, effect

    def _signs(self, clock: Clock, state: str) -> Iterator[str]:
        """What looks like gaming (services/README.md, measures)."""
        if state == "met" and clock.stopped:
            due, stop = clock.due, clock.stop.fact
            if due is not None and clock.end_day is None and 0 <= due.at - clock.end_at <= HOUR:
                yield "met_last_hour"
            if stop.kind == "signed" and stop.data.get("automatic", False):
                yield "met_automatic"
        reopened = clock.round.reopened
        if state in ("late", "left_late") and reopened is not None:
            if self._month(reopened.at) > self._month(clock.round.closed_at):
                yield "late_reopened_after_month_end"

    def _month(self, at: int) -> str:
        return show_day(self.zone.day(at))[:7]

    def _unclocked(self, unclocked: Unclocked) -> None:
        round_, custody = unclocked.round, unclocked.custody
        days = dict(self.days)
        if custody is not None:
            days["dispatched"] = self.zone.day(custody.begin)
        department = custody.department if custody else department_of_round(round_)
        if unclocked.family in OFFICE_FAMILIES:
            department = self.case.office
        still_open = round_.is_open if custody is None else custody.end is None
        state = "none_open" if still_open else "none_stopped"
        effect = ruling_on(self.case, (unclocked.family, unclocked.stage), round_, department)
        self._add(f"{unclocked.stage}.{state}", department, days, custody.role if custody else "lead", ruled=effect)

    # What a round yields besides.

    def _results(self, round_: Round) -> None:
        case = self.case
        department = department_of_round(round_)
        if round_.number == 1:
            self._count("received", name_of(next(iter(round_.leads()), None)), round_.opened_at)
            self._count("sum.persons", department, round_.opened_at, value=case.received.data.get("persons", 1))
        self._amounts(round_, department)
        if round_.is_open:
            return
        if round_.closing.fact.kind == "closed":
            named = round_.closing.custodies
            role = named[-1].role if named else "lead"
            self._count("closed", department, round_.closed_at, role)
            if "backdated" in round_.closing.fact.flags:
                self._count("closed_backdated", department, round_.closed_at, role)
        outcome = round_.closing.fact.data.get("outcome")
        if outcome is not None:
            self._count(f"outcome.{outcome}", department, round_.closed_at)
        effect = ruling_on(case, ("rating",), round_, department)
        self._add(f"rated_{self.outcome}", department, self.days, ruled=effect)
        if round_.closing.fact.kind == "closed" and self.outcome != "not_required":
            asked = "not_followed_up" if self.outcome in ("not_asked", "default") else "followed_up"
            before = "troubled" if self._is_troubled(round_) else "untroubled"
            self._add(f"{before}_{asked}", department, self.days, ruled=effect)
        solved = solved_of(round_)
        if solved is not None:
            self._add(f"solved_{solved}", department, self.days, ruled=effect)
        if round_.reopened is not None:
            effect = ruling_on(case, ("reopening",), round_, department)
            self._count("reopened", department, round_.reopened.at, ruled=effect)
            for hours in (24, 72):
                if round_.reopened.at - round_.closed_at <= hours * HOUR:
                    self._count(f"reopened_within_{hours}h", department, round_.reopened.at, ruled=effect)

    def _is_troubled(self, round_: Round) -> bool:
        """As it stood when it was closed: a redo, urged, or late."""
        urged = any(taken.fact.kind == "urged" for taken in round_.taken[:round_.taken.index(round_.closing)])
        late = any(clock.round is round_ and clock.policy.closure and clock.role == "lead"
                   and self._judged(clock)[0] in ("late", "left_late") for clock in self.clocks.found)
        return round_.number > 1 or urged or late

    def _amounts(self, round_: Round, department: str) -> None:
        """Money is sent in yuan and kept in fen."""
        for taken in round_.taken:
            fact = taken.fact
            if fact.kind not in ("received", "verified", "closed"):
                continue
            for name, yuan in (fact.data.get("amounts") or {}).items():
                self._count(f"sum.amount_{name}", department, taken.at, value=round(yuan * 100))

    def _counts(self, taken: Taken) -> None:
        """Other counts: the department named, else the lead at that instant."""
        fact = taken.fact
        if fact.kind in OWN_MEASURES:
            return
        department, role = fact.data.get("department") or name_of(taken.lead), "lead"
        if taken.custodies:
            department, role = taken.custodies[-1].department, taken.custodies[-1].role
        effect = ruling_on(self.case, ("return",), self.round, department) if fact.kind == "returned" else None
        measure = fact.kind
        if fact.kind == "linked":
            measure = f"linked.{fact.data['kind']}"
        elif fact.kind == "verified":
            measure = f"verified.{fact.data['result']}"
        self._count(measure, department, taken.at, role, ruled=effect)
        if fact.kind == "extended" and any(one is fact for clock in self.clocks.found for one in clock.last_day):
            self._count("extended_last_day", department, taken.at, role)
        elif fact.kind == "returned" and taken.custodies and self._is_last_day(taken.custodies[-1]):
            self._count("returned_last_day", department, taken.at, role, ruled=effect)
        elif fact.kind == "ruled":
            for name in ("ruled_by", f"ruled_by.{fact.data['effect']}"):
                self._count(name, fact.data.get("by") or "-", taken.at)

    def _is_last_day(self, giver: Custody) -> bool:
        """Whether a case was given back on the last day of the closing clock that its holder had."""
        if giver.end is None:
            return False
        for clock in self.clocks.found:
            if clock.round is not self.round or not clock.policy.closure or clock.start_at > giver.end:
                continue
            held = giver.role == "lead" if clock.custody is None else any(one is giver for one in clock.custodies())
            if held and clock.due is not None and clock.due.on == self.zone.day(giver.end):
                return True
        return False

    def _count(self, measure: str, department: str, at: int, role: str = "lead", value: int = 1,
               ruled: str | None = None) -> None:
        """A plain count stands under the bases of its round, and under `event` on its own day, unless it is a sum."""
        days = self.days if measure.startswith("sum.") else self.days | {"event": self.zone.day(at)}
        self._add(measure, department, days, role, value, False, ruled)
