#!/usr/bin/env python3
"""How long boards and bulletins take on a large table of cases.

    tests/benches/boards.py [--full] [--cases N] [--copies N] [--keep FOLDER] [--check]

Some thousand cases of three years, of 300 departments, are made through the real roles, as many of them open as an office has
that closes what it takes in within ten days: most of those within their time. Their rows are then copied under other ids, their
scores for other departments, by SQL, and the tallies with them, so that every score decodes and stands in the tallies (--check
holds one against the other, of all months). Copies of closed cases lie dense, those of open ones with the room that the table
leaves, in the order of their receipt. By default ten copies each, a million cases, in some minutes; --full makes ten million (20 GB
of disk, half an hour), whose tallies are spread over all departments for the last 15 months: older ones are not looked at.

Then every query of every panel and variable of the boards in deploy/grafana runs as their reader, its macros expanded, cold
(nothing of the database in memory) and then three times; the form 12345-monthly and a table of 28 rates are made of the last
month and of this one, by `GET /v1/rates` of running roles and by the whole command.

Prints one JSON object, in milliseconds: [cold, slowest of three warm]. Exit 1 if a panel's query takes a second, a warm table of
the last month 200 ms or one of this month, whose days are not summed yet, 500 ms. Needs a release build (HOTLINE_BIN or target/release/hotline) and PostgreSQL.
"""
from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import random
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/benches"), str(ROOT / "tests/observe"), str(ROOT / "tests/chaos"), str(ROOT / "tests/chaos/oracle")]

import bench as casework
import observe

YEARS = 3
DAY = datetime.timedelta(days=1)
ZONE = datetime.timezone(datetime.timedelta(hours=8))
PANEL_MS = 1000
BULLETIN_MS = {"last month": 200, "this month": 500}
SPREAD_MONTHS = 15
# Of those open by nature an office has some that it is late with, and of every list of the morning a few.
LATE = 0.06
POLICIES = [("sign", "signed", 24, "round_clock_hour", ""), ("contact", "contacted", 1, "working_day", ""),
            ("close", "closed", 10, "working_day", "closure = true\nextension = { times_max = 1 }\n")]
ALARMS = 'alarms = [{ before = "4 hour", level = "warning" }, { after = "0 hour", level = "breach" }]\n'
RATES = "on_time_closure.due,on_time_closure.closed,on_time_closure.closed_or_overdue,on_time_closure.received,on_time_closure.first," \
    "on_time_closure.final,on_time_closure.approval,on_time_closure.dispatched,closure.dispatched,late_closure.dispatched,reopening,return," \
    "extension,repeat,satisfaction.answered,satisfaction.reached,satisfaction.all,first_satisfaction,solved,follow_up,signing,contact," \
    "acceptance,verification,gaming.closed_last_hour,gaming.default_rating,gaming.automatic_signing,persons"


def say(text: str) -> None:
    print(f"boards: {text}", file=sys.stderr, flush=True)


def write_rulebook(folder: pathlib.Path) -> None:
    casework.write_rulebook(folder)
    (folder / "policies/all.toml").write_text("".join(
        f'[[policy]]\nid = "{name}"\ncalendar = "cn"\nmatch = {{ hotline = "12345" }}\nstage = "{name}"\nscope = "custody"\n'
        f'start = "dispatched"\nstop = ["{stop}"]\nlimit = {limit}\nunit = "{unit}"\n{more}{ALARMS}basis = "bench"\n\n'
        for name, stop, limit, unit, more in POLICIES))


# Cases.

