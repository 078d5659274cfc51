"""Those who send: to the gateway over HTTP, and straight to Kafka. What was acknowledged is written down at once.

What is not acknowledged is sent again until it is, as every honest sender does; so copies arise.
"""
from __future__ import annotations

import collections
import http.client
import json
import pathlib
import queue
import subprocess
import threading
import time

from stage import TOPIC, Stage, say
from stories import Item, Stories

BODY_MAX, CHUNK_MAX = 200, 600
ANSWER_WAIT, SEND_WAIT = 70, 120
PAUSE = 0.3


class Planted:
    """What became of the copies of one event that must be refused."""

    __slots__ = ("reason", "acknowledged", "refused", "attempts")

    def __init__(self, reason: str) -> None:
        self.reason, self.acknowledged, self.refused, self.attempts = reason, 0, 0, 0


class Senders:
    def __init__(self, stage: Stage, stories: Stories, rate: int, https: int = 3, kafkas: int = 2) -> None:
        self.stage, self.stories, self.rate = stage, stories, rate
        self.queues = {"http": queue.Queue(4000), "kafka": queue.Queue(6000)}
        self.counts: collections.Counter = collections.Counter()
        self.planted: dict[str, Planted] = {}
        self.wrong: list[str] = []
        self.lock, self.is_over = threading.Lock(), threading.Event()
        self.is_abandoned = threading.Event()
        self.last_waiting_at = 0.0
        self.files: list[pathlib.Path] = []
        self.threads = [threading.Thread(target=self._make, daemon=True)]
        self.many = {"http": https, "kafka": kafkas}
        for nth in range(https):
            self.threads.append(threading.Thread(target=self._over_http, args=(nth,), daemon=True))
        for nth in range(kafkas):
            self.threads.append(threading.Thread(target=self._to_kafka, args=(nth,), daemon=True))

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def acknowledged(self) -> int:
        return self.counts["acknowledged"]

    def finish(self, deadline: float) -> bool:
        """No more is made; what there is is sent. Whether all of it was acknowledged in time."""
        self.is_over.set()
        for thread in self.threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        done = not any(thread.is_alive() for thread in self.threads)
        self.is_abandoned.set()
        return done

    def _make(self) -> None:
        began, made = time.monotonic(), 0
        while not self.is_over.is_set():
            self._hand_on(self.stories.next())
            made += 1
            ahead = made / self.rate - (time.monotonic() - began)
            if ahead > 0.02:
                time.sleep(ahead)
            elif ahead < -1:
                # After an outage nobody hurries to catch up.
                began, made = time.monotonic(), 0
        for item in self.stories.rest():
            self._hand_on(item)
        for route, count in self.many.items():
            for _ in range(count):
                self.queues[route].put(None)

    def _hand_on(self, item: Item) -> None:
        if item.subject.split(":")[1].startswith("waiting"):
            self.last_waiting_at = time.time()
        # Where nobody sends over HTTP all goes to Kafka.
        self.queues[item.route if self.many[item.route] else "kafka"].put(item)

    def _take(self, route: str, at_most: int) -> tuple[list[Item], bool]:
        """What waits, and whether it is all."""
        waiting, items = self.queues[route], []
        until = time.monotonic() + 0.25
        while len(items) < at_most:
            try:
                item = waiting.get(timeout=max(0.001, until - time.monotonic()))
            except queue.Empty:
                break
            if item is None:
                return items, True
            items.append(item)
        return items, False

    def _log(self, name: str):
        path = self.stage.folder / f"acknowledged-{name}.ndjson"
        self.files.append(path)
        return open(path, "w", encoding="utf-8")

    def _note(self, items: list[Item], log) -> None:
        """All of these are acknowledged."""
        log.writelines(item.text + "\n" for item in items if not item.reason)
        log.flush()
        with self.lock:
            self.counts["acknowledged"] += len(items)
            self.counts["conflicting"] += sum(item.is_conflict for item in items)
            for item in items:
                if item.reason:
                    self._planted(item).acknowledged += 1

    def _planted(self, item: Item) -> Planted:
        return self.planted.setdefault(item.subject, Planted(item.reason))

    def _try(self, items: list[Item], route: str) -> None:
        with self.lock:
            self.counts[f"{route}_attempts"] += 1
            self.counts["sent"] += len(items)
            for item in items:
                if item.reason:
                    self._planted(item).attempts += 1

    # Over HTTP

    def _over_http(self, nth: int) -> None:
        connection = None
        is_last = False
        with self._log(f"http-{nth}") as log:
            while not is_last:
                items, is_last = self._take("http", BODY_MAX)
                body = "\n".join(item.text for item in items).encode()
                while items and not self.is_abandoned.is_set():
                    self._try(items, "http")
                    connection, results = self._post(connection, body)
                    if results is not None:
                        self._settle(items, results, log)
                        break
                    self.counts["http_again"] += 1
                    time.sleep(PAUSE)

    def _post(self, connection: http.client.HTTPConnection | None, body: bytes):
        """The connection to go on with, and the result of each event if the gateway has taken them."""
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.stage.gateway_port, timeout=ANSWER_WAIT)
            connection.request("POST", "/v1/events", body, {"content-type": "application/x-ndjson"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            if connection:
                connection.close()
            return None, None
        # 200: nothing of it was accepted.
        if answer.status in (200, 202):
            return connection, json.loads(text)["results"]
        if answer.status not in (408, 429, 502, 503, 504):
            with self.lock:
                self.wrong.append(f"the gateway answered {answer.status}: {text[:300]!r}")
        return connection, None

    def _settle(self, items: list[Item], results: list[dict], log) -> None:
        taken = []
        for item, result in zip(items, results, strict=True):
            is_refused = result["status"] != "accepted"
            if not is_refused:
                taken.append(item)
            else:
                with self.lock:
                    self.counts["refused_over_http"] += 1
                    if item.reason:
                        self._planted(item).refused += 1
            if is_refused != (item.reason is not None and item.refused_over_http):
                with self.lock:
                    self.wrong.append(f"over HTTP {item.subject} was answered {result.get('status')} {result.get('reason')}")
        self._note(taken, log)

    # Straight to Kafka

    def _to_kafka(self, nth: int) -> None:
        chunk, number, is_last = self.stage.folder / f"chunk-{nth}.ndjson", 0, False
        with self._log(f"kafka-{nth}") as log:
            while not is_last:
                items, is_last = self._take("kafka", CHUNK_MAX)
                if not items:
                    continue
                chunk.write_text("".join(item.text + "\n" for item in items), encoding="utf-8")
                number += 1
                # Each fourth chunk is keyed by the event, so that cases are spread over partitions.
                key = "id" if number % 4 == 0 and not self.stories.plain else "subject"
                while not self.is_abandoned.is_set():
                    self._try(items, "kafka")
                    if self._send(chunk, key):
                        self._note(items, log)
                        break
                    self.counts["kafka_again"] += 1
                    time.sleep(PAUSE)

    def _send(self, chunk: pathlib.Path, key: str) -> bool:
        words = [self.stage.binary, "--config", str(self.stage.config), "send", "--to",
                 f"kafka://{self.stage.kafka.address}/{TOPIC}", "--key", key, str(chunk)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=SEND_WAIT)
        except subprocess.TimeoutExpired:
            say("a sender to Kafka did not end and was killed")
            return False
        if done.returncode == 2:
            with self.lock:
                self.wrong.append(f"hotline send refused lines: {done.stderr[-300:]}")
            self.is_abandoned.set()
        return done.returncode == 0
