"""The second pass (DESIGN 7): what was expected; rounds, custody, slots and pins, submissions, holds."""
from __future__ import annotations

import bisect

from admit import Fact, key_of
from case import CLOSING, Attributes, Case, Custody, Request, Round, RoundHold, Slot, Submission, Taken
from decode import PIPELINE
from instants import parse_day, parse_instant
from routing import route
from rulebook import Rulebook

ALWAYS = {"supplemented", "linked", "urged", "supervised", "supervision_answered", "acknowledged", "appealed", "ruled",
          "notified", "milestone", "amended"}


def first_attributes(fact: Fact, hotline: str, defaults: dict) -> Attributes:
    data = defaults | fact.data
    category = data.get("category", ["unclassified"])
    return Attributes(hotline, data["case_type"], tuple([category] if isinstance(category, str) else category),
                      data.get("region", ""), data.get("urgency", "normal"), data.get("channel", ""),
                      (data.get("origin") or {}).get("hotline", ""), tuple(data.get("tags", ())))


def amended(before: Attributes, data: dict) -> Attributes:
    return Attributes(before.hotline, data.get("case_type", before.case_type),
                      tuple(data.get("category", before.category)), data.get("region", before.region),
                      data.get("urgency", before.urgency), before.channel, before.origin,
                      tuple(data.get("tags", before.tags)))


def until_of(fact: Fact, text: str) -> tuple[int, int | None]:
    """`until` is an instant, or a date meaning 24:00 of that day."""
    if len(text) == 10:
        day = parse_day(text)
        return fact.zone.at(day + 1), day
    return parse_instant(text), None


