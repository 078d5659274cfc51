"""What must hold when all is over. Every check counts, and keeps a few examples of what is wrong: keys, never contents."""
from __future__ import annotations

import collections
import contextlib
import datetime
import hashlib
import json
import pathlib
import subprocess
import sys
import time
from typing import Iterator

import stories
from senders import Senders
from stage import PARTITIONS, TOPIC, Stage, say
from wire import Broker, Broken

PIPELINE = "/hotline/pipeline"
TRUSTED = {source.id for source in stories.SOURCES if source.records}
EXAMPLES = 5
STILL_MAX, LATE_PIN_WAIT = 120, 75
RATES = ["on_time_closure.due", "on_time_closure.closed", "on_time_closure.closed_or_overdue", "on_time_closure.received",
         "on_time_closure.first", "on_time_closure.final", "on_time_closure.approval", "signing", "acceptance",
         "verification", "dispatch", "satisfaction.answered", "satisfaction.reached", "satisfaction.all",
         "first_satisfaction", "solved", "follow_up", "mediation_success", "return", "extension", "reopening", "repeat"]
BY = ["department", "department,hotline,case_type"]
Key = tuple[str, str, str]


class Report:
    """Counts, and what is wrong."""

    def __init__(self) -> None:
        self.counts: dict[str, object] = {}
        self.wrong: dict[str, list[str]] = {}

    def expect(self, name: str, wrong: list[str] | int, examples: list[str] | None = None) -> None:
        """A check with the number of its failures."""
        found = wrong if isinstance(wrong, int) else len(wrong)
        self.counts[name] = found
        if found:
            self.wrong[name] = (examples or (wrong if isinstance(wrong, list) else []))[:EXAMPLES]


def compare_counts(expected: dict, found: dict) -> tuple[int, int, list[str]]:
    """How many are missing and how many are too many, over all keys; the same for hotline and for the baselines."""
    lost = twice = 0
    examples = []
    for key in expected.keys() | found.keys():
        off = found.get(key, 0) - expected.get(key, 0)
        lost -= min(off, 0)
        twice += max(off, 0)
        if off and len(examples) < EXAMPLES:
            examples.append(f"{key}: {expected.get(key, 0)} sent, {found.get(key, 0)} counted")
    return lost, twice, examples


def log_ends(address: str) -> dict[int, int]:
    broker = Broker(address)
    try:
        return {partition: broker.end(TOPIC, partition) for partition in range(PARTITIONS)}
    finally:
        broker.close()


def settle(stage: Stage, report: Report, deadline: float) -> None:
    """Waits until every position is at the end of its log."""
    began, moved_at, last, told_at = time.monotonic(), time.monotonic(), None, 0.0
    while True:
        try:
            ends = log_ends(stage.kafka.address)
            rows = stage.postgres.sql("SELECT origin, next_offset FROM positions")
        except (Broken, RuntimeError, OSError):
            ends, rows = {}, []
        done = {row.split("|")[0]: int(row.split("|")[1]) for row in rows}
        left = {p: end - done.get(f"{TOPIC}/{p}", 0) for p, end in ends.items() if end != done.get(f"{TOPIC}/{p}", 0)}
        now = time.monotonic()
        if ends and not left:
            report.counts["settling_seconds"] = round(now - began, 1)
            report.expect("partitions_not_read_to_their_end", 0)
            return
        if left != last:
            last, moved_at = left, now
        if now - told_at > 5:
            say(f"{sum(left.values())} records left in {len(left)} partitions")
            told_at = now
        if now - moved_at > STILL_MAX or now > deadline:
            report.expect("partitions_not_read_to_their_end", len(left) or PARTITIONS,
                          [f"{TOPIC}/{p}: {count} records left" for p, count in left.items()])
            return
        time.sleep(0.5)


