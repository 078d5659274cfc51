#!/usr/bin/env python3
"""What does sealing cost? Records a second that one sealer takes in, and which part of a core.

    tests/benches/sealing.py [--records 200000] [--rate 2000] [--seconds 20]

First everything that waits is sealed at full speed; then records come at a steady rate. CPU is that of the role audit and of the
sessions of PostgreSQL that serve it, from /proc, beside the seconds that passed. Prints one JSON object.
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "audit"))

from log import Log  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Seconds of a process that runs; 0 of one that has ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def spent(log: Log) -> tuple[float, float]:
    """Of the role, and of the sessions that serve it. Ours ends with each question."""
    role = log.sealers[0].process.pid
    return cpu(role), sum(cpu(pid) for pid in log.postgres.backends())


def span(log: Log, size: int, began: float, before: tuple[float, float], records: int) -> dict:
    log.wait_sealed(size)
    took, after = time.monotonic() - began, spent(log)
    role, sessions = after[0] - before[0], after[1] - before[1]
    return {"records": records, "seconds": round(took, 2), "records_per_second": round(records / took),
            "role_cpu_seconds": round(role, 2), "database_cpu_seconds": round(sessions, 2),
            "cpu_microseconds_per_record": round((role + sessions) / records * 1e6, 1),
            "share_of_a_core": round((role + sessions) / took, 3)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", type=int, default=200_000)
    arguments.add_argument("--rate", type=int, default=2_000)
    arguments.add_argument("--seconds", type=int, default=20)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="hotline-sealing-") as folder:
        log = Log(pathlib.Path(folder), witness=False)
        try:
            log.set(1)
            log.stop_sealers()
            log.write(asked.records, 1)
            began = time.monotonic()
            log.start()
            all_at_once = span(log, asked.records + 1, began, (0.0, 0.0), asked.records)
            began, before = time.monotonic(), spent(log)
            for second in range(asked.seconds):
                log.write(asked.rate, asked.records + 1 + second * asked.rate)
                time.sleep(max(0.0, began + second + 1 - time.monotonic()))
            more = asked.rate * asked.seconds
            steady = span(log, asked.records + 1 + more, began, before, more)
            size = log.postgres.sql("SELECT sum(pg_total_relation_size(c)) FROM unnest(array['closure_seals', 'log_tiles', "
                                    "'log_checkpoints']::regclass[]) AS c")[0]
            print(json.dumps({"all_at_once": all_at_once, "steady": steady,
                              "bytes_per_record": round(int(size) / (asked.records + more), 1)}))
        finally:
            log.strike()


if __name__ == "__main__":
    main()
