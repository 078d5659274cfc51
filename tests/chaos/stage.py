"""What a run plays on: Kafka, PostgreSQL, proxy, gateway and casework, all in one folder, all started here.

Only process ids that were started here are ever signalled.
"""
from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import stories

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTITIONS = 12
PROCESSES = 3
TIMEKEEPERS = 2
TOPIC = "chaos"
SESSION_SECONDS = 6
COMMAND_WAIT = 900


def say(text: str) -> None:
    print(f"chaos: {text}", file=sys.stderr, flush=True)


def free_port() -> int:
    """Below the ports that the system gives to outgoing connections."""
    while True:
        port = 12000 + secrets.randbelow(18000)
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Role:
    """A process of hotline that is started again whenever it ends."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], log: pathlib.Path) -> None:
        self.name, self.command, self.env, self.log = name, command, env, log
        self.process: subprocess.Popen | None = None
        self.lock = threading.RLock()
        self.is_wanted = False
        self.ended_by_itself: list[int] = []

    def start(self) -> None:
        with self.lock, open(self.log, "ab") as log:
            self.is_wanted = True
            self.process = subprocess.Popen(self.command, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)

    def signal(self, number: int) -> None:
        with self.lock:
            if self.process and self.process.poll() is None:
                self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and started again at once."""
        with self.lock:
            self.signal(signal.SIGKILL)
            self.process.wait()
            self.start()

    def look_after(self) -> None:
        with self.lock:
            if self.is_wanted and self.process and self.process.poll() is not None:
                self.ended_by_itself.append(self.process.returncode)
                self.start()

    def stop(self) -> int | None:
        """As an operator would; a process that does not end is killed."""
        with self.lock:
            self.is_wanted = False
            if not self.process:
                return None
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(20)
            self.signal(signal.SIGKILL)
            return self.process.wait()


