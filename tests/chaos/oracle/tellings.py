"""What is told of deadlines in time (DESIGN 11): given when events come in and when somebody looks, every alarm raised,
missed and withdrawn, and the notices that go out."""
from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from admit import admit, key_of
from case import Case
from clocks import Clocks, clocks
from decode import PIPELINE, PREFIX, SUFFIX, Event, content_of, event_of
from instants import DAY, SECOND, parse_instant
from ladder import Alarm, ladder, name_of, over_at
from matching import Choice
from rulebook import Rulebook
from verdict import classify
from walk import walk

NEVER, EVER = -(1 << 62), 1 << 62
# How long after a rung fell due its cause may come in and still be news.
LATE_MAX = DAY
BATCH = 5000


@dataclass
class Arrival:
    """The events of a case that came in with one batch: until when our own decisions are taken in it, and at the end of
    which step somebody looks."""

    step_end: int
    as_of: int
    events: list[dict]
    receipts: list[int]


@dataclass
class Folded:
    case: Case
    run: Clocks
    ladder: list[Alarm]


@dataclass
class Told:
    """What was told last of a rung."""

    n: int
    telling: str
    alarm: Alarm


@dataclass
class Expected:
    tellings: list[dict] = field(default_factory=list)
    notices: Counter = field(default_factory=Counter)
    outcomes: Counter = field(default_factory=Counter)
    cases: int = 0

    def add(self, other: "Expected") -> None:
        self.tellings += other.tellings
        self.notices += other.notices
        self.outcomes += other.outcomes


