"""The made-up events of a chaos run: the lives of cases, and everything that goes wrong on the way to us.

One seed gives one sequence. The instants of sources that live in the present follow the clock of the machine, as they
must: a source that is twelve minutes ahead is ahead of now. All else is drawn from the seed.
"""
from __future__ import annotations

import calendar
import heapq
import json
import pathlib
import random
import shutil
import time
from dataclasses import dataclass, field
from typing import Callable

DAY = 1440
ZONE_SECONDS = 8 * 3600
# Copies and faults, as shares of all events.
DUPLICATES, CONFLICTS, BAD, LATE = 0.02, 0.003, 0.004, 0.10
# Cases under way at once, and how many events one that comes late may be overtaken by.
CASES, OVERTAKEN_MAX = 400, 3000
LEADS = ["ZJJ", "CGJ", "STHJ", "RSJ", "JTJ", "SCJG", "WJW", "HBQ", "SZQ", "MCX", "LSX", "YMS", "LBS", "GSGS", "RLGS"]
MARKET = {"411202": "HBQ-SCJG", "411203": "SZQ-SCJG", "411221": "MCX-SCJG", "411281": "YMS-SCJG", "411200": "SCJG"}
TYPES = {"12345": ["consult", "help", "complaint", "report", "suggestion", "praise", "other"],
         "12315": ["complaint", "report"], "petition": ["petition"]}
CATEGORIES = {"12345": [["housing", "heating"], ["urban"], ["transport"], ["labour", "wages"], ["utilities", "water"]],
              "12315": [["market", "goods"], ["market", "online"], ["market", "special_equipment"]],
              "petition": [["labour", "wages"], ["land"], ["housing"]]}


@dataclass(frozen=True)
class Source:
    """A source as the rulebook lists it, and how its clock goes."""

    name: str
    hotline: str
    rules: str
    weight: int
    # Minutes that its clock is ahead of ours; None: it tells of the past forty days.
    shift: int | None = None
    dispatches: bool = True
    # It says itself when it recorded an event.
    records: bool = False
    # Its slots fall due a while after the receipt: nothing new is opened near the end.
    waits: bool = False

    @property
    def id(self) -> str:
        return f"/hotline/chaos/{self.name}"


# `base` stands for the instant at which the run began.
SOURCES = [
    Source("city", "12345", 'dispatch = "hotline"\nlate_stop = "claimed"\nbackdate_max = "2 hour"', 6),
    Source("market", "12315", 'dispatch = "pipeline"\nlate_stop = "claimed"', 4, dispatches=False),
    Source("letters", "petition", 'dispatch = "hotline"\nlate_stop = "received"', 2),
    Source("past", "12345", 'dispatch = "hotline"\ntrusted_before = {base}', 2, records=True),
    Source("ahead", "12345", 'dispatch = "hotline"', 2, shift=12),
    Source("behind", "12345", 'dispatch = "hotline"\nbackdate_max = "4 hour"\nlate_stop = "received"', 2, shift=-8 * 60),
    Source("waiting", "12345", 'dispatch = {{ after = "1 minute" }}', 1, shift=0, dispatches=False, waits=True),
]
UNKNOWN = "/hotline/chaos/nobody"


def write_rulebook(folder: pathlib.Path, base: float) -> None:
    """The shipped rulebook with the sources of a run."""
    shutil.copytree(pathlib.Path(__file__).resolve().parents[2] / "deploy/rulebook", folder)
    shutil.rmtree(folder / "sources")
    (folder / "sources").mkdir()
    rules = "".join(
        f'[[source]]\nid = "{source.id}"\nhotline = "{source.hotline}"\nname = "{source.name}"\nmode = "events"\n'
        f'{source.rules.format(base=stamp(base))}\ntimezone = "Asia/Shanghai"\ndefaults = {{ region = "411200" }}\n\n'
        for source in SOURCES)
    (folder / "sources/chaos.toml").write_text(rules)


