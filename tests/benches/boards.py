#!/usr/bin/env python3
"""How long the views that boards read take on a large table of cases.

    tests/benches/boards.py [--closed N] [--open N] [--months N] [--explain PANEL …]

A private PostgreSQL gets made-up rows: --open open cases of 300 departments, which wait for what cases wait for, and --closed
closed ones whose closings are spread evenly over --months months; and a year of rates of 25 definitions. What a list costs
depends on how many cases are open, what a month's times to close cost on how many were closed in it: ten million cases of
three years have some 300,000 of each, and so has what this makes by default. Each query of a panel runs as the reader of
boards, cold for its session and then twice; then what role rates does for the times of a month.

Prints one JSON object, in milliseconds, the slowest of three; exit 1 if a panel's query takes a second. Needs a release build
(HOTLINE_BIN or target/release/hotline) and PostgreSQL.
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/chaos")]

import stage

BINARY = os.environ.get("HOTLINE_BIN", str(ROOT / "target/release/hotline"))
LIMIT_MS = 1000

# As a panel asks.
PANELS = {
    "record_stamp": "SELECT * FROM record_stamp",
    "worklist_counts": "SELECT sum(open), sum(overdue), sum(due_today), sum(near_due_4h), sum(unsigned), sum(parked) FROM worklist_counts",
    "worklist_counts by department": "SELECT department_zh, sum(open), sum(overdue), min(oldest_due_at) FROM worklist_counts GROUP BY 1",
    "backlog_by_age": "SELECT department_zh, age, sum(cases) FROM backlog_by_age GROUP BY 1, 2",
    "due_today": "SELECT * FROM due_today ORDER BY due_at LIMIT 500",
    "overdue": "SELECT * FROM overdue ORDER BY due_at LIMIT 500",
    "overdue of a department": "SELECT * FROM overdue WHERE department = 'D007' ORDER BY due_at LIMIT 500",
    "near_due": "SELECT * FROM near_due WHERE hours_left <= 4 ORDER BY due_at LIMIT 500",
    "unsigned": "SELECT * FROM unsigned ORDER BY since LIMIT 500",
    "waiting_for_review": "SELECT * FROM waiting_for_review ORDER BY since LIMIT 500",
    "returned": "SELECT * FROM returned ORDER BY since LIMIT 500",
    "undispatched": "SELECT * FROM undispatched ORDER BY since LIMIT 500",
    "extension_waiting": "SELECT * FROM extension_waiting ORDER BY since LIMIT 500",
    "parked": "SELECT * FROM parked ORDER BY since LIMIT 500",
    "backdated": "SELECT * FROM backdated ORDER BY since DESC LIMIT 500",
    "repeat_callers": "SELECT * FROM repeat_callers ORDER BY cases DESC LIMIT 100",
    "rates_of_record, a month": "SELECT * FROM rates_of_record WHERE rate = 'r7' AND hotline = '*' "
                                "AND month = (SELECT max(month) FROM rates_of_record) ORDER BY rank",
    "rates_of_record, a trend": "SELECT time, value, low, high FROM rates_of_record WHERE rate = 'r7' AND hotline = '*' "
                                "AND department = 'D007' ORDER BY time",
    "rates_of_record, side by side": "SELECT department_zh, rate, value FROM rates_of_record WHERE hotline = '*' "
                                     "AND month = (SELECT max(month) FROM rates_of_record)",
    "time_to_close": "SELECT * FROM time_to_close WHERE hotline = '*' AND department = '*' ORDER BY time",
}

TIMES = """SELECT hotline, department, count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY closed_at - received_at),
        percentile_disc(0.9) WITHIN GROUP (ORDER BY closed_at - received_at)
   FROM cases WHERE closed_at >= now() - interval '32 days' AND closed_at < now() - interval '2 days' AND registered
  GROUP BY GROUPING SETS ((hotline, department), (hotline), (department), ())"""

CASES = """
ALTER TABLE cases SET (fillfactor = 95);
INSERT INTO cases (case_id, revision, rulebook_seq, fold_version, facts, score, hotline, registered, case_type, category, region,
        channel, class, department, received_at, closed_at, due_at, due_on, verdict, rounds, clocks_run, anomalies, ladder, waits,
        backdated_at, reporter_tag)
SELECT '12345:' || n, 9, 1, 6, decode(repeat(md5(n::text), 20), 'hex'), decode(repeat(md5(n::text), 12), 'hex'), '12345', true, 'complaint',
       '{{housing,heating}}', '411202', 'phone', 'ordinary', 'D' || lpad((hashint4(n::integer) & 2147483647) % 300 || '', 3, '0'), received_at,
       CASE WHEN n > {open} THEN received_at + interval '9 days' * u END,
       CASE WHEN n <= {open} THEN received_at + interval '15 days' END,
       CASE WHEN n <= {open} THEN ((received_at + interval '15 days') AT TIME ZONE 'Asia/Shanghai')::date END,
       CASE WHEN n <= {open} THEN 'open' ELSE 'met' END, 1, n <= {open}, '{{}}', 0,
       CASE WHEN n > {open} THEN NULL
            ELSE (ARRAY[jsonb_build_object('dispatch_since', received_at),
                        jsonb_build_object('signature_of', 'D001', 'signature_since', received_at, 'signature_due_at', received_at + interval '1 day'),
                        jsonb_build_object('review_since', received_at + interval '1 day', 'submitted_in_time', true),
                        jsonb_build_object('return_asked_since', received_at),
                        jsonb_build_object('extension_of', 'close', 'extension_since', received_at),
                        jsonb_build_object('hold_reason', 'inspection', 'hold_since', received_at), NULL, NULL])[1 + n % 8] END,
       CASE WHEN n % 200 = 0 THEN received_at + interval '2 days' END,
       CASE WHEN n % 4 = 0 THEN md5(((hashint4(n::integer) & 2147483647) % 400000)::text) END
  FROM (SELECT n, u, CASE WHEN n <= {open} THEN now() - interval '20 days' * u
                          ELSE now() - interval '9 days' - interval '{months} months' * v END AS received_at
          FROM (SELECT n, (hashint4((n * 7)::integer) & 2147483647) / 2147483648.0 AS u, (hashint4((n * 13)::integer) & 2147483647) / 2147483648.0 AS v
                  FROM generate_series({first}, {last}) AS n) AS drawn) AS made;
