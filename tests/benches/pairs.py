"""Casework's throughput with something beside without it, in pairs of one run.

As bench.py: a real Kafka, PostgreSQL, casework alone, the same workload. In one run casework takes in as many cases with it as
without, in turn and in pairs whose order changes (on off, off on, …), so that neither the growing tables nor a neighbour's load
fall on one side. Of each leg the first events are left out: connections are made, statements prepared.
"""
from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]

import bench as casework

# Of a leg's events, those at its beginning that are not timed.
WARM_UP = 0.15
TICKS = os.sysconf("SC_CLK_TCK")

# What a leg has: made before casework starts, entered when it works, left when its events are read.
Beside = Callable[["Bench"], contextlib.AbstractContextManager]


def processor(pid: int) -> float:
    """Seconds of processor time of a process so far."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


class Bench(casework.Bench):
    sent = 0

    def read(self) -> int:
        return self.number("SELECT coalesce(sum(next_offset), 0) FROM positions")

    def leg(self, file: pathlib.Path, events: int, beside: Beside | None) -> tuple[float, float]:
        """Events a second, and microseconds of casework's processor time an event."""
        self.send(file)
        self.start("casework")
        base = self.read()
        with beside(self) if beside else contextlib.nullcontext():
            # Casework may have begun before the first look.
            wanted = self.sent + events
            while (begun := self.read()) < base + events * WARM_UP:
                time.sleep(0.01)
            began, before = time.perf_counter(), processor(self.process.pid)
            while (done := self.read()) < wanted:
                time.sleep(0.01)
            took, spent = time.perf_counter() - began, processor(self.process.pid) - before
        self.sent = done
        # What is left to be merged and written must not fall on the next leg.
        while self.number("SELECT count(*) FROM tally_deltas"):
            time.sleep(0.2)
        self.sql("CHECKPOINT")
        self.stop()
        return (done - begun) / took, spent / (done - begun) * 1e6


def arguments(text: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--cases", type=int, default=30_000, help="of each leg, twelve events each")
    parser.add_argument("--partitions", type=int, default=12)
    return parser


def compare(args: argparse.Namespace, leg: Callable[[Bench, pathlib.Path, int, bool], tuple[float, float]]) -> dict:
    """Runs `leg` in pairs, its last argument telling the side, and says what came of it."""
    args.statements = False
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hotline-pairs-"))
    bench = Bench(args, folder)
    sides: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    try:
        bench.start_kafka()
        bench.command("migrate", "--partitions", str(args.partitions))
        bench.command("rulebook", "activate", str(folder / "rulebook"))
        file = folder / "events.ndjson"
        for number in range(-1, 2 * args.pairs):
            events = casework.write_events(file, args.cases, first=(number + 1) * args.cases)
            # On off, off on: the first leg fills caches and is not counted.
            is_on = number % 4 in (0, 3)
            pace, cost = leg(bench, file, events, is_on)
            counted = " (not counted)" if number < 0 else ""
            casework.say(f"{'on ' if is_on else 'off'} {pace:9.0f} events/s {cost:6.2f} us/event{counted}")
            if number >= 0:
                sides[is_on].append((pace, cost))
    finally:
        if getattr(bench, "process", None) and bench.process.poll() is None:
            bench.process.terminate()
            bench.process.wait(60)
        bench.stop_kafka()
        shutil.rmtree(folder, ignore_errors=True)
    ratios = lambda which: [on[which] / off[which] for on, off in zip(sides[True], sides[False])]
    middle = lambda side, which: statistics.median(one[which] for one in sides[side])
    return {
        "pairs": args.pairs, "events_a_leg": args.cases * 12,
        "events_per_second": {"on": round(middle(True, 0)), "off": round(middle(False, 0))},
        "processor_us_per_event": {"on": round(middle(True, 1), 2), "off": round(middle(False, 1), 2)},
        "events_per_second_of_each_pair": [round(ratio, 3) for ratio in ratios(0)],
        "events_per_second_on_to_off": round(statistics.median(ratios(0)), 3),
        "processor_on_to_off": round(statistics.median(ratios(1)), 3),
    }
