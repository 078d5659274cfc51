"""The first pass (DESIGN 7): which facts act, when each counts, in which order."""
from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from decode import PIPELINE, PREFIX, SUFFIX, Event
from instants import Zone, parse_instant
from rulebook import Rulebook

# Life-cycle rank: the order of the table of event types.
RANKS = {kind: rank for rank, kind in enumerate(
    "received amended supplemented linked dispatched signed contacted replied accepted refused return_requested "
    "return_refused returned extension_requested extension_refused extended held released verified notified submitted "
    "close_refused closed merged split withdrawn rated reopened urged supervised supervision_answered acknowledged "
    "appealed ruled milestone snapshot corrected".split())}

# Members of a fact that its key leaves out, as what is stored does.
PERSONAL = frozenset("title content address reporter respondent links".split())

# After every sequence.
LAST = 1 << 63


@dataclass(slots=True, eq=False)
class Fact:
    kind: str
    source: str
    id: str
    key: str
    claimed: int
    sequence: int
    received: int | None
    counted: int
    # The day of a fact of which only the day is known; none where it counts at its receipt.
    day: int | None
    data: dict
    zone: Zone
    flags: list[str] = field(default_factory=list)
    # Only its day is known, wherever it counts.
    day_only: bool = False

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Our own decision is taken when nothing of its instant that could fill the slot, or close the round, can still come."""
        sequence = LAST if self.source == PIPELINE else self.sequence
        return self.counted, sequence, RANKS[self.kind], self.key


def key_of(source: str, *rest: str) -> str:
    """The event key: the first 16 bytes of SHA-256(source, 0, …), as hexadecimal digits, which sort alike."""
    return hashlib.sha256(b"\0".join(part.encode() for part in (source, *rest))).hexdigest()[:32]


def _visible(event: Event, as_of: int) -> bool:
    """Unseen are facts received after the as-of, or claimed after it where no receipt is known (DESIGN 15)."""
    return (event.claimed if event.received is None else event.received) <= as_of


class Admission:
    """The facts of one case that act, in order."""

    def __init__(self, rulebook: Rulebook, events: list[Event], as_of: int) -> None:
        self.rulebook = rulebook
        visible = [event for event in events if _visible(event, as_of)]
        facts = [self._fact(event) for event in visible if event.kind not in ("corrected", "snapshot")]
        corrections = [self._fact(event) for event in visible if event.kind == "corrected"]
        snapshots = [self._fact(event) for event in visible if event.kind == "snapshot"]
        in_force = self._resolve(corrections)
        self.facts = [fact for fact in (self._corrected(fact, in_force) for fact in facts) if fact is not None]
        self.facts += self._newest(snapshots, in_force)
        self.facts.sort(key=lambda fact: fact.order)

    def _fact(self, event: Event) -> Fact:
        zone = self.rulebook.zone if event.source == PIPELINE else self.rulebook.sources[event.source].zone
        fact = Fact(event.kind, event.source, event.id, key_of(event.source, event.id), event.claimed, event.sequence,
                    event.received, 0, zone.day(event.claimed) if event.day_only else None, event.data, zone, day_only=event.day_only)
        self._count(fact)
        return fact

    def _count(self, fact: Fact) -> None:
        """Three times: claimed, received, counted. A fact of precision day stands at the end of its day."""
        # Of a corrected time nothing is said any more of the time before.
        fact.flags = [flag for flag in fact.flags if flag not in ("clock_ahead", "backdated")]
        claimed = fact.claimed
        if fact.day is not None:
            fact.day = fact.zone.day(claimed)
            claimed = fact.zone.at(fact.day + 1) - 1
        fact.counted = claimed
        if fact.received is None or fact.source == PIPELINE:
            return
        source = self.rulebook.sources[fact.source]
        if claimed > fact.received:
            if fact.day is None or fact.day > fact.zone.day(fact.received):
                fact.flags.append("clock_ahead")
                self._count_received(fact)
        elif claimed < fact.received - source.backdate_max:
            fact.flags.append("backdated")
            if source.late_stop == "received" and fact.kind != "received":
                self._count_received(fact)

    @staticmethod
    def _count_received(fact: Fact) -> None:
        fact.counted = fact.received
        fact.day = None

    @staticmethod
    def _resolve(corrections: list[Fact]) -> dict[tuple[str, str, str], Fact]:
        """Corrections are resolved from the last to the first; of several in force the last wins. One names another only
        if that sorts before it."""
        corrections.sort(key=lambda fact: fact.order)
        place = {(fact.source, fact.id): number for number, fact in enumerate(corrections)}
        voided: set[int] = set()
        in_force: dict[tuple[str, str, str], Fact] = {}
        for number in range(len(corrections) - 1, -1, -1):
            if number in voided:
                continue
            correction = corrections[number]
            names = correction.data["corrects"]
            target = place.get((names["source"], names["id"]))
            if names["type"] == f"{PREFIX}corrected{SUFFIX}":
                if target is not None and target < number and correction.data.get("void"):
                    voided.add(target)
                continue
            # A decision of ours is not corrected: the hotline dispatches the case itself.
            if names["source"] != PIPELINE:
                in_force.setdefault((names["source"], names["id"], names["type"]), correction)
        return in_force

    def _corrected(self, fact: Fact, in_force: dict[tuple[str, str, str], Fact]) -> Fact | None:
        """The fact as corrected: it keeps its receipt, and a new time is tested against that."""
        correction = in_force.get((fact.source, fact.id, f"{PREFIX}{fact.kind}{SUFFIX}"))
        if correction is None:
            return fact
        fact.flags.append("corrected")
        if correction.data.get("void"):
            return None
        fact.data = correction.data.get("data", fact.data)
        if "time" in correction.data:
            fact.claimed = parse_instant(correction.data["time"])
            # A correction says nothing of how exactly the time is known.
            fact.day = fact.zone.day(fact.claimed) if fact.day_only else None
            self._count(fact)
        return fact

    def _newest(self, snapshots: list[Fact], in_force: dict[tuple[str, str, str], Fact]) -> list[Fact]:
        """Of one source the newest snapshot alone acts; a fact in it was received when a snapshot first held it."""
        newest: dict[str, Fact] = {}
        first_held: dict[str, int | None] = {}
        for snapshot in sorted(snapshots, key=lambda fact: (fact.claimed, fact.sequence, fact.key)):
            newest[snapshot.source] = snapshot
            for said in snapshot.data["facts"]:
                key = self._inner_key(snapshot.source, said)
                if key not in first_held:
                    first_held[key] = snapshot.received
                elif snapshot.received is not None:
                    before = first_held[key]
                    first_held[key] = snapshot.received if before is None else min(before, snapshot.received)
        found: dict[str, Fact] = {}
        for snapshot in newest.values():
            correction = in_force.get((snapshot.source, snapshot.id, f"{PREFIX}snapshot{SUFFIX}"))
            if correction is not None and correction.data.get("void"):
                continue
            for said in snapshot.data["facts"]:
                key = self._inner_key(snapshot.source, said)
                claimed = parse_instant(said["time"])
                fact = Fact(said["type"][len(PREFIX):-len(SUFFIX)], snapshot.source, "", key, claimed, 0,
                            first_held[key], 0, snapshot.zone.day(claimed) if said.get("precision") == "day" else None,
                            said.get("data") or {}, snapshot.zone)
                self._count(fact)
                found[key] = fact
        return list(found.values())

    @staticmethod
    def _inner_key(source: str, said: dict) -> str:
        public = {name: value for name, value in (said.get("data") or {}).items() if name not in PERSONAL}
        data = json.dumps(public, sort_keys=True, ensure_ascii=False)
        return key_of(source, said["type"], said["time"], data)


def admit(rulebook: Rulebook, events: list[Event], as_of: int) -> list[Fact]:
    return Admission(rulebook, events, as_of).facts
