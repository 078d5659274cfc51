#!/usr/bin/env python3
"""What bad input costs, and whether exactly the bad ends up among the dead letters.

    tests/benches/bad.py [--cases N] [--share F] [--seed N]

The workload of bench.py twice over one broker, each time into a database of its own: once as it is, once with one record of a
hundred replaced by something bad, of more than thirty kinds in turn. The second time every planted record must be a dead
letter with the reason of its kind, nothing else may be one, and the rest must be applied.

Prints its seed first and one JSON object last: the throughput of both and their ratio; exit 1 if a letter is missing or too
many, or if the ratio is below 0.8. Needs what bench.py needs.
"""
from __future__ import annotations

import argparse
import collections
import json
import pathlib
import random
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "chaos")]

import bench
from wire import Broker

SLICES = 100
RATIO_MIN = 0.8


def event(number: int, **changes: object) -> dict:
    """A good event about a case that nobody else speaks of."""
    good = {"specversion": "1.0", "type": "hotline.case.dispatched.v1", "source": bench.SOURCE, "id": f"bad-{number}",
            "subject": f"12345:bad-{number}", "time": "2026-06-10T09:00:00+08:00", "data": {"department": "D001"}}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def typed(kind: str, data: object) -> dict:
    return {"type": f"hotline.case.{kind}.v1", "data": data}


# What is wrong, and as what it must be refused. A callable makes bytes of a number.
KINDS: list[tuple[str, str, object]] = [
    ("not UTF-8", "undecodable", lambda n: b'{"id":"\xff\xfe"}'),
    ("not JSON", "undecodable", lambda n: b'{"id": '),
    ("no bytes", "undecodable", lambda n: b""),
    ("an array", "undecodable", lambda n: b"[1, 2]"),
    ("a number", "undecodable", lambda n: b"7"),
    ("too large", "undecodable", lambda n: json.dumps(event(n, note="x" * 270_000)).encode()),
    ("a name twice", "invalid", lambda n: json.dumps(event(n)).replace('"id":', '"id": "a", "id":').encode()),
    ("U+0000", "invalid", {"data": {"department": "D\u0000"}}),
    ("nested too deep", "invalid", lambda n: json.dumps(event(n)).replace('"D001"', "[" * 200 + "]" * 200).encode()),
    ("no id", "invalid", {"id": None}),
    ("no source", "invalid", {"source": None}),
    ("no subject", "invalid", {"subject": None}),
    ("no time", "invalid", {"time": None}),
    ("another version", "invalid", {"specversion": "0.3"}),
    ("no such type", "invalid", {"type": "hotline.case.exploded.v1"}),
    ("a time without a zone", "invalid", {"time": "2026-06-10T09:00:00"}),
    ("no such day", "invalid", {"time": "2026-02-30T09:00:00+08:00"}),
    ("a subject with a space", "invalid", {"subject": "12345:a b"}),
    ("a sequence of letters", "invalid", {"sequence": "first"}),
    ("no such precision", "invalid", {"precision": "week"}),
    ("data is a text", "invalid", {"data": "D001"}),
    ("no department", "invalid", {"data": {}}),
    ("no such role", "invalid", {"data": {"department": "D001", "role": "boss"}}),
    ("a code too long", "invalid", {"data": {"department": "D" * 65}}),
    ("two limits", "invalid", {"data": {"department": "D001", "own_limit": {"limit": 3, "unit": "hour", "due_at": "2026-06-11T09:00:00+08:00"}}}),
    ("a grade of nine", "invalid", typed("rated", {"reached": True, "satisfaction": 9})),
    ("a text for a number", "invalid", typed("received", {"case_type": "help", "persons": "two"})),
    ("an extension by nothing", "invalid", typed("extended", {"stage": "close"})),
    ("a split into one", "invalid", typed("split", {"into": ["12345:1"]})),
    ("a correction of nothing", "invalid", typed("corrected", {"void": True})),
    ("a snapshot of a text", "invalid", typed("snapshot", {"facts": "all"})),
    ("a decision in our name", "invalid", {"source": "/hotline/pipeline"}),
    ("nobody's", "unknown_source", {"source": "/hotline/nobody"}),
    ("of the next century", "future_dated", {"time": "2126-06-10T09:00:00+08:00"}),
]


def bad(number: int) -> tuple[bytes, str]:
    """The bytes of a bad record, and why it must be refused."""
    _, reason, made = KINDS[number % len(KINDS)]
    value = made(number) if callable(made) else json.dumps(event(number, **made), ensure_ascii=False).encode()
    return value, reason


