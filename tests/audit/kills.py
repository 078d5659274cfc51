#!/usr/bin/env python3
"""The sealers are killed again and again under load: is there one chain, without a gap, that the witness never refuses?

    tests/audit/kills.py [--kills 200] [--sealers 2] [--seed N]

Two processes of the role audit stand by; records are written in transactions that overlap and commit out of order, some of them
rolled back. The sealers die by SIGKILL at random moments and are started again. Then every record must be sealed once, `hotline
audit check` must find nothing with every note that the witness kept beside it, and no note that was ever in the checkpoint file
may be missing from the chain.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import random
import sys
import tempfile
import threading
import time

from log import Log, say

FIRST = 300


class Writers:
    """Records from several sessions at once."""

    def __init__(self, log: Log, seed: int) -> None:
        self.log, self.random = log, random.Random(seed)
        self.is_over = threading.Event()
        self.written, self.lock = FIRST, threading.Lock()
        self.threads = [threading.Thread(target=self._write, args=(self.random.random(),), daemon=True) for _ in range(3)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def _write(self, seed: float) -> None:
        dice = random.Random(seed)
        while not self.is_over.is_set():
            count, wait, keep = dice.randrange(1, 60), dice.choice([0, 0.05, 0.3]), dice.random() > 0.1
            row = "SELECT 'case-1', 'closed', now(), convert_to(json_build_object('n', random())::text, 'UTF8')"
            insert = "INSERT INTO closure_records (case_id, kind, written_at, leaf) " + row
            self.log.postgres.sql(f"BEGIN; {insert} FROM generate_series(1, {count}); SELECT pg_sleep({wait}); "
                                  + ("COMMIT" if keep else "ROLLBACK"))
            if keep:
                with self.lock:
                    self.written += count

    def stop(self) -> int:
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        return self.written


class Watch:
    """Every note that was ever in the checkpoint file."""

    def __init__(self, file: pathlib.Path) -> None:
        self.file, self.notes, self.is_over = file, set(), threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self.is_over.wait(0.01):
            self.notes.add(self.file.read_text())

    def stop(self) -> list[str]:
        self.is_over.set()
        self.thread.join()
        return sorted(self.notes, key=lambda note: int(note.split("\n")[1]))


def kept_by(witness: pathlib.Path) -> list[str]:
    """The notes of a witness, each with its lines."""
    return [note for path in sorted(witness.glob("logs/*/notes-*")) for note in split(path.read_text())]


def split(text: str) -> list[str]:
    """A note, an empty line, a note: each has an empty line of its own, before its signatures."""
    parts = text.split("\n\n")
    return [f"{body.lstrip()}\n\n{lines}\n" for body, lines in zip(parts[::2], parts[1::2])]


def run(kills: int, sealers: int, seed: int, folder: pathlib.Path) -> list[str]:
    log = Log(folder, sealers=sealers, settings="seal_every = '50ms'\nseal_records_max = 200\n")
    faults = []
    try:
        log.set(FIRST)
        writers, watch, dice = Writers(log, seed), Watch(log.file), random.Random(seed)
        writers.start()
        watch.thread.start()
        began = time.monotonic()
        for number in range(kills):
            time.sleep(dice.uniform(0.02, 0.35))
            log.sealers[number % sealers].kill()
        took = time.monotonic() - began
        written = writers.stop()
        log.wait_sealed(written)
        log.wait(lambda: log.cosigned() == log.size(), "the witness has seen everything")
        notes = watch.stop()
        sealed, dense = log.postgres.sql("SELECT count(*), max(leaf_index) + 1 FROM closure_seals")[0].split("|")
        records = log.postgres.sql("SELECT count(*) FROM closure_records")[0]
        if not sealed == dense == records == str(written):
            faults.append(f"{written} records written, {records} there, {sealed} sealed, {dense} leaves")
        paths = []
        for place, note in enumerate([*notes, *kept_by(folder / "witness")]):
            paths += ["--note", str(folder / f"note-{place}")]
            (folder / f"note-{place}").write_text(note)
        checked = log.check(*paths)
        faults += [finding["what"] for finding in checked["findings"]]
        refused = sum("a witness refuses" in role.log.read_text() for role in log.sealers)
        if refused:
            faults.append("the witness refused")
        epoch = log.postgres.sql("SELECT epoch FROM log_state")[0]
        print(json.dumps({"kills": kills, "seconds": round(took, 1), "records": written, "checkpoints": checked["checkpoints"],
                          "notes_seen": len(notes), "notes_of_the_witness": len(paths) // 2 - len(notes), "epochs": int(epoch),
                          "faults": len(faults)}))
    finally:
        log.strike()
    return faults


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=200)
    arguments.add_argument("--sealers", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=1)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="hotline-kills-") as folder:
        faults = run(asked.kills, asked.sealers, asked.seed, pathlib.Path(folder))
    for fault in faults:
        say(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