class Joined:
    """The senders' logs beside the export: what each says, and one file of both for the oracle."""

    def __init__(self, stage: Stage, senders: Senders) -> None:
        self.export, self.file = stage.folder / "export.ndjson", stage.folder / "joined.ndjson"
        stage.command("export", to=self.export)
        self.sent: dict[Key, bytes] = {}
        self.conflicting: set[Key] = set()
        self.copies = 0
        self._read_logs(senders.files)
        self.rows: dict[Key, str | None] = {}
        self.pins, self.receipts_moved, self.others = 0, 0, []
        self.repeated: collections.Counter = collections.Counter()
        self._read_export(senders.files)

    def _read_logs(self, files: list[pathlib.Path]) -> None:
        for key, line in _events(files):
            digest = _digest(line)
            self.copies += 1
            if self.sent.setdefault(key, digest) != digest:
                self.conflicting.add(key)

    def _read_export(self, files: list[pathlib.Path]) -> None:
        with open(self.file, "w", encoding="utf-8") as out:
            kept: dict[Key, dict] = {}
            for key, line in _events([self.export]):
                event = json.loads(line)
                if key[1] == PIPELINE:
                    self.pins += 1
                    out.write(line)
                elif key not in self.sent:
                    self.others.append(" ".join(key))
                else:
                    self._take(key, event.get("recordedtime"))
                    if key in self.conflicting:
                        kept[key] = {**event}
            for key, event in kept.items():
                out.write(json.dumps({**event, "recordedtime": self.rows[key]} if self.rows[key] else event) + "\n")
            self._write_sent(files, out)

    def _take(self, key: Key, receipt: str | None) -> None:
        """One row an event. Only a copy that the broker had earlier, in another partition, may add a row."""
        if key not in self.rows:
            self.rows[key] = receipt
        elif receipt and self.rows[key] and _instant(receipt) < _instant(self.rows[key]):
            self.rows[key] = receipt
            self.receipts_moved += 1
        elif key[1] in TRUSTED and receipt == self.rows[key]:
            # The export tells what the source recorded, whichever copy came first.
            self.receipts_moved += 1
        else:
            self.repeated[key] += 1

    def _write_sent(self, files: list[pathlib.Path], out) -> None:
        """What the senders say they sent, received when the export says."""
        written: set[Key] = set()
        for key, line in _events(files):
            if key in written or key in self.conflicting or key not in self.rows:
                continue
            written.add(key)
            event = json.loads(line)
            event.pop("recordedtime", None)
            if self.rows[key] is not None:
                event["recordedtime"] = self.rows[key]
            out.write(json.dumps(event, ensure_ascii=False) + "\n")

    def losses(self) -> tuple[int, int, list[str]]:
        found = {key: 1 + self.repeated[key] for key in self.rows}
        return compare_counts(dict.fromkeys(self.sent, 1), found)


def _events(files: list[pathlib.Path]) -> Iterator[tuple[Key, str]]:
    for path in files:
        with open(path, encoding="utf-8") as file:
            for line in file:
                event = json.loads(line)
                yield (event.get("subject", ""), event["source"], event["id"]), line


def _digest(line: str) -> bytes:
    return hashlib.blake2b(line.encode(), digest_size=8).digest()


def _instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def check_export(joined: Joined, report: Report) -> None:
    lost, twice, examples = joined.losses()
    report.counts |= {"distinct_events": len(joined.sent), "copies_acknowledged": joined.copies, "pins": joined.pins,
                      "events_with_two_contents": len(joined.conflicting), "receipts_moved_earlier": joined.receipts_moved}
    report.expect("lost", lost, examples)
    report.expect("twice", twice, examples)
    report.expect("nobody_sent", joined.others)


def check_positions(stage: Stage, joined: Joined, report: Report) -> None:
    positions = stage.positions()
    broken = []
    for row in positions:
        is_whole = row["next_offset"] - row["start_offset"] == row["records"] + row["gaps"]
        if not is_whole or row["records"] != row["applied"] + row["duplicate"] + row["ignored"] + row["dead"]:
            broken.append(json.dumps(row))
    report.expect("conservation_law_broken", broken)
    total = {name: sum(row[name] for row in positions) for name in
             ["records", "applied", "duplicate", "ignored", "dead", "gaps", "epoch"]}
    report.counts["positions"] = total
    off = total["applied"] - len(joined.rows)
    report.expect("applied_is_not_the_events_exported", abs(off), [f"applied {total['applied']}, exported {len(joined.rows)}"])
    report.expect("gaps", total["gaps"])