def lives(cases: int, now: datetime.datetime, dice: random.Random) -> list[tuple[datetime.datetime, str, list]]:
    """Closed cases evenly over the years; three in a hundred more that are open, the older of them late."""
    made = []
    for nth in range(cases):
        name = f"{nth:07}"
        is_open = nth % 33 == 0
        steps = casework.life(name, dice)
        for _, _, data in steps:
            data.pop("title", None), data.pop("content", None), data.pop("address", None)
        if not is_open:
            received = now - dice.random() * YEARS * 365 * DAY
            made.append((received, name, steps))
            continue
        late = dice.random() < LATE
        received = now - (dice.uniform(15, 60) if late else dice.uniform(0, 13)) * DAY
        # What comes after the first contact takes long, and a late case is not closed at all.
        slow = [steps[0], *((at if at < 2400 else 2400 + (at - 2400) * 4, kind, data) for at, kind, data in steps[1:])]
        slow = [step for step in slow if step[1] not in ("closed", "rated")] if late else slow
        made.append((received, name, open_life(slow, dice)))
    made.sort(key=lambda one: one[0])
    return made


def open_life(steps: list, dice: random.Random) -> list:
    lead, luck = steps[1][2]["department"], dice.random()
    after = lambda at, kind, data: [step for step in steps if step[0] < at] + [(at, kind, data)]
    if luck < 0.03:
        return steps[:1]
    if luck < 0.06:
        return after(3000, "extension_requested", {"stage": "close", "limit": 5, "unit": "working_day", "by": lead})
    if luck < 0.08:
        return after(2900, "return_requested", {"department": lead, "reason": "not_ours"})
    if luck < 0.10:
        return after(3100, "held", {"reason": "inspection"})
    return steps


def write_events(file: pathlib.Path, cases: int, now: datetime.datetime) -> int:
    dice, rows = random.Random(11), []
    for received, name, steps in lives(cases, now, dice):
        for nth, (after, kind, data) in enumerate(steps):
            at = received + datetime.timedelta(minutes=after)
            if at < now:
                if kind == "received":
                    data["reporter_tag"] = f"tag{dice.randrange(cases // 2)}"
                rows.append((at, len(rows), json.dumps({
                    "specversion": "1.0", "type": f"hotline.case.{kind}.v1", "source": casework.SOURCE, "id": f"{name}-{nth}",
                    "subject": f"12345:{received:%Y%m%d}{name}", "time": at.isoformat(timespec="seconds"), "data": data,
                }, ensure_ascii=False, separators=(",", ":"))))
    rows.sort()
    with open(file, "w") as out:
        out.writelines(line + "\n" for _, _, line in rows)
    return len(rows)


# Copies.

COLUMNS = ["revision", "rulebook_seq", "fold_version", "hotline", "registered", "case_type", "category", "region", "channel", "class",
           "received_at", "closed_at", "due_at", "due_on", "verdict", "rounds", "clocks_run", "wake_at", "overdue", "anomalies", "told",
           "ladder", "backdated_at"]

# A department's code stands in the bytes as it is, always four of them: an escaped text of the bytes has it as it is, too.
COPY = """
INSERT INTO cases (case_id, facts, score, department, waits, reporter_tag, {columns})
SELECT substr(case_id, 1, 14) || lpad(nth || '', 3, '0') || substr(case_id, 15),
       facts, decode(replace(encode(score, 'escape'), old, new), 'escape'),
       CASE department WHEN old THEN new ELSE department END, replace(waits::text, '"' || old || '"', '"' || new || '"')::jsonb,
       reporter_tag || '-' || nth, {columns}
  FROM (SELECT *, 'D' || lpad((substr(old, 2)::integer + nth * 3) % {departments} || '', 3, '0') AS new
          FROM (SELECT pattern.*, coalesce(nullif(nullif(department, '-'), 'HL'), 'D000') AS old FROM pattern
                 WHERE (closed_at IS NULL) = {open} AND received_at >= '{first}' AND received_at < '{last}') AS of_department,
               generate_series(1, {copies}) AS nth) AS made
 ORDER BY received_at, nth;
"""