def stamp(seconds: float) -> str:
    """RFC 3339 at +08:00, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+08:00", time.gmtime(int(seconds) + ZONE_SECONDS))


@dataclass(slots=True)
class Item:
    """An event to send. `reason` is why casework must refuse it, if it must."""

    text: str
    route: str
    subject: str
    reason: str | None = None
    # A gateway refuses it at once.
    refused_over_http: bool = False
    is_conflict: bool = False


class Ahead(int):
    """An instant: so many minutes after the event that names it."""


@dataclass
class Case:
    """A case under way: what is still to be said of it."""

    source: Source
    subject: str
    route: str
    start: float
    numbered: bool
    steps: list[tuple[int, str, dict]]
    said: list[tuple[str, str, dict]] = field(default_factory=list)
    after: int = 0


class Life:
    """Draws the steps of one case: (minutes after the step before, kind, data)."""

    def __init__(self, dice: random.Random, source: Source) -> None:
        self.dice, self.source, self.steps = dice, source, []
        self.region = dice.choice(list(MARKET))
        self.lead = dice.choice(LEADS) if source.dispatches else self._routed()

    def _routed(self) -> str:
        """Whom the shipped routing tables name, mostly: a step of somebody else becomes an anomaly, which is fine."""
        return MARKET[self.region] if self.source.hotline == "12315" else "HL12345"

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def say(self, low: int, high: int, what: str, /, **data: object) -> None:
        self.steps.append((self.dice.randrange(low, high), what, data))

    def draw(self) -> list[tuple[int, str, dict]]:
        dice, hotline = self.dice, self.source.hotline
        self.say(0, 1, "received", case_type=dice.choice(TYPES[hotline]), category=dice.choice(CATEGORIES[hotline]),
                 region=self.region, channel=dice.choice(["phone", "app", "letter"]), title="示例诉求",
                 content="示例内容" * dice.randrange(1, 20), reporter={"name": "示例", "phone": "00000000000"},
                 urgency=dice.choice(["normal", "normal", "urgent"]), persons=dice.randrange(1, 4), **self._own_limit(by_instant=0.5))
        while self._round() and self.chance(0.25):
            self.say(60, 5 * DAY, "reopened", reason=dice.choice(["dissatisfied", "review", "supervision"]))
        if self.chance(0.04):
            self._ruling()
        return self.steps

    def _round(self) -> bool:
        """One round; whether it was closed."""
        if self.source.dispatches:
            self.say(1, 30 * 60, "dispatched", department=self.lead, **self._own_limit())
        self._taking_over()
        if self.source.dispatches and self.chance(0.08):
            self.lead = self.dice.choice(LEADS)
            self.say(10, 2 * DAY, "dispatched", department=self.lead, reason=self.dice.choice(["redispatch", "reorganisation"]),
                     **self._own_limit())
        if self.chance(0.15):
            self._return()
        self._handling()
        return self._closing()

    def _own_limit(self, by_instant: float = 0) -> dict:
        """Now and then a receipt or a dispatch says by when; a receipt also as an instant."""
        limits = [(2, "working_day"), (48, "hour"), (7, "calendar_day")]
        limit, unit = self.dice.choice(limits)
        own = {"due_at": Ahead(self.dice.randrange(DAY, 12 * DAY))} if self.chance(by_instant) else {"limit": limit, "unit": unit}
        return {"own_limit": own} if self.chance(0.05) else {}

    def _taking_over(self) -> None:
        lead = self.lead
        if self.chance(0.1):
            self.say(1, 60, "dispatched", department=self.dice.choice(LEADS), role="co")
        if self.chance(0.9):
            self.say(5, 40 * 60, "signed", department=lead, automatic=self.chance(0.1))
        if self.chance(0.1):
            self.say(1, 600, "dispatched", department="HBQ-QJ", role="sub", **{"from": lead})
        if self.chance(0.6):
            self.say(5, DAY, "contacted", department=lead, reached=self.chance(0.8))
        if self.source.hotline != "12345" and self.chance(0.9):
            self.say(60, 9 * DAY, "accepted", department=lead)

    def _return(self) -> None:
        dice, lead = self.dice, self.lead
        self.say(10, 2 * DAY, "return_requested", department=lead, reason="not_ours")
        if self.chance(0.3):
            self.say(10, DAY, "return_refused", department=lead, final=self.chance(0.3))
            return
        self.say(10, DAY, "returned", department=lead, reason="not_ours")
        self.lead = dice.choice(LEADS)
        if self.source.dispatches:
            self.say(1, DAY, "dispatched", department=self.lead, reason="redispatch")
            self.say(5, 2 * DAY, "signed", department=self.lead, automatic=False)

    def _handling(self) -> None:
        dice = self.dice
        if self.chance(0.15):
            self.say(60, 4 * DAY, "held", reason=dice.choice(["inspection", "parked", "force_majeure"]))
            if self.chance(0.9):
                self.say(60, 6 * DAY, "released", reason="inspection")
        if self.chance(0.2):
            self.say(60, 4 * DAY, "extension_requested", stage="close", limit=3, unit="working_day")
            granted = "extended" if self.chance(0.7) else "extension_refused"
            amounts = [{"limit": 3, "unit": "working_day"}, {"limit": 72, "unit": "hour"}]
            if granted == "extended":
                amounts.append({"until": Ahead(dice.randrange(DAY, 9 * DAY))})
            self.say(60, 2 * DAY, granted, stage="close", **dice.choice(amounts))
        for share, kind, data in [
            (0.12, "urged", {"by": "caller"}), (0.05, "supervised", {"kind": "listed"}),
            (0.10, "milestone", {"name": "on_site"}), (0.08, "supplemented", {"new_facts": True}),
            (0.05, "linked", {"kind": "repeat", "case": f"{self.source.hotline}:earlier"}),
            (0.04, "amended", {"urgency": "critical"}), (0.03, "amended", {"case_type": "complaint"}),
            (0.02, "amended", {"region": "411203"}), (0.01, "amended", {"category": ["land"], "tags": ["area_outage"]}),
            (0.30, "replied", {"department": self.lead, "preliminary": self.chance(0.5)}),
            (0.10, "verified", {"result": "filed"}),
        ]:
            if self.chance(share):
                self.say(5, 2 * DAY, kind, **data)

    def _closing(self) -> bool:
        dice, lead = self.dice, self.lead
        outcome = dice.choice(["resolved", "explained", "mediated", "terminated"])
        if self.chance(0.9):
            self.say(60, 8 * DAY, "submitted", department=lead, outcome=outcome)
            while self.chance(0.25):
                self.say(10, DAY, "close_refused", department=lead, reason="incomplete")
                self.say(60, 3 * DAY, "submitted", department=lead, outcome=outcome)
        if self.chance(0.08):
            return False
        self.say(1, DAY, "closed", department=lead, outcome=outcome)
        if self.chance(0.3):
            self.say(10, 2 * DAY, "notified", of=dice.choice(["result", "termination"]))
        for attempt in range(1, 3):
            if self.chance(0.75):
                reached = self.chance(0.8)
                self.say(60, 3 * DAY, "rated", reached=reached, method=dice.choice(["call", "sms", "app", "default"]),
                         attempt=attempt, satisfaction=dice.choice([1, 2, 3, 4, 5, 5, None]) if reached else None,
                         solved=dice.choice(["yes", "partly", "no", None]))
        return True

    def _ruling(self) -> None:
        self.say(60, DAY, "appealed", indicator="close")
        self.say(60, DAY, "ruled", indicator=self.dice.choice(["close", "rating", "all"]), reason="reviewed",
                 effect=self.dice.choice(["exclude", "met", "failed", "restore"]), document="示例〔2026〕1号")


class Stories:
    """The events of a run, one after another."""

    def __init__(self, seed: int, base: float, plain: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.dice, self.base, self.plain, self.clock = random.Random(f"stories {seed}"), base, plain, clock
        self.opened, self.made, self.bad = 0, 0, 0
        self.cases: list[Case] = []
        self.late: list[tuple[int, int, Item]] = []
        self.recent: list[Item] = []
        # Set near the end: sources that wait open no more cases.
        self.is_closing_time = False

    def next(self) -> Item:
        """The next event; `plain` runs have no copies and no faults beside the senders' own."""
        self.made += 1
        if self.late and self.late[0][0] <= self.made:
            return heapq.heappop(self.late)[2]
        drawn = self.dice.random()
        if not self.plain and len(self.recent) > 100:
            for share, make in [(DUPLICATES, self._duplicate), (CONFLICTS, self._conflict), (BAD, self._bad)]:
                if drawn < share:
                    return make()
                drawn -= share
        while True:
            item = self._step()
            self._remember(item)
            if self.dice.random() >= LATE:
                return item
            heapq.heappush(self.late, (self.made + self.dice.randrange(5, OVERTAKEN_MAX), self.made, item))
            self.made += 1

    def rest(self) -> list[Item]:
        """Those that were still to come late."""
        left = [item for _, _, item in sorted(self.late, key=lambda entry: entry[:2])]
        self.late.clear()
        return left

    def _step(self) -> Item:
        if len(self.cases) < CASES:
            self.cases.append(self._open())
        place = self.dice.randrange(len(self.cases))
        case = self.cases[place]
        gap, kind, data = case.steps.pop(0)
        if not case.steps:
            self.cases[place] = self._open()
        case.after += gap
        return self._item(case, kind, data)

    def _open(self) -> Case:
        dice = self.dice
        sources = [source for source in SOURCES if not (source.waits and self.is_closing_time)]
        source = dice.choices(sources, [source.weight for source in sources])[0]
        self.opened += 1
        subject = f"{source.hotline}:{source.name}-{self.opened:07}"
        start = self.base - dice.randrange(DAY, 40 * DAY) * 60
        steps = Life(dice, source).draw()
        if source.shift is None:
            steps = _before(steps, (self.base - start) / 60)
        route = "http" if dice.random() < 0.55 else "kafka"
        return Case(source, subject, route, start, dice.random() < 0.5, steps)

    def _item(self, case: Case, kind: str, data: dict) -> Item:
        dice, source = self.dice, case.source
        at = case.start + case.after * 60 if source.shift is None else self.clock() + source.shift * 60
        number, data = len(case.said), _dated(data, at)
        if number > 2 and dice.random() < 0.03:
            case.steps.insert(0, (1, kind, data))
            kind, data = "corrected", self._correction(case)
        event = {"specversion": "1.0", "type": f"hotline.case.{kind}.v1", "source": source.id, "id": f"{number}",
                 "subject": case.subject, "time": stamp(at), "data": data}
        if case.numbered:
            event["sequence"] = str(number)
        if source.shift is None and dice.random() < 0.03:
            event["precision"] = "day"
        if source.records and dice.random() < 0.8:
            event["recordedtime"] = stamp(min(at + dice.randrange(0, 40 * 3600), self.base))
        case.said.append((event["id"], event["type"], data))
        route = case.route if dice.random() < 0.9 else dice.choice(["http", "kafka"])
        return Item(_text(event), route, case.subject)

    def _correction(self, case: Case) -> dict:
        dice = self.dice
        id_, type_, data = dice.choice(case.said)
        named: dict = {"corrects": {"source": case.source.id, "id": id_, "type": type_}}
        drawn = dice.random()
        if drawn < 0.3 and not type_.endswith("received.v1"):
            named["void"] = True
        elif drawn < 0.6 or type_.endswith("corrected.v1"):
            named["time"] = stamp(case.start + max(0, case.after - dice.randrange(DAY)) * 60)
        else:
            named["data"] = data
        return named

    def _remember(self, item: Item) -> None:
        if len(self.recent) < 2000:
            self.recent.append(item)
        else:
            self.recent[self.dice.randrange(2000)] = item

    def _duplicate(self) -> Item:
        item = self.dice.choice(self.recent)
        return Item(item.text, self.dice.choice(["http", "kafka"]), item.subject, is_conflict=item.is_conflict)

    def _conflict(self) -> Item:
        """The same source and id with another content."""
        event = json.loads(self.dice.choice(self.recent).text)
        event["time"] = stamp(_seconds(event["time"]) - self.dice.randrange(60, 7200))
        item = Item(_text(event), self.dice.choice(["http", "kafka"]), event["subject"], is_conflict=True)
        self._remember(item)
        return item

    def _bad(self) -> Item:
        """An event that must be refused, about a case that nobody else speaks of."""
        self.bad += 1
        subject = f"12345:bad-{self.bad:07}"
        event = {"specversion": "1.0", "type": "hotline.case.dispatched.v1", "source": SOURCES[0].id, "id": "1",
                 "subject": subject, "time": stamp(self.base - 3600), "data": {"department": "ZJJ"}}
        kind = self.dice.randrange(6)
        route, reason, refused = self.dice.choice(["http", "kafka"]), "invalid", True
        if kind == 0:
            del event["data"]["department"]
        elif kind == 1:
            event["time"] = "yesterday"
        elif kind == 2:
            event["data"]["role"] = 7
        elif kind == 3:
            # `hotline send` would not know by what to key it.
            del event["id"]
            route = "http"
        elif kind == 4:
            event["time"], reason, refused = stamp(self.clock() + 3 * 86400), "future_dated", False
        else:
            # A gateway refuses the whole request for it.
            event["source"], reason, route = UNKNOWN, "unknown_source", "kafka"
        return Item(_text(event), route, subject, reason, refused)


def _dated(data: dict, at: float) -> dict:
    """With instants in the place of what is ahead."""
    dated = {}
    for name, value in data.items():
        if isinstance(value, Ahead):
            value = stamp(at + value * 60)
        dated[name] = _dated(value, at) if isinstance(value, dict) else value
    return dated


def _before(steps: list[tuple[int, str, dict]], minutes: float) -> list[tuple[int, str, dict]]:
    """What has happened by now: nobody tells of the future."""
    kept, at = [], 0
    for step in steps:
        at += step[0]
        if at >= minutes:
            break
        kept.append(step)
    return kept


def _seconds(text: str) -> float:
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - ZONE_SECONDS


def _text(event: dict) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
