#!/usr/bin/env python3
"""Do the views that boards read say what the events say?

    tests/observe/worklists.py run   [--seed N] [--from DAY] [--days N] [--share S] [--cases N] [--stops N] [--keep]
    tests/observe/worklists.py check --psql COMMAND --rulebook DIR --as-of T [--as-of T …] [--without-rates] FILE…

`check` reads exported events (`hotline export`) with an oracle that shares no code with the program, makes the lists of every
morning from them as of each instant, and compares them with the views of the schema `board`, case by case with its instants:
due today, overdue, near due, unsigned, waiting for review, returned, undispatched, extension waiting, parked, back-dated; and
the counts by department, the backlog by age, repeat callers and the times to close. Every row of rates_of_record and scores_of_record is compared with
`hotline replay` over the same events, integer by integer, rank by rank. COMMAND is psql with whatever it takes to connect.

`run` does that on the cases that come within some days of the demo's year, and on --cases made-up ones. They are sent to a private server in parts: what came
until half past ten of some day is checked as of then, then the next part; at last all of them as of the end and of some days later.

Prints a line for each thing that differs and a JSON object for each check; exit 1 if anything differs, or if there was never a
case on a list. Needs a release build
(HOTLINE_BIN or target/release/hotline) and PostgreSQL.
"""
from __future__ import annotations

import argparse
import collections
import gc
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/chaos"), str(ROOT / "tests/chaos/oracle")]

import admit
import decode
import rulebook
import stage
import verdict
import year
from instants import DAY, HOUR, SECOND, parse_instant, show_day
from rates import Fold, Folded

BINARY = os.environ.get("HOTLINE_BIN", str(ROOT / "target/release/hotline"))
DIFFERENCES = 20
BACKDATED_DAYS = 90
AGES = [1, 3, 5, 7, 15, 30, 60]
REPEAT_DAYS = 30
ROLES_WAIT = 120
# Half past ten, when much is under way.
OFFICE_HOURS = 10 * 3600 + 1800
# Two hours before deadlines that end with their day.
EVENING = 22 * 3600


def say(text: str) -> None:
    print(f"worklists: {text}", file=sys.stderr, flush=True)


class Board:
    """What the views say, as of an instant."""

    def __init__(self, psql: list[str]) -> None:
        self.psql = psql

    def rows(self, sql: str, as_of: str | None = None) -> list[list]:
        """Each row as a list; instants come as microseconds of Unix time."""
        began = f"SET hotline.as_of = '{as_of}';\n" if as_of else ""
        text = f"{began}SELECT array_to_json(ARRAY(SELECT value FROM json_each(row_to_json(row)))) FROM ({sql}) AS row;\n"
        done = subprocess.run([*self.psql, "-XAtq", "-v", "ON_ERROR_STOP=1"], input=text, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"worklists: {done.stderr.strip()}\n{sql}")
        return [json.loads(line) for line in done.stdout.splitlines()]


# The numbers at the top of a board: the columns of worklist_counts, and what the lists call them.
COUNTS = {name: name for name in ["open", "overdue", "due_today", "near_due_4h", "unsigned", "unsigned_late", "waiting_for_review", "return_asked",
                                  "to_dispatch_again", "undispatched", "extension_waiting", "parked"]} | {"near_due_24h": "near_due"}


def tagged(line: str) -> str:
    """An event with a caller's hash where a case is opened, of one case in three: few enough that some call again. The same for
    every copy."""
    event = json.loads(line)
    dice = zlib.crc32(event["subject"].encode())
    if event["type"] != "hotline.case.received.v1" or dice % 3:
        return line
    event.setdefault("data", {})["reporter_tag"] = f"caller-{dice // 3 % 61:02d}"
    return json.dumps(event, ensure_ascii=False)


def micros(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000000)::bigint AS {column}_us"


