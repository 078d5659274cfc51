#!/usr/bin/env python3
"""What sealing costs casework, which shares its machine and its database with it.

    tests/benches/sealing.py [--pairs N] [--cases N] [--lists] [--without PROGRAM]

Pairs of legs, as pairs.py says: in one `hotline audit` seals beside casework what casework records, in the other nobody seals.
What a leg left unsealed is sealed before the next begins. --lists has it keep the lists of closed cases, too, by which auditors
search (`[audit] keep_every`), which it else leaves until later. --without names a program that runs the legs without sealing:
one that was built to write no closure records shows what records and sealing cost together.

Prints one JSON object: events a second and microseconds of casework's own processor time an event with sealing and without,
the median of the pairs' ratios, and of the legs with sealing the records that were sealed a second while casework worked, which
share of all was left unsealed at the end of a leg (the sealer gives way to batches), and the sealer's share of a processor. Exit 1 if casework with sealing is more than 10 % below casework without. Needs what
bench.py needs.
"""
from __future__ import annotations

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]

import bench as casework
import pairs

SHARE_MIN = 0.9
SEALED = "SELECT coalesce(max(leaf_index) + 1, 0) FROM closure_seals"
RECORDS = "SELECT count(*) FROM closure_records"


class Sealer:
    """`hotline audit` beside casework, on its database."""

    def __init__(self, bench: pairs.Bench, keeps_lists: bool) -> None:
        self.bench, self.keeps_lists = bench, keeps_lists
        self.per_second: list[float] = []
        self.share: list[float] = []
        self.left: list[float] = []

    @contextlib.contextmanager
    def at_work(self, bench: pairs.Bench) -> Iterator[None]:
        process = self.start()
        try:
            began, spent, sealed = time.perf_counter(), pairs.processor(process.pid), bench.number(SEALED)
            yield
            took = time.perf_counter() - began
            self.per_second.append((bench.number(SEALED) - sealed) / took)
            self.share.append((pairs.processor(process.pid) - spent) / took)
            records = bench.number(RECORDS)
            self.left.append((records - bench.number(SEALED)) / max(1, records - sealed))
        finally:
            self.end(process)

    @contextlib.contextmanager
    def afterwards(self, bench: pairs.Bench) -> Iterator[None]:
        yield
        self.end(self.start())

    def start(self) -> subprocess.Popen:
        bench = self.bench
        pid = (bench.data / "postgres/postmaster.pid").read_text().splitlines()
        env = {
            **os.environ,
            "HOTLINE__POSTGRES__HOST": pid[4], "HOTLINE__POSTGRES__PORT": pid[3],
            "HOTLINE__POSTGRES__PASSWORD_FILE": str(bench.data / "postgres.password"),
            "HOTLINE__OPS__LISTEN": f"127.0.0.1:{casework.free_port()}",
            "HOTLINE__AUDIT__KEEP_EVERY": "1s" if self.keeps_lists else "1h",
        }
        return subprocess.Popen([bench.hotline, "--config", str(bench.config), "audit"], stdout=bench.log, stderr=bench.log, env=env)

    def end(self, process: subprocess.Popen) -> None:
        """When all is sealed: none of it falls on the next leg."""
        records = self.bench.number(RECORDS)
        while self.bench.number(SEALED) < records:
            if process.poll() is not None:
                raise SystemExit(f"sealing: the sealer ended: {(self.bench.folder / 'hotline.log').read_text()[-800:]}")
            time.sleep(0.2)
        process.terminate()
        process.wait(60)


def main() -> int:
    parser = pairs.arguments(__doc__)
    parser.add_argument("--lists", action="store_true", help="the lists of closed cases are kept, too")
    parser.add_argument("--without", metavar="PROGRAM", help="runs the legs without sealing")
    args = parser.parse_args()
    sealers: list[Sealer] = []

    def leg(bench: pairs.Bench, file: pathlib.Path, events: int, is_on: bool) -> tuple[float, float]:
        if not sealers:
            sealers.append(Sealer(bench, args.lists))
        program = bench.hotline
        if args.without and not is_on:
            bench.hotline = args.without
        try:
            return bench.leg(file, events, sealers[0].at_work if is_on else sealers[0].afterwards)
        finally:
            bench.hotline = program

    result = pairs.compare(args, leg)
    result["records_sealed_per_second"] = round(statistics.median(sealers[0].per_second))
    result["share_of_records_left_unsealed"] = round(statistics.median(sealers[0].left), 3)
    result["sealers_share_of_a_processor"] = round(statistics.median(sealers[0].share), 2)
    print(json.dumps(result, indent=2))
    return 0 if result["events_per_second_on_to_off"] >= SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
