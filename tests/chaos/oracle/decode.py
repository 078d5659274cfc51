"""Events from NDJSON files, gathered by case (DESIGN 6): duplicates, conflicting copies and receipts.

Events are taken as valid: what the schemas refuse is refused before anything is kept, and is not the oracle's affair."""
from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Iterable, Iterator

from instants import DAY, parse_instant
from rulebook import Rulebook

PIPELINE = "/hotline/pipeline"
PREFIX, SUFFIX = "hotline.case.", ".v1"
PERSONAL = ("title", "content", "address", "reporter", "respondent", "links")
NO_CONTENT = ("recordedtime", "traceparent", "tracestate")


@dataclass(slots=True)
class Event:
    """An event as accepted: `received` is the earliest receipt over all its copies, or unknown."""

    kind: str
    source: str
    id: str
    claimed: int
    sequence: int
    day_only: bool
    received: int | None
    data: dict
    content: bytes
    # When it came to us, whatever its source said of that; alarms go by it.
    came: int | None = None


@dataclass
class Seen:
    """What came of the lines of the input."""

    cases: dict[str, dict[tuple[str, str], Event]]
    counts: Counter


def _lines(paths: list[str]) -> Iterator[str]:
    for path in paths:
        if path == "-":
            yield from sys.stdin
        else:
            with open(path, encoding="utf-8") as file:
                yield from file


def _events(lines: Iterable[str]) -> Iterator[dict]:
    for line in lines:
        if line.strip():
            found = json.loads(line)
            yield from found if isinstance(found, list) else [found]


def content_of(event: dict) -> bytes:
    """A digest of everything that makes a copy the same: `recordedtime` and trace headers do not."""
    said = {name: value for name, value in event.items() if name not in NO_CONTENT}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).digest()[:16]


def read(paths: list[str], rulebook: Rulebook) -> Seen:
    """Checks per event, in this order: duplicate, id_conflict, future_dated (DESIGN 7)."""
    cases: dict[str, dict[tuple[str, str], Event]] = {}
    counts: Counter = Counter()
    for event in _events(_lines(paths)):
        kind = event["type"]
        if not kind.startswith(PREFIX) or not kind.endswith(SUFFIX):
            counts["ignored"] += 1
            continue
        source = event["source"]
        if source != PIPELINE and source not in rulebook.sources:
            counts["unknown_source"] += 1
            continue
        received = parse_instant(event["recordedtime"]) if "recordedtime" in event else None
        case = cases.setdefault(event["subject"], {})
        content = content_of(event)
        known = case.get((source, event["id"]))
        if known is not None:
            if known.content != content:
                counts["id_conflict"] += 1
                continue
            counts["duplicate"] += 1
            if received is not None and (known.received is None or received < known.received):
                known.received = received
            continue
        claimed = parse_instant(event["time"])
        if received is not None and claimed > received + DAY:
            counts["future_dated"] += 1
            continue
        counts["accepted"] += 1
        case[source, event["id"]] = event_of(event, claimed, received, content)
    return Seen(cases, counts)


def event_of(event: dict, claimed: int, received: int | None, content: bytes) -> Event:
    data = {name: value for name, value in (event.get("data") or {}).items() if name not in PERSONAL}
    return Event(event["type"][len(PREFIX):-len(SUFFIX)], event["source"], event["id"], claimed,
                 int(event.get("sequence") or 0), event.get("precision") == "day", received, data, content)