class Lists:
    """The lists of a morning, made from events."""

    # By view: what is compared beside the case.
    VIEWS = {
        "due_today": ["department", micros("due_at")],
        "overdue": ["department", micros("due_at")],
        "near_due": ["department", micros("due_at")],
        "unsigned": ["waiting_for", micros("since"), micros("sign_due_at")],
        "waiting_for_review": [micros("since"), "in_time"],
        "returned": ["state"],
        "undispatched": ["is_returned"],
        "extension_waiting": ["stage", micros("since")],
        "parked": ["reason", micros("since"), micros("until")],
        "backdated": [micros("since"), "is_open"],
    }

    def __init__(self, book: rulebook.Rulebook, folded: list[Folded], backdated: dict[str, int], as_of: int) -> None:
        self.zone, self.as_of, self.today = book.zone, as_of, book.zone.day(as_of)
        self.found: dict[str, dict[str, list]] = {view: {} for view in self.VIEWS}
        # By department and name; by bucket, cases and those overdue.
        self.counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
        self.ages: dict[int, list[int]] = collections.defaultdict(lambda: [0, 0])
        # By department, the earliest deadline of a clock that runs.
        self.first_due: dict[str, int] = {}
        self.department: dict[str, str] = {}
        self.category: dict[str, str | None] = {}
        callers: dict[str, list[Folded]] = collections.defaultdict(list)
        for one in folded:
            tag, at = one.case.received.data.get("reporter_tag"), one.case.received.counted
            if tag is not None and as_of - REPEAT_DAYS * DAY < at <= as_of:
                callers[tag].append(one)
        self.callers = {tag: self._caller(cases) for tag, cases in callers.items() if len(cases) > 1}
        for one in folded:
            round_ = one.case.rounds[-1]
            at = backdated.get(one.case.id)
            if at is not None and at > as_of - BACKDATED_DAYS * DAY:
                self._put("backdated", one, [at, round_.is_open])
            if round_.is_open:
                self._open(one, round_)

    def _caller(self, cases: list[Folded]) -> list:
        def who(one: Folded) -> str:
            round_ = one.case.rounds[-1]
            if not round_.is_open:
                return verdict.who_closed(round_)
            lead = round_.lead()
            return lead.department if lead else "-"

        received = [one.case.received.counted for one in cases]
        return [len(cases), sum(one.case.rounds[-1].is_open for one in cases), sorted({who(one) for one in cases}),
                sorted({one.case.hotline for one in cases}), min(received), max(received)]

    def _put(self, view: str, one: Folded, values: list) -> None:
        self.found[view][one.case.id] = values
        self._count(view, one)

    def _count(self, name: str, one: Folded) -> None:
        self.counts[self.department.get(one.case.id, "-")][name] += 1

    def total(self, name: str) -> int:
        return sum(found[name] for found in self.counts.values())

    def _open(self, one: Folded, round_) -> None:
        lead = round_.lead()
        self.department[one.case.id] = lead.department if lead else "-"
        self._count("open", one)
        age = self.as_of - one.case.received.counted
        bucket = self.ages[1 + sum(age > days * DAY for days in AGES)]
        bucket[0] += 1
        running = [clock for clock in one.clocks.found if clock.round is round_ and clock.end_at is None]
        closure = [clock for clock in running if clock.policy.closure and clock.role == "lead"]
        self._closure(one, closure, lead)
        bucket[1] += one.case.id in self.found["overdue"]
        self._signature(one, [clock for clock in running if clock.policy.family == "sign"])
        open_custodies = [held for held in round_.custodies if held.end is None]
        submitted = [held.standing().at for held in open_custodies if held.standing() is not None]
        if submitted:
            in_time = any(verdict._submitted_in_time(clock) for clock in closure[-1:])
            self._put("waiting_for_review", one, [min(submitted), in_time])
        asked = any(request.answered_at is None for held in open_custodies for request in held.requests)
        leads = round_.leads()
        given_back = lead is None and bool(leads) and leads[-1].ended == "returned"
        for name in ["return_asked"] * asked + ["to_dispatch_again"] * given_back:
            self._count(name, one)
        if asked or given_back:
            self._put("returned", one, ["asked" if asked else "to_dispatch"])
        if lead is None:
            self._put("undispatched", one, [given_back])
        self._extension(one, round_, lead)
        holds = [hold for hold in round_.holds if hold.begin <= self.as_of and (hold.end is None or hold.end > self.as_of)]
        if holds:
            endless = 1 << 62
            last = max(holds, key=lambda hold: (endless if hold.end is None else hold.end, -hold.begin))
            self._put("parked", one, [last.reason, last.begin, last.end])

    def _closure(self, one: Folded, clocks: list, lead) -> None:
        clock = clocks[-1] if clocks else None
        if clock is None or clock.due is None:
            return
        department = lead.department if lead else "-"
        state = verdict._open_state(clock, self.as_of)
        if state == "open_in_review":
            return
        self.first_due[department] = min(self.first_due.get(department, clock.due.at), clock.due.at)
        if state == "open_overdue":
            self._put("overdue", one, [department, clock.due.at])
            return
        if clock.due.on == self.today:
            self._put("due_today", one, [department, clock.due.at])
        if clock.due.at <= self.as_of + 4 * HOUR:
            self._count("near_due_4h", one)
        if clock.due.at <= self.as_of + 24 * HOUR:
            self._put("near_due", one, [department, clock.due.at])

    def _signature(self, one: Folded, clocks: list) -> None:
        if clocks:
            first = min(clocks, key=lambda clock: (clock.due.at if clock.due else 1 << 62, clock.start_at, clock.department))
            self._put("unsigned", one, [first.department, first.start_at, first.due.at if first.due else None])
            if first.due and first.due.at < self.as_of:
                self._count("unsigned_late", one)

    def _extension(self, one: Folded, round_, lead) -> None:
        asked: dict[str, int] = {}
        for taken in round_.taken:
            stage_ = taken.fact.data.get("stage")
            if taken.fact.kind == "extension_requested" and taken.lead is lead:
                asked.setdefault(stage_, taken.at)
            elif taken.fact.kind in ("extension_refused", "extended"):
                asked.pop(stage_, None)
        if asked:
            stage_ = next(iter(asked))
            self._put("extension_waiting", one, [stage_, asked[stage_]])


