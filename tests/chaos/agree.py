#!/usr/bin/env python3
"""Do `hotline replay` and the oracle agree? Made-up lives of cases under made-up rulebooks, without a server.

    tests/chaos/agree.py [--seed N] [--rounds N] [--cases N] [--shipped]

Each round draws a rulebook, the shipped one with policies changed at random (--shipped: as it is), and the events of so many
cases, and asks both programs for every rate. Where they differ the cases at fault are found by halving and left in a folder.
Prints its seed first and one JSON object last; exit 1 if anything differs. Needs a release build (HOTLINE_BIN or
target/release/hotline).
"""
from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER / "oracle")]

import rates
import rulebook
import stories
from instants import parse_day, parse_instant

BINARY = os.environ.get("HOTLINE_BIN", str(FOLDER.parents[1] / "target/release/hotline"))
# 2026-11-02T09:00:00+08:00: a working Monday; with cases of the 40 days before it a week of holidays is among them.
BASE = 1793581200
PERIOD = "2026-08-01..2027-06-01"
BY = "department,hotline,case_type"
EXAMPLES = 4
HOLDS = """[[general_hold]]
reason = "force_majeure"
from = 2026-10-12T06:00:00+08:00
until = 2026-10-14T12:00:00+08:00
match = { region = "411203" }
basis = "made up"

[[general_hold]]
reason = "outage"
from = 2026-11-02T08:00:00+08:00
until = 2026-11-02T20:00:00+08:00
match = { urgency = "critical" }
stages = ["close", "sign"]
basis = "made up"
"""
Rows = dict[tuple, tuple]


class Drawn:
    """A rulebook with policies changed at random."""

    # Of the keys that a policy may have this share is drawn anew.
    SHARE = 0.19

    def __init__(self, dice: random.Random, folder: pathlib.Path) -> None:
        self.dice = dice
        for path in sorted((folder / "policies").glob("*.toml")):
            head, *policies = path.read_text().split("[[policy]]\n")
            path.write_text("[[policy]]\n".join([head, *map(self._change, policies)]))
        (folder / "holds.toml").write_text(HOLDS)

    def _change(self, text: str) -> str:
        stage, is_custody = re.search(r'(?m)^(?:family|stage) = "(\w+)"', text)[1], 'scope = "custody"' in text
        for name, choices in self._choices(stage, is_custody).items():
            if self.dice.random() < self.SHARE:
                line = f"{name} = {self.dice.choice(choices)}\n"
                text, found = re.subn(rf"(?m)^{name} = .*\n", lambda _: line, text)
                text = text if found else line + text
        return text

    def _choices(self, stage: str, is_custody: bool) -> dict[str, list[str]]:
        pick = lambda *values: [f'"{value}"' for value in values]
        found = {"on_amend": pick("recompute", "keep", "restart"), "holds": ['["inspection", "parked", "force_majeure"]', "[]"],
                 "restart": ['["supplemented"]', '["contacted"]', "[]"]}
        if stage == "close":
            found |= {"stop_at": pick("submission", "approval"), "review_time": pick("credited", "counted"),
                      "own_limit": pick("prefer", "ignore"),
                      "extension": ['{ unit = "working_day" }', '{ times_max = 1, each_max = 2, granted_late = "void" }',
                                    '{ from = "grant", granted_late = "from_grant" }', '{ from = "start", ask_before = "1 working_day" }']}
        if is_custody:
            change = lambda: self.dice.choice(["restart", "continue", "credit"])
            found |= {"on_custody_change": [f'{{ returned = "{change()}", redispatched = "{change()}", reorganisation = "{change()}" }}'],
                      "return": ['{ pending = "held" }', '{ ask_within = "24 hour", times_max = 1 }']}
        else:
            found |= {"charge": pick("holder_at_due", "closer", "first", "office")}
        return found


def draw_events(seed: str, cases: int, path: pathlib.Path) -> None:
    """The events of so many cases, each received a moment after the one before."""
    now = float(BASE)
    drawn = stories.Stories(seed, BASE, plain=True, clock=lambda: now)
    with open(path, "w", encoding="utf-8") as out:
        while drawn.opened < cases + stories.CASES:
            event = json.loads(drawn.next().text)
            now += 0.02
            if "recordedtime" not in event and "/past" not in event["source"]:
                event["recordedtime"] = f"{stories.stamp(now)[:19]}.{int(now * 1000) % 1000:03}+08:00"
            out.write(json.dumps(event, ensure_ascii=False) + "\n")