class Kafka:
    def __init__(self, folder: pathlib.Path) -> None:
        self.data, self.port = folder / "kafka", free_port()
        self.address = f"127.0.0.1:{self.port}"

    def _script(self, word: str) -> None:
        done = subprocess.run(
            ["bash", str(ROOT / "deploy/local/kafka.sh"), word, "--data", str(self.data), "--port", str(self.port),
             "--topic", TOPIC, "--partitions", str(PARTITIONS)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"chaos: kafka.sh {word} failed: {done.stderr[-800:]}")

    def start(self) -> None:
        try:
            self._script("start")
        except SystemExit as error:
            # A machine that is busy with a dozen faults may be too slow for it once.
            say(f"the broker did not start, once more: {error}")
            self.kill()
            self._script("start")

    def stop(self) -> None:
        with contextlib.suppress(SystemExit):
            self._script("stop")

    def kill(self) -> None:
        """SIGKILL. What the broker had acknowledged is in the page cache, and outlives it."""
        if (self.data / "container").exists():
            number = subprocess.run(["cksum"], input=str(self.data), capture_output=True, text=True).stdout.split()[0]
            subprocess.run(["docker", "kill", f"hotline-kafka-{number}"], capture_output=True)
            return
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.data / "kafka.pid").read_text())
            if str(self.data).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + 10
            while is_alive(pid) and time.monotonic() < deadline:
                time.sleep(0.05)

    def make_plain(self, topic: str = TOPIC) -> None:
        """Lets the broker keep records uncompressed, so that a reader needs no library."""
        jars = os.environ.get("HOTLINE_KAFKA_HOME", str(ROOT / "target/kafka-4.3.1"))
        command = ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", f"{jars}/*", "kafka.admin.ConfigCommand",
                   "--bootstrap-server", self.address, "--alter", "--topic", topic,
                   "--add-config", "compression.type=uncompressed"]
        if subprocess.run(command, capture_output=True).returncode:
            raise SystemExit("chaos: the topic's compression could not be set")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        # Its first thread may be gone while others still hold its sockets.
        return len(os.listdir(f"/proc/{pid}/task")) > 1 or \
            pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Postgres:
    """A private cluster, of the user postgres where root may not run one."""

    def __init__(self, folder: pathlib.Path, disk: str | None) -> None:
        self.port, self.password = free_port(), secrets.token_hex(16)
        self.dir, self.sockets = folder / "database", folder / "sockets"
        self.password_file = folder / "postgres.password"
        self.data, self.log = self.dir / "data", folder / "postgres.log"
        self.lock = threading.RLock()
        self.user = "postgres" if os.geteuid() == 0 else None
        self.is_capped = False
        self._prepare(disk)

    def _prepare(self, disk: str | None) -> None:
        for folder in [self.dir, self.sockets]:
            folder.mkdir()
        if disk:
            self._cap(disk)
        self.password_file.write_text(self.password)
        self.password_file.chmod(0o600)
        self.log.touch()
        if self.user:
            for path in [self.dir, self.sockets, self.log]:
                shutil.chown(path, self.user)

    def _cap(self, size: str) -> None:
        if not self.user:
            say("not root: the database's disk has no limit, and does not fill up")
            return
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self.dir)],
                                 capture_output=True, text=True)
        self.is_capped = mounted.returncode == 0
        if not self.is_capped:
            say(f"no tmpfs could be mounted, so the database's disk does not fill up: {mounted.stderr.strip()}")

    def _run(self, program: str, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
        path = str(found[-1]) if found else shutil.which(program)
        account = pwd.getpwnam(self.user) if self.user else None
        done = subprocess.run([path, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, cwd="/", env={**os.environ, "LC_ALL": "C.UTF-8"},
                              **({"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}))
        if check and done.returncode:
            raise SystemExit(f"chaos: {program} failed: {done.stdout[-800:]}")
        return done

    def create(self) -> None:
        secret = self.dir / "secret"
        secret.write_text(self.password)
        if self.user:
            shutil.chown(secret, self.user)
        self._run("initdb", "-D", str(self.data), "-U", "hotline", "--no-locale", "-E", "UTF8", "-A", "scram-sha-256",
                  f"--pwfile={secret}")
        secret.unlink()
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.sockets}'\n"
                       "shared_buffers = 256MB\nmax_wal_size = 512MB\nlog_min_messages = fatal\n")
        self.start()
        self.sql("CREATE DATABASE hotline", database="postgres")

    def start(self) -> None:
        with self.lock:
            deadline = time.monotonic() + 120
            # A server that crashed may still be ending.
            while self._run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), "-l", str(self.log),
                            check=False).returncode:
                if time.monotonic() > deadline:
                    raise SystemExit(f"chaos: PostgreSQL does not start: {self.log.read_text()[-800:]}")
                time.sleep(0.5)

    def stop(self, mode: str = "fast") -> None:
        with self.lock:
            self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.data), check=False)

    def is_up(self) -> bool:
        return self._run("pg_ctl", "status", "-D", str(self.data), check=False).returncode == 0

    def backends(self) -> list[int]:
        """Processes of our server that serve a client, ours excepted."""
        rows = self.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
                        "AND pid <> pg_backend_pid() AND usename = 'hotline'")
        return [int(row) for row in rows if self._is_ours(int(row))]

    def _is_ours(self, pid: int) -> bool:
        with contextlib.suppress(OSError, ValueError, IndexError):
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
            return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]) == postmaster
        return False

    def sql(self, text: str, database: str = "hotline") -> list[str]:
        done = subprocess.run(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(self.sockets), "-p", str(self.port), "-U", "hotline",
             database, "-c", text], capture_output=True, text=True, env={**os.environ, "PGPASSWORD": self.password})
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.split("\n")[:-1]

    def fill(self) -> None:
        """Takes all the room that is left."""
        with contextlib.suppress(OSError), open(self.dir / "filler", "ab", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))

    def make_room(self) -> None:
        (self.dir / "filler").unlink(missing_ok=True)
        with self.lock:
            if not self.is_up():
                self.start()

    def remove(self) -> None:
        self.stop("immediate")
        if self.is_capped:
            subprocess.run(["umount", "-l", str(self.dir)], capture_output=True)


class Proxy:
    """The misbehaving proxy between casework and PostgreSQL."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-B", str(pathlib.Path(__file__).with_name("proxy.py")), str(self.port), str(target)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def tell(self, command: str) -> None:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)


class Stage:
    def __init__(self, folder: pathlib.Path, base: float, disk: str | None) -> None:
        self.folder, self.base = folder, base
        folder.chmod(0o755)
        self.binary = os.environ.get("HOTLINE_BIN", str(ROOT / "target/release/hotline"))
        self.rulebook, self.config = folder / "rulebook", folder / "hotline.toml"
        self.gateway_port = free_port()
        self.kafka = Kafka(folder)
        self.postgres = Postgres(folder, disk)
        self.proxy: Proxy | None = None
        self.gateway: Role | None = None
        self.casework: list[Role] = []
        self.timekeepers: list[Role] = []
        self.is_over = threading.Event()

    def write_config(self) -> None:
        key = self.folder / "master.key"
        key.write_text(secrets.token_hex(32) + "\n")
        key.chmod(0o600)
        self.config.write_text(
            f"[data]\ndir = '{self.folder / 'data'}'\nmaster_key_file = '{key}'\n[rulebook]\ndir = '{self.rulebook}'\n"
            f"[postgres]\nhost = '{self.postgres.sockets}'\nport = {self.postgres.port}\n"
            f"password_file = '{self.postgres.password_file}'\n[kafka]\nbrokers = '{self.kafka.address}'\n"
            f"topic = '{TOPIC}'\ngroup = '{TOPIC}'\nsession_wait = '{SESSION_SECONDS}s'\n"
            f"[gateway]\nlisten = '127.0.0.1:{self.gateway_port}'\n[audit]\nlisten = '127.0.0.1:0'\n")

    def set(self) -> None:
        """Starts the broker and the database."""
        say("starting Kafka and PostgreSQL")
        stories.write_rulebook(self.rulebook, self.base)
        self.write_config()
        self.kafka.start()
        self.postgres.create()
        self.command("migrate", "--partitions", str(PARTITIONS))
        self.command("rulebook", "activate", str(self.rulebook))
        self.proxy = Proxy(self.postgres.port)

    def start_roles(self) -> None:
        self.gateway = self._role("gateway", "gateway", {})
        through_proxy = {"HOTLINE__POSTGRES__HOST": "127.0.0.1", "HOTLINE__POSTGRES__PORT": str(self.proxy.port)}
        self.casework = [self._role(f"casework-{n}", "casework", through_proxy) for n in range(PROCESSES)]
        self.timekeepers = [self._role(f"timekeeper-{n}", "timekeeper", through_proxy) for n in range(TIMEKEEPERS)]
        self.start_others()
        self.wait_ready()

    def start_others(self) -> None:
        """Starts what there is, and again whenever it ends."""
        for role in self.roles():
            role.start()
        threading.Thread(target=self._look_after, daemon=True).start()

    def _role(self, name: str, role: str, env: dict[str, str]) -> Role:
        env = {**env, "HOTLINE__OPS__LISTEN": f"127.0.0.1:{free_port()}"}
        return Role(name, [self.binary, "--config", str(self.config), role], env, self.folder / f"{name}.log")

    def roles(self) -> list[Role]:
        return [role for role in [self.gateway, *self.casework, *self.timekeepers] if role]

    def _look_after(self) -> None:
        while not self.is_over.wait(0.5):
            for role in self.roles():
                role.look_after()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 120
        for role in self.roles():
            while not self._is_ready(role):
                if time.monotonic() > deadline:
                    raise SystemExit(f"chaos: {role.name} is not ready: {role.log.read_text()[-1500:]}")
                time.sleep(0.1)

    @staticmethod
    def _is_ready(role: Role) -> bool:
        host, port = role.env["HOTLINE__OPS__LISTEN"].split(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 2) as ops:
            ops.settimeout(5)
            ops.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            return b" 200 " in ops.recv(100)
        return False

    def command(self, *words: str, codes: tuple[int, ...] = (0,), to: pathlib.Path | None = None) -> str:
        """Runs a command of hotline on the database itself, past the proxy."""
        with (open(to, "w") if to else contextlib.nullcontext(subprocess.PIPE)) as out:
            done = subprocess.run([self.binary, "--config", str(self.config), *words], stdout=out, stderr=subprocess.PIPE,
                                  text=True, timeout=COMMAND_WAIT)
        if done.returncode not in codes:
            raise SystemExit(f"chaos: hotline {' '.join(words[:2])} ended with {done.returncode}: {done.stderr[-800:]}")
        return done.stdout or ""

    def positions(self) -> list[dict]:
        return json.loads(self.command("partitions", "list", "--format", "json"))

    def logged(self, levels: tuple[str, ...] = ("ERROR",)) -> dict[str, int]:
        """What the roles logged, by their constant texts."""
        counts: dict[str, int] = {}
        for role in self.roles():
            for line in role.log.read_text(errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if entry.get("level") in levels:
                        text = entry.get("message") or entry.get("fields", {}).get("message", "")
                        code = entry.get("code") or entry.get("error.code") or entry.get("fields", {}).get("code", "")
                        name = re.sub(r"\s+", " ", f"{role.name.split('-')[0]}: {text} {code}").strip()
                        counts[name] = counts.get(name, 0) + 1
                    continue
                if "panicked" in line:
                    counts["panic"] = counts.get("panic", 0) + 1
        return counts

    def strike(self) -> None:
        """Ends everything that was started."""
        self.is_over.set()
        for role in self.roles():
            role.is_wanted = False
        stopping = [threading.Thread(target=role.stop) for role in self.roles()]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        if self.proxy:
            self.proxy.stop()
        self.postgres.remove()
        self.kafka.stop()
