"""Deadline arithmetic (DESIGN 7 and 8): from a start, a limit, holds and extensions to the last instant in time."""
from __future__ import annotations

from dataclasses import dataclass

from calendars import Calendar
from instants import HOUR

DAY_UNITS = ("calendar_day", "working_day")


@dataclass(frozen=True)
class Due:
    """A deadline: the instant, the last day in time, and whether the instant itself is still in time."""

    at: int
    on: int
    end_of_day: bool

    def in_time(self, at: int, day: int | None = None) -> bool:
        """Whether something at this instant is in time; a fact of which only the day is known is compared by date."""
        if day is not None:
            return day <= self.on
        return at < self.at if self.end_of_day else at <= self.at


@dataclass(frozen=True)
class Terms:
    """How long, in which unit, and how the end is found."""

    limit: int
    unit: str
    outside_hours: str = "as_is"
    ends_at: str = "end_of_day"
    roll: str = "none"

    @property
    def by_days(self) -> bool:
        return self.unit in DAY_UNITS


@dataclass(frozen=True)
class Hold:
    """A span in which a clock does not run; without an end it has not ended."""

    begin: int
    end: int | None
    reason: str


@dataclass(frozen=True)
class Grant:
    """An extension that has effect: so much more from the old deadline, the day of grant or the start, or until then."""

    origin: str  # old_due, grant, start, until
    limit: int = 0
    unit: str = ""
    at: int = 0
    until: int = 0
    until_day: int | None = None


def unite(holds: list[Hold], start: int) -> list[Hold]:
    """Overlaps are united; what lies before the start is cut off."""
    united: list[Hold] = []
    for hold in sorted(holds, key=lambda hold: hold.begin):
        begin = max(hold.begin, start)
        if hold.end is not None and hold.end <= begin:
            continue
        last = united[-1] if united else None
        if last is not None and (last.end is None or begin <= last.end):
            if last.end is not None and (hold.end is None or hold.end > last.end):
                united[-1] = Hold(last.begin, hold.end, f"{last.reason}+{hold.reason}")
            continue
        united.append(Hold(begin, hold.end, hold.reason))
    return united


def count_days(calendar: Calendar, day: int, limit: int, unit: str, holds: list[Hold]) -> int | None:
    """The limit-th counted day after `day`. A held day d, held day <= d < released day, does not count."""
    zone = calendar.zone
    held = [(zone.day(hold.begin), None if hold.end is None else zone.day(hold.end)) for hold in holds]
    left = limit
    while left:
        day += 1
        if unit == "working_day" and not calendar.works(day):
            continue
        if any(first <= day and last is None for first, last in held):
            return None
        if any(first <= day and last is not None and day < last for first, last in held):
            continue
        left -= 1
    return day


def spend_hours(calendar: Calendar, start: int, limit: int, unit: str, holds: list[Hold]) -> tuple[int, bool] | None:
    """Where so many hours are used up, and whether that is the end of a span that counts."""
    left = limit * HOUR
    if unit == "hour":
        spans = iter([(start, None)])
    else:
        spans = (span for day in _days_from(calendar.zone.day(start)) for span in calendar.working_spans(day, unit))
    for begin, end in spans:
        at = max(begin, start)
        for hold in holds:
            if end is not None and hold.begin >= end:
                break
            if hold.end is not None and hold.end <= at:
                continue
            if hold.begin > at:
                if left <= hold.begin - at:
                    return at + left, False
                left -= hold.begin - at
            if hold.end is None:
                return None
            at = hold.end
        if end is None:
            return at + left, False
        if at >= end:
            continue
        if left <= end - at:
            return at + left, left == end - at
        left -= end - at
    return None


def _days_from(day: int):
    while True:
        yield day
        day += 1


