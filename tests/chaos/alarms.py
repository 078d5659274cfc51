#!/usr/bin/env python3
"""A hundred thousand deadlines in one minute, while timekeepers and relays are killed: each alarm is told once.

    tests/chaos/alarms.py [--cases N] [--kills N] [--seed N] [--keep]

A real Kafka, a PostgreSQL of its own, casework, two timekeepers, two relays. Cases come in whose deadlines all pass at one
instant; from then on one of the four is killed every moment and started again. A topic and a webhook receive the notices.
At the end:

    1. every case has its alarm, raised once and never withdrawn, and `hotline alarms check` finds nothing untold;
    2. notices are numbered from 1 without a gap;
    3. the topic has every notice, the webhook every one of its department; no id comes with two contents, every request is
       signed;
    4. all of it within a minute of the last start.

Prints its seed first and one JSON object last; exit 1 if anything does not hold. Needs what chaos.py needs.
"""
from __future__ import annotations

import argparse
import base64
import collections
import hashlib
import hmac
import http.server
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import checks
import stories
from stage import PARTITIONS, ROOT, TOPIC, Role, Stage, free_port, say
from wire import Broker

NOTICES = "chaos-notices"
SOURCE = "/hotline/chaos/alarms"
DEPARTMENTS = [f"D{n:02}" for n in range(20)]
# How long the cases may take to come in before their deadlines pass.
LEAD_SECONDS = 75
TOLD_SECONDS_MAX = 60
POLICY = """[[policy]]
id = "close"
calendar = "cn"
match = { hotline = "12345" }
stage = "close"
start = "received"
stop = ["closed"]
limit = 2
unit = "hour"
closure = true
alarms = [{ after = "0 hour", level = "breach" }]
basis = "an example"
"""