def check_letters(stage: Stage, senders: Senders, joined: Joined, report: Report) -> None:
    """Every planted fault is a dead letter, once for each copy in the topic; nothing else is."""
    letters = [json.loads(line) for line in
               stage.command("dead-letters", "list", "--limit", "100000000").splitlines()]
    report.counts["dead_letters"] = dict(collections.Counter(letter["reason"] for letter in letters))
    by_case = collections.Counter((letter["case"], letter["reason"]) for letter in letters)
    conflicting = {key[0] for key in joined.conflicting}
    unexpected, missing = [], []
    for (case, reason), count in by_case.items():
        is_planted = case in senders.planted and senders.planted[case].reason == reason
        if case and not is_planted and not (reason == "id_conflict" and case in conflicting):
            unexpected.append(f"{count} of {case} {reason}")
    for key in joined.conflicting:
        if not by_case[key[0], "id_conflict"]:
            missing.append(f"{' '.join(key)} id_conflict")
    # A letter names its case only where the event could be read and the rulebook knows its source.
    for reason in {planted.reason for planted in senders.planted.values()}:
        planted = [one for one in senders.planted.values() if one.reason == reason]
        least, most = sum(one.acknowledged for one in planted), sum(one.attempts for one in planted)
        found = sum(count for (_, why), count in by_case.items() if why == reason)
        if not least <= found <= most:
            (missing if found < least else unexpected).append(f"{reason}: {least} acknowledged, {most} sent, {found} letters")
    report.counts["bad_events_acknowledged"] = sum(one.acknowledged for one in senders.planted.values())
    nameless = {reason for case, reason in by_case if not case} - {planted.reason for planted in senders.planted.values()}
    report.expect("dead_letters_unexpected", unexpected + sorted(nameless))
    report.expect("dead_letters_missing", missing)
    both = len(letters) - report.counts["positions"]["dead"]
    report.expect("dead_records_without_a_letter", abs(both))


def check_tallies(stage: Stage, report: Report) -> None:
    lines = stage.command("tallies", "check", codes=(0, 2)).splitlines()
    report.expect("tallies_differ", lines)


Rows = dict[tuple, tuple]


def _rows(text: str) -> Rows:
    return {(row["rate"], row["from"], row["to"], tuple(sorted(row["by"].items()))): (row["numerator"], row["denominator"])
            for row in json.loads(text)}


def _differences(left: Rows, right: Rows) -> list[str]:
    return [f"{key[0]} {key[1]}..{key[2]} {dict(key[3])}: {left.get(key)} and {right.get(key)}"
            for key in sorted(left.keys() | right.keys()) if left.get(key, (0, 0)) != right.get(key, (0, 0))]


