#!/usr/bin/env python3
"""Would the tests of the rules notice if a rule said something else?

    tests/observe/mutants.py [--only ALERT] [--sample N] [--jobs N] [--list]

Changes every number, every duration, every comparison and every set operator of deploy/prometheus/rules/hotline.yml, one at a
time, and runs the tests in deploy/prometheus/tests of the alerts that it concerns: they must fail. A number becomes a quarter
more and a fifth less (0 becomes 1 and -1), a duration half and twice as long: what is found near a threshold is found far from
it. `>` becomes `>=` and `<`, `and` becomes `or`, and so on.

First every alert's tests must pass with the rules as they are, each with nothing but the rules that it needs. Prints what
nobody noticed and a JSON object; exit 1 if there is anything, or an exception below that is not needed. Needs promtool, which
`deploy/local/observe.sh tools` sees to.
"""
from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/rules/hotline.yml"
TESTS = ROOT / "deploy/prometheus/tests"
SECONDS_MAX = 300

# The files of tests, the quickest first.
ORDER = ["seconds.yml", "hotline.yml", "days.yml", "week.yml", "weeks.yml"]

# Changes that change nothing, and why.
EXCEPTIONS = {
    ("HotlineDeadMansSwitch", "1", "0.8"): "it fires whatever its value is",
    ("HotlineDeadMansSwitch", "1", "1.25"): "it fires whatever its value is",
    ("HotlineIntakeBudgetBurnFast", ">", ">="): "a share of requests over a window is an estimate: it is never equal to a limit",
    ("HotlineIntakeBudgetBurnSlow", ">", ">="): "a share of requests over a window is an estimate: it is never equal to a limit",
}

COMPARISONS = {">": [">=", "<"], "<": ["<=", ">"], "==": ["!=", ">"]}
OPERATORS = {"and": ["or", "unless"], "or": ["and"], "unless": ["or", "and"]}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
TOKEN = re.compile(r'"[^"]*"|(?P<word>[A-Za-z_:][\w:]*)|(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhdw]?)|(?P<sign>[<>=!]=|[<>])')


@dataclasses.dataclass(frozen=True)
class Rule:
    name: str
    is_alert: bool
    # The lines of the file.
    text: str
    expr: str
    lasts: str | None

    def says(self, expr: str, lasts: str | None) -> Rule:
        text = self.text.replace(json.dumps(self.expr, ensure_ascii=False), json.dumps(expr, ensure_ascii=False))
        if lasts != self.lasts:
            text = text.replace(f"for: {self.lasts}\n", f"for: {lasts}\n")
        return dataclasses.replace(self, text=text, expr=expr, lasts=lasts)


@dataclasses.dataclass(frozen=True)
class Mutant:
    rule: Rule
    # What stood there, what stands there now, and where.
    old: str
    new: str
    at: str

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.old} -> {self.new} in {self.at}"


def rules() -> list[Rule]:
    found = []
    for text in re.split(r"(?m)^(?=      - (?:alert|record): )", RULES.read_text(encoding="utf-8"))[1:]:
        # The head of the next group is no part of a rule.
        text = re.split(r"(?m)^  - name: ", text)[0]
        kind, name = re.match(r"      - (alert|record): (\S+)", text).groups()
        expr = json.loads(re.search(r"(?m)^        expr: (.*)$", text)[1])
        lasts = re.search(r"(?m)^        for: (\S+)$", text)
        found.append(Rule(name, kind == "alert", text, expr, lasts and lasts[1]))
    return found


def durations(value: str, unit: str) -> list[str]:
    seconds = float(value) * UNITS[unit]
    return [f"{int(seconds * factor)}s" for factor in (0.5, 2)]


def numbers(value: str) -> list[str]:
    return ["1", "-1"] if float(value) == 0 else [f"{float(value) * factor:.10g}" for factor in (0.8, 1.25)]


def mutants(rule: Rule) -> list[tuple[Mutant, Rule]]:
    found = []
    for token in TOKEN.finditer(rule.expr):
        old = token[0]
        if token["number"]:
            choices = durations(token["number"], token["unit"]) if token["unit"] else numbers(token["number"])
        elif token["sign"]:
            # A label's matcher is none.
            is_matcher = rule.expr[: token.start()].count("{") > rule.expr[: token.start()].count("}")
            choices = [] if is_matcher else COMPARISONS[old]
        else:
            choices = OPERATORS.get(old, [])
        at = rule.expr[max(0, token.start() - 30) : token.end() + 15]
        for new in choices:
            expr = rule.expr[: token.start()] + new + rule.expr[token.end() :]
            found.append((Mutant(rule, old, new, at), rule.says(expr, rule.lasts)))
    if rule.lasts:
        for new in durations(rule.lasts[:-1], rule.lasts[-1]):
            found.append((Mutant(rule, rule.lasts, new, "for"), rule.says(rule.expr, new)))
    return found