class Round:
    """One rulebook, one file of events."""

    def __init__(self, seed: str, cases: int, shipped: bool, folder: pathlib.Path) -> None:
        self.folder, self.rulebook, self.events = folder, folder / "rulebook", folder / "events.ndjson"
        stories.write_rulebook(self.rulebook, BASE)
        dice = random.Random(f"agree {seed}")
        while not shipped:
            Drawn(dice, self.rulebook)
            if subprocess.run([BINARY, "rulebook", "check", str(self.rulebook)], capture_output=True).returncode == 0:
                break
            shutil.rmtree(self.rulebook)
            stories.write_rulebook(self.rulebook, BASE)
        self.as_of = stories.stamp(BASE + dice.randrange(3600, 30 * 86400))
        draw_events(seed, cases, self.events)
        self.book = rulebook.load(self.rulebook)
        self.rates = sorted(self.book.rates)
        self.rows = 0

    def differing(self) -> list[tuple[str, list[str]]]:
        """The cases over which the two differ, and in what; not all of many."""
        by_case: dict[str, list[str]] = collections.defaultdict(list)
        for line in self.events.read_text().splitlines():
            by_case[json.loads(line)["subject"]].append(line)
        found: list[tuple[str, list[str]]] = []
        self._halve(list(by_case), by_case, found)
        return found

    def _halve(self, cases: list[str], by_case: dict[str, list[str]], found: list[tuple[str, list[str]]]) -> None:
        if len(found) >= EXAMPLES:
            return
        path = self.folder / "some.ndjson"
        path.write_text("".join(line + "\n" for case in cases for line in by_case[case]))
        off = self._differences(path)
        if not off:
            return
        if len(cases) == 1:
            kept = self.folder / f"{cases[0].replace(':', '-')}.ndjson"
            shutil.copyfile(path, kept)
            found.append((str(kept), off))
            return
        middle, known = len(cases) // 2, len(found)
        self._halve(cases[:middle], by_case, found)
        self._halve(cases[middle:], by_case, found)
        if len(found) == known:
            # The two differ over all of them together only.
            kept = self.folder / f"together-{len(cases)}-{cases[0].replace(':', '-')}.ndjson"
            kept.write_text("".join(line + "\n" for case in cases for line in by_case[case]))
            found.append((str(kept), off))

    def _differences(self, path: pathlib.Path) -> list[str]:
        ours, theirs = self._ours(path), self._theirs(path)
        self.rows = max(self.rows, len(ours))
        return [f"{key[0]} {dict(key[1])}: replay {ours.get(key)}, oracle {theirs.get(key)}"
                for key in sorted(ours.keys() | theirs.keys()) if ours.get(key, (0, 0)) != theirs.get(key, (0, 0))]

    def _ours(self, path: pathlib.Path) -> Rows:
        ran = subprocess.run([BINARY, "replay", "--rulebook", str(self.rulebook), "--as-of", self.as_of, "--rate",
                              ",".join(self.rates), "--by", BY, "--period", PERIOD, str(path)], capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(f"agree: replay ended with {ran.returncode}: {ran.stderr[-1500:]}")
        return self._keyed(json.loads(ran.stdout))

    def _theirs(self, path: pathlib.Path) -> Rows:
        begin, _, end = PERIOD.partition("..")
        rows, _ = rates.compute(self.book, parse_instant(self.as_of), self.rates, BY.split(","),
                                [rates.Period(parse_day(begin), parse_day(end))], [str(path)])
        return self._keyed(rows)

    @staticmethod
    def _keyed(rows: list[dict]) -> Rows:
        return {(row["rate"], tuple(sorted(row["by"].items()))): (row["numerator"], row["denominator"]) for row in rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="by default a new one each time")
    parser.add_argument("--rounds", type=int, default=10, metavar="N")
    parser.add_argument("--cases", type=int, default=400, metavar="N", help="of each round")
    parser.add_argument("--shipped", action="store_true", help="under the shipped rulebook only")
    args = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    rows, wrong = 0, {}
    for nth in range(args.rounds):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="hotline-agree-"))
        played = Round(f"{seed}/{nth}", args.cases, args.shipped, folder)
        for path, differences in played.differing():
            wrong[f"{path} as of {played.as_of}"] = differences[:EXAMPLES]
        rows += played.rows
        if not played.rows:
            wrong[f"round {nth}"] = ["nothing was compared"]
        if not any(path.startswith(str(folder)) for path in wrong):
            shutil.rmtree(folder)
    print(json.dumps({"seed": seed, "rounds": args.rounds, "rows_compared": rows, "wrong": wrong, "ok": not wrong}, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
