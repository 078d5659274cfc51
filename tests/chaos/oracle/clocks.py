"""The third pass (DESIGN 7): which clocks ran, under which policy, with which limit, holds and extensions."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from admit import Fact
from calendars import Calendar
from case import Attributes, Case, Custody, Round, Submission, Taken
from deadline import DAY_UNITS, Due, Grant, Hold, Terms, due
from instants import HOUR, parse_instant
from matching import Choice, is_fact, matches
from rulebook import Extension, Policy, Rulebook
from walk import until_of


@dataclass(eq=False)
class Clock:
    policy: Policy
    round: Round
    custody: Custody | None
    start: Fact
    start_at: int
    # What came since the one before it ended.
    since: list[Held] = field(default_factory=list)
    # Former custodies of a custody clock that passed on.
    givers: list[Custody] = field(default_factory=list)
    credits: list[Hold] = field(default_factory=list)
    # Set at its end: stopped by its stop, or ended otherwise.
    stopped: bool = False
    end_at: int | None = None
    end_day: int | None = None
    stop: Taken | None = None
    review: Submission | None = None
    approved_at: int | None = None
    approved_day: int | None = None
    due: Due | None = None
    holds: list[Hold] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    # Grants that were asked for on what was the last day until then.
    last_day: list[Fact] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # By what the deadline was reckoned.
    terms: Terms | None = None
    own_due_at: int | None = None
    calendar: Calendar | None = None
    state: str = ""
    department: str = "-"

    @property
    def stage(self) -> str:
        return self.policy.stage if self.policy.tier == "statutory" else f"{self.policy.stage}_promise"

    @property
    def role(self) -> str:
        return self.custody.role if self.custody else "lead"

    def custodies(self) -> list[Custody]:
        return [*self.givers, *([self.custody] if self.custody else [])]


class Held(NamedTuple):
    """A fact as a clock sees it: with the custody that had the clock then."""

    taken: Taken
    holder: Custody | None


@dataclass(eq=False)
class Unclocked:
    """A round, for custody scope a custody, whose matching policy gave no clock; for close one without a policy."""

    stage: str
    round: Round
    custody: Custody | None
    family: str


class Clocks:
    def __init__(self, rulebook: Rulebook, choices: list[tuple[str, str, Choice]], case: Case, as_of: int) -> None:
        self.rulebook, self.case, self.as_of = rulebook, case, as_of
        self.found: list[Clock] = []
        self.unclocked: list[Unclocked] = []
        for stage, tier, choice in choices:
            if not self._concerns(choice):
                continue
            for round_ in case.rounds:
                self._case_clocks(choice, round_)
                self._custody_clocks(choice, round_)
                self._note_unclocked(stage, tier, choice, round_)
        self._note_without_close_policy(choices)

    def _concerns(self, choice: Choice) -> bool:
        hotline = self.case.hotline
        return any(policy.match.get("hotline", hotline) == hotline or isinstance(policy.match["hotline"], list)
                   for policy in choice.policies)

    # Case clocks: one a round, which goes on through every change of custody.

    def _case_clocks(self, choice: Choice, round_: Round) -> None:
        if not any(policy.scope == "case" for policy in choice.policies):
            return
        running = self._run(choice, round_, None, round_.taken, None)
        if running is not None and round_.reopened is not None:
            self._end(running, round_.reopened.at, round_.reopened.fact.day, None)
            running = None
        if running is not None:
            self._keep(running)

    def _custody_clocks(self, choice: Choice, round_: Round) -> None:
        if not any(policy.scope == "custody" for policy in choice.policies):
            return
        passed: dict[int, Clock] = {}
        for custody in round_.custodies:
            facts = [taken for taken in round_.taken if self._concerns_custody(taken, custody, round_)]
            inherited = passed.pop(id(custody.previous), None) if custody.previous else None
            if inherited is not None:
                inherited = self._pass_on(inherited, custody)
            running = self._run(choice, round_, custody, facts, inherited)
            if running is None:
                continue
            if custody.end is None:
                self._keep(running)
            elif custody.succeeded:
                passed[id(custody)] = running
            else:
                self._end(running, custody.end, custody.end_day, None)

    @staticmethod
    def _concerns_custody(taken: Taken, custody: Custody, round_: Round) -> bool:
        """What names its department, or none, while it lasts; what came between a request to give the case back and
        the grant came after its end."""
        if taken.fact is custody.fact or taken is round_.closing and custody.ended == "closed":
            return True
        if custody.end is not None and taken.at > custody.end:
            return False
        return custody in taken.custodies or (
            not taken.custodies and taken.fact.data.get("department") is None and custody.begin <= taken.at)

    def _pass_on(self, clock: Clock, receiver: Custody) -> Clock | None:
        """On a change of custody: restart, continue or credit, unless already overdue."""
        giver = clock.custody
        how = clock.policy.on_custody_change.get(giver.ended, "restart")
        self._settle(clock, giver.end)
        overdue = clock.due is not None and not clock.due.in_time(giver.end, giver.end_day)
        if how == "restart" or overdue:
            self._end(clock, giver.end, giver.end_day, None)
            return None
        if how == "credit":
            clock.credits.append(Hold(max(giver.begin, clock.start_at), giver.end, "credit"))
        clock.givers.append(giver)
        clock.custody = receiver
        return clock

    # One clock after the other along the facts of a round or of a custody.

    def _run(self, choice: Choice, round_: Round, custody: Custody | None, facts: list[Taken],
             running: Clock | None) -> Clock | None:
        scope = "custody" if custody else "case"
        since = running.since if running is not None else []
        for taken in facts:
            fact = taken.fact
            if fact.kind == "reopened" and fact is not round_.opening:
                continue
            if running is not None:
                self._restart(running, taken)
                if self._stops(running, taken, round_):
                    running, since = None, []
                elif taken is round_.closing:
                    self._end(running, taken.at, fact.day, None)
                    running = None
            if taken is round_.closing:
                since = []
            if fact.kind == "amended":
                running = self._amended(choice, round_, custody, since, running, taken)
            since.append(Held(taken, custody))
            if running is None and any(self._starts(taken, start, custody) for start in choice.starts):
                policy = choice.best(self.case, taken.attributes, round_.number, taken.at)
                if policy is not None and policy.scope == scope and self._starts(taken, policy.start, custody):
                    running = self._begin(policy, round_, custody, fact, taken.at)
        if running is not None:
            running.since = since
        return running

    def _restart(self, clock: Clock, taken: Taken) -> None:
        """What the policy names begins the clock anew, unless it is overdue by then."""
        fact = taken.fact
        if any(is_fact(fact, name) for name in clock.policy.restart) and taken.at >= clock.start_at:
            self._settle(clock, taken.at)
            if clock.due is None or clock.due.in_time(taken.at, fact.day):
                clock.start, clock.start_at = fact, taken.at
                clock.notes.append(f"restarted by {fact.kind}")

    @classmethod
    def _starts(cls, taken: Taken, start: str, custody: Custody | None) -> bool:
        """Whether this starts a clock; a case clock starts with a lead's dispatch only."""
        fact = taken.fact
        if custody is None and fact.kind == "dispatched" and fact.data.get("role", "lead") != "lead":
            return False
        return cls._is_start(fact, start)

    @staticmethod
    def _is_start(fact: Fact, start: str) -> bool:
        """In a later round a start of `received` means the reopening."""
        return is_fact(fact, start) or start == "received" and fact.kind == "reopened"

    def _begin(self, policy: Policy, round_: Round, custody: Custody | None, fact: Fact, at: int) -> Clock | None:
        clock = Clock(policy, round_, custody, fact, at)
        if policy.limit is None and self._own_limit(clock) is None:
            return None
        if policy.own_limit == "only" and self._own_limit(clock) is None:
            return None
        return clock

    def _amended(self, choice: Choice, round_: Round, custody: Custody | None, since: list[Held],
                 running: Clock | None, taken: Taken) -> Clock | None:
        """An amendment that brings a clock under another policy: recompute, as if the case had been so from the start;
        keep; or restart, anew from the amendment, as the policy says under which the clock ran."""
        if running is not None and running.policy.on_amend == "keep":
            return running
        start_at = running.start_at if running is not None else taken.at
        policy = choice.best(self.case, taken.attributes, round_.number, start_at)
        if running is not None and policy is running.policy:
            return running
        if policy is None or policy.scope != ("custody" if custody else "case"):
            return None
        if running is not None and running.policy.on_amend == "restart":
            if not any(self._starts(held.taken, policy.start, held.holder) for held in since):
                return None
            clock = self._begin(policy, round_, custody, taken.fact, taken.at)
            if clock is not None:
                clock.givers = running.givers
            return clock
        return self._recomputed(policy, round_, custody, since, running)

    def _recomputed(self, policy: Policy, round_: Round, custody: Custody | None, since: list[Held],
                    running: Clock | None) -> Clock | None:
        """The clock that this policy gives for what came before the amendment, through every custody that the former
        one passed on from; one that was stopped by then has ended."""
        start = running.start if running is not None else None
        place = 0
        if start is not None and (start.kind == "amended" or self._is_start(start, policy.start)):
            place = next(place for place, held in enumerate(since) if held.taken.fact is start)
        clock: Clock | None = None
        ended = 0
        for place, (taken, holder) in list(enumerate(since))[place:]:
            if clock is not None and holder is not clock.custody:
                clock = self._pass_on(clock, holder)
            if clock is not None:
                self._restart(clock, taken)
                if self._stops(clock, taken, round_):
                    clock, ended = None, place + 1
            elif taken.fact is start and start.kind == "amended" or self._starts(taken, policy.start, holder):
                clock = self._begin(policy, round_, holder, taken.fact, taken.at)
        # What led to a clock that has ended leads to no other.
        del since[:ended]
        if clock is not None and clock.custody is not custody:
            clock = self._pass_on(clock, custody)
        return clock

    def _stops(self, clock: Clock, taken: Taken, round_: Round) -> bool:
        """Whether this fact stops the clock; a close clock stops at the submission as soon as the round closes."""
        if not any(is_fact(taken.fact, name) for name in clock.policy.stop):
            return False
        if taken.fact is clock.start:
            return False
        clock.stopped, clock.stop = True, taken
        clock.end_at, clock.end_day = taken.at, taken.fact.day
        if taken is round_.closing:
            clock.approved_at, clock.approved_day = taken.at, taken.fact.day
            submission = self._submission(clock)
            if submission is not None:
                clock.end_at, clock.end_day = submission.at, submission.day
        self._keep(clock)
        return True

    def _submission(self, clock: Clock) -> Submission | None:
        """Only close clocks stop at a submission: a custody's own standing one, for a case clock the first of a lead
        still in force."""
        policy = clock.policy
        if policy.family != "close" or policy.stop_at != "submission":
            return None
        custodies = [clock.custody] if clock.custody else [
            held for held in clock.round.leads() if held.ended in (None, "closed")]
        standing = [found for held in custodies if (found := held.standing()) and found.at >= clock.start_at]
        return min(standing, key=lambda found: found.at, default=None)

    def _end(self, clock: Clock, at: int, day: int | None, stop: Taken | None) -> None:
        """Its custody or round ended otherwise than by its stop."""
        clock.end_at, clock.end_day, clock.stop = at, day, stop
        self._keep(clock)

    def _keep(self, clock: Clock) -> None:
        self._settle(clock, clock.end_at)
        if not clock.stopped:
            clock.review = self._submission(clock)
        self.found.append(clock)

    # The deadline of a clock.

    def _own_limit(self, clock: Clock) -> dict | None:
        """Own limits: the custody's dispatch, then receipt, then the policy; for supervise clocks the supervision."""
        policy = clock.policy
        if policy.own_limit == "ignore":
            return None
        if policy.family == "supervise":
            return clock.start.data.get("own_limit")
        if policy.family != "close" and not policy.own_limit_said:
            return None
        # A case clock heeds the dispatch that started it; else, as one that passed on, the last that brings one.
        if clock.custody is None and clock.start.kind == "dispatched" and clock.start.data.get("own_limit"):
            return clock.start.data["own_limit"]
        dispatches = clock.custodies() or clock.round.leads()
        sent = [held.fact.data["own_limit"] for held in dispatches if held.fact.data.get("own_limit")]
        if sent:
            return sent[-1]
        own = self.case.received.data.get("own_limit")
        if own is not None and "due_at" in own and clock.round.number > 1:
            return None
        return own

    def _terms(self, clock: Clock) -> tuple[Terms, int | None]:
        policy = clock.policy
        own = self._own_limit(clock)
        if own is None:
            return Terms(policy.limit, policy.unit, policy.outside_hours, policy.ends_at, policy.roll), None
        if "due_at" in own:
            return Terms(1, policy.unit or "calendar_day", "as_is", "same_time", "none"), parse_instant(own["due_at"])
        if own["unit"] not in DAY_UNITS:
            return Terms(own["limit"], own["unit"], "as_is", "same_time", "none"), None
        if policy.unit is not None and policy.unit not in DAY_UNITS:
            return Terms(own["limit"], own["unit"], policy.outside_hours), None
        return Terms(own["limit"], own["unit"], policy.outside_hours, policy.ends_at, policy.roll), None

    def _attributes(self, round_: Round, at: int | None) -> Attributes:
        """What was true when a clock ended; of what counts at the instant of the closing only what came before it."""
        if at is None:
            return self.case.latest
        return round_.closing.attributes if at == round_.closed_at else self.case.attributes_at(at)

    def _settle(self, clock: Clock, end_at: int | None) -> None:
        attributes = self._attributes(clock.round, end_at)
        # Of what counts at the instant of the stop only what came before it.
        if clock.stopped and clock.stop is not None and clock.stop.at == end_at:
            attributes = clock.stop.attributes
        calendar = self.rulebook.calendar_for(clock.policy, attributes.region)
        clock.holds = self._holds(clock, attributes)
        clock.grants, clock.last_day = [], []
        clock.notes = [note for note in clock.notes if note.startswith("restarted")]
        terms, own_due_at = self._terms(clock)
        clock.terms, clock.own_due_at, clock.calendar = terms, own_due_at, calendar

        def until(grants: list[Grant], holds: list[Hold] | None = None) -> Due | None:
            return due(calendar, terms, clock.start_at, clock.holds if holds is None else holds, grants, own_due_at)

        clock.due = until([])
        if clock.policy.extension is not None:
            for requested_at, granted in self._extensions(clock, end_at):
                grant, note = self._grant(clock, clock.policy.extension, calendar, requested_at, granted, until)
                clock.notes.append(note)
                if grant is not None:
                    if clock.due is not None and clock.due.on == calendar.zone.day(requested_at):
                        clock.last_day.append(granted.fact)
                    clock.grants.append(grant)
                    clock.due = until(clock.grants)

    def _holds(self, clock: Clock, attributes: Attributes) -> list[Hold]:
        policy = clock.policy
        names = (policy.stage, policy.family)
        concerned = lambda stages: not stages or any(stage in names for stage in stages)
        found = [hold.as_hold() for hold in clock.round.holds
                 if hold.reason in policy.holds and concerned(hold.stages)]
        for general in self.rulebook.holds:
            if concerned(general.stages) and matches(general.match, attributes, self.case.class_, clock.round.number):
                found.append(Hold(general.begin, general.end, general.reason))
        found += clock.credits
        custodies = clock.custodies() or clock.round.leads()
        if policy.family == "close" and policy.stop_at == "submission" and policy.review_time == "credited":
            found += [Hold(submission.at, submission.refused_at, "review") for held in custodies
                      for submission in held.submissions if submission.refused_at is not None]
        if policy.return_pending == "held":
            found += [Hold(request.at, held.end if request.answered_at is None else request.answered_at, "return")
                      for held in custodies for request in held.requests]
        return found

    # Extensions.

    def _extensions(self, clock: Clock, end_at: int | None) -> list[tuple[int, Taken]]:
        """Grants with when they were asked for. A grant or refusal answers all that was asked before it, from the first
        time on; one without a request counts as asked at that instant."""
        names = (clock.policy.stage, clock.policy.family)
        asked: Taken | None = None
        found = []
        for taken in clock.round.taken:
            if not taken.fact.kind.startswith(("extension_", "extended")):
                continue
            if taken.fact.data.get("stage", "close") not in names or taken.at < clock.start_at:
                continue
            if end_at is not None and taken.at > end_at and not (clock.stopped and clock.approved_at is not None
                                                                 and taken.at <= clock.approved_at):
                continue
            if taken.fact.kind == "extension_requested":
                asked = asked or taken
                continue
            if taken.fact.kind == "extended":
                found.append(((asked or taken).at, taken))
            asked = None
        return found

    def _grant(self, clock: Clock, rules: Extension, calendar: Calendar, requested_at: int, granted: Taken,
               until) -> tuple[Grant | None, str]:
        old = clock.due
        fact = granted.fact
        if rules.times_max is not None and len(clock.grants) >= rules.times_max:
            return None, "extension without effect: too many"
        if old is not None and not self._asked_in_time(rules, calendar, old, requested_at):
            return None, "extension without effect: asked too late"
        origin, at = rules.origin, granted.at
        if old is not None and not old.in_time(granted.at, fact.day):
            if rules.granted_late == "void":
                return None, "extension without effect: granted too late"
            if rules.granted_late == "from_grant":
                origin = "grant"
            else:
                at = min(at, calendar.zone.at(old.on))
        if "until" in fact.data:
            instant, day = until_of(fact, fact.data["until"])
            grant = Grant("until", until=instant, until_day=day, at=at)
        else:
            grant = Grant(origin, fact.data["limit"], fact.data["unit"], at)
        if rules.each_max is not None and self._exceeds(clock, rules, grant, origin, at, until):
            return None, "extension without effect: too long"
        return grant, f"extended by {fact.data.get('until') or (grant.limit, grant.unit)} from {grant.origin}"

    @staticmethod
    def _exceeds(clock: Clock, rules: Extension, grant: Grant, origin: str, at: int, until) -> bool:
        """A maximum of another unit is compared by where it ends, a hold without an end apart."""
        if grant.origin != "until" and grant.unit == rules.unit:
            return grant.limit > rules.each_max
        ended = [hold for hold in clock.holds if hold.end is not None]
        most = until([*clock.grants, Grant(origin, rules.each_max, rules.unit, at)], ended)
        asked = until([*clock.grants, grant], ended)
        return asked.at > most.at

    @staticmethod
    def _asked_in_time(rules: Extension, calendar: Calendar, old: Due, at: int) -> bool:
        number, unit = rules.ask_before
        zone = calendar.zone
        if unit in DAY_UNITS:
            day = old.on
            for _ in range(number):
                day -= 1
                while unit == "working_day" and not calendar.works(day):
                    day -= 1
            in_time = zone.day(at) <= day if old.end_of_day else at <= zone.at(day, zone.time_of_day(old.at))
        else:
            last = Due(old.at - number * HOUR, old.on, old.end_of_day)
            in_time = last.in_time(at)
            day = zone.day(last.at - 1) if last.end_of_day else zone.day(last.at)
        if rules.ask_by is not None:
            in_time = in_time and at <= zone.at(day, rules.ask_by)
        return in_time

    # Rounds and custodies without a clock.

    def _note_unclocked(self, stage: str, tier: str, choice: Choice, round_: Round) -> None:
        name = stage if tier == "statutory" else f"{stage}_promise"
        policy = choice.best(self.case, self.case.of_round(round_), round_.number, round_.opened_at)
        if policy is None:
            return
        clocks = [clock for clock in self.found if clock.round is round_ and clock.stage == name]
        if policy.scope == "case":
            if not clocks:
                self.unclocked.append(Unclocked(name, round_, None, policy.family))
            return
        with_clock = {id(held) for clock in clocks for held in clock.custodies()}
        self.unclocked += [Unclocked(name, round_, held, policy.family) for held in round_.custodies
                           if id(held) not in with_clock]

    def _note_without_close_policy(self, choices: list[tuple[str, str, Choice]]) -> None:
        for round_ in self.case.rounds:
            attributes = self.case.of_round(round_)
            if not any(choice.best(self.case, attributes, round_.number, round_.opened_at)
                       for stage, tier, choice in choices if (stage, tier) == ("close", "statutory")):
                self.unclocked.append(Unclocked("close", round_, None, "close"))


def clocks(rulebook: Rulebook, choices: list[tuple[str, str, Choice]], case: Case, as_of: int) -> Clocks:
    return Clocks(rulebook, choices, case, as_of)