class Suite:
    """The tests of each alert: of each file its head and the tests that bear the alert's name."""

    def __init__(self, promtool: pathlib.Path, folder: pathlib.Path) -> None:
        self.promtool, self.folder = promtool, folder
        self.files: dict[str, list[tuple[str, str]]] = collections.defaultdict(list)
        for path in sorted(TESTS.glob("*.yml")):
            head, *tests = re.split(r"(?m)^(?=  - name: )", path.read_text(encoding="utf-8"))
            by_alert = collections.defaultdict(list)
            for test in tests:
                by_alert[re.match(r"  - name: (\w+)", test)[1]].append(test)
            for alert, mine in by_alert.items():
                self.files[alert].append((path.name, head + "".join(mine)))

    def passes(self, name: str, alert: str, found: list[Rule]) -> bool:
        """Whether an alert's tests pass with these rules."""
        folder = self.folder / name
        folder.mkdir()
        groups = [("hotline-recordings", [rule for rule in found if not rule.is_alert]), ("hotline-alerts", [rule for rule in found if rule.is_alert])]
        text = "groups:\n" + "".join(f"  - name: {group}\n    rules:\n{''.join(rule.text for rule in members)}" for group, members in groups if members)
        (folder / "rules.yml").write_text(text, encoding="utf-8")
        order = ", ".join(group for group, members in groups if members)
        paths = []
        for file, test in self.files[alert]:
            paths.append(folder / file)
            test = re.sub(r"(?m)^group_eval_order: .*$", f"group_eval_order: [{order}]", test.replace("../rules/hotline.yml", "rules.yml"))
            paths[-1].write_text(test, encoding="utf-8")
        # The shortest first: most is found there.
        for path in sorted(paths, key=lambda path: ORDER.index(path.name)):
            done = subprocess.run([self.promtool, "test", "rules", path.name], cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX)
            if done.returncode < 0:
                raise SystemExit(f"mutants: promtool was ended by signal {-done.returncode}: nothing is known")
            if done.returncode:
                return False
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="an alert or a recording")
    parser.add_argument("--sample", type=int, help="try only so many changes, the same in every run (default: all of them, which takes most of an hour)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="print the changes and try none")
    args = parser.parse_args()
    found = rules()
    by_name = {rule.name: rule for rule in found}
    needs = {rule.name: [other for other in found if other.name != rule.name and other.name in rule.expr] for rule in found if rule.is_alert}
    users = {rule.name: [alert for alert, needed in needs.items() if rule in needed] for rule in found}
    every = [one for rule in found if args.only in (None, rule.name) for one in mutants(rule)]
    if args.sample and args.sample < len(every):
        every = random.Random(1).sample(every, args.sample)
    if args.list:
        print("\n".join(str(mutant) for mutant, _ in every))
        return 0
    tools = subprocess.run(["bash", ROOT / "deploy/local/observe.sh", "tools"], capture_output=True, text=True)
    if tools.returncode:
        raise SystemExit(tools.stderr)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        suite = Suite(pathlib.Path(tools.stdout.strip()) / "promtool", pathlib.Path(folder))
        red = [alert for alert in needs if args.only in (None, alert) and not suite.passes(f"as-is-{alert}", alert, [by_name[alert], *needs[alert]])]
        if red:
            print(f"  as they are, the tests fail of {', '.join(red)}")
            return 1

        def is_noticed(number: int, changed: Rule) -> bool:
            is_red = any(not suite.passes(f"{number}-{alert}", alert, [changed if rule.name == changed.name else rule for rule in [by_name[alert], *needs[alert]]])
                         for alert in ([changed.name] if changed.is_alert else users[changed.name]))
            mutant = every[number][0]
            if not is_red and (mutant.rule.name, mutant.old, mutant.new) not in EXCEPTIONS:
                print(f"  nobody noticed {mutant}", flush=True)
            return is_red

        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            noticed = list(pool.map(is_noticed, range(len(every)), (changed for _, changed in every)))
    wrong, used = [], set()
    for (mutant, _), is_red in zip(every, noticed):
        exception = (mutant.rule.name, mutant.old, mutant.new)
        if not is_red and exception in EXCEPTIONS:
            used.add(exception)
        elif not is_red:
            wrong.append(mutant)
    needless = [one for one in EXCEPTIONS if one not in used and args.only in (None, one[0]) and not args.sample]
    for one in needless:
        print(f"  an exception that is not needed: {one}")
    wrong += needless
    print(json.dumps({"rules": len(found), "changes": len(every), "noticed": sum(noticed), "exceptions": len(used), "wrong": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