CELLS = """
INSERT INTO tally_cells (department, role, hotline, case_type, class)
SELECT DISTINCT code, role, hotline, case_type, class
  FROM tally_cells, (SELECT 'D' || lpad(n || '', 3, '0') AS code FROM generate_series(0, {departments} - 1) AS n) AS departments
 WHERE department LIKE 'D___' ON CONFLICT DO NOTHING;
CREATE UNLOGGED TABLE pattern_cells AS
SELECT here.id AS here, nth, there.id AS there FROM tally_cells AS here CROSS JOIN generate_series(0, {copies}) AS nth
  JOIN tally_cells AS there ON (there.role, there.hotline, there.case_type, there.class) = (here.role, here.hotline, here.case_type, here.class)
   AND there.department = CASE WHEN here.department LIKE 'D___'
       THEN 'D' || lpad((substr(here.department, 2)::integer + nth * 3) % {departments} || '', 3, '0') ELSE here.department END;
CREATE UNLOGGED TABLE pattern_tallies AS SELECT * FROM tallies;
ANALYZE pattern_cells, pattern_tallies;
TRUNCATE tallies;
"""

TALLIES = """
INSERT INTO tallies (measure_id, day, cell_id, value)
SELECT measure_id, day, there, sum(value) FROM pattern_tallies JOIN pattern_cells ON here = cell_id
 WHERE day >= '{first}' AND day < '{last}' GROUP BY 1, 2, 3 ORDER BY day, measure_id, there;
"""


TALLIES_AS_THEY_ARE = "INSERT INTO tallies SELECT * FROM pattern_tallies WHERE day >= '{first}' AND day < '{last}' ORDER BY day, measure_id, cell_id"


