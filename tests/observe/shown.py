"""What the panels that ask the database must show, computed without it.

Lists and counts come from the oracle's lists (worklists.py), which folds exported events by itself; rates, scores and ranks from
`hotline replay` over the same events; names and definitions from the files of the rulebook. `Expected.rows` gives for a panel,
named by its board and its English title, the rows that its query must answer, in order where the query orders them fully.
What it does not know is an error: a panel that nobody computes is a panel that nobody checks.
"""
from __future__ import annotations

import csv
import decimal
import json
import math
import pathlib
import subprocess
import time
import tomllib

import verdict
import worklists
from instants import HOUR, SECOND, parse_instant

LIMIT = 500
CALLERS = 100
BUCKETS = ["≤1 d", "≤3 d", "≤5 d", "≤7 d", "≤15 d", "≤30 d", "≤60 d", ">60 d"]
# Of the normal distribution, as the views have it: the 95 % interval of Wilson.
Z = 1.959964

# Panels of one number, by the list that they count.
STATS = {"Open": "open", "Overdue": "overdue", "Due today": "due_today", "Due within 4 h": "near_due_4h", "Unsigned too long": "unsigned_late",
         "Unsigned": "unsigned", "Waiting for review": "waiting_for_review", "Return asked": "return_asked",
         "To dispatch again": "to_dispatch_again", "Extension asked": "extension_waiting", "Held": "parked"}
# Panels of a list: the view, what the oracle keeps of it, which instants order it, the latest or the first of them above.
LISTS = {"Overdue": ("overdue", ["lead", "due_at"], "due_at"), "Due today": ("due_today", ["lead", "due_at"], "due_at"),
         "Due within 24 h": ("near_due", ["lead", "due_at"], "due_at"), "Unsigned": ("unsigned", ["waiting_for", "since", "sign_due_at"], "since"),
         "Waiting for review": ("waiting_for_review", ["since", "in_time"], "since"), "Returns": ("returned", ["state"], None),
         "Extensions asked": ("extension_waiting", ["stage", "since"], "since"), "Held": ("parked", ["reason", "since", "until"], "since"),
         "Back-dated": ("backdated", ["since", "is_open"], "-since")}
INSTANTS = {"due_at", "since", "sign_due_at", "until", "closed_at", "first_due", "last_received_at"}


class Unknown(Exception):
    """Nothing is computed for a panel."""


