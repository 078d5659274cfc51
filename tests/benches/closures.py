#!/usr/bin/env python3
"""How long auditors wait: pages of closed cases by every filter, and files of them, over ten million closures.

    tests/benches/closures.py [--closed N] [--pages N] [--rows N]

A private PostgreSQL gets --closed made-up rows as the keeper of `hotline audit` writes them: three years, 300 departments of very
unequal size, one of which was closed down two years ago, common and rare categories, verdicts and anomalies. Then `hotline audit`
answers over HTTP: --pages pages for every filter below, each from another place of the list (the first ones and deep ones); then
--rows rows as CSV, NDJSON and XLSX, while the memory of the process is watched.

Prints one JSON object: milliseconds a page by filter (median, p99, most), milliseconds of all pages together, rows a second and
growth of resident memory by format. Exit 1 if the p99 of any filter is above 50 ms or an export grows the process by more than
96 MiB. Needs a release build (HOTLINE_BIN or target/release/hotline) and PostgreSQL.
"""
from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/chaos")]

import stage

BINARY = os.environ.get("HOTLINE_BIN", str(ROOT / "target/release/hotline"))
PAGE_MS = 50
GROWTH_MIB = 96

# What somebody may ask for, and that a rare thing is rare.
FILTERS = {
    "everything": {},
    "a large department": {"department": "D000"},
    "a small department": {"department": "D150"},
    "the smallest department": {"department": "D298"},
    "a department closed down long ago": {"department": "D299"},
    "a common category": {"category": "c0"},
    "a category of two levels": {"category": "c3/s7"},
    "a rare category, over all time": {"category": "rare"},
    "late": {"verdict": "late"},
    "left late": {"verdict": "left_late"},
    "a rare anomaly": {"anomaly": "return_barred"},
    "a region": {"region": "411202"},
    "a rule": {"rule": "12345-close"},
    "a department, late": {"department": "D003", "verdict": "late"},
    "a department, a category": {"department": "D003", "category": "c1"},
    "a common category, late, of one type": {"category": "c0", "verdict": "late", "case_type": "complaint"},
    "two common things that never meet": {"case_type": "praise", "verdict": "late"},
    "four things": {"department": "D001", "category": "c0", "verdict": "late", "case_type": "help"},
    "a month": {"from": "2025-03-01", "to": "2025-04-01"},
    "a month of a department": {"department": "D010", "from": "2025-03-01", "to": "2025-04-01"},
    "what there is not": {"department": "nobody"},
}

# As services/postgres/src/closures/keep.rs writes them. The numbers of a case are its own: made of its place.
CLOSURES = """
SET synchronous_commit = off;
INSERT INTO closures (day, closed_at, case_id, received_at, department, hotline, case_type, category, region, class, kind, outcome,
        verdict, due_at, excluded, rounds, rating, policies, anomalies, terms)
SELECT day, closed_at, case_id, closed_at - interval '5 days', department, hotline, case_type, category, region, 'ordinary', 'closed',
       'resolved', verdict, closed_at + interval '1 day', false, 1, '5', ARRAY[hotline || '-close', hotline || '-sign'], anomalies,
       ARRAY(SELECT DISTINCT term || '@' || substr(day::text, 1, 7) AS term FROM unnest(ARRAY['*', 'department=' || department, 'hotline=' || hotline, 'case_type=' || case_type,
             'class=ordinary', 'category=' || split_part(category, '/', 1), 'category=' || category, 'region=41', 'region=4112',
             'region=' || region, 'verdict=' || verdict, 'judged=' || department || '/' || verdict, 'rule=' || hotline || '-close',
             'rule=' || hotline || '-sign'] || ARRAY(SELECT 'anomaly=' || code FROM unnest(anomalies) AS code)) AS term ORDER BY term)
  FROM (SELECT n, closed_at, (closed_at AT TIME ZONE 'Asia/Shanghai')::date AS day, '12345:4112' || lpad(n::text, 10, '0') AS case_id,
               CASE WHEN closed_at < timestamptz '2024-06-01' AND n % 40 = 7 THEN 'D299'
                    ELSE 'D' || lpad(floor(299 * power(a, 3))::integer::text, 3, '0') END AS department,
               CASE WHEN b < 0.9 THEN '12345' ELSE '12315' END AS hotline,
               type AS case_type,
               CASE WHEN n % 30011 = 5 THEN 'rare' ELSE 'c' || floor(12 * c * c)::integer || '/s' || floor(10 * d)::integer END AS category,
               '4112' || lpad((2 + n % 12)::text, 2, '0') AS region,
               CASE WHEN type = 'praise' THEN 'met' WHEN d < 0.89 THEN 'met' WHEN d < 0.985 THEN 'late' ELSE 'left_late' END AS verdict,
               CASE WHEN n % 200 = 3 THEN ARRAY['backdated'] WHEN n % 100003 = 9 THEN ARRAY['return_barred'] ELSE '{{}}'::text[] END AS anomalies
          FROM (SELECT n, timestamptz '2023-11-01 00:00:00+08' + interval '1096 days' * (n::double precision / {total}) AS closed_at,
                       u(n, 1) AS a, u(n, 2) AS b, u(n, 3) AS c, u(n, 4) AS d,
                       (ARRAY['consult', 'help', 'help', 'complaint', 'complaint', 'complaint', 'report', 'suggestion', 'praise', 'petition'])
                           [1 + floor(10 * u(n, 5))::integer] AS type
                  FROM generate_series({first}, {last}) AS n) AS drawn) AS made;
"""
COUNTS = """
INSERT INTO closure_days SELECT left(term, -8), day, count(*) FROM closures, unnest(terms) AS term GROUP BY 1, 2 ORDER BY 2, 1;
"""


