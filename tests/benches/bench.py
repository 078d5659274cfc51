#!/usr/bin/env python3
"""How fast casework is, end to end from a real Kafka to committed tallies, and what limits it.

    tests/benches/bench.py [--cases N] [--partitions N] [--latency SECONDS] [--more-cases N]
                           [--everything]

Everything runs on this machine: broker, PostgreSQL, casework. The workload is that of the design: twelve events a case
in time order over thirty days, 300 departments, seven case types, personal data. The events lie in the topic before
casework starts; the clock runs from the first commit seen to the last. In the same run a bare binary COPY of the same
ledger rows into a table with one index is timed, casework being idle by then, because absolute figures of a shared
machine mean little. The checkpoint that the run leaves behind and the merging of its deltas are told beside it.

--latency pushes 1,000 events a second over HTTP through gateway, topic and casework, and asks for single cases until
they are visible. --more-cases adds so many copies of case rows and keys and measures once more with new cases, one event
of ten about an old one anywhere in the table: what a large table costs. --everything runs all roles in the measured process instead of casework alone.

Prints one JSON object. Needs a release build (HOTLINE_BIN or target/release/hotline), Java for Kafka, PostgreSQL.
"""
import argparse, collections, glob, http.client, json, os, pathlib, random, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPES = ["consult", "help", "complaint", "report", "suggestion", "praise", "other"]
DEPARTMENTS = 300
SOURCE = "/hotline/12345/bench"


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def free_port():
    while True:
        port = random.randint(12000, 30000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def write_rulebook(folder):
    for shipped in ["calendars", "rates"]:
        shutil.copytree(ROOT / "deploy/rulebook" / shipped, folder / shipped)
    files = {
        "rulebook.toml": (ROOT / "deploy/rulebook/rulebook.toml").read_text(),
        "hotlines.toml": "".join(f'[[hotline]]\ncode = "{code}"\nname_zh = "热线"\nname_en = "Hotline"\noffice = "HL"\n\n'
                                 for code in ["12345", "12315", "petition"]),
        "departments.csv": "code,name_zh,group\nHL,热线办,\n"
        + "".join(f"D{n:03},单位{n:03},市直\n" for n in range(DEPARTMENTS)),
        "routing/all.csv": "rule,hotline,department\n" + "".join(f"{code},{code},HL\n" for code in ["12345", "12315", "petition"]),
        "sources/bench.toml": f'[[source]]\nid = "{SOURCE}"\nhotline = "12345"\nname = "bench"\ndispatch = "hotline"\n'
        "trusted_before = 2027-01-01T00:00:00Z\n",
        "policies/all.toml": "".join(
            f'[[policy]]\nid = "{name}"\ncalendar = "cn"\nmatch = {{ hotline = "12345" }}\nstage = "{name}"\n'
            f'scope = "custody"\nstart = "dispatched"\nstop = ["{stop}"]\nlimit = {limit}\nunit = "{unit}"\n{more}basis = "bench"\n\n'
            for name, stop, limit, unit, more in [
                ("sign", "signed", 24, "round_clock_hour", ""),
                ("contact", "contacted", 1, "working_day", ""),
                ("close", "closed", 10, "working_day", 'closure = true\nextension = { times_max = 1 }\n'
                 'alarms = [{ at = "50%", level = "notice" }, { after = "0 hour", level = "breach" }]\n'),
            ]
        ),
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def life(case, dice):
    """The twelve events of a case as (minutes from its receipt, type, data)."""
    lead = f"D{dice.randrange(DEPARTMENTS):03}"
    hours = lambda low, high: dice.randrange(low * 60, high * 60)
    received = {
        "case_type": dice.choice(TYPES), "category": ["housing", "heating"], "region": "411202", "channel": "phone",
        "title": f"示例标题{case}", "content": "示例内容，说明情况与诉求，约有一百个字节的文字。" * 2, "address": "示例路1号",
        "reporter": {"name": "示例", "phone": "00000000000"},
    }
    at, steps = 0, [(0, "received", received)]
    for kind, low, high, data in [
        ("dispatched", 0, 2, {"department": lead}),
        ("signed", 0, 20, {"department": lead, "automatic": False}),
        ("contacted", 0, 20, {"department": lead, "reached": True}),
        ("milestone", 1, 24, {"name": "on_site"}),
        ("urged", 1, 48, {"by": "caller"}),
        ("replied", 1, 24, {"department": lead, "preliminary": True, "content": "示例答复"}),
        ("submitted", 4, 72, {"department": lead, "outcome": "resolved"}),
        ("close_refused", 1, 24, {"department": lead, "reason": "incomplete"}),
        ("submitted", 1, 48, {"department": lead, "outcome": "resolved"}),
        ("closed", 1, 24, {"department": lead, "outcome": "resolved"}),
        ("rated", 4, 48, {"reached": True, "method": "sms", "satisfaction": dice.randrange(1, 6), "solved": "yes", "attempt": 1}),
    ]:
        at += hours(low, high)
        steps.append((at, kind, data))
    return steps


def stamp(minutes):
    day, minute = divmod(minutes, 1440)
    month, day = (6, day) if day < 30 else (7, day - 30) if day < 61 else (8, day - 61)
    return f"2026-{month:02}-{day + 1:02}T{minute // 60:02}:{minute % 60:02}:00+08:00"


def event(case, nth, minutes, kind, data):
    return json.dumps({
        "specversion": "1.0", "type": f"hotline.case.{kind}.v1", "source": SOURCE, "id": f"{case}-{nth}",
        "subject": f"12345:{case}", "time": stamp(minutes), "data": data,
    }, ensure_ascii=False, separators=(",", ":"))


def write_events(file, cases, first=0, old=()):
    """All events in time order; with `old` one event of ten is about one of those cases, any of them."""
    dice, rows = random.Random(7), []
    for n in range(cases):
        name = f"B{first + n:08}"
        start = dice.randrange(30 * 1440)
        for nth, (after, kind, data) in enumerate(life(name, dice)):
            rows.append((start + after, len(rows), event(name, nth, start + after, kind, data)))
    for nth in range(len(rows) // 9 if old else 0):
        minutes = dice.randrange(30 * 1440)
        rows.append((minutes, len(rows), event(old[dice.randrange(len(old))], f"old{nth}", minutes, "urged", {"by": "caller"})))
    rows.sort()
    with open(file, "w") as out:
        out.writelines(line + "\n" for _, _, line in rows)
    return len(rows)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.hotline = os.environ.get("HOTLINE_BIN", str(ROOT / "target/release/hotline"))
        self.topic = f"bench-{os.getpid()}"
        self.ops, self.gateway = free_port(), free_port()
        self.data = folder / "data"
        os.chmod(folder, 0o755)
        self.config = folder / "hotline.toml"

    def start_kafka(self):
        say("starting Kafka")
        self.kafka = self.folder / "kafka"
        out = self.call(["bash", str(ROOT / "deploy/local/kafka.sh"), "start", "--data", str(self.kafka), "--port", str(free_port())])
        self.brokers = re.search(r"BROKERS=(\S+)", out).group(1)
        self.configure()

    def configure(self):
        (self.folder / "rulebook").mkdir()
        write_rulebook(self.folder / "rulebook")
        self.config.write_text(
            f"[data]\ndir = '{self.data}'\n[rulebook]\ndir = '{self.folder / 'rulebook'}'\n[kafka]\nbrokers = '{self.brokers}'\n"
            f"topic = '{self.topic}'\ngroup = '{self.topic}'\n[gateway]\nlisten = '127.0.0.1:{self.gateway}'\n"
            f"[ops]\nlisten = '127.0.0.1:{self.ops}'\n[log]\nfilter = 'warn'\n")

    def stop_kafka(self):
        subprocess.run(["bash", str(ROOT / "deploy/local/kafka.sh"), "stop", "--data", str(self.kafka)], capture_output=True)

    def call(self, command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"bench: {' '.join(command[:4])} failed: {done.stderr[-800:]}")
        return done.stdout

    def command(self, *words):
        return self.call([self.hotline, "--config", str(self.config), *words])

    def start(self, roles):
        self.log = open(self.folder / "hotline.log", "a")
        self.process = subprocess.Popen([self.hotline, "--config", str(self.config), roles], stdout=self.log, stderr=self.log)
        deadline = time.time() + 120
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.ops), 1) as ops:
                    ops.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                    if b" 200 " in ops.recv(100):
                        break
            except OSError:
                pass
            if self.process.poll() is not None or time.time() > deadline:
                raise SystemExit(f"bench: hotline {roles} did not start: {(self.folder / 'hotline.log').read_text()[-800:]}")
            time.sleep(0.02)
        pid = (self.data / "postgres/postmaster.pid").read_text().splitlines()
        psql = shutil.which("psql") or sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))[-1]
        self.psql = subprocess.Popen(
            [psql, "-XqAt", "-h", pid[4], "-p", pid[3], "-U", "hotline", "hotline"], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "PGPASSWORD": (self.data / "postgres.password").read_text().strip()})

    def stop(self):
        self.psql.stdin.close()
        self.psql.wait()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def sql(self, text):
        self.psql.stdin.write(text.rstrip(";") + ";\n\\echo .\n")
        self.psql.stdin.flush()
        lines = []
        while (line := self.psql.stdout.readline().rstrip("\n")) != ".":
            if not line and self.psql.poll() is not None:
                raise SystemExit("bench: psql ended")
            lines.append(line)
        return lines

    def number(self, text):
        return int(self.sql(text)[0] or 0)

    def metrics(self):
        with socket.create_connection(("127.0.0.1", self.ops), 5) as ops:
            ops.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: ops.recv(65536), b"")).decode()
        return {m[1]: float(m[2]) for m in re.finditer(r"^(hotline_\S+) (\S+)$", text, re.M)}

    def memory(self):
        return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{self.process.pid}/status").read())[1]) // 1024

    def fill(self, cases):
        """Copies of case rows and of their keys under other names, so that both tables are as large as years make them."""
        have = self.number("SELECT count(*) FROM cases")
        say(f"adding {cases} copies of {have} case rows")
        columns = "revision, rulebook_seq, fold_version, facts, score, hotline, registered, case_type, category, region, channel, " \
            "class, department, received_at, closed_at, due_at, due_on, verdict, rounds, clocks_run, wake_at, overdue, anomalies, waits, backdated_at, reporter_tag"
        self.sql("CREATE UNLOGGED TABLE pattern AS SELECT * FROM cases ORDER BY case_id")
        # What will hardly change again lies dense, as after a year of vacuum.
        kept = self.sql("SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE relname = 'cases'")[0]
        self.sql("ALTER TABLE cases SET (fillfactor = 95)")
        for part in range(-(-cases // have)):
            if part % 20 == 19:
                say(f"{part * have} copied")
            rows = min(have, cases - part * have)
            self.sql(f"INSERT INTO cases (case_id, {columns}) SELECT '12345:A{part:05}' || substr(case_id, 8), {columns} FROM pattern LIMIT {rows}")
            self.sql("INSERT INTO personal_keys (owner, wrapped) "
                     f"SELECT '12345:A{part:05}' || substr(owner, 8), wrapped FROM personal_keys WHERE owner LIKE '12345:B%' LIMIT {rows}")
        self.sql(f"ALTER TABLE cases SET ({kept})")
        self.sql("DROP TABLE pattern")
        say("vacuum")
        self.sql("VACUUM (ANALYZE) cases, personal_keys")
        self.sql("CHECKPOINT")
        # One name in a hundred is enough to choose from.
        return self.sql("SELECT substr(case_id, 7) FROM cases TABLESAMPLE SYSTEM (1) WHERE case_id LIKE '12345:A%'")

    def run(self, events):
        """Casework from a full topic: from the first commit seen to the last."""
        self.sql("CHECKPOINT")
        before = self.sql("SELECT wal_bytes FROM pg_stat_wal")[0]
        base = self.number("SELECT coalesce(sum(next_offset), 0) FROM positions")
        done, began, first, seen = base, None, base, collections.Counter()
        while done < base + events:
            time.sleep(0.02)
            if self.args.statements and began:
                seen.update(self.sql("SELECT coalesce(substring(query from '/[*] (\\S+) [*]/'), left(query, 20)) || coalesce(' (waits: ' || wait_event || ')', '') "
                                     "FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"))
            done = self.number("SELECT coalesce(sum(next_offset), 0) FROM positions")
            if done > base and began is None:
                began, first = time.time(), done
        took = time.time() - began
        checkpoint = time.time()
        self.sql("CHECKPOINT")
        checkpoint = time.time() - checkpoint
        unmerged = self.number("SELECT count(*) FROM tally_deltas")
        while self.number("SELECT count(*) FROM tally_deltas"):
            time.sleep(0.2)
        drained = time.time() - began
        if self.args.statements:
            for statement, count in seen.most_common(24):
                say(f"{count / sum(seen.values()):6.1%} {statement}")
        return {
            "events": events,
            "events_per_second": round((base + events - first) / took),
            "checkpoint_seconds": round(checkpoint, 1),
            "deltas_unmerged_at_the_end": unmerged,
            "events_per_second_until_all_deltas_are_merged": round(events / drained),
            "wal_bytes_per_event": round((int(self.sql("SELECT wal_bytes FROM pg_stat_wal")[0]) - int(before)) / events),
            "memory_mib": self.memory(),
        }

    def copy(self):
        """A bare binary COPY of the ledger's rows into a table with one index."""
        file = self.folder / "rows.copy"
        file.touch()
        os.chmod(file, 0o666)
        rows = self.number(f"SELECT count(*) FROM ledger")
        self.sql(f"COPY (SELECT * FROM ledger) TO '{file}' (FORMAT binary)")
        self.sql("CREATE TABLE copied (LIKE ledger); CREATE INDEX ON copied (seq); CHECKPOINT")
        began = time.time()
        self.sql(f"COPY copied FROM '{file}' (FORMAT binary)")
        took = time.time() - began
        self.sql("DROP TABLE copied")
        return round(rows / took)

    def send(self, file):
        self.command("send", "--to", f"kafka://{self.brokers}/{self.topic}", str(file))

    def figures(self, events):
        if dead := self.number("SELECT sum(dead) FROM positions"):
            raise SystemExit(f"bench: {dead} records were refused: the workload is not what it should be")
        updates, hot = self.sql(
            "SELECT n_tup_upd || ' ' || n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'cases'")[0].split()
        metrics = self.metrics()
        count = metrics.get("hotline_casework_batch_records_count", 0)
        stage = lambda name: metrics.get(f'hotline_casework_stage_seconds_sum{{stage="{name}"}}', 0)
        stages = {name: round(stage(name) * 1e6 / events, 1) for name in ["decode", "load", "fold", "events", "cases"]}
        total = metrics.get("hotline_casework_batch_seconds_sum", 0) * 1e6 / events
        stages["commit_and_rest"] = round(total - sum(stages.values()), 1)
        return {
            "microseconds_per_event_by_stage": stages,
            "events_per_batch": round(events / max(count, 1)),
            "deltas_per_batch": round(metrics.get("hotline_casework_deltas_total", 0) / max(count, 1)),
            "case_rows_per_batch": round(metrics.get("hotline_casework_cases_written_total", 0) / max(count, 1)),
            "hot_share": round(int(hot) / max(int(updates), 1), 3),
            "facts_bytes_per_fact": round(float(self.sql("SELECT avg(length(facts)) FROM (SELECT facts FROM cases LIMIT 10000) AS sample")[0]) / 12, 1),
        }

    def latency(self, seconds):
        """1,000 events a second over HTTP; single cases are asked for until they are there."""
        say(f"latency at 1,000 events a second for {seconds} s")
        dice, stop, sent, refused = random.Random(9), time.time() + seconds, [0], []
        def load(nth):
            connection = http.client.HTTPConnection("127.0.0.1", self.gateway)
            number, due, steps = 0, time.time(), []
            while due < stop:
                time.sleep(max(0, due - time.time()))
                lines = []
                for _ in range(10):
                    steps = steps if number % 12 else life("L", dice)
                    minutes, kind, data = steps[number % 12]
                    lines.append(event(f"L{nth}-{number // 12:06}", number % 12, number // 12 % 20000 + minutes, kind, data))
                    number += 1
                connection.request("POST", "/v1/events", "\n".join(lines).encode(), {"content-type": "application/x-ndjson"})
                answer = connection.getresponse()
                answer.read()
                if answer.status >= 300:
                    refused.append(answer.status)
                sent[0] += 10
                due += 0.04
        threads = [threading.Thread(target=load, args=(nth,)) for nth in range(4)]
        for thread in threads:
            thread.start()
        connection, waits, probe = http.client.HTTPConnection("127.0.0.1", self.gateway), [], 0
        while time.time() < stop:
            name, body = f"P{probe:06}", event(f"P{probe:06}", 0, 100, *life("P", dice)[0][1:]).encode()
            began = time.time()
            connection.request("POST", "/v1/events", body, {"content-type": "application/cloudevents+json"})
            connection.getresponse().read()
            while True:
                connection.request("GET", f"/v1/cases/12345:{name}")
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    break
                time.sleep(0.002)
            waits.append(time.time() - began)
            probe += 1
        for thread in threads:
            thread.join()
        if refused:
            raise SystemExit(f"bench: {len(refused)} requests were refused, the first with {refused[0]}")
        waits.sort()
        at = lambda share: round(waits[min(len(waits) - 1, int(len(waits) * share))] * 1000)
        return {"events_per_second": round(sent[0] / seconds), "probes": len(waits), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1)}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cases", type=int, default=50_000, help="cases of the measured run, twelve events each")
    ap.add_argument("--partitions", type=int, default=12)
    ap.add_argument("--latency", type=int, default=0, metavar="SECONDS")
    ap.add_argument("--more-cases", type=int, default=0, metavar="N")
    ap.add_argument("--everything", action="store_true", help="all roles at work, not casework alone")
    ap.add_argument("--statements", action="store_true", help="sample what the database is busy with; costs a little")
    ap.add_argument("--keep", action="store_true", help="leave the folder for looking at")
    args = ap.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hotline-bench-"))
    bench = Bench(args, folder)
    result = {"cores": os.cpu_count(), "partitions": args.partitions}
    try:
        bench.start_kafka()
        bench.command("migrate", "--partitions", str(args.partitions))
        bench.command("rulebook", "activate", str(folder / "rulebook"))
        say(f"making {args.cases} cases")
        events = write_events(folder / "events.ndjson", args.cases)
        bench.send(folder / "events.ndjson")
        roles = "all" if args.everything else "casework"
        say(roles)
        bench.start(roles)
        result["run"] = bench.run(events)
        result["run"].update(bench.figures(events))
        result["bare_copy_rows_per_second"] = bench.copy()
        result["share_of_bare_copy"] = round(result["run"]["events_per_second"] / result["bare_copy_rows_per_second"], 3)
        say(f"so far: {json.dumps(result)}")
        if args.more_cases:
            old = bench.fill(args.more_cases)
            result["cases_in_table"] = bench.number("SELECT count(*) FROM cases")
            more = write_events(folder / "more.ndjson", args.cases, first=10_000_000, old=old)
            # As before, the events lie there before casework starts.
            bench.stop()
            bench.send(folder / "more.ndjson")
            bench.start(roles)
            result["run_with_more_cases"] = bench.run(more)
            result["cost_against_small_table"] = round(
                result["run"]["events_per_second"] / result["run_with_more_cases"]["events_per_second"], 2)
        bench.stop()
        if args.latency:
            bench.start("all")
            result["latency"] = bench.latency(args.latency)
            bench.stop()
        print(json.dumps(result, indent=2))
    finally:
        if getattr(bench, "process", None) and bench.process.poll() is None:
            bench.process.terminate()
            bench.process.wait(60)
        bench.stop_kafka()
        if args.keep:
            say(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
