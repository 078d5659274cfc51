"""An independent second reading of DESIGN.md: rates and verdicts from files of events, computed plainly.

    oracle rates   --rulebook DIR --as-of T --rate ID[,ID] --by department[,hotline,case_type] --period FROM..TO FILE…
    oracle compare --left A.json --right B.json
    oracle case    --rulebook DIR --as-of T --case ID FILE…
    oracle due     --rulebook DIR --policy ID < starts.ndjson

`rates` prints what `hotline replay` prints. The two programs share nothing but the specification, so where they
agree each has checked the other; where they differ, `case` tells how the oracle came to its answer.
"""
from __future__ import annotations

import argparse
import json
import sys

import dump
import rates
import rulebook
from deadline import Terms, due
from instants import parse_day, parse_instant


def periods(text: str) -> list[rates.Period]:
    """FROM..TO, or several separated by commas."""
    found = []
    for part in text.split(","):
        begin, _, end = part.partition("..")
        found.append(rates.Period(parse_day(begin), parse_day(end)))
    return found


def run_rates(args: argparse.Namespace) -> int:
    book = rulebook.load(args.rulebook)
    wanted = sorted(book.rates) if args.rate == "all" else args.rate.split(",")
    rows, counts = rates.compute(book, parse_instant(args.as_of), wanted, args.by.split(","), periods(args.period),
                                 args.files)
    print(json.dumps(rows, ensure_ascii=False, indent=1))
    print(json.dumps(counts), file=sys.stderr)
    return 0


def run_compare(args: argparse.Namespace) -> int:
    """Compares integers row by row; a row with an empty denominator on one side only is no difference."""
    sides = []
    for path in (args.left, args.right):
        with open(path, encoding="utf-8") as file:
            sides.append({(row["rate"], row["from"], row["to"], tuple(sorted(row["by"].items()))):
                          (row["numerator"], row["denominator"]) for row in json.load(file)})
    left, right = sides
    off = [key for key in sorted(left.keys() | right.keys()) if left.get(key, (0, 0)) != right.get(key, (0, 0))]
    for key in off[:args.limit]:
        print(f"{key[0]} {key[1]}..{key[2]} {dict(key[3])}: left {left.get(key)}, right {right.get(key)}")
    print(f"{len(left.keys() | right.keys()) - len(off)} rows equal, {len(off)} differ")
    return 1 if off else 0


def run_case(args: argparse.Namespace) -> int:
    dump.show_case(rulebook.load(args.rulebook), parse_instant(args.as_of), args.case, args.files)
    return 0


def run_due(args: argparse.Namespace) -> int:
    """Deadlines alone, as `hotline due` gives them: no holds, no extensions."""
    book = rulebook.load(args.rulebook)
    policy = next(policy for policy in book.policies if policy.id == args.policy)
    calendar = book.calendars[policy.calendar]
    terms = Terms(policy.limit, policy.unit, policy.outside_hours, policy.ends_at, policy.roll)
    for line in sys.stdin:
        asked = json.loads(line)
        start = parse_instant(asked["start"])
        found = due(calendar, terms, start, [], [])
        provisional = found.on > calendar.known_until or calendar.zone.day(start) < calendar.known_from
        print(json.dumps({"id": asked["id"], "due_at": calendar.zone.show(found.at), "provisional": provisional}))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run, *options: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=(run.__doc__ or "").split("\n")[0])
        for option in options:
            added.add_argument(option, required=True)
        added.set_defaults(run=run)
        return added

    with_files = command("rates", run_rates, "--rulebook", "--as-of", "--rate", "--period")
    with_files.add_argument("--by", default="department")
    with_files.add_argument("files", nargs="+")
    command("compare", run_compare, "--left", "--right").add_argument("--limit", type=int, default=20)
    command("case", run_case, "--rulebook", "--as-of", "--case").add_argument("files", nargs="+")
    command("due", run_due, "--rulebook", "--policy")
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
