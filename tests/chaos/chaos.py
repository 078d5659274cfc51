#!/usr/bin/env python3
"""Nothing lost, nothing counted twice: hotline under faults of every kind that one machine can have.

    tests/chaos/chaos.py [--seed N] [--seconds S | --events N] [--only KIND[,KIND]] [--baseline auto-commit|upsert]

A real Kafka, a PostgreSQL of its own, a gateway, three processes of casework on twelve partitions and two timekeepers. Senders
over HTTP and straight to Kafka write down what was acknowledged, and send again what was not. Meanwhile processes are killed
and stopped, PostgreSQL and the broker crash, disks fill up, and a proxy of ours cuts, delays and swallows what they say to
the database. At the end everything is let finish, and then:

    1. every acknowledged event is in the export exactly once, and nothing else but our own dispatches;
    2. the conservation law holds in every position, and every position is at its log's end;
    3. the tallies are those of all cases and of the whole ledger;
    4. every alarm that is true was told or noted, once, and what is true no longer was withdrawn;
    5. bulletins equal, integer for integer, the replay of the export and an independent oracle over the senders' own logs.

Prints its seed first and one JSON object last; exit 1 if anything does not hold. With --baseline a naive consumer takes the
place of casework, under the same senders, faults and counting: its losses show that the counting sees them, and the exit
code is 1 as it must be.
Needs a release build (HOTLINE_BIN or target/release/hotline), Java for Kafka, PostgreSQL's programs.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

# Nothing is left beside the sources.
sys.dont_write_bytecode = True

import baselines
import checks
import faults
from senders import Senders
from stage import Stage, say
from stories import Stories

SETTLE_MAX = 600
# The share of the run after which sources that wait open no more cases.
CLOSING_TIME = 0.7


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="by default a new one each time")
    parser.add_argument("--seconds", type=int, default=150, metavar="S", help="how long faults strike")
    parser.add_argument("--events", type=int, metavar="N", help="instead: until so many events are acknowledged")
    parser.add_argument("--rate", type=int, default=1500, metavar="N", help="events a second that the senders try")
    parser.add_argument("--density", type=float, default=1, metavar="F", help="so many times as many faults as by default")
    parser.add_argument("--kills", type=int, metavar="N", help="kills of casework; other faults likewise below")
    parser.add_argument("--database-restarts", type=int, metavar="N")
    parser.add_argument("--broker-restarts", type=int, metavar="N")
    parser.add_argument("--only", metavar="KIND[,KIND]", help=f"of {', '.join(faults.KINDS)}; none: no faults")
    parser.add_argument("--without", default="", metavar="KIND[,KIND]")
    parser.add_argument("--disk", default="3g", metavar="SIZE", help="of the database, where root can mount a tmpfs; 0: any")
    parser.add_argument("--baseline", choices=baselines.MODES)
    parser.add_argument("--keep", action="store_true", help="leave the folder for looking at")
    return parser.parse_args()


def fault_counts(args: argparse.Namespace) -> dict[str, int]:
    """How many faults of each kind."""
    minutes = (args.events / args.rate if args.events else args.seconds) / 60
    asked = {"kill": args.kills, "database_stop": args.database_restarts, "broker_kill": args.broker_restarts}
    wanted = args.only.split(",") if args.only else list(faults.KINDS)
    counts = {}
    for kind, (_, a_minute) in faults.KINDS.items():
        if asked.get(kind) is not None:
            counts[kind] = asked[kind]
        elif kind in wanted and kind not in args.without.split(","):
            counts[kind] = max(1, round(minutes * a_minute * args.density))
    if args.baseline:
        # A naive consumer is met with what it has: its own death, and that of the broker and the database.
        counts = {kind: count for kind, count in counts.items() if kind in baselines.FAULTS}
    return counts


class Run:
    def __init__(self, args: argparse.Namespace, folder: pathlib.Path) -> None:
        self.args, self.began_at = args, time.time()
        self.stage = Stage(folder, int(self.began_at), None if args.disk == "0" else args.disk)
        stories = Stories(args.seed, self.stage.base, plain=bool(args.baseline))
        self.senders = Senders(self.stage, stories, args.rate, https=0 if args.baseline else 3)
        self.report = checks.Report()
        self.faults: faults.Faults | None = None
        self.started = 0.0

    def progress(self) -> float:
        if self.args.events:
            return self.senders.acknowledged() / self.args.events
        return (time.monotonic() - self.started) / self.args.seconds

    def play(self) -> None:
        args, report = self.args, self.report
        self.stage.set()
        if args.baseline:
            baselines.prepare(self.stage, args.baseline)
        else:
            self.stage.start_roles()
        self.asked = fault_counts(args)
        self.faults = faults.Faults(self.stage, args.seed, self.asked, self.progress)
        say(f"sending {args.rate} events a second, with faults")
        self.started = time.monotonic()
        self.senders.start()
        self.faults.start()
        self._until_done()
        self.faults.end()
        report.counts["seconds_of_faults"] = round(time.monotonic() - self.started, 1)
        report.counts["faults"] = dict(self.faults.done)
        missed = {kind: count - self.faults.done[kind] for kind, count in self.asked.items()}
        report.expect("faults_that_did_not_strike", [f"{kind}: {count}" for kind, count in missed.items() if count > 0])
        report.expect("faults_that_did_not_work", self.faults.failed)
        say("no more faults; everything is let finish")
        deadline = time.monotonic() + SETTLE_MAX
        report.expect("senders_not_done", 0 if self.senders.finish(deadline) else 1)
        report.counts["senders"] = dict(self.senders.counts)
        if args.baseline:
            baselines.settle(self.stage)
            baselines.check(self.stage, report)
            return
        checks.settle(self.stage, report, deadline)
        checks.wait_for_late_pins(self.senders)
        report.expect("ended_by_themselves", [f"{role.name} with {role.ended_by_itself}" for role in self.stage.roles()
                                              if role.ended_by_itself])
        checks.check_all(self.stage, self.senders, report)

    def _until_done(self) -> None:
        """Until the time or the events are over and all faults have struck; however slow, not for ever."""
        minutes_max = 6 * (self.args.events / self.args.rate if self.args.events else self.args.seconds) / 60 + 3
        told_at, acknowledged_at = time.monotonic(), time.monotonic()
        last = 0
        while self.progress() < 1 or not self.faults.is_over():
            time.sleep(0.2)
            now = time.monotonic()
            if self.senders.acknowledged() != last:
                last, acknowledged_at = self.senders.acknowledged(), now
            self.senders.stories.is_closing_time = self.progress() > CLOSING_TIME
            if now - told_at > 10:
                told_at = now
                say(f"{min(1, self.progress()):.0%}, {last} events acknowledged, faults: {dict(self.faults.done)}")
            if now - self.started > minutes_max * 60 or now - acknowledged_at > 180:
                say("it takes too long: no more faults")
                self.report.expect("cut_short", 1)
                return


def main() -> int:
    # Ended from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args = parse()
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1 << 31)
    print(f"seed {args.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hotline-chaos-"))
    run, ok = None, False
    try:
        run = Run(args, folder)
        run.play()
        ok = not run.report.wrong
    finally:
        if run:
            run.stage.strike()
        if args.keep or not ok:
            say(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"seed": args.seed, **run.report.counts, "wrong": run.report.wrong,
                      "seconds": round(time.time() - run.began_at), "ok": ok}, ensure_ascii=False, indent=1))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
