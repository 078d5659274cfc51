"""Instants, days and zones.

An instant is a whole number of microseconds since 1970-01-01T00:00:00Z, a day the ordinal of a date
(`datetime.date.toordinal`). Whole numbers compare and subtract without surprises, and there are many of them.
"""
from __future__ import annotations

import datetime as dt
import re
import zoneinfo

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def instant_of(moment: dt.datetime) -> int:
    """The instant of an aware datetime."""
    past = moment - EPOCH
    return (past.days * 86400 + past.seconds) * SECOND + past.microseconds


def parse_instant(text: str) -> int:
    """RFC 3339 with an offset, kept to the microsecond."""
    moment = dt.datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        raise ValueError(f"{text}: an instant needs an offset")
    return instant_of(moment)


def parse_day(text: str) -> int:
    return dt.date.fromisoformat(text).toordinal()


def show_day(day: int | None) -> str:
    return "-" if day is None else dt.date.fromordinal(day).isoformat()


def parse_span(text: str) -> tuple[int, str]:
    """`24 hour`, `1 working_day`: a number and a unit."""
    found = re.fullmatch(r"\s*(\d+)\s*([a-z_]+?)s?\s*", text)
    if not found:
        raise ValueError(f"{text}: not a span")
    return int(found[1]), found[2]


def span_length(text: str) -> int:
    """The length of a span of exact time, in microseconds."""
    number, unit = parse_span(text)
    return number * {"second": SECOND, "minute": 60 * SECOND, "hour": HOUR, "day": DAY, "calendar_day": DAY}[unit]


class Zone:
    """A time zone with its offsets remembered: they change at quarters of an hour at most."""

    QUARTER = 900 * SECOND

    def __init__(self, name: str) -> None:
        self.name = name
        self.info = zoneinfo.ZoneInfo(name)
        self._offsets: dict[int, int] = {}
        self._midnights: dict[int, int] = {}

    def offset(self, at: int) -> int:
        quarter = at // self.QUARTER
        known = self._offsets.get(quarter)
        if known is None:
            moment = EPOCH + dt.timedelta(microseconds=at)
            away = moment.astimezone(self.info).utcoffset()
            known = self._offsets[quarter] = (away.days * 86400 + away.seconds) * SECOND
        return known

    def day(self, at: int) -> int:
        """The local day of an instant."""
        return (at + self.offset(at)) // DAY + EPOCH_DAY

    def time_of_day(self, at: int) -> int:
        """Microseconds since local 00:00 by the clock on the wall."""
        return (at + self.offset(at)) % DAY

    def at(self, day: int, time_of_day: int = 0) -> int:
        """The instant of a local time; one that a change of offset leaves out is moved on, of two the earlier."""
        if time_of_day == 0:
            known = self._midnights.get(day)
            if known is not None:
                return known
        local = dt.datetime.combine(dt.date.fromordinal(day), dt.time()) + dt.timedelta(microseconds=time_of_day)
        found = instant_of(local.replace(tzinfo=self.info))
        if time_of_day == 0:
            self._midnights[day] = found
        return found

    def show(self, at: int | None) -> str:
        if at is None:
            return "-"
        return (EPOCH + dt.timedelta(microseconds=at)).astimezone(self.info).isoformat()


_zones: dict[str, Zone] = {}


def zone(name: str) -> Zone:
    if name not in _zones:
        _zones[name] = Zone(name)
    return _zones[name]