class Receiver:
    """A webhook: what came under each id, and whether it was signed."""

    def __init__(self, secret: bytes) -> None:
        self.contents: dict[str, set[bytes]] = collections.defaultdict(set)
        self.requests, self.unsigned = 0, 0
        lock, outer = threading.Lock(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                name, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
                tag = hmac.new(secret, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
                signed = self.headers["webhook-signature"] == "v1," + base64.b64encode(tag).decode()
                with lock:
                    outer.requests += 1
                    outer.unsigned += not signed
                    outer.contents[name].add(body)
                self.send_response(204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is told of single requests."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Run:
    def __init__(self, args: argparse.Namespace, folder: pathlib.Path) -> None:
        self.args, self.dice, self.folder = args, random.Random(args.seed), folder
        self.stage = Stage(folder, time.time(), None)
        secret = self.dice.randbytes(32)
        (folder / "webhook.secret").write_text("whsec_" + base64.b64encode(secret).decode() + "\n")
        self.receiver = Receiver(secret)
        self.report = checks.Report()
        self.roles: list[Role] = []

    def play(self) -> None:
        stage, args = self.stage, self.args
        say("starting Kafka and PostgreSQL")
        self._write_rulebook()
        stage.write_config()
        with open(stage.config, "a") as config:
            config.write(f"[relay]\ntopic = '{NOTICES}'\n[[relay.webhooks]]\nname = 'department'\n"
                         f"url = 'http://127.0.0.1:{self.receiver.port}/hook'\nsecret_file = '{self.folder / 'webhook.secret'}'\n"
                         f"departments = ['{DEPARTMENTS[0]}']\nallow_private = true\n")
        stage.kafka.start()
        stage.postgres.create()
        stage.command("migrate", "--partitions", str(PARTITIONS))
        stage.command("rulebook", "activate", str(stage.rulebook))
        stage.kafka.make_plain(NOTICES)
        stage.casework = [self._role("casework")]
        stage.timekeepers = [self._role("timekeeper-0"), self._role("timekeeper-1"), self._role("relay-0"), self._role("relay-1")]
        stage.start_others()
        stage.wait_ready()
        due_at = time.time() + LEAD_SECONDS
        self._send(due_at)
        self._until("SELECT count(*) FROM cases WHERE department IS NOT NULL", args.cases, LEAD_SECONDS * 3)
        self.report.counts["cases_in_before_their_deadline"] = time.time() < due_at
        say(f"{args.cases} cases are in, {due_at - time.time():.0f} s before their deadlines")
        time.sleep(max(0.0, due_at - time.time() - 0.5))
        kills = self._kill()
        last_start = time.monotonic()
        self.report.counts |= {"kills": kills, "told_during_kills": self._count("SELECT count(*) FROM alarms")}
        self._until("SELECT count(*) FROM alarms", args.cases, TOLD_SECONDS_MAX * 3)
        self._until("SELECT count(*) FROM notices WHERE number <= (SELECT min(number) FROM deliveries)", args.cases,
                    TOLD_SECONDS_MAX * 3)
        self.report.counts["seconds_after_the_last_start"] = round(time.monotonic() - last_start, 1)
        self.report.expect("told_too_late", int(time.monotonic() - last_start > TOLD_SECONDS_MAX))
        self._check()

    def _write_rulebook(self) -> None:
        folder = self.stage.rulebook
        shutil.copytree(ROOT / "deploy/rulebook", folder)
        for part in ["policies", "sources", "routing"]:
            shutil.rmtree(folder / part)
            (folder / part).mkdir()
        (folder / "policies/close.toml").write_text(POLICY)
        (folder / "sources/chaos.toml").write_text(
            f'[[source]]\nid = "{SOURCE}"\nhotline = "12345"\nname = "alarms"\ndispatch = "hotline"\ntimezone = "Asia/Shanghai"\n')
        with open(folder / "departments.csv", "a") as departments:
            departments.writelines(f"{code},示例{code},Example {code},,,,,\n" for code in DEPARTMENTS)

    def _role(self, name: str) -> Role:
        env = {"HOTLINE__OPS__LISTEN": f"127.0.0.1:{free_port()}"}
        command = [self.stage.binary, "--config", str(self.stage.config), name.split("-")[0]]
        return Role(name, command, env, self.folder / f"{name}.log")

    def _send(self, due_at: float) -> None:
        """Receipts two hours before the deadline, and dispatches."""
        path = self.folder / "events.ndjson"
        with open(path, "w", encoding="utf-8") as out:
            for n in range(self.args.cases):
                at = stories.stamp(due_at - 7200)
                head = {"specversion": "1.0", "source": SOURCE, "subject": f"12345:alarm-{n:06}", "time": at}
                out.write(json.dumps({**head, "type": "hotline.case.received.v1", "id": f"r{n}",
                                      "data": {"case_type": "complaint"}}) + "\n")
                out.write(json.dumps({**head, "type": "hotline.case.dispatched.v1", "id": f"d{n}",
                                      "data": {"department": DEPARTMENTS[n % len(DEPARTMENTS)]}}) + "\n")
        self.stage.command("send", "--to", f"kafka://{self.stage.kafka.address}/{TOPIC}", str(path))

    def _count(self, sql: str) -> int:
        return int(self.stage.postgres.sql(sql)[0])

    def _until(self, sql: str, wanted: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (found := self._count(sql)) != wanted:
            if time.monotonic() > deadline or found > wanted:
                self.report.expect("never_came", 1, [f"{sql}: {found} instead of {wanted}"])
                return
            time.sleep(0.5)

    def _kill(self) -> int:
        kills = 0
        while kills < self.args.kills:
            self.dice.choice(self.stage.timekeepers).kill()
            kills += 1
            time.sleep(self.dice.uniform(0.02, 0.4))
        return kills

    def _check(self) -> None:
        stage, report, cases = self.stage, self.report, self.args.cases
        report.expect("alarms_not_as_told", stage.command("alarms", "check", codes=(0, 2)).splitlines())
        report.expect("alarms_off", abs(cases - self._count(
            "SELECT count(*) FROM alarms WHERE telling = 'raised' AND n = 1")) + self._count("SELECT count(*) FROM alarms WHERE n > 1"))
        report.expect("numbers_off", abs(cases - self._count("SELECT max(number) FROM notices"))
                      + abs(cases - self._count("SELECT count(number) FROM notices")))
        topic = self._topic()
        hook = self.receiver.contents
        wanted = {row for row in stage.postgres.sql("SELECT encode(notice_id, 'hex') FROM notices")}
        of_department = set(stage.postgres.sql(
            f"SELECT encode(notice_id, 'hex') FROM notices WHERE department = '{DEPARTMENTS[0]}'"))
        report.counts |= {"records_in_the_topic": sum(topic.values()), "requests": self.receiver.requests}
        report.expect("missing_in_the_topic", len(wanted - {name for name, _ in topic}))
        report.expect("missing_at_the_webhook", len(of_department - hook.keys()))
        report.expect("not_for_the_webhook", len(hook.keys() - of_department))
        names = collections.Counter(name for name, _ in topic)
        report.expect("two_contents_in_the_topic", sum(count > 1 for count in names.values()))
        report.expect("two_contents_at_the_webhook", sum(len(bodies) > 1 for bodies in hook.values()))
        report.expect("unsigned", self.receiver.unsigned)
        report.counts["logged_errors"] = stage.logged()

    def _topic(self) -> collections.Counter:
        """How often each content came under each id."""
        found: collections.Counter = collections.Counter()
        broker = Broker(self.stage.kafka.address)
        for partition in range(PARTITIONS):
            offset, end = 0, broker.end(NOTICES, partition)
            while offset < end:
                records = broker.fetch(NOTICES, partition, offset, 4 << 20)
                for record in records:
                    found[json.loads(record.value)["id"], hashlib.sha256(record.value).digest()] += 1
                    offset = record.offset + 1
                if not records:
                    offset += 1
        broker.close()
        return found


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=200, help="of timekeepers and relays, one after another")
    parser.add_argument("--seed", type=int, default=None, help="by default a new one each time")
    parser.add_argument("--keep", action="store_true", help="leave the folder for looking at")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1 << 31)
    print(f"seed {args.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hotline-alarms-"))
    run, ok, began = None, False, time.time()
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
                      "seconds": round(time.time() - began), "ok": ok}, ensure_ascii=False, indent=1))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
