"""The rulebook (DESIGN 8), read from its directory; what the oracle does not need is left unread."""
from __future__ import annotations

import csv
import datetime as dt
import hashlib
import pathlib
import tomllib
from dataclasses import dataclass, field
from fractions import Fraction

import calendars
import instants
from calendars import Calendar
from deadline import DAY_UNITS
from instants import Zone

FAMILIES = ("sign", "contact", "reply", "accept", "verify", "close", "review", "dispatch", "follow_up", "supervise")
ON_CUSTODY_CHANGE = {"returned": "restart", "redispatched": "continue", "reorganisation": "continue"}


@dataclass
class Extension:
    times_max: int | None
    each_max: int | None
    unit: str
    origin: str
    ask_before: tuple[int, str]
    ask_by: int | None
    granted_late: str


@dataclass
class Rung:
    """One rung of a ladder: at a share of what the clock counts in percent, or so long before or after the deadline."""

    # What it says, in short; of several that say the same the later ones have a number.
    name: str
    share: int | None
    before: tuple[int, str] | None
    after: tuple[int, str] | None
    level: str
    to: str | None
    office_hours: bool


@dataclass
class Policy:
    id: str
    calendar: str
    match: dict
    stage: str
    family: str
    tier: str
    scope: str
    start: str
    stop: list[str]
    stop_at: str
    review_time: str
    limit: int | None
    unit: str | None
    outside_hours: str
    ends_at: str
    roll: str
    holds: list[str]
    on_custody_change: dict[str, str]
    on_amend: str
    restart: list[str]
    charge: str
    own_limit: str
    own_limit_said: bool
    extension: Extension | None
    return_pending: str
    closure: bool
    select_by: str
    effective_from: int | None
    effective_until: int | None
    alarms: list[Rung] = field(default_factory=list)

    def weight(self) -> tuple[int, int, int]:
        """The policy with most match keys wins, then the longest category, then region."""
        return len(self.match), len(self.match.get("category", [])), len(self.match.get("region", ""))


@dataclass
class Source:
    id: str
    hotline: str
    mode: str
    dispatch: str | int
    zone: Zone
    defaults: dict
    backdate_max: int
    late_stop: str
    order_tolerance: int
    trusted_before: int | None = None


@dataclass
class GeneralHold:
    reason: str
    begin: int
    end: int | None
    match: dict
    stages: list[str]


@dataclass
class RoutingRule:
    id: str
    hotline: str
    case_type: str
    category: list[str]
    region: str
    keywords: list[str]
    department: str
    priority: int
    valid_from: int | None
    valid_until: int | None
    place: int

    def weight(self) -> tuple[int, int, int, int, int]:
        """Most specific, then priority, then the place in the table."""
        keys = sum(bool(key) for key in (self.case_type, self.category, self.region, self.keywords))
        return keys, len(self.category), len(self.region), self.priority, -self.place


@dataclass
class Term:
    measure: str
    weight: Fraction


@dataclass
class Rate:
    id: str
    basis: str
    where: dict
    numerator: list[Term]
    denominator: list[Term]


@dataclass
class Rulebook:
    zone: Zone
    calendars: dict[str, Calendar]
    policies: list[Policy]
    sources: dict[str, Source]
    offices: dict[str, str]
    classes: list[dict]
    holds: list[GeneralHold]
    routing: list[RoutingRule]
    rates: dict[str, Rate]
    # From which time of day until which nothing but a critical breach is told.
    quiet_hours: tuple[int, int] | None = None
    hash: str = ""
    stages: list[tuple[str, str]] = field(default_factory=list)

    def calendar_for(self, policy: Policy, region: str) -> Calendar:
        """The calendar a policy names, or the one that extends it for this region."""
        named = self.calendars[policy.calendar]
        fits = [(len(prefix), calendar) for calendar in self.calendars.values() if calendar.extends == named.id
                for prefix in calendar.regions if region.startswith(prefix)]
        return max(fits, key=lambda fit: fit[0])[1] if fits else named


def _policy(table: dict) -> Policy:
    stage = table["stage"]
    unit = table.get("unit")
    by_days = unit in DAY_UNITS or unit is None
    extension = None
    if "extension" in table:
        members = table["extension"]
        extension = Extension(members.get("times_max"), members.get("each_max"), members.get("unit", unit),
                              members.get("from", "old_due"), instants.parse_span(members.get("ask_before", "0 hour")),
                              calendars.time_of_day(members["ask_by"]) if "ask_by" in members else None,
                              members.get("granted_late", "backdated"))
    match = dict(table["match"])
    if isinstance(match.get("category"), str):
        match["category"] = [match["category"]]
    day = lambda name: table[name].toordinal() if name in table else None
    return Policy(
        id=table["id"], calendar=table["calendar"], match=match, stage=stage,
        family=stage if stage in FAMILIES else table.get("family", stage),
        tier=table.get("tier", "statutory"), scope=table.get("scope", "case"), start=table["start"], stop=table["stop"],
        stop_at=table.get("stop_at", "submission"), review_time=table.get("review_time", "credited"),
        limit=table.get("limit"), unit=unit, outside_hours=table.get("outside_hours", "as_is"),
        ends_at=table.get("ends_at", "end_of_day" if by_days else "same_time"), roll=table.get("roll", "none"),
        holds=table.get("holds", []), on_custody_change=ON_CUSTODY_CHANGE | table.get("on_custody_change", {}),
        on_amend=table.get("on_amend", "recompute"), restart=table.get("restart", []),
        charge=table.get("charge", "holder_at_due"), own_limit=table.get("own_limit", "prefer"),
        own_limit_said="own_limit" in table, extension=extension,
        return_pending=table.get("return", {}).get("pending", "runs"), closure=table.get("closure", False),
        select_by=table.get("select_by", "received"), effective_from=day("effective_from"),
        effective_until=day("effective_until"), alarms=_ladder(table.get("alarms", [])))


