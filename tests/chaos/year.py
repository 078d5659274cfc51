#!/usr/bin/env python3
"""A year in simulated time: is every alarm told that an independent oracle expects, and no other?

    tests/chaos/year.py [--seed N] [--from DAY] [--days N] [--share S] [--step MINUTES] [--made-up ROUNDS] [--cases N]
                        [--without-year] [--keep]

The made-up year of `hotline demo`, or the cases that come within some days of it and what comes of them by the end of those,
goes through the real code path on a private PostgreSQL with one simulated clock (tests/year); the oracle reads the same events
and looks at the same instants. Its rulebook is the demo's without `trusted_before`: receipts are those of the simulated time.

    in time       every telling is as expected: case, alarm, which time, raised, missed or withdrawn and why, when, level, who is
                  told, the instants; notices are as many of each kind; every event came to the same
    again         everything sent once more into the same database: not one telling and not one notice more
    at once       the demo as it is, into an empty database long after: everything is missed, not one notice goes out
    made up       lives of cases under rulebooks with rungs, quiet hours and policies drawn at random, events that come late and
                  acknowledgements among them

Prints a line for each, and one JSON object last; exit 1 if anything differs. Needs cargo, what its tests need, and a release
build (HOTLINE_BIN or target/release/hotline).
"""
from __future__ import annotations

import argparse
import collections
import gc
import json
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zlib

sys.dont_write_bytecode = True
FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER / "oracle")]

import agree
import rulebook
import stories
import tellings
from instants import SECOND, parse_instant

ROOT = FOLDER.parents[1]
DAY = 86400
DIFFERENCES = 20
# After the last receipt rungs still fall due: the longest ladder ends a week or so after its deadline.
AFTER_DAYS = 30
# When the year is imported at once: every rung of it fell due long before.
LONG_AFTER = "2025-03-01T00:00:00+08:00"


