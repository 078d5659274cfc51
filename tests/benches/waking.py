#!/usr/bin/env python3
"""Many deadlines at once: how many cases a second timekeeper tells of, and what that costs casework.

    tests/benches/waking.py [--due N] [--open N] [--cases N] [--seed N]

A real Kafka, a PostgreSQL of its own, casework and a timekeeper, all on this machine. Three loads of the benchmark, equal in
size, lie in the topic one after another; meanwhile nothing is due, then so many cases at once, then nothing again. Besides
there are open cases whose deadlines are far away.

    alone         cases due while casework has nothing to do: cases a second, from the timekeeper's start to the last alarm
    beside        the same beside casework at work; its events a second against the mean of the loads before and after

Prints one JSON object. Figures of a shared machine mean little: look at the ratio. Needs what bench.py needs.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True
FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "chaos")]

import alarms
import bench
import stories
from stage import PARTITIONS, TOPIC, Role, Stage, free_port, say

SOURCE = "/hotline/12315/waking"
WAIT_SECONDS = 900


class Run:
    def __init__(self, args: argparse.Namespace, folder: pathlib.Path) -> None:
        self.args, self.folder = args, folder
        self.stage = Stage(folder, time.time(), None)
        self.casework, self.timekeeper = self._role("casework"), self._role("timekeeper")
        self.loads = 0

    def _role(self, name: str) -> Role:
        command = [self.stage.binary, "--config", str(self.stage.config), name]
        return Role(name, command, {"HOTLINE__OPS__LISTEN": f"127.0.0.1:{free_port()}"}, self.folder / f"{name}.log")

    def play(self) -> dict:
        stage, args = self.stage, self.args
        say("starting Kafka and PostgreSQL")
        bench.write_rulebook(stage.rulebook)
        policies = stage.rulebook / "policies/all.toml"
        load = "".join(line for line in policies.read_text().splitlines(keepends=True) if not line.startswith("alarms = "))
        policies.write_text(load + alarms.POLICY.replace("12345", "12315").replace('id = "close"', 'id = "due"'))
        with open(stage.rulebook / "sources/bench.toml", "a") as sources:
            sources.write(f'[[source]]\nid = "{SOURCE}"\nhotline = "12315"\nname = "waking"\ndispatch = "hotline"\n')
        stage.write_config()
        stage.kafka.start()
        stage.postgres.create()
        stage.command("migrate", "--partitions", str(PARTITIONS))
        stage.command("rulebook", "activate", str(stage.rulebook))
        result = {"due": args.due, "events_of_a_load": 12 * args.cases}
        due_at = self._take_due(args.due)
        if args.open:
            self._open(args.open)
        result["open_cases"] = self._count("SELECT count(*) FROM cases WHERE wake_at IS NOT NULL")
        self._wait(due_at)
        say("telling, casework being idle")
        began = time.monotonic()
        self.timekeeper.start()
        self._until("SELECT count(*) FROM alarms", args.due)
        result["alone_cases_per_second"] = round(args.due / (time.monotonic() - began))
        before = self._load("nothing is due")
        self.timekeeper.stop()
        load = self._make_load()
        due_at = self._take_due(args.due)
        self._send(load)
        if time.time() > due_at:
            raise SystemExit("waking: the load was sent too slowly: cases were due meanwhile")
        self._wait(due_at)
        self.timekeeper.start()
        beside = self._load("deadlines pass", is_sent=True)
        told = self._count("SELECT count(*) FROM alarms") - args.due
        self._until("SELECT count(*) FROM alarms", 2 * args.due)
        result["beside_cases_per_second"] = round(told / beside["seconds"])
        after = self._load("nothing is due")
        result["casework_events_per_second"] = {
            name: part["rate"] for name, part in [("before", before), ("beside", beside), ("after", after)]}
        result["casework_ratio"] = round(2 * beside["rate"] / (before["rate"] + after["rate"]), 3)
        return result

    def _take_due(self, count: int) -> float:
        """Cases that come in and are due soon after; when."""
        say(f"{count} cases come in")
        first, path = self._count("SELECT count(*) FROM cases"), self.folder / "due.ndjson"
        due_at = time.time() + 30 + count / 1500
        at = stories.stamp(due_at - 7200)
        with open(path, "w", encoding="utf-8") as out:
            for n in range(first, first + count):
                head = {"specversion": "1.0", "source": SOURCE, "subject": f"12315:due-{n:07}", "time": at}
                out.write(json.dumps({**head, "type": "hotline.case.received.v1", "id": f"r{n}",
                                      "data": {"case_type": "complaint"}}) + "\n")
                out.write(json.dumps({**head, "type": "hotline.case.dispatched.v1", "id": f"d{n}",
                                      "data": {"department": f"D{n % bench.DEPARTMENTS:03}"}}) + "\n")
        self._send(path)
        self.casework.start()
        self._until("SELECT count(*) FROM cases WHERE hotline = '12315' AND department IS NOT NULL AND wake_at IS NOT NULL AND wake_at < now() + interval '1 day'", count)
        self.casework.stop()
        if time.time() > due_at:
            raise SystemExit("waking: the cases came in too slowly: they were due meanwhile")
        return due_at

    @staticmethod
    def _wait(due_at: float) -> None:
        time.sleep(max(0.0, due_at - time.time()))

    def _open(self, count: int) -> None:
        """Copies of those cases whose deadlines are days away."""
        say(f"{count} open cases more")
        columns = ("revision, rulebook_seq, fold_version, facts, score, hotline, registered, case_type, category, region, channel, "
                   "class, department, received_at, closed_at, due_at, due_on, verdict, rounds, clocks_run, overdue, anomalies, ladder")
        for part in range(-(-count // self.args.due)):
            self.stage.postgres.sql(
                f"INSERT INTO cases (case_id, {columns}, wake_at) SELECT '12315:far-{part:04}' || substr(case_id, 10), {columns}, "
                f"now() + random() * interval '10 days' + interval '1 day' FROM cases WHERE case_id LIKE '12315:due-%' "
                f"LIMIT {min(self.args.due, count - part * self.args.due)}")
        self.stage.postgres.sql("VACUUM (ANALYZE) cases")

    def _make_load(self) -> pathlib.Path:
        path = self.folder / "load.ndjson"
        bench.write_events(path, self.args.cases, first=self.loads * 10_000_000)
        self.loads += 1
        return path

    def _send(self, path: pathlib.Path) -> None:
        self.stage.command("send", "--to", f"kafka://{self.stage.kafka.address}/{TOPIC}", str(path))

    def _load(self, what: str, is_sent: bool = False) -> dict:
        """Casework over one load, from its first commit seen to the last."""
        if not is_sent:
            self._send(self._make_load())
        say(f"casework over {12 * self.args.cases} events, and {what}")
        positions = "SELECT coalesce(sum(next_offset), 0) FROM positions WHERE origin LIKE '%/%'"
        base = first = self._count(positions)
        end, began = base + 12 * self.args.cases, None
        self.casework.start()
        deadline = time.monotonic() + WAIT_SECONDS
        while (done := self._count(positions)) < end:
            if began is None and done > base:
                began, first = time.monotonic(), done
            if time.monotonic() > deadline:
                raise SystemExit(f"waking: casework stands at {done} of {end}")
            time.sleep(0.05)
        seconds = time.monotonic() - began
        self.casework.stop()
        return {"rate": round((end - first) / seconds), "seconds": seconds}

    def _count(self, sql: str) -> int:
        return int(self.stage.postgres.sql(sql)[0])

    def _until(self, sql: str, wanted: int) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while (found := self._count(sql)) < wanted:
            if time.monotonic() > deadline:
                raise SystemExit(f"waking: {sql}: {found} instead of {wanted}")
            time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--due", type=int, default=100_000, help="cases due at once")
    parser.add_argument("--open", type=int, default=900_000, help="open cases besides, whose deadlines are far away")
    parser.add_argument("--cases", type=int, default=40_000, help="of each load of casework, twelve events each")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    random.seed(args.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hotline-waking-"))
    folder.chmod(0o755)
    run = None
    try:
        run = Run(args, folder)
        print(json.dumps({"seed": args.seed, **run.play()}, indent=1))
        return 0
    finally:
        if run:
            for role in [run.casework, run.timekeeper]:
                role.stop()
            run.stage.strike()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