UNITS = {"hour": "h", "minute": "m", "working_hour": "wh", "round_clock_hour": "rh", "calendar_day": "cd", "working_day": "wd"}


def _ladder(tables: list[dict]) -> list[Rung]:
    names = [_name(table) for table in tables]
    numbers = [names[:place + 1].count(name) for place, name in enumerate(names)]
    return [_rung(name if number == 1 else f"{name}~{number}", table)
            for name, number, table in zip(names, numbers, tables, strict=True)]


def _name(table: dict) -> str:
    level = table["level"][0]
    if "at" in table:
        return f"{level}{int(table['at'].rstrip('%'))}"
    sign, text = ("-", table["before"]) if "before" in table else ("+", table["after"])
    count, unit = instants.parse_span(text)
    if unit == "minute" and count % 60 == 0:
        count, unit = count // 60, "hour"
    return f"{level}{sign}{count}{UNITS[unit]}"


def _rung(name: str, table: dict) -> Rung:
    span = lambda name: instants.parse_span(table[name]) if name in table else None
    return Rung(name, int(table["at"].rstrip("%")) if "at" in table else None, span("before"), span("after"), table["level"],
                table.get("to"), table.get("deliver") == "office_hours")


def _source(table: dict, fallback_zone: str) -> Source:
    dispatch = table["dispatch"]
    return Source(
        id=table["id"], hotline=table["hotline"], mode=table["mode"],
        dispatch=instants.span_length(dispatch["after"]) if isinstance(dispatch, dict) else dispatch,
        zone=instants.zone(table.get("timezone", fallback_zone)), defaults=table.get("defaults", {}),
        backdate_max=instants.span_length(table.get("backdate_max", "24 hour")),
        late_stop=table.get("late_stop", "received"),
        order_tolerance=instants.span_length(table.get("order_tolerance", "5 minute")),
        trusted_before=instants.instant_of(table["trusted_before"]) if "trusted_before" in table else None)


def _routing(path: pathlib.Path, place: int) -> list[RoutingRule]:
    day = lambda text: instants.parse_day(text) if text else None
    rules = []
    for row in csv.DictReader(path.open(encoding="utf-8")):
        place += 1
        rules.append(RoutingRule(
            row["rule"], row["hotline"], row["case_type"], [part for part in row["category"].split("/") if part],
            row["region"], [word for word in row["keywords"].split("|") if word], row["department"],
            int(row["priority"] or 0), day(row["valid_from"]), day(row["valid_until"]), place))
    return rules


def _rate(table: dict) -> Rate:
    def terms(items: list) -> list[Term]:
        return [Term(item, Fraction(1)) if isinstance(item, str)
                else Term(item["measure"], Fraction(item.get("weight", "1"))) for item in items]

    return Rate(table["id"], table["basis"], table.get("where", {}), terms(table["numerator"]),
                terms(table["denominator"]))


def _hash(root: pathlib.Path) -> str:
    lines = sorted((path.relative_to(root).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
                   for path in root.rglob("*") if path.is_file())
    return hashlib.sha256("".join(f"{digest}  {path}\n" for path, digest in lines).encode()).hexdigest()


def load(directory: str) -> Rulebook:
    root = pathlib.Path(directory)
    read = lambda path: tomllib.loads(path.read_text(encoding="utf-8"))
    files = lambda folder, end: sorted((root / folder).glob(f"*.{end}")) if (root / folder).is_dir() else []
    tables = lambda folder, name: [table for path in files(folder, "toml") for table in read(path).get(name, [])]
    main = read(root / "rulebook.toml")

    known: dict[str, Calendar] = {}
    waiting = [read(path) for path in files("calendars", "toml")]
    while waiting:
        ready = [document for document in waiting if document.get("extends") is None or document["extends"] in known]
        if not ready:
            raise ValueError("a calendar extends one that is not there")
        for document in ready:
            known[document["id"]] = calendars.load(document, known.get(document.get("extends")))
            waiting.remove(document)

    holds = []
    if (root / "holds.toml").exists():
        for table in read(root / "holds.toml").get("general_hold", []):
            instant = lambda name: instants.instant_of(table[name]) if isinstance(table.get(name), dt.datetime) else None
            holds.append(GeneralHold(table.get("reason", "general"), instant("from"), instant("until"),
                                     table.get("match", {}), table.get("stages", [])))
    routing: list[RoutingRule] = []
    for path in files("routing", "csv"):
        routing += _routing(path, len(routing))
    policies = [_policy(table) for table in tables("policies", "policy")]
    book = Rulebook(
        zone=instants.zone(main["timezone"]), calendars=known, policies=policies,
        sources={table["id"]: _source(table, main["timezone"]) for table in tables("sources", "source")},
        offices={table["code"]: table["office"] for table in read(root / "hotlines.toml")["hotline"]},
        classes=main.get("class", []), holds=holds, routing=routing,
        rates={rate.id: rate for rate in map(_rate, tables("rates", "rate"))})
    if "quiet_hours" in main:
        quiet = main["quiet_hours"]
        book.quiet_hours = calendars.time_of_day(quiet["from"]), calendars.time_of_day(quiet["until"])
    book.stages = sorted({(policy.stage, policy.tier) for policy in policies})
    book.hash = _hash(root)
    return book
