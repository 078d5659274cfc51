"""Calendars (DESIGN 8): which days are worked, of which kind the others are, when the office is open."""
from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import instants
from instants import DAY, HOUR, SECOND, Zone

WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
FAR_PAST, FAR_FUTURE = dt.date(1, 1, 1).toordinal(), dt.date(9999, 12, 31).toordinal()


def time_of_day(text: str) -> int:
    hour, minute = text.split(":")[:2]
    return int(hour) * HOUR + int(minute) * 60 * SECOND


@dataclass
class Season:
    """Office hours and the days on which they hold, both included."""

    first: int
    last: int
    spans: list[tuple[int, int]]


@dataclass
class Calendar:
    id: str
    zone: Zone
    rest_weekdays: set[int]
    kinds: dict[int, str]
    seasons: list[Season]
    known_from: int = FAR_PAST
    known_until: int = FAR_FUTURE
    extends: str | None = None
    regions: list[str] = field(default_factory=list)

    def kind(self, day: int) -> str | None:
        """festival, rest, work, or nothing special; outside the known range only rest days apply."""
        return self.kinds.get(day) if self.known_from <= day <= self.known_until else None

    def works(self, day: int) -> bool:
        kind = self.kind(day)
        if kind is not None:
            return kind == "work"
        return (day + 6) % 7 not in self.rest_weekdays

    def rolls(self, day: int, roll: str) -> bool:
        """Whether a last day of this kind moves on."""
        if roll == "festival":
            return self.kind(day) == "festival"
        if roll == "festival_or_rest":
            return self.kind(day) in ("festival", "rest")
        if roll == "non_working":
            return not self.works(day)
        return False

    def office_spans(self, day: int) -> list[tuple[int, int]]:
        """The office hours of a day as times of day, whether or not it is worked; the whole day if none are given."""
        for season in self.seasons:
            if season.first <= day <= season.last:
                return season.spans
        return [(0, DAY)]

    def working_spans(self, day: int, unit: str) -> list[tuple[int, int]]:
        """The spans of a day that count for hours of this unit, as instants."""
        if not self.works(day):
            return []
        if unit == "round_clock_hour":
            return [(self.zone.at(day), self.zone.at(day + 1))]
        return [(self._at(day, begin), self._at(day, end)) for begin, end in self.office_spans(day)]

    def _at(self, day: int, time: int) -> int:
        return self.zone.at(day + 1) if time >= DAY else self.zone.at(day, time)

    def close_of_office(self, day: int) -> int:
        return self._at(day, self.office_spans(day)[-1][1])

    def next_opening(self, at: int) -> int:
        """The instant itself within office hours (closed at both ends), else when the office opens next."""
        day = self.zone.day(at)
        while True:
            for begin, end in self.working_spans(day, "working_hour"):
                if at <= end:
                    return max(at, begin)
            day += 1


def load(document: dict, base: Calendar | None) -> Calendar:
    """A calendar file; with `extends` it holds only the differing days."""
    days = {day["date"].toordinal(): day["kind"] for day in document.get("day", [])}

    def ordinal(name: str, other: int) -> int:
        return document[name].toordinal() if name in document else other

    seasons = []
    for hours in document.get("hours", []):
        spans = hours.get("office_hours") or hours.get("spans") or []
        first = hours["from"].toordinal() if "from" in hours else FAR_PAST
        last = hours["until"].toordinal() if "until" in hours else FAR_FUTURE
        seasons.append(Season(first, last, [(time_of_day(a), time_of_day(b)) for a, b in spans]))
    if "office_hours" in document:
        spans = [(time_of_day(a), time_of_day(b)) for a, b in document["office_hours"]]
        seasons.append(Season(FAR_PAST, FAR_FUTURE, spans))
    if base is None:
        rest = {WEEKDAYS.index(name) for name in document.get("rest_days", [])}
        return Calendar(document["id"], instants.zone(document["timezone"]), rest, days, seasons,
                        ordinal("known_from", FAR_PAST), ordinal("known_until", FAR_FUTURE))
    return Calendar(document["id"], base.zone, base.rest_weekdays, base.kinds | days, seasons or base.seasons,
                    ordinal("known_from", base.known_from), ordinal("known_until", base.known_until),
                    base.id, document.get("regions", []))
