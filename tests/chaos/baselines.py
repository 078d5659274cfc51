"""Two naive consumers in the place of casework, to see the counting catch them.

Both read the topic as many programs do, and add one to a case's count for each of its records:

    auto-commit  says once a second how far it has read ahead, as clients do by themselves: what is in hand when it dies is
                 lost, and what was read and stored since then is counted again
    upsert       says once a second how far it has stored: what was stored since then is counted again when it dies

They are honest programs: they try again when the database or the broker is away. Run as a process by the harness:

    baselines.py MODE BROKER PSQL_DSN PARTITION[,PARTITION]
"""
from __future__ import annotations

import collections
import pathlib
import queue
import subprocess
import sys
import threading
import time

from wire import Broken, Broker

MODES = ["auto-commit", "upsert"]
# A naive consumer is met with its own death, and that of the broker and the database.
FAULTS = ["kill", "zombie", "database_stop", "broker_kill"]
GROUP, TOPIC = "baseline", "chaos"
SAY_EVERY = 1.0
# Records read ahead, and stored in one transaction.
QUEUE_MAX, TOGETHER = 2000, 10
PAUSE = 0.2
STILL_FOR = 8


class Store:
    """Counts by case in PostgreSQL, through psql."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.psql = dsn, None

    def add(self, counts: collections.Counter) -> None:
        """Until the database has said that it is committed: it may have been before, and the answer lost."""
        values = ",".join(f"('{case}', {count})" for case, count in counts.items())
        statement = (f"INSERT INTO counted (case_id, events) VALUES {values} ON CONFLICT (case_id) "
                     "DO UPDATE SET events = counted.events + excluded.events;\n\\echo stored\n")
        while not self._said(statement):
            time.sleep(PAUSE)

    def _said(self, statement: str) -> bool:
        try:
            if self.psql is None:
                self.psql = subprocess.Popen(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", self.dsn], text=True,
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.psql.stdin.write(statement)
            self.psql.stdin.flush()
            if self.psql.stdout.readline() == "stored\n":
                return True
        except OSError:
            pass
        if self.psql:
            self.psql.kill()
            self.psql.wait()
        self.psql = None
        return False


class Consumer:
    """One thread reads ahead into a queue, one stores, one says now and then how far we are."""

    def __init__(self, mode: str, address: str, dsn: str, partitions: list[int]) -> None:
        self.partitions = partitions
        self.broker, self.advice = Broker(address), Broker(address)
        self.store, self.waiting = Store(dsn), queue.Queue(QUEUE_MAX)
        self.handed_over: dict[int, int] = {}
        self.stored: dict[int, int] = {}
        # The whole difference between the two.
        self.said = self.handed_over if mode == "auto-commit" else self.stored

    def run(self) -> None:
        self._until_answered(lambda: self.broker.introduce(GROUP))
        for partition in self.partitions:
            offset = self._until_answered(lambda: self.broker.committed(GROUP, TOPIC, partition))
            self.handed_over[partition] = max(0, offset)
        for work in [self._store, self._say]:
            threading.Thread(target=work, daemon=True).start()
        while True:
            for partition in self.partitions:
                for record in self._until_answered(
                        lambda: self.broker.fetch(TOPIC, partition, self.handed_over[partition])):
                    self.waiting.put((partition, record))
                    self.handed_over[partition] = record.offset + 1

    def _store(self) -> None:
        while True:
            taken = [self.waiting.get()]
            while len(taken) < TOGETHER and not self.waiting.empty():
                taken.append(self.waiting.get())
            self.store.add(collections.Counter(record.key.decode() for _, record in taken))
            for partition, record in taken:
                self.stored[partition] = record.offset + 1

    def _say(self) -> None:
        while True:
            time.sleep(SAY_EVERY)
            try:
                if said := dict(self.said):
                    self.advice.commit(GROUP, TOPIC, said)
            except Broken:
                self.advice.close()

    def _until_answered(self, ask):
        while True:
            try:
                return ask()
            except Broken:
                self.broker.close()
                time.sleep(PAUSE)


# The harness's side


def prepare(stage, mode: str) -> None:
    """The table of counts, and three naive consumers that share the partitions."""
    from stage import PARTITIONS, PROCESSES, Role
    stage.kafka.make_plain()
    stage.postgres.sql("CREATE TABLE counted (case_id text PRIMARY KEY, events bigint NOT NULL)")
    dsn = f"host={stage.postgres.sockets} port={stage.postgres.port} user=hotline dbname=hotline"
    for nth in range(PROCESSES):
        mine = ",".join(str(p) for p in range(nth, PARTITIONS, PROCESSES))
        command = [sys.executable, "-B", str(pathlib.Path(__file__)), mode, stage.kafka.address, dsn, mine]
        stage.casework.append(Role(f"baseline-{nth}", command, {"PGPASSWORD": stage.postgres.password},
                                   stage.folder / f"baseline-{nth}.log"))
    stage.start_others()


def records_by_case(address: str, ends: dict[int, int]) -> dict[str, int]:
    """What the topic holds, read once from its beginning."""
    broker, counts = Broker(address), collections.Counter()
    for partition, end in ends.items():
        offset = 0
        while offset < end:
            for record in broker.fetch(TOPIC, partition, offset, 4 << 20):
                counts[record.key.decode()] += 1
                offset = record.offset + 1
    broker.close()
    return dict(counts)


def settle(stage) -> None:
    """Until the counts have stood still for a while: these consumers do not tell how far they are."""
    last, since, deadline = None, time.monotonic(), time.monotonic() + 120
    while time.monotonic() - since < STILL_FOR and time.monotonic() < deadline:
        counted = stage.postgres.sql("SELECT coalesce(sum(events), 0) FROM counted")
        if counted != last:
            last, since = counted, time.monotonic()
        time.sleep(0.5)


def check(stage, report) -> None:
    """Every record of the topic must be counted once. That these are not is what the run is for."""
    from checks import compare_counts, log_ends
    expected = records_by_case(stage.kafka.address, log_ends(stage.kafka.address))
    counted = {row.rsplit("|", 1)[0]: int(row.rsplit("|", 1)[1])
               for row in stage.postgres.sql("SELECT case_id, events FROM counted")}
    lost, twice, examples = compare_counts(expected, counted)
    report.counts |= {"records": sum(expected.values()), "counted": sum(counted.values()), "lost": lost, "twice": twice}
    report.expect("lost", lost, examples)
    report.expect("twice", twice, examples)


if __name__ == "__main__":
    Consumer(sys.argv[1], sys.argv[2], sys.argv[3], [int(p) for p in sys.argv[4].split(",")]).run()