def say(text: str) -> None:
    print(f"closures: {text}", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.postgres = folder, stage.Postgres(folder, None)
        self.config, self.port = folder / "hotline.toml", stage.free_port()

    def migrate(self) -> None:
        self.postgres.create()
        key = self.folder / "master.key"
        key.write_text(os.urandom(32).hex() + "\n")
        key.chmod(0o600)
        self.config.write_text(
            f"[data]\ndir = '{self.folder / 'data'}'\nmaster_key_file = '{key}'\n[postgres]\nhost = '{self.postgres.sockets}'\n"
            f"port = {self.postgres.port}\npassword_file = '{self.postgres.password_file}'\n"
            f"[audit]\nlisten = '127.0.0.1:{self.port}'\n[ops]\nlisten = '127.0.0.1:0'\n[rulebook]\ndir = '{ROOT / 'deploy/rulebook'}'\n")
        for command in (["migrate"], ["rulebook", "activate", str(ROOT / "deploy/rulebook")]):
            subprocess.run([BINARY, "--config", str(self.config), *command], check=True, stdout=subprocess.DEVNULL)

    def sql(self, text: str) -> list[str]:
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.postgres.port), "-U", "hotline", "-d", "hotline"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, env={**os.environ, "PGPASSWORD": self.postgres.password})
        if done.returncode:
            raise SystemExit(f"closures: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def fill(self, closed: int) -> None:
        self.sql("CREATE FUNCTION u(n bigint, k integer) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE "
                 "RETURN (hashint8extended(n, k) & 9007199254740991) / 9007199254740992.0;"
                 "DROP INDEX closures_terms;")
        step = 500_000
        for first in range(1, closed + 1, step):
            last = min(first + step - 1, closed)
            self.sql(CLOSURES.format(first=first, last=last, total=closed))
            say(f"{last} closed cases")
        self.sql("SET maintenance_work_mem = '512MB'; CREATE INDEX closures_terms ON closures USING gin (terms) WITH (gin_pending_list_limit = 512);")
        self.sql("SET work_mem = '256MB';" + COUNTS)
        self.sql("VACUUM ANALYZE closures; VACUUM ANALYZE closure_days; CHECKPOINT;")

    def start(self) -> subprocess.Popen:
        log = open(self.folder / "audit.log", "wb")
        process = subprocess.Popen([BINARY, "--config", str(self.config), "audit"], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if self.get("/v1/closures?limit=1")[0] == 200:
                    return process
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit(f"closures: the role does not answer: {(self.folder / 'audit.log').read_text()[-2000:]}")
            time.sleep(0.2)

    def get(self, path: str) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


def milliseconds(times: list[float]) -> dict[str, float]:
    ranked = sorted(times)
    at = lambda share: round(ranked[min(len(ranked) - 1, int(share * len(ranked)))] * 1000, 1)
    return {"median": at(0.5), "p99": at(0.99), "most": round(ranked[-1] * 1000, 1)}


def pages(bench: Bench, count: int, seed: int) -> dict:
    """Walks every filter's list: the first pages, then from days drawn at random on."""
    rng, connection, times, found = random.Random(seed), http.client.HTTPConnection("127.0.0.1", bench.port, timeout=60), {}, {}
    for name, asked in FILTERS.items():
        spent, rows, after, fresh = [], 0, None, True
        for n in range(count):
            question = {**asked, "limit": "100"}
            if after is None and not fresh and "to" not in asked:
                month = rng.randrange(36)
                question["to"] = f"{2023 + (month + 11) // 12}-{(month + 10) % 12 + 1:02}-01"
            if after is not None:
                question["after"] = after
            began = time.perf_counter()
            connection.request("GET", "/v1/closures?" + urllib.parse.urlencode(question))
            answer = json.loads(connection.getresponse().read())
            spent.append(time.perf_counter() - began)
            if "rows" not in answer:
                raise SystemExit(f"closures: {name}: {answer}")
            rows += len(answer["rows"])
            after, fresh = (answer["next"], False) if n % 10 != 9 else (None, False)
        times[name], found[name] = spent, rows
        say(f"{name}: {milliseconds(spent)}, {rows} rows")
    together = [one for spent in times.values() for one in spent]
    return {"pages_ms": {name: {**milliseconds(spent), "rows": found[name]} for name, spent in times.items()},
            "all_pages_ms": milliseconds(together)}


def resident_mib(pid: int, field: str) -> float:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def export(bench: Bench, pid: int, form: str, days: tuple[str, str]) -> dict:
    before, most, stop = resident_mib(pid, "VmRSS"), [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            most[0] = max(most[0], resident_mib(pid, "VmRSS"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, connection = time.monotonic(), http.client.HTTPConnection("127.0.0.1", bench.port, timeout=3600)
    connection.request("GET", "/v1/closures?" + urllib.parse.urlencode({"format": form, "from": days[0], "to": days[1]}))
    answer = connection.getresponse()
    size, lines = 0, 0
    while piece := answer.read(1 << 20):
        size += len(piece)
        lines += piece.count(b"\n")
    took = time.monotonic() - began
    stop.set()
    watcher.join()
    number = answer.getheader("export-id")
    told = bench.get(f"/v1/exports/{number}")[1]["export"]
    if told["state"] != "done":
        raise SystemExit(f"closures: the export {number} is {told['state']}")
    return {"rows": told["rows"], "about": int(answer.getheader("export-rows-about")), "mib": round(size / 2**20, 1), "lines": lines,
            "seconds": round(took, 1), "rows_a_second": round(told["rows"] / took), "rss_before_mib": before, "rss_most_mib": most[0]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--closed", type=int, default=10_000_000)
    parser.add_argument("--pages", type=int, default=200, help="pages for every filter")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each export, about")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="closures-"))
    folder.chmod(0o755)
    bench = Bench(folder)
    try:
        bench.migrate()
        bench.fill(args.closed)
        process = bench.start()
        try:
            report = {"closed": args.closed, "size": bench.sql("SELECT pg_size_pretty(pg_total_relation_size('closures'))")[0],
                      "counts_size": bench.sql("SELECT pg_size_pretty(pg_total_relation_size('closure_days'))")[0]}
            report |= pages(bench, args.pages, args.seed)
            # So many days hold about so many rows.
            days = max(1, round(1096 * args.rows / args.closed))
            until = bench.sql(f"SELECT date '2026-10-31' - {min(days, 1090)}")[0]
            report["exports"] = {form: export(bench, process.pid, form, (until, "2026-11-01")) for form in ("csv", "ndjson", "xlsx")}
        finally:
            process.terminate()
            process.wait(30)
        print(json.dumps(report, ensure_ascii=False, indent=1))
        slow = [name for name, of in report["pages_ms"].items() if of["p99"] > PAGE_MS]
        large = [form for form, of in report["exports"].items() if of["rss_most_mib"] - of["rss_before_mib"] > GROWTH_MIB]
        return 1 if slow or large else 0
    finally:
        bench.postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
