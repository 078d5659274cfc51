#!/usr/bin/env python3
"""What measuring costs casework.

    tests/benches/metrics.py [--pairs N] [--cases N]

Pairs of legs with metrics and without (`[ops] metrics = false`), as pairs.py says; with metrics somebody scrapes every second,
which is fifteen times what Prometheus does.

Prints one JSON object: events a second and microseconds of casework's own processor time an event, the median of the pairs'
ratios of both, on against off. Exit 1 if events a second with metrics are more than 3 % below those without. Processor time is
told beside it because it is what a measurement costs and hardly changes with what else the machine does. Needs what bench.py
needs.
"""
from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
import threading
from collections.abc import Iterator

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]

import pairs

SHARE_MIN = 0.97
SCRAPE_EVERY = 1.0


@contextlib.contextmanager
def scraped(bench: pairs.Bench) -> Iterator[None]:
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(SCRAPE_EVERY):
            if not bench.metrics():
                raise SystemExit("metrics: nothing is measured")

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        yield
    finally:
        stop.set()
        scraper.join()


def leg(bench: pairs.Bench, file: pathlib.Path, events: int, is_on: bool) -> tuple[float, float]:
    os.environ["HOTLINE__OPS__METRICS"] = "true" if is_on else "false"
    return bench.leg(file, events, scraped if is_on else None)


def main() -> int:
    result = pairs.compare(pairs.arguments(__doc__).parse_args(), leg)
    print(json.dumps(result, indent=2))
    return 0 if result["events_per_second_on_to_off"] >= SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