class Bench(casework.Bench):
    def configure(self) -> None:
        (self.folder / "rulebook").mkdir()
        write_rulebook(self.folder / "rulebook")
        self.password = secrets.token_hex(16)
        secret = self.folder / "reader"
        secret.write_text(self.password)
        secret.chmod(0o600)
        self.config.write_text(
            f"[data]\ndir = '{self.data}'\n[rulebook]\ndir = '{self.folder / 'rulebook'}'\n[gateway]\nlisten = '127.0.0.1:{self.gateway}'\n"
            f"[audit]\nlisten = '127.0.0.1:0'\n[ops]\nlisten = '127.0.0.1:{self.ops}'\n[log]\nfilter = 'warn'\n")

    def make(self, cases: int, copies: int) -> None:
        if not (self.folder / "loaded").exists():
            self.load(cases)
            (self.folder / "loaded").touch()
        # A role that has nothing to do with cases, for the database that it runs.
        self.start("relay")
        self.sql("\\set ON_ERROR_STOP on\nSELECT 1")
        self.copy_cases(copies)
        self.stop()
        (self.folder / "made").touch()

    def load(self, cases: int) -> None:
        self.configure()
        self.command("migrate", "--reader", "grafana_ro", "--reader-password-file", str(self.folder / "reader"))
        self.command("rulebook", "activate", str(self.folder / "rulebook"))
        say(f"making {cases} cases")
        events = write_events(self.folder / "events.ndjson", cases, datetime.datetime.now(ZONE))
        self.start("all")
        began = time.time()
        self.command("send", "--to", f"http://127.0.0.1:{self.gateway}", str(self.folder / "events.ndjson"))
        say(f"{events} events in {time.time() - began:.0f} s")
        while self.number("SELECT count(*) FROM cases WHERE wake_at < now()") or self.number("SELECT count(*) FROM tally_deltas"):
            time.sleep(1)
        self.stop()

    def copy_cases(self, copies: int) -> None:
        had = int(self.sql("SELECT count(*) FROM cases")[0])
        say(f"copying {had} cases {copies} times")
        self.sql("CREATE UNLOGGED TABLE pattern AS SELECT * FROM cases")
        kept = self.sql("SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE relname = 'cases'")[0]
        months = self.sql("SELECT generate_series(date_trunc('month', min(received_at)), now() + interval '1 month', '1 month') FROM cases")
        columns = ", ".join(COLUMNS)
        self.sql("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'")
        indexes = self.sql("SELECT indexdef FROM pg_indexes WHERE tablename = 'cases' AND indexname <> 'cases_pkey'")
        names = self.sql("SELECT indexname FROM pg_indexes WHERE tablename = 'cases' AND indexname <> 'cases_pkey'")
        self.sql("; ".join(f"DROP INDEX {name}" for name in names))
        for is_open in [False, True]:
            # What will hardly change again lies dense, as after a year of vacuum; what is open has the room to grow that is left of it.
            self.sql(f"ALTER TABLE cases SET (fillfactor = {50 if is_open else 95})")
            for first, last in zip(months, months[1:]):
                self.sql(COPY.format(columns=columns, open=is_open, first=first, last=last, copies=copies, departments=casework.DEPARTMENTS))
        self.sql(f"ALTER TABLE cases SET ({kept})")
        say("tallies, indexes, vacuum")
        self.sql(CELLS.format(copies=copies, departments=casework.DEPARTMENTS))
        days = ["-infinity", *(month[:10] for month in months), "infinity"]
        for first, last in zip(days, days[1:]):
            is_spread = self.args.check or last in days[-SPREAD_MONTHS - 2:]
            self.sql((TALLIES if is_spread else TALLIES_AS_THEY_ARE).format(first=first, last=last))
        self.sql("DROP TABLE pattern, pattern_tallies, pattern_cells; " + "; ".join(indexes))
        self.sql("VACUUM (ANALYZE)")
        self.sql("CHECKPOINT")

    def is_busy(self) -> bool:
        return bool(self.number("SELECT count(*) FROM cases WHERE wake_at < now()")
                    or self.number("SELECT count(*) FROM generate_series(date_trunc('month', now()) - interval '36 months', now() - interval "
                                   "'33 days', '1 month') AS over WHERE over::date NOT IN (SELECT month FROM summed_months)")
                    or not self.number("SELECT count(*) FROM board_months WHERE as_of > now() - interval '1 day'")
                    or self.number("SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()"))

    def forget(self) -> None:
        """Nothing of the database is in memory, neither its own nor the machine's. It must not run."""
        for path in self.data.glob("postgres/**/*"):
            if path.is_file():
                with open(path, "rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def reader(self) -> observe.Reader:
        pid = (self.data / "postgres/postmaster.pid").read_text().splitlines()
        os.environ["PGPASSWORD"] = self.password
        psql = ["psql", "-h", pid[4], "-p", pid[3], "-U", "grafana_ro", "-d", "hotline"]
        return observe.Reader(psql, datetime.datetime.now(ZONE).isoformat())

    def ask(self, rates: str, period: str) -> float:
        url = f"http://127.0.0.1:{self.gateway}/v1/rates?rate={rates}&period={period}"
        began = time.perf_counter()
        with urllib.request.urlopen(url, timeout=60) as answer:
            rows = json.load(answer)
        assert len(rows) > casework.DEPARTMENTS or rows, rows
        return time.perf_counter() - began


def queries(reader: observe.Reader) -> dict[str, str]:
    """Every query of the boards, once, by the panels that ask it first."""
    asked: dict[str, str] = {}
    for name, board in observe.boards().items():
        if not name.startswith("zh"):
            continue
        values: dict[str, str] = {}
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                asked.setdefault(variable["query"], f"{board['title']}: ${variable['name']}")
                rows, _, error = reader.ask(variable["query"])
                if error or not rows:
                    raise SystemExit(f"boards: {variable['query']}: {error}")
                choices = [str(next(iter(row.values()))) for row in rows]
                values[variable["name"]] = "*" if "*" in choices else choices[0]
        for panel in board["panels"]:
            for target in panel["targets"]:
                if "rawSql" in target:
                    asked.setdefault(observe.chosen(target["rawSql"], values), f"{board['title']}: {panel['title']}")
    return {f"{title} #{nth}": sql for nth, (sql, title) in enumerate(asked.items())}


def measured(once) -> list[float]:
    """Cold, and the slowest of three after it, in milliseconds."""
    cold = once()
    return [round(cold * 1000, 1), round(max(once() for _ in range(3)) * 1000, 1)]


def panels(bench: Bench) -> dict[str, list[float]]:
    reader = bench.reader()

    def once(sql: str) -> float:
        _, seconds, error = reader.ask(sql)
        if error:
            raise SystemExit(f"boards: {sql}: {error}")
        return seconds

    return {name: measured(lambda sql=sql: once(sql)) for name, sql in queries(reader).items()}


def months() -> dict[str, tuple[str, str]]:
    """By name the month as forms and as tables are asked for it."""
    first = datetime.datetime.now(ZONE).date().replace(day=1)
    before, after = (first - DAY).replace(day=1), (first + 31 * DAY).replace(day=1)
    return {"last month": (f"{before:%Y-%m}", f"{before}..{first}"), "this month": (f"{first:%Y-%m}", f"{first}..{after}")}


def bulletins(bench: Bench) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {}

    def command(*words: str) -> float:
        began = time.perf_counter()
        bench.command("bulletin", *words)
        return time.perf_counter() - began

    for name, (month, days) in months().items():
        took[f"GET /v1/rates, 28 rates, {name}"] = measured(lambda: bench.ask(RATES, days))
        took[f"GET /v1/rates, on_time_closure.due, {name}"] = measured(lambda: bench.ask("on_time_closure.due", days))
        took[f"hotline bulletin --rate, 28 rates, {name}"] = measured(lambda: command("--rate", RATES, "--period", days))
        took[f"hotline bulletin --form 12345-monthly, {name}"] = measured(lambda: command("--form", "12345-monthly", "--period", month))
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000, help="made through the roles")
    parser.add_argument("--copies", type=int, default=9, help="of each by SQL")
    parser.add_argument("--full", action="store_true", help="99 copies of each")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="make the cases there, or measure again what is there")
    parser.add_argument("--check", action="store_true", help="hold the tallies against the scores of all cases, too")
    args = parser.parse_args()
    copies = 99 if args.full else args.copies
    folder = args.keep or pathlib.Path(tempfile.mkdtemp(prefix="boards-"))
    folder.mkdir(exist_ok=True)
    args.statements = False
    bench = Bench(args, folder)
    result: dict = {}
    try:
        if (folder / "loaded").exists():
            ports = bench.config.read_text()
            bench.gateway, bench.ops = (int(re.search(rf"\[{name}\]\nlisten = '127.0.0.1:(\d+)'", ports)[1]) for name in ["gateway", "ops"])
            bench.password = (folder / "reader").read_text()
        if not (folder / "made").exists():
            bench.make(args.cases, copies)
        bench.forget()
        bench.start("all")
        result["cases"], result["open"], result["overdue"] = (
            bench.number(f"SELECT count(*) FROM cases {where}") for where in
            ["", "WHERE closed_at IS NULL AND registered", "WHERE closed_at IS NULL AND registered AND due_at < now()"])
        result["size"] = bench.sql("SELECT pg_size_pretty(pg_total_relation_size('cases'))")[0]
        result["tallies"] = bench.number("SELECT count(*) FROM tallies")
        # Timekeeper, the sums of months, and the rates of boards must not be at work beside what is timed.
        while bench.is_busy():
            time.sleep(1)
        say("panels")
        result["panels_ms"] = panels(bench)
        bench.stop()
        bench.forget()
        bench.start("all")
        while bench.is_busy():
            time.sleep(1)
        say("bulletins")
        result["bulletins_ms"] = bulletins(bench)
        if args.check:
            # The ledger has only what came through the roles.
            done = subprocess.run([bench.hotline, "--config", str(bench.config), "tallies", "check"], capture_output=True, text=True)
            result["check"] = (done.stdout + done.stderr).strip()[-200:]
        bench.stop()
    finally:
        if getattr(bench, "process", None) and bench.process.poll() is None:
            bench.process.terminate()
            bench.process.wait(60)
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, ensure_ascii=False, indent=1))
    slow = [name for name, (cold, warm) in result["panels_ms"].items() if max(cold, warm) >= PANEL_MS]
    slow += [name for name, (_, warm) in result["bulletins_ms"].items() if warm >= BULLETIN_MS[name.rsplit(", ", 1)[1]]]
    for name in slow:
        say(f"too slow: {name}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