class End:
    """An end in the making: a last day, or an instant, to which extensions add before it is rolled and written out."""

    def __init__(self, calendar: Calendar, terms: Terms, start: int, holds: list[Hold]) -> None:
        self.calendar, self.terms, self.holds = calendar, terms, holds
        self.start = calendar.next_opening(start) if terms.outside_hours == "next_opening" else start
        self.day: int | None = None
        self.at: int | None = None
        self.span_end = False
        self.held = False
        # What was counted to get there: from which day or instant to which, in which unit.
        self.counted: list[tuple[int, int, str]] = []

    def count(self) -> None:
        self._from(self.start, self.terms.limit, self.terms.unit)

    def _from(self, start: int, limit: int, unit: str) -> None:
        if unit in DAY_UNITS:
            first = self.calendar.zone.day(start)
            self.day = count_days(self.calendar, first, limit, unit, self.holds)
            self.held = self.day is None
            self.counted.append((first, self.day, unit))
            return
        spent = spend_hours(self.calendar, start, limit, unit, self.holds)
        self.held = spent is None
        if spent is not None:
            self.day = None
            self.at, self.span_end = spent
            self.counted.append((start, self.at, unit))

    def add(self, grant: Grant) -> None:
        """An extension never ends before the old deadline."""
        if self.held:
            return
        old = self.written(rolled=False)
        before, counted = (self.day, self.at, self.span_end), list(self.counted)
        if grant.origin == "until":
            if grant.until_day is not None and self.terms.by_days and self.terms.ends_at == "end_of_day":
                self.day, self.at = grant.until_day, None
            elif grant.until_day is not None:
                self.day, self.at, self.span_end = None, self.calendar.zone.at(grant.until_day + 1), True
            else:
                self.day, self.at, self.span_end = None, grant.until, False
        elif grant.unit in DAY_UNITS:
            origin = {"old_due": old.on, "grant": self.calendar.zone.day(grant.at),
                      "start": self.calendar.zone.day(self.start)}[grant.origin]
            self.day = count_days(self.calendar, origin, grant.limit, grant.unit, self.holds)
            if self.day is None:
                self.held = True
                return
            self._take_the_place(grant)
            self.counted.append((origin, self.day, grant.unit))
        else:
            origin = {"old_due": old.at, "grant": grant.at, "start": self.start}[grant.origin]
            self._take_the_place(grant)
            self._from(origin, grant.limit, grant.unit)
            if self.held:
                return
        if self.written(rolled=False).at < old.at:
            (self.day, self.at, self.span_end), self.counted = before, counted

    def _take_the_place(self, grant: Grant) -> None:
        """What is granted from the grant or the start on stands for what was counted from there on; days are whole days."""
        if grant.origin == "old_due":
            return
        at = grant.at if grant.origin == "grant" else self.start
        ends = [(first, min(last, self.calendar.zone.day(at) if unit in DAY_UNITS else at), unit)
                for first, last, unit in self.counted]
        self.counted = [(first, last, unit) for first, last, unit in ends if first < last]

    def written(self, rolled: bool = True) -> Due:
        calendar, zone, terms = self.calendar, self.calendar.zone, self.terms
        if self.day is None:
            at = self.at
            on = zone.day(at)
            if self.span_end and at == zone.at(on):
                on -= 1
            return Due(at, on, False)
        day = self.day
        while rolled and calendar.rolls(day, terms.roll):
            day += 1
        if terms.by_days and terms.ends_at == "end_of_day":
            return Due(zone.at(day + 1), day, True)
        if terms.ends_at == "close_of_office":
            return Due(calendar.close_of_office(day), day, False)
        time = zone.time_of_day(self.at if self.at is not None else self.start)
        if self.at is not None and self.span_end and time == 0:
            return Due(zone.at(day + 1), day, False)
        return Due(zone.at(day, time), day, False)


def due(calendar: Calendar, terms: Terms, start: int, holds: list[Hold], grants: list[Grant],
        own_due_at: int | None = None) -> Due | None:
    """The deadline, or nothing while a hold has no end."""
    end = reach(calendar, terms, start, holds, grants, own_due_at)
    return end.written() if end is not None else None


def reach(calendar: Calendar, terms: Terms, start: int, holds: list[Hold], grants: list[Grant],
          own_due_at: int | None = None) -> End | None:
    """Where it ends, and by which counting. A hold begun after the deadline changes nothing, so they are added one by one,
    from the first to the last. A deadline that was sent is taken as it stands: nothing is counted that a hold could stop, and an
    extension is added to it as it is. So is one that a grant names, but for a hold that stands before the deadline it replaces."""

    def with_holds(active: list[Hold]) -> End | None:
        end = End(calendar, terms, start, active)
        if own_due_at is None:
            end.count()
        else:
            end.at = own_due_at
        for grant in grants:
            end.add(grant)
        return None if end.held else end

    found = with_holds([])
    if own_due_at is not None:
        return found
    active: list[Hold] = []
    for hold in unite(holds, start):
        if not found.written().in_time(hold.begin):
            break
        if hold.end is None:
            before = reach(calendar, terms, start, active, grants[:-1]) if grants and grants[-1].origin == "until" else None
            is_named = before is not None and not before.written().in_time(hold.begin)
            return found if is_named else None
        active.append(hold)
        found = with_holds(active)
    return found