class Figures:
    """The same rates three times: from the database, by replay of the export, by the oracle."""

    def __init__(self, stage: Stage, joined: Joined) -> None:
        self.stage, self.joined = stage, joined
        day = datetime.datetime.fromtimestamp(stage.base, datetime.timezone(datetime.timedelta(hours=8))).date()
        first = day.replace(day=1)
        before = (first - datetime.timedelta(days=1)).replace(day=1)
        whole = (day - datetime.timedelta(days=60), day + datetime.timedelta(days=120))
        self.periods = [f"{begin}..{end}" for begin, end in [(before, first), whole]]

    def bulletins(self) -> Rows:
        rows: Rows = {}
        for by in BY:
            for period in self.periods:
                rows |= _rows(self.stage.command("bulletin", "--rate", ",".join(RATES), "--by", by, "--period", period))
        return rows

    def replay(self, as_of: str) -> Rows:
        rows: Rows = {}
        for by in BY:
            for period in self.periods:
                rows |= _rows(self.stage.command("replay", "--rulebook", str(self.stage.rulebook), "--as-of", as_of, "--rate",
                                                 ",".join(RATES), "--by", by, "--period", period, str(self.joined.export)))
        return rows

    def oracle(self, as_of: str) -> Rows | None:
        folder = pathlib.Path(__file__).with_name("oracle")
        if not (folder / "__main__.py").exists():
            return None
        running = []
        for by in BY:
            out = open(self.stage.folder / f"oracle-{len(running)}.json", "w+")
            running.append((out, subprocess.Popen(
                [sys.executable, "-B", str(folder), "rates", "--rulebook", str(self.stage.rulebook), "--as-of", as_of, "--rate",
                 ",".join(RATES), "--by", by, "--period", ",".join(self.periods), str(self.joined.file)],
                stdout=out, stderr=subprocess.PIPE, text=True)))
        rows: Rows = {}
        for out, process in running:
            said = process.communicate()[1]
            if process.returncode:
                raise SystemExit(f"chaos: the oracle failed: {said[-1500:]}")
            with out:
                out.seek(0)
                rows |= _rows(out.read())
        return rows


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_figures(stage: Stage, joined: Joined, report: Report) -> None:
    """Nothing changes any more, but clocks run out: the instants before and after must give the same."""
    figures = Figures(stage, joined)
    for _ in range(4):
        before = now()
        found = figures.bulletins()
        after = now()
        replayed = figures.replay(after)
        if replayed == figures.replay(before):
            break
    report.counts["rows_compared"] = len(found)
    report.counts["as_of"] = after
    report.counts["denominators"] = sum(count[1] for key, count in found.items() if ("department", "*") in key[3])
    report.expect("replay_differs", _differences(found, replayed))
    say("asking the oracle")
    told = figures.oracle(after)
    if told is None:
        report.counts["oracle_differs"] = "left out: there is no oracle"
    else:
        report.expect("oracle_differs", _differences(found, told))


def wait_for_late_pins(senders: Senders) -> None:
    """A source that leaves the dispatch to us after a minute has its slots filled after a minute."""
    left = senders.last_waiting_at + LATE_PIN_WAIT - time.time()
    if left > 0:
        say(f"waiting {left:.0f} s for dispatches that fall due")
        time.sleep(left)


def check_alarms(stage: Stage, report: Report) -> None:
    """What is told is what is true; each rung once for each time that it became true, with a notice for each telling."""
    untold = stage.command("alarms", "check", codes=(0, 2))
    report.expect("alarms_not_as_told", untold.splitlines())
    told = dict(row.split("|") for row in stage.postgres.sql("SELECT telling, count(*) FROM alarms GROUP BY telling"))
    report.counts["alarms"] = {telling: int(count) for telling, count in told.items()}
    gaps = stage.postgres.sql(
        "SELECT count(*) FROM (SELECT n, lag(n) OVER one AS before, lag(telling) OVER one AS telling FROM alarms "
        "WINDOW one AS (PARTITION BY case_id, alarm ORDER BY n)) AS told "
        "WHERE n <> coalesce(before, 0) + CASE telling WHEN 'missed' THEN 2 ELSE 1 END")
    report.expect("alarms_with_gaps", int(gaps[0]))
    without = stage.postgres.sql("SELECT (SELECT count(*) FROM alarms WHERE telling <> 'missed') "
                                 "- (SELECT count(*) FROM notices WHERE kind IN ('raised', 'withdrawn'))")
    report.expect("alarms_without_their_notice", abs(int(without[0])))


def check_all(stage: Stage, senders: Senders, report: Report) -> None:
    say("exporting")
    joined = Joined(stage, senders)
    check_export(joined, report)
    check_positions(stage, joined, report)
    check_letters(stage, senders, joined, report)
    check_tallies(stage, report)
    check_alarms(stage, report)
    check_figures(stage, joined, report)
    report.expect("answers_wrong", senders.wrong)
    with contextlib.suppress(OSError):
        report.counts["logged_errors"] = stage.logged()