def step_end(at: int, step: int) -> int:
    """The first end of a step that is not before an instant; steps are counted from 1970."""
    return -(-at // step) * step


def arrivals(path: str, step: int) -> dict[str, list[Arrival]]:
    """By case, from a file with a line for each copy: the receipt, a tab, the event; in the order of receipt. What comes in
    a step is taken in by batches of 5,000, each of which takes decisions up to its latest receipt."""
    found: dict[str, list[Arrival]] = {}
    batch: list[tuple[int, dict]] = []
    end: int | None = None

    def close() -> None:
        if not batch:
            return
        as_of = batch[-1][0]
        of_batch: dict[str, Arrival] = {}
        for received, event in batch:
            case = event["subject"]
            if case not in of_batch:
                of_batch[case] = Arrival(end, as_of, [], [])
                found.setdefault(case, []).append(of_batch[case])
            of_batch[case].events.append(event)
            of_batch[case].receipts.append(received)
        batch.clear()

    with open(path, encoding="utf-8") as lines:
        for line in lines:
            receipt, event = line.split("\t", 1)
            received = parse_instant(receipt)
            if step_end(received, step) != end or len(batch) == BATCH:
                close()
                end = step_end(received, step)
            batch.append((received, json.loads(event)))
    close()
    return found


class Teller:
    """Tells what is to be told of cases, one after the other."""

    def __init__(self, rulebook: Rulebook, step: int, until: int) -> None:
        self.rulebook, self.step, self.until = rulebook, step, until
        self.choices = [(stage, tier, Choice(rulebook, stage, tier)) for stage, tier in rulebook.stages]

    def of(self, case_id: str, came: list[Arrival]) -> Expected:
        life = Life(self, case_id)
        waiting = list(came)
        while True:
            wake = life.wakes_at()
            ends = [waiting[0].step_end] if waiting else []
            ends += [step_end(wake, self.step)] if wake is not None else []
            now = min(ends, default=EVER)
            if now > self.until:
                return life.expected
            while waiting and waiting[0].step_end == now:
                life.take_in(waiting.pop(0))
            life.look(now)

    def fold(self, case_id: str, events: list[Event], decide_until: int) -> Folded | None:
        case = walk(self.rulebook, case_id, admit(self.rulebook, events, EVER), decide_until)
        if case is None:
            return None
        case.class_ = classify(self.rulebook, case)
        run = clocks(self.rulebook, self.choices, case, EVER)
        return Folded(case, run, ladder(self.rulebook, case, run, EVER))


class Life:
    """A case in time."""

    def __init__(self, teller: Teller, case_id: str) -> None:
        self.teller, self.id = teller, case_id
        self.events: dict[tuple[str, str], Event] = {}
        self.folded: Folded | None = None
        self.told: dict[str, Told] = {}
        self.overruled: set[tuple[str, str]] = set()
        self.expected = Expected()
        self.now = NEVER

    # Events come in.

    def take_in(self, arrival: Arrival) -> None:
        changed = [self._accept(event, received) for event, received in zip(arrival.events, arrival.receipts)]
        if any(changed):
            self._settle(arrival.as_of)
            self._note_overruled(arrival.as_of)

    def _accept(self, event: dict, received: int) -> bool:
        """Checks per event, in this order: duplicate, id_conflict, future_dated (DESIGN 7)."""
        count = self.expected.outcomes
        key, content, claimed = (event["source"], event["id"]), content_of(event), parse_instant(event["time"])
        known = self.events.get(key)
        if known is not None:
            count["duplicate" if known.content == content else "id_conflict"] += 1
            return False
        source = self.teller.rulebook.sources[event["source"]]
        counts_from: int | None = received
        if source.trusted_before is not None and claimed < source.trusted_before:
            # Treated as in a file: received when it says that it was recorded, or who knows when.
            counts_from = parse_instant(event["recordedtime"]) if "recordedtime" in event else None
        if counts_from is not None and claimed > counts_from + DAY:
            count["future_dated"] += 1
            return False
        count["applied"] += 1
        self.events[key] = event_of(event, claimed, counts_from, content)
        self.events[key].came = received
        return True

    def _settle(self, decide_until: int) -> None:
        """Folds the case and keeps each decision that was taken: it holds for ever."""
        self.folded = self.teller.fold(self.id, list(self.events.values()), decide_until)
        for fact in self.folded.case.decided if self.folded else []:
            event = Event("dispatched", PIPELINE, fact.id, fact.counted, 0, False, None, fact.data, b"", decide_until)
            self.events[PIPELINE, fact.id] = event
            if self._is_news(fact.counted, fact.data["pin"]["slot"]):
                self.expected.notices["dispatched"] += 1

    def _is_news(self, decided_at: int, slot: str) -> bool:
        """Nothing is told of a decision whose slot was opened by a fact that came in too late."""
        opened = next((event for event in self.events.values() if key_of(event.source, event.id) == slot), None)
        return opened is None or opened.came is None or opened.came - decided_at <= LATE_MAX

    def _note_overruled(self, as_of: int) -> None:
        """The hotline dispatched the case itself, as came out after our decision: that is withdrawn once."""
        for pin in [event for event in self.events.values() if event.source == PIPELINE]:
            slot = pin.data["pin"]["slot"]
            slots = [slot for round_ in self.folded.case.rounds for slot in round_.slots] if self.folded else []
            filler = next((found.filled_by for found in slots if found.key == slot), None)
            if filler is None or (slot, filler.key) in self.overruled:
                continue
            came = self.events[filler.source, filler.id].came
            if as_of - came <= LATE_MAX and self._is_news(pin.claimed, slot):
                self.overruled.add((slot, filler.key))
                self.expected.notices["dispatch_withdrawn"] += 1

    # Somebody looks.

    def wakes_at(self) -> int | None:
        """When something falls due: an alarm that was not told, or a decision of ours."""
        if self.folded is None:
            return None
        untold = [alarm.deliver_at for alarm in self.folded.ladder if self._is_untold(alarm)]
        return min([at for at in untold + self.folded.case.proposed if at > self.now], default=None)

    def _is_untold(self, alarm: Alarm) -> bool:
        before = self.told.get(alarm.id)
        if before is not None and before.telling == "missed":
            # It falls due anew.
            return alarm.at > before.alarm.at
        return before is None or before.telling == "withdrawn"

    def look(self, now: int) -> None:
        self.now = now
        if self.folded is None:
            return
        if any(at <= now for at in self.folded.case.proposed):
            self._settle(now)
        true = {alarm.id: alarm for alarm in self.folded.ladder}
        for name, told in list(self.told.items()):
            if told.telling == "raised" and not self._still_true(true.get(name), told, now):
                self._tell(Told(told.n + 1, "withdrawn", told.alarm), now, self._why(told.alarm))
        for alarm in self.folded.ladder:
            if self._is_untold(alarm) and alarm.deliver_at <= now:
                before = self.told.get(alarm.id)
                # Who is warned of work that is done learns nothing.
                is_idle = alarm.is_over and alarm.level in ("notice", "warning")
                is_news = self._was_heard(alarm) or not is_idle and self._was_known(alarm)
                telling = "raised" if is_news else "missed"
                step = 2 if before and before.telling == "missed" else 1
                self._tell(Told(before.n + step if before else 1, telling, alarm), now, None)

    def _was_heard(self, alarm: Alarm) -> bool:
        """Who was told of the rung, be it for another deadline or withdrawn since, hears that it is true."""
        return any(told.telling != "missed" and (told.alarm.clock, told.alarm.rung) == (alarm.clock, alarm.rung)
                   for told in self.told.values())

    @staticmethod
    def _still_true(alarm: Alarm | None, told: Told, now: int) -> bool:
        return alarm is not None and (alarm.at <= now or alarm.at == told.alarm.at)

    def _was_known(self, alarm: Alarm) -> bool:
        """Whether what came in up to a day after it fell due was enough to cause it."""
        until = alarm.at + LATE_MAX

        def known_at(event: Event) -> int:
            """A decision of ours may be taken late; it was due when what caused it was known."""
            return event.claimed if event.source == PIPELINE else event.came

        if all(known_at(event) <= until for event in self.events.values()):
            return True
        by_then = [event for event in self.events.values() if known_at(event) <= until]
        folded = self.teller.fold(self.id, by_then, NEVER) if by_then else None
        return folded is not None and any(known.id == alarm.id for known in folded.ladder)

    def _why(self, alarm: Alarm) -> str:
        """Why a rung that was raised is true no longer."""
        clocks = [clock for clock in self.folded.run.found if name_of(clock) == alarm.clock]
        clock = next((clock for clock in clocks if clock.due and clock.due.at == alarm.due_at), clocks[0] if clocks else None)
        if clock is None:
            return "clock_gone"
        if clock.due is None:
            return "held"
        if clock.due.at != alarm.due_at:
            return "deadline_moved"
        over = over_at(clock)
        if over is None or over > alarm.deliver_at:
            return "rung_moved"
        return "stopped" if clock.end_at is not None and clock.end_at <= alarm.deliver_at else "submitted"

    def _tell(self, told: Told, now: int, why: str | None) -> None:
        alarm = told.alarm
        self.told[alarm.id] = told
        if told.telling != "missed":
            self.expected.notices[told.telling] += 1
        self.expected.tellings.append({
            "case": self.id, "alarm": alarm.id, "n": told.n, "telling": told.telling, "why": why, "told_at": now,
            "level": alarm.level, "department": alarm.to, "due_at": alarm.due_at, "fell_due_at": alarm.at,
            "deliver_at": alarm.deliver_at})