"""

RATES = """
INSERT INTO rulebooks VALUES (1, 'bench', '', now());
INSERT INTO board_rules VALUES (true, 1, 'bench', 6, 'Asia/Shanghai');
INSERT INTO board_departments SELECT 'D' || lpad(n || '', 3, '0'), '单位' || n, 'unit', '市直' FROM generate_series(0, 299) AS n;
INSERT INTO board_definitions (kind, id, version, name_zh, name_en, basis, numerator, denominator)
SELECT 'rate', 'r' || n, 1, '率', 'rate', 'due', 'a', 'b' FROM generate_series(1, 25) AS n;
INSERT INTO board_months SELECT month::date, (month + interval '1 month')::date, month, now(), 1, 'bench', 6, '{}', false
  FROM generate_series(date_trunc('month', now()) - interval '13 months', now(), '1 month') AS month;
INSERT INTO board_rates SELECT 'r' || rate, month, hotline, department, 1, 90, 100, 1, '市直', 1
  FROM generate_series(1, 25) AS rate, board_months, unnest(ARRAY['*', '12345', '12315', 'petition']) AS hotline,
       (SELECT '*' AS department UNION ALL SELECT code FROM board_departments) AS departments;
INSERT INTO board_times SELECT month, hotline, code, 900, '50 hours', '90 hours'
  FROM board_months, unnest(ARRAY['*', '12345', '12315', 'petition']) AS hotline,
       (SELECT '*' AS code UNION ALL SELECT code FROM board_departments) AS departments;
"""


def say(text: str) -> None:
    print(f"boards: {text}", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.postgres = folder, stage.Postgres(folder, None)

    def migrate(self) -> None:
        self.postgres.create()
        config, key = self.folder / "hotline.toml", self.folder / "master.key"
        key.write_text(os.urandom(32).hex() + "\n")
        key.chmod(0o600)
        config.write_text(f"[data]\ndir = '{self.folder / 'data'}'\nmaster_key_file = '{key}'\n[postgres]\nhost = '{self.postgres.sockets}'\n"
                          f"port = {self.postgres.port}\npassword_file = '{self.postgres.password_file}'\n")
        subprocess.run([BINARY, "--config", str(config), "migrate", "--reader", "grafana_ro", "--reader-password-file",
                        str(self.postgres.password_file)], check=True, stdout=subprocess.DEVNULL)

    def sql(self, text: str, user: str = "hotline") -> list[str]:
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.postgres.port), "-U", user, "-d", "hotline"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, env={**os.environ, "PGPASSWORD": self.postgres.password})
        if done.returncode:
            raise SystemExit(f"boards: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def fill(self, open_: int, closed: int, months: int) -> None:
        step = 500_000
        for first in range(1, open_ + closed + 1, step):
            last = min(first + step - 1, open_ + closed)
            self.sql(CASES.format(open=open_, months=months, first=first, last=last))
            say(f"{last} cases")
        self.sql(RATES)
        self.sql("VACUUM ANALYZE")
        self.sql("CHECKPOINT")

    def time(self, query: str, user: str = "grafana_ro") -> float:
        slowest = 0.0
        # Times are told by the server: what psql itself takes is no panel's affair.
        for line in self.sql("\\timing on\n" + f"{query} \\g /dev/null\n" * 3, user):
            if line.startswith("Time: "):
                slowest = max(slowest, float(line.split()[1]))
        return round(slowest, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--closed", type=int, default=1_700_000)
    parser.add_argument("--open", type=int, default=300_000)
    parser.add_argument("--months", type=int, default=6)
    parser.add_argument("--explain", choices=PANELS, action="append")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="boards-"))
    folder.chmod(0o755)
    bench = Bench(folder)
    try:
        bench.migrate()
        bench.fill(args.open, args.closed, args.months)
        if args.explain:
            # The reader may not ask how tables are read.
            for name in args.explain:
                print("\n".join(bench.sql(f"SET search_path = board; SET work_mem = '16MB'; EXPLAIN (ANALYZE, BUFFERS) {PANELS[name]}")))
            return 0
        began = time.monotonic()
        panels = {name: bench.time(query) for name, query in PANELS.items()}
        size = bench.sql("SELECT pg_size_pretty(pg_total_relation_size('cases'))")[0]
        print(json.dumps({"cases": args.open + args.closed, "open": args.open, "size": size, "panels_ms": panels,
                          "times_of_a_month_ms": bench.time(TIMES, "hotline"), "seconds": round(time.monotonic() - began, 1)},
                         ensure_ascii=False, indent=1))
        return 1 if max(panels.values()) >= LIMIT_MS else 0
    finally:
        bench.postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
