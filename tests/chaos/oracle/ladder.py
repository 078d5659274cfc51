"""The ladder of a case (DESIGN 8 and 11): which rungs are true of it, when each falls due, and whom it tells."""
from __future__ import annotations

from dataclasses import dataclass

from calendars import Calendar
from case import Case
from clocks import Clock, Clocks
from deadline import DAY_UNITS, Due, Hold, Terms, count_days, reach, spend_hours
from instants import DAY, HOUR, SECOND
from rulebook import Rulebook, Rung
from verdict import OFFICE_FAMILIES, judge

# Where the office is open in quiet hours only, the two never agree: then it is told when these end first.
TURNS_MAX = 16
MINUTES = {"minute": 60 * SECOND, "hour": HOUR}


@dataclass(frozen=True)
class Alarm:
    # Round, stage, tier and custody: what the rungs of one clock share.
    clock: str
    rung: str
    due_at: int
    # When it falls due, and when it may be told.
    at: int
    deliver_at: int
    level: str
    to: str | None
    # Its clock has ended since.
    is_over: bool = False

    @property
    def id(self) -> str:
        return f"{self.clock}.{self.rung}.{self.due_at // SECOND}"


def name_of(clock: Clock) -> str:
    """As an acknowledgement names it; of a custody the first half of the key of the dispatch that opened it."""
    custody = clock.custody.fact.key[:16] if clock.custody else "-"
    return f"{clock.round.number}.{clock.policy.stage}.{clock.policy.tier}.{custody}"


def over_at(clock: Clock) -> int | None:
    """From when on nothing is told of a clock: its stop or end, or a submission in time that waits for review."""
    ends = [clock.end_at] if clock.end_at is not None else []
    review = clock.review
    if review is not None and clock.due is not None and clock.due.in_time(review.at, review.day):
        ends.append(review.at)
    return min(ends, default=None)


def ladder(rulebook: Rulebook, case: Case, run: Clocks, as_of: int) -> list[Alarm]:
    """The rungs that are true of a case, in the order in which they fall due."""
    found: list[tuple[tuple, Alarm]] = []
    for clock in run.found:
        if not clock.policy.alarms or clock.due is None:
            continue
        judge(case, clock, as_of)
        over = over_at(clock)
        for place, rung in enumerate(clock.policy.alarms):
            # What would be told before the clock has started is told at its start.
            at = max(_falls_due(clock, rung), clock.start_at)
            deliver_at = _deliverable(rulebook, clock, rung, at)
            # What is over when it could be told is no news any more.
            if over is not None and over <= deliver_at:
                continue
            to = rung.to or _answers(case, clock, at)
            alarm = Alarm(name_of(clock), rung.name, clock.due.at, at, deliver_at, rung.level, None if to == "-" else to,
                          over is not None)
            found.append(((at, clock.round.number, clock.policy.stage, place), alarm))
    found.sort(key=lambda entry: entry[0])
    alarms = _unacknowledged(case, [alarm for _, alarm in found])
    # Two clocks of one name may have one deadline, as where the same supervision comes again: it is told once.
    return list({alarm.id: alarm for alarm in reversed(alarms)}.values())[::-1]


def _answers(case: Case, clock: Clock, at: int) -> str:
    """Of a case clock whoever leads at that instant, of a custody its department, of the office's own work the office."""
    if clock.custody is None and clock.policy.family not in OFFICE_FAMILIES:
        lead = clock.round.lead_just_before(at)
        if lead is not None:
            return lead.department
    return case.office if clock.department == "-" else clock.department


def _unacknowledged(case: Case, alarms: list[Alarm]) -> list[Alarm]:
    """An acknowledgement ends the ladder of the alarm it names, if that had fallen due by then: later rungs of the same
    deadline are not raised."""
    ends = []
    for round_ in case.rounds:
        for taken in round_.taken:
            if taken.fact.kind == "acknowledged":
                named = next((alarm for alarm in alarms if alarm.id == taken.fact.data["alarm"] and alarm.at <= taken.at), None)
                if named is not None:
                    ends.append((taken.at, named.clock, named.due_at))
    return [alarm for alarm in alarms
            if not any(alarm.deliver_at > at and (alarm.clock, alarm.due_at) == of for at, *rest in ends for of in [tuple(rest)])]


# When a rung falls due.

def _falls_due(clock: Clock, rung: Rung) -> int:
    if rung.share is not None:
        return _share(clock, rung.share)
    if rung.before is not None:
        return _before(clock.calendar, clock.due, *rung.before)
    return _after(clock.calendar, clock.due, *rung.after)


def _last_day(calendar: Calendar, due: Due) -> tuple[int, int]:
    """The day of the deadline and the time of it: 24:00 where it is the end of that day."""
    zone = calendar.zone
    if due.at == zone.at(due.on + 1):
        return due.on, DAY
    return zone.day(due.at), zone.time_of_day(due.at)