class Between:
    """A number of the moment: it cannot be computed, but for its bounds."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and self.low <= other <= self.high

    def __repr__(self) -> str:
        return f"{self.low}..{self.high}"


def micros(text: str | None) -> int | None:
    """An instant as JSON has it."""
    return None if text is None else parse_instant(text.replace(" ", "T"))


def share(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def told(row: dict) -> str | None:
    """A rate in words: 100 % only where both are equal, what is no share as a number."""
    numerator, denominator = (decimal.Decimal(str(row[name])) for name in ["numerator", "denominator"])
    if not denominator:
        return None
    hundredth = decimal.Decimal("0.01")
    if not 0 <= numerator <= denominator:
        return str((numerator / denominator).quantize(hundredth, decimal.ROUND_HALF_UP))
    percent = (100 * numerator / denominator).quantize(hundredth, decimal.ROUND_HALF_UP)
    return f"{percent if numerator == denominator else min(percent, 100 - hundredth)} %"


def wilson(numerator: float, denominator: float) -> tuple[float | None, float | None]:
    if not denominator or not 0 <= numerator <= denominator:
        return None, None
    n, p = denominator, numerator / denominator
    middle, half, whole = p + Z * Z / 2 / n, Z * math.sqrt(p * (1 - p) / n + Z * Z / 4 / (n * n)), 1 + Z * Z / n
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


class Expected:
    def __init__(self, check: worklists.Check, as_of: str, began: float, sent: int) -> None:
        self.check, self.as_of, self.began, self.sent = check, parse_instant(as_of), began, sent
        self.lists = worklists.Lists(check.book, check.folded, check.backdated, self.as_of)
        book = pathlib.Path(check.book_dir)
        with open(book / "departments.csv", encoding="utf-8") as file:
            self.names = {row["code"]: row for row in csv.DictReader(file)}
        tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted((book / "rates").glob("*.toml"))]
        self.definitions = {rate["id"]: rate for table in tables for rate in table.get("rate", [])}
        self.scores = {score["id"]: score for table in tables for score in table.get("score", [])}
        self.by_id = {one.case.id: one for one in check.folded}
        self.replayed: dict[tuple, list[dict]] = {}
        self.months = {row[0]: row[1:] for row in check.board.rows("SELECT DISTINCT month, period_to, as_of FROM board.rates_of_record")}

    def replay(self, month: str, hotline: str) -> list[dict]:
        """The rows of a month; all hotlines together, or one."""
        by = "department" if hotline == "*" else "department,hotline"
        if (month, by) not in self.replayed:
            until, as_of = self.months[month]
            done = subprocess.run([worklists.BINARY, "replay", "--rulebook", self.check.book_dir, "--as-of", as_of, "--rate", ",".join([*self.definitions, *self.scores]),
                                   "--by", by, "--period", f"{month}..{until}", "--format", "json", *self.check.files], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"observe: replay: {done.stderr[-800:]}")
            self.replayed[month, by] = json.loads(done.stdout)
        return [row for row in self.replayed[month, by] if row["by"].get("hotline", "*") == hotline]

    def named(self, code: str, lang: str) -> str:
        return self.names[code][f"name_{lang}"] if code in self.names else code

    def rows(self, board: str, title: str, shape: str, lang: str, chosen: dict[str, str]) -> tuple[list[dict], bool]:
        """The rows, each with the columns that are known; whether they are in order."""
        if board == "today" and shape == "stat" and title in STATS:
            return [{"cases": self.lists.total(STATS[title])}], True
        if shape == "table" and title in LISTS:
            return self._list(*LISTS[title], lang)
        rows = getattr(self, f"_{board}_{title.lower().replace(' ', '_').replace('-', '_')}", None)
        if rows is None:
            raise Unknown(title)
        return rows(lang, chosen)

    def _list(self, view: str, columns: list[str], order: str | None, lang: str) -> tuple[list[dict], bool]:
        rows = []
        for case_id, values in self.lists.found[view].items():
            row = {"case_id": case_id, **dict(zip(columns, values))}
            one = self.by_id[case_id]
            round_ = one.case.rounds[-1]
            lead = round_.lead()
            code = (lead.department if lead else "-") if round_.is_open else verdict.who_closed(round_)
            row["department"] = self.named(code, lang)
            row.pop("lead", None)
            if "waiting_for" in row:
                row["waiting_for"] = self.named(row["waiting_for"], lang)
            if view == "overdue":
                row["hours_late"] = round((self.as_of - row["due_at"]) / HOUR, 2)
            elif "due_at" in row:
                row["hours_left"] = round((row["due_at"] - self.as_of) / HOUR, 2)
            elif "since" in row and view not in ("parked", "backdated"):
                row["hours_waiting"] = round((self.as_of - row["since"]) / HOUR, 2)
            rows.append(row)
        if order is None:
            return rows, False
        sign = -1 if order.startswith("-") else 1
        # Hours late are ordered as they are shown: to a hundredth.
        key = (lambda row: (-row["hours_late"], row["case_id"])) if view == "overdue" else (lambda row: (sign * row[order.lstrip("-")], row["case_id"]))
        return sorted(rows, key=key)[:LIMIT], True

    # Today.

    def _today_data_as_of(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"at": Between(self.began * 1000, time.time() * 1000)}], True

    def _today_by_department(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        rows = [{"department": self.named(code, lang), "open": found["open"], "overdue": found["overdue"], "due_today": found["due_today"],
                 "within_24h": found["near_due"], "unsigned": found["unsigned"], "first_due": self.lists.first_due.get(code)}
                for code, found in self.lists.counts.items() if found["open"]]
        return rows, False

    def _today_backlog_by_age(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"age": BUCKETS[bucket - 1], "cases": cases, "overdue": overdue} for bucket, (cases, overdue) in sorted(self.lists.ages.items())], True

    def _today_repeat_callers(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        rows = [{"reporter": tag, "cases": found[0], "open": found[1], "departments": found[2], "last_received_at": found[5]}
                for tag, found in self.lists.callers.items()]
        return sorted(rows, key=lambda row: (-row["cases"], -row["last_received_at"]))[:CALLERS], True

    # Bulletin.

    def _rate(self, chosen: dict, month: str, rate: str) -> list[dict]:
        return [row for row in self.replay(month, chosen["hotline"]) if row.get("rate") == rate]

    def _whole(self, chosen: dict) -> list[dict]:
        """The row of all departments; none where nothing of the hotline counts in the month."""
        return [row for row in self._rate(chosen, chosen["month"], chosen["rate"]) if row["by"]["department"] == "*"]

    def _bulletin_all(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"share": told(row)} for row in self._whole(chosen)], True

    def _bulletin_numerator(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"cases": row["numerator"]} for row in self._whole(chosen)], True

    def _bulletin_denominator(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"cases": row["denominator"]} for row in self._whole(chosen)], True

    def _bulletin_as_of(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"at": Between(self.began * 1000, time.time() * 1000)}], True

    def _bulletin_fold_pending(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"pending": 0}], True

    def _bulletin_ranking(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        rows = []
        for row in self._rate(chosen, chosen["month"], chosen["rate"]):
            if row["by"]["department"] != "*":
                low, high = wilson(row["numerator"], row["denominator"])
                rows.append({"rank": row["rank"], "department": self.named(row["by"]["department"], lang), "department_group": row["group"],
                             "numerator": row["numerator"], "denominator": row["denominator"], "share": told(row), "low": low, "high": high})
        return rows, False

    def _bulletin_definition(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [self._defined(self.definitions[chosen["rate"]], lang) | {"rank_from": self.definitions[chosen["rate"]].get("rank_from")}], True

    def _bulletin_trend(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        rows = []
        for month in sorted(self.months):
            whole = [row for row in self._rate(chosen, month, chosen["rate"]) if row["by"]["department"] == "*"]
            rows += [{"time": parse_instant(f"{month}T00:00:00+08:00"), "metric": chosen["rate"], "value": row["value"]} for row in whole]
        return rows, True

    def _bulletin_definitions_side_by_side(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"rate": row["rate"], "name": self.definitions[row["rate"]]["name"][lang], "version": self.definitions[row["rate"]]["version"],
                 "numerator": row["numerator"], "denominator": row["denominator"], "share": told(row)}
                for row in self.replay(chosen["month"], chosen["hotline"]) if "rate" in row and row["by"]["department"] == "*"], False

    def _bulletin_composite_scores(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"score": row["score"], "department": self.named(row["by"]["department"], lang), "department_group": row["group"],
                 "points": row["points"], "rank": row["rank"]}
                for row in self.replay(chosen["month"], chosen["hotline"]) if "score" in row], False

    def _bulletin_time_to_close(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"department": self.named(key[1], lang), "cases": found[0], "p50": found[1], "p90": found[2]}
                for key, found in self.check.spans().items() if (key[0], key[2]) == (chosen["month"], chosen["hotline"])], False

    # Audit.

    def _audit_records_read(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"records": self.sent}], True

    def _audit_rulebook(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"rulebook_seq": 1}], True

    def _audit_age_of_the_record(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        # Judged by the instant of the lists, not by now.
        return [{"age": Between(self.as_of / SECOND - time.time() - 1, self.as_of / SECOND - self.began + 1)}], True

    def _audit_stamp(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"rulebook_seq": 1, "fold_pending": False, "positions": {"http": self.sent}}], True

    def _audit_signs_of_gaming(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"month": month[:7], "rate": row["rate"], "name": self.definitions[row["rate"]]["name"][lang], "numerator": row["numerator"],
                 "denominator": row["denominator"], "share": told(row)}
                for month in self.months for row in self.replay(month, "*")
                if row.get("rate", "").startswith("gaming.") and row["by"]["department"] == "*"], False

    def _audit_all_definitions(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [self._defined(rate, lang) | {"best": rate.get("best", "highest")} for rate in self.definitions.values()], False

    def _audit_definitions_of_scores(self, lang: str, chosen: dict) -> tuple[list[dict], bool]:
        return [{"score": score["id"], "version": score["version"], "name": score["name"][lang], "groups": score.get("groups", [])}
                for score in self.scores.values()], False

    def _defined(self, rate: dict, lang: str) -> dict:
        return {"rate": rate["id"], "version": rate["version"], "name": rate["name"][lang], "basis": rate["basis"]}


def differences(rows: list[dict], theirs: list[dict], in_order: bool) -> list[str]:
    """Where the rows of a query are not those that were computed, in the columns that are known."""
    def same(ours: object, other: object) -> bool:
        if isinstance(ours, int | float) and isinstance(other, int | float) and not isinstance(ours, bool):
            return abs(ours - other) < 0.011 if isinstance(ours, float) or isinstance(other, float) else ours == other
        return other == ours

    def exact(column: str, ours: object, other: object) -> bool:
        # A share is exact; hours are shown to a hundredth, which may be rounded either way.
        if isinstance(ours, float) and isinstance(other, float) and column in ("value", "low", "high", "points"):
            return abs(ours - other) < 1e-6
        return same(ours, other)

    def read(row: dict) -> dict:
        return {column: micros(value) if column in INSTANTS or column == "time" else value for column, value in row.items()}

    rows = [read(row) for row in rows]
    if len(rows) != len(theirs):
        return [f"{len(rows)} rows, computed {len(theirs)}: {rows[:1]} and {theirs[:1]}"]
    if not in_order:
        # By what names a row.
        names = [column for column in ("case_id", "month", "score", "rate", "department") if theirs and column in theirs[0]]
        rows, theirs = (sorted(some, key=lambda row: [str(row.get(name)) for name in names]) for some in (rows, theirs))
    return [f"{column}: {row.get(column)!r}, computed {other[column]!r} in {other}" for row, other in zip(rows, theirs) for column in other
            if column not in row or not exact(column, row[column], other[column])]