class Check:
    def __init__(self, psql: list[str], book_dir: str, files: list[str]) -> None:
        self.board, self.book_dir, self.files = Board(psql), book_dir, files
        self.book = rulebook.load(book_dir)
        self.wrong: list[str] = []
        self.compared: collections.Counter = collections.Counter()
        # Nothing here refers in circles that must be found; looking for them costs half the time.
        gc.disable()
        self._fold()

    def _fold(self) -> None:
        """What is known by now: dispatch decisions of ours that were due are among it, whatever instant is asked for."""
        now = int(time.time()) * SECOND
        seen = decode.read(self.files, self.book)
        self.events = seen.counts["accepted"]
        fold = Fold(self.book, now)
        self.folded, self.backdated = [], {}
        for case_id in sorted(seen.cases):
            events = list(seen.cases[case_id].values())
            folded = fold(case_id, events)
            if folded is None:
                continue
            self.folded.append(folded)
            late = [fact.counted for fact in admit.admit(self.book, events, now) if "backdated" in fact.flags]
            if late:
                self.backdated[case_id] = max(late)

    def differ(self, what: str) -> None:
        self.wrong.append(what)

    def compare(self, what: str, ours: dict, theirs: dict) -> None:
        """Views are ours, the oracle's are theirs."""
        self.compared[what.split(" ")[0]] += len(theirs)
        for key in sorted(ours.keys() | theirs.keys(), key=str):
            if ours.get(key) != theirs.get(key):
                self.differ(f"{what}: {key}: view {ours.get(key)}, oracle {theirs.get(key)}")

    def lists(self, as_of: str) -> None:
        lists = Lists(self.book, self.folded, self.backdated, parse_instant(as_of))
        for view, columns in Lists.VIEWS.items():
            rows = self.board.rows(f"SELECT case_id, {', '.join(columns)} FROM board.{view}", as_of)
            self.compare(f"{view} as of {as_of}", {row[0]: row[1:] for row in rows}, lists.found[view])
        rows = self.board.rows(f"SELECT department, {', '.join(f'sum({name})::bigint AS {name}' for name in COUNTS)}, "
                               f"{micros('min(oldest_due_at)').replace('min(oldest_due_at)_us', 'due_us')} FROM board.worklist_counts GROUP BY 1", as_of)
        theirs = {department: [*(found[COUNTS[name]] for name in COUNTS), lists.first_due.get(department)]
                  for department, found in lists.counts.items() if found["open"]}
        self.compare(f"worklist_counts as of {as_of}", {row[0]: row[1:] for row in rows}, theirs)
        for name in COUNTS:
            self.compared[f"worklist_counts.{name}"] += lists.total(COUNTS[name])
        rows = self.board.rows("SELECT bucket, sum(cases)::bigint AS cases, sum(overdue)::bigint AS overdue FROM board.backlog_by_age GROUP BY 1", as_of)
        self.compare(f"backlog_by_age as of {as_of}", {row[0]: row[1:] for row in rows}, dict(lists.ages))
        rows = self.board.rows(f"SELECT reporter, cases, open, departments, hotlines, {micros('first_received_at')}, {micros('last_received_at')} "
                               "FROM board.repeat_callers", as_of)
        self.compare(f"repeat_callers as of {as_of}", {row[0]: row[1:] for row in rows}, lists.callers)

    def spans(self) -> dict[tuple, list]:
        """By month of the last closing, department and hotline: how many cases, and within how many hours half and nine of ten were
        closed."""
        spans: dict[tuple, list[int]] = collections.defaultdict(list)
        for one in self.folded:
            round_ = one.case.rounds[-1]
            if round_.is_open:
                continue
            month = show_day(self.book.zone.day(round_.closed_at))[:7] + "-01"
            span = round_.closed_at - one.case.received.counted
            department = verdict.who_closed(round_)
            for key in [(department, one.case.hotline), (department, "*"), ("*", one.case.hotline), ("*", "*")]:
                spans[month, *key].append(span)

        def at(found: list[int], above: int) -> float:
            return round(found[(len(found) * above + 9) // 10 - 1] / HOUR, 2)

        return {key: [len(found), at(sorted(found), 5), at(sorted(found), 9)] for key, found in spans.items()}

    def times(self) -> None:
        theirs = self.spans()
        rows = self.board.rows("SELECT month, department, hotline, cases, p50_hours, p90_hours FROM board.time_to_close")
        shown = {tuple(row[:3]) for row in self.board.rows("SELECT DISTINCT month, '' AS a, '' AS b FROM board.rates_of_record")}
        months = {key[0] for key in shown}
        # A hundredth of an hour may be rounded either way.
        ours = {tuple(row[:3]): row[3:] for row in rows}
        for key, row in ours.items():
            found = theirs.get(key)
            if found and all(abs(a - b) < 0.011 for a, b in zip(row, found)):
                ours[key] = found
        self.compare("time_to_close", ours, {key: found for key, found in theirs.items() if key[0] in months})

    def rates(self) -> None:
        """Every month with a denominator, and one without."""
        months = self.board.rows("SELECT DISTINCT period_from, period_to, as_of, max(denominator) OVER (PARTITION BY month) > 0 AS counts "
                                 "FROM board.rates_of_record ORDER BY 1 DESC")
        empty = [row for row in months if not row[3]][:1]
        asked = [row for row in months if row[3]] + empty
        if not any(row[3] for row in asked):
            self.differ("rates_of_record: nothing counts in any month: nothing was compared")
        names = [row[0] for row in self.board.rows("SELECT rate FROM board.rate_definitions UNION ALL SELECT score FROM board.score_definitions")]
        for begin, end, as_of, _ in asked:
            for by, where in [("department", "hotline = '*'"), ("department,hotline", "hotline <> '*'")]:
                done = subprocess.run([BINARY, "replay", "--rulebook", self.book_dir, "--as-of", as_of, "--rate", ",".join(names), "--by", by,
                                       "--period", f"{begin}..{end}", "--format", "json", *self.files], capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(f"worklists: replay: {done.stderr[-800:]}")
                self._compare_rates(begin, by, where, json.loads(done.stdout))

    def _compare_rates(self, begin: str, by: str, where: str, replayed: list[dict]) -> None:
        hotline = lambda row: row["by"].get("hotline", "*")
        rates = {(row["rate"], row["by"]["department"], hotline(row)):
                 [row["numerator"], row["denominator"], row["value"], row["group"], row["rank"]]
                 for row in replayed if "rate" in row}
        scores = {(row["score"], row["by"]["department"], hotline(row)): [row["points"], row["group"], row["rank"]]
                  for row in replayed if "score" in row}
        shown = self.board.rows("SELECT rate, department, hotline, numerator, denominator, scale, value, department_group, rank "
                                f"FROM board.rates_of_record WHERE month = '{begin}' AND {where}")
        number = lambda value, scale: value if scale == 1 else value / scale
        self.compare(f"rates_of_record {begin} by {by}",
                     {tuple(row[:3]): [number(row[3], row[5]), number(row[4], row[5]), *row[6:]] for row in shown}, rates)
        shown = self.board.rows("SELECT score, department, hotline, points, department_group, rank FROM board.scores_of_record "
                                f"WHERE month = '{begin}' AND {where}")
        self.compare(f"scores_of_record {begin} by {by}", {tuple(row[:3]): row[3:] for row in shown}, scores)

    def report(self) -> int:
        for difference in self.wrong[:DIFFERENCES]:
            print(f"  {difference}", flush=True)
        print(json.dumps({"events": self.events, "cases": len(self.folded), "compared": dict(self.compared),
                          "differences": len(self.wrong)}, ensure_ascii=False), flush=True)
        return 1 if self.wrong else 0


# A private server with the demo's events.

class Server:
    def __init__(self, folder: pathlib.Path, book: pathlib.Path) -> None:
        self.folder, self.postgres = folder, stage.Postgres(folder, None)
        self.config = folder / "hotline.toml"
        self.port, self.audit, self.ops = stage.free_port(), stage.free_port(), stage.free_port()
        key = folder / "master.key"
        key.write_text(os.urandom(32).hex() + "\n")
        key.chmod(0o600)
        self.config.write_text(
            f"[data]\ndir = '{folder / 'data'}'\nmaster_key_file = '{key}'\n[rulebook]\ndir = '{book}'\n"
            f"[postgres]\nhost = '{self.postgres.sockets}'\nport = {self.postgres.port}\npassword_file = '{self.postgres.password_file}'\n"
            f"[gateway]\nlisten = '127.0.0.1:{self.port}'\n[audit]\nlisten = '127.0.0.1:{self.audit}'\n[ops]\nlisten = '127.0.0.1:{self.ops}'\n[rates]\nrecord_every = '1s'\n")
        self.role = stage.Role("all", [BINARY, "--config", str(self.config), "all"], {}, folder / "all.log")

    def start(self, book: pathlib.Path) -> None:
        self.postgres.create()
        self.command("migrate", "--reader", "grafana_ro", "--reader-password-file", str(self.postgres.password_file))
        self.command("rulebook", "activate", str(book))
        self.role.start()
        self._wait("ready", lambda: urllib.request.urlopen(f"http://127.0.0.1:{self.ops}/readyz", timeout=5).status == 200)

    def _wait(self, what: str, holds) -> None:
        deadline = time.monotonic() + ROLES_WAIT
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise SystemExit(f"worklists: not {what}: {(self.folder / 'all.log').read_text()[-1500:]}")

    def command(self, *words: str, to: pathlib.Path | None = None, check: bool = True) -> None:
        with open(to or os.devnull, "wb") as out:
            done = subprocess.run([BINARY, "--config", str(self.config), *words], stdout=out, stderr=subprocess.PIPE, text=True)
        if done.returncode and check:
            raise SystemExit(f"worklists: hotline {words[0]} ended with {done.returncode}: {done.stderr[-800:]}")

    def send(self, lines: list[str], check: bool = True) -> None:
        path = self.folder / "part.ndjson"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self.command("send", "--to", f"http://127.0.0.1:{self.port}", str(path), check=check)

    def until_rates_are_of_now(self, board: Board) -> None:
        """Every month was computed from all that was read."""
        behind = ("SELECT count(*) AS n FROM board.rates_of_record, board.record_stamp "
                  "WHERE rates_of_record.positions IS DISTINCT FROM record_stamp.positions OR refold_pending")
        some = "SELECT count(*) AS n FROM board.rates_of_record"
        self._wait("up to date", lambda: board.rows(behind)[0][0] == 0 and board.rows(some)[0][0] > 0)

    def psql(self) -> list[str]:
        """As the reader."""
        return ["env", f"PGPASSWORD={self.postgres.password}", "psql", "-h", "127.0.0.1", "-p", str(self.postgres.port), "-U", "grafana_ro",
                "-d", "hotline"]

    def stop(self) -> None:
        self.role.stop()
        self.postgres.remove()


def of_the_year(args: argparse.Namespace, folder: pathlib.Path) -> tuple:
    events, book = year.demo(args.seed, folder)
    begin = year.seconds(f"{args.begin}T00:00:00+08:00")
    return book, begin, args.days, year.slice_of(events, begin, begin + args.days * 86400, args.share)


def made_up(args: argparse.Namespace, folder: pathlib.Path) -> tuple:
    """Lives of cases in which returns and extensions are asked for at length, under a rulebook with policies drawn at random. Its
    sources are trusted with when they recorded something, as there is no other way to a receipt in the past."""
    dice = random.Random(f"worklists {args.seed}")
    book = year.draw_rulebook(dice, folder)
    for path in (book / "sources").glob("*.toml"):
        text = re.sub(r"(?m)^trusted_before = .*\n", "", path.read_text(encoding="utf-8"))
        path.write_text(text.replace("[[source]]\n", "[[source]]\ntrusted_before = 2027-01-01T00:00:00Z\n"), encoding="utf-8")
    copies = [(at, json.dumps(json.loads(line) | {"recordedtime": year.stories.stamp(at)}, ensure_ascii=False))
              for at, line in year.draw_copies(f"worklists-{args.seed}", dice, args.cases)]
    begin, days = copies[0][0] // 86400 * 86400 - 8 * 3600, 40
    return book, begin, days, [(at, line) for at, line in copies if at < begin + days * 86400]


def run(args: argparse.Namespace) -> int:
    code, compared = 0, collections.Counter()
    for name, draw in [("the demo's year", of_the_year), ("made-up cases", made_up)]:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="worklists-"))
        folder.chmod(0o755)
        say(name)
        code |= play(args, folder, compared, *draw(args, folder))
    empty = [view for view in [*Lists.VIEWS, "repeat_callers", *(f"worklist_counts.{name}" for name in COUNTS)] if not compared[view]]
    if empty:
        print(f"  never a case on {', '.join(empty)}: not put to the test", flush=True)
    return 1 if empty else code


def play(args: argparse.Namespace, folder: pathlib.Path, compared: collections.Counter, book: pathlib.Path, begin: int, days: int,
         copies: list) -> int:
    server = Server(folder, book)
    try:
        server.start(book)
        end = begin + days * 86400
        stops = [begin + days * number // args.stops * 86400 + OFFICE_HOURS for number in range(1, args.stops)]
        code, sent = 0, 0
        for as_of, rates in [*(([stop], False) for stop in stops), ([end, end + 4 * 86400 + EVENING, end + 5 * 86400 + 3600], True)]:
            part = [tagged(line) for at, line in copies if sent < at <= as_of[-1]]
            sent = as_of[-1]
            say(f"sending {len(part)} events, as of {year.stories.stamp(as_of[0])}")
            server.send(part)
            exported = folder / "exported.ndjson"
            server.command("export", to=exported)
            check = Check(server.psql(), str(book), [str(exported)])
            if rates:
                server.until_rates_are_of_now(check.board)
            code |= verify(check, [year.stories.stamp(at) for at in as_of], rates)
            compared.update(check.compared)
        return code
    finally:
        server.stop()
        if args.keep:
            say(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def verify(check: Check, instants: list[str], rates: bool) -> int:
    for as_of in instants:
        check.lists(as_of)
    if rates:
        check.times()
        check.rates()
    return check.report()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    alone = commands.add_parser("run")
    alone.add_argument("--seed", type=int, default=1)
    alone.add_argument("--from", dest="begin", default="2023-08-20")
    alone.add_argument("--days", type=int, default=50)
    alone.add_argument("--share", type=float, default=0.1)
    alone.add_argument("--cases", type=int, default=400)
    alone.add_argument("--stops", type=int, default=3)
    alone.add_argument("--keep", action="store_true")
    checked = commands.add_parser("check")
    checked.add_argument("--psql", required=True)
    checked.add_argument("--rulebook", required=True)
    checked.add_argument("--as-of", action="append", required=True)
    checked.add_argument("--without-rates", action="store_true")
    checked.add_argument("files", nargs="+")
    args = parser.parse_args()
    if args.command == "run":
        return run(args)
    check = Check(shlex.split(args.psql), args.rulebook, args.files)
    return verify(check, args.as_of, not args.without_rates)


if __name__ == "__main__":
    sys.exit(main())