def _on(calendar: Calendar, day: int, time: int) -> int:
    return calendar.zone.at(day + 1) if time == DAY else calendar.zone.at(day, time)


def _before(calendar: Calendar, due: Due, number: int, unit: str) -> int:
    if unit in MINUTES:
        return due.at - number * MINUTES[unit]
    day, time = _last_day(calendar, due)
    if unit == "calendar_day":
        return _on(calendar, day - number, time)
    if unit == "working_day":
        # Counted from the last working day: one before the end of a Sunday begins the Friday.
        while not calendar.works(day):
            day -= 1
        for _ in range(number):
            day -= 1
            while not calendar.works(day):
                day -= 1
        return _on(calendar, day, time)
    return _hours_before(calendar, due.at, number * HOUR, unit)


def _hours_before(calendar: Calendar, at: int, left: int, unit: str) -> int:
    """The earliest instant from which so many hours of a calendar are left."""
    day = calendar.zone.day(at)
    while True:
        for begin, end in reversed(calendar.working_spans(day, unit)):
            length = min(end, at) - begin
            if length <= 0:
                continue
            if left <= length:
                found = min(end, at) - left
                # What begins a span ended with the one before.
                return _close_before(calendar, day, begin, unit) if found == begin and left else found
            left -= length
        day -= 1


def _close_before(calendar: Calendar, day: int, begin: int, unit: str) -> int:
    while True:
        ended = [end for _, end in calendar.working_spans(day, unit) if end <= begin]
        if ended:
            return ended[-1]
        day -= 1


def _after(calendar: Calendar, due: Due, number: int, unit: str) -> int:
    if unit in MINUTES:
        return due.at + number * MINUTES[unit]
    if number == 0:
        return due.at
    if unit in DAY_UNITS:
        day, time = _last_day(calendar, due)
        return _on(calendar, count_days(calendar, day, number, unit, []), time)
    return spend_hours(calendar, due.at, number, unit, [])[0]


def _share(clock: Clock, percent: int) -> int:
    """When so much of what the clock counts, extensions included, has been counted: rest days and holds bring it no
    nearer. A deadline that came with the case knows only its start and end: a share of the time between."""
    start, due_at = clock.start_at, clock.due.at
    spans = [] if clock.own_due_at is not None else _counted(clock.calendar, clock.terms, clock)
    if not spans:
        return start + max(due_at - start, 0) * percent // 100
    left = sum(end - begin for begin, end in spans) * percent // 100
    for begin, end in spans:
        if left <= end - begin:
            return min(max(begin + left, start), max(due_at, start))
        left -= end - begin
    raise AssertionError("a share is not more than the whole")


def _counted(calendar: Calendar, terms: Terms, clock: Clock) -> list[tuple[int, int]]:
    """The spans that were counted; of days the whole day."""
    end = reach(calendar, terms, clock.start_at, clock.holds, clock.grants)
    spans: list[tuple[int, int]] = []
    for first, last, unit in end.counted:
        if unit in DAY_UNITS:
            day = count_days(calendar, first, 1, unit, end.holds)
            while day is not None and day <= last:
                spans.append((calendar.zone.at(day), calendar.zone.at(day + 1)))
                day = count_days(calendar, day, 1, unit, end.holds)
        elif unit == "hour":
            spans += _without(first, last, end.holds)
        else:
            for day in range(calendar.zone.day(first), calendar.zone.day(last) + 1):
                for begin, close in calendar.working_spans(day, unit):
                    spans += _without(max(begin, first), min(close, last), end.holds)
    return spans


def _without(begin: int, end: int, holds: list[Hold]) -> list[tuple[int, int]]:
    """What of a span is not held."""
    spans = []
    for hold in holds:
        if hold.begin >= end:
            break
        if hold.begin > begin:
            spans.append((begin, hold.begin))
        begin = max(begin, end if hold.end is None else hold.end)
    return spans + ([(begin, end)] if begin < end else [])


# When it may be told.

def _deliverable(rulebook: Rulebook, clock: Clock, rung: Rung, at: int) -> int:
    """Within office hours where the rung says so; quiet hours hold back what is not a critical breach."""
    critical = rung.level == "breach" and clock.policy.tier == "statutory"
    first = None
    for _ in range(TURNS_MAX):
        told = clock.calendar.next_opening(at) if rung.office_hours else at
        if not critical:
            told = _after_quiet(rulebook, told)
        if told == at:
            return at
        first = told if first is None else first
        at = told
    return first


def _after_quiet(rulebook: Rulebook, at: int) -> int:
    if rulebook.quiet_hours is None:
        return at
    begin, end = rulebook.quiet_hours
    zone = rulebook.zone
    day, time = zone.day(at), zone.time_of_day(at)
    if begin < end:
        return zone.at(day, end) if begin <= time < end else at
    if time >= begin:
        return zone.at(day + 1, end)
    return zone.at(day, end) if time < end else at
