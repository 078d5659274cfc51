"""The faults, and when they strike.

Each kind of thing that can fail has a lane: within a lane one fault follows the other, the lanes run side by side. The
instants are drawn from the seed, as shares of the run.
"""
from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import threading
import time
from typing import Callable

from stage import SESSION_SECONDS, Stage

# Kind → its lane and how many strike in a minute, unless a count was asked for.
KINDS = {
    "kill": ("casework", 8.0),
    "zombie": ("casework", 0.8),
    "gateway_kill": ("gateway", 2.0),
    "timekeeper_kill": ("timekeeper", 4.0),
    "backend_kill": ("database", 0.8),
    "backend_terminate": ("database", 4.0),
    "database_stop": ("database", 1.2),
    "disk_full": ("database", 0.4),
    "broker_kill": ("broker", 0.8),
    "delay": ("proxy", 0.8),
    "cut": ("proxy", 2.0),
    "hole": ("proxy", 0.8),
    "drip": ("proxy", 0.8),
}


class Faults:
    """Runs the lanes; `progress` says how much of the run is over, from 0 to 1."""

    def __init__(self, stage: Stage, seed: int, counts: dict[str, int], progress: Callable[[], float]) -> None:
        self.stage, self.progress = stage, progress
        self.dice = {lane: random.Random(f"faults {lane} {seed}") for lane, _ in KINDS.values()}
        self.done: collections.Counter = collections.Counter()
        self.failed: list[str] = []
        self.give_up = threading.Event()
        self.log = open(stage.folder / "faults.ndjson", "w")
        self.lock = threading.Lock()
        plans: dict[str, list[tuple[float, str]]] = collections.defaultdict(list)
        for kind, count in counts.items():
            lane = KINDS[kind][0]
            plans[lane] += [(self.dice[lane].uniform(0.02, 0.98), kind) for _ in range(count)]
        self.threads = [threading.Thread(target=self._lane, args=(lane, sorted(plan)), daemon=True)
                        for lane, plan in plans.items()]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def is_over(self) -> bool:
        return not any(thread.is_alive() for thread in self.threads)

    def end(self) -> None:
        """What has not struck by now does not."""
        self.give_up.set()
        for thread in self.threads:
            thread.join(120)
        self.log.close()

    def _lane(self, lane: str, plan: list[tuple[float, str]]) -> None:
        dice = self.dice[lane]
        for due, kind in plan:
            while self.progress() < due:
                if self.give_up.wait(0.05):
                    return
            if self.give_up.is_set():
                return
            self._strike(kind, dice)

    def _strike(self, kind: str, dice: random.Random) -> None:
        began = time.time()
        try:
            told = getattr(self, kind)(dice)
        except (Exception, SystemExit) as error:  # A fault that does not work must not end its lane unseen.
            with self.lock:
                self.failed.append(f"{kind}: {error}")
            return
        with self.lock:
            self.done[kind] += 1
            self.log.write(json.dumps({"at": round(began, 3), "kind": kind, "for": round(time.time() - began, 3), **told})
                           + "\n")
            self.log.flush()

    # Casework

    def kill(self, dice: random.Random) -> dict:
        role = dice.choice(self.stage.casework)
        pid = role.process.pid
        role.kill()
        return {"process": role.name, "pid": pid}

    def zombie(self, dice: random.Random) -> dict:
        """Stopped until the group has given its partitions to others, then awake again in the middle of its work."""
        role, length = dice.choice(self.stage.casework), SESSION_SECONDS + dice.uniform(1, 6)
        role.signal(signal.SIGSTOP)
        time.sleep(length)
        role.signal(signal.SIGCONT)
        return {"process": role.name, "pid": role.process.pid}

    def gateway_kill(self, dice: random.Random) -> dict:
        self.stage.gateway.kill()
        return {}

    def timekeeper_kill(self, dice: random.Random) -> dict:
        role = dice.choice(self.stage.timekeepers)
        role.kill()
        return {"process": role.name}

    # PostgreSQL

    def backend_kill(self, dice: random.Random) -> dict:
        """kill -9 of one backend: PostgreSQL ends all others and recovers."""
        backends = self.stage.postgres.backends()
        if backends:
            pid = dice.choice(sorted(backends))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(1)
        return {"backends": len(backends)}

    def backend_terminate(self, dice: random.Random) -> dict:
        share = dice.choice([0.2, 0.5, 1.0])
        with contextlib.suppress(RuntimeError):
            self.stage.postgres.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                f"AND pid <> pg_backend_pid() AND random() < {share}")
        return {"share": share}

    def database_stop(self, dice: random.Random) -> dict:
        pause = dice.choice([0, 0, 1, 4])
        with self.stage.postgres.lock:
            self.stage.postgres.stop("immediate")
            time.sleep(pause)
            self.stage.postgres.start()
        return {"pause": pause}

    def disk_full(self, dice: random.Random) -> dict:
        postgres = self.stage.postgres
        if not postgres.is_capped:
            return {"left_out": True}
        length = dice.uniform(3, 8)
        try:
            postgres.fill()
            time.sleep(length)
        finally:
            postgres.make_room()
        return {"full_for": round(length, 1)}

    # Kafka

    def broker_kill(self, dice: random.Random) -> dict:
        pause = dice.choice([0, 0, 3])
        self.stage.kafka.kill()
        time.sleep(pause)
        self.stage.kafka.start()
        return {"pause": pause}

    # The way between casework and PostgreSQL

    def _proxy(self, command: str, length: float, *after: str) -> dict:
        self.stage.proxy.tell(command)
        time.sleep(length)
        for word in [*after, "pass"]:
            self.stage.proxy.tell(word)
        return {"command": command, "length": round(length, 1)}

    def delay(self, dice: random.Random) -> dict:
        return self._proxy(f"delay {dice.choice([0.01, 0.05, 0.3]):g}", dice.uniform(2, 5))

    def cut(self, dice: random.Random) -> dict:
        return self._proxy(f"cut {dice.choice([0, 1, 20, 300, 5000, 100000])}", dice.uniform(0.3, 2))

    def hole(self, dice: random.Random) -> dict:
        """Nothing goes through; afterwards what was held back arrives late, or the connections break."""
        return self._proxy("hole", dice.uniform(2, 20), *dice.choice([["drop"], []]))

    def drip(self, dice: random.Random) -> dict:
        return self._proxy(f"drip {dice.choice([1, 20, 200])}", dice.uniform(1, 4))
