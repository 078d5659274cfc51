"""What the walk finds out about a case: rounds, custody, submissions, holds (DESIGN 7)."""
from __future__ import annotations

from dataclasses import dataclass, field

from admit import Fact
from deadline import Hold

CLOSING = ("closed", "refused", "merged", "split", "withdrawn")


@dataclass(eq=False)
class Submission:
    at: int
    day: int | None
    fact: Fact
    refused_at: int | None = None


@dataclass(eq=False)
class Request:
    """A department asks to give the case back; `answered_at` is the grant or the refusal."""

    at: int
    day: int | None
    answered_at: int | None = None


@dataclass(eq=False)
class Custody:
    """Who holds the case, from when to when, from whom, and how it ended."""

    department: str
    dispatched_from: str
    role: str
    fact: Fact
    begin: int
    parent: "Custody | None"
    # The lead that this one takes over from.
    previous: "Custody | None" = None
    end: int | None = None
    ended: str | None = None
    end_day: int | None = None
    submissions: list[Submission] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    succeeded: bool = False
    # A return was refused for good.
    barred: bool = False

    def standing(self) -> Submission | None:
        return next((found for found in self.submissions if found.refused_at is None), None)

    def holds_at(self, at: int) -> bool:
        return self.begin <= at and (self.end is None or at < self.end)


@dataclass(eq=False)
class Taken:
    """A fact as taken in the walk: in its round, and by which custodies, if it names a department."""

    fact: Fact
    at: int
    custodies: list[Custody]
    # The lead at that instant, for what names no department.
    lead: Custody | None
    # What was true then of what is amended.
    attributes: "Attributes"


@dataclass(eq=False)
class RoundHold:
    reason: str
    stages: list[str]
    begin: int
    end: int | None

    def as_hold(self) -> Hold:
        return Hold(self.begin, self.end, self.reason)


@dataclass(eq=False)
class Slot:
    """A place in a round where a dispatch is due."""

    key: str
    instant: int
    filled: bool = False
    # The dispatch of the hotline that fills it.
    filled_by: Fact | None = None


@dataclass(eq=False)
class Round:
    number: int
    opening: Fact
    closing: Taken | None = None
    custodies: list[Custody] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    afterwards: list[Taken] = field(default_factory=list)
    holds: list[RoundHold] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    ratings: list[Fact] = field(default_factory=list)
    reopened: Taken | None = None

    @property
    def opened_at(self) -> int:
        return self.opening.counted

    @property
    def closed_at(self) -> int | None:
        return self.closing.at if self.closing else None

    @property
    def is_open(self) -> bool:
        return self.closing is None

    def open_custodies(self, department: str | None = None) -> list[Custody]:
        return [held for held in self.custodies
                if held.end is None and (department is None or held.department == department)]

    def leads(self) -> list[Custody]:
        return [held for held in self.custodies if held.role == "lead"]

    def lead(self) -> Custody | None:
        """The current lead: of several in force the one dispatched last."""
        return next((held for held in reversed(self.custodies) if held.role == "lead" and held.end is None), None)

    def lead_just_before(self, at: int) -> Custody | None:
        """The lead just before an instant."""
        return next((held for held in reversed(self.custodies) if held.role == "lead" and held.begin < at
                     and (held.end is None or held.end >= at)), None)


@dataclass(frozen=True)
class Attributes:
    """What policies, routing and classes compare (DESIGN 8)."""

    hotline: str
    case_type: str
    category: tuple[str, ...]
    region: str
    urgency: str
    channel: str
    origin: str
    tags: tuple[str, ...]


@dataclass(eq=False)
class Case:
    id: str
    hotline: str
    office: str
    received: Fact
    first: Attributes
    amendments: list[tuple[int, Attributes]]
    rounds: list[Round]
    rulings: list[Fact]
    unexpected: list[Fact]
    class_: str = "ordinary"
    decided: list[Fact] = field(default_factory=list)
    proposed: list[int] = field(default_factory=list)

    def attributes_at(self, at: int) -> Attributes:
        """What is amended is true from its time on."""
        found = self.first
        for since, attributes in self.amendments:
            if since <= at:
                found = attributes
        return found

    @property
    def latest(self) -> Attributes:
        return self.amendments[-1][1] if self.amendments else self.first

    def of_round(self, round_: Round) -> Attributes:
        """Those at its closing, else the latest."""
        return self.latest if round_.is_open else round_.closing.attributes