class Walk:
    def __init__(self, rulebook: Rulebook, case_id: str, facts: list[Fact], as_of: int) -> None:
        self.rulebook, self.as_of = rulebook, as_of
        self.todo = facts
        self.pending: list[Fact] = []
        self.unexpected: list[Fact] = []
        self.rounds: list[Round] = []
        self.rulings: list[Fact] = []
        # Our own decisions taken in this walk, and the instants of those that are still to be taken.
        self.decided: list[Fact] = []
        self.proposed: list[int] = []
        self.id = case_id
        self.hotline = case_id.split(":", 1)[0]
        self.office = rulebook.offices.get(self.hotline, "-")

    def run(self) -> Case | None:
        """`received` opens round 1 whatever its time; without it the case counts nowhere."""
        received = next((fact for fact in self.todo if fact.kind == "received"), None)
        if received is None:
            return None
        self.received = received
        source = self.rulebook.sources[received.source]
        self.dispatch = source.dispatch
        self.first = first_attributes(received, self.hotline, source.defaults)
        self.amendments: list[tuple[int, Attributes]] = []
        self.todo = [fact for fact in self.todo if fact is not received]
        self._open_round(received)
        while self.todo:
            self._take_group()
        self.unexpected += self.pending
        return Case(self.id, self.hotline, self.office, received, self.first, self.amendments, self.rounds,
                    self.rulings, self.unexpected, decided=self.decided, proposed=self.proposed)

    # The order in which facts are taken.

    def _take_group(self) -> None:
        """Among facts with equal (counted_at, sequence), in (rank, key) order, the first that is expected."""
        head = self.todo[0]
        while self.todo and self.todo[0].order[:2] == head.order[:2]:
            same = self._same_instant(head)
            expected = next((fact for fact in same if self._expected(fact)), None)
            if expected is None:
                del self.todo[:len(same)]
                self.pending += same
                self._give_up_barred()
                return
            self.todo.remove(expected)
            self._take_and_followers(expected)

    def _same_instant(self, head: Fact) -> list[Fact]:
        same = []
        for fact in self.todo:
            if fact.order[:2] != head.order[:2]:
                break
            same.append(fact)
        return same

    def _take_and_followers(self, fact: Fact) -> None:
        """What came up to the order tolerance before the fact that makes it expected is taken right after it."""
        early_enough = [early for early in self.pending if early.order < fact.order and not self._expected(early)
                        and early.counted >= fact.counted - self._tolerance(early)]
        self._take(fact)
        self._give_up_barred()
        for early in early_enough:
            if early in self.pending and self._expected(early):
                self.pending.remove(early)
                self._take_and_followers(early)

    def _give_up_barred(self) -> None:
        """A return that was refused for good does not wait until the department has the case again."""
        barred = [fact for fact in self.pending if self._barred(fact)]
        self.pending = [fact for fact in self.pending if fact not in barred]
        self.unexpected += barred

    def _barred(self, fact: Fact) -> bool:
        round_ = self.rounds[-1]
        held = round_.open_custodies(fact.data["department"]) if round_.is_open and fact.kind == "return_requested" else []
        return bool(held) and held[-1].barred

    def _tolerance(self, fact: Fact) -> int:
        """How much earlier a fact may be than the one that makes it expected; a pin holds for ever."""
        if fact.source == PIPELINE:
            return fact.counted
        source = self.rulebook.sources.get(fact.source)
        return source.order_tolerance if source else 5 * 60 * 1_000_000

    # What is expected.

    def _expected(self, fact: Fact) -> bool:
        kind, round_ = fact.kind, self.rounds[-1]
        if kind in ALWAYS:
            return True
        if kind == "received":
            return False
        if kind == "reopened":
            return not round_.is_open
        if kind == "rated":
            return any(not other.is_open for other in self.rounds)
        if not round_.is_open:
            return False
        if kind == "dispatched":
            return fact.source != PIPELINE or self._slot_of(fact) is not None
        department = fact.data.get("department")
        if department is not None and kind != "closed":
            held = round_.open_custodies(department)
            if not held:
                return False
            if kind == "close_refused":
                return held[-1].standing() is not None
            if self._barred(fact):
                return False
        if kind == "released":
            return bool(self._running_holds(fact))
        return True

    def _slot_of(self, fact: Fact) -> Slot | None:
        key = fact.data["pin"]["slot"]
        return next((slot for slot in self.rounds[-1].slots if slot.key == key and not slot.filled), None)

    def _running_holds(self, fact: Fact) -> list[RoundHold]:
        return [hold for hold in self.rounds[-1].holds if hold.reason == fact.data["reason"]
                and (hold.end is None or hold.end > fact.counted)]

    # What a fact does.

    def _take(self, fact: Fact) -> None:
        round_ = self.rounds[-1]
        if fact.kind == "reopened":
            self._reopen(fact)
            return
        department = fact.data.get("department")
        # Of several custodies of one department a fact concerns the latest.
        held = round_.open_custodies(department)[-1:] if department is not None and fact.kind != "dispatched" else []
        # What was early for its round finds the case as the round found it.
        attributes = self._attributes_at(max(fact.counted, round_.opened_at))
        taken = Taken(fact, fact.counted, held, round_.lead(), attributes)
        if fact.kind == "rated":
            closed = self._closed_last()
            closed.ratings.append(fact)
            # After a reopening a rating stops no clock of the round it belongs to: they ended with that.
            (closed.taken if closed is round_ else closed.afterwards).append(taken)
            return
        round_.taken.append(taken)
        action = getattr(self, f"_on_{fact.kind}", None)
        if action is not None:
            action(fact, taken, round_)
        elif fact.kind in CLOSING:
            self._close(taken, round_)

    def _closed_last(self) -> Round:
        """A rating belongs to the last closure before it."""
        return next(other for other in reversed(self.rounds) if not other.is_open)

    def _attributes_at(self, at: int) -> Attributes:
        """As amended by what was taken so far."""
        found = self.first
        for since, later in self.amendments:
            found = later if since <= at else found
        return found

    def _on_amended(self, fact: Fact, taken: Taken, round_: Round) -> None:
        before = self.amendments[-1][1] if self.amendments else self.first
        taken.attributes = amended(before, fact.data)
        self.amendments.append((fact.counted, taken.attributes))

    def _on_ruled(self, fact: Fact, taken: Taken, round_: Round) -> None:
        self.rulings.append(fact)

    def _on_dispatched(self, fact: Fact, taken: Taken, round_: Round) -> None:
        """A lead ends the earlier lead of the same `from`; sub opens a child; co never moves the lead."""
        data = fact.data
        role, giver = data.get("role", "lead"), data.get("from", self.office)
        if role == "lead" and giver == self.office:
            self._fill_slot(fact, round_)
        parent = next((held for held in reversed(round_.open_custodies(giver))), None)
        custody = Custody(data["department"], giver, role, fact, fact.counted, parent)
        if role == "lead":
            earlier = next((held for held in reversed(round_.custodies)
                            if held.role == "lead" and held.dispatched_from == giver), None)
            if earlier is not None and earlier.end is None:
                how = "reorganisation" if data.get("reason") == "reorganisation" else "redispatched"
                self._end(earlier, fact.counted, fact.day, how, round_)
            if earlier is not None and earlier.ended in ("returned", "redispatched", "reorganisation"):
                custody.previous, earlier.succeeded = earlier, True
        round_.custodies.append(custody)
        taken.custodies = [custody]

    def _end(self, custody: Custody, at: int, day: int | None, how: str, round_: Round) -> None:
        """A custody ends with what was given on from it."""
        custody.end, custody.ended, custody.end_day = at, how, day
        for child in round_.custodies:
            if child.parent is custody and child.end is None:
                self._end(child, max(at, child.begin), day, "given_up", round_)

    def _on_return_requested(self, fact: Fact, taken: Taken, round_: Round) -> None:
        """One that came before the custody it concerns, within the order tolerance, counts from its beginning."""
        for custody in taken.custodies:
            early = fact.counted < custody.begin
            custody.requests.append(Request(max(fact.counted, custody.begin), None if early else fact.day))

    def _on_return_refused(self, fact: Fact, taken: Taken, round_: Round) -> None:
        for custody in taken.custodies:
            custody.barred |= fact.data.get("final", False)
            for request in custody.requests:
                request.answered_at = fact.counted if request.answered_at is None else request.answered_at

    def _on_returned(self, fact: Fact, taken: Taken, round_: Round) -> None:
        """A return ends the custody, granted late at the request, and gives the case back."""
        given_back = False
        for custody in taken.custodies:
            open_requests = [request for request in custody.requests if request.answered_at is None]
            asked = open_requests[0] if open_requests else Request(max(fact.counted, custody.begin), fact.day)
            for request in open_requests:
                request.answered_at = fact.counted
            self._end(custody, asked.at, asked.day, "returned", round_)
            given_back |= custody.role == "lead" and custody.dispatched_from == self.office
        if given_back:
            self._open_slot(fact, round_)

    def _on_held(self, fact: Fact, taken: Taken, round_: Round) -> None:
        end = until_of(fact, fact.data["until"])[0] if fact.data.get("until") else None
        round_.holds.append(RoundHold(fact.data["reason"], fact.data.get("stages") or [], fact.counted, end))

    def _on_released(self, fact: Fact, taken: Taken, round_: Round) -> None:
        for hold in self._running_holds(fact):
            hold.end = fact.counted

    def _on_submitted(self, fact: Fact, taken: Taken, round_: Round) -> None:
        for custody in taken.custodies:
            if custody.standing() is None:
                custody.submissions.append(Submission(fact.counted, fact.day, fact))

    def _on_close_refused(self, fact: Fact, taken: Taken, round_: Round) -> None:
        for custody in taken.custodies:
            standing = custody.standing()
            if standing is not None:
                standing.refused_at = fact.counted

    def _close(self, taken: Taken, round_: Round) -> None:
        """A closing ends all, holds too; the first in a round closes it."""
        round_.closing = taken
        for hold in round_.holds:
            hold.end = taken.at if hold.end is None else min(hold.end, taken.at)
        for custody in round_.custodies:
            if custody.end is None:
                custody.end, custody.ended, custody.end_day = taken.at, "closed", taken.fact.day

    def _open_round(self, opening: Fact) -> None:
        round_ = Round(len(self.rounds) + 1, opening)
        round_.taken.append(Taken(opening, opening.counted, [], None, self._attributes_at(opening.counted)))
        self.rounds.append(round_)
        self._open_slot(opening, round_)

    def _reopen(self, fact: Fact) -> None:
        earlier = self.rounds[-1]
        earlier.reopened = Taken(fact, fact.counted, [], None, self._attributes_at(fact.counted))
        self._open_round(fact)

    # Slots and pins.

    def _open_slot(self, trigger: Fact, round_: Round) -> None:
        """The source of `received` decides who dispatches. Our decision is dated at the trigger, plus the span of
        `after`; a dispatch of the hotline dated not after that instant fills the slot, and a pin holds otherwise. Of a decision
        that was pinned the instant is the pin's, also where its trigger was corrected since: it holds for ever."""
        pins = [fact for fact in self.todo + self.pending
                if fact.kind == "dispatched" and fact.source == PIPELINE and fact.data["pin"]["slot"] == trigger.key]
        if self.dispatch == "hotline" and not pins:
            return
        after = self.dispatch if isinstance(self.dispatch, int) else 0
        instant = pins[0].counted if pins else trigger.counted + after
        slot = Slot(trigger.key, instant)
        round_.slots.append(slot)
        waiting = [fact for fact in self.pending if fact.counted >= trigger.counted - self._tolerance(fact)]
        theirs = [fact for fact in self.todo + waiting if self._ours_to_yield(fact, instant)]
        if theirs:
            slot.filled, slot.filled_by = True, min(theirs, key=lambda fact: fact.order)
            return
        if pins:
            return
        if instant > self.as_of:
            self.proposed.append(instant)
            return
        bisect.insort(self.todo, self._decision(slot), key=lambda fact: fact.order)

    def _ours_to_yield(self, fact: Fact, instant: int) -> bool:
        return (fact.kind == "dispatched" and fact.source != PIPELINE and fact.data.get("role", "lead") == "lead"
                and fact.data.get("from", self.office) == self.office and fact.counted <= instant)

    def _decision(self, slot: Slot) -> Fact:
        """Our decision as an event of its own; the department is found when it is taken."""
        data = {"pin": {"slot": slot.key, "rule": "?"}}
        name = f"{self.id}/{slot.key}"
        return Fact("dispatched", PIPELINE, name, key_of(PIPELINE, name), slot.instant, 0, None, slot.instant, None,
                    data, self.rulebook.zone)

    def _fill_slot(self, fact: Fact, round_: Round) -> None:
        if fact.source != PIPELINE:
            return
        self._slot_of(fact).filled = True
        if "department" not in fact.data:
            tried = {held.department for held in round_.leads()}
            rule = route(self.rulebook, self._attributes_at(fact.counted), fact.counted, tried)
            fact.data["department"] = rule.department if rule else self.office
            fact.data["pin"]["rule"] = rule.id if rule else "office"
            self.decided.append(fact)


def walk(rulebook: Rulebook, case_id: str, facts: list[Fact], as_of: int) -> Case | None:
    return Walk(rulebook, case_id, facts, as_of).run()