class Run:
    """One database, one topic of the broker that both share."""

    def __init__(self, name: str, args: argparse.Namespace, folder: pathlib.Path, kafka: bench.Bench | None) -> None:
        (folder / name).mkdir()
        self.bench = bench.Bench(args, folder / name)
        self.bench.topic += f"-{name}"
        if kafka is None:
            self.bench.start_kafka()
        else:
            self.bench.kafka, self.bench.brokers = kafka.kafka, kafka.brokers
            self.bench.configure()
        self.bench.command("migrate", "--partitions", str(args.partitions))
        self.bench.command("rulebook", "activate", str(self.bench.folder / "rulebook"))
        self.planted: dict[tuple[str, int], str] = {}

    def fill(self, lines: list[str], share: float, dice: random.Random) -> int:
        """Sends the events in slices, the bad ones of each between two; how many records there are."""
        broker, part, number = Broker(self.bench.brokers), self.bench.folder / "slice.ndjson", 0
        size = -(-len(lines) // SLICES)
        for begin in range(0, len(lines), size):
            some = lines[begin:begin + size]
            kept = [line for line in some if dice.random() >= share]
            part.write_text("".join(kept))
            self.bench.send(part)
            per_partition: dict[int, list[int]] = collections.defaultdict(list)
            for _ in range(len(some) - len(kept)):
                per_partition[dice.randrange(self.bench.args.partitions)].append(number)
                number += 1
            for partition, numbers in per_partition.items():
                made = [bad(number) for number in numbers]
                first = broker.produce(self.bench.topic, partition, [value for value, _ in made])
                for nth, (_, reason) in enumerate(made):
                    self.planted[f"{self.bench.topic}/{partition}", first + nth] = reason
        broker.close()
        return len(lines)

    def measure(self, records: int) -> dict:
        self.bench.start("casework")
        found = self.bench.run(records)
        rows = [row.rsplit("|", 2) for row in self.bench.sql("SELECT origin, origin_offset, reason FROM dead_letters")]
        letters = {(origin, int(offset)): reason for origin, offset, reason in rows}
        counted = self.bench.sql("SELECT sum(applied) || ' ' || sum(dead) || ' ' || sum(duplicate + ignored + gaps) FROM positions")
        self.bench.stop()
        applied, dead, rest = map(int, counted[0].split())
        wrong = {f"{key[0]}@{key[1]}": f"planted {self.planted.get(key)}, letter {letters.get(key)}"
                 for key in self.planted.keys() | letters.keys() if self.planted.get(key) != letters.get(key)}
        return {"records": records, "planted": len(self.planted), "letters": len(rows), "applied": applied, "dead": dead,
                "otherwise": rest, "by_reason": dict(collections.Counter(letters.values())),
                "events_per_second": found["events_per_second"], "memory_mib": found["memory_mib"],
                "wrong": len(wrong), "examples": dict(list(wrong.items())[:5]),
                "ok": not wrong and len(rows) == len(letters) == dead and applied == records - dead and rest == 0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=83_334, help="twelve events each")
    parser.add_argument("--share", type=float, default=0.01, metavar="F", help="of the records that are bad")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=12)
    args = parser.parse_args()
    args.statements = False
    print(f"seed {args.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hotline-bad-"))
    folder.chmod(0o755)
    first = None
    try:
        bench.say(f"making {args.cases} cases")
        bench.write_events(folder / "events.ndjson", args.cases)
        lines = (folder / "events.ndjson").read_text().splitlines(keepends=True)
        clean = Run("clean", args, folder, None)
        first = clean.bench
        mixed = Run("mixed", args, folder, first)
        result = {"seed": args.seed, "kinds": len(KINDS)}
        for name, run, share in [("clean", clean, 0.0), ("mixed", mixed, args.share)]:
            bench.say(f"sending: {name}")
            records = run.fill(lines, share, random.Random(args.seed))
            bench.say(f"casework: {name}")
            result[name] = run.measure(records)
            bench.say(json.dumps(result[name]))
        result["ratio"] = round(result["mixed"]["events_per_second"] / result["clean"]["events_per_second"], 3)
        result["ok"] = result["clean"]["ok"] and result["mixed"]["ok"] and result["ratio"] >= RATIO_MIN
        print(json.dumps(result, indent=1))
        return 0 if result["ok"] else 1
    finally:
        if first is not None:
            first.stop_kafka()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