def build() -> pathlib.Path:
    """The program that plays events in simulated time."""
    subprocess.run(["cargo", "build", "--quiet", "--locked", "-p", "hotline-tests", "--example", "year"], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/examples/year"


def key(telling: dict) -> tuple:
    return telling["case"], telling["alarm"], telling["n"]


class Part:
    """A rulebook and a file of copies, played by the program and by the oracle."""

    def __init__(self, name: str, program: pathlib.Path, folder: pathlib.Path, book: pathlib.Path, step: int) -> None:
        self.name, self.program, self.book, self.minutes = name, program, book, step
        self.copies = folder / f"{name.replace(' ', '-')}.tsv"
        self.told = folder / f"{name.replace(' ', '-')}.ndjson"
        self.wrong: list[str] = []
        self.counts: dict = {}

    def write(self, copies: list[tuple[int, str]]) -> int:
        """Copies in the order of receipt; until when the simulation goes on."""
        with open(self.copies, "w", encoding="utf-8") as out:
            out.writelines(f"{stories.stamp(at)}\t{line}\n" for at, line in copies)
        return copies[-1][0] + AFTER_DAYS * DAY

    def play(self, until: int, again: bool = False) -> dict:
        began = time.time()
        command = [self.program, "--rulebook", self.book, "--step", str(self.minutes), "--until", stories.stamp(until),
                   *(["--again"] if again else []), self.copies]
        with open(self.told, "wb") as out:
            ran = subprocess.run(command, stdout=out, stderr=subprocess.PIPE)
        if ran.returncode:
            raise SystemExit(f"year: {self.name}: the program ended with {ran.returncode}: {ran.stderr.decode()[-1500:]}")
        played = time.time()
        expected = expect(self.book, self.copies, self.minutes, until)
        lines = self.told.read_text(encoding="utf-8").splitlines()
        last = json.loads(lines.pop())
        self._compare({key(telling): telling for telling in expected.tellings},
                      {key(telling): telling for telling in map(json.loads, lines)})
        for what, ours, theirs in [("notices", last["notices"], expected.notices), ("outcomes", last["outcomes"], expected.outcomes)]:
            if ours != dict(theirs):
                self.wrong.append(f"{what}: program {ours}, oracle {dict(theirs)}")
        kinds = collections.Counter(telling["telling"] for telling in expected.tellings)
        why = collections.Counter(telling["why"] for telling in expected.tellings if telling["why"])
        self.counts = {"events": sum(last["outcomes"].values()), "cases": expected.cases, "steps": last["steps"],
                       **{kind: kinds[kind] for kind in ("raised", "missed", "withdrawn")}, "withdrawn_by_reason": dict(why),
                       "notices": last["notices"], "seconds": [round(played - began), round(time.time() - played)]}
        if not kinds:
            self.wrong.append("nothing was told: nothing was compared")
        return last

    def _compare(self, theirs: dict, ours: dict) -> None:
        for name in sorted(ours.keys() | theirs.keys()):
            left, right = ours.get(name), theirs.get(name)
            if left == right:
                continue
            if left and right:
                off = [member for member in left if left[member] != right[member]]
                self.wrong.append(f"{name}: program {[(member, left[member]) for member in off]}, "
                                  f"oracle {[right[member] for member in off]}")
            else:
                self.wrong.append(f"{name}: {'program' if left else 'oracle'} alone: {left or right}")

    def expect(self, what: str, holds: bool) -> None:
        if not holds:
            self.wrong.append(what)

    def show(self) -> None:
        print(json.dumps({"part": self.name, **self.counts, "differences": len(self.wrong)}, ensure_ascii=False), flush=True)
        for difference in self.wrong[:DIFFERENCES]:
            print(f"  {difference}", flush=True)


# What the oracle expects, on all processors.

_shared: tuple = ()


def _expect_some(cases: list[str]) -> tellings.Expected:
    teller, came = _shared
    found = tellings.Expected()
    for case in cases:
        found.add(teller.of(case, came[case]))
    return found


def expect(book: pathlib.Path, copies: pathlib.Path, minutes: int, until: int) -> tellings.Expected:
    global _shared
    # Nothing here refers in circles that must be found; looking for them costs half the time.
    gc.disable()
    teller = tellings.Teller(rulebook.load(str(book)), minutes * 60 * SECOND, until * SECOND)
    came = tellings.arrivals(str(copies), teller.step)
    _shared = (teller, came)
    cases, found = sorted(came), tellings.Expected()
    parts = [cases[begin:begin + 500] for begin in range(0, len(cases), 500)]
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for some in pool.imap_unordered(_expect_some, parts):
            found.add(some)
    found.cases = len(cases)
    return found


# The demo's year.

def demo(seed: int, folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    events, book = folder / "year.ndjson", folder / "demo"
    subprocess.run([agree.BINARY, "demo", "--seed", str(seed), "--events", events, "--rulebook", book], check=True)
    return events, book


def untrusted(book: pathlib.Path) -> pathlib.Path:
    """The rulebook with every source taken at its receipts."""
    copy = book.with_name("untrusted")
    shutil.copytree(book, copy)
    for path in (copy / "sources").glob("*.toml"):
        path.write_text(re.sub(r"(?m)^trusted_before = .*\n", "", path.read_text(encoding="utf-8")), encoding="utf-8")
    return copy


def seconds(text: str) -> int:
    return parse_instant(text) // SECOND


def slice_of(events: pathlib.Path, begin: int, end: int, share: float) -> list[tuple[int, str]]:
    """The copies of the cases received within a span, each with when it came: the year is in the order of arrival, and what
    stands behind something newer came after it."""
    copies, taken, now = [], set(), 0
    with open(events, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            now = max(now, seconds(event.get("recordedtime") or event["time"]))
            case = event["subject"]
            if event["type"] == "hotline.case.received.v1" and begin <= now < end and zlib.crc32(case.encode()) < share * 2**32:
                taken.add(case)
            if now < end:
                copies.append((now, case, line.rstrip("\n")))
    return [(at, line) for at, case, line in copies if case in taken]


def play_year(args: argparse.Namespace, program: pathlib.Path, folder: pathlib.Path) -> list[Part]:
    events, book = demo(args.seed, folder)
    begin = seconds(f"{args.begin}T00:00:00+08:00")
    copies = slice_of(events, begin, begin + args.days * DAY if args.days else 1 << 40, args.share)
    in_time = Part("in time", program, folder, untrusted(book), args.step)
    again = in_time.play(in_time.write(copies), again=True)["again"]
    in_time.expect(f"sent again, it told something: {again}", not again["tellings"] and not again["notices"])
    in_time.expect(f"sent again, not everything was a duplicate: {again}", again["outcomes"] == {"duplicate": len(copies)})
    in_time.show()
    at_once = Part("at once", program, folder, book, args.step)
    at_once.play(at_once.write([(seconds(LONG_AFTER), line) for _, line in copies]))
    at_once.expect("an import of what is long over sent notices", not at_once.counts["notices"])
    at_once.expect("an import of what is long over told something", not at_once.counts["raised"] + at_once.counts["withdrawn"])
    at_once.show()
    return [in_time, at_once]


# Made-up cases and rulebooks.

class Drawn(agree.Drawn):
    """A rulebook with policies and their ladders changed at random, and quiet hours."""

    QUIET = [None, ("22:00", "07:00"), ("11:30", "13:00"), ("00:00", "09:00"), ("18:00", "10:30"), ("08:00", "18:30")]

    def __init__(self, dice: random.Random, folder: pathlib.Path) -> None:
        super().__init__(dice, folder)
        quiet = dice.choice(self.QUIET)
        if quiet:
            with open(folder / "rulebook.toml", "a", encoding="utf-8") as out:
                out.write(f'\n[quiet_hours]\nfrom = "{quiet[0]}"\nuntil = "{quiet[1]}"\n')

    def _change(self, text: str) -> str:
        text = super()._change(text)
        if re.search(r'(?m)^(?:family|stage) = "close"', text) and self.dice.random() < 0.4:
            origin = self.dice.choice(['"grant", granted_late = "from_grant"', '"start"'])
            text = f'extension = {{ from = {origin} }}\n' + re.sub(r"(?m)^extension = .*\n", "", text)
        if self.dice.random() < 0.7:
            rungs = ", ".join(self._rung() for _ in range(self.dice.randrange(1, 6)))
            text = f"alarms = [{rungs}]\n" + re.sub(r"(?m)^alarms = .*\n", "", text)
        return text

    def _rung(self) -> str:
        dice = self.dice
        number, unit = dice.choice([(0, "hour"), (30, "minute"), (1, "hour"), (30, "hour"), (2, "working_hour"), (9, "working_hour"),
                                    (5, "round_clock_hour"), (30, "round_clock_hour"), (1, "calendar_day"), (4, "calendar_day"),
                                    (1, "working_day"), (2, "working_day"), (5, "working_day")])
        when = dice.choice([f'at = "{dice.choice([1, 10, 33, 50, 75, 90, 100])}%"', f'before = "{number} {unit}"',
                            f'after = "{number} {unit}"'])
        level = dice.choice(["notice", "warning", "breach", "breach", "escalation"])
        more = (', to = "XFJ"' if dice.random() < 0.2 else "") + (', deliver = "office_hours"' if dice.random() < 0.3 else "")
        return f'{{ {when}, level = "{level}"{more} }}'


def draw_rulebook(dice: random.Random, folder: pathlib.Path) -> pathlib.Path:
    while True:
        book = folder / "rulebook"
        shutil.rmtree(book, ignore_errors=True)
        stories.write_rulebook(book, agree.BASE)
        Drawn(dice, book)
        if subprocess.run([agree.BINARY, "rulebook", "check", str(book)], capture_output=True).returncode == 0:
            return book


def altered(dice: random.Random, event: dict) -> dict:
    """What matters to ladders and is rare in the stories: what is granted until an instant or for weeks, deadlines that come
    with a case, cases that end otherwise than by a closing."""
    kind, data, drawn = event["type"].split(".")[2], event["data"], dice.random()
    later = stories.stamp(seconds(event["time"]) + dice.randrange(DAY, 20 * DAY))
    if kind in ("extension_requested", "extended") and drawn < 0.5:
        if drawn < 0.15:
            data = {"stage": data["stage"], "until": dice.choice([later, later[:10]])}
        else:
            data = {"stage": data["stage"], "limit": dice.randrange(4, 25), "unit": dice.choice(["working_day", "calendar_day"])}
    elif kind in ("received", "dispatched") and drawn < 0.04:
        data = data | {"own_limit": {"due_at": later}}
    elif kind == "closed" and drawn < 0.1:
        kind, data = dice.choice([("withdrawn", {"by": "caller"}), ("merged", {"into": event["subject"] + "-x", "reason": "duplicate"})])
    return event | {"type": f"hotline.case.{kind}.v1", "data": data}


def besides(dice: random.Random, event: dict) -> list[tuple[int, dict]]:
    """Further dispatches, and how long after the event each comes: by another lead, or, where we dispatch, by the hotline itself."""
    kind, drawn = event["type"].split(".")[2], dice.random()
    ours = any(name in event["source"] for name in ("/market", "/waiting"))
    if kind == "received" and ours and drawn < 0.15:
        after, reason = 0, "first"
    elif kind in ("signed", "contacted", "accepted") and drawn < 0.06:
        after, reason = dice.randrange(3 * DAY), "redispatch"
    else:
        return []
    data = {"department": dice.choice(stories.LEADS), "reason": reason}
    at = seconds(event["time"]) + after
    head = {name: value for name, value in event.items() if name not in ("recordedtime", "precision")}
    return [(after + dice.randrange(40 * 3600), head | {"type": "hotline.case.dispatched.v1", "id": f"{event['id']}-besides",
                                                        "time": stories.stamp(at), "data": data})]


def draw_copies(seed: str, dice: random.Random, cases: int) -> list[tuple[int, str]]:
    """Lives of so many cases over some fifty days; most events come at once, some hours or days after, some twice."""
    now = agree.BASE - 25.0 * DAY
    drawn = stories.Stories(seed, agree.BASE, plain=True, clock=lambda: now)
    pace = 35 * DAY / (cases * 12)
    copies = []
    while drawn.opened < cases + stories.CASES:
        event = altered(dice, json.loads(drawn.next().text))
        now += dice.random() * 2 * pace
        claimed = seconds(event["time"])
        lives_now = abs(claimed - now) <= 9 * 3600 and "/past" not in event["source"]
        delay = dice.choices([dice.randrange(600), dice.randrange(10 * 3600), dice.randrange(5 * DAY)], [70, 22, 8])[0]
        came = max(claimed, int(now) if lives_now else 0) + delay
        if "/ahead" in event["source"]:
            came = max(int(now), claimed - 12 * 60)
        if "recordedtime" in event:
            came = max(came, seconds(event["recordedtime"]))
        line = json.dumps(event, ensure_ascii=False)
        copies.append((came, line))
        copies += [(came + after, json.dumps(more, ensure_ascii=False)) for after, more in besides(dice, event)]
        if dice.random() < 0.03:
            copies.append((came + dice.randrange(3 * DAY), line))
    return sorted(copies, key=lambda copy: copy[0])


def acknowledged(dice: random.Random, told: list[dict], sources: dict[str, str]) -> list[tuple[int, str]]:
    """Some of what was told is acknowledged, now and then before it fell due or under another name."""
    copies = []
    for number, telling in enumerate(told):
        if telling["telling"] != "raised" or dice.random() >= 0.1:
            continue
        at = telling["told_at"] // SECOND + dice.randrange(-6 * 3600, 2 * DAY)
        alarm = telling["alarm"] if dice.random() < 0.9 else dice.choice(told)["alarm"]
        event = {"specversion": "1.0", "type": "hotline.case.acknowledged.v1", "source": sources[telling["case"]], "id": f"ack-{number}",
                 "subject": telling["case"], "time": stories.stamp(at), "data": {"alarm": alarm}}
        copies.append((at + dice.randrange(3600), json.dumps(event)))
    return copies


def play_made_up(args: argparse.Namespace, nth: int, program: pathlib.Path, folder: pathlib.Path) -> Part:
    seed = f"year {args.seed}/{nth}"
    dice = random.Random(seed)
    folder = folder / f"made-up-{nth}"
    folder.mkdir()
    part = Part(f"made up {nth}", program, folder, draw_rulebook(dice, folder), dice.choice([240, 719, 1440]))
    copies = draw_copies(seed, dice, args.cases)
    until = part.write(copies)
    told = sorted(expect(part.book, part.copies, part.minutes, until).tellings, key=key)
    sources = {(event := json.loads(line))["subject"]: event["source"] for _, line in copies}
    copies = sorted(copies + acknowledged(dice, told, sources), key=lambda copy: copy[0])
    again = part.play(part.write(copies), again=True)["again"]
    part.expect(f"sent again, it told something: {again}", not again["tellings"] and not again["notices"])
    part.show()
    return part


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=2023, help="of the year, and of what is made up")
    parser.add_argument("--from", dest="begin", default="2023-01-01", metavar="DAY", help="cases received from this day on")
    parser.add_argument("--days", type=int, default=0, metavar="N", help="… for so many days; by default all of the year")
    parser.add_argument("--share", type=float, default=1.0, metavar="S", help="of the cases, this share")
    parser.add_argument("--step", type=int, default=15, metavar="MINUTES", help="of the simulated clock")
    parser.add_argument("--made-up", type=int, default=6, metavar="ROUNDS")
    parser.add_argument("--cases", type=int, default=300, metavar="N", help="of each made-up round")
    parser.add_argument("--without-year", action="store_true", help="made-up rounds only")
    parser.add_argument("--keep", action="store_true", help="leave the folder for looking at")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    began, program = time.time(), build()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hotline-year-"))
    parts = [] if args.without_year else play_year(args, program, folder)
    parts += [play_made_up(args, nth, program, folder) for nth in range(args.made_up)]
    wrong = {part.name: part.wrong[:DIFFERENCES] for part in parts if part.wrong}
    if args.keep or wrong:
        print(f"kept {folder}", flush=True)
    else:
        shutil.rmtree(folder)
    sums = {kind: sum(part.counts[kind] for part in parts) for kind in ("events", "cases", "raised", "missed", "withdrawn")}
    reasons = sum((collections.Counter(part.counts["withdrawn_by_reason"]) for part in parts), collections.Counter())
    print(json.dumps({"seed": args.seed, "parts": len(parts), **sums, "withdrawn_by_reason": dict(reasons),
                      "seconds": round(time.time() - began), "wrong": wrong, "ok": not wrong}, ensure_ascii=False, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
