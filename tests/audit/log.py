"""A closure log on a private PostgreSQL: the role audit over records that are put into its table, and a witness beside it.

What records say is nobody's affair here: leaves are bytes.
"""
from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

import stage  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
WAIT = 120


def say(text: str) -> None:
    print(f"audit: {text}", file=sys.stderr, flush=True)


class Log:
    def __init__(self, folder: pathlib.Path, sealers: int = 1, witness: bool = True, settings: str = "") -> None:
        folder.chmod(0o755)
        self.folder, self.settings = folder, settings
        self.binary = os.environ.get("HOTLINE_BIN", str(ROOT / "target/release/hotline"))
        self.postgres = stage.Postgres(folder, None)
        self.config, self.file = folder / "hotline.toml", folder / "away" / "log.checkpoint"
        self.witness_port = stage.free_port()
        self.has_witness = witness
        self.sealers = [self._role(f"audit-{n}", ["--config", str(self.config), "audit"]) for n in range(sealers)]
        self.witness = None
        self.key = self.witness_key = ""

    def _role(self, name: str, words: list[str]) -> stage.Role:
        env = {"HOTLINE__OPS__LISTEN": f"127.0.0.1:{stage.free_port()}"}
        return stage.Role(name, [self.binary, *words], env, self.folder / f"{name}.log")

    def set(self, records: int) -> None:
        """Database, first records, sealers, witness: until the first are cosigned."""
        (self.folder / "master.key").write_text("42" * 32 + "\n")
        (self.folder / "master.key").chmod(0o600)
        self.postgres.create()
        self.write_config()
        self.command("migrate")
        self.postgres.sql("INSERT INTO installation (id, created_at, key_check, tag_key_id) "
                          "VALUES (repeat('0', 32), now(), '\\x00', '')")
        self.write(records)
        self.start()
        self.wait_sealed(records)
        self.key = self.command("audit", "key").strip()
        if self.has_witness:
            state = self.folder / "witness"
            self.witness_key = self.run("witness", "key", "--state", str(state), "--name", "witness.example/w1").strip()
            self.witness = self._role("witness", ["witness", "--state", str(state), "--log", self.key, "--listen",
                                                  f"127.0.0.1:{self.witness_port}"])
            self.witness.start()
            self.stop_sealers()
            self.write_config()
            self.start()
            self.wait(lambda: self.cosigned() == records, "the witness cosigns")

    def write_config(self) -> None:
        witness = f"[[audit.witnesses]]\nurl = 'http://127.0.0.1:{self.witness_port}'\nkey = '{self.witness_key}'\n"
        self.config.write_text(
            f"[data]\ndir = '{self.folder / 'data'}'\nmaster_key_file = '{self.folder / 'master.key'}'\n"
            f"[postgres]\nhost = '{self.postgres.sockets}'\nport = {self.postgres.port}\n"
            f"password_file = '{self.postgres.password_file}'\n"
            f"[audit]\nkey_file = '{self.folder / 'log.key'}'\ncheckpoint_file = '{self.file}'\n{self.settings}"
            + (witness if self.witness_key else ""))

    def start(self) -> None:
        for sealer in self.sealers:
            sealer.start()

    def stop_sealers(self) -> None:
        for sealer in self.sealers:
            sealer.stop()

    def write(self, count: int, beginning: int = 0) -> None:
        """Records like those of casework, in one transaction."""
        self.postgres.sql(
            "INSERT INTO closure_records (case_id, kind, written_at, leaf) "
            "SELECT 'case-' || n % 1000, 'closed', now(), convert_to(json_build_object('case', 'case-' || n % 1000, "
            f"'kind', 'closed', 'n', n, 'filler', repeat(md5(n::text), 8))::text, 'UTF8') "
            f"FROM generate_series({beginning + 1}, {beginning + count}) AS n")

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run([self.binary, *words], capture_output=True, text=True, timeout=WAIT)
        if done.returncode not in codes:
            raise SystemExit(f"audit: hotline {' '.join(words[:4])} ended with {done.returncode}: {done.stderr[-800:]}")
        return done.stdout

    def command(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        return self.run("--config", str(self.config), *words, codes=codes)

    def size(self) -> int:
        rows = self.postgres.sql("SELECT max(size) FROM log_checkpoints")
        return int(rows[0] or 0)

    def cosigned(self) -> int:
        rows = self.postgres.sql("SELECT max(size) FROM log_cosignatures")
        return int(rows[0] or 0)

    def wait(self, holds, what: str) -> None:
        deadline = time.monotonic() + WAIT
        while not holds():
            if time.monotonic() > deadline:
                logs = "\n".join(role.log.read_text()[-1500:] for role in self.roles())
                raise SystemExit(f"audit: {what}: not within {WAIT} s\n{logs}")
            time.sleep(0.1)

    def wait_sealed(self, size: int) -> None:
        self.wait(lambda: self.size() >= size, f"{size} records are sealed (there are {self.size()})")

    def check(self, *words: str) -> dict:
        return json.loads(self.command("audit", "check", "--format", "json", *words, codes=(0, 1)))

    def metric(self, name: str) -> float | None:
        address = self.sealers[0].env["HOTLINE__OPS__LISTEN"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
            for line in page.read().decode().splitlines():
                if line.split("{")[0].split(" ")[0] == name:
                    return float(line.rsplit(" ", 1)[1])
        return None

    def roles(self) -> list[stage.Role]:
        return [*self.sealers, *([self.witness] if self.witness else [])]

    def strike(self) -> None:
        for role in self.roles():
            role.stop()
        self.postgres.remove()
