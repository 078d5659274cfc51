#!/usr/bin/env python3
"""What measuring costs casework.

    tests/benches/metrics.py [--pairs N] [--cases N]

As bench.py: a real Kafka, PostgreSQL, casework alone, the same workload. In one run casework takes in as many cases with
metrics as without (`[ops] metrics = false`), in turn and in pairs whose order changes (on off, off on, …), so that neither the
growing tables nor a neighbour's load fall on one side; with metrics somebody scrapes every second, which is fifteen times what
Prometheus does. Of each leg the first events are left out: connections are made, statements prepared.

Prints one JSON object: events a second and microseconds of casework's own processor time an event, the median of the pairs'
ratios of both, on against off. Exit 1 if events a second with metrics are more than 3 % below those without. Processor time is
told beside it because it is what a measurement costs and hardly changes with what else the machine does. Needs what bench.py
needs.
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]

import bench as casework

SHARE_MIN = 0.97
SCRAPE_EVERY = 1.0
# Of a leg's events, those at its beginning that are not timed.
WARM_UP = 0.15
TICKS = os.sysconf("SC_CLK_TCK")


class Bench(casework.Bench):
    def processor(self) -> float:
        """Seconds of processor time of casework so far."""
        words = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / TICKS

    def read(self) -> int:
        return self.number("SELECT coalesce(sum(next_offset), 0) FROM positions")

    def leg(self, file: pathlib.Path, events: int, measures: bool) -> tuple[float, float]:
        """Events a second, and microseconds of processor time an event."""
        os.environ["HOTLINE__OPS__METRICS"] = "true" if measures else "false"
        self.send(file)
        self.start("casework")
        base, stop = self.read(), threading.Event()
        scraper = threading.Thread(target=self.scrape, args=(stop,)) if measures else None
        if scraper:
            scraper.start()
        # Casework may have begun before the first look.
        wanted = self.sent + events
        while (begun := self.read()) < base + events * WARM_UP:
            time.sleep(0.01)
        began, before = time.perf_counter(), self.processor()
        while (done := self.read()) < wanted:
            time.sleep(0.01)
        took, spent = time.perf_counter() - began, self.processor() - before
        stop.set()
        if scraper:
            scraper.join()
        self.sent = done
        # What is left to be merged and written must not fall on the next leg.
        while self.number("SELECT count(*) FROM tally_deltas"):
            time.sleep(0.2)
        self.sql("CHECKPOINT")
        self.stop()
        return (done - begun) / took, spent / (done - begun) * 1e6

    def scrape(self, stop: threading.Event) -> None:
        while not stop.wait(SCRAPE_EVERY):
            if not self.metrics():
                raise SystemExit("metrics: nothing is measured")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--cases", type=int, default=30_000, help="of each leg, twelve events each")
    parser.add_argument("--partitions", type=int, default=12)
    args = parser.parse_args()
    args.statements = False
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hotline-metrics-"))
    bench = Bench(args, folder)
    bench.sent = 0
    sides: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    try:
        bench.start_kafka()
        bench.command("migrate", "--partitions", str(args.partitions))
        bench.command("rulebook", "activate", str(folder / "rulebook"))
        file = folder / "events.ndjson"
        for leg in range(-1, 2 * args.pairs):
            events = casework.write_events(file, args.cases, first=(leg + 1) * args.cases)
            # On off, off on: the first leg fills caches and is not counted.
            measures = leg % 4 in (0, 3)
            pace, cost = bench.leg(file, events, measures)
            casework.say(f"{'on ' if measures else 'off'} {pace:9.0f} events/s {cost:6.2f} us/event{' (not counted)' if leg < 0 else ''}")
            if leg >= 0:
                sides[measures].append((pace, cost))
    finally:
        if getattr(bench, "process", None) and bench.process.poll() is None:
            bench.process.terminate()
            bench.process.wait(60)
        bench.stop_kafka()
        shutil.rmtree(folder, ignore_errors=True)
    ratio = lambda which: statistics.median(on[which] / off[which] for on, off in zip(sides[True], sides[False]))
    middle = lambda side, which: statistics.median(one[which] for one in sides[side])
    result = {
        "pairs": args.pairs, "events_a_leg": args.cases * 12,
        "events_per_second": {"on": round(middle(True, 0)), "off": round(middle(False, 0))},
        "processor_us_per_event": {"on": round(middle(True, 1), 2), "off": round(middle(False, 1), 2)},
        "events_per_second_on_to_off": round(ratio(0), 3), "processor_on_to_off": round(ratio(1), 3),
    }
    print(json.dumps(result, indent=2))
    return 0 if result["events_per_second_on_to_off"] >= SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
